"""`reprokit capture --from`: runs that are over, one or hundreds; and what is told of a bundle that was made."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from reprokit.archive.location import Archive, NoArchiveYetError
from reprokit.archive.publication import Publication
from reprokit.archive.registration import Folding
from reprokit.bundle.finding import CATALOGUE
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.finished.adoption import Adoption, Row, Terms, adopt
from reprokit.capture.finished.runs import find_runs, observed_nothing
from reprokit.capture.mapping import Mapping
from reprokit.capture.wishes import FULL, SCRIPT, Wishes
from reprokit.cli.after_capture import follow
from reprokit.cli.messages import say, visible
from reprokit.cli.options import counted, find_archive, print_json
from reprokit.errors import ExitCode
from reprokit.harnesses.interface import FoundRun, Harness
from reprokit.outbox import queueing
from reprokit.probes import secrets

_OUTCOME = len("already captured")
_LONGEST_RUN = 80
_FRESH = "W349"
_LOOKED_AT = 20  # samples of each task
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What was asked for: the place, how to look at it, what to call what is found."""

    place: Path
    recursive: bool
    dry: bool
    harness: str | None
    results: Path | None
    samples: tuple[Path, ...]
    mappings: tuple[Mapping, ...]
    wishes: Wishes
    label: Label
    wait: bool = False


def capture_finished(asked: Finished, archive: Path | None, *, home: Path, as_json: bool) -> int:
    """Capture finished runs and tell what became of each; the exit status says whether any was refused."""
    runs = find_runs(
        asked.place,
        harness=asked.harness,
        results=asked.results,
        samples=asked.samples,
        mappings=(*_of_environment(asked), *asked.mappings),
    )
    place = _archive(archive, dry=asked.dry)
    terms = Terms(
        archive=place,
        observed=observed_nothing(secrets.collect(os.environ, home), private=asked.wishes.private),
        label=asked.label,
        strict=asked.recursive,
        dry=asked.dry,
        defer=asked.wishes.defer,
    )
    show = _Rows(runs=runs, asked=asked, archive=place, quiet=as_json)
    adoption = adopt(asked.place, runs, terms, show.tell)
    wanted = asked.wishes.mirror if place is not None and not asked.dry else None
    queued = None
    if place is not None and wanted is not None:
        to = queueing.settle(place, wanted, environment=os.environ, directory=Path.cwd())
        queued = queueing.queue(place, to, list(dict.fromkeys(row.bundle for row in adoption.runs if row.bundle)))
    if as_json:
        print_json(adoption)
    if asked.recursive or asked.dry:
        _summarise(adoption, asked)
    elif adoption.waiting and not terms.defer:
        say(f"reprokit: published, not yet committed: {adoption.waiting}; the next command does it")
    follow(place, queued, wait=asked.wait, defer=terms.defer)
    return ExitCode.DIFFERENCES if adoption.count("refused") else ExitCode.FINE


def _of_environment(asked: Finished) -> tuple[Mapping, ...]:
    wishes = asked.wishes
    if wishes.results is None and not wishes.samples:
        return ()
    return (Mapping(origin="the environment", results=wishes.results, samples=wishes.samples),)


