"""What it costs to start, and to stand in front of a command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import REPROKIT, Row, environment, in_turns, run

_PROBED = "import json, email, unittest, decimal\nfor number in range(300000):\n    json.loads('[1, 2]')\n"


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure start-up, wrapping a trivial command, and the probe inside an evaluation."""
    program = environment(folder)
    for word in ("--version", "--help"):
        fastest = in_turns(
            {
                "ours": lambda word=word: run([*REPROKIT, word], environment=program),
                "peer": lambda: run([sys.executable, "-c", "import click"], environment=program),
            },
            repeats=15,
        )
        yield Row(
            work=f"`reprokit {word}`",
            peer='`python -c "import click"`',
            value=fastest["ours"] / fastest["peer"],
            target=1.5,
        )
    yield from _wrapping(folder)
    yield from _probe(folder)


def _wrapping(folder: Path) -> Iterator[Row]:
    program = environment(folder)
    run([*REPROKIT, "init", folder / "trivial"], environment=program)
    own = {"REPROKIT_ARCHIVE": str(folder / "trivial")}
    # Each capture is of another content, or the second would find that it is there already.
    counted = iter(range(1000))
    fastest = in_turns(
        {
            "bare": lambda: run(["true"], directory=folder, environment=program),
            "deferred": lambda: run(
                [*REPROKIT, "capture", "--defer", "--", "true", str(next(counted))],
                directory=folder,
                environment=program | own,
            ),
            "whole": lambda: run(
                [*REPROKIT, "capture", "--", "true", str(next(counted))], directory=folder, environment=program | own
            ),
        },
        repeats=9,
    )
    yield Row(
        work="wrapping `true`, without DVC and git (`--defer`)",
        peer="`true`",
        value=fastest["deferred"] - fastest["bare"],
        target=0.3,
        unit=" s more",
    )
    yield Row(
        work="wrapping `true`, registered and committed",
        peer="`true`",
        value=fastest["whole"] - fastest["bare"],
        target=0.5,
        unit=" s more",
    )


def _probe(folder: Path) -> Iterator[Row]:
    from reprokit.probes import interpreter

    probes = folder / "probes"
    probes.mkdir()
    plain = environment(folder)
    watched = interpreter.child_environment(plain, probes)
    fastest = in_turns(
        {
            "with": lambda: run([sys.executable, "-c", _PROBED], environment=watched),
            "without": lambda: run([sys.executable, "-c", _PROBED], environment=plain),
        },
        repeats=25,
    )
    yield Row(
        work="the probe in a Python process of half a second",
        peer="the same without it",
        value=fastest["with"] / fastest["without"],
        target=1.01,
        note="an evaluation runs for minutes, and the probe costs the same few milliseconds",
    )
