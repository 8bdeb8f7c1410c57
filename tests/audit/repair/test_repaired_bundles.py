"""What is damaged or missing of a bundle comes back from a copy that proves itself; what is not proven stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.archive import ledger
from reprokit.archive.cache import md5_of
from reprokit.audit.repair.ledger_files import repair_archive
from reprokit.audit.repair.repairing import repair
from reprokit.bundle import bag
from reprokit.bundle.validation import validate

RESULTS = "data/results.json"


def lose(made, bundle, path=RESULTS):
    """Lose a file of a bundle here, in the cache and on the remote."""
    file = made.folder(bundle) / path
    name = md5_of(file)
    for each in (file, made.object(name), made.sent(name)):
        each.unlink()


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_a_damaged_file_comes_back_and_the_damaged_bytes_are_kept(estate, flip, kind):
    made = estate(kind=kind)
    (bundle,) = made.bundles
    file = made.folder(bundle) / RESULTS
    before, name = made.tree(), md5_of(file)
    flip(file, 11)
    damaged = file.read_bytes()

    done = made.repair(bundle)

    assert (done.whole, done.refused, done.remarks) == (True, [], [])
    assert made.tree() == before
    restored = {each.path: each for each in done.restored}
    assert set(restored) == ({RESULTS, name} if kind == "hardlink" else {RESULTS})
    kept = made.archive.root / restored[RESULTS].set_aside
    assert kept.read_bytes() == damaged
    assert kept.parts[-3:] == (bundle, "data", "results.json")
    assert kept.stat().st_ino not in {file.stat().st_ino, made.object(name).stat().st_ino}
    (event,) = ledger.events(made.archive, ["repaired"])
    assert (event.bundle, event.identity) == (bundle, done.identity)
    assert event.detail["restored"][0] == {
        "path": RESULTS,
        "kind": "file",
        "from": "the remote `store`" if kind == "hardlink" else "DVC's cache",
        "set_aside": restored[RESULTS].set_aside,
    }


def test_a_whole_bundle_is_left_alone_and_nothing_is_noted(estate):
    made = estate()
    (bundle,) = made.bundles
    before = made.tree()

    done = made.repair(bundle)

    assert (done.whole, done.restored, done.refused) == (True, [], [])
    assert made.tree() == before
    assert list(ledger.events(made.archive, ["repaired"])) == []
    assert not (made.archive.private / "set-aside").exists()


def test_files_that_changed_places_are_put_right_without_any_copy(estate):
    made = estate(kind="copy")
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    for one, other in ((RESULTS, "data/bundle.json"), ("bag-info.txt", "data/samples/toy.jsonl")):
        (folder / one).rename(folder / "aside")
        (folder / other).rename(folder / one)
        (folder / "aside").rename(folder / other)

    done = repair(made.archive, bundle, copies=[])

    assert (done.whole, done.refused) == (True, [])
    assert made.tree() == before


def test_tag_files_that_no_copy_has_follow_from_what_is_left(estate, flip):
    made = estate()
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    for path in bag.TAG_FILES:
        name = md5_of(folder / path)
        flip(folder / path, 8 * ((folder / path).stat().st_size - 3))
        made.object(name).unlink(missing_ok=True)

    done = repair(made.archive, bundle, copies=[])

    assert (done.whole, done.refused) == (True, [])
    assert made.tree() == before
    assert {each.path: each.from_ for each in done.restored if each.kind == "file"} == {
        "bag-info.txt": "the catalog entry",
        "bagit.txt": "the format",
        "manifest-sha256.txt": "what the payload gives",
        "tagmanifest-sha256.txt": "the other tag files",
    }


def test_tag_files_and_listing_come_back_together(estate):
    made = estate()
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    made.object(made.oid(bundle)).unlink()
    for path in (*bag.TAG_FILES, RESULTS):
        made.object(md5_of(folder / path)).unlink()
        (folder / path).unlink()

    done = made.repair(bundle)

    assert (done.whole, done.refused) == (True, [])
    assert made.tree() == before


def test_what_no_copy_has_is_refused_and_the_rest_is_mended(estate, flip):
    made = estate()
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    flip(folder / "data/harness/word", 5)
    (folder / "stray").write_bytes(b"x")
    made.object(made.oid(bundle)).unlink()
    lose(made, bundle)

    done = made.repair(bundle)

    assert not done.whole
    (refused,) = done.refused
    assert refused.path == RESULTS
    assert refused.reason == ("the bundle's own folder: missing; DVC's cache: not there; the remote `store`: not there")
    lacking = {name for name, data in before.items() if made.tree().get(name) != data}
    assert {each.rpartition("/")[2] for each in lacking if "bundles" in each} == {"results.json"}
    assert {each.kind for each in done.restored} == {"file", "object", "listing", "stray"}


def test_strays_are_moved_aside_and_nothing_of_them_is_lost(estate, tmp_path):
    made = estate()
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "results.json").write_bytes(b"not ours")
    shutil.rmtree(folder / "data/harness")
    (folder / "data/harness").symlink_to(outside)
    (folder / "data/results.json").unlink()
    (folder / "data/results.json").mkdir()
    (folder / "data/results.json/inside").write_bytes(b"kept")
    (folder / "data/environment/environment.json").unlink()
    (folder / "data/environment/environment.json").symlink_to(outside / "results.json")
    (folder / "data/hollow/deep").mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/data/odd \xff\n")).write_bytes(b"x")

    done = made.repair(bundle)

    assert (done.whole, done.refused) == (True, [])
    assert made.tree() == before
    assert (outside / "results.json").read_bytes() == b"not ours"
    assert [each.name for each in outside.iterdir()] == ["results.json"]
    where = {each.path: made.archive.root / each.set_aside for each in done.restored if each.set_aside}
    assert (where["data/results.json"] / "inside").read_bytes() == b"kept"
    assert where["data/harness"].readlink() == outside
    assert where["data/hollow/"].is_dir()


def test_read_only_folders_and_the_permissions_of_files_stay_as_they_were(estate, flip):
    made = estate(kind="copy")
    (bundle,) = made.bundles
    folder = made.folder(bundle)
    (folder / RESULTS).chmod(0o640)
    flip(folder / RESULTS, 1)
    (folder / "data").chmod(0o555)

    done = made.repair(bundle)

    assert done.whole
    modes = [(folder / path).stat().st_mode & 0o7777 for path in ("data", RESULTS)]
    assert modes == [0o555, 0o640]
    (folder / "data").chmod(0o755)


def test_what_cannot_be_put_aside_is_told_and_stays(estate, flip):
    made = estate()
    (bundle,) = made.bundles
    flip(made.folder(bundle) / RESULTS, 1)
    (made.archive.private / "set-aside").write_bytes(b"")
    before = made.tree()

    done = made.repair(bundle)

    assert [each.path for each in done.refused] == [RESULTS]
    assert "is no folder" in done.refused[0].reason
    assert (done.whole, done.restored) == (False, [])
    assert made.tree() == before


# --- what speaks of the bundle ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["oid", "identity", "gone", "link"])
def test_a_pointer_is_restored_from_head(estate, how, tmp_path):
    made = estate()
    (bundle,) = made.bundles
    before, pointer = made.tree(), made.archive.pointer(bundle)
    data = pointer.read_bytes()
    pointer.unlink()
    match how:
        case "oid":
            pointer.write_bytes(data.replace(b"- md5: ", b"- md5: 0", 1).replace(b".dir", b"dir", 1))
        case "identity":
            at = data.index(b"sha256:") + 30
            pointer.write_bytes(data[:at] + (b"0" if data[at : at + 1] != b"0" else b"1") + data[at + 1 :])
        case "link":
            (tmp_path / "elsewhere").write_bytes(b"")
            pointer.symlink_to(tmp_path / "elsewhere")

    done = made.repair(bundle)

    assert (done.whole, done.refused) == (True, [])
    assert [(each.kind, each.from_) for each in done.restored] == [("pointer", "git's HEAD")]
    assert made.tree() == before


def test_pointer_and_entry_that_no_commit_has_are_derived_and_committed(estate, git):
    made = estate()
    (bundle,) = made.bundles
    before = made.tree()
    for path in (made.archive.pointer(bundle), made.archive.entry(bundle)):
        git(made.archive.root, "rm", "-q", "--cached", str(path))
    git(made.archive.root, "commit", "-qm", "forget it")
    made.archive.entry(bundle).unlink()

    done = made.repair(bundle)

    assert (done.whole, done.refused, done.remarks) == (True, [], [])
    assert [(each.kind, each.from_) for each in done.restored] == [("entry", "the whole bundle")]
    assert made.tree() == before
    assert git(made.archive.root, "status", "--porcelain") == ""


def test_an_entry_that_head_has_otherwise_is_not_overwritten(estate, git):
    made = estate()
    (bundle,) = made.bundles
    entry = made.archive.entry(bundle)
    entry.write_bytes(entry.read_bytes().replace(b'"samples": 4', b'"samples": 5'))
    git(made.archive.root, "commit", "-qam", "a change")

    done = made.repair(bundle)

    assert not done.whole
    assert [each.path for each in done.refused] == [str(entry.relative_to(made.archive.root))]
    assert b'"samples": 5' in entry.read_bytes()


def test_nothing_is_repaired_while_it_is_not_clear_which_bundle_it_is(estate, flip, git):
    made = estate()
    (bundle,) = made.bundles
    pointer, entry = made.archive.pointer(bundle), made.archive.entry(bundle)
    identity = bag.identity(made.folder(bundle))
    other = identity[:20] + ("0" if identity[20] != "0" else "1") + identity[21:]
    for path in (pointer, entry):
        path.write_bytes(path.read_bytes().replace(identity.encode(), other.encode()))
    flip(made.folder(bundle) / RESULTS, 1)
    before = made.tree()

    done = made.repair(bundle)

    assert (done.whole, done.identity, done.restored) == (False, None, [])
    assert "not clear" in done.refused[0].reason
    assert made.tree() == before


def test_a_bundle_that_is_not_here_is_not_repaired(estate):
    made = estate()
    (bundle,) = made.bundles
    shutil.rmtree(made.folder(bundle))

    done = made.repair(bundle)

    assert (done.whole, done.restored) == (False, [])
    assert "not in this copy" in done.refused[0].reason
    assert not made.folder(bundle).exists()


def test_a_damaged_or_missing_ledger_file_comes_back_from_head(estate):
    made = estate(2)
    first, *_, last = ledger.batches(made.archive)
    kept = {path: path.read_bytes() for path in (first, last)}
    first.unlink()
    last.write_bytes(last.read_bytes()[:-3])
    (made.archive.ledger / "stray").write_bytes(b"")

    done = repair_archive(made.archive)

    assert {path: path.read_bytes() for path in kept} == kept
    assert {each.path for each in done.restored} == {str(made.archive.relative(path)) for path in kept}
    assert [each.path for each in done.refused] == ["ledger/stray"]
    (made.archive.ledger / "stray").unlink()
    assert repair_archive(made.archive).whole


# --- DVC itself ---------------------------------------------------------------------------------------------------------


def test_a_damaged_object_that_dvc_hands_out_is_found_and_mended_from_the_remote(estate, flip):
    made = estate()
    (bundle,) = made.bundles
    before, folder = made.tree(), made.folder(bundle)
    flip(made.object(md5_of(folder / RESULTS)), 77)
    shutil.rmtree(folder)
    dvc = str(Path(sys.executable).parent / "dvc")
    words = [dvc, "checkout", str(made.archive.pointer(bundle))]
    told = subprocess.run(words, cwd=made.archive.root, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr

    assert {(each.code, each.where) for each in validate(folder)} >= {("E101", RESULTS)}
    done = made.repair(bundle)

    assert (done.whole, done.refused) == (True, [])
    assert {each.kind: each.from_ for each in done.restored} == {
        "file": "the remote `store`",
        "object": f"the bundle's own folder, `{RESULTS}`",
    }
    assert made.tree() == before
