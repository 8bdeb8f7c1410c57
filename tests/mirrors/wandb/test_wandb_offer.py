"""What is offered of a bundle is found fit, and made of plain values, before W&B's client is imported."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from reprokit.bundle.values import Unknown
from reprokit.errors import FixityError, ReprokitError
from reprokit.mirrors.portrait import portrait
from reprokit.mirrors.wandb import digest
from reprokit.mirrors.wandb.client import offer
from reprokit.mirrors.wandb.settings import Options
from reprokit.mirrors.wandb.wire import Parcel, Sent


@pytest.fixture
def parcel(rich, contents):
    """Give what is sent of the bundle that holds something of everything."""
    files = {path: Sent(md5=each.md5, size=each.size) for path, each in contents(rich).items()}
    return Parcel(bundle=str(rich), files=files, name=None, tags=["a tag"], note=None, before=[], original=None)


def test_it_holds_all_that_is_to_be_there(parcel, rich):
    made = offer.prepare(parcel, Options(tags=("lab",)))
    assert made.digest == digest.artifact_digest({path: each.md5 for path, each in parcel.files.items()})
    assert made.octets == sum(path.stat().st_size for path in rich.rglob("*") if path.is_file())
    assert made.run_tags == ("lab", "a tag")
    assert {key for key in made.shown if key.startswith("samples/")} == {"samples/task_0", "samples/task_1"}
    ids = list(made.run_ids())
    assert ids[0].startswith("rk")
    assert ids[1:] == [f"{ids[0]}-2", f"{ids[0]}-3"]


def test_no_rows_of_samples_means_no_table_of_them(parcel):
    made = offer.prepare(parcel, Options(sample_rows=0))
    assert not [key for key in made.shown if key.startswith("samples/")]
    assert not [table for table in made.tables() if table.key.startswith("samples/")]


def test_files_that_are_not_there_any_more_are_told(parcel, rich):
    (rich / "data/harness/results.json").unlink()
    with pytest.raises(FixityError, match="moment ago"):
        offer.prepare(parcel, Options())
    (rich / "data/harness/results.json").symlink_to("/etc/hostname")
    with pytest.raises(FixityError, match="moment ago"):
        offer.prepare(parcel, Options())


@pytest.mark.parametrize(
    ("complete", "status", "there"),
    [(True, 0, 0), (False, 3, 3), (False, 0, 1), (False, None, 1), (False, Unknown(unknown="nobody saw"), 1)],
)
def test_an_evaluation_that_failed_is_a_failed_run_there(
    parcel, make_bundle, contents, record, complete, status, there
):
    run = msgspec.structs.replace(record().run, complete=complete, exit_code=status)
    path = make_bundle(record=record(run=run)).path
    files = {name: Sent(md5=each.md5, size=each.size) for name, each in contents(path).items()}
    made = offer.prepare(msgspec.structs.replace(parcel, bundle=str(path), files=files), Options())
    assert made.exit_code == there


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("configuration", {"a": {"b": [1, object()]}}, "configuration.a.b[1]"),
        ("configuration", {1: 2}, "key of type int"),
        ("configuration", {"a": float("nan")}, "it is nan"),
        ("configuration", {"a": b"x"}, "type bytes"),
        ("configuration", {"a": range(3)}, "type range"),
        ("summary", {"a": {1, 2}}, "type set"),
        ("scalars", {"a": float("inf")}, "it is inf"),
        ("scalars", {"a": "0.5"}, "no number"),
        ("scalars", {"a": True}, "no number"),
    ],
)
def test_a_value_that_the_client_would_choke_on_is_refused_with_its_place(parcel, monkeypatch, part, value, says):
    true = portrait.portray
    monkeypatch.setattr(
        offer, "portray", lambda *about, **more: dataclasses.replace(true(*about, **more), **{part: value})
    )
    with pytest.raises(ReprokitError) as raised:
        offer.prepare(parcel, Options())
    assert says in raised.value.message
    assert "nothing was sent" in raised.value.hint


def test_what_is_nested_without_end_is_refused(parcel, monkeypatch):
    nested = {}
    nested["a"] = nested
    true = portrait.portray
    monkeypatch.setattr(
        offer, "portray", lambda *about, **more: dataclasses.replace(true(*about, **more), summary=nested)
    )
    with pytest.raises(ReprokitError, match="too deeply"):
        offer.prepare(parcel, Options())


def test_a_parcel_survives_the_wire(parcel):
    assert msgspec.json.decode(msgspec.json.encode(parcel), type=Parcel) == parcel
