"""What a person may call a bundle by: its path, `latest`, its id or digits of its identity, a tag or its name.

The earlier in this order wins: a tag or a name never hides an id.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from reprokit.archive import catalog, ledger, pending
from reprokit.archive.dvc import read_pointer
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.tags import labels as tags
from reprokit.bundle import bag
from reprokit.errors import NotFoundError, ReprokitError, UsageError

_LATEST = re.compile(r"latest(?:~(?P<back>[0-9]{1,9}))?")
_HEX = re.compile(r"(?:sha256:)?(?P<digits>[0-9a-f]{4,64})")
_DIGITS = 8  # of the identity, at the end of a bundle id
_SHOWN = 10
_TELLING = 3  # characters: fewer are in an id by chance
_POINTER = ".dvc"
_LIST = "see `reprokit list`"


def bundle_ids(archive: Archive) -> list[str]:
    """List the ids of all bundles of an archive, sorted: registered ones, here or not, and those still pending."""
    published = {path.name.removesuffix(_POINTER) for path in archive.bundles.glob("*/*")}
    return sorted({*(name for name in published if is_bundle_id(name)), *catalog.ids(archive)})


def resolve(reference: str, archive: Archive | None) -> Path:
    """Find the folder of the bundle that a reference means.

    Raises:
        NotFoundError: there is none, or its payload is not in this copy of the archive.
        UsageError: it may mean several.
    """
    if (found := _by_path(_path(reference))) is not None:
        return found
    if archive is None:
        raise NotFoundError(f"there is no bundle `{reference}`", hint="name a bundle's folder, or an archive")
    return here(archive, _by_name(reference, archive))


def identify(reference: str, archive: Archive) -> str:
    """Find the id of the bundle that a reference means, whether its payload is in this copy of the archive or not.

    A path means a bundle of this archive: its folder, something in it, or its pointer.

    Raises:
        NotFoundError: there is none.
        UsageError: it may mean several.
    """
    path = _path(reference).absolute()
    for each in (path, *path.parents) if path.exists() else (path,):
        bundle_id = each.name.removesuffix(_POINTER)
        # The folder itself may be missing; the month that its pointer lies in is not.
        if is_bundle_id(bundle_id) and each.parent.resolve() == archive.payload(bundle_id).parent.resolve():
            return bundle_id
    return _by_name(reference, archive)


def _path(reference: str) -> Path:
    try:
        return Path(reference).expanduser()
    except RuntimeError:
        # Nobody's home: then it is no path, and may be a name.
        return Path(reference)


def here(archive: Archive, bundle_id: str) -> Path:
    """Give the folder of a bundle whose payload is in this copy of the archive.

    Raises:
        NotFoundError: it is not; the hint says how to get it.
    """
    path = archive.payload(bundle_id)
    if not path.is_dir():
        raise _not_here(bundle_id, f"reprokit pull {bundle_id}")
    return path


def _not_here(bundle_id: str, command: str) -> NotFoundError:
    return NotFoundError(f"the files of `{bundle_id}` are not in this copy of the archive", hint=f"`{command}`")


def _by_path(path: Path) -> Path | None:
    """Find a bundle by its folder, a file or folder in it, or its pointer; `None` when the path leads to none."""
    path = path.absolute()
    if path.suffix == _POINTER and path.is_file():
        return _by_pointer(path)
    if not path.exists():
        return None
    return next((each for each in (path, *path.parents) if (each / bag.DECLARATION).is_file()), None)


def _by_pointer(path: Path) -> Path:
    folder = path.parent / read_pointer(path).path
    if folder.is_dir():
        return folder
    root = next((each for each in path.parents if (each / ".dvc").is_dir()), path.parent)
    # It may lie in any DVC repository, for which ours need not be an archive.
    pointer = shlex.quote(path.relative_to(root).as_posix())
    raise _not_here(folder.name, f"dvc --cd {shlex.quote(str(root))} pull {pointer}")


def _by_name(reference: str, archive: Archive) -> str:
    if match := _LATEST.fullmatch(reference):
        return _latest(archive, int(match["back"] or 0))
    ids = bundle_ids(archive)
    if reference in ids:
        return reference
    found = sorted({*_by_prefix(reference, ids), *_by_identity(reference, ids, archive)})
    found = found or tags.called(archive, reference, ids)
    if len(found) > 1:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(
            f"`{reference}` may mean {len(found)} bundles", hint=f"name one of {_listed(found[:_SHOWN])}{more}"
        )
    if not found:
        near = tags.alike(archive, reference) or _near(reference, ids)
        raise NotFoundError(
            f"there is no bundle `{reference}` in `{archive.root}`",
            hint=f"did you mean {_listed(near)}?" if near else _LIST,
        )
    return found[0]


def _listed(ids: list[str]) -> str:
    return ", ".join(f"`{each}`" for each in ids)


def _by_prefix(reference: str, ids: list[str]) -> list[str]:
    return [each for each in ids if reference and each.startswith(reference)]


def _by_identity(reference: str, ids: list[str], archive: Archive) -> Iterator[str]:
    match = _HEX.fullmatch(reference)
    if match is None:
        return
    digits = match["digits"]
    for each in ids:
        if each[-_DIGITS:].startswith(digits[:_DIGITS]) and (
            len(digits) <= _DIGITS or _identity(archive, each).startswith(digits)
        ):
            yield each


def _identity(archive: Archive, bundle_id: str) -> str:
    """Give the hexadecimal identity of a bundle from its pointer, or else from its bag; empty when it has neither."""
    try:
        return read_pointer(archive.pointer(bundle_id)).identity.removeprefix("sha256:")
    except ReprokitError:
        pass
    try:
        return bag.identity(archive.payload(bundle_id)).removeprefix("sha256:")
    except ReprokitError:
        return ""


def _near(reference: str, ids: list[str]) -> list[str]:
    holding = [each for each in ids if reference.lower() in each.lower()] if len(reference) >= _TELLING else []
    # Comparing spellings is slow: among very many bundles only the newest are looked at.
    return holding[-3:] or difflib.get_close_matches(reference, ids[-500:], n=3)


def newest_first(archive: Archive) -> Iterator[str]:
    """Yield bundle ids in the order of their capture, newest first, reading no further back than is asked for."""
    waiting = [(markers[0].published, bundle) for bundle, markers in pending.waiting(archive).items()]
    waiting.sort()
    seen: set[str] = set()
    for event in ledger.captures(archive):
        while waiting and waiting[-1][0] >= event.time:
            yield from _unseen(waiting.pop()[1], seen)
        yield from _unseen(event.bundle, seen)
    while waiting:
        yield from _unseen(waiting.pop()[1], seen)


def _unseen(bundle_id: str, seen: set[str]) -> Iterator[str]:
    if bundle_id not in seen:
        seen.add(bundle_id)
        yield bundle_id


def _latest(archive: Archive, back: int) -> str:
    found = list(islice(newest_first(archive), back + 1))
    if not found:
        raise NotFoundError(f"the archive `{archive.root}` holds no bundle yet", hint="make one: `reprokit capture`")
    if len(found) <= back:
        raise NotFoundError(f"`latest~{back}` goes back too far: there are {len(found)} bundles", hint=_LIST)
    return found[back]
