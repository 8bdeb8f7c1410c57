"""Capturing a whole tree of finished runs: each run is told of, none stops the others, and a second go is quick.

What is damaged, hollow, holds a secret or may still be written to is refused here, and may be captured by itself, as
incomplete as it is. Whoever is killed on the way loses nothing: what was published is known, and registered, next time.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, Publication, publish
from reprokit.archive.registration import DEFERRED, Folding, fold
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.values import as_json
from reprokit.bundle.writing import Label
from reprokit.capture.assembly import Observed
from reprokit.capture.finished import earlier
from reprokit.capture.finished.earlier import Held
from reprokit.capture.finished.runs import assemble_run, capture_run, stage_run
from reprokit.consistency import Consistency
from reprokit.errors import CaptureError, ReprokitError
from reprokit.harnesses.interface import FoundRun, Harness, Reader, Reading
from reprokit.probes import secrets

SCHEMA = "https://w3id.org/reprokit/v1/adoption.schema.json"
QUIET = 60
"""Seconds for which nothing may have been written to a run, so that it counts as over."""

_REFUSED = {
    "W349": "changed just now",
    "W302": "damaged",
    "W301": "no results",
    "W312": "holds a secret",
}
"""What a run is refused for, the gravest first."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

What = Literal["captured", "would capture", "already captured", "copy", "refused"]


class Row(Struct, frozen=True, kw_only=True):
    """What became of one finished run."""

    run: Annotated[
        str, Meta(description="its results, else its samples, from the place searched", examples=["out/results.json"])
    ]
    harness: Annotated[str, Meta(examples=["lm_eval"])]
    outcome: What
    bundle: Annotated[str | None, Meta(description="id of the bundle that holds it; null before there is one")] = None
    reason: Annotated[
        str | None,
        Meta(description="why it was refused, or which run it is a copy of", examples=["holds a secret: `a.json`"]),
    ] = None
    metrics: Annotated[int | None, Meta(description="how many metrics it has; null when it was not read")] = None
    samples: Annotated[int | None, Meta(description="how many samples it saved; null when it was not read")] = None
    findings: Annotated[list[str], Meta(description="codes of what a reader of it should know")] = []


class Adoption(Struct, frozen=True, kw_only=True):
    """What became of the finished runs under a folder: `reprokit capture --from DIR --json`."""

    schema: str = SCHEMA
    place: Annotated[str, Meta(description="as given", examples=["out"])]
    dry_run: Annotated[bool, Meta(description="nothing was written")]
    runs: Annotated[list[Row], Meta(description="oldest first")]
    registered: Annotated[int, Meta(description="how many bundles were committed to the archive's git, in one commit")]
    waiting: Annotated[
        str | None, Meta(description="why what was captured is not committed yet, which the next command does")
    ] = None

    def count(self, outcome: What) -> int:
        """Count the runs of one outcome."""
        return sum(row.outcome == outcome for row in self.runs)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How runs are captured.

    `archive` is `None` when there is none yet and none may be made. With `strict`, what is not a good run is refused;
    without, it is captured as it is, and the first failure ends all. `dry` writes nothing.
    """

    archive: Archive | None
    observed: Observed
    label: Label
    strict: bool
    dry: bool = False
    defer: bool = False


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known already: the bundles of the archive, by them the runs that became some, and those met, by bytes.

    `met` is of a dry run, in which none becomes a bundle.
    """

    held: Held | None
    made: dict[str, str] = field(default_factory=dict)
    met: dict[frozenset[tuple[str, str]], str] = field(default_factory=dict)

    def holder(self, harness: Reader, run: FoundRun, reading: Reading, *, private: bool) -> str | None:
        return self.held.holder(harness, run, reading.started, private=private) if self.held else None

    def twin(self, run: FoundRun, name: str) -> str | None:
        """Name the run met before that has the same files; without one, this run is met now."""
        key = frozenset((str(file), bag.sha256_of(run.root / file)) for file in run.files)
        twin = self.met.get(key)
        self.met.setdefault(key, name)
        return twin

    def told(self, row: Row) -> Row:
        """Tell what is a copy of a run captured just now from what was captured before."""
        if row.bundle is None:
            return row
        if row.outcome == "captured":
            self.made[row.bundle] = row.run
        twin = self.made.get(row.bundle)
        return _same_as(twin, row) if twin and row.outcome == "already captured" else row


