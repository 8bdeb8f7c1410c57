"""An archive whose bundles are on a remote, too, and a twin of it that nothing happens to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reprokit.archive import dvc, validation
from reprokit.archive.layout import Archive
from reprokit.audit.repair.outcome import Repaired
from reprokit.audit.repair.places import copies_of
from reprokit.audit.repair.repairing import repair
from reprokit.bundle.finding import Finding
from reprokit.bundle.validation import validate
from reprokit.sync.remotes import push, reading_back
from reprokit.sync.remotes.configuration import Remote, choose
from reprokit.sync.remotes.opening import opened

FILES = {
    "harness/results.json": b'{"acc": 0.5}\n',
    "harness/a b": b"2",
    "harness/empty": b"",
    "harness/again": b"2",
    "harness/log.bin": bytes(range(256)) * 40,
}
KEPT = ("bundles", "catalog", ".dvc/cache")


@dataclass(frozen=True)
class Estate:
    """An archive with some bundles, and the folder of its remote."""

    archive: Archive
    store: Path
    bundles: tuple[str, ...]

    def folder(self, bundle: str) -> Path:
        return self.archive.payload(bundle)

    def object(self, name: str) -> Path:
        return self.archive.root / ".dvc/cache/files/md5" / name[:2] / name[2:]

    def sent(self, name: str) -> Path:
        return self.store / "files/md5" / name[:2] / name[2:]

    def oid(self, bundle: str) -> str:
        return dvc.read_pointer(self.archive.pointer(bundle)).oid

    def remote(self) -> Remote:
        return choose(self.archive, None)

    def roots(self) -> dict[str, Path]:
        """Where what counts lies: bundles, pointers, entries, objects, and what is on the remote."""
        return {name: self.archive.root / name for name in KEPT} | {"store": self.store}

    def tree(self) -> dict[str, bytes]:
        """All bytes of it; a link is where it leads, and an empty folder is there."""
        return {
            f"{name}/{path.relative_to(root)}": _bytes(path)
            for name, root in self.roots().items()
            for path in _below(root)
        }

    def found(self, bundle: str) -> list[Finding]:
        """What validation finds here."""
        listed = [*validate(self.folder(bundle)), *validation.check(self.archive, bundle)]
        return [each for each in listed if each.severity == "error"]

    def found_on_remote(self, bundle: str, scratch: Path) -> set[str]:
        """The objects of an intact bundle that the remote has not, or has damaged."""
        listing = dvc.survey(self.folder(bundle))
        sizes = {md5: (self.folder(bundle) / path).stat().st_size for path, md5 in listing.files.items()}
        sizes[listing.oid] = len(listing.encode())
        with opened(self.archive, self.remote(), patience=60) as objects:
            there = objects.sizes(list(sizes))
            wrong = {name for name, size in sizes.items() if there[name] != size}
            sound = {name: size for name, size in sizes.items() if name not in wrong}
            return wrong | set(reading_back.damaged(objects, sound, scratch))

    def repair(self, bundle: str, *exports: Path, environ: dict[str, str] | None = None, **how) -> Repaired:
        with copies_of(self.archive, bundle, exports=exports, environ=environ or {}, patience=60) as copies:
            return repair(self.archive, bundle, copies=copies, patience=60, **how)


def _below(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        links = [each for each in folders if Path(folder, each).is_symlink()]
        yield from (Path(folder, each) for each in (*files, *links))
        if not folders and not files:
            yield Path(folder)


def _bytes(path: Path) -> bytes:
    if path.is_symlink():
        return b"-> " + os.fsencode(path.readlink())
    return b"a folder" if path.is_dir() else path.read_bytes()


EstateMaker = Callable[..., Estate]


@pytest.fixture
def estate(archive, publish, git, tmp_path) -> EstateMaker:
    """Give a function that makes an estate of so many bundles, by the kind of links that its cache makes."""

    def make(count: int = 1, kind: str = "hardlink") -> Estate:
        config = archive.root / ".dvc/config"
        store = tmp_path / "store"
        described = config.read_text().replace("[core]\n", "[core]\n    remote = store\n", 1)
        described = described.replace('type = "hardlink,copy"', f"type = {kind}")
        config.write_text(f"{described}['remote \"store\"']\n    url = {store}\n")
        git(archive.root, "commit", "-qam", "a remote")
        bundles = tuple(
            publish(f"word {number}", fold=True, harness_files={**FILES, "harness/word": b"%d" % number * 9})
            for number in range(count)
        )
        made = Estate(archive, store, bundles)
        push.push(archive, None, made.remote(), patience=60)
        return made

    return make


@contextmanager
def _in_place(path: Path) -> Iterator[None]:
    """Let a file be written to, whoever shares its bytes, and be as it was afterwards."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    yield
    path.chmod(mode)


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file, in place."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    with _in_place(path):
        path.write_bytes(data)


@pytest.fixture(name="flip")
def flip_of_a_bit() -> Callable[[Path, int], None]:
    return flip
