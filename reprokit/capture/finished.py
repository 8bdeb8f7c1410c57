"""Capturing a run that is over from the files it left: what nobody observed is recorded as unknown.

Today's git state and environment are never passed off as the run's.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, Publication, publish, stage
from reprokit.archive.registration import Folding, fold
from reprokit.bundle.record import Invocation, Run
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label
from reprokit.capture.assembly import Observed, assemble
from reprokit.errors import NotFoundError
from reprokit.harnesses import table
from reprokit.harnesses.interface import FoundRun, Harness
from reprokit.harnesses.script import Script
from reprokit.probes import environment as environments
from reprokit.probes.secrets import Secrets

_REASON = "captured from finished outputs"


def find_runs(
    place: Path, *, harness: str | None = None, results: Path | None = None, samples: tuple[Path, ...] = ()
) -> list[tuple[Harness, FoundRun]]:
    """Find the finished runs under a file or folder, oldest first.

    `results` and `samples` name the files of a script's run; they may be relative to `place`.

    Raises:
        NotFoundError: there is no such place or file, or no run in it.
    """
    if not place.exists():
        raise NotFoundError(f"`{place}` does not exist", hint="name the folder that the evaluation wrote to")
    if results is not None or samples:
        script = Script(results=results and _file(place, results), samples=[_file(place, each) for each in samples])
        found: list[tuple[Harness, FoundRun]] = [(script, run) for run in script.find([place])]
    else:
        found = [each for each in table.by_files([place]) if harness in {None, each[0].name}]
    if not found:
        raise NotFoundError(
            f"`{place}` holds no finished run of a known harness",
            hint="for a program of your own, name its files: `--results FILE --samples FILE`",
        )
    return found


def _file(place: Path, named: Path) -> Path:
    """Find a named file, which people spell from where they stand or from the folder of outputs.

    Raises:
        NotFoundError: there is none.
    """
    for path in (place / named, named):
        if path.is_file():
            return path
    raise NotFoundError(f"`{place / named}` is no file", hint="name it from here, or from the folder given to `--from`")


def observed_nothing(secrets: Secrets) -> Observed:
    """Say what is known of a run of which only the outputs are there: nothing, and why."""
    unknown = Unknown(unknown=_REASON)
    return Observed(
        origin="finished",
        invocation=Invocation(
            argv=unknown,
            program=unknown,
            program_in="unknown",
            working_directory=unknown,
            environment_variables=unknown,
        ),
        run=Run(started=unknown, ended=unknown, exit_code=unknown, complete=False, host=unknown),
        environment=environments.unknown(_REASON),
        sources=unknown,
        secrets=secrets,
        logs={},
    )


def capture_finished(
    archive: Archive,
    runs: list[tuple[Harness, FoundRun]],
    *,
    secrets: Secrets,
    label: Label,
    told: Callable[[Publication], None] = lambda _: None,
) -> Folding:
    """Capture finished runs, one bundle each, and register them together.

    `told` hears of each bundle as it is published.

    Raises:
        CaptureError: the archive cannot be written.
    """
    observed = observed_nothing(secrets)
    for harness, run in runs:
        staged = stage(archive, {"description": f"capture from `{run.root}`"})
        try:
            assemble(staged / BAG, observed, harness, run, label, scratch=staged)
            told(publish(archive, staged))
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return fold(archive)
