"""Getting bundles from a mirror into an archive, reference by reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from reprokit.archive import cache
from reprokit.archive.layout import Archive
from reprokit.archive.publication import BAG
from reprokit.errors import InputMissingError, RemoteError, ReprokitError
from reprokit.mirrors.interface import Copy, Step, Watch
from reprokit.sync import transfer
from reprokit.sync.admission import taking_in as admission
from reprokit.sync.admission.taking_in import Origin
from reprokit.sync.foreign import references as foreign
from reprokit.sync.foreign.references import Foreign
from reprokit.sync.transfer import Carried

PULLED = "pulled"


def _unwatched(_: Step) -> None:
    pass


def pull(
    archive: Archive, wanted: Sequence[Foreign], *, watching: Callable[[Foreign], Watch] = lambda _: _unwatched
) -> Iterator[Carried]:
    """Get bundles by mirrors' references, and prove every byte of them before they are in their place.

    Args:
        archive: where they are to be.
        wanted: what to get.
        watching: gives, for each, what is told how far it is.

    Yields:
        What came of each, as it comes. What fails for one does not stop the rest, unless its service is not there at
        all. Of what is not what was captured nothing is kept.
    """
    gone: dict[tuple[str, str], ReprokitError] = {}
    for each in wanted:
        service = each.mirror.name, each.to.address
        try:
            if service in gone:
                raise gone[service]
            try:
                each.mirror.probe(each.to, each.environment)
            except (RemoteError, InputMissingError) as error:
                gone[service] = error
                raise
            yield _pull_one(archive, each, watching(each))
        except ReprokitError as error:
            yield _failed(each, error)
        except OSError as error:
            yield _failed(each, transfer.unwritable(error))


def _failed(wanted: Foreign, error: ReprokitError) -> Carried:
    failed = transfer.failed(wanted.reference, error)
    return msgspec.structs.replace(failed, reference=wanted.reference)


def _pull_one(archive: Archive, wanted: Foreign, watch: Watch) -> Carried:
    copy = foreign.look(wanted)
    if (bundle_id := foreign.held(archive, copy)) is not None:
        files = admission.prove_in_place(archive, bundle_id, foreign.identity(copy))
        return Carried(
            bundle=bundle_id,
            identity=foreign.identity(copy),
            reference=copy.reference,
            outcome="here",
            checked="content",
            objects=files,
        )
    with admission.arrival(archive, wanted.reference) as staging:
        scratch = staging / "scratch"
        scratch.mkdir()
        # The bundle's files and DVC's objects are the same ones only where links are made.
        copies = 1 if cache.of(archive).hardlinks else 2
        foreign.fetch(wanted, copy, staging / BAG, scratch, watch=watch, copies=copies)
        admitted = admission.admit(
            archive, staging, _origin(wanted, copy), expected=foreign.identity(copy), most=copy.octets
        )
    return Carried(
        bundle=admitted.bundle_id,
        identity=admitted.identity,
        reference=copy.reference,
        outcome="fetched" if admitted.new else "here",
        checked="content",
        objects=admitted.files,
        moved=admitted.files,
        octets=admitted.octets,
        remarks=list(admitted.remarks),
    )


def _origin(wanted: Foreign, copy: Copy) -> Origin:
    detail = {"mirror": wanted.mirror.name, "address": wanted.to.address, "reference": copy.reference}
    return Origin(event=PULLED, verb="pull", detail=detail, place=f"`{copy.reference}`")
