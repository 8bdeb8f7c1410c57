"""DVC's cache: objects named by the MD5 of their bytes, written and read without DVC.

The layout has been the same since DVC 3.0: `files/md5/<2 hex>/<30 hex>`, read-only. Objects are written whole or not at
all, and no object that is there already is trusted before it has been read.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from reprokit.archive import small_file
from reprokit.archive.layout import Archive
from reprokit.archive.settings import expand
from reprokit.bundle.bag import open_regular

_READ_ONLY = 0o444


@dataclass(frozen=True, kw_only=True)
class Cache:
    """Where an archive's objects are, and whether they may share their bytes with the bundles."""

    directory: Path
    hardlinks: bool

    def place(self, md5: str) -> Path:
        """Tell where the object of that MD5 (`.dir` suffix included) is, or would be."""
        return self.directory / md5[:2] / md5[2:]


def _settings(path: Path) -> dict[str, str]:
    """Read the `[cache]` section of a DVC configuration file; a folder in it is relative to the file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(small_file.read(Path(os.path.realpath(path))).decode("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    if not parser.has_section("cache"):
        return {}
    settings = {key: value.strip("\"'") for key, value in parser.items("cache")}
    if "dir" in settings:
        settings["dir"] = str(path.parent / expand(Path(settings["dir"]), f"`{path}`"))
    return settings


def of(archive: Archive) -> Cache:
    """Find the cache that DVC uses for an archive, as its configuration says."""
    control = archive.root / ".dvc"
    settings = {
        **_settings(platformdirs.user_config_path("dvc", "iterative") / "config"),
        **_settings(control / "config"),
        **_settings(control / "config.local"),
    }
    base = Path(os.path.normpath(settings.get("dir", control / "cache")))
    kinds = [kind.strip() for kind in settings.get("type", "hardlink").split(",")]
    return Cache(directory=base / "files" / "md5", hardlinks="hardlink" in kinds)


def md5_of(path: Path) -> str:
    """Digest a regular file, never one behind a link, as hexadecimal MD5.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _holds(place: Path, md5: str) -> bool:
    try:
        return md5_of(place) == md5.removesuffix(".dir")
    except OSError:
        return False


def is_linked(place: Path, file: Path) -> bool:
    """Tell whether an object and a file are one by a hardlink. A symbolic link to it is not the same."""
    try:
        return os.path.samestat(place.lstat(), file.lstat())
    except OSError:
        return False


def _temporary(place: Path) -> Path:
    return place.with_name(f".{place.name}.{secrets.token_hex(8)}.tmp")


def _copy(source: Path, temporary: Path) -> None:
    with open_regular(source) as reading, temporary.open("xb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    temporary.chmod(_READ_ONLY)


def store_file(cache: Cache, source: Path, md5: str) -> Path:
    """Make a regular file of that MD5 an object, sharing its bytes where the file system can; returns its folder.

    Raises:
        OSError: the cache cannot be written.
    """
    place = cache.place(md5)
    if is_linked(place, source) or _holds(place, md5):
        return place.parent
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(place)
    try:
        if not (cache.hardlinks and _link(source, temporary)):
            _copy(source, temporary)
        temporary.replace(place)
    finally:
        # Also after success: renaming one link of a file onto another leaves both.
        temporary.unlink(missing_ok=True)
    return place.parent


def _link(source: Path, target: Path) -> bool:
    try:
        source.chmod(_READ_ONLY)
        os.link(source, target, follow_symlinks=False)
    except OSError:
        # Another file system, too many links, somebody else's file: a copy does as well.
        return False
    return True


def store_bytes(cache: Cache, data: bytes, name: str) -> Path:
    """Make bytes the object of that name; returns its folder.

    Raises:
        OSError: the cache cannot be written.
    """
    place = cache.place(name)
    if _holds(place, name):
        return place.parent
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(place)
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(_READ_ONLY)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
    return place.parent
