"""Proving a bundle that came from elsewhere, by nothing but itself, before anybody reads it.

Its bytes may be a stranger's choice. First it is looked at without reading it: regular files only, of names that mean
the same everywhere, and not more of them than was spoken of. Then every byte is held against both manifests. Only of a
bundle that is whole are records read, and held against their schemas and each other.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from reprokit.archive import small_file
from reprokit.archive.layout import is_bundle_id
from reprokit.bundle import bag, compression, paths
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import RECORD, Bundle, open_bundle
from reprokit.errors import FixityError, NewerFormatError, NotFoundError, ReprokitError
from reprokit.sync.transfer import DamageError, RecordsError

_SHOWN = 20  # findings of a bundle that is not whole: a stranger's may have any number
_LARGEST_TAG_FILE = 1 << 20  # bytes
_LARGEST_MANIFEST = 1 << 28  # bytes
_SLACK = 1 << 20  # bytes
_MOST_UNPACKED = 200  # bytes for one that is stored: the lines of an evaluation that repeats itself come to 60
_SLACK_UNPACKED = 1 << 30  # bytes
_RECORD_CODES = "E2"
UNWANTED = "do not use this copy: get the bundle from elsewhere, or ask whoever sent it there to do so again"


def prove(folder: Path, *, expected: str | None = None, most: int | None = None) -> Bundle:
    """Prove the bundle in a folder, and give it to be read.

    Args:
        folder: where it lies: a private folder, which nobody else writes to meanwhile.
        expected: the identity that somebody says it has, if anybody does.
        most: how many bytes were spoken of, if anybody did. A little more is read to be told apart, much more is not.

    Raises:
        DamageError: it is not what was sealed (exit code 12), or (a `FixityError`) not the one that was expected.
        RecordsError: every byte is what was sealed, but its records are not valid (13).
        NewerFormatError: its format is newer than this version reads (11).
        NotFoundError: it is something else than a bundle, and nobody said that it is one (10).
    """
    from reprokit.bundle.validation import validate_records  # noqa: PLC0415 - loads what checks schemas: 0.1 s

    look_over(folder, expected=expected, most=most)
    try:
        _require_known_format(folder)
        _require(_seen_through(folder))
        identity = bag.identity(folder)
        if expected is not None and identity != expected:
            raise FixityError(f"it should be `{expected}`, and what arrived is `{identity}`", hint=UNWANTED)
        bundle = open_bundle(folder)
        _require(_unpacked(bundle))
        _require(validate_records(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    return bundle


def look_over(folder: Path, *, expected: str | None = None, most: int | None = None) -> None:
    """Refuse what need not be read to be refused: links, pipes, names that lead out or clash, absurd sizes.

    Raises:
        DamageError: there is any of that.
        NotFoundError: it is something else than a bundle, and nobody said that it is one.
    """
    if expected is None and not any(os.path.lexists(folder / name) for name in bag.TAG_FILES):
        raise NotFoundError(
            "what is there is no bundle: it has none of the files that every bundle has",
            hint="look for its name again: something else may be kept beside it",
        )
    try:
        _require(_looked_over(folder, most))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> ReprokitError:
    where = Path(str(error.filename or folder)).name
    return _refusal([finding("E113", where, error.strerror or str(error))])


def _require(found: Iterable[Finding]) -> None:
    """Refuse a bundle of which there is anything to find."""
    if listed := list(islice((each for each in found if each.severity == "error"), _SHOWN)):
        raise _refusal(listed)


def _refusal(found: Iterable[Finding]) -> ReprokitError:
    first, *more = listed = sorted(found, key=lambda each: each.code.startswith(_RECORD_CODES))
    told = f"`{first.where}`: {first.message}{f', and {len(more)} more' if more else ''}"
    if first.code.startswith(_RECORD_CODES):
        return RecordsError(f"its records cannot be accepted: {told}", hint=UNWANTED, findings=listed)
    return DamageError(f"it is not the bundle that was captured: {told}", hint=UNWANTED, findings=listed)


def _looked_over(folder: Path, most: int | None) -> Iterator[Finding]:
    """Find what can be found without reading a byte."""
    if folder.is_symlink() or not folder.is_dir():
        yield finding("E105", folder.name, "it is no folder")
        return
    for name in bag.TAG_FILES:
        if not os.path.lexists(folder / name):
            yield finding("E104", name, "it is missing")
    taken: dict[str, str] = {}
    octets = 0
    for path, regular in bag.walk(folder):
        if regular:
            size = (folder / path).lstat().st_size
            octets += size
            yield from _tag_file(path, size) if path in bag.TAG_FILES else _name(path, taken)
        elif not path.endswith("/"):  # as an empty folder is told, which is found later on
            yield finding("E105", _shown(path))
    if most is not None and octets > 2 * most + _SLACK:
        yield finding("E113", bag.MANIFEST, f"{octets} bytes arrived, and {most} were spoken of")


def _name(path: str, taken: dict[str, str]) -> Iterator[Finding]:
    """Find what is wrong with the name of a file beside those taken, and take it."""
    if paths.storable(PurePosixPath(path), taken) != path:
        yield finding("E105", _shown(path), "a name that does not mean the same on every file system")
    else:
        paths.take(path, taken)


def _shown(path: str) -> str:
    return path.encode(errors="replace").decode()


def _tag_file(name: str, size: int) -> Iterator[Finding]:
    largest = _LARGEST_MANIFEST if name in {bag.MANIFEST, bag.TAG_MANIFEST} else _LARGEST_TAG_FILE
    if size > largest:
        yield finding("E104", name, f"it has {size} bytes, more than any such file")


def _require_known_format(folder: Path) -> None:
    """Refuse a format of the future, when that is what was sealed and no damage that looks like it."""
    try:
        data = small_file.read(folder / bag.INFO)
        named = bag.parse_info(data).format
        listed = bag.parse_manifest(small_file.read(folder / bag.TAG_MANIFEST, most=_LARGEST_MANIFEST))
    except (OSError, ValueError):
        return  # which is damage, and told with all other
    if named > bag.FORMAT and listed.get(bag.INFO) == hashlib.sha256(data).hexdigest():
        raise NewerFormatError(
            f"it has format {named}, and this version reads up to {bag.FORMAT}", hint="install a newer reprokit"
        )


def _unpacked(bundle: Bundle) -> Iterator[Finding]:
    """Find, before anything is unpacked, that it would be more than compressed text of an evaluation ever is."""
    try:
        files = bundle.record.files
    except ReprokitError:
        return  # which is told when the records are looked at
    packed = [file for file in files if file.stored != file.path or file.stored.endswith(compression.SUFFIX)]
    # A file may be named by several entries: each has it unpacked.
    named = {f"{bag.PAYLOAD}/{file.stored}" for file in packed}
    stored = sum((bundle.path / path).lstat().st_size for path, _ in bag.walk(bundle.path) if path in named)
    octets = sum(file.size for file in packed)
    if octets > _MOST_UNPACKED * stored + _SLACK_UNPACKED:
        yield finding(
            "E205", RECORD, f"{stored} compressed bytes are said to unpack to {octets}, more than any evaluation's do"
        )


def _seen_through(folder: Path) -> Iterator[Finding]:
    """Read every byte, and find what is not as it was sealed."""
    yield from bag.verify(folder)
    try:
        named = bag.read_info(folder).bundle_id
    except ReprokitError:
        return  # `bag.verify` has said so
    if not is_bundle_id(named):
        yield finding("E106", bag.INFO, "its id is none")
