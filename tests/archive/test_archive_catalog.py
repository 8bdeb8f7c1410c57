"""The catalog says what the bundle says, in few words."""

from __future__ import annotations

import jsonschema
import msgspec
import pytest

from reprokit.archive import catalog
from reprokit.archive.catalog import Entry
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.errors import InvalidRecordError, NotFoundError


def test_an_entry_says_what_the_bundle_says(archive, publish):
    bundle_id = publish(fold=True, label=Label(name="paper", tags=("b", "a"), note="table 2"))
    bundle = open_bundle(archive.payload(bundle_id))

    entry = catalog.read(archive, bundle_id)

    assert entry == catalog.derive(bundle)
    assert (entry.id, entry.identity, entry.content_digest) == (bundle_id, bundle.identity, bundle.info.content_digest)
    assert (entry.name, entry.tags, entry.note) == ("paper", ["a", "b"], "table 2")
    assert (entry.harness, entry.harness_version, entry.models[0].name) == ("lm_eval", "0.4.13", "toy-org/tiny-gpt2")
    assert (entry.started, entry.exit_code, entry.complete) == ("2026-11-23T03:15:47Z", 0, True)
    assert [(metric.task, metric.metric, metric.value, metric.stderr, metric.n) for metric in entry.metrics] == [
        ("toy", "acc", 0.5, 0.25, 4)
    ]
    assert entry.samples == 4
    assert entry.payload_files == bundle.info.payload_files


def test_an_entry_of_a_run_of_which_little_is_known_follows_the_schema(archive, publish, undated):
    bundle_id = publish(fold=True, record=undated)
    schema = msgspec.json.schema(Entry)

    jsonschema.validate(msgspec.json.decode(archive.entry(bundle_id).read_bytes()), schema)

    assert "unknown" in msgspec.to_builtins(catalog.read(archive, bundle_id).started)


def test_entries_come_sorted_by_start(archive, publish, undated):
    publish("b", fold=True)
    publish("a", fold=True)
    publish("c", fold=True, record=undated)

    found = [entry.id for entry in catalog.entries(archive)]

    assert found == sorted(found)
    assert len(found) == 3


def test_a_missing_and_a_damaged_entry_are_told_apart(archive, publish):
    bundle_id = publish(fold=True)
    archive.entry(bundle_id).write_bytes(b"{")

    with pytest.raises(InvalidRecordError):
        catalog.read(archive, bundle_id)
    archive.entry(bundle_id).unlink()
    with pytest.raises(NotFoundError):
        catalog.read(archive, bundle_id)
