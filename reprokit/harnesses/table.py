"""The harnesses that are known, in one explicit list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprokit.harnesses.interface import FoundRun, Harness
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.script import Script

HARNESSES: tuple[Harness, ...] = (LmEval(), LmmsEval())


def by_argv(argv: Sequence[str]) -> Harness | None:
    """Find the harness that a command line runs."""
    return next((harness for harness in HARNESSES if harness.recognises(argv)), None)


def by_files(places: Sequence[Path]) -> list[tuple[Harness, FoundRun]]:
    """Find the runs of all harnesses under some files or folders, oldest first.

    Oldest by the time stamps as written: they bear no zone, so that runs of different harnesses, or of different
    machines, may stand in the wrong order by the difference of their zones.
    """
    found = [(harness, run) for harness in HARNESSES for run in harness.find(places)]
    return sorted(found, key=lambda pair: (_digits(pair[1].key), pair[0].name, str(pair[1].root), pair[1].files))


def by_name(name: str | None) -> Harness | None:
    """Find a harness by its name; a script found by name has no files yet."""
    return next((harness for harness in (*HARNESSES, Script()) if harness.name == name), None)


def _digits(stamp: str) -> str:
    return "".join(character for character in stamp if character.isdigit())
