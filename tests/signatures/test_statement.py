"""The in-toto Statement holds what was proven and what the ledger has, and nothing else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import pytest

from reprokit.archive.ledger import Event
from reprokit.bundle import canonical
from reprokit.reproduce.verdict.ladder import LADDER, at_least_equivalent
from reprokit.signatures.signers import Signers
from reprokit.signatures.statement import FIXITY, RECORDS, SIGNED, VERDICTS, statement

NOW = "2026-11-24T10:00:00.5Z"


def require_statement(document) -> None:
    """Hold a document against Statement v1 and Simple Verification Result v0.2, as their specifications are written."""
    assert set(document) == {"_type", "subject", "predicateType", "predicate"}
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://in-toto.io/attestation/svr/v0.2"
    assert document["subject"]
    for each in document["subject"]:
        require_descriptor(each)
        assert re.fullmatch(r"[0-9a-f]{64}", each["digest"]["sha256"])
    predicate = document["predicate"]
    assert set(predicate) == {"verifier", "timeCreated", "properties"}
    assert set(predicate["verifier"]) == {"id", "policies"}
    assert re.fullmatch(r"[a-z]+://[^\s]+", predicate["verifier"]["id"])
    for each in predicate["verifier"]["policies"]:
        require_descriptor(each)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", predicate["timeCreated"])
    assert all(re.fullmatch(r"REPROKIT_[A-Z_]+", each) for each in predicate["properties"])
    assert len(set(predicate["properties"])) == len(predicate["properties"])


def require_descriptor(each) -> None:
    known = {"name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"}
    assert set(each) <= known
    assert {"uri", "digest", "content"} & set(each)
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in each.get("digest", {}).items())
    assert isinstance(each.get("annotations", {}), dict)


@pytest.fixture
def stated(bundle):
    """State something of a bundle, and read it as another program would."""

    def make(proven=(FIXITY,), events=(), signers=None):
        made = statement(bundle, proven, events=events, signers=signers, now=NOW)
        document = msgspec.json.decode(canonical.record(made))
        require_statement(document)
        return document

    return make


@pytest.fixture
def reproduced(bundle):
    """An event of the ledger about the bundle, or changed."""

    def make(verdict="equivalent", tier="rerun", *, of=None, identity=None, day=1):
        return Event(
            event="reproduced",
            time=f"2026-11-0{day}T00:00:00Z",
            bundle=of or bundle.info.bundle_id,
            identity=identity or bundle.identity,
            detail={"tier": tier, "verdict": verdict, "as": "another"},
        )

    return make


def test_the_subject_is_the_bundle_by_the_digest_of_its_manifest(stated, bundle):
    (subject,) = stated()["subject"]

    assert subject["name"] == bundle.info.bundle_id
    assert subject["digest"] == {
        "sha256": hashlib.sha256((bundle.path / "manifest-sha256.txt").read_bytes()).hexdigest()
    }


def test_what_was_proven_is_a_property_and_what_was_not_is_none(stated):
    assert stated()["predicate"]["properties"] == [FIXITY]
    assert stated([FIXITY, RECORDS, SIGNED])["predicate"]["properties"] == [FIXITY, RECORDS, SIGNED]


def test_the_files_that_were_followed_are_named_by_their_digests(stated):
    signers = Signers(path=Path("/home/ada/.ssh/allowed_signers"), allowed=b"a", revoked=b"b")

    document = stated(signers=signers)

    assert stated()["predicate"]["verifier"]["policies"] == []
    assert document["predicate"]["verifier"]["policies"] == [
        {"name": "allowed_signers", "digest": {"sha256": hashlib.sha256(b"a").hexdigest()}},
        {"name": "revoked_keys", "digest": {"sha256": hashlib.sha256(b"b").hexdigest()}},
    ]
    assert "/home/ada" not in str(document)


def test_what_the_ledger_records_is_told_apart_from_what_was_proven_now(stated, reproduced):
    document = stated(events=[reproduced("identical samples")])

    name = "REPROKIT_REPRODUCED_IDENTICAL_SAMPLES"
    assert document["predicate"]["properties"] == [FIXITY, name]
    assert document["subject"][0]["annotations"] == {
        "reprokit_proven_now": [FIXITY],
        "reprokit_recorded_in_ledger": {name: {"time": "2026-11-01T00:00:00Z", "as": "another"}},
    }


def test_the_verdicts_that_count_are_those_of_the_ladder():
    assert tuple(each for each in LADDER if at_least_equivalent(each)) == VERDICTS


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "inconclusive"},
        {"verdict": "different"},
        {"verdict": ["equivalent"]},
        {"verdict": None},
        {"tier": "smoke"},
        {"tier": "verify", "verdict": "identical bytes"},
        {"of": "20261123T031547Z-lm_eval-other-00000000"},
        {"identity": f"sha256:{'0' * 64}"},
    ],
)
def test_a_reproduction_that_shows_less_is_no_property(stated, reproduced, change):
    assert stated(events=[reproduced(**change)])["predicate"]["properties"] == [FIXITY]


def test_the_newest_reproduction_of_the_whole_run_counts(stated, reproduced):
    better = [reproduced("different"), reproduced(day=2), reproduced("different", "smoke", day=3)]
    worse = [reproduced(), reproduced("different", day=2)]

    assert stated(events=better)["predicate"]["properties"] == [FIXITY, "REPROKIT_REPRODUCED_EQUIVALENT"]
    assert stated(events=worse)["predicate"]["properties"] == [FIXITY]
