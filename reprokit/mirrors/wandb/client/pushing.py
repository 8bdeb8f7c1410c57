"""Sending a bundle, or what of it is not there yet, and then asking the server, anew, what it holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprokit.errors import FixityError, NotFoundError, UsageError
from reprokit.mirrors.interface import AwayError, Receipt
from reprokit.mirrors.wandb import reference as references
from reprokit.mirrors.wandb.client import presenting, session, shown, storing
from reprokit.mirrors.wandb.client.offer import Offer
from reprokit.mirrors.wandb.client.session import Session
from reprokit.mirrors.wandb.client.shown import Lack, Shown
from reprokit.mirrors.wandb.client.voice import Voice

_SETTLING = 20.0
"""Seconds after which a server that was sent all of it must show it."""
_PAUSES = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class _There:
    """What the server holds: the version, the run, and what is not shown in it."""

    version: Any
    run: Shown | None
    lacking: Lack


def push(offer: Offer, address: str, voice: Voice) -> Receipt:
    """See to it that all of an offer is on the server, and tell what the server then says of it.

    Raises:
        AwayError: the server does not show all of it yet.
        FixityError: what lies here or there is not what it should be.
        RemoteError: what is there stands in the way.
    """
    scratch = Path.cwd()
    voice.doing("asking")
    talk = session.begin(offer.options)
    there = _look(talk, offer)
    sent = there.version is None
    if sent:
        session.require_type(talk, offer.portrait.stored.name)
    added = sent or bool(there.lacking.unsent)
    remarks = _send(offer, talk, there, scratch, voice) if added else []
    voice.doing("checking", octets=offer.octets, of=offer.octets)
    # What was there before we wrote anything was asked for in a fresh talk already.
    found = there if not added and _doubt(offer, there, labels=False) is None else _settled(offer, voice, labels=False)
    relabelled = _relabel(offer, found)
    if relabelled:
        found = _settled(offer, voice, labels=True)
    return Receipt(
        mirror="wandb",
        address=address,
        reference=session.pinned(found.version),
        page=_page(found),
        outcome="sent" if sent else "updated" if added or relabelled else "there",
        files=len(offer.files),
        octets=offer.octets,
        labels=sorted({*offer.aliases, *offer.run_tags}),
        remarks=[*offer.remarks, *remarks, *_repeated(offer, found), *_end_of_life(found.version)],
    )


def _look(talk: Session, offer: Offer) -> _There:
    version = session.version(talk, offer.portrait.stored.name, offer.aliases[0], offer.digest)
    run = next((found for each in offer.run_ids() if (found := shown.read(talk, each)) is not None), None)
    return _There(version=version, run=run, lacking=shown.lack(offer, run))


def _send(offer: Offer, talk: Session, there: _There, scratch: Path, voice: Voice) -> list[str]:
    """Send what is not there; tell what could not be said of it."""
    if there.run is None:
        run_ids, tags = list(offer.run_ids()), offer.run_tags
    else:
        run_ids, tags = [there.run.run.id], storing.wanted_tags(offer, there.run.tags)
    run = presenting.begin(offer, voice, entity=talk.entity, run_ids=run_ids, tags=tags)
    remarks = _link(offer, talk, run)
    presenting.show(offer, there.lacking, run, scratch)
    if there.version is None:
        storing.store(offer, talk, run, voice)
    run.finish(exit_code=offer.exit_code)
    return remarks


def _link(offer: Offer, talk: Session, run: Any) -> list[str]:
    """Let the run use the artifact of the bundle that it reproduces."""
    if offer.original is None:
        return []
    try:
        original = references.parse(offer.original, entity=talk.entity, project=talk.project)
        found = session.named(talk, original)
    except (NotFoundError, UsageError):
        return [f"the bundle that it reproduces is not on W&B as `{offer.original}`: they are not linked there"]
    run.use_artifact(found.qualified_name)
    return []


def _settled(offer: Offer, voice: Voice, *, labels: bool) -> _There:
    """Ask in a fresh talk, more than once if need be, until the server shows all of it.

    Nothing that the client kept of what it sent is taken for what the server says.
    """
    until = time.monotonic() + min(_SETTLING, voice.left())
    pauses = iter(_PAUSES)
    while True:
        found = _look(session.begin(offer.options), offer)
        doubt = _doubt(offer, found, labels=labels)
        if doubt is None:
            return found
        pause = next(pauses, _PAUSES[-1])
        if time.monotonic() + pause > until:
            raise AwayError(f"W&B does not show all of what was sent to it: {doubt}", hint=_hint(found))
        time.sleep(pause)


def _doubt(offer: Offer, found: _There, *, labels: bool) -> str | None:
    """Say what keeps us from believing that all of an offer is there.

    Raises:
        FixityError: the server's list of files is not ours.
    """
    if found.version is None:
        return f"there is no version of `{offer.portrait.stored.name}` that holds it"
    _require_equal(offer, found.version)
    if found.run is None:
        return "there is no run of it"
    if found.lacking.unsent:
        return f"{found.lacking} is not in the run"
    if found.lacking:
        return f"{found.lacking} is not in the history of the run yet"
    lacking = storing.required(offer) - set(found.version.aliases) | set(offer.run_tags) - set(found.run.tags)
    if labels and lacking:
        return f"it is not called `{min(lacking)}`"
    return None


def _hint(found: _There) -> str | None:
    if found.run is None or not found.lacking.late:
        return None
    return f"try again later; if it never shows, delete that run there, and push again ({found.run.run.url})"


def _repeated(offer: Offer, found: _There) -> list[str]:
    return shown.repeated(offer, found.run) if found.run is not None else []


def _require_equal(offer: Offer, version: Any) -> None:
    there = session.listed(version)
    different = sorted(path for path in offer.files.keys() | there.keys() if offer.files.get(path) != there.get(path))
    if different:
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise FixityError(
            f"W&B lists other files in `{session.pinned(version)}` than were sent: `{different[0]}`{more}",
            hint="delete that version there, and push again",
        )


def _relabel(offer: Offer, found: _There) -> bool:
    changed = storing.relabel(offer, found.version)
    if found.run is not None:
        changed = storing.retag(offer, found.run.run, found.run.tags) or changed
    return changed


def _end_of_life(version: Any) -> list[str]:
    """Say so when W&B is set to delete the version some day; we never set that, but its owners may have."""
    if version.ttl is None:
        return []
    return [f"W&B is set to delete this version {version.ttl.days} days after it was made there (its time to live)"]


def _page(found: _There) -> str | None:
    return str(found.run.run.url) if found.run is not None else None
