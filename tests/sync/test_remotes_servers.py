"""Round trips over each kind of remote, on servers that really run; damage on them is found."""

from __future__ import annotations

import hashlib

import pytest

from reprokit.archive import validation
from reprokit.bundle.validation import validate
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.objects import Destination
from reprokit.sync.remotes.opening import opened
from reprokit.sync.remotes.pull import pull
from reprokit.sync.remotes.push import push
from reprokit.sync.remotes.wire import Finished

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PATIENCE = 120.0
SECRETS = {"secret_access_key", "access_key_id", "password"}
BIG = "data/harness/big.bin"
WORD = "data/harness/word.txt"


def carry_there(archive, *ids, **how):
    return push(archive, ids or None, choose(archive, None), patience=PATIENCE, **how)


def carry_here(archive, *ids):
    return pull(archive, ids or None, choose(archive, None), patience=PATIENCE)


def outcomes(transfer):
    return [each.outcome for each in transfer.bundles]


def named(transfer, bundle_id):
    (carried,) = [each for each in transfer.bundles if each.bundle == bundle_id]
    return {(found.code, found.where) for found in carried.findings}


def pointer(archive, bundle_id):
    return str(archive.pointer(bundle_id).relative_to(archive.root))


def flip(path, at=100):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.fixture
def pushed(archive, publish, served):
    """Two bundles that share most of their objects, on a remote."""
    served.add_to(archive)
    ids = [publish("one"), publish("two")]
    assert outcomes(carry_there(archive, *ids)) == ["sent", "sent"]
    return ids


def test_bundles_go_there_and_come_back_whole_in_clones_of_ours_and_of_dvc(
    archive, pushed, publish, served, clone, git, dvc, snapshot
):
    theirs = publish("theirs")
    dvc(archive.root, "push", pointer(archive, theirs))
    again = carry_there(archive)
    by_us, by_dvc = clone("by-us"), clone("by-dvc")
    for each in (by_us, by_dvc):
        served.let_in(each)

    pulled = carry_here(by_us)
    dvc(by_dvc.root, "pull", pointer(archive, pushed[0]))

    # Nothing is sent twice, and what DVC has sent is not sent at all.
    assert outcomes(again) == ["there"] * 3
    assert {(each.moved, each.octets) for each in again.bundles} == {(0, 0)}
    assert outcomes(pulled) == ["fetched"] * 3
    for each in pulled.bundles:
        assert snapshot(by_us.payload(each.bundle)) == snapshot(archive.payload(each.bundle))
        assert list(validate(by_us.payload(each.bundle))) == []
        assert list(validation.check(by_us, each.bundle)) == []
    # The second shared all but a few files with the first, and those were not fetched again.
    assert pulled.bundles[1].moved < pulled.bundles[0].moved
    assert git(by_us.root, "status", "--porcelain") == ""
    assert snapshot(by_dvc.payload(pushed[0])) == snapshot(archive.payload(pushed[0]))
    # It is told where they went, and no secret is.
    told, kept = repr([again, pulled]), git(archive.root, "log", "-p", "--", "ledger")
    assert served.address in told
    assert served.address in kept
    for secret in (served.settings[name] for name in SECRETS & served.settings.keys()):
        assert secret not in told + kept


def test_objects_are_looked_up_sent_and_fetched_one_way_on_every_remote(archive, served, tmp_path):
    served.add_to(archive)
    data = bytes(range(256)) * 4096
    name, empty, nobody = hashlib.md5(data).hexdigest(), hashlib.md5(b"").hexdigest(), "0" * 32
    (tmp_path / "big").write_bytes(data)
    (tmp_path / "empty").touch()
    into = {each: tmp_path / f"arriving-{each}" for each in (name, empty, nobody)}

    with opened(archive, choose(archive, None), patience=PATIENCE) as objects:
        before = objects.sizes([name, empty, nobody])
        sent = list(objects.send({name: tmp_path / "big", empty: tmp_path / "empty"}))
        after = objects.sizes([name, empty, nobody])
        cut = list(objects.fetch({name: Destination(path=into[name], most=1000)}))
        fetched = list(objects.fetch({each: Destination(path=path, most=1 << 20) for each, path in into.items()}))

    assert before == {name: None, empty: None, nobody: None}
    assert after == {name: 1 << 20, empty: 0, nobody: None}
    assert finished(sent) == {name: 1 << 20, empty: 0}
    # More bytes than may come are not accepted, and the connection is none the worse for it.
    assert finished(cut) == {name: 1001}
    assert finished(fetched) == {name: 1 << 20, empty: 0, nobody: None}
    assert into[name].read_bytes() == data
    assert not into[nobody].exists()


def finished(steps):
    return {step.object: step.size for step in steps if isinstance(step, Finished)}


def test_damage_on_a_remote_is_found_named_and_mended(archive, pushed, served, clone, object_of):
    one, two = pushed
    flip(object_of(served.folder, one, BIG))
    object_of(served.folder, one, WORD).unlink()
    cut = object_of(served.folder, two, "bag-info.txt")
    cut.chmod(0o644)
    cut.write_bytes(cut.read_bytes()[:-1])
    served.look_again()
    other = clone()
    served.let_in(other)

    refused = carry_here(other)
    nothing_left = not [*other.staging.iterdir(), *other.bundles.glob("*/*-*-*/"), *other.root.glob(".dvc/cache/*")]
    mended = carry_there(archive, verify=True)
    pulled = carry_here(other)

    assert {each.exit_code for each in refused.bundles} == {12}
    assert named(refused, one) == {("E110", BIG), ("E111", WORD)}
    assert named(refused, two) == {("E110", BIG), ("E110", "bag-info.txt")}
    assert nothing_left
    assert outcomes(mended) == ["sent", "sent"]
    assert {*named(mended, one), *named(mended, two)} == {("W342", BIG), ("W343", one), ("W342", "bag-info.txt")}
    assert outcomes(pulled) == ["fetched", "fetched"]
