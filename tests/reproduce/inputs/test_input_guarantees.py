"""What nobody can promise of a run's inputs, and why."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Input, Server, SubjectFile
from reprokit.bundle.values import Unknown
from reprokit.reproduce.inputs.guarantees import not_guaranteed
from reprokit.reproduce.inputs.repositories import repositories


@pytest.fixture
def told(recorded):
    """Say what cannot be guaranteed of some models and datasets."""

    def say(*, pinned=(), hosts=(), inputs=(), **subject):
        record = recorded.subject(**subject)
        invocation = msgspec.structs.replace(record.invocation, inputs=list(inputs))
        record = msgspec.structs.replace(record, invocation=invocation)
        environment = Environment(learnt_from="probe", packages=[], hosts=list(hosts))
        return not_guaranteed(record, environment, repositories(record, environment), pinned=pinned)

    return say


def server():
    unknown = Unknown(unknown="not asked")
    return Server(
        endpoint="http://10.0.0.7:8000/v1", learnt_from="argv", asked=unknown, version=unknown, models=unknown
    )


def test_of_pinned_inputs_all_is_guaranteed(told, recorded):
    assert told(models=[recorded.part("org/tiny")], datasets=[recorded.part("org/sums")]) == []


def test_a_served_model_is_told_with_its_endpoint(told, recorded):
    found = told(models=[recorded.part("org/tiny", None, server=server())], hosts=["10.0.0.7:8000"])

    (sentence,) = found
    assert sentence.startswith("`org/tiny` is answered for by a server at `http://10.0.0.7:8000/v1`: which weights")


def test_a_provider_is_told_without_one(told, recorded):
    (found,) = told(models=[recorded.part("gpt-x", None, extra={"model": "openai-chat-completions"})])

    assert found.startswith("`gpt-x` is answered for by a server or a provider")


def test_a_revision_that_a_server_named_is_told(told, recorded):
    (found,) = told(models=[recorded.part("org/tiny", server=server())])

    assert found.endswith(f"that it is still at `{'a' * 40}` is for whoever runs it to say")


def test_an_unknown_revision_opens_the_hub_to_what_is_not_pinned_by_the_command(told, recorded):
    parts = {"models": [recorded.part("org/tiny")], "datasets": [recorded.part("org/sums", None)]}
    unpinned = (
        "the dataset `org/sums` is whatever the hub gives now, for its revision is not known: no Hugging Face cache of "
        "the run holds it"
    )

    assert told(**parts, pinned=["org/tiny"]) == [unpinned]
    assert told(**parts) == [
        "the model `org/tiny` may be read at a newer revision than recorded: the run is let to the hub, for `org/sums`",
        unpinned,
    ]


def test_several_revisions_of_one_dataset_are_told(told, recorded):
    (found,) = told(datasets=[recorded.part("org/sums", "a" * 40), recorded.part("org/sums", "b" * 40)])

    assert found == "of the dataset `org/sums` several revisions were read, and which was read for what is not known"


def test_data_from_addresses_and_hosts_are_told(told, recorded):
    part = recorded.part("json", None, files=recorded.files({"https://example.invalid/x.jsonl": b""}))

    read, got = told(datasets=[part], hosts=["example.invalid:443", "other.invalid:80"])

    assert read == "data at `https://example.invalid/x.jsonl` is read again from there, whatever it is by now"
    assert got.startswith("what the run got from `example.invalid`, `other.invalid`, past what is listed here,")


def test_files_without_a_digest_are_told_with_the_reason(told, recorded):
    bare = SubjectFile(path="weights.bin", role="weights", size=7, reason="too large")
    secret = SubjectFile(path=".env", role="other", reason="may hold credentials")
    part = recorded.part("models/x", None, place="models/x", files=[bare, secret], files_left_out=3)
    inputs = [
        Input(path="/data/huge", argument=1, kind="file", inside=False),
        Input(path="/data", argument=1, kind="folder", inside=False),
    ]

    assert told(models=[part], inputs=inputs) == [
        "`weights.bin` of `models/x` can be compared only by size: too large",
        "3 more files of `models/x` were not listed, and cannot be compared",
        "`/data/huge` cannot be compared: its digest was not recorded",
    ]
