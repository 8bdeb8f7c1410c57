"""Finding a bundle on a DVC remote of which nothing else is known: it lists no names, so its listings are looked at.

A listing that names the tag files of a bag is one of ours, and its `bag-info.txt`, a small object, says which. All of
it is a stranger's word: it decides what is fetched, and the bundle's own manifests decide what it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import dvc, small_file
from reprokit.archive.cache import Cache
from reprokit.archive.layout import is_bundle_id
from reprokit.bundle import bag
from reprokit.bundle.bag import BagInfo
from reprokit.errors import NotFoundError, ReprokitError, UsageError
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.reading_back import is_sound
from reprokit.sync.remotes.wire import Finished

_LARGEST_LISTING = 16 << 20  # bytes of one that is looked at unasked; about 150,000 files
_LARGEST_NAMED = 1 << 28  # bytes of one that was asked for
_LARGEST_INFO = 1 << 16  # bytes
_BATCH = 200  # objects
_SHOWN = 5
_OBJECT = re.compile(r"(?P<digits>[0-9a-f]{32})(?P<suffix>\.dir)?")
_IDENTITY = re.compile(r"(?:sha256:)?(?P<digits>[0-9a-f]{4,64})")
_DIGITS = 8  # of the identity, at the end of a bundle id


@dataclass(frozen=True, kw_only=True)
class Held:
    """A bundle on a remote, by its own words: its listing there, the files that this names (path → MD5), its info."""

    listing: str
    files: Mapping[str, str]
    info: BagInfo


def find(objects: Objects, wanted: str | None, scratch: Path, *, address: str) -> Held:
    """Find the one bundle of a remote that is meant.

    Args:
        objects: the remote.
        wanted: its id, a beginning of it or of its identity, or the name of its listing; `None` for the only one.
        scratch: an empty folder.
        address: of the remote, for what is told.

    Raises:
        NotFoundError: there is no such bundle.
        UsageError: several may be meant.
        RemoteError: the remote cannot be read, or does not list what it has.
    """
    store = Cache(directory=scratch, hardlinks=False)
    named = _OBJECT.fullmatch(wanted or "")
    if named is not None and (size := objects.sizes([oid := f"{named['digits']}.dir"])[oid]) is not None:
        found = list(_held(objects, store, {oid: size}, largest=_LARGEST_NAMED))
        if found or named["suffix"]:
            return _only(found, found, wanted, address)
    everything = list(_held(objects, store, objects.listings(), largest=_LARGEST_LISTING))
    fitting = everything if wanted is None else _fitting(objects, store, everything, wanted)
    return _only(fitting, everything, wanted, address)


def _only(fitting: Collection[Held], everything: Collection[Held], wanted: str | None, address: str) -> Held:
    if len(fitting) == 1:
        return next(iter(fitting))
    asked = f"`{wanted}`" if wanted else "a bundle"
    if not everything:
        raise NotFoundError(
            f"there is no bundle on `{address}`", hint="check the address, and that somebody has pushed"
        )
    if not fitting:
        raise NotFoundError(f"{asked} is not on `{address}`, which has {len(everything)}", hint=_listed(everything))
    raise UsageError(f"{asked} may be any of {len(fitting)} on `{address}`", hint=_listed(fitting))


def _listed(found: Collection[Held]) -> str:
    """Name the newest of some bundles; two of the same id by their listings."""
    ids = [each.info.bundle_id for each in found]
    names = [each.info.bundle_id if ids.count(each.info.bundle_id) == 1 else each.listing for each in found]
    some = ", ".join(f"`#{name}`" for name in sorted(names, reverse=True)[:_SHOWN])
    return f"name one behind the address: {some}{', …' if len(names) > _SHOWN else ''}"


def _held(objects: Objects, store: Cache, listings: Mapping[str, int], *, largest: int) -> Iterator[Held]:
    """Yield the bundles that some listings are of."""
    sizes = {name: size for name, size in listings.items() if size <= largest}
    for batch in _batches(sorted(sizes)):
        _bring(objects, store, {name: sizes[name] for name in batch})
        files = {name: listed for name in batch if (listed := _read(store, name)) is not None}
        _bring(objects, store, {listed[bag.INFO]: _LARGEST_INFO for listed in files.values()})
        for name, listed in files.items():
            info = _info(store.place(listed[bag.INFO]), listed[bag.INFO])
            if info is not None:
                yield Held(listing=name, files=listed, info=info)


def _batches(names: list[str]) -> Iterator[list[str]]:
    for begun in range(0, len(names), _BATCH):
        yield names[begun : begun + _BATCH]


def _bring(objects: Objects, store: Cache, most: Mapping[str, int]) -> None:
    """Fetch objects; of those that are missing, or longer than this, nothing is left here."""
    wanted = {name: Destination(path=store.place(name), most=size) for name, size in most.items()}
    for each in wanted.values():
        each.path.parent.mkdir(parents=True, exist_ok=True)
    for step in objects.fetch(wanted):
        if isinstance(step, Finished) and step.size is not None and step.size > most[step.object]:
            wanted[step.object].path.unlink(missing_ok=True)


def _read(store: Cache, name: str) -> Mapping[str, str] | None:
    """Read a listing that has arrived; `None` when it is damaged, or of something else than a bundle."""
    try:
        files = dvc.read_listing(store, name)
    except ReprokitError:
        return None
    finally:
        store.place(name).unlink(missing_ok=True)
    return files if all(tag in files for tag in bag.TAG_FILES) else None


def _info(path: Path, name: str) -> BagInfo | None:
    if not is_sound(path, name):
        return None
    try:
        info = bag.parse_info(small_file.read(path))
    except (OSError, ValueError):
        return None
    return info if is_bundle_id(info.bundle_id) else None


def _fitting(objects: Objects, store: Cache, everything: list[Held], wanted: str) -> list[Held]:
    named = [each for each in everything if each.info.bundle_id == wanted]
    if named:
        return named
    found = [each for each in everything if each.info.bundle_id.startswith(wanted)]
    if match := _IDENTITY.fullmatch(wanted):
        digits = match["digits"]
        near = [each for each in everything if each.info.bundle_id[-_DIGITS:].startswith(digits[:_DIGITS])]
        if len(digits) > _DIGITS:
            near = [each for each in near if _identity(objects, store, each).startswith(digits)]
        found += [each for each in near if each not in found]
    return found


def _identity(objects: Objects, store: Cache, held: Held) -> str:
    """Give the hexadecimal identity that a bundle says it has; empty when it says none."""
    name = held.files[bag.TAG_MANIFEST]
    _bring(objects, store, {name: _LARGEST_INFO})
    try:
        return bag.parse_manifest(small_file.read(store.place(name)))[bag.MANIFEST]
    except (OSError, ValueError, KeyError):
        return ""


def pinned(wanted: str | None) -> str | None:
    """Give the digits of an identity that a person has written, so that no other bundle can be meant by them."""
    match = _IDENTITY.fullmatch(wanted or "")
    return match["digits"] if match and len(match["digits"]) > _DIGITS else None
