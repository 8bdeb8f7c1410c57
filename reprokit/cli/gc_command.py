"""`reprokit gc`."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from reprokit.archive.garbage.collection import GRACE, Amount, Collection, collect
from reprokit.archive.registration import fold
from reprokit.bundle.finding import hint
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json, require_writable
from reprokit.errors import ExitCode, NoConsentError, UsageError

_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdw]?)")
_UNITS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}
_STEP = 1024.0


def _age(text: str) -> dt.timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise UsageError(f"`{text}` is no age", hint="write days, hours or weeks: `30d`, `12h`, `2w`")
    return int(match["number"]) * _UNITS[match["unit"]]


def _size(octets: float) -> str:
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while octets >= _STEP and len(units) > 1:
        octets /= _STEP
        units.pop(0)
    return f"{octets:.0f} {units[0]}" if units[0] == "B" else f"{octets:.1f} {units[0]}"


def _frees(amount: Amount) -> str:
    if amount.freed == amount.octets:
        return _size(amount.octets)
    return f"{_size(amount.octets)}, of which {_size(amount.freed)} is no hardlink to something that stays"


def _lines(found: Collection) -> Iterator[str]:
    yield f"archive      {visible(found.archive)}"
    kinds = (
        ("objects", found.objects, "object", "that nothing names"),
        ("stagings", found.stagings, "file", "that interrupted captures left"),
        ("leftovers", found.leftovers, "file", "in the making, whose writer was killed"),
    )
    for name, amount, word, what in kinds:
        if amount.files:
            yield f"{name:<12} {counted(amount.files, word)} {what}: {_frees(amount)}"
    if found.absent and not found.findings:
        yield f"not here     {counted(len(found.absent), 'bundle')}: what may belong to them is not kept"
    if found.young.files:
        yield f"kept         {counted(found.young.files, 'file')} touched since {found.before}: not old enough"
    freed = found.objects.freed + found.stagings.freed + found.leftovers.freed
    if found.is_empty:
        yield "garbage      none"
    elif found.removed:
        yield f"freed        {_size(freed)}"
    else:
        yield f"to free      {_size(freed)}"


def _refuse(found: Collection) -> None:
    for each in found.findings:
        say(f"{each.code} {each.where}: {each.message}")
    reasons = counted(len(found.findings), "reason")
    say(f"reprokit: nothing was removed: it cannot be told what is still needed ({reasons})")
    say(f"hint: {hint('E117')}")


def _consent(*, given: bool) -> None:
    if given:
        return
    if not sys.stdin.isatty():
        raise NoConsentError("nothing was removed: nobody is here to agree", hint="look at the list, then add `--yes`")
    if not click.confirm("This cannot be undone. Remove it?", err=True):
        raise NoConsentError("nothing was removed")


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and stop.")
@click.option("--yes", is_flag=True, help="Agree to remove it.")
@click.option(
    "--older-than",
    "age",
    metavar="AGE",
    default=f"{GRACE.days}d",
    show_default=True,
    help="Leave what was touched later than this: `30d`, `12h`, `2w`.",
)
@click.option("--partial", is_flag=True, help="Let go of what may belong to bundles that are not in this copy, too.")
@archive_option
@json_option
def command(dry_run: bool, yes: bool, age: str, partial: bool, archive: Path | None, as_json: bool) -> int:
    """Find garbage in this copy of the archive and, when you agree, remove it.

    Garbage is what has not been touched for two weeks and is: an object in DVC's cache that no pointer or catalog entry
    on any branch, tag, stash or work tree leads to; what interrupted captures left in the staging area; files of killed
    writers. Where something cannot be read, nothing is removed. Remotes are never touched, nor is any bundle.

    Exits with 11 when it cannot be told what is still needed, 22 when nobody agreed.

    \b
    Examples:
      reprokit gc --dry-run
      reprokit gc --yes --older-than 30d
    """
    grace = _age(age)
    place = find_archive(archive)
    require_writable(place, "gc takes a lock in it")
    fold(place)
    found = collect(place, grace=grace, partial=partial)
    if not (found.findings or found.is_empty or dry_run):
        if not yes:
            for line in _lines(found):
                say(line)
        _consent(given=yes)
        found = collect(place, grace=grace, partial=partial, remove=True)
        # Whoever published meanwhile found the lock taken.
        fold(place)
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            click.echo(line)
    if found.findings:
        _refuse(found)
        return ExitCode.UNREADABLE
    return ExitCode.FINE
