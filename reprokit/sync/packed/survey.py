"""Looking through a packed file before anything of it is unpacked: one bundle, nothing else, and not too much of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import PurePosixPath

from reprokit.bundle import bag, paths
from reprokit.sync.packed import tar_entries, zip_entries
from reprokit.sync.packed.entries import Entry, Limits, Packed, UnusableError, shown
from reprokit.sync.packed.streams import Stream

_LARGEST_TAG_FILE = {bag.INFO: 1 << 20, bag.MANIFEST: 1 << 28}  # bytes
_OF_MAC = ("._", ".DS_Store")
_FOLDER_OF_MAC = "__MACOSX/"


class NoBundleError(Exception):
    """There is no bundle in a packed file, or there are several; `found` are their folders."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(", ".join(found))
        self.found = found


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The one bundle in a packed file: `files` are its own, by their path below its folder `root`.

    `root` ends in a slash, or is empty. `octets` are the bytes of all files together.
    """

    root: str
    files: Mapping[str, Entry]
    octets: int


@dataclass(kw_only=True)
class _Seen:
    """All entries by name, and those tag files that lie least deep: how deep, and their bytes."""

    entries: dict[str, Entry] = field(default_factory=dict)
    tag_files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    octets: int = 0


def walk(file: BufferedReader, limits: Limits) -> Iterator[Packed]:
    """Yield the entries of a packed file, whichever kind it is by its first bytes.

    Raises:
        UnusableError: it is of no kind that is read, or is damaged.
    """
    file.seek(0)
    if file.read(len(zip_entries.MAGIC)) == zip_entries.MAGIC:
        return zip_entries.walk(file, limits)
    return tar_entries.walk(Stream(file, limits))


def survey(file: BufferedReader, *, packed: int, limits: Limits) -> Survey:
    """Look through a packed file of so many bytes; nothing is written.

    Raises:
        UnusableError: it cannot be read, or holds what no bundle has or more than its bundle says.
        NoBundleError: there is no bundle in it, or there are several.
    """
    seen = _Seen()
    for entry, content in walk(file, limits):
        _take(seen, entry, content, limits)
        if seen.octets > limits.ratio * packed + limits.slack:
            raise UnusableError(f"it unpacks to more than {limits.ratio} times its size")
    root = _root(seen)
    manifest = _manifest(seen, root)
    files = {path: seen.entries[root + path] for path in _own(seen, root, manifest)}
    octets = sum(entry.size for entry in files.values())
    for entry in files.values():
        if entry.kind == "link" and entry.target.removeprefix(root) not in files:
            raise UnusableError(f"the entry `{shown(entry.name)}` is a link to what does not belong to its bundle")
    _require_spoken_of(seen, files, manifest)
    return Survey(root=root, files=files, octets=octets)


def _take(seen: _Seen, entry: Entry, content: Iterable[bytes], limits: Limits) -> None:
    name, before = entry.name, seen.entries.get(entry.name)
    if before is not None and (before.kind, entry.kind) != ("folder", "folder"):
        raise UnusableError(f"the entry `{shown(name)}` stands there twice")
    size = entry.size
    if entry.kind == "link":
        target = seen.entries.get(entry.target)
        if target is None or target.kind != "file":
            raise UnusableError(f"the entry `{shown(name)}` is a link to what is no file before it")
        size = target.size
        entry = Entry(name=name, kind="link", size=size, target=entry.target)
    seen.entries[name] = entry
    seen.octets += size
    if len(seen.entries) > limits.entries:
        raise UnusableError(f"it has more than {limits.entries} entries, more than any bundle")
    if size > limits.file or seen.octets > limits.total:
        raise UnusableError(f"with the entry `{shown(name)}` it unpacks to more than any bundle has")
    _keep_tag_file(seen, entry, content)


def _keep_tag_file(seen: _Seen, entry: Entry, content: Iterable[bytes]) -> None:
    _, _, last = entry.name.rpartition("/")
    if last not in _LARGEST_TAG_FILE or entry.kind == "folder" or _is_of_mac(entry.name):
        return
    depth = entry.name.count("/")
    if depth >= seen.tag_files.get(last, (math.inf, b""))[0]:
        return
    if entry.size > _LARGEST_TAG_FILE[last] or entry.kind == "link":
        raise UnusableError(f"the entry `{shown(entry.name)}` is no such file as every bundle has")
    seen.tag_files[last] = depth, b"".join(content)


def _is_of_mac(name: str) -> bool:
    """Tell whether macOS puts a file of this name beside what is packed there: attributes, and how a window looked."""
    return name.startswith(_FOLDER_OF_MAC) or name.rpartition("/")[2].startswith(_OF_MAC)


def _root(seen: _Seen) -> str:
    """Find the folder of the one bundle: where the mark of a bag lies least deep."""
    depths: dict[int, list[str]] = {}
    for name, entry in seen.entries.items():
        folder, _, last = name.rpartition("/")
        if last == bag.DECLARATION and entry.kind != "folder" and not _is_of_mac(name):
            depths.setdefault(name.count("/"), []).append(folder)
    if not depths:
        raise NoBundleError([])
    least = depths[min(depths)]
    if len(least) > 1:
        raise NoBundleError(sorted(least))
    return f"{least[0]}/" if least[0] else ""


def _manifest(seen: _Seen, root: str) -> Mapping[str, str]:
    depth, data = seen.tag_files.get(bag.MANIFEST, (-1, b""))
    if depth != root.count("/"):
        raise UnusableError(f"it has no `{bag.MANIFEST}`, which every bundle has")
    try:
        return bag.parse_manifest(data)
    except ValueError as error:
        raise UnusableError(f"its `{bag.MANIFEST}` cannot be read: {error}") from error


def _own(seen: _Seen, root: str, manifest: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of the bundle's own files; what macOS has added is none of them, and anything else is refused."""
    taken: dict[str, str] = {}
    for name in bag.TAG_FILES:
        paths.take(name, taken)
    for name, entry in seen.entries.items():
        path = name.removeprefix(root)
        if not name.startswith(root):
            _require_harmless(name, entry, root)
        elif path in bag.TAG_FILES:
            yield path
        elif path in manifest and entry.kind != "folder":
            # No two names may mean the same where case, or a form of Unicode, does not count.
            if paths.storable(PurePosixPath(path), taken) != path:
                raise UnusableError(f"the entry `{shown(name)}` has a name that does not mean the same everywhere")
            paths.take(path, taken)
            yield path
        elif entry.kind != "folder":
            _require_harmless(name, entry, root)


def _require_harmless(name: str, entry: Entry, root: str) -> None:
    """Refuse an entry that is not the bundle's, unless it is a folder on the way to it, or of macOS."""
    if entry.kind == "folder" and root.startswith(f"{name}/" if name else ""):
        return
    if not _is_of_mac(f"{name}/" if entry.kind == "folder" else name):
        raise UnusableError(f"the entry `{shown(name)}` does not belong to its bundle")


def _require_spoken_of(seen: _Seen, files: Mapping[str, Entry], manifest: Mapping[str, str]) -> None:
    """Refuse a payload that is larger than the bundle says; what it says is not believed beyond that."""
    try:
        info = bag.parse_info(seen.tag_files[bag.INFO][1])
    except (KeyError, ValueError):
        return  # which is damage, and told with all other
    sizes = Counter({path: entry.size for path, entry in files.items() if path in manifest})
    if sizes.total() > info.payload_octets:
        raise UnusableError(
            f"it unpacks to {sizes.total()} bytes, and its bundle is said to have {info.payload_octets}"
        )