def _archive(named: Path | None, *, dry: bool) -> Archive | None:
    try:
        return find_archive(named, create=not dry)
    except NoArchiveYetError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Shows each run as it is done: lines of a table, or what a single capture tells."""

    runs: Sequence[tuple[Harness, FoundRun]]
    asked: Finished
    archive: Archive | None
    quiet: bool

    def tell(self, row: Row) -> None:
        if self.asked.recursive or self.asked.dry:
            if not self.quiet:
                # Whoever reads may go away, as `| head` does: the runs are captured all the same.
                with suppress(BrokenPipeError):
                    click.echo(visible(f"{row.outcome:<{_OUTCOME}}  {row.run:<{self.width}}  {_detail(row)}".rstrip()))
        elif row.bundle is not None and self.archive is not None:
            path = self.archive.payload(row.bundle)
            tell_publication(Publication(bundle_id=row.bundle, path=path, new=row.outcome == "captured"))

    @property
    def width(self) -> int:
        """The room for the names of runs; a longer one pushes its line to the right."""
        lengths = (len(str(run.results or run.files[0])) for _, run in self.runs)
        return min(max(lengths, default=0), _LONGEST_RUN)


def _detail(row: Row) -> str:
    codes = "  " + " ".join(row.findings) if row.findings else ""
    match row.outcome:
        case "refused" | "copy":
            return row.reason or ""
        case "would capture":
            return f"{row.harness}, {counted(row.metrics or 0, 'metric')}, {counted(row.samples or 0, 'sample')}{codes}"
        case _:
            return f"{row.bundle or row.reason}{codes}"


def _summarise(adoption: Adoption, asked: Finished) -> None:
    made = f"{adoption.count('captured')} captured"
    if adoption.dry_run:
        made = f"nothing was written; {adoption.count('would capture')} would be captured"
    copies = f", {counted(adoption.count('copy'), 'copy', 'copies')} of these" if adoption.count("copy") else ""
    for code in sorted({code for row in adoption.runs if row.outcome != "refused" for code in row.findings}):
        say(f"  {code} {CATALOGUE[code][0]}")
    say(
        f"reprokit: {made}{copies}, {adoption.count('already captured')} already captured, "
        f"{adoption.count('refused')} refused"
    )
    if adoption.waiting:
        later = "" if asked.wishes.defer else "; the next command does it"
        say(f"reprokit: published, not yet committed: {adoption.waiting}{later}")
    _say_what_now([row for row in adoption.runs if row.outcome == "refused"], asked)


def _say_what_now(refused: list[Row], asked: Finished) -> None:
    """Hint at what can be done about runs that were refused: wait, or capture them as they are."""
    fresh = [row for row in refused if _FRESH in row.findings]
    if fresh:
        say(f"hint: {len(fresh)} of those refused changed within the last minute: wait a minute, and call again")
    others = [row for row in refused if row not in fresh]
    if others:
        path = asked.place / others[0].run if asked.place.is_dir() else asked.place
        command = shlex.join(["reprokit", "capture", "--from", str(path)])
        say(f"hint: what is refused can be captured by itself, as it is: `{command}`")


def tell_publication(publication: Publication) -> None:
    """Tell of a bundle that was published, or that was there already."""
    if not publication.new:
        say(f"reprokit: already captured as {publication.bundle_id}; labels given now were added to it")
        return
    bundle = open_bundle(publication.path)
    tasks = [task for task in bundle.results.tasks if task.samples_file]
    count = sum(task.samples_saved for task in tasks)
    say(f"reprokit: captured {publication.bundle_id}")
    say(f"  {counted(len(bundle.results.metrics), 'metric')}, {counted(count, 'sample')}, in {publication.path}")
    for each in bundle.record.findings:
        say(f"  {each.code} {each.where}: {each.message}")
    _tell_unrecognised(bundle)


def _tell_unrecognised(bundle: Bundle) -> None:
    """Tell when what the model answered is among the keys of a program's samples that mean nothing to anybody."""
    record = bundle.record
    if record.harness.name != SCRIPT or record.samples != FULL or "response" in record.harness.fields:
        return
    for task in bundle.results.tasks:
        seen = list(islice(bundle.samples(task.name), _LOOKED_AT)) if task.samples_file else []
        extra = list(dict.fromkeys(key for sample in seen for key in sample.extra))
        if extra and not any(sample.responses or sample.answer is not None for sample in seen):
            keys = ", ".join(f"`{key}`" for key in extra[:_NAMED]) + (", …" if len(extra) > _NAMED else "")
            say(f"  no response was recognised in the samples of `{task.name}`, whose other keys are {keys}")
            say('  hint: name its key in a `reprokit.toml`: `[script]`, `response = "KEY"`; see docs/own-program.md')
            return


def tell_folding(folding: Folding | None) -> None:
    """Tell of bundles that could not be registered yet."""
    if folding is not None and folding.left:
        later = "" if folding.deferred else "; the next command does it"
        say(f"reprokit: published, not yet committed: {folding.reason}{later}")
