"""`reprokit status`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from reprokit.archive import publication
from reprokit.archive.layout import Archive
from reprokit.archive.notes import settle
from reprokit.archive.publication import Abandoned
from reprokit.archive.registration import fold
from reprokit.archive.status import Status, status
from reprokit.capture.interrupted.finishing import can_be_finished
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json
from reprokit.errors import ExitCode, UsageError
from reprokit.outbox import waiting
from reprokit.sync.leftovers import is_of_a_transfer


@dataclass(frozen=True, kw_only=True)
class _Shown(Status):
    """How an archive is doing, its outbox included.

    `mirroring` counts the bundles that wait for each mirror, `refused` those of them that need a person, and
    `unreadable` lists files of the outbox that say nothing.
    """

    mirroring: dict[str, int]
    refused: dict[str, int]
    unreadable: tuple[str, ...]


def _look(archive: Archive) -> _Shown:
    outbox = waiting.contents(archive)
    return _Shown(
        **vars(status(archive)),
        mirroring=dict(Counter(wish.mirror for wish in outbox.waiting)),
        refused=dict(Counter(wish.mirror for wish in outbox.waiting if wish.state == "refused")),
        unreadable=tuple(damaged.path for damaged in outbox.damaged),
    )


def _lines(state: _Shown) -> Iterator[str]:
    yield f"archive      {state.location}"
    yield f"bundles      {state.bundles}" + (f", {state.absent} without their payload here" if state.absent else "")
    for name, ids in (("pending", state.pending), ("unmarked", state.unmarked)):
        for each in ids:
            yield f"{name:<12} {each}: published, not yet registered"
    if state.under_way:
        yield f"under way    {counted(state.under_way, 'capture')}"
    for staging in state.abandoned:
        yield f"interrupted  {staging.owner.description}, {staging.owner.created}: {_way_out(staging)}"
    yield from _about_outbox(state)
    for path in state.uncommitted:
        yield f"uncommitted  {path}"
    for path in state.strays:
        yield f"stray        {path}: it belongs to no bundle"
    if state.git:
        yield f"git          {state.git}"


def _about_outbox(state: _Shown) -> Iterator[str]:
    for mirror, amount in state.mirroring.items():
        refused = state.refused.get(mirror, 0)
        which = "refused" if refused == amount else f"{refused} of them refused"
        told = f"{counted(amount, 'bundle')} for {mirror}" + (f", {which}" if refused else "")
        yield f"outbox       {told}: `reprokit sync --status` tells why"
    for path in state.unreadable:
        yield f"unreadable   {path}: no bundle that waits for a mirror is named in it"


def _way_out(staging: Abandoned) -> str:
    if not staging.gone:
        return "its evaluation still runs; when it is over, `reprokit sync` finishes the capture"
    if can_be_finished(staging):
        return "`reprokit sync` finishes it"
    if publication.may_become_a_bundle(staging.path):
        return f"what it noted cannot be read by this version; it lies in `{staging.path}`"
    if is_of_a_transfer(staging.owner.description):
        return "nothing is lost by it, and the next one clears it away"
    return "what it wrote can be captured by `reprokit capture --from`; `reprokit status --clear` removes the rest"


def _clear(archive: Archive, *, agreed: bool) -> None:
    """Remove what nobody can want and, where somebody agrees, what exists nowhere else: it is named first."""
    publication.clear(archive, but=publication.may_become_a_bundle)
    wanted = [
        each for each in publication.abandoned(archive) if each.gone and publication.may_become_a_bundle(each.path)
    ]
    if not wanted:
        return
    say("reprokit: captures that can still become bundles:" if not agreed else "reprokit: removed for good:")
    for each in wanted:
        say(f"  {each.owner.description}, {each.owner.created}, in `{each.path}`")
    if not agreed and sys.stdin.isatty():
        agreed = click.confirm("This cannot be undone. Remove them?", err=True)
    if agreed:
        named = {each.path for each in wanted}
        publication.clear(archive, but=lambda path: path not in named)
    else:
        say("reprokit: they were kept; `reprokit sync` finishes them")
        say("hint: to lose them, `reprokit status --clear --yes`")


def _unfinished(state: _Shown) -> bool:
    left = (state.pending, state.unmarked, state.abandoned, state.uncommitted, state.strays, state.git)
    return any((*left, state.refused, state.unreadable))


@click.command("status")
@click.option(
    "--clear",
    "clear_up",
    is_flag=True,
    help="Remove what interrupted captures left in the staging area and nobody can want. What can still become a "
    "bundle is named, and goes only when you agree.",
)
@click.option("--yes", is_flag=True, help="With `--clear`: agree, and lose what could still become a bundle.")
@archive_option
@json_option
def command(clear_up: bool, yes: bool, archive: Path | None, as_json: bool) -> int:
    """Register what was published, and say how the archive is doing: what waits, what was cut short, what is amiss.

    Exits with 1 when something is left that needs a person.

    \b
    Examples:
      reprokit status
      reprokit status --clear
    """
    if yes and not clear_up:
        raise UsageError("`--yes` agrees to what `--clear` removes", hint="add `--clear`, or leave it out")
    place = find_archive(archive)
    fold(place)
    settle(place)
    if clear_up:
        _clear(place, agreed=yes)
    state = _look(place)
    if as_json:
        print_json(state)
    else:
        for line in _lines(state):
            click.echo(visible(line))
    return ExitCode.DIFFERENCES if _unfinished(state) else ExitCode.FINE
