"""Carrying out what waits in the outbox: bundles are copied to mirrors, and leave it when the ledger says so.

In this order, so that whoever is killed on the way leaves a bundle that waits or a true word in the ledger: a bundle is
claimed; the service is asked, once, whether it is there; every byte is proven and every record validated; it is sent;
the service's receipt is held against what is here; it goes into the ledger; the bundle leaves the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from reprokit import clock
from reprokit.archive import own_folders
from reprokit.archive.layout import Archive
from reprokit.errors import ExitCode, FixityError, ReprokitError
from reprokit.mirrors.interface import AwayError, Destination, Exported
from reprokit.outbox import waiting as outbox
from reprokit.outbox.waiting import Waiting
from reprokit.sync import transfer
from reprokit.sync.mirroring import events as mirroring_events
from reprokit.sync.mirroring import export as mirroring_export
from reprokit.sync.mirroring import sending as mirroring_sending
from reprokit.sync.mirroring.events import Said
from reprokit.sync.mirroring.report import MIRRORED, PERSONS, Delivery, Mirrored, Outcome
from reprokit.sync.mirroring.sending import NotRegisteredYetError
from reprokit.sync.mirroring.services import BUDGET, TIMEOUT, Services, Terms, destination_of
from reprokit.sync.transfer import DamageError

__all__ = ["BUDGET", "TIMEOUT", "Terms", "drain", "mirror"]


@dataclass(kw_only=True)
class _Drain:
    """One carrying out of wishes; `remarks` are what was left undone."""

    archive: Archive
    services: Services
    said: Said
    remarks: list[str] = field(default_factory=list)


def drain(archive: Archive, terms: Terms) -> Mirrored:
    """Carry out all that waits in the outbox.

    Raises:
        UsageError: a link stands where the outbox belongs, or it came with the archive's commits.
        OSError: the outbox cannot be listed.
    """
    there = outbox.contents(archive)
    done = mirror(archive, there.waiting, terms)
    return msgspec.structs.replace(done, damaged=list(there.damaged))


def mirror(archive: Archive, wishes: Sequence[Waiting], terms: Terms) -> Mirrored:
    """Copy bundles to the mirrors that they wait for; what fails for one does not stop the rest.

    Those that failed before come last, so that none of them keeps the others waiting.

    Raises:
        UsageError: a link stands where the outbox belongs, or it came with the archive's commits.
    """
    if wishes:
        # It says where keys go.
        own_folders.require_untracked(archive)
        mirroring_sending.clear_away(archive)
    services = Services(archive=archive, terms=terms)
    state = _Drain(archive=archive, services=services, said=Said(archive=archive))
    deliveries = [
        _claimed(state, wish)
        for wish in sorted(wishes, key=lambda each: each.tries)
        # What was found out about its service a moment ago counts, too.
        if not (terms.sparing and services.is_away(wish))
    ]
    # What a drain that was killed has left, too.
    uncommitted = mirroring_events.settle(archive) if any(each.outcome in MIRRORED for each in deliveries) else None
    return Mirrored(bundles=deliveries, uncommitted=uncommitted, remarks=state.remarks)


def _claimed(state: _Drain, wish: Waiting) -> Delivery:
    try:
        with outbox.claim(state.archive, wish) as mine:
            if mine is None:
                hint = "`reprokit sync --status` tells whether it still waits"
                return _told(wish, "busy", ExitCode.REMOTE, "another process is at it, or has just been", hint)
            delivery = _carried_out(state, mine)
            _settle(state, mine, delivery)
            return delivery
    except ReprokitError as error:
        return _told_of(wish, "failed", error)
    except NotImplementedError:
        hint = "keep the archive where files can be locked"
        return _told(wish, "failed", ExitCode.REMOTE, "the file system of the archive knows no locks", hint)
    except OSError as error:
        return _told_of(wish, "failed", transfer.unwritable(error))


def _carried_out(state: _Drain, wish: Waiting) -> Delivery:
    """Try to carry out a wish; whatever goes wrong becomes what is told of it."""
    try:
        return _try(state, wish)
    except NotRegisteredYetError:
        return _told(wish, "waiting", ExitCode.REMOTE, "it is not registered yet", "`reprokit sync` does it")
    except AwayError as error:
        return _told_of(wish, "waiting", error)
    except FixityError as error:
        found = list(error.findings) if isinstance(error, DamageError) else []
        return msgspec.structs.replace(_told_of(wish, "damaged", error), findings=found)
    except ReprokitError as error:
        return _told_of(wish, "refused", error)
    except OSError as error:
        return _told_of(wish, "failed", transfer.unwritable(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a mirror may be anybody's code; no bundle is lost by it
        reason = " ".join(f"the mirror `{wish.mirror}` has a bug: {type(error).__name__}: {error}".split())
        return _told(wish, "failed", ExitCode.BUG, reason, "report it to who wrote that mirror")


def _try(state: _Drain, wish: Waiting) -> Delivery:
    queued = destination_of(wish)
    if queued.mode == "disabled":
        return _told(wish, "disabled", ExitCode.FINE, "it was asked for while mirroring was disabled", None)
    to = state.services.now(queued)
    if to.mode == "disabled":
        hint = "it stays in the outbox; run `reprokit sync` where mirroring is not disabled"
        return _told(wish, "held", ExitCode.FINE, "mirroring is disabled here", hint)
    if not state.archive.payload(wish.bundle).is_dir():
        reason, hint = "its files are not in this copy of the archive", f"`reprokit pull {wish.bundle}`"
        return _told(wish, "absent", ExitCode.NOT_FOUND, reason, hint)
    if to.mode == "offline":
        return _exported(state, wish, to)
    return _sent(state, wish, to)


def _sent(state: _Drain, wish: Waiting, to: Destination) -> Delivery:
    service = state.services.require(to)
    parcel = mirroring_sending.prove(state.archive, wish.bundle, to, state.services.terms, state.said)
    receipt = mirroring_sending.send(parcel, service)
    state.said.note(wish.bundle, parcel.consignment.bundle.identity, receipt)
    return Delivery(
        bundle=wish.bundle, mirror=wish.mirror, address=to.address, outcome=receipt.outcome, receipt=receipt
    )


def _exported(state: _Drain, wish: Waiting, to: Destination) -> Delivery:
    """Write what is to be sent into a folder, unless that was done."""
    if wish.state == "exported" and wish.export is not None:
        written = msgspec.convert(wish.export, Exported)
    else:
        parcel = mirroring_sending.prove(state.archive, wish.bundle, to, state.services.terms, state.said)
        if wish.export is not None:
            mirroring_export.remove(wish.export, wish.bundle)
        folder = mirroring_export.make(state.archive, to, wish.bundle)
        written = mirroring_sending.export(parcel, state.services.of(to), folder)
        export = mirroring_export.record(folder, msgspec.to_builtins(written))
        outbox.update(state.archive, wish, msgspec.structs.replace(_tried(wish), state="exported", export=export))
    return Delivery(bundle=wish.bundle, mirror=wish.mirror, address=to.address, outcome="exported", exported=written)


def _settle(state: _Drain, wish: Waiting, delivery: Delivery) -> None:
    """Leave in the outbox what came of a wish, or nothing when it was carried out."""
    outcome = delivery.outcome
    if outcome in MIRRORED or outcome == "disabled":
        if wish.export is not None and not mirroring_export.remove(wish.export, wish.bundle):
            state.remarks.append(f"the export of {wish.bundle} in `{wish.export.get('folder')}` is still there")
        outbox.remove(state.archive, wish)
        return
    if outcome == "exported":
        return
    after = wish if outcome in {"absent", "held"} else _tried(wish)
    kept = "exported" if wish.state == "exported" else "waiting"
    after = msgspec.structs.replace(
        after, state="refused" if outcome in PERSONS else kept, reason=delivery.reason, hint=delivery.hint
    )
    if after != wish:
        outbox.update(state.archive, wish, after)


def _tried(wish: Waiting) -> Waiting:
    now = clock.text(clock.now())
    return msgspec.structs.replace(wish, tries=wish.tries + 1, tried=now, reason=None, hint=None)


# --- what is told -----------------------------------------------------------------------------------------------------


def _told(wish: Waiting, outcome: Outcome, code: ExitCode, reason: str, hint: str | None) -> Delivery:
    address = wish.destination.get("address")
    return Delivery(
        bundle=wish.bundle,
        mirror=wish.mirror,
        address=address if isinstance(address, str) else None,
        outcome=outcome,
        reason=reason,
        hint=hint,
        exit_code=int(code),
    )


def _told_of(wish: Waiting, outcome: Outcome, error: ReprokitError) -> Delivery:
    return _told(wish, outcome, error.exit_code, error.message, error.hint)
