"""Bundles that are neither in an archive nor in a folder, nor on a mirror: packed into one file, or on a DVC remote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.bundle.reading import Bundle
from reprokit.errors import FixityError
from reprokit.mirrors.interface import Step, Watch
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.packed.opening import is_packed, open_packed
from reprokit.sync.remotes import addressed, fetching, finding
from reprokit.sync.transfer import DamageError, RecordsError


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A bundle in a temporary folder, its whole reference, and the file that it was packed in, if it was."""

    bundle: Bundle
    reference: str
    packed: Path | None = None


def is_elsewhere(text: str) -> bool:
    """Tell whether a person has named a packed file (`.tar`, `.tar.gz`, `.tar.zst`, `.zip`) or `dvc:ADDRESS#BUNDLE`."""
    return addressed.is_addressed(text) or is_packed(text)


def fetch(
    text: str, archive: Archive | None, within: Path, *, directory: Path, patience: float, watch: Watch
) -> Fetched:
    """Bring the bundle of such a reference into an empty folder, and prove it.

    Args:
        text: the reference.
        archive: the archive that is used, if any: its configuration may say how to reach the remote.
        within: an empty folder, which nobody else writes to.
        directory: the working directory.
        patience: seconds of a remote's silence after which it is given up.
        watch: told how far it is.

    Raises:
        NotFoundError: there is no such bundle.
        UsageError: several may be meant, or the reference is none.
        FixityError: it is not what was captured, or not the one of the identity that was written.
        InvalidRecordError: its records are not valid.
        UnreadableError: the file cannot be read, or the disk has no room.
        RemoteError: the remote cannot be reached, or refuses us.
        InputMissingError: what reaches it is not installed.
    """
    if not addressed.is_addressed(text):
        watch(Step(doing="unpacking"))
        return Fetched(bundle=open_packed(text, within), reference=text, packed=Path(text).expanduser().absolute())
    wanted = addressed.understand(text)
    for name in ("configuration", "looking"):
        (within / name).mkdir()
    watch(Step(doing="looking for it"))
    with addressed.reached(
        wanted, archive, directory=directory, scratch=within / "configuration", patience=patience
    ) as objects:
        shown = wanted.named("").rstrip("#")
        held = finding.find(objects, wanted.bundle, within / "looking", address=shown)
        reference = wanted.named(held.info.bundle_id)
        try:
            bundle = fetching.fetch(objects, held, within, address=shown, watch=watch)
        except (DamageError, RecordsError) as error:
            raise type(error)(
                f"`{reference}`: {error.message}", hint=str(error.hint), findings=error.findings
            ) from error
    digits = finding.pinned(wanted.bundle)
    if digits is not None and held.listing != f"{digits}.dir" and not bundle.identity[7:].startswith(digits):
        raise FixityError(
            f"`{reference}` is `{bundle.identity}`, not the one that was asked for", hint=admission_proof.UNWANTED
        )
    return Fetched(bundle=bundle, reference=reference)
