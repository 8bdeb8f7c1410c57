"""What a stranger may have put into an archive or a bundle: pipes, links, empty folders, labels, filters, deep JSON."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.archive import catalog, dvc, ledger, pending, publication, registration, validation
from reprokit.archive.status import status
from reprokit.bundle import bag
from reprokit.bundle.bag import BagInfo
from reprokit.bundle.writing import Label
from reprokit.errors import FixityError, InvalidRecordError, UnreadableError

DEEP = b'{"detail": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from("ab \t\n\r\x0b\x1c\x85\u2028\ud800\udcff:"))


@pytest.fixture
def no_hang():
    def stop(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def codes(findings):
    return {found.code for found in findings}


def info(**labels) -> BagInfo:
    return BagInfo(
        bundle_id="id", bagging_date="now", payload_octets=1, payload_files=1, content_digest="sha256:0", **labels
    )


@given(name=ANY_TEXT, note=ANY_TEXT, tags=st.lists(ANY_TEXT))
@settings(max_examples=500, deadline=None)
def test_labels_of_any_text_have_one_spelling(name, note, tags):
    written = bag.render_info(info(name=name, note=note, tags=tuple(tags)))

    assert bag.render_info(bag.parse_info(written)) == written


def test_blank_labels_are_none_and_tags_that_read_alike_are_one():
    read = bag.parse_info(bag.render_info(info(name=" ", note="\n", tags=("a b", "a  b", "a\x00b", " ", "\ud800"))))

    assert (read.name, read.note) == (None, None)
    assert read.tags == ("a\x00b", "a b", "\N{REPLACEMENT CHARACTER}")


def test_a_bundle_with_odd_labels_is_whole(make_bundle):
    sealed = make_bundle(label=Label(name="\udcff", note=" ", tags=("a b", "a  b")))

    assert list(bag.verify(sealed.path)) == []


def test_only_a_regular_file_is_opened(tmp_path, no_hang):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with bag.open_regular(tmp_path / "file") as stream:
        assert stream.read() == b"x"
    for name in ("link", "folder", "pipe", "missing"):
        with pytest.raises(OSError, match=name):
            bag.open_regular(tmp_path / name)
        with pytest.raises(OSError, match=name):
            bag.sha256_of(tmp_path / name)


@pytest.mark.parametrize("name", bag.TAG_FILES)
def test_a_pipe_in_place_of_a_tag_file_is_a_finding(make_bundle, name, no_hang):
    folder = make_bundle().path
    (folder / name).unlink()
    os.mkfifo(folder / name)

    assert "E104" in codes(bag.verify(folder))
    with pytest.raises(UnreadableError):
        bag._tag(folder, name)


@pytest.mark.parametrize("place", ["data/empty", "empty", "data/harness/a/b", "data/samples/ "])
def test_an_empty_folder_is_an_addition(make_bundle, place):
    folder = make_bundle().path
    (folder / place).mkdir(parents=True)

    assert [(found.code, found.where) for found in bag.verify(folder)] == [("E103", f"{place}/")]
    with pytest.raises(FixityError, match="empty folder"):
        dvc.survey(folder)


def test_registering_and_looking_run_no_filter_of_the_archive(archive, publish, tmp_path, git):
    git(archive.root, "config", "filter.x.clean", f"touch '{tmp_path}/ran'; cat")
    (archive.root / ".git" / "info").mkdir(exist_ok=True)
    (archive.root / ".git" / "info" / "attributes").write_text("* filter=x\n")

    publish(fold=True)

    assert status(archive).uncommitted == ()
    assert not (tmp_path / "ran").exists()


def test_json_nested_without_end_is_an_unreadable_record(archive, publish):
    bundle_id = publish(fold=True)
    archive.entry(bundle_id).write_bytes(DEEP)
    with pytest.raises(InvalidRecordError):
        catalog.read(archive, bundle_id)

    (batch,) = archive.ledger.glob("*/*.jsonl")
    batch.write_bytes(DEEP)
    with pytest.raises(InvalidRecordError):
        list(ledger.events(archive))


def test_private_files_nested_without_end_are_passed_over(archive, publish):
    publish()
    for marker in archive.pending.iterdir():
        marker.write_bytes(DEEP)
    (publication.stage(archive) / "owner.json").write_bytes(DEEP)
    (archive.private / "journal.json").write_bytes(DEEP)

    assert pending.markers(archive) == []
    assert publication.abandoned(archive) == []
    assert registration.fold(archive).left == ()


def test_a_linked_bundle_folder_is_a_finding(archive, publish, tmp_path):
    bundle_id = publish(fold=True)
    folder = archive.payload(bundle_id)
    assert list(validation.check_placed(archive, folder)) == []

    folder.rename(tmp_path / bundle_id)
    folder.symlink_to(tmp_path / bundle_id)

    assert codes(validation.check_placed(archive, folder)) == {"E105"}
    assert list(validation.check_placed(archive, tmp_path / bundle_id)) == [], "it lies elsewhere"


def test_a_linked_month_is_a_finding(archive, publish, tmp_path):
    folder = archive.payload(publish(fold=True))
    folder.parent.rename(tmp_path / "month")
    folder.parent.symlink_to(tmp_path / "month")

    assert "E105" in codes(validation.check_placed(archive, folder))


def test_an_archive_behind_a_link_is_checked_the_same(archive, publish, tmp_path):
    bundle_id = publish(fold=True)
    (tmp_path / "way").symlink_to(archive.root)
    archive.pointer(bundle_id).write_bytes(b"")
    way = tmp_path / "way" / archive.payload(bundle_id).relative_to(archive.root)

    assert codes(validation.check_placed(archive, way)) == {"E107"}


def test_a_copy_in_another_month_is_not_the_bundle(archive, publish):
    bundle_id = publish(fold=True)
    copy = archive.bundles / "2025-01" / bundle_id
    shutil.copytree(archive.payload(bundle_id), copy)

    assert codes(validation.check_placed(archive, copy)) == {"E106"}
    assert [(path, found.code) for path, found in validation.check_strays(archive)] == [(copy, "E118")]


def test_pointer_and_entry_of_an_absent_bundle_are_compared_with_git(archive, publish):
    bundle_id = publish(fold=True)
    shutil.rmtree(archive.payload(bundle_id))

    def found():
        return codes(validation.check_committed(archive, [bundle_id])[bundle_id])

    assert found() == set()
    for path, code in ((archive.pointer(bundle_id), "E107"), (archive.entry(bundle_id), "E108")):
        data = path.read_bytes()
        path.write_bytes(data + b"\n")
        assert found() == {code}
        path.unlink()
        assert found() == {code}
        path.write_bytes(data)


def test_an_uncommitted_pointer_of_an_absent_bundle_is_not_held_against_it(archive, publish):
    bundle_id = publish()
    (archive.root / ".git" / "index.lock").touch()
    registration.fold(archive)
    shutil.rmtree(archive.payload(bundle_id))

    assert status(archive).uncommitted
    assert validation.check_committed(archive, [bundle_id]) == {bundle_id: []}
