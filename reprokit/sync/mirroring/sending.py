"""Sending one bundle to a mirror: it is proven and validated, it is sent, and the receipt is held against it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import publication, references
from reprokit.archive.layout import Archive
from reprokit.archive.tags import labels
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.validation import validate
from reprokit.errors import CaptureError, FixityError
from reprokit.mirrors.interface import AwayError, Consignment, Destination, Exported, Member, Receipt, Room, Step
from reprokit.sync import leftovers
from reprokit.sync.mirroring.events import Said
from reprokit.sync.mirroring.services import Service, Terms, ask
from reprokit.sync.remotes.push import proven
from reprokit.sync.transfer import DamageError

_SCRATCH = "scratch"
_RATE = 1_000_000
"""Bytes a second: a connection that is slower needs a longer timeout."""


class NotRegisteredYetError(Exception):
    """The bundle is published, and its pointer is still to be written."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A bundle on its way: what is sent, its bytes, to where, and how."""

    archive: Archive
    terms: Terms
    consignment: Consignment
    to: Destination

    @property
    def bundle(self) -> str:
        """The id of the bundle."""
        return self.consignment.bundle.path.name

    @property
    def octets(self) -> int:
        """All its bytes, those of tag files included."""
        return sum(member.size for member in self.consignment.files.values())

    def room(self, scratch: Path) -> Room:
        """Give what the mirror may use for it."""
        seconds = self.terms.timeout + self.octets / _RATE
        return Room(scratch=scratch, seconds=seconds, watch=lambda step: self.terms.watch(self.bundle, step))


def prove(archive: Archive, bundle_id: str, to: Destination, terms: Terms, said: Said) -> Parcel:
    """Prove a bundle, every byte and every record, and gather what there is to say of it; nothing is sent.

    Raises:
        NotRegisteredYetError: nobody has registered it.
        FixityError: it is not what was captured, or not valid; as a `DamageError` it names what was found.
        NotFoundError: it is not here.
        ReprokitError: it, or what the archive says of it, cannot be read.
    """
    if not archive.pointer(bundle_id).is_file():
        raise NotRegisteredYetError
    folder = references.here(archive, bundle_id)
    terms.watch(bundle_id, Step(doing="proving"))
    _, listing = proven(archive, bundle_id)
    _require_valid(folder)
    bundle = open_bundle(folder)
    known = said.newest(mirror=to.mirror, address=to.address, identity=bundle.identity, bundle=bundle_id)
    reproduces = bundle.record.reproduces
    original = said.newest(mirror=to.mirror, address=to.address, identity=reproduces) if reproduces else None
    consignment = Consignment(
        bundle=bundle,
        files={path: Member(md5=md5, size=(folder / path).stat().st_size) for path, md5 in listing.files.items()},
        label=labels.label(archive, bundle_id),
        before=tuple(known.labels) if known else (),
        original=original.reference if original else None,
    )
    return Parcel(archive=archive, terms=terms, consignment=consignment, to=to)


def _require_valid(folder: Path) -> None:
    errors = [found for found in validate(folder) if found.severity == "error"]
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        hint = f"see `reprokit validate {folder.name}`"
        raise DamageError(f"it is not valid: `{errors[0].where}`{more}", hint=hint, findings=errors)


def send(parcel: Parcel, service: Service) -> Receipt:
    """Send a bundle, again and again while that fails as if the service were away and there is patience left.

    The patience is that of the service: when none is left, every further bundle is tried once. What fails for one says
    nothing of the others, so the service is then asked whether it is still there, and only its answer counts for all.

    Raises:
        AwayError: there is no patience left.
        RemoteError: the service refuses it.
        FixityError: what is there, by the receipt or by the mirror's word, is not what was sent.
    """
    while True:
        began = service.patience.clock()
        try:
            with _scratch(parcel) as scratch:
                receipt = service.mirror.push(
                    parcel.consignment, parcel.to, parcel.terms.environment, parcel.room(scratch)
                )
        except AwayError as error:
            parcel.terms.watch(parcel.bundle, Step(doing="waiting to try again"))
            if service.patience.wait(began, after=error.after):
                continue
            ask(service, parcel.to, parcel.terms.environment)
            raise
        service.patience.succeeded()
        _require_true(receipt, parcel)
        return receipt


def _require_true(receipt: Receipt, parcel: Parcel) -> None:
    """Refuse a receipt that is not for the whole of what was sent, to where it was sent."""
    to, files = parcel.to, len(parcel.consignment.files)
    said = (receipt.mirror, receipt.address, receipt.files, receipt.octets)
    if said != (to.mirror, to.address, files, parcel.octets):
        raise FixityError(
            f"the receipt is for {receipt.files} files of {receipt.octets} bytes at {receipt.address}, and {files} of "
            f"{parcel.octets} bytes were sent to {to.address}",
            hint="it does not count as mirrored; `reprokit sync` tries again",
        )


def export(parcel: Parcel, service: Service, folder: Path) -> Exported:
    """Write into a folder what is to be sent later by the mirror's own program."""
    with _scratch(parcel) as scratch:
        return service.mirror.export(
            parcel.consignment, parcel.to, parcel.terms.environment, folder, parcel.room(scratch)
        )


def clear_away(archive: Archive) -> None:
    """Remove what those have left in the archive who were killed while they sent; what stays is in nobody's way.

    Raises:
        UsageError: a link stands where that belongs, or it came with the archive's commits.
    """
    with contextlib.suppress(CaptureError, OSError):
        leftovers.clear_away(archive, leftovers.COPYING)


@contextmanager
def _scratch(parcel: Parcel) -> Iterator[Path]:
    """Give an empty folder for the mirror's use, which has an owner: if that is killed, the next drain removes it."""
    try:
        staging = publication.stage(parcel.archive, {"description": f"{leftovers.COPYING} {parcel.bundle}"})
    except CaptureError as error:
        # It speaks to who captures.
        raise (error.__cause__ if isinstance(error.__cause__, OSError) else error) from None
    try:
        scratch = staging / _SCRATCH
        scratch.mkdir()
        yield scratch
    finally:
        publication.remove(staging)
