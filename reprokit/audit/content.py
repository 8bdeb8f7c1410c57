"""What was found of the content of bundles, kept: it follows from their bytes and the rules of this version alone.

`.reprokit/audit/content/<bundle id>.json`. A file that cannot be read, or is of other bytes or other rules, is as none.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reprokit.archive import own_folders, small_file
from reprokit.archive.layout import Archive
from reprokit.audit import reading
from reprokit.audit.own_word import own_word
from reprokit.audit.reading import CONTENT, Read, Work
from reprokit.audit.statements import Family, Outcome
from reprokit.bundle import canonical
from reprokit.errors import UsageError


class _Kept(Struct, frozen=True, kw_only=True):
    copy: str
    identity: str
    rules: str
    outcomes: list[Outcome]


def missing(archive: Archive, bundle: str, identity: str | None, wanted: Collection[Family]) -> tuple[Family, ...]:
    """Name the families of a bundle's content that have to be looked at, as nothing is kept of them."""
    kept = _recall(archive, bundle, identity)
    return tuple(each for each in CONTENT if each in wanted and each not in kept)


def completed(archive: Archive, found: Read, wanted: Collection[Family]) -> Read:
    """Add what is kept of a bundle's content to what was found now, and keep what is new.

    What is kept is of the bytes that were captured: of damaged ones all that is wanted is looked at here and now.
    """
    told = {each.family: each for each in found.outcomes}
    left = tuple(each for each in CONTENT if each in wanted and each not in told)
    if "fixity" in told and told["fixity"].state != "good":
        work = Work(archive=str(archive.root), bundle=found.bundle, read="nothing", content=left)
        return replace(found, outcomes=[*found.outcomes, *(reading.read(work).outcomes if left else ())])
    kept = _recall(archive, found.bundle, found.identity)
    new = {family: each for family, each in told.items() if family in CONTENT}
    if new and found.identity is not None:
        _keep(archive, found.bundle, found.identity, {**kept, **new}.values())
    return replace(found, outcomes=[*found.outcomes, *(kept[each] for each in left if each in kept)])


def _place(archive: Archive, bundle: str) -> Path:
    return archive.private / "audit" / "content" / f"{bundle}.json"


def _recall(archive: Archive, bundle: str, identity: str | None) -> dict[Family, Outcome]:
    try:
        kept = canonical.decode(small_file.read(_place(archive, bundle)), _Kept)
    except (OSError, msgspec.DecodeError):
        return {}
    if (kept.copy, kept.identity, kept.rules) != (own_word(archive), identity, reading.rules()):
        return {}
    return {each.family: each for each in kept.outcomes}


def _keep(archive: Archive, bundle: str, identity: str, outcomes: Iterable[Outcome]) -> None:
    """Keep what was found of a bundle; where that cannot be written, it is found again the next time."""
    place = _place(archive, bundle)
    kept = _Kept(copy=own_word(archive), identity=identity, rules=reading.rules(), outcomes=list(outcomes))
    temporary = place.with_name(f".{bundle}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError, UsageError):
        own_folders.require_folders(archive, place.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(canonical.record(kept))
        temporary.replace(place)
