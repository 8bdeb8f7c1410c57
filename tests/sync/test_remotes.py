"""Pushing and pulling over a folder, which needs no DVC: what is refused, what is told, what is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.archive import cache, ledger, validation
from reprokit.archive.dvc import Pointer, encode, read_pointer
from reprokit.archive.layout import Archive
from reprokit.bundle import bag
from reprokit.errors import RemoteError, UsageError
from reprokit.sync import transfer
from reprokit.sync.remotes.configuration import choose, configured
from reprokit.sync.remotes.pull import pull
from reprokit.sync.remotes.push import push, pushes

BIG = "data/harness/big.bin"
WORD = "data/harness/word.txt"


def carry_there(archive, *ids, **how):
    return push(archive, ids or None, choose(archive, None), patience=60, **how)


def carry_here(archive, *ids, remote=None):
    return pull(archive, ids or None, choose(archive, remote), patience=60)


def outcomes(transfer):
    return [each.outcome for each in transfer.bundles]


def codes(transfer):
    return [found.code for each in transfer.bundles for found in each.findings]


def spoil(path: Path, data: bytes | None = None) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!" if data is None else data)


@pytest.fixture
def store(archive, local_folder) -> Path:
    local_folder.add_to(archive)
    return local_folder.folder


def nothing_is_left(archive: Archive) -> bool:
    return not [*archive.staging.glob("*"), *archive.bundles.glob("*/*-*-*/"), *archive.root.glob(".dvc/cache/*")]


def test_the_folder_is_laid_out_as_dvc_does_it(archive, publish, store, dvc, tmp_path, snapshot):
    one = publish("one")
    dvc(archive.root, "remote", "add", "-q", "theirs", str(tmp_path / "theirs"))

    carry_there(archive, one)
    dvc(archive.root, "push", "-r", "theirs", str(archive.pointer(one).relative_to(archive.root)))

    def modes(folder):
        return {str(path.relative_to(folder)): path.stat().st_mode for path in folder.rglob("*") if path.is_file()}

    assert snapshot(store) == snapshot(tmp_path / "theirs")
    assert modes(store) == modes(tmp_path / "theirs")


def test_a_push_is_noted_and_committed_once_and_a_proof_is_noted_again(archive, publish, store, git):
    one, two = publish("one"), publish("two")

    carry_there(archive, one)
    carry_there(archive, one)
    carry_there(archive)
    carry_there(archive, one, verify=True)

    events = sorted(pushes(archive), key=lambda event: event.time)
    assert [(event.bundle, event.detail["checked"]) for event in events] == [
        (one, "size"),
        (two, "size"),
        (one, "content"),
    ]
    assert events[0].identity == bag.identity(archive.payload(one))
    assert (events[0].detail["remote"], events[0].detail["address"]) == ("store", str(store))
    assert git(archive.root, "status", "--porcelain") == ""
    assert [event.event for event in ledger.events(archive)] == ["captured", "captured", "pushed", "pushed", "pushed"]


def test_a_damaged_bundle_is_not_sent_and_does_not_stop_the_others(archive, publish, store):
    bad, good = publish("bad"), publish("good")
    spoil(archive.payload(bad) / WORD)

    sent = carry_there(archive)

    assert {each.bundle: (each.outcome, each.exit_code) for each in sent.bundles} == {
        bad: ("failed", 12),
        good: ("sent", 0),
    }
    assert WORD in next(each.reason for each in sent.bundles if each.bundle == bad)
    assert not any(path.read_bytes() == b"bad!" for path in store.rglob("*") if path.is_file())
    assert [event.bundle for event in pushes(archive)] == [good]


def test_a_bundle_whose_label_was_changed_after_it_was_registered_is_not_sent(archive, publish, store):
    # Its tag files agree with each other: only the pointer knows better.
    one = publish("one")
    folder = archive.payload(one)
    info = bag.read_info(folder)
    for name in (bag.INFO, bag.TAG_MANIFEST):
        (folder / name).chmod(0o644)
    bag.seal(folder, bag.read_manifest(folder), replace(info, note="forged"))
    assert list(bag.verify(folder)) == []

    assert carry_there(archive, one).bundles[0].exit_code == 12
    assert not store.exists()


def test_a_bundle_that_is_not_here_cannot_be_sent(archive, publish, store):
    one = publish("one")
    shutil.rmtree(archive.payload(one))

    two = publish("two")
    spoil(archive.payload(two) / WORD)
    sent = carry_there(archive, one, two)

    assert [(each.outcome, each.exit_code) for each in sent.bundles] == [("failed", 10), ("failed", 12)]
    assert transfer.exit_code(sent) == 12
    shutil.rmtree(archive.payload(two))
    assert outcomes(carry_there(archive)) == ["absent", "absent"]


def test_files_go_before_their_listing(archive, publish, store, monkeypatch):
    from reprokit.sync.remotes import folder

    order = []
    copy = folder._copy_in
    monkeypatch.setattr(
        folder, "_copy_in", lambda source, place, name: (order.append(name), copy(source, place, name))[1]
    )

    carry_there(archive, publish("one"))

    assert [name.endswith(".dir") for name in order] == [False] * (len(order) - 1) + [True]


def test_a_file_that_changes_while_it_is_sent_does_not_arrive(archive, publish, store, monkeypatch, object_of):
    from reprokit.sync.remotes import push as pushing

    one = publish("one")
    place = object_of(store, one, WORD)
    load = pushing._load

    def spoiled(folder, *rest):
        cargo = load(folder, *rest)
        spoil(folder / WORD, b"two")
        return cargo

    monkeypatch.setattr(pushing, "_load", spoiled)

    assert carry_there(archive, one).bundles[0].exit_code == 12
    assert not place.exists()
    assert not list(store.rglob("*.tmp"))
    assert not list(store.rglob("*.dir"))


def test_dvc_believes_a_listing_and_reprokit_does_not(archive, publish, store, object_of, dvc):
    one = publish("one")
    carry_there(archive, one)
    missing = object_of(store, one, WORD)
    missing.unlink()

    believed = dvc(archive.root, "push", str(archive.pointer(one).relative_to(archive.root)))
    was_missing = not missing.exists()
    sent = carry_there(archive, one)

    assert "up to date" in believed.stdout
    assert was_missing
    assert (outcomes(sent), codes(sent), sent.bundles[0].moved) == (["sent"], ["W343"], 1)
    assert missing.read_bytes() == b"one"


def test_a_remote_that_does_not_keep_what_it_is_sent_is_found_out(archive, publish, store, monkeypatch):
    from reprokit.sync.remotes import folder

    copy = folder._copy_in

    def forgetful(source, place, name):
        size = copy(source, place, name)
        if source.name == "word.txt":
            place.unlink()
        return size

    monkeypatch.setattr(folder, "_copy_in", forgetful)

    sent = carry_there(archive, publish("one"))

    assert (sent.bundles[0].exit_code, codes(sent)) == (12, ["E111"])
    assert not list(store.rglob("*.dir"))
    assert list(pushes(archive)) == []


def test_an_object_damaged_in_place_is_found_when_it_is_read_again_only(archive, publish, store, object_of):
    one = publish("one")
    carry_there(archive, one)
    rotten = object_of(store, one, BIG)
    spoil(rotten, b"?" * rotten.stat().st_size)

    unread, read = carry_there(archive, one), carry_there(archive, one, verify=True)

    assert (outcomes(unread), unread.bundles[0].checked) == (["there"], "size")
    assert (outcomes(read), codes(read), read.bundles[0].checked) == (["sent"], ["W342"], "content")
    assert cache.md5_of(rotten) == rotten.parent.name + rotten.name


# --- pulling -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pushed(archive, publish, store, clone):
    """A bundle that is on the remote, and a clone that knows of it."""
    one = publish("one")
    carry_there(archive, one)
    return one, clone()


def test_what_is_here_is_proven_and_not_fetched(pushed, store):
    one, other = pushed

    first, second, everything = carry_here(other, one), carry_here(other, one), carry_here(other)

    assert (outcomes(first), first.bundles[0].checked) == (["fetched"], "content")
    assert (outcomes(second), second.bundles[0].checked) == (["here"], "content")
    # Nothing is claimed of what was not read.
    assert (outcomes(everything), everything.bundles[0].checked) == (["here"], "nothing")
    spoil(other.payload(one) / WORD)
    damaged = carry_here(other, one).bundles[0]
    assert (damaged.outcome, damaged.exit_code) == ("failed", 12)
    assert str(other.payload(one)) in damaged.hint


def test_objects_that_are_here_are_used_unless_they_are_damaged(archive, pushed, publish, snapshot):
    one, other = pushed
    carry_here(other, one)
    spoil(cache.of(other).place(cache.md5_of(other.payload(one) / BIG)), b"rot")
    shutil.rmtree(other.payload(one))

    again = carry_here(other, one).bundles[0]

    assert (again.outcome, again.moved) == ("fetched", 1)
    assert snapshot(other.payload(one)) == snapshot(archive.payload(one))
    assert list(validation.check(other, one)) == []


def test_where_the_cache_is_to_be_copies_nothing_is_shared(pushed):
    one, other = pushed
    (other.root / ".dvc/config.local").write_text("[cache]\n    type = copy\n")

    carry_here(other, one)

    files = [path for path in other.payload(one).rglob("*") if path.is_file()]
    assert {path.stat().st_nlink for path in files} == {1}
    assert list(validation.check(other, one)) == []


def test_other_places_to_get_a_damaged_bundle_from_are_named(archive, publish, store, clone, tmp_path, object_of, git):
    one = publish("one")
    config = archive.root / ".dvc/config"
    more = "".join(f"['remote \"{name}\"']\n    url = {tmp_path / name}\n" for name in ("a-new-one", "backup"))
    config.write_text(config.read_text() + more)
    git(archive.root, "commit", "-qam", "more remotes")
    carry_there(archive, one)
    push(archive, [one], choose(archive, "backup"), patience=60)
    spoil(object_of(store, one, WORD))
    other = clone()

    refused = carry_here(other, one).bundles[0]
    nothing = nothing_is_left(other)

    assert (refused.exit_code, refused.findings[0].where) == (12, WORD)
    assert f"reprokit pull {one} --remote backup" in refused.hint
    assert nothing
    assert outcomes(carry_here(other, one, remote="backup")) == ["fetched"]


def test_a_copy_of_the_archive_is_a_remote_to_pull_from(archive, publish, clone, snapshot):
    one = publish("one")
    other = clone()
    (other.root / ".dvc/config.local").write_text(f"['remote \"copy\"']\n    url = {archive.root}/.dvc/cache\n")

    assert outcomes(carry_here(other, one)) == ["fetched"]
    assert snapshot(other.payload(one)) == snapshot(archive.payload(one))


def hostile(*rows: tuple[str, bytes]) -> bytes:
    listed = [{"md5": hashlib.md5(data).hexdigest(), "relpath": path} for path, data in rows]
    return json.dumps(listed, sort_keys=True).encode()


@pytest.mark.parametrize(
    ("listing", "nfiles"),
    [
        (hostile(("../../../../escaped", b"x")), 1),
        (hostile(("/tmp/escaped", b"x")), 1),
        (hostile(("data\\..\\escaped", b"x")), 1),
        (hostile(("data/x", b"x"), ("data/x", b"x")), 2),
        (hostile(("data/x", b"x"), ("data/x", b"x")), 1),
        (hostile(("data", b"x"), ("data/x", b"x")), 2),
        (hostile(("data/x", b"x")).replace(b", ", b",  "), 1),
        (hostile(("data/x", b"x")), 2),
        (b"[" * 100_000, 1),
        (b'[{"md5": "../../../../../../../../x", "relpath": "data/x"}]', 1),
        (b"[]" + b" " * (1 << 20), 1),
    ],
    ids=[
        "up",
        "absolute",
        "backslash",
        "twice",
        "twice in one",
        "clash",
        "spelling",
        "fewer",
        "deep",
        "no digest",
        "huge",
    ],
)
def test_a_hostile_listing_is_refused_and_nothing_is_written_outside(archive, pushed, store, listing, nfiles, tmp_path):
    one, other = pushed
    oid = hashlib.md5(listing).hexdigest() + ".dir"
    place(store, oid, listing)
    place(store, hashlib.md5(b"x").hexdigest(), b"x")
    known = read_pointer(other.pointer(one))
    other.pointer(one).write_bytes(
        encode(Pointer(oid=oid, size=known.size, nfiles=nfiles, path=one, identity=known.identity))
    )

    refused = carry_here(other, one)

    assert (refused.bundles[0].exit_code, codes(refused)) == (12, ["E112"])
    assert nothing_is_left(other)
    assert not list(tmp_path.rglob("escaped"))


def place(store: Path, name: str, data: bytes) -> None:
    path = store / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_listing_of_sound_objects_that_are_another_bundle_is_refused(archive, pushed, publish, store):
    one, other = pushed
    two = publish("two")
    carry_there(archive, two)
    theirs, ours = read_pointer(archive.pointer(two)), read_pointer(other.pointer(one))
    forged = Pointer(oid=theirs.oid, size=theirs.size, nfiles=theirs.nfiles, path=one, identity=ours.identity)
    other.pointer(one).write_bytes(encode(forged))

    refused = carry_here(other, one)

    assert refused.bundles[0].exit_code == 12
    assert "E113" in codes(refused)
    assert nothing_is_left(other)


def test_objects_that_are_links_pipes_or_too_large_are_no_objects(pushed, store, object_of):
    one, other = pushed
    link, pipe, large = (object_of(store, one, path) for path in (WORD, "data/harness/a b", "bagit.txt"))
    for path in (link, pipe):
        path.unlink()
    link.symlink_to("/etc/hostname")
    os.mkfifo(pipe)
    large.chmod(0o644)
    with large.open("r+b") as stream:
        stream.truncate(1 << 40)

    refused = carry_here(other, one)

    assert refused.bundles[0].exit_code == 12
    assert {(found.code, found.where) for found in refused.bundles[0].findings} >= {("E110", "bagit.txt")}
    assert nothing_is_left(other)
    large.unlink()
    place(store, large.parent.name + large.name, b"x")
    refused = carry_here(other, one)
    assert {(found.code, found.where) for found in refused.bundles[0].findings} == {
        ("E110", "bagit.txt"),
        ("E111", WORD),
        ("E111", "data/harness/a b"),
    }


@pytest.mark.parametrize("where", ["bundles/2026-11", "bundles"])
def test_a_link_in_the_archive_leads_nothing_elsewhere(pushed, where, tmp_path):
    one, other = pushed
    elsewhere = tmp_path / "elsewhere"
    (other.root / where).rename(elsewhere)
    (other.root / where).symlink_to(elsewhere)

    assert carry_here(other, one).bundles[0].exit_code == 12
    assert not list(elsewhere.rglob("bagit.txt"))


def test_a_pointer_of_another_bundle_is_refused(archive, pushed, publish):
    one, other = pushed
    two = publish("two")
    shutil.copy(archive.pointer(two), other.pointer(one))

    refused = carry_here(other, one).bundles[0]

    assert refused.exit_code == 12
    assert "names another bundle" in refused.reason


def test_when_the_remote_goes_away_the_rest_is_told_and_what_was_fetched_is_kept(archive, pushed, publish, monkeypatch):
    from reprokit.sync.remotes import folder

    one, other = pushed
    copy, count = folder._copy_out, 0

    def fail(place, wanted):
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(5, "Input/output error")
        return copy(place, wanted)

    shutil.copytree(other.pointer(one).parent, other.root / "kept")
    monkeypatch.setattr(folder, "_copy_out", fail)

    broken = carry_here(other)
    kept = sum(path.is_file() for path in other.staging.glob("*/objects/*/*"))

    assert [(each.outcome, each.exit_code) for each in broken.bundles] == [("failed", 30)]
    assert kept >= 4
    assert not other.payload(one).exists()


def test_two_pulls_and_two_pushes_at_once_do_not_disturb_each_other(archive, pushed, publish):
    one, other = pushed
    two = publish("two")
    with ThreadPoolExecutor(4) as pool:
        pushes_made = [pool.submit(carry_there, archive, two) for _ in range(2)]
        pulls = [pool.submit(carry_here, other, one) for _ in range(2)]

    assert {outcome for each in pushes_made for outcome in outcomes(each.result())} <= {"sent", "there"}
    assert {outcome for each in pulls for outcome in outcomes(each.result())} <= {"fetched", "here"}
    assert list(validation.check(other, one)) == []
    assert not any(other.staging.iterdir())


def test_a_folder_that_is_not_there_is_told_rather_than_made(archive, publish, clone, tmp_path):
    one = publish("one")
    config = archive.root / ".dvc/config.local"
    config.write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {tmp_path}/not/mounted\n")

    sent = carry_there(archive, one).bundles[0]

    assert (sent.outcome, sent.exit_code) == ("failed", 30)
    assert "mounted" in sent.hint
    with pytest.raises(RemoteError):
        pull(clone(), None, choose(archive, None), patience=60)


def test_a_remote_for_the_group_may_be_written_by_it(archive, publish, store):
    (archive.root / ".dvc/config.local").write_text("['remote \"store\"']\n    shared = group\n")

    carry_there(archive, publish("one"))

    folders = [path for path in store.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o7777 for path in folders} == {0o2775}


# --- which remote ------------------------------------------------------------------------------------------------------

CONFIGURATIONS = {
    "a folder": "[core]\n    remote = a\n['remote \"a\"']\n    url = ../../up/store\n",
    "another": "['remote \"Mixed-Case\"']\n    url = \"/somewhere/with # in it\"\n[core]\n    remote = mixed-case\n",
    "by another": "['remote \"base\"']\n    url = ssh://ada@host:22/evals\n['remote \"sub\"']\n    url = remote://base/deep/er\n",
    "bucket": "['remote \"s\"']\n    url = s3://bucket/evals  # a remark\n    region = x\n",
    "home": "['remote \"h\"']\n    url = ~/store\n",
}  # fmt: skip
READ = """
import json, sys
from dvc.config import Config
from dvc.fs import get_cloud_fs
found = []
for folder in sys.argv[1:]:
    config = Config(dvc_dir=folder)
    rows = {}
    for name in config["remote"]:
        kind, settings, path = get_cloud_fs(config, name=name)
        rows[name] = [kind.protocol, path]
    found.append([config["core"].get("remote"), rows])
