"""How a capture is wished to be: what flags say, else environment variables, else `reprokit.toml`, else the defaults.

    [capture]
    samples = "digest"     # or REPROKIT_SAMPLES=digest: keep private samples out
    defer = true           # or REPROKIT_DEFER=1: leave registering to another process

`REPROKIT_RESULTS` and `REPROKIT_SAMPLES` may name the files of a script too, several separated by `:`. They, and the
mappings of `reprokit.toml`, are for programs that are no known harness.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprokit.capture.mapping import Mapping as ScriptMapping
from reprokit.capture.mapping import by_name, for_command, known_names, refuse_other_keys, settings_above
from reprokit.errors import UsageError
from reprokit.harnesses import table
from reprokit.harnesses.script_fields import STANDARD, Fields

RESULTS_VARIABLE = "REPROKIT_RESULTS"
SAMPLES_VARIABLE = "REPROKIT_SAMPLES"
DEFER_VARIABLE = "REPROKIT_DEFER"
DIGEST = "digest"
FULL = "full"
SCRIPT = "script"

_TABLE = "capture"
_KEYS = ("samples", "defer")
_NO = {"", "0", "false", "no", "off"}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is wished without a flag. With `private`, samples are kept as digests only."""

    results: Path | None = None
    samples: tuple[Path, ...] = ()
    private: bool = False
    defer: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """Who evaluates: a harness by name, if it has to be told, and the files of a script."""

    harness: str | None = None
    results: Path | None = None
    samples: tuple[Path, ...] = ()
    fields: Fields = STANDARD


def read_wishes(directory: Path, environment: Mapping[str, str]) -> Wishes:
    """Read what the environment wishes and, after it, the nearest `reprokit.toml` with a `[capture]` table.

    Raises:
        UnreadableError: a settings file cannot be read.
        UsageError: `[capture]` is not as it has to be; file and key are named.
    """
    written = next((each for each in settings_above(directory) if _TABLE in each[1]), None)
    private, defer = _capture(*written) if written else (False, False)
    samples, kept = split_samples(environment.get(SAMPLES_VARIABLE, "").split(os.pathsep))
    if environment.get(DEFER_VARIABLE) is not None:
        defer = environment[DEFER_VARIABLE].lower() not in _NO
    results = environment.get(RESULTS_VARIABLE)
    return Wishes(
        results=Path(results) if results else None,
        samples=samples,
        private=private if kept is None else kept == DIGEST,
        defer=defer,
    )


def split_samples(words: Sequence[str]) -> tuple[tuple[Path, ...], str | None]:
    """Tell files of samples from the words `digest` and `full`; a file of that name is written `./digest`.

    Returns:
        The files, and the last of the two words that was given.
    """
    files = tuple(Path(word) for word in words if word and word not in {DIGEST, FULL})
    return files, next((word for word in reversed(words) if word in {DIGEST, FULL}), None)


def check_harness(name: str | None, mappings: Sequence[ScriptMapping]) -> None:
    """Refuse the name of a harness or a mapping that nobody knows.

    Raises:
        UsageError: nobody does.
    """
    known = known_names(mappings)
    if name is not None and name not in known:
        listed = ", ".join(f"`{each}`" for each in known)
        raise UsageError(
            f"there is no harness `{name}`", hint=f"it is one of {listed}, or `[script.{name}]` is missing"
        )


def evaluator(
    argv: Sequence[str],
    *,
    harness: str | None,
    results: Path | None,
    samples: tuple[Path, ...],
    wishes: Wishes,
    mappings: Sequence[ScriptMapping],
) -> Evaluator:
    """Settle who evaluates in a command, each thing by the first who says it: flag, environment, mapping.

    Raises:
        UsageError: there is no such harness, or several mappings match the command.
    """
    check_harness(harness, mappings)
    flags = results is not None or bool(samples)
    known = {each.name for each in table.HARNESSES}
    if harness in known or (harness is None and not flags and table.by_argv(argv) is not None):
        return Evaluator(harness=harness, results=results, samples=samples)
    mapping = by_name(mappings, harness) if harness else for_command(mappings, argv)
    mapped = mapping or ScriptMapping(origin="")
    return Evaluator(
        harness=SCRIPT if harness else None,
        results=results or wishes.results or mapped.results,
        samples=samples or wishes.samples or mapped.samples,
        fields=mapped.fields,
    )


def _capture(path: Path, settings: dict[str, Any]) -> tuple[bool, bool]:
    where = f"`{path}`: `[{_TABLE}]`"
    written = settings[_TABLE]
    if not isinstance(written, dict):
        raise UsageError(f"`{path}`: `{_TABLE}` is no table", hint='write `[capture]`, then `samples = "digest"`')
    refuse_other_keys(where, written, _KEYS)
    samples, defer = written.get("samples", FULL), written.get("defer", False)
    if samples not in {DIGEST, FULL}:
        raise UsageError(f"{where}: `samples` is neither `digest` nor `full`", hint='write `samples = "digest"`')
    if not isinstance(defer, bool):
        raise UsageError(f"{where}: `defer` is neither `true` nor `false`", hint="write `defer = true`")
    return samples == DIGEST, defer
