"""`reprokit show`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
from msgspec import Struct

from reprokit import clock
from reprokit.archive.tags import labels as tags
from reprokit.bundle import canonical
from reprokit.bundle.reading import Bundle
from reprokit.bundle.readme import written
from reprokit.bundle.record import Record, SubjectPart
from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import Json, Unknown
from reprokit.bundle.writing import Label
from reprokit.cli.bundles import Found, find_bundle
from reprokit.cli.messages import visible, visible_json
from reprokit.cli.options import (
    archive_option,
    counted,
    find_archive,
    json_option,
    print_json,
    score,
    table,
)
from reprokit.errors import NotFoundError
from reprokit.mirrors.interface import Receipt
from reprokit.sync.mirroring.events import Said

_SAMPLES = 5
_DIGITS = 8
_TASKS = 4
_LONGEST = 60


class Shown(Struct, frozen=True, kw_only=True):
    """What `reprokit show --json` prints: `bundle.json` and `results.json` with where the bundle lies.

    One that was fetched or unpacked for this command alone has no `path`; `fetched` is the reference of it.
    `mirrored` are its copies on mirrors, as they were last seen there.
    """

    id: str
    identity: str
    path: str | None
    fetched: str | None = None
    captured: str
    name: str | None
    tags: list[str]
    note: str | None
    mirrored: list[Receipt] = []
    record: Record
    results: Results


def _known(value: object) -> str:
    return f"unknown ({value.unknown})" if isinstance(value, Unknown) else str(value)


def _moment(time: str | Unknown) -> str:
    if isinstance(time, Unknown):
        return _known(time)
    try:
        return f"{clock.parse(time):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return time


def _ending(record: Record) -> str:
    how = f"signal {record.run.signal}" if record.run.signal else f"exit status {_known(record.run.exit_code)}"
    return how if record.run.complete else f"{how}, INCOMPLETE"


def _sources(record: Record) -> Iterator[tuple[str, str]]:
    if isinstance(record.sources, Unknown):
        yield "source", _known(record.sources)
        return
    for source in record.sources:
        state = " with uncommitted changes" if source.dirty else ""
        yield "source", f"{source.name} at {(source.commit or 'no commit')[:12]}{state}"


def _part(part: SubjectPart) -> str:
    """Tell a model or a dataset: its revision, where it lies, what of it is known, and what used it."""
    words = [part.name, f"revision {_known(part.revision)}"]
    if part.place:
        words.append(f"from {part.place}")
    if part.files:
        known = sum(file.digest is not None for file in part.files)
        words.append(f"{known} of {counted(len(part.files) + part.files_left_out, 'file')} with a digest")
    words += [f"{text.kind} {text.digest.removeprefix('sha256:')[:_DIGITS]}" for text in part.texts]
    if part.server:
        words.append(f"served by {part.server.endpoint}")
    words += [f"{name} {_short(value)}" for name, value in sorted(part.extra.items())]
    if part.tasks:
        words.append(f"for {', '.join(part.tasks[:_TASKS])}{'…' if len(part.tasks) > _TASKS else ''}")
    return ", ".join(words)


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else canonical.line(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@dataclass(frozen=True, kw_only=True)
class _Since:
    """What became of a bundle after its capture: its labels now, and its copies on mirrors."""

    label: Label
    copies: tuple[Receipt, ...] = ()


def _since(bundle: Bundle, named: Path | None) -> _Since:
    """Tell what the archive says of a bundle; where it lies in none, its labels are those of its capture."""
    info = bundle.info
    given = _Since(label=Label(name=info.name, tags=info.tags, note=info.note))
    try:
        place = find_archive(named)
    except NotFoundError:
        return given
    if bundle.path.resolve() != place.payload(info.bundle_id).resolve():
        return given
    receipts = Said(archive=place).copies(identity=bundle.identity, bundle=info.bundle_id)
    return _Since(label=tags.label(place, info.bundle_id), copies=tuple(receipts))


def _facts(found: Found, since: _Since) -> Iterator[tuple[str, str]]:
    bundle, label = found.bundle, since.label
    record, info = bundle.record, bundle.info
    argv = record.invocation.argv
    yield "bundle", info.bundle_id
    if found.fetched is None:
        yield "path", str(bundle.path)
    else:
        kept = f": `{found.kept_by}` keeps it" if found.kept_by else ""
        yield "fetched", f"{found.fetched}, for this command alone{kept}"
    yield "identity", bundle.identity
    for name, value in (("name", label.name), ("tags", ", ".join(label.tags)), ("note", label.note)):
        if value:
            yield name, value
    yield "command", _known(argv) if isinstance(argv, Unknown) else " ".join(written(each) for each in argv)
    yield "ran", f"{_moment(record.run.started)} to {_moment(record.run.ended)}, {_ending(record)}"
    yield "harness", f"{record.harness.name} {_known(record.harness.version)}"
    for kind, parts in (("model", record.subject.models), ("dataset", record.subject.datasets)):
        yield from ((kind, _part(each)) for each in parts)
    yield from _sources(record)
    if record.environment_summary:
        yield "environment", ", ".join(f"{name} {value}" for name, value in sorted(record.environment_summary.items()))
    if record.reproduces:
        yield "reproduces", record.reproduces
    for copy in since.copies:
        yield "mirrored", copy.reference + (f"  {copy.page}" if copy.page else "")


def _metric_row(metric: Metric) -> tuple[str, ...]:
    stderr = "" if metric.stderr is None else f"± {score(metric.stderr)}"
    task = f"{metric.task} (group)" if metric.group else metric.task
    count = "" if metric.n is None else str(metric.n)
    return tuple(
        visible(cell) for cell in (task, metric.metric, metric.filter or "", score(metric.value), stderr, count)
    )


def _lines(found: Found, since: _Since) -> Iterator[str]:
    bundle = found.bundle
    for name, text in _facts(found, since):
        yield f"{name:<12} {visible(text)}"
    rows = [_metric_row(metric) for metric in bundle.results.metrics]
    if rows:
        yield ""
        yield from table([("task", "metric", "filter", "value", "stderr", "n"), *rows], right=frozenset({3, 5}))
    saved = [task for task in bundle.results.tasks if task.samples_file]
    if saved:
        yield ""
        yield "samples      " + ", ".join(f"{visible(task.name)} {task.samples_saved}" for task in saved)
    for kept in bundle.record.withheld:
        yield f"withheld     {visible(kept.path)}: {visible(kept.reason)}"
    for each in bundle.record.findings:
        yield f"{each.code}         {visible(each.where)}: {visible(each.message)}"


@click.command("show")
@click.argument("reference", metavar="REF")
@click.option(
    "--samples", "task", metavar="TASK", help=f"Print samples of a task as JSON lines, {_SAMPLES} unless --all."
)
@click.option("--all", "all_samples", is_flag=True, help="With --samples: print every one.")
@archive_option
@json_option
def command(reference: str, task: str | None, all_samples: bool, archive: Path | None, as_json: bool) -> None:
    """Show the bundle REF: an id, a unique beginning of one, a tag or name of its own, a path, or `latest`.

    REF may be a mirror's reference, too: wandb:entity/project/name:alias. Unless the archive has that bundle, it is
    fetched and proven, and kept only as long as the command runs; `reprokit pull` takes it into the archive.

    \b
    Examples:
      reprokit show latest
      reprokit show 20261124T1 --samples toy_mc | jq .responses
      reprokit show latest --json | jq '.results.metrics'
      reprokit show wandb:lab/evals/lm_eval-tiny-gpt2:v3
    """
    found = find_bundle(reference, archive)
    bundle = found.bundle
    if task is not None:
        samples = bundle.samples(task)
        for sample in samples if all_samples else islice(samples, _SAMPLES):
            click.echo(visible_json(canonical.line(sample).decode()))
        return
    since = _since(bundle, archive)
    if as_json:
        info = bundle.info
        shown = Shown(
            id=info.bundle_id,
            identity=bundle.identity,
            path=str(bundle.path) if found.fetched is None else None,
            fetched=found.fetched,
            captured=info.bagging_date,
            name=since.label.name,
            tags=list(since.label.tags),
            note=since.label.note,
            mirrored=list(since.copies),
            record=bundle.record,
            results=bundle.results,
        )
        print_json(shown)
        return
    for line in _lines(found, since):
        click.echo(line)