print(json.dumps(found))
"""


def test_remotes_are_read_as_dvc_reads_them(tmp_path):
    archives = []
    for number, text in enumerate(CONFIGURATIONS.values()):
        archives.append(Archive(tmp_path / str(number)))
        (archives[-1].root / ".dvc").mkdir(parents=True)
        (archives[-1].root / ".dvc/config").write_text(text)

    told = subprocess.run(
        [sys.executable, "-c", READ, *(str(each.root / ".dvc") for each in archives)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    for archive, (default, rows) in zip(archives, json.loads(told), strict=True):
        found = configured(archive)
        assert {each.name for each in found} == {name.lower() for name in rows}
        for each in found:
            protocol, path = next(row for name, row in rows.items() if name.lower() == each.name)
            assert (each.scheme or "local") == protocol
            assert each.address.endswith(path)
            if each.folder is not None:
                assert str(each.folder) == path
        if default:
            assert choose(archive, None).name == default.lower()


@pytest.mark.parametrize("option", ["bearer_token_command", "configpath", "credentialpath"])
def test_a_committed_configuration_starts_no_program(archive, option):
    remote = f"['remote \"r\"']\n    url = webdav://host/path\n    {option} = touch /tmp/owned\n"
    config = archive.root / ".dvc/config"
    config.write_text(config.read_text() + remote)

    with pytest.raises(UsageError, match=option):
        choose(archive, "r")
    # What a person has said themselves is theirs.
    (archive.root / ".dvc/config.local").write_text(f"['remote \"r\"']\n    {option} = get-token\n")
    assert choose(archive, "r").scheme == "webdav"


def test_an_address_is_told_without_its_credentials(archive):
    config = archive.root / ".dvc/config.local"
    config.write_text("['remote \"r\"']\n    url = webdavs://ada:hunter2@host/path?token=hunter2\n")

    assert choose(archive, None).address == "webdavs://host/path"
