"""What `push --mirror` and `sync` share: copying bundles to mirrors, and how they show what came of it."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from reprokit import clock
from reprokit.archive import references
from reprokit.archive.location import Archive
from reprokit.cli.messages import say, visible
from reprokit.cli.options import print_json, table
from reprokit.cli.transfers import watched_steps
from reprokit.errors import NotFoundError, ReprokitError
from reprokit.mirrors.interface import Destination
from reprokit.outbox import destinations as mirror_settings
from reprokit.outbox import waiting as outbox
from reprokit.sync.mirroring import drain as mirroring
from reprokit.sync.mirroring.drain import Terms
from reprokit.sync.mirroring.report import MIRRORED, Delivery, Mirrored, Outcome, exit_code
from reprokit.sync.mirroring.services import Watch, unwatched

_OUTCOMES: dict[Outcome, str] = {
    "sent": "sent",
    "updated": "updated",
    "there": "there already",
    "exported": "exported",
    "disabled": "disabled",
    "held": "held back",
    "waiting": "waiting",
    "busy": "busy",
    "absent": "not here to be sent",
    "refused": "refused",
    "damaged": "damaged",
    "failed": "failed",
}
_STAY: frozenset[Outcome] = frozenset({"waiting", "refused", "damaged", "failed"})
_WHAT_WAITS = "`reprokit sync --status` tells what waits"
_LATER = f"it stays in the outbox: `reprokit sync` tries again, {_WHAT_WAITS}"
_LATER_ALL = f"they stay in the outbox: `reprokit sync` tries again, {_WHAT_WAITS}"
_INDENT = " " * 13


def _terms(timeout: float, watch: Watch = unwatched, *, sparing: bool = False) -> Terms:
    return Terms(
        environment=os.environ,
        directory=Path.cwd(),
        timeout=timeout,
        budget=min(mirroring.BUDGET, timeout),
        watch=watch,
        sparing=sparing,
    )


def drain(archive: Archive, timeout: float) -> Mirrored:
    """Send what waits, showing on a terminal how far it is.

    Raises:
        UsageError: a link stands where the outbox belongs, or it came with the archive's commits.
        OSError: the outbox cannot be listed.
    """
    with watched_steps() as watching:
        return mirroring.drain(archive, _terms(timeout, lambda bundle, step: watching(bundle)(step)))


def push_to_mirror(
    archive: Archive, bundles: Sequence[str] | None, name: str, *, tags: Sequence[str], timeout: float, as_json: bool
) -> int:
    """Queue bundles for a mirror, all that are here where none is named, and send them now; returns the exit status.

    Raises:
        UsageError: there is no such mirror, or a setting of it cannot be followed.
        OSError: the archive cannot be written.
    """
    to = mirror_settings.destination(archive, name, environment=os.environ, directory=Path.cwd(), tags=tags)
    wanted = references.bundle_ids(archive) if bundles is None else bundles
    here = [each for each in wanted if archive.payload(each).is_dir()]
    absent = [_absent(each, to) for each in wanted if each not in here] if bundles is not None else []
    if to.mode == "disabled":
        done = Mirrored(bundles=[*absent, *(_disabled(each, to) for each in here)])
    else:
        filed = msgspec.to_builtins(to)
        wishes = [outbox.queue(archive, each, filed) for each in here]
        with watched_steps() as watching:
            done = mirroring.mirror(archive, wishes, _terms(timeout, lambda bundle, step: watching(bundle)(step)))
        done = msgspec.structs.replace(done, bundles=[*absent, *done.bundles])
    return _show(done, to, as_json=as_json)


def _absent(bundle: str, to: Destination) -> Delivery:
    return Delivery(
        bundle=bundle,
        mirror=to.mirror,
        address=to.address,
        outcome="absent",
        reason="its files are not in this copy of the archive",
        hint=f"`reprokit pull {bundle}`",
        exit_code=NotFoundError.exit_code,
    )


def _disabled(bundle: str, to: Destination) -> Delivery:
    reason = "mirroring is disabled here, by the settings or the environment; nothing was sent or queued"
    return Delivery(bundle=bundle, mirror=to.mirror, address=to.address, outcome="disabled", reason=reason)


def drain_quietly(archive: Archive, timeout: float = mirroring.TIMEOUT) -> int:
    """Send what waits, where nobody may look on: what there is to say goes into a small file in the outbox, too.

    A service that is away costs one question, however many bundles wait for it. Returns the exit status.

    Raises:
        OSError: the archive cannot be written.
    """
    _heed_signals()
    began = clock.text(clock.now())
    lines: list[str] = []
    try:
        done = mirroring.drain(archive, _terms(timeout, sparing=True))
        lines += lines_of(done)
        lines += [f"uncommitted  {done.uncommitted}"] if done.uncommitted else []
        return exit_code(done)
    except ReprokitError as error:
        lines.append(f"failed       {error.message}" + (f" ({error.hint})" if error.hint else ""))
        return error.exit_code
    finally:
        for line in lines:
            click.echo(visible(line))
        if (bug := sys.exc_info()[0]) is not None:
            lines.append(f"failed       this is a bug in reprokit: {bug.__name__}")
        text = "".join(f"{line}\n" for line in (f"began {began}, ended {clock.text(clock.now())}", *lines))
        outbox.keep_log(archive, text)


def _heed_signals() -> None:
    """Undo what was inherited: a capture ignores them at its end, so that it can leave with the run's status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


