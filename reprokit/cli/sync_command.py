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
from reprokit.capture.request import home
from reprokit.cli import mirroring_status
from reprokit.cli.messages import visible
from reprokit.cli.mirroring import drain, drain_quietly, lines_of
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json
from reprokit.cli.transfers import timeout_option
from reprokit.errors import ExitCode, UsageError
from reprokit.probes import secrets
from reprokit.sync.locks.completion import Completion, complete
from reprokit.sync.locks.package_index import PackageIndex
from reprokit.sync.mirroring.report import Mirrored, is_left, needs_a_person

SCHEMA = "https://w3id.org/reprokit/v1/sync.schema.json"


class Synchronised(Struct, frozen=True, kw_only=True):
    """What `sync` did. `finished` are captures that were cut short, `registered` and `left` bundles by id.

    `reason` says why the first of `left` is left, `uncommitted` why git lacks some records. `cleared` counts staging
    folders that held nothing of use, and `elsewhere` maps hosts to captures there that may still run. `mirrors` and
    `locks` are null when no mirror and no index was to be asked.
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
    mirrors: Mirrored | None = None


@click.command("sync")
@click.option("--status", "only_look", is_flag=True, help="Tell what waits, since when and why; do nothing.")
@click.option("--offline", is_flag=True, help="Ask no package index, and send nothing to a mirror.")
@click.option(
    "--ended",
    "ended",
    multiple=True,
    metavar="HOST",
    help="Nothing runs on HOST any more: finish what was cut short there, too. May be given more than once.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 30 when something had to be left because a mirror or a package index does not answer.",
)
@click.option("--mirrors-only", is_flag=True, hidden=True, help="Only send what waits for a mirror, as a capture does.")
@timeout_option
@archive_option
@json_option
def command(
    only_look: bool,
    offline: bool,
    ended: tuple[str, ...],
    strict: bool,
    mirrors_only: bool,
    timeout: float,
    archive: Path | None,
    as_json: bool,
) -> int:
    """Finish what captures left for later; run it where there is time, a network and one process: a login node.

    Captures that were killed are finished from what they had noted, `reprokit.capture()` blocks too; bundles that were
    published are registered and committed. Bundles that wait for a mirror (`capture --mirror`, `push --mirror`) are
    sent. Package indexes are asked (by uv, as your environment configures it) for the digests of the packages of each
    lock, which become a record in `locks/`.

    It may be stopped at any time; the next one goes on. Without a network, mirrors and digests are left for later, and
    the exit status is 0.

    Exits with 1 when something needs a person.

    \b
    Examples:
      reprokit sync
      reprokit sync --status
      reprokit sync --offline
      reprokit sync --ended node17 --ended node18
    """
    if only_look and (offline or ended or strict):
        raise UsageError("`--status` does nothing", hint="leave out the other options")
    place = find_archive(archive)
    if only_look:
        return _show_status(place, as_json=as_json)
    if mirrors_only:
        return drain_quietly(place, timeout)
    done = _synchronise(place, ended, timeout, offline=offline)
    if as_json:
        print_json(done)
    else:
        for line in _lines(done):
            click.echo(visible(line))
    if strict and (
        (done.locks is not None and done.locks.left) or (done.mirrors is not None and is_left(done.mirrors))
    ):
        return ExitCode.REMOTE
    return ExitCode.DIFFERENCES if _needs_a_person(done) else ExitCode.FINE


def _show_status(archive: Archive, *, as_json: bool) -> int:
    found = mirroring_status.look(archive)
    if as_json:
        print_json(found)
    else:
        for line in mirroring_status.lines(found):
            click.echo(visible(line))
    return ExitCode.FINE


def _synchronise(archive: Archive, ended: tuple[str, ...], timeout: float, *, offline: bool) -> Synchronised:
    finished = finishing.finish_all(archive, secrets.collect(os.environ, home()), ended)
    registration.mark_again(archive, registration.rescan(archive))
    folding = registration.fold(archive)
    uncommitted = settle(archive)
    cleared = finishing.clear(archive)
    mirrors = None if offline else drain(archive, timeout)
    locks = None if offline else _completed(archive)
    elsewhere: dict[str, list[str]] = {}
    for owner in publication.unjudged(archive):
        elsewhere.setdefault(owner.process.host, []).append(f"{owner.description}, since {owner.created}")
    reasons = [uncommitted, mirrors.uncommitted if mirrors else None, locks.uncommitted if locks else None]
    return Synchronised(
        finished=finished,
        registered=list(folding.registered),
        left=list(folding.left),
        reason=folding.reason,
        uncommitted=next((each for each in reasons if each), None),
        cleared=len(cleared),
        elsewhere=elsewhere,
        locks=locks,
        mirrors=mirrors,
    )


def _completed(archive: Archive) -> Completion:
    return complete(archive, PackageIndex(os.environ))


def _needs_a_person(done: Synchronised) -> bool:
    left = bool(done.left) and done.reason != registration.BUSY
    if done.mirrors is not None and needs_a_person(done.mirrors):
        return True
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
    if done.mirrors is not None:
        yield from lines_of(done.mirrors)
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
    sent = done.mirrors is not None and bool(done.mirrors.bundles or done.mirrors.damaged)
    return (
        asked
        or sent
        or any((done.finished, done.registered, done.left, done.uncommitted, done.cleared, done.elsewhere))
    )


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
