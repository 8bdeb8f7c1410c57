"""`reprokit tag`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from reprokit.archive.layout import Archive
from reprokit.archive.references import bundle_ids, identify
from reprokit.archive.registration import fold
from reprokit.archive.tags import labels as tags
from reprokit.archive.tags.labels import Change, Changed
from reprokit.bundle.writing import Label
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json, table
from reprokit.errors import UsageError


class Labelled(Struct, frozen=True, kw_only=True):
    """What `reprokit tag REF --json` prints: the labels of a bundle now, and how many of them are new or gone."""

    bundle: str
    name: str | None
    tags: list[str]
    note: str | None
    changes: int


class Tagged(Struct, frozen=True, kw_only=True):
    """What `reprokit tag --json` prints a list of: a tag, and the ids of the bundles that have it."""

    tag: str
    bundles: list[str]


def _all(archive: Archive) -> list[Tagged]:
    found: dict[str, list[str]] = {}
    for bundle_id, label in tags.labels(archive, bundle_ids(archive)).items():
        for tag in label.tags:
            found.setdefault(tag, []).append(bundle_id)
    return [Tagged(tag=tag, bundles=bundles) for tag, bundles in sorted(found.items())]


def _show_all(archive: Archive, *, as_json: bool) -> None:
    found = _all(archive)
    if as_json:
        print_json(found)
        return
    for line in table([(visible(each.tag), str(len(each.bundles))) for each in found], right=frozenset({1})):
        click.echo(line)
    if not found:
        say(f"reprokit: no bundle in {archive.root} has a tag; give it one: `reprokit tag REF TAG`")


def _lines(bundle_id: str, label: Label) -> Iterator[str]:
    yield f"bundle       {bundle_id}"
    for name, text in (("name", label.name), ("tags", ", ".join(label.tags)), ("note", label.note)):
        yield f"{name:<12} {visible(text or '-')}"


def _tell(changed: Changed, *, asked: bool) -> None:
    if asked and not changed.events:
        say("reprokit: these are its labels already; nothing was changed")
    elif changed.events:
        say(f"reprokit: {counted(changed.events, 'change')} noted in the ledger; the bundle stays as it is")
    if changed.uncommitted is not None:
        say(f"reprokit: not yet committed: {changed.uncommitted}; `reprokit status` does it")


@click.command("tag")
@click.argument("reference", metavar="[REF]", required=False)
@click.argument("add", metavar="[TAG]...", nargs=-1)
@click.option("--remove", multiple=True, metavar="TAG", help="Take this tag away. May be given more than once.")
@click.option("--name", help="What to call the bundle from now on; '' takes the name away.")
@click.option("--note", help="A line about it, in the place of the one it has; '' takes it away.")
@archive_option
@json_option
def command(
    reference: str | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    name: str | None,
    note: str | None,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Give the bundle REF the tags TAG..., or take some away. A tag or a name that one bundle has is a REF everywhere.

    Without TAG, its labels are shown; without REF, all tags are listed, with the number of bundles that have them. The
    bundle itself is never written to: a label is an event in the ledger, which keeps the earlier ones too.

    \b
    Examples:
      reprokit tag latest paper --note "table 2, first row"
      reprokit show paper
      reprokit tag paper --remove paper
      reprokit list --tag baseline
    """
    place = find_archive(archive)
    fold(place)
    wished = Change(add=add, remove=remove, name=name, note=note)
    asked = wished != Change()
    if reference is None:
        if asked:
            raise UsageError("it is not said which bundle", hint="`reprokit tag REF TAG`; `latest` is a REF")
        _show_all(place, as_json=as_json)
        return
    bundle_id = identify(reference, place)
    changed = tags.change(place, bundle_id, wished)
    label = changed.label
    if as_json:
        labelled = Labelled(
            bundle=bundle_id, name=label.name, tags=list(label.tags), note=label.note, changes=changed.events
        )
        print_json(labelled)
    else:
        for line in _lines(bundle_id, label):
            click.echo(line)
    _tell(changed, asked=asked)
