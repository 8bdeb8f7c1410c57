"""`reprokit sync`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from reprokit.archive import publication, registration
from reprokit.archive.layout import Archive
from reprokit.archive.notes import settle
from reprokit.capture.interrupted import finishing
from reprokit.capture.interrupted.finishing import Finished
from reprokit.cli.messages import visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json
from reprokit.errors import ExitCode
from reprokit.probes import secrets
from reprokit.sync.lock_completion import Completion, complete
from reprokit.sync.package_index import PackageIndex

SCHEMA = "https://w3id.org/reprokit/v1/sync.schema.json"


class Synchronised(Struct, frozen=True, kw_only=True):
    """What `sync` did. `finished` are captures that were cut short, `registered` and `left` bundles by id.

    `reason` says why the first of `left` is left, `uncommitted` why git lacks some records. `cleared` counts staging
    folders that held nothing of use, and `elsewhere` maps hosts to captures there that may still run. `locks` is null
    when no index was to be asked.
    """

    schema: str = SCHEMA
    finished: list[Finished]
    registered: list[str]
    left: list[str]
    reason: str | None
    uncommitted: str | None
    cleared: int
    elsewhere: dict[str, list[str]]
    locks: Completion | None


@click.command("sync", short_help="Finish what captures left for later: registering, locks, what was cut short.")
@click.option("--offline", is_flag=True, help="Ask no package index.")
@click.option(
    "--ended",
    "ended",
    multiple=True,
    metavar="HOST",
    help="Nothing runs on HOST any more: finish what was cut short there, too. May be given more than once.",
)
@click.option("--strict", is_flag=True, help="Exit with 30 when packages had to be left because no index answers.")
@archive_option
@json_option
def command(offline: bool, ended: tuple[str, ...], strict: bool, archive: Path | None, as_json: bool) -> int:
    """Finish what captures left for later; run it where there is time, a network and one process: a login node.

    Captures that were killed are finished from what they had noted, `reprokit.capture()` blocks too; bundles that were
    published are registered and committed, and package indexes are asked (by uv, as your environment configures it) for
    the digests of the packages of each lock, which become a record in `locks/`. It may be stopped at any time; the next
    one goes on. Without a network the digests are left for later, and the exit status is 0.

    Exits with 1 when something needs a person.

    \b
    Examples:
      reprokit sync
      reprokit sync --offline
      reprokit sync --ended node17 --ended node18
    """
    place = find_archive(archive)
    done = _synchronise(place, ended, offline=offline)
    if as_json:
        print_json(done)
    else:
        for line in _lines(done):
            click.echo(visible(line))
    if strict and done.locks is not None and done.locks.left:
        return ExitCode.REMOTE
    return ExitCode.DIFFERENCES if _needs_a_person(done) else ExitCode.FINE


def _synchronise(archive: Archive, ended: tuple[str, ...], *, offline: bool) -> Synchronised:
    finished = finishing.finish_all(archive, secrets.collect(os.environ, _home()), ended)
    registration.mark_again(archive, registration.rescan(archive))
    folding = registration.fold(archive)
    uncommitted = settle(archive)
    cleared = finishing.clear(archive)
    locks = None if offline else _completed(archive)
    elsewhere: dict[str, list[str]] = {}
    for owner in publication.unjudged(archive):
        elsewhere.setdefault(owner.process.host, []).append(f"{owner.description}, since {owner.created}")
    return Synchronised(
        finished=finished,
        registered=list(folding.registered),
        left=list(folding.left),
        reason=folding.reason,
        uncommitted=uncommitted or (locks.uncommitted if locks else None),
        cleared=len(cleared),
        elsewhere=elsewhere,
        locks=locks,
    )


def _completed(archive: Archive) -> Completion:
    return complete(archive, PackageIndex(os.environ))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A user without a name, as in containers.
        return Path("/")


def _needs_a_person(done: Synchronised) -> bool:
    left = bool(done.left) and done.reason != registration.BUSY
    return left or done.uncommitted is not None or any(each.reason for each in done.finished)


def _lines(done: Synchronised) -> Iterator[str]:
    if not _did_anything(done):
        yield "nothing was left to do"
    for each in done.finished:
        yield from _about_finished(each)
    yield from _about_registering(done)
    for host, captures in done.elsewhere.items():
        more = f" and {len(captures) - 1} more" if len(captures) > 1 else ""
        yield f"elsewhere    {captures[0]}{more}, on {host}: if nothing runs there any more, add `--ended {host}`"
    if done.locks is not None:
        yield from _about_locks(done.locks)


def _about_registering(done: Synchronised) -> Iterator[str]:
    if done.registered:
        yield f"registered   {counted(len(done.registered), 'bundle')}"
    if done.left:
        yield f"left         {counted(len(done.left), 'bundle')}, published and not yet registered: {done.reason}"
    if done.uncommitted:
        yield f"uncommitted  {done.uncommitted}"
    if done.cleared:
        yield f"cleared      {counted(done.cleared, 'staging folder')} that held nothing of use"


def _did_anything(done: Synchronised) -> bool:
    locks = done.locks
    asked = locks is not None and bool(locks.bundles or locks.left)
    return asked or any((done.finished, done.registered, done.left, done.uncommitted, done.cleared, done.elsewhere))


def _about_finished(each: Finished) -> Iterator[str]:
    if each.reason:
        yield f"interrupted  {each.description}, {each.started}: {each.reason}"
    elif not each.bundles:
        yield f"interrupted  {each.description}, {each.started}: its evaluation never began"
    for bundle in each.bundles:
        yield f"finished     {each.description}, {each.started}: {bundle}"


def _about_locks(locks: Completion) -> Iterator[str]:
    if locks.bundles:
        yield (
            f"locked       {counted(len(locks.bundles), 'bundle')}: {counted(locks.packages, 'package')} with digests"
            + (f", {len(locks.without)} without" if locks.without else "")
        )
    for name, reason in sorted(locks.without.items()):
        yield f"  without    {name}: {reason}"
    if locks.left:
        yield f"later        the locks of {counted(len(locks.left), 'bundle')}: {locks.reason}"