class _RefusedError(Exception):
    """A run that is not captured, by the finding that says why."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.message)
        self.finding = found


def adopt(
    place: Path, runs: Sequence[tuple[Harness, FoundRun]], terms: Terms, told: Callable[[Row], None] = lambda _: None
) -> Adoption:
    """Capture finished runs, one bundle each, and register them together at the end.

    `told` hears of each run as it is done. What was published before an interruption is registered all the same.

    Raises:
        CaptureError: the archive cannot be written.
    """
    rows: list[Row] = []
    folding = Folding()
    known = _Known(held=Held(archive=terms.archive) if terms.archive else None)
    try:
        for harness, run in runs:
            row = known.told(_row(_named(run, place), harness, run, terms, known))
            rows.append(row)
            told(row)
    finally:
        if terms.archive is not None and not terms.dry and not terms.defer:
            folding = fold(terms.archive)
    deferred = DEFERRED if terms.defer else None
    return Adoption(
        place=str(as_json(str(place))),
        dry_run=terms.dry,
        runs=rows,
        registered=len(folding.registered),
        waiting=deferred if any(row.outcome == "captured" for row in rows) and deferred else folding.reason,
    )


def _named(run: FoundRun, place: Path) -> str:
    path = run.root / (run.results or run.files[0])
    return str(as_json((path.relative_to(place) if path != place and path.is_relative_to(place) else path).as_posix()))


def _row(name: str, harness: Reader, run: FoundRun, terms: Terms, known: _Known) -> Row:
    codes: list[str] = []
    try:
        return _captured(name, harness, run, terms, known)
    except _RefusedError as refusal:
        reason, codes = _reason(refusal.finding), [refusal.finding.code]
    except Exception as error:  # noqa: BLE001 - what is wrong with one run is no reason to leave the others
        reason = _what_failed(error, run, strict=terms.strict)
    return Row(run=name, harness=harness.name, outcome="refused", reason=reason, findings=codes)


def _what_failed(error: Exception, run: FoundRun, *, strict: bool) -> str:
    """Say why a run could not be captured, or raise what would befall every other one too."""
    match error:
        case CaptureError():
            raise error
        case OSError() if not strict or error.errno in _FULL:
            raise CaptureError(f"`{run.root}` cannot be captured: {error.strerror or error}") from error
        case _ if not strict:
            raise error
        case OSError():
            return f"cannot be read: {error.strerror or error}"
        case ReprokitError():
            return error.message
        case _:
            return f"a bug in reprokit: {type(error).__name__}: {error}"


def _captured(name: str, harness: Reader, run: FoundRun, terms: Terms, known: _Known) -> Row:
    noted = _noted(harness, run, terms)
    if noted is not None:
        return Row(run=name, harness=harness.name, outcome="already captured", bundle=noted)
    if not terms.strict and not terms.dry:
        assert terms.archive is not None  # noqa: S101 - only a dry run goes without
        return _of_bundle(name, harness, capture_run(terms.archive, terms.observed, harness, run, terms.label))
    if terms.strict:
        _refuse_fresh(run)
    reading = harness.read(run)
    if (holder := known.holder(harness, run, reading, private=terms.observed.private)) is not None:
        return Row(run=name, harness=harness.name, outcome="already captured", bundle=holder)
    if terms.strict:
        _refuse(_hollow(run, reading))
    if terms.dry or terms.archive is None:
        foreseen = _foreseen(name, harness, run, reading, terms)
        twin = known.twin(run, name)
        return _same_as(twin, foreseen) if twin else foreseen
    return _of_bundle(name, harness, _capture_good(terms.archive, harness, run, terms))


def _noted(harness: Reader, run: FoundRun, terms: Terms) -> str | None:
    if terms.archive is None or not (terms.strict or terms.dry):
        return None
    return earlier.recall(terms.archive, harness, run, private=terms.observed.private)


def _capture_good(archive: Archive, harness: Reader, run: FoundRun, terms: Terms) -> Publication:
    """Capture a run unless its bundle turns out to lack something."""
    staged = stage_run(archive, run)
    try:
        seen, changed = assemble_run(staged, terms.observed, harness, run, terms.label)
        _refuse([*changed, *open_bundle(staged / BAG).record.findings])
        published = publish(archive, staged)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    earlier.remember(archive, harness, run, seen, published, private=terms.observed.private)
    return published


def _of_bundle(name: str, harness: Reader, published: Publication) -> Row:
    if not published.new:
        return Row(run=name, harness=harness.name, outcome="already captured", bundle=published.bundle_id)
    bundle = open_bundle(published.path)
    return Row(
        run=name,
        harness=harness.name,
        outcome="captured",
        bundle=published.bundle_id,
        metrics=len(bundle.results.metrics),
        samples=sum(task.samples_saved for task in bundle.results.tasks),
        findings=sorted({each.code for each in bundle.record.findings}),
    )


def _foreseen(name: str, harness: Reader, run: FoundRun, reading: Reading, terms: Terms) -> Row:
    """Tell what a capture would find, by reading all that it would read."""
    found = [*reading.findings, *_secrets(run, terms), *_sample_findings(harness, run, reading)]
    if terms.strict:
        _refuse(found)
    return Row(
        run=name,
        harness=harness.name,
        outcome="would capture",
        metrics=len(reading.results.metrics),
        samples=sum(task.samples_saved for task in reading.results.tasks),
        findings=sorted({each.code for each in found}),
    )


def _same_as(twin: str, row: Row) -> Row:
    return Row(run=row.run, harness=row.harness, outcome="copy", bundle=row.bundle, reason=f"the same as `{twin}`")


def _secrets(run: FoundRun, terms: Terms) -> Iterator[Finding]:
    kept_out = terms.observed.private
    for file in run.files:
        if kept_out and file != run.results:
            continue
        with bag.open_regular(run.root / file) as stream:
            names = secrets.names_in_stream(stream, terms.observed.secrets)
        if names:
            yield finding("W312", str(as_json(f"harness/{file}")), ", ".join(sorted(names)))


def _sample_findings(harness: Reader, run: FoundRun, reading: Reading) -> Iterator[Finding]:
    consistency = Consistency(reading.results)
    for task in reading.sample_files:
        for each in harness.samples(run, task):
            if isinstance(each, Finding):
                yield each
            else:
                consistency.see(each)
    yield from consistency.findings()


def _hollow(run: FoundRun, reading: Reading) -> list[Finding]:
    found = list(reading.findings)
    if run.results is None:
        found.append(finding("W301", "harness", "only samples are there"))
    elif not reading.results.metrics:
        # Where the file is damaged, that is told first.
        found.append(finding("W301", str(as_json(f"harness/{run.results}")), "it holds no metric"))
    return found


def _refuse_fresh(run: FoundRun) -> None:
    """Refuse a run that somebody may still be writing. A time to come, as of a wrong clock, says nothing."""
    now = clock.now().timestamp()
    for file, stamp in earlier.stamps(run).items():
        if stamp is None:
            raise _RefusedError(finding("W349", str(as_json(f"harness/{file}")), "it is gone"))
        age = now - stamp[1] / 1e9
        if 0 <= age < QUIET:
            when = f"{age:.0f} seconds ago; it may not be finished"
            raise _RefusedError(finding("W349", str(as_json(f"harness/{file}")), when))


def _refuse(found: Sequence[Finding]) -> None:
    """Refuse a run for the worst that was found, if that is bad enough."""
    grave = [each for code in _REFUSED for each in found if each.code == code]
    if grave:
        raise _RefusedError(grave[0])


def _reason(found: Finding) -> str:
    """Say in a few words why a run was refused."""
    detail = found.message.partition(": ")[2]
    inside = f"`{PurePosixPath(found.where).name}`" if found.where != "harness" else ""
    return f"{_REFUSED[found.code]}: {': '.join(part for part in (inside, detail) if part)}"
