"""Capturing a run that is over from the files it left: what nobody observed is recorded as unknown.

Today's git state and environment are never passed off as the run's.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from reprokit.archive.layout import PRIVATE
from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, Publication, publish, stage
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Invocation, Run
from reprokit.bundle.values import Unknown, as_json
from reprokit.bundle.writing import Label
from reprokit.capture.assembly import Observed, assemble
from reprokit.capture.finished import earlier
from reprokit.capture.finished.earlier import Stamps
from reprokit.capture.mapping import Mapping, by_name, script_runs
from reprokit.errors import NotFoundError
from reprokit.harnesses import table
from reprokit.harnesses.interface import FoundRun, Harness, Reader
from reprokit.harnesses.script import Script
from reprokit.harnesses.script_fields import STANDARD
from reprokit.probes import environment as environments
from reprokit.probes.secrets import Secrets

_REASON = "captured from finished outputs"


def find_runs(
    place: Path,
    *,
    harness: str | None = None,
    results: Path | None = None,
    samples: tuple[Path, ...] = (),
    mappings: Sequence[Mapping] = (),
) -> list[tuple[Harness, FoundRun]]:
    """Find the finished runs under a file or folder, oldest first. What lies inside a bundle is passed over.

    `results` and `samples` name the files of the one script's run to take; they may be relative to `place`. `mappings`
    say which files scripts write; what is not such a file is looked at as a known harness's. `harness` is the name of
    an adapter or of a mapping; then only runs of it are found.

    Raises:
        NotFoundError: there is no such place or file, or no run in it.
    """
    if not place.exists():
        raise NotFoundError(f"`{place}` does not exist", hint="name the folder that the evaluation wrote to")
    if results is not None or samples:
        mapping = by_name(mappings, harness or Script.name)
        script = Script(
            results=results and _file(place, results),
            samples=[_file(place, each) for each in samples],
            fields=mapping.fields if mapping else STANDARD,
        )
        found: list[tuple[Harness, FoundRun]] = [(script, run) for run in script.find([place])]
    else:
        found = [each for each in table.by_files([place]) if harness in {None, each[0].name}]
        found += _mapped(place, found, [each for each in mappings if harness in {None, "script", each.name}])
    found = [each for each in found if not _is_inside_bundle((each[1].root / each[1].files[0]).parent, place)]
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


def _mapped(
    place: Path, known: Sequence[tuple[Harness, FoundRun]], mappings: Sequence[Mapping]
) -> list[tuple[Harness, FoundRun]]:
    """Find the runs of scripts; a file that a known harness wrote belongs to no script."""
    taken = {run.root / file for _, run in known for file in run.files}
    found: list[tuple[Harness, FoundRun]] = []
    for mapping in mappings:
        for script, run in script_runs(mapping, place):
            files = {run.root / file for file in run.files}
            if not files & taken:
                found.append((script, _seen_from(place, run)))
                taken |= files
    return found


def _seen_from(place: Path, run: FoundRun) -> FoundRun:
    """Spell the files of a script's run from the folder that is searched: only the path may say whose they are.

    A program of one's own that writes `model_a/metrics.json` and `model_b/metrics.json` need not name a model in them.
    """
    folder = place if place.is_dir() else place.parent
    if run.root == folder or not run.root.is_relative_to(folder):
        return run
    below = PurePosixPath(run.root.relative_to(folder).as_posix())
    return dataclasses.replace(
        run,
        root=folder,
        results=below / run.results if run.results else None,
        samples=tuple(below / file for file in run.samples),
        others=tuple(below / file for file in run.others),
    )


def _is_inside_bundle(folder: Path, place: Path) -> bool:
    """Tell whether a folder lies in a bundle, or in what is to become one, somewhere below a place."""
    for each in (folder, *folder.parents):
        if each == place or not each.is_relative_to(place):
            return False
        if each.name == PRIVATE or (each / bag.DECLARATION).is_file():
            return True
    return False


def observed_nothing(secrets: Secrets, *, private: bool = False) -> Observed:
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
        private=private,
    )


def stage_run(archive: Archive, run: FoundRun) -> Path:
    """Make the staging folder of one finished run.

    Raises:
        CaptureError: the archive cannot be written.
    """
    return stage(archive, {"description": f"capture from `{run.root}`"})


def assemble_run(
    staged: Path, observed: Observed, harness: Reader, run: FoundRun, label: Label
) -> tuple[Stamps, tuple[Finding, ...]]:
    """Make the bundle of a finished run in its staging folder, and see whether its files were written to meanwhile.

    Returns:
        The files' stamps from before they were read, and a finding for each that has changed since.

    Raises:
        OSError: the archive, or a file, is out of reach.
    """
    before = earlier.stamps(run)
    assemble(staged / BAG, observed, harness, run, label, scratch=staged)
    after = earlier.stamps(run)
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return before, tuple(finding("W349", str(as_json(f"harness/{path}"))) for path in changed)


def capture_run(archive: Archive, observed: Observed, harness: Reader, run: FoundRun, label: Label) -> Publication:
    """Capture one finished run as it is, incomplete or damaged as it may be.

    What is written to while it is read is read once more, and the record tells of it.

    Raises:
        CaptureError: the archive cannot be written.
        OSError: the same, or a file is out of reach.
    """
    staged = stage_run(archive, run)
    try:
        before, changed = assemble_run(staged, observed, harness, run, label)
        if changed:
            shutil.rmtree(staged / BAG)
            told = dataclasses.replace(observed, findings=(*observed.findings, *changed))
            before, _ = assemble_run(staged, told, harness, run, label)
        published = publish(archive, staged)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    earlier.remember(archive, harness, run, before, published, private=observed.private)
    return published
