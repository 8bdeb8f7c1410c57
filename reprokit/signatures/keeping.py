"""Keeping a signature: in its place, on disk, and in the archive's ledger and git."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit import clock, git
from reprokit.archive import durable, ledger, own_folders, small_file
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.bundle.reading import Bundle
from reprokit.child_process import TookTooLongError
from reprokit.errors import ReprokitError, UnreadableError, UsageError
from reprokit.signatures import keygen
from reprokit.signatures.keygen import Keygen
from reprokit.signatures.places import place
from reprokit.signatures.signing import Signature, manifest_of

SIGNED = "signed"
"""The kind of event."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A signature in its place. `new` is false when that key's was there already."""

    bundle: Bundle
    archive: Archive | None
    path: Path
    key: str
    digest: str
    new: bool


def kept_before(
    bundle: Bundle, key: str, program: Keygen, *, archive: Archive | None, packed: Path | None = None
) -> Kept | None:
    """Find the signature of a bundle by a key, where a new one would be put; `None` when nothing is there.

    Args:
        bundle: the bundle.
        key: the fingerprint of the key.
        program: what tells whose a signature is.
        archive: the archive that the bundle lies in, if it lies in one.
        packed: the file that it was packed in, if it was.

    Raises:
        UsageError: something else is there: it is never written over.
        FixityError: the manifest of the bundle was changed.
        UnreadableError: it cannot be told what is there.
    """
    path = place(bundle, key, archive=archive, packed=packed)
    if archive is not None:
        own_folders.require_folders(archive, path.parent)
    if not os.path.lexists(path):
        return None
    copy = program.folder / "kept.sig"
    manifest = manifest_of(bundle)
    try:
        data = small_file.read(path, most=keygen.LARGEST)
        copy.write_bytes(data)
        by, _ = program.signed_by(copy, manifest)
    except OSError as error:
        raise _taken(path, error.strerror or str(error)) from error
    except TookTooLongError as error:
        raise UnreadableError(f"`{path}` cannot be checked: `{keygen.PROGRAM}` {error}") from error
    if by is None:
        raise _taken(path, "it is no signature of this bundle")
    if by != key:
        raise _taken(path, f"it is a signature of this bundle by another key, {by}")
    return Kept(bundle=bundle, archive=archive, path=path, key=key, digest=_digest(data), new=False)


def _taken(path: Path, why: str) -> UsageError:
    return UsageError(
        f"`{path}` is there already, and is not written over: {why}",
        hint="see whose it is, and move it away; `reprokit verify --signature FILE` takes one from anywhere",
    )


def keep(bundle: Bundle, made: Signature, *, archive: Archive | None, packed: Path | None = None) -> Kept:
    """Put a new signature in its place, where nothing is yet, and wait until it is on disk.

    Raises:
        UsageError: something has come to be there, or a link leads elsewhere.
        OSError: it cannot be written.
    """
    path = place(bundle, made.key, archive=archive, packed=packed)
    if os.path.lexists(path):
        raise _taken(path, "it has just been put there")
    if archive is not None:
        durable.write(path, made.data, archive=archive)
    else:
        _write(path, made.data)
    return Kept(bundle=bundle, archive=archive, path=path, key=made.key, digest=_digest(made.data), new=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file outside of an archive, only where none is."""
    try:
        stream = path.open("xb")
    except FileExistsError:
        raise _taken(path, "it has just been put there") from None
    try:
        with stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    durable.flush_folder(path.parent)


def record(archive: Archive, kept: Sequence[Kept]) -> str | None:
    """Note the new ones of some signatures of an archive in its ledger, and commit all of them together.

    Those that were there already are committed too, should that have failed before.

    Returns:
        Why they could not be committed yet, if so.

    Raises:
        OSError: the archive cannot be written.
    """
    events = [_event(archive, each) for each in kept if each.new]
    paths = [archive.relative(each.path) for each in kept]
    if events:
        paths.append(archive.relative(ledger.append(archive, events)))
    try:
        git.commit_paths(archive.root, paths, _message(kept))
    except ReprokitError as error:
        return error.message
    return None


def _event(archive: Archive, kept: Kept) -> Event:
    return Event(
        event=SIGNED,
        time=clock.text(clock.now()),
        bundle=kept.bundle.info.bundle_id,
        identity=kept.bundle.identity,
        detail={"key": kept.key, "file": str(archive.relative(kept.path)), "digest": kept.digest},
    )


def _message(kept: Sequence[Kept]) -> str:
    return f"sign {kept[0].bundle.info.bundle_id}" if len(kept) == 1 else f"sign {len(kept)} bundles"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
