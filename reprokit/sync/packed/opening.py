"""A bundle that is packed into one file, for as long as a folder lasts: looked through, unpacked, proven, opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.errors import FixityError, NotFoundError, UnreadableError, UsageError
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.packed.entries import Entry, Limits, UnusableError, shown
from reprokit.sync.packed.survey import NoBundleError, Survey, survey, walk
from reprokit.sync.transfer import DamageError, RecordsError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip")
_HEADROOM = 64 << 20  # bytes that a disk should have left
_SHOWN = 3
_PROVE = "do not use this file: get the bundle from elsewhere, or have it packed again"


def is_named_packed(text: str) -> bool:
    """Tell whether a text ends as the name of a packed bundle does."""
    return text.lower().endswith(SUFFIXES)


def is_packed(text: str) -> bool:
    """Tell whether a text is the path of a packed bundle: a file of such a name, which lies in no bundle itself."""
    if not is_named_packed(text):
        return False
    path = Path(os.path.expanduser(text)).absolute()  # noqa: PTH111 - what is nobody's home is left as it is
    return path.is_file() and not any((folder / bag.DECLARATION).is_file() for folder in path.parents)


def open_packed(text: str, within: Path, *, limits: Limits | None = None) -> Bundle:
    """Unpack the bundle of a packed file into a folder, and prove it; it lies there in a folder that has its id.

    The file is looked through first, so that nothing is written of one that holds what no bundle has.

    Args:
        text: the path of the file.
        within: an empty folder, which nobody else writes to.
        limits: the most that is accepted; else what is ample for a bundle.

    Raises:
        NotFoundError: there is no such file, or no bundle in it.
        UsageError: there are several bundles in it.
        UnreadableError: it cannot be read, the disk has no room for it, or its format is newer than this version reads.
        FixityError: it holds what no bundle has, is damaged, or (`DamageError`) its bundle is not what was captured.
        RecordsError: the records of its bundle are not valid.
    """
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - as in `is_packed`
    try:
        # It may be a link, as people keep large files elsewhere; what it leads to must be a regular file.
        with bag.open_regular(Path(os.path.realpath(path))) as file:
            folder, octets = _unpacked(file, text, within, limits or Limits())
    except FileNotFoundError:
        raise NotFoundError(f"there is no file `{text}`") from None
    except OSError as error:
        raise UnreadableError(
            f"`{text}` cannot be unpacked: {error.strerror or error}", hint="make room, or mend its permissions"
        ) from error
    return _proven(text, folder, within, octets)


def _unpacked(file: BufferedReader, text: str, within: Path, limits: Limits) -> tuple[Path, int]:
    try:
        found = survey(file, packed=os.fstat(file.fileno()).st_size, limits=limits)
        _require_space(text, within, found)
        folder = within / "bag"
        folder.mkdir()
        _unpack(file, found, folder, limits)
    except UnusableError as error:
        raise FixityError(f"`{text}` is not used: {error.why}", hint=error.hint) from error
    except NoBundleError as error:
        raise _not_one(text, error) from error
    return folder, found.octets


def _not_one(text: str, error: NoBundleError) -> NotFoundError | UsageError:
    if not error.found:
        return NotFoundError(
            f"`{text}` holds no bundle: none of the folders in it has a `{bag.DECLARATION}`", hint="name another file"
        )
    some = ", ".join(f"`{shown(each)}`" for each in error.found[:_SHOWN])
    return UsageError(
        f"`{text}` holds {len(error.found)} bundles: {some}{', …' if len(error.found) > _SHOWN else ''}",
        hint="unpack it, and name the folder of one",
    )


def _require_space(text: str, within: Path, found: Survey) -> None:
    free = shutil.disk_usage(within).free
    if free < found.octets + _HEADROOM:
        raise UnreadableError(
            f"`{text}` unpacks to {found.octets / 1e9:.1f} GB, and the disk of `{within}` has {free / 1e9:.1f}",
            hint="make room, or let `TMPDIR` name another disk",
        )


def _unpack(file: BufferedReader, found: Survey, folder: Path, limits: Limits) -> None:
    """Write the files that were found; the file was open all the time, and may have been written to all the same."""
    left = dict(found.files)
    for entry, content in walk(file, limits):
        path = entry.name.removeprefix(found.root) if entry.name.startswith(found.root) else ""
        expected = left.pop(path, None)
        if expected is None:
            continue
        if entry.kind != expected.kind or entry.target != expected.target:
            raise UnusableError("it was changed while it was read", hint="try again")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "link":
            shutil.copyfile(folder / entry.target.removeprefix(found.root), target)
        else:
            _write(target, content, expected)
    if left:
        raise UnusableError("it was changed while it was read", hint="try again")


def _write(target: Path, content: Iterable[bytes], expected: Entry) -> None:
    octets = 0
    with target.open("xb") as stream:
        for chunk in content:
            octets += len(chunk)
            if octets > expected.size:
                break
            stream.write(chunk)
    if octets != expected.size:
        raise UnusableError("it was changed while it was read", hint="try again")


def _proven(text: str, folder: Path, within: Path, octets: int) -> Bundle:
    try:
        proven = admission_proof.prove(folder, most=octets)
    except (DamageError, RecordsError) as error:
        raise type(error)(f"`{text}`: {error.message}", hint=_PROVE, findings=error.findings) from error
    return open_bundle(folder.rename(within / proven.info.bundle_id))