# --- what is shown ----------------------------------------------------------------------------------------------------


def _show(done: Mirrored, to: Destination, *, as_json: bool) -> int:
    if as_json:
        print_json(done)
    else:
        _show_text(done, to)
    if done.uncommitted is not None:
        say(f"reprokit: the ledger is written, and not committed yet: {done.uncommitted}")
        say("hint: `reprokit status` does it later")
    for remark in done.remarks:
        say(f"reprokit: {remark}")
    return exit_code(done)


def _show_text(done: Mirrored, to: Destination) -> None:
    if not done.bundles:
        say("reprokit: the archive holds no bundle whose files are here")
        return
    rows: list[tuple[str, ...]] = [("bundle", "outcome", "where")]
    for delivery in done.bundles:
        rows.append((delivery.bundle, _OUTCOMES[delivery.outcome], _where(delivery)))
        if delivery.receipt is not None and delivery.receipt.page:
            rows.append(("", "", delivery.receipt.page))
    for line in table(rows):
        click.echo(visible(line))
    _explain(done.bundles)
    if len(done.bundles) > 1:
        amounts = Counter(delivery.outcome for delivery in done.bundles)
        told = ", ".join(f"{amounts[outcome]} {word}" for outcome, word in _OUTCOMES.items() if amounts[outcome])
        say(f"reprokit: {to.mirror} ({to.address}): {told}")


def _explain(deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        _remark(delivery)
    for (outcome, reason, hint), bundles in _alike(deliveries).items():
        hints = [hint] if hint else []
        if outcome in _STAY and "reprokit sync" not in (hint or ""):
            hints.append(_LATER if len(bundles) == 1 else _LATER_ALL)
        if reason:
            say(f"reprokit: {_first(bundles)}: {reason}")
        for each in hints:
            say(f"hint: {each}")


def _where(delivery: Delivery) -> str:
    if delivery.receipt is not None:
        return delivery.receipt.reference
    return delivery.exported.folder if delivery.exported is not None else "-"


def _remark(delivery: Delivery) -> None:
    """Tell what is to be told of this one bundle alone."""
    for found in delivery.findings:
        say(f"reprokit: {delivery.bundle}: {found.code} {found.where}: {found.message}")
    remarks = next((each.remarks for each in (delivery.receipt, delivery.exported) if each is not None), [])
    for remark in remarks:
        say(f"reprokit: {delivery.bundle}: {remark}")


def lines_of(done: Mirrored) -> Iterator[str]:
    """Tell in lines what came of what waited, as `sync` does."""
    for delivery in done.bundles:
        if (receipt := delivery.receipt) is not None and delivery.outcome in MIRRORED:
            yield f"mirrored     {delivery.bundle}: {_where(delivery)}"
            yield from (f"{_INDENT}{page}" for page in [receipt.page] if page)
    for (outcome, reason, hint), bundles in _alike(done.bundles).items():
        if outcome not in MIRRORED:
            yield f"{_OUTCOMES[outcome]:<12} {_first(bundles)}: {reason}"
            if hint:
                yield f"{_INDENT}hint: {hint}"
    for remark in done.remarks:
        yield f"left         {remark}"
    for damaged in done.damaged:
        yield f"unreadable   `{damaged.path}`: {damaged.reason}; see what it is, then remove it"


def _first(bundles: Sequence[str]) -> str:
    return bundles[0] + (f" and {len(bundles) - 1} more" if len(bundles) > 1 else "")


def _alike(deliveries: Sequence[Delivery]) -> Mapping[tuple[Outcome, str, str | None], list[str]]:
    """Group what came out alike: of a hundred bundles that wait for one service, one line tells."""
    found: dict[tuple[Outcome, str, str | None], list[str]] = {}
    for each in deliveries:
        reason = each.reason or ""
        if each.exported is not None:
            reason = f"nothing is sent yet: `{each.exported.command}` does it, or `reprokit sync` when online"
        found.setdefault((each.outcome, reason, each.hint), []).append(each.bundle)
    return found
