"""Putting what was gathered in its place: files, DVC's objects and their listing, pointer and catalog entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE, S_ISREG

from reprokit.archive import cache, catalog, durable, dvc, small_file
from reprokit.archive.cache import Cache
from reprokit.archive.dvc import Listing
from reprokit.archive.layout import Archive
from reprokit.audit.repair import aside as set_aside
from reprokit.audit.repair.aside import Aside
from reprokit.audit.repair.collecting import Collected
from reprokit.audit.repair.gathering import HERE, Gathering, is_whole_object
from reprokit.audit.repair.outcome import Kind, Report, told
from reprokit.audit.repair.strays import strays
from reprokit.bundle.reading import open_bundle
from reprokit.errors import ReprokitError
from reprokit.sync.remotes.reading_back import is_sound

_READ_ONLY = 0o444
_HEAD = "git's HEAD"
_WHOLE = "the whole bundle"


@dataclass(frozen=True, kw_only=True)
class Putting:
    """One bundle that is put in order; `report` is what came of it."""

    archive: Archive
    bundle: str
    gathering: Gathering
    collected: Collected
    aside: Aside
    report: Report

    def put(self) -> None:
        """Put everything in its place that can be; what cannot is told."""
        for path, why in self.collected.refused.items():
            self.report.refuse(path, why)
        if not self.collected.paths:
            return
        self._move_strays()
        for path in list(self.gathering.brought):
            self._put_file(path)
        store = self.gathering.store
        refused = {each.path for each in self.report.refused}
        sound = [path for path in self.collected.paths if path not in refused]
        for path in sound:
            self._put_object(store, path)
        if len(sound) == len(self.collected.paths):
            self._put_descriptions(store)
        else:
            self._put_found_listing(store)

    @property
    def _folder(self) -> Path:
        return self.gathering.folder

    @contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ReprokitError) as error:
            self.report.refuse(path, told(error))

    def _move_strays(self) -> None:
        for path in list(strays(self._folder, set(self.collected.paths))):
            with self._telling(path):
                where = self.aside.move(self._folder / path, f"{self.bundle}/{path}")
                self.report.restore(path, "stray", HERE, where)

    def _put_file(self, path: str) -> None:
        brought = self.gathering.brought[path]
        with self._telling(path):
            mode = self._mode(self._folder / path)
            where = self.aside.keep(self._folder / path, f"{self.bundle}/{path}")
            brought.file.chmod(mode)
            set_aside.put(brought.file, self._folder, path)
            self.gathering.here[path] = brought.seen
            self.report.restore(path, "file", brought.from_, where)

    def _mode(self, path: Path) -> int:
        """Give the permissions that a file has now, or those that sealed files and objects have."""
        try:
            mode = path.lstat().st_mode
        except OSError:
            return _READ_ONLY
        return S_IMODE(mode) if S_ISREG(mode) and not self.gathering.store.hardlinks else _READ_ONLY

    def _put_object(self, store: Cache, path: str) -> None:
        seen, file = self.gathering.here[path], self._folder / path
        if is_whole_object(store, file, seen):
            return
        with self._telling(seen.md5):
            where = self.aside.keep(store.place(seen.md5), f"cache/{seen.md5}")
            durable.flush_folder(cache.store_file(store, file, seen.md5))
            self.report.restore(seen.md5, "object", f"{HERE}, `{path}`", where)

    def _put_listing(self, store: Cache, data: bytes, oid: str, from_: str) -> None:
        with self._telling(oid):
            where = self.aside.keep(store.place(oid), f"cache/{oid}")
            durable.flush_folder(cache.store_bytes(store, data, oid))
            self.report.restore(oid, "listing", from_, where)

    def _put_found_listing(self, store: Cache) -> None:
        """Put the listing of a bundle that is not whole in its place, where a copy has it."""
        gathering = self.gathering
        if gathering.listing_here is None and gathering.listing is not None and gathering.listing_from is not None:
            listing = Listing(files=gathering.listing, size=0)
            if set(listing.files) == set(self.collected.paths):
                self._put_listing(store, listing.encode(), listing.oid, gathering.listing_from)

    def _put_descriptions(self, store: Cache) -> None:
        """Mend what speaks of a bundle that is whole now: all of it follows from the bundle."""
        here = self.gathering.here
        files = {path: here[path].md5 for path in self.collected.paths}
        listing = Listing(files=files, size=sum(here[path].size for path in files))
        expected = dvc.encode(dvc.pointer_to(self._folder, listing))
        self._mend(self.archive.pointer(self.bundle), "pointer", expected, lambda written: _differs(written, expected))
        if not is_sound(store.place(listing.oid), listing.oid):
            self._put_listing(store, listing.encode(), listing.oid, _WHOLE)
        where = str(self.archive.relative(self.archive.entry(self.bundle)))
        with self._telling(where):
            entry = catalog.derive(open_bundle(self._folder))
            self._mend(
                self.archive.entry(self.bundle),
                "entry",
                catalog.encode(entry),
                lambda written: catalog.difference(written, entry),
            )

    def _mend(self, path: Path, kind: Kind, derived: bytes, wrong: Callable[[bytes], str | None]) -> None:
        """Write the pointer or the entry anew, unless what git's HEAD holds is another."""
        where = str(self.archive.relative(path))
        try:
            if wrong(small_file.read(path)) is None:
                return
        except OSError:
            pass  # it is missing, or no file that can be read
        held = self.gathering.truth.committed
        committed = held.files.get(where)
        if held.trouble is not None or (committed is not None and wrong(committed) is not None):
            reason = held.trouble or "what git's HEAD holds is not what the whole bundle gives"
            self.report.refuse(where, f"it differs from the bundle, and {reason}")
            return
        with self._telling(where):
            kept = self.aside.keep(path, where)
            durable.write(path, derived if committed is None else committed, archive=self.archive)
            self.report.restore(where, kind, _WHOLE if committed is None else _HEAD, kept)


def _differs(written: bytes, expected: bytes) -> str | None:
    return None if written == expected else "it differs"
