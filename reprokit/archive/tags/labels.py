"""Which labels the bundles of an archive have now, and which bundles a label means.

The labels of the captures stand in the catalog, an entry for each bundle; the later ones in the ledger, a file for each
change. What was read of them is kept in the archive's private folder, so that only what is new is read the next time:
ledger files are known by their names, which their content gives; entries by the time and size of their files. What is
kept may be deleted at any moment.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from reprokit import clock
from reprokit.archive import catalog, durable, ledger, small_file
from reprokit.archive.catalog import Entry
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.archive.tags import events as tags_ledger
from reprokit.archive.tags.events import Change, Changed
from reprokit.bundle import bag, canonical
from reprokit.bundle.writing import Label
from reprokit.errors import NotFoundError, ReprokitError

_VERSION = 1
_LARGEST = 256 << 20
_ALIKE = 3
_WORTH_KEEPING = 50  # files read anew: to write what is kept costs as much as to read so many

__all__ = [
    "Change",
    "Changed",
    "add",
    "alike",
    "called",
    "change",
    "entries",
    "events",
    "identified",
    "label",
    "labels",
    "relabelled",
]

NOTHING = Label()
ByBundle = Mapping[str, Sequence[Event]]


class _Given(Struct, frozen=True, array_like=True):
    """The labels of a capture, with the state of the file they were read from: nanoseconds and bytes."""

    modified: int
    size: int
    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None

    @property
    def label(self) -> Label:
        return Label(name=self.name, tags=self.tags, note=self.note)


class _Kept(Struct, frozen=True, kw_only=True):
    version: int = _VERSION
    given: dict[str, _Given] = {}
    events: dict[str, list[Event]] = {}


@dataclass(frozen=True, kw_only=True)
class Identified:
    """A bundle of an archive as its labels are changed: whose payload need not be here."""

    bundle_id: str
    identity: str
    given: Label


def _place(archive: Archive) -> Path:
    return archive.private / "labels.json"


def _read_kept(archive: Archive) -> _Kept:
    try:
        kept = canonical.decode(small_file.read(_place(archive), most=_LARGEST), _Kept)
        for event in (event for batch in kept.events.values() for event in batch):
            clock.parse(event.time)
    except (OSError, ValueError):  # of which a `msgspec.DecodeError` is one
        return _Kept()
    return kept if kept.version == _VERSION else _Kept()


def _keep(archive: Archive, kept: _Kept) -> None:
    # An archive that cannot be written is read all the same.
    with suppress(OSError):
        durable.write(_place(archive), canonical.line(kept), archive=archive)


def _read(archive: Archive, *, given: bool) -> _Kept:
    """Give what there is in ledger and, when asked for, catalog, reading no more than what is new."""
    before = _read_kept(archive)
    batches = {path.name: path for path in ledger.batches(archive, tags_ledger.KINDS)}
    events = {name: before.events[name] for name in batches.keys() & before.events.keys()}
    new = len(batches) - len(events)
    events |= {name: ledger.read(path) for name, path in batches.items() if name not in events}
    labels: dict[str, _Given] = {} if given else before.given
    for bundle_id, file in catalog.files(archive) if given else ():
        state = file.stat(follow_symlinks=False)
        known = before.given.get(bundle_id)
        if known is None or (known.modified, known.size) != (state.st_mtime_ns, state.st_size):
            known = _given(state.st_mtime_ns, state.st_size, catalog.read(archive, bundle_id))
            new += 1
        labels[bundle_id] = known
    kept = _Kept(given=labels, events=events)
    if new >= _WORTH_KEEPING:
        _keep(archive, kept)
    return kept


def _given(modified: int, size: int, entry: Entry) -> _Given:
    return _Given(modified=modified, size=size, name=entry.name, tags=tuple(entry.tags), note=entry.note)


def _by_bundle(events: Mapping[str, Sequence[Event]]) -> dict[str, list[Event]]:
    """Sort events by bundle, and within it by time; of one moment, by the name of their file and their place in it."""
    found: dict[str, list[Event]] = {}
    for event in ledger.in_order(event for name in sorted(events) for event in events[name]):
        found.setdefault(event.bundle, []).append(event)
    return found


def events(archive: Archive) -> ByBundle:
    """Give the events about labels by bundle, oldest first.

    Raises:
        InvalidRecordError: a file of the ledger is damaged.
    """
    return _by_bundle(_read(archive, given=False).events)


def relabelled(entry: Entry, changes: ByBundle) -> Entry:
    """Give a catalog entry with the labels that its bundle has now."""
    if not (later := changes.get(entry.id)):
        return entry
    label = tags_ledger.fold(Label(name=entry.name, tags=tuple(entry.tags), note=entry.note), later)
    return msgspec.structs.replace(entry, name=label.name, tags=list(label.tags), note=label.note)


def entries(archive: Archive, having: Collection[str] = ()) -> Iterator[Entry]:
    """Yield the catalog entries of all bundles that have some tags, sorted by id, with the labels they have now.

    Raises:
        InvalidRecordError: one of them, or a file of the ledger, is damaged.
    """
    changes = events(archive)
    if not having:
        yield from (relabelled(entry, changes) for entry in catalog.entries(archive))
        return
    wanted = frozenset(having)
    for bundle_id, label in labels(archive).items():
        if wanted <= frozenset(label.tags):
            yield relabelled(catalog.read(archive, bundle_id), changes)


def labels(archive: Archive, unregistered: Collection[str] = ()) -> dict[str, Label]:
    """Give the labels of all bundles that have any, by id.

    Those of published bundles that are not in the catalog yet are read from the bundles, if they are named.

    Raises:
        InvalidRecordError: a catalog entry or a file of the ledger is damaged.
    """
    kept = _read(archive, given=True)
    given = {bundle_id: each.label for bundle_id, each in kept.given.items()}
    given |= {each: _from_bag(archive, each) for each in unregistered if each not in given}
    changes = _by_bundle(kept.events)
    found = ((each, tags_ledger.fold(label, changes.get(each, ()))) for each, label in sorted(given.items()))
    return {each: label for each, label in found if label != NOTHING}


def _from_bag(archive: Archive, bundle_id: str) -> Label:
    try:
        info = bag.read_info(archive.payload(bundle_id))
    except ReprokitError:
        return NOTHING
    return Label(name=info.name, tags=info.tags, note=info.note)


def called(archive: Archive, reference: str, bundle_ids: Collection[str]) -> list[str]:
    """List the bundles, of those given, that have a tag or a name of this spelling now.

    Raises:
        InvalidRecordError: a catalog entry or a file of the ledger is damaged.
    """
    found = labels(archive, bundle_ids)
    return [each for each in bundle_ids if each in found and reference in {found[each].name, *found[each].tags}]


def alike(archive: Archive, reference: str) -> list[str]:
    """List some tags and names that a reference may have been meant to be: they begin so, or are spelt alike."""
    spelt = sorted({text for label in labels(archive).values() for text in (label.name, *label.tags) if text})
    begun = [text for text in spelt if reference and text.lower().startswith(reference.lower())]
    return begun[:_ALIKE] or difflib.get_close_matches(reference, spelt, n=_ALIKE)


def identified(archive: Archive, bundle_id: str) -> Identified:
    """Look a bundle up, in the catalog or else where it was published.

    Raises:
        NotFoundError: it is in neither.
        InvalidRecordError: its catalog entry is damaged.
    """
    try:
        entry = catalog.read(archive, bundle_id)
    except NotFoundError:
        identity = bag.identity(archive.payload(bundle_id))
        return Identified(bundle_id=bundle_id, identity=identity, given=_from_bag(archive, bundle_id))
    label = Label(name=entry.name, tags=tuple(entry.tags), note=entry.note)
    return Identified(bundle_id=bundle_id, identity=entry.identity, given=label)


def label(archive: Archive, bundle_id: str) -> Label:
    """Give the labels that a bundle has now.

    Raises:
        NotFoundError: there is no such bundle.
        InvalidRecordError: its catalog entry or a file of the ledger is damaged.
    """
    return tags_ledger.fold(identified(archive, bundle_id).given, events(archive).get(bundle_id, ()))


def change(archive: Archive, bundle_id: str, wished: Change) -> Changed:
    """Change the labels of a bundle: what is new is appended to the ledger and committed.

    Raises:
        NotFoundError: there is no such bundle.
        UsageError: a label cannot be one, a tag to remove is not there, or the archive cannot be written.
        InvalidRecordError: its catalog entry or a file of the ledger is damaged.
    """
    bundle = identified(archive, bundle_id)
    return tags_ledger.write(
        archive,
        bundle.bundle_id,
        bundle.identity,
        wished,
        given=bundle.given,
        events=events(archive).get(bundle_id, ()),
    )


def add(archive: Archive, bundle_id: str, more: Label) -> Changed:
    """Add to the labels of a bundle those that another capture of equal content gave; a name or note is replaced.

    Raises:
        NotFoundError: there is no such bundle.
        UsageError: a label cannot be one, or the archive cannot be written.
        InvalidRecordError: its catalog entry or a file of the ledger is damaged.
    """
    return change(archive, bundle_id, Change(add=more.tags, name=more.name or None, note=more.note or None))
