"""Bringing together the files of a bundle, each from wherever a good one is, before anything is changed.

What is in the bundle's own folder counts first, under whatever name it lies there. Everything else is brought into a
scratch folder, and nothing of it is believed: the manifest is the one whose SHA-256 is the identity, a payload file is
what the manifest says, and an object, or the bundle's listing, is what its name says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

from reprokit.archive import cache, dvc, small_file
from reprokit.archive.cache import Cache
from reprokit.audit.repair.copies import Copy, Wanted, copy_bounded
from reprokit.audit.repair.outcome import told
from reprokit.audit.repair.truth import Truth
from reprokit.bundle import bag
from reprokit.bundle.bag import open_regular
from reprokit.errors import ReprokitError
from reprokit.sync.remotes.reading_back import is_sound

HERE = "the bundle's own folder"
_CHUNK = 1 << 20
_LONGEST_ROW = 2300  # bytes of a listing for each file
_LARGEST_LISTING = 1 << 28  # bytes
_LARGEST_TAG_FILE = 1 << 28  # bytes


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a file was read to be: digests in hexadecimal, size in bytes."""

    md5: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A proven file in the scratch folder, and the copy it came from."""

    file: Path
    seen: Seen
    from_: str


Proof: TypeAlias = Callable[[Path, Seen], bool]
"""Tells of a file, and what it was read to be, whether it is the one that is looked for."""


def see(path: Path) -> Seen:
    """Read a regular file once.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return Seen(md5=md5.hexdigest(), sha256=sha256.hexdigest(), size=size)


@dataclass(kw_only=True)
class Gathering:
    """What there is of a bundle: `here` are the regular files in its folder as they are, `brought` what is to be put.

    `unreadable` says of files in the folder why they could not be read.
    """

    folder: Path
    truth: Truth
    store: Cache
    copies: Sequence[Copy]
    scratch: Path
    here: dict[str, Seen] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    brought: dict[str, Brought] = field(default_factory=dict)
    listing_from: str | None = None
    _number: int = 0

    def look(self) -> None:
        """Read all there is in the folder.

        Raises:
            OSError: it cannot be listed.
        """
        for path, regular in bag.walk(self.folder):
            if regular:
                try:
                    self.here[path] = see(self.folder / path)
                except OSError as error:
                    self.unreadable[path] = told(error)

    @cached_property
    def listing_here(self) -> dict[str, str] | None:
        """The listing in DVC's cache, path → MD5; `None` when it is damaged or missing there."""
        return next((found for each in self.truth.pointers if (found := _listing(self.store, each.oid))), None)

    @cached_property
    def listing(self) -> dict[str, str] | None:
        """The listing from wherever it is, path → MD5; `None` when no copy has it."""
        if self.listing_here is not None:
            return self.listing_here
        for pointer in self.truth.pointers:
            place = self.listings.place(pointer.oid)
            most = min(_LARGEST_LISTING, (max(pointer.nfiles, 0) + 1) * _LONGEST_ROW)
            wanted = Wanted(path=None, name=pointer.oid, most=most)
            found, _ = self._ask(wanted, partial(_is_listing, pointer.oid))
            if found is None:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            found.file.replace(place)
            if listing := _listing(self.listings, pointer.oid):
                self.listing_from = found.from_
                return listing
        return None

    @property
    def listings(self) -> Cache:
        """Where a listing is kept that was brought here."""
        return Cache(directory=self.scratch / "listings", hardlinks=False)

    def find(self, path: str, proves: Proof) -> str | None:
        """See that a file is here or is brought here; returns why it cannot be, `None` when all is well."""
        there = self.here.get(path)
        if there is not None and proves(self.folder / path, there):
            return None
        found = self._under_another_name(proves)
        reasons: list[str] = []
        if found is None:
            name = (self.listing or {}).get(path)
            found, reasons = self._ask(Wanted(path=path, name=name, most=self.truth.most), proves)
        if found is None:
            return "; ".join([f"{HERE}: {self._state(path)}", *reasons])
        self.brought[path] = found
        return None

    def keep(self, path: str, data: bytes, from_: str) -> None:
        """Bring a file whose bytes are known, unless it is here already.

        Raises:
            OSError: the scratch folder cannot be written.
        """
        there = self.here.get(path)
        if there is not None and there.sha256 == hashlib.sha256(data).hexdigest():
            return
        target = self._target()
        target.write_bytes(data)
        self.brought[path] = Brought(file=target, seen=see(target), from_=from_)

    def read(self, path: str) -> bytes | None:
        """Read a tag file that is here or was brought here; `None` when there is none."""
        place = self.brought[path].file if path in self.brought else self.folder / path
        try:
            return small_file.read(place, most=_LARGEST_TAG_FILE)
        except OSError:
            return None

    def seen(self, path: str) -> Seen | None:
        """Give what a file is, or will be once what was brought is put in its place."""
        return self.brought[path].seen if path in self.brought else self.here.get(path)

    def _state(self, path: str) -> str:
        if path in self.here:
            return "damaged"
        return self.unreadable.get(path, "missing")

    def _target(self) -> Path:
        self._number += 1
        return self.scratch / str(self._number)

    def _under_another_name(self, proves: Proof) -> Brought | None:
        """Find a file in the folder that has come to lie under another name, or is there twice."""
        for path, seen in self.here.items():
            if not proves(self.folder / path, seen):
                continue
            target = self._target()
            try:
                if copy_bounded(self.folder / path, target, seen.size) and see(target) == seen:
                    return Brought(file=target, seen=seen, from_=f"{HERE}, `{path}`")
            except OSError:
                continue
        return None

    def _ask(self, wanted: Wanted, proves: Proof) -> tuple[Brought | None, list[str]]:
        """Ask copy after copy for a file; returns it, or what was wrong with each."""
        reasons: list[str] = []
        for copy in self.copies:
            target = self._target()
            try:
                wrong = _asked(copy, wanted, target)
                if wrong is None:
                    seen = see(target)
                    if proves(target, seen):
                        return Brought(file=target, seen=seen, from_=copy.name), []
                    wrong = "other bytes"
                target.unlink(missing_ok=True)
            except (ReprokitError, OSError) as error:
                wrong = told(error)
            reasons.append(f"{copy.name}: {wrong}")
        return None, reasons


def _asked(copy: Copy, wanted: Wanted, target: Path) -> str | None:
    """Have a copy bring a file, and say why what it brought is not even read."""
    if not copy.bring(wanted, target):
        return "not there"
    size = target.lstat().st_size
    return None if size <= wanted.most else f"{size} bytes, more than the bundle can have"


def _is_listing(oid: str, _: Path, seen: Seen) -> bool:
    return f"{seen.md5}.dir" == oid


def _listing(store: Cache, oid: str) -> dict[str, str] | None:
    try:
        return dvc.read_listing(store, oid)
    except ReprokitError:
        return None


def is_whole_object(store: Cache, file: Path, seen: Seen) -> bool:
    """Tell whether the object of a file that is whole is whole, too; a hardlink is the same bytes."""
    place = store.place(seen.md5)
    return cache.is_linked(place, file) or is_sound(place, seen.md5)
