"""A DVC remote that an audit asks about bundle after bundle, over one connection."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.archive import cache, durable, dvc
from reprokit.archive.cache import Cache
from reprokit.archive.layout import Archive
from reprokit.audit.copies_elsewhere import wanted as contents
from reprokit.audit.copies_elsewhere.wanted import Wanted
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import FixityError, ReprokitError, UsageError
from reprokit.sync.remotes import reading_back
from reprokit.sync.remotes.configuration import Remote, choose, configured
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.opening import opened
from reprokit.sync.remotes.wire import Finished

_LIST = "its list of files"
_OWN = (bag.INFO, bag.MANIFEST, bag.TAG_MANIFEST)  # no two bundles have these alike
_LONGEST_ROW = 2200  # bytes of a list for each file
_SHOWN = 5
_SLACK = 1 << 20  # bytes
_LARGE = 1 << 16  # bytes of an object that is not read twice when several bundles share it
_REMEMBERED = 10_000  # such objects
_OFFLINE = "nobody was asked, as the audit is offline"


@dataclass(kw_only=True)
class AskedRemote:
    """A remote and what is known of it so far.

    `trouble` is why it is not asked any more, `double` why it is no further copy. `asked_for` says that the policy
    names it. `patience` is in seconds of silence. `objects` is the connection, once there is one, and `sound` holds the
    names of large objects that were found sound.
    """

    archive: Archive
    name: str
    remote: Remote | None = None
    asked_for: bool = False
    double: str | None = None
    trouble: str | None = None
    deep: bool = False
    patience: float
    stack: ExitStack
    objects: Objects | None = None
    sound: set[bytes] = field(default_factory=set)

    @property
    def place(self) -> str:
        """How it is called in what is told."""
        return f"remote {self.name}"


def remotes(
    archive: Archive, policy: Policy, *, offline: bool, deep: bool, patience: float, stack: ExitStack
) -> list[AskedRemote]:
    """List the remotes to ask: those that the policy names first, then all others that are configured."""

    def asked(name: str, remote: Remote | None, trouble: str | None) -> AskedRemote:
        return AskedRemote(
            archive=archive,
            name=name,
            remote=remote,
            asked_for=name in named,
            trouble=trouble,
            deep=deep,
            patience=patience,
            stack=stack,
        )

    named = list(dict.fromkeys(name.lower() for name in policy.remotes))
    try:
        known = {each.name: each for each in configured(archive)}
    except UsageError as error:
        return [asked(name, None, error.message) for name in named or ["…"]]
    found = [
        asked(name, known.get(name), _obstacle(archive, name, known.get(name), offline=offline))
        for name in dict.fromkeys([*named, *known])
    ]
    return [each for each in _told_apart(found) if each.double is None or each.asked_for]


def _obstacle(archive: Archive, name: str, remote: Remote | None, *, offline: bool) -> str | None:
    """Say why a remote cannot be asked at all; a folder is asked also by an audit that is offline."""
    try:
        chosen = choose(archive, name)
    except UsageError as error:
        return error.message
    return _OFFLINE if offline and remote is not None and remote.folder is None else chosen.unasked


def _told_apart(found: Sequence[AskedRemote]) -> Sequence[AskedRemote]:
    """Mark the remotes that are the same place as another, or as the archive's own cache: each copy counts once."""
    seen = (
        {os.path.realpath(cache.of(found[0].archive).directory.parents[1]): "the cache of this archive"}
        if found
        else {}
    )
    for each in found:
        if each.remote is not None:
            place = each.remote.address if each.remote.folder is None else os.path.realpath(each.remote.folder)
            if place in seen:
                each.double = seen[place]
            seen.setdefault(place, f"the remote `{each.name}`")
    return found


def look(asked: AskedRemote, wanted: Wanted, *, pushed: str | None) -> list[Statement]:
    """Say what a remote holds of a bundle; nothing, when it holds none of it and nobody expects that.

    Args:
        asked: the remote.
        wanted: the bundle.
        pushed: the day it was last pushed there, by the ledger.
    """
    if asked.double is not None:
        return [finding("W402", asked.place, f"it is the same place as {asked.double}, and no further copy")]
    if asked.trouble is not None or asked.remote is None:
        return [NotKnown(where=asked.place, because=asked.trouble or "it is not configured")]
    try:
        return list(_look(asked, asked.remote, wanted, pushed))
    except ReprokitError as error:
        # A folder may fail for one file alone, and costs no patience.
        if asked.remote.folder is None:
            asked.trouble = error.message
        return [NotKnown(where=asked.place, because=error.message)]
    except OSError as error:
        told = f"`{error.filename or asked.archive.scratch}`: {error.strerror or error}"
        return [NotKnown(where=asked.place, because=f"it could not be looked at here: {told}")]


def _objects(asked: AskedRemote, remote: Remote) -> Objects:
    if asked.objects is None:
        asked.objects = asked.stack.enter_context(opened(asked.archive, remote, patience=asked.patience))
    return asked.objects


