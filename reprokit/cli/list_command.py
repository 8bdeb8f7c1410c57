"""`reprokit list`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from reprokit.archive import catalog
from reprokit.archive.catalog import Entry, MetricSummary
from reprokit.archive.registration import fold
from reprokit.archive.tags import labels
from reprokit.bundle.values import NotScored, Unknown
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json, score, table


def _name(metric: MetricSummary, filters: Counter[tuple[str, str]]) -> str:
    several = filters[metric.task, metric.metric] > 1 and metric.filter
    return f"{metric.task}/{metric.metric}" + (f",{metric.filter}" if several else "")


def _scores(entry: Entry, most: int = 3) -> str:
    scored = [metric for metric in entry.metrics if not metric.group and not isinstance(metric.value, NotScored)]
    filters = Counter((metric.task, metric.metric) for metric in scored)
    shown = [f"{_name(metric, filters)}={score(metric.value)}" for metric in scored[:most]]
    rest = len(scored) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "") or "-"


def _run(entry: Entry) -> str:
    state = "complete" if entry.complete else "incomplete"
    if entry.reproduces is None:
        return state
    return f"{state}, reproduces {entry.reproduces.removeprefix('sha256:')[:_DIGITS]}"


def _row(entry: Entry) -> tuple[str, ...]:
    version = "?" if isinstance(entry.harness_version, Unknown) else entry.harness_version
    cells = (
        entry.id,
        f"{entry.harness} {version}",
        _run(entry),
        entry.name or "-",
        ", ".join(entry.tags) or "-",
        _scores(entry),
    )
    return tuple(map(visible, cells))


def _newest(entries: list[Entry], most: int | None) -> list[Entry]:
    """Keep those that were captured last, in the order in which they stand."""
    if most is None or most >= len(entries):
        return entries
    kept = {entry.id for entry in sorted(entries, key=lambda entry: (entry.captured, entry.id))[-most:]}
    return [entry for entry in entries if entry.id in kept]


_DIGITS = 8  # of an identity, at the end of a bundle's id
_HEADING = ("bundle", "harness", "run", "name", "tags", "scores")


@click.command("list")
@click.option("--tag", "tags", multiple=True, help="Only bundles with this tag. May be given more than once.")
@click.option("--model", help="Only bundles of a model whose name contains this.")
@click.option("--harness", help="Only bundles of this harness.")
@click.option("--limit", "most", type=click.IntRange(min=1), metavar="N", help="Only the N captured last.")
@archive_option
@json_option
def command(
    tags: tuple[str, ...],
    model: str | None,
    harness: str | None,
    most: int | None,
    archive: Path | None,
    as_json: bool,
) -> None:
    """List the bundles of the archive, from the catalog alone: no payload is read.

    They stand in the order in which their runs began, the oldest first; runs whose beginning nobody knows come last.
    `latest` is the bundle that was captured last, wherever it stands.

    \b
    Examples:
      reprokit list --tag paper
      reprokit list --limit 20
      reprokit list --json | jq -r '.[].id'
    """
    place = find_archive(archive)
    fold(place)
    entries = [
        entry
        for entry in labels.entries(place, tags)
        if (model is None or any(model in each.name for each in entry.models)) and harness in {None, entry.harness}
    ]
    entries = _newest(entries, most)
    if as_json:
        print_json(entries)
        return
    for line in table([_HEADING, *(_row(entry) for entry in entries)] if entries else []):
        click.echo(line)
    if not entries:
        count = len(catalog.ids(place))
        none = f"`{place.root}` holds {counted(count, 'bundle')}, and none like that"
        say(f"reprokit: {none if count else f'`{place.root}` holds no bundle yet'}")
