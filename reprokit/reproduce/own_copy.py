"""The part of a bundle that a re-run is made from, copied where nobody changes it after it was agreed to."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.errors import FixityError

_NOT_NEEDED = tuple(f"{bag.PAYLOAD}/{folder}/" for folder in ("harness", "samples", "process", "schemas"))
_CHUNK = 1 << 20


def own_copy(bundle: Bundle, into: Path) -> Bundle:
    """Copy records, sources and environment of a bundle, each byte as the manifest says that was agreed to.

    Args:
        bundle: its identity is that of what was proven and agreed to.
        into: a folder that does not exist yet.

    Raises:
        FixityError: a file is not what was captured, or is no longer what it was.
        OSError: the copy cannot be written.
    """
    into.mkdir(parents=True)
    for name in bag.TAG_FILES:
        with bag.open_regular(bundle.path / name) as stream:
            (into / name).write_bytes(stream.read())
    if bag.identity(into) != bundle.identity:
        raise _changed(bundle, bag.MANIFEST)
    for path, digest in bag.read_manifest(into).items():
        if not path.startswith(_NOT_NEEDED):
            _copy(bundle, path, digest, into / path)
    return open_bundle(into)


def _copy(bundle: Bundle, path: str, digest: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    try:
        opened = bag.open_regular(bundle.path / path)
    except OSError as error:
        raise _changed(bundle, path) from error
    # What goes wrong from here on, as on a full disk, says nothing against the bundle.
    with opened as stream, to.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            file.write(chunk)
    if sha256.hexdigest() != digest:
        raise _changed(bundle, path)


def _changed(bundle: Bundle, path: str) -> FixityError:
    return FixityError(
        f"`{path}` of `{bundle.info.bundle_id}` is no longer what was agreed to",
        hint="somebody changed it meanwhile: prove the bundle again, `reprokit validate`",
    )
