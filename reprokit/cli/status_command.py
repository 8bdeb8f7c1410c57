"""`reprokit status`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from reprokit.archive.notes import settle
from reprokit.archive.publication import Abandoned, clear
from reprokit.archive.registration import fold
from reprokit.archive.status import Status, status
from reprokit.capture.finishing import can_be_finished
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json
from reprokit.errors import ExitCode


def _lines(state: Status) -> Iterator[str]:
    yield f"archive      {state.location}"
    yield f"bundles      {state.bundles}" + (f", {state.absent} without their payload here" if state.absent else "")
    for name, ids in (("pending", state.pending), ("unmarked", state.unmarked)):
        for each in ids:
            yield f"{name:<12} {each}: published, not yet registered"
    if state.under_way:
        yield f"under way    {counted(state.under_way, 'capture')}"
    for staging in state.abandoned:
        yield f"interrupted  {staging.owner.description}, {staging.owner.created}: {_way_out(staging)}"
    for path in state.uncommitted:
        yield f"uncommitted  {path}"
    for path in state.strays:
        yield f"stray        {path}: it belongs to no bundle"
    if state.git:
        yield f"git          {state.git}"


def _way_out(staging: Abandoned) -> str:
    if not staging.gone:
        return "its evaluation still runs; when it is over, `reprokit sync` finishes the capture"
    if can_be_finished(staging):
        return "`reprokit sync` finishes it"
    return "what it wrote can be captured by `reprokit capture --from`"


def _unfinished(state: Status) -> bool:
    return bool(state.pending or state.unmarked or state.abandoned or state.uncommitted or state.strays or state.git)


@click.command("status", short_help="Say how the archive is doing, and what is unfinished.")
@click.option(
    "--clear",
    "clear_up",
    is_flag=True,
    help="Remove what interrupted captures left in the staging area: nobody can finish them then.",
)
@archive_option
@json_option
def command(clear_up: bool, archive: Path | None, as_json: bool) -> int:
    """Register what was published, and say how the archive is doing: what waits, what was cut short, what is amiss.

    Exits with 1 when something is left that needs a person.

    \b
    Example:
      reprokit status
    """
    place = find_archive(archive)
    fold(place)
    settle(place)
    if clear_up:
        clear(place)
    state = status(place)
    if as_json:
        print_json(state)
    else:
        for line in _lines(state):
            click.echo(line)
    return ExitCode.DIFFERENCES if _unfinished(state) else ExitCode.FINE