def _look(asked: AskedRemote, remote: Remote, wanted: Wanted, pushed: str | None) -> Iterator[Statement]:
    objects = _objects(asked, remote)
    if not objects.present and remote.folder is not None:
        because = f"there is nothing at `{remote.address}`: is its disk or share mounted?"
        yield NotKnown(where=asked.place, because=because)
        return
    files = wanted.files if wanted.files is not None else _listed(asked, objects, wanted)
    if isinstance(files, Finding):
        yield files
        return
    found = objects.sizes([*set(files.values()), wanted.pointer.oid]) if files is not None else {}
    own = {wanted.pointer.oid, *((files or {}).get(name) for name in _OWN)}
    if all(found.get(name) is None for name in own if name is not None):
        # Other objects may well be there: those that it shares with bundles that were pushed.
        yield from _gone(asked, pushed)
        return
    yield from _compared(asked, objects, wanted, files or {}, found)


def _gone(asked: AskedRemote, pushed: str | None) -> Iterator[Finding]:
    if pushed is not None:
        yield finding("W402", asked.place, f"it was pushed there on {pushed}, and is not there")
    elif asked.asked_for:
        yield finding("W402", asked.place, "none of it is there")


def _listed(asked: AskedRemote, objects: Objects, wanted: Wanted) -> dict[str, str] | Finding | None:
    """Fetch the list of a bundle's files, and prove it; `None` when it is not there."""
    oid = wanted.pointer.oid
    with _scratch(asked.archive) as scratch:
        store = Cache(directory=scratch, hardlinks=False)
        place = store.place(oid)
        place.parent.mkdir(parents=True)
        most = (wanted.pointer.nfiles + 1) * _LONGEST_ROW
        # To the end: what is left unheard would be taken for the answer to the next question.
        steps = list(objects.fetch({oid: Destination(path=place, most=most)}))
        if any(isinstance(step, Finished) and step.size is None for step in steps):
            return None
        try:
            return dvc.read_listing(store, oid)
        except FixityError as error:
            return finding("E110", _LIST, f"{asked.place}: {error.message}")


def _compared(
    asked: AskedRemote, objects: Objects, wanted: Wanted, files: Mapping[str, str], found: Mapping[str, int | None]
) -> Iterator[Statement]:
    """Compare what is there with what should be, by name and size, and by content where that is asked for."""
    # Of several files with the same bytes one stands for all: the first by name.
    paths = {md5: path for path, md5 in sorted(files.items(), reverse=True)} | {wanted.pointer.oid: _LIST}
    there = {name: size for name in paths if (size := found.get(name)) is not None}
    known = contents.sizes(wanted, files)
    wrong = {name: _told(there[name], known[name]) for name in there if there[name] != known.get(name, there[name])}
    missing = [name for name in paths if name not in there]
    total = sum(there.get(md5, 0) for md5 in files.values())
    findings = [*_named(asked, "E111", dict.fromkeys(missing, ""), paths), *_named(asked, "E110", wrong, paths)]
    if not findings and total != wanted.pointer.size:
        findings.append(finding("E110", asked.place, f"its files have {_told(total, wanted.pointer.size)}"))
    if asked.deep and total <= 2 * wanted.pointer.size + _SLACK:
        rest = {name: size for name, size in there.items() if name not in wrong}
        findings += _named(asked, "E110", dict.fromkeys(_damaged(asked, objects, rest), "its bytes are others"), paths)
    yield from findings
    if not findings:
        how = "every byte read" if asked.deep else "by name and size"
        yield Fact(where=asked.place, told=f"all {len(paths)} objects, {how}")


def _told(there: int, expected: int) -> str:
    return f"{there} bytes instead of {expected}"


def _named(asked: AskedRemote, code: str, wrong: Mapping[str, str], paths: Mapping[str, str]) -> Iterator[Finding]:
    """Tell the first few of what is wrong, by the path of the file, and how many more there are."""
    for name in list(wrong)[:_SHOWN]:
        yield finding(code, paths[name], ": ".join(filter(None, (asked.place, name, wrong[name]))))
    if len(wrong) > _SHOWN:
        yield finding(code, asked.place, f"{len(wrong) - _SHOWN} more")


def _damaged(asked: AskedRemote, objects: Objects, there: Mapping[str, int]) -> Collection[str]:
    """Read objects again; large ones that bundles share are read once in an audit."""
    unread = {name: size for name, size in there.items() if _key(name) not in asked.sound}
    with _scratch(asked.archive) as scratch:
        found = list(reading_back.damaged(objects, unread, scratch))
    read = [name for name, size in unread.items() if size >= _LARGE and name not in found]
    asked.sound.update(map(_key, read[: max(0, _REMEMBERED - len(asked.sound))]))
    return found


def _key(name: str) -> bytes:
    return bytes.fromhex(name.removesuffix(".dir"))


@contextmanager
def _scratch(archive: Archive) -> Iterator[Path]:
    durable.prepare(archive)
    with tempfile.TemporaryDirectory(prefix="audit-", dir=archive.scratch) as folder:
        yield Path(folder)
