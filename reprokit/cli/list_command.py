"""`reprokit list`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from reprokit.archive import catalog
from reprokit.archive import tags as labels
from reprokit.archive.catalog import Entry, MetricSummary
from reprokit.archive.registration import fold
from reprokit.bundle.values import NotScored, Unknown
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, find_archive, json_option, print_json, score, table


def _name(metric: MetricSummary, filters: Counter[tuple[str, str]]) -> str:
    several = filters[metric.task, metric.metric] > 1 and metric.filter
    return f"{metric.task}/{metric.metric}" + (f",{metric.filter}" if several else "")


def _scores(entry: Entry, most: int = 3) -> str:
    scored = [metric for metric in entry.metrics if not metric.group and not isinstance(metric.value, NotScored)]
    filters = Counter((metric.task, metric.metric) for metric in scored)
    shown = [f"{_name(metric, filters)}={score(metric.value)}" for metric in scored[:most]]
    rest = len(scored) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "") or "-"


def _row(entry: Entry) -> tuple[str, ...]:
    state = "complete" if entry.complete else "incomplete"
    label = ",".join(part for part in (entry.name, *entry.tags) if part) or "-"
    version = "?" if isinstance(entry.harness_version, Unknown) else entry.harness_version
    return (visible(entry.id), visible(f"{entry.harness} {version}"), state, visible(label), visible(_scores(entry)))


_HEADING = ("bundle", "harness", "run", "name, tags", "scores")


@click.command("list", short_help="List the bundles of the archive.")
@click.option("--tag", "tags", multiple=True, help="Only bundles with this tag. May be given more than once.")
@click.option("--model", help="Only bundles of a model whose name contains this.")
@click.option("--harness", help="Only bundles of this harness.")
@archive_option
@json_option
def command(tags: tuple[str, ...], model: str | None, harness: str | None, archive: Path | None, as_json: bool) -> None:
    """List the bundles of the archive, oldest run first, from the catalog alone: no payload is read.

    \b
    Examples:
      reprokit list --tag paper
      reprokit list --json | jq -r '.[].id'
    """
    place = find_archive(archive)
    fold(place)
    entries = [
        entry
        for entry in labels.entries(place, tags)
        if (model is None or any(model in each.name for each in entry.models)) and harness in {None, entry.harness}
    ]
    if as_json:
        print_json(entries)
        return
    for line in table([_HEADING, *(_row(entry) for entry in entries)] if entries else []):
        click.echo(line)
    if not entries:
        say(f"reprokit: {'none of its bundles' if any(catalog.ids(place)) else 'no bundle'} to list in {place.root}")
