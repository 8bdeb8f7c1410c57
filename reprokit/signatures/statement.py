"""What was verified of a bundle, as an in-toto Statement that other programs read.

Statement v1 (https://in-toto.io/Statement/v1) with the predicate Simple Verification Result v0.2
(https://in-toto.io/attestation/svr/v0.2). Both are followed to the letter: `verifier` has an id and the policies that
were followed, `properties` are names of what holds. What this call has proven and what the archive's ledger records are
told apart in the `annotations` of the subject, which a ResourceDescriptor has for such things. It is not signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from reprokit.archive.ledger import Event
from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Json, Time
from reprokit.signatures.signers import Signers

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/svr/v0.2"
VERIFIER = "https://w3id.org/reprokit/verify/v1"
"""Its number rises when one of the properties comes to mean something else."""

FIXITY = "REPROKIT_FIXITY_VERIFIED"
RECORDS = "REPROKIT_RECORDS_VALID"
SIGNED = "REPROKIT_SIGNED_BY_TRUSTED_KEY"
REPRODUCED = "reproduced"
"""The kind of event of a reproduction."""

VERDICTS = ("identical bytes", "identical samples", "identical scores", "equivalent")
"""The verdicts by which a run counts as reproduced."""

_REPRODUCED = "REPROKIT_REPRODUCED_"
_WHOLE_RUN = "rerun"


class Descriptor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thing by its digest: an in-toto ResourceDescriptor."""

    name: str
    digest: dict[str, str]
    annotations: dict[str, Json] = {}


class Verifier(Struct, frozen=True, kw_only=True):
    """Who has verified, and by which files of the user."""

    id: str
    policies: list[Descriptor]


class Predicate(Struct, frozen=True, kw_only=True, rename={"time_created": "timeCreated"}):
    """What was verified, and when."""

    verifier: Verifier
    time_created: Time
    properties: Annotated[list[str], Meta(description="what holds; what is not listed is not known to")]


class Statement(Struct, frozen=True, kw_only=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    """An in-toto Statement about one bundle, whose digest is that of its manifest: the identity."""

    type: str = TYPE
    subject: list[Descriptor]
    predicate_type: str = PREDICATE_TYPE
    predicate: Predicate


def statement(
    bundle: Bundle, proven: Sequence[str], *, events: Iterable[Event], signers: Signers | None, now: str
) -> Statement:
    """State what holds of a bundle.

    Args:
        bundle: the bundle.
        proven: the properties that the caller has just proven.
        events: what the ledger says of the bundle and others, oldest first.
        signers: the user's files, if it was by them that somebody is trusted.
        now: the time, as records hold it.
    """
    recorded = _recorded(bundle, events)
    annotations: dict[str, Json] = {"reprokit_proven_now": list(proven)}
    if recorded:
        annotations["reprokit_recorded_in_ledger"] = recorded
    digits = bundle.identity.removeprefix("sha256:")
    subject = Descriptor(name=bundle.info.bundle_id, digest={"sha256": digits}, annotations=annotations)
    predicate = Predicate(
        verifier=Verifier(id=VERIFIER, policies=[] if signers is None else _policies(signers)),
        time_created=now,
        properties=sorted({*proven, *recorded}),
    )
    return Statement(subject=[subject], predicate=predicate)


def _policies(signers: Signers) -> list[Descriptor]:
    """Name the files that were followed, by digest: where they lie is nobody else's business."""
    files = {"allowed_signers": signers.allowed, "revoked_keys": signers.revoked}
    return [
        Descriptor(name=name, digest={"sha256": hashlib.sha256(data).hexdigest()})
        for name, data in files.items()
        if data is not None
    ]


def _recorded(bundle: Bundle, events: Iterable[Event]) -> Mapping[str, Json]:
    """Tell of the newest reproduction of the whole run that the ledger has, if by that it counts as reproduced.

    One of some samples only, or from the saved ones, is no reproduction of the run; an older success says nothing
    where the newest run came out different.
    """
    runs = [
        event
        for event in events
        if event.event == REPRODUCED
        and (event.bundle, event.identity) == (bundle.info.bundle_id, bundle.identity)
        and event.detail.get("tier") == _WHOLE_RUN
    ]
    if not runs or (verdict := runs[-1].detail.get("verdict")) not in VERDICTS:
        return {}
    told: dict[str, Json] = {"time": runs[-1].time}
    if isinstance(new := runs[-1].detail.get("as"), str):
        told["as"] = new
    return {f"{_REPRODUCED}{verdict.upper().replace(' ', '_')}": told}
