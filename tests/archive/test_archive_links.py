"""A clone may hold links where an archive keeps what is its own: nothing is written, listed or removed through them."""

from __future__ import annotations

import datetime as dt
import shutil

import pytest

from reprokit.archive import durable, ledger, locks, own_folders, owner, pending, publication, registration, status
from reprokit.archive.doctor import filesystem as doctor_filesystem
from reprokit.archive.garbage import collection as garbage
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.archive.owner import Owner
from reprokit.bundle import canonical
from reprokit.errors import ExitCode, UsageError

DEAD = 2**22 - 1
FOLDERS = ["scratch", "staging", "pending", "finished", "."]


@pytest.fixture
def documents(tmp_path, snapshot):
    """A folder of the person's, which must stay as it is."""
    folder = tmp_path / "docs"
    (folder / "letters").mkdir(parents=True)
    (folder / "letters/one.txt").write_text("dear")
    (folder / "thesis.txt").write_text("years of work")
    (folder / "empty").mkdir()
    before = snapshot(folder)
    yield folder
    assert snapshot(folder) == before
    assert (folder / "empty").is_dir()


def link(archive, name, folder):
    """Put a link in the place of a private folder, or of all of them."""
    place = archive.private if name == "." else archive.private / name
    archive.private.mkdir(exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    place.symlink_to(folder)
    return place


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr(garbage, "_UNFINISHED", dt.timedelta(0))


USES = {
    "gc": lambda archive: garbage.collect(archive, grace=dt.timedelta(0), remove=True),
    "gc, looking": lambda archive: garbage.collect(archive, grace=dt.timedelta(0)),
    "clear": publication.clear,
    "status": status.status,
    "stage": publication.stage,
    "abandoned": publication.abandoned,
    "unjudged": publication.unjudged,
    "fold": registration.fold,
    "markers": pending.markers,
    "prepare": durable.prepare,
    "write": lambda archive: durable.write(archive.root / "x", b"", archive=archive),
}


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize(
    ("use", "name"), [*((use, "staging") for use in USES), *(("status", name) for name in FOLDERS if name != "staging")]
)
def test_nothing_is_done_through_a_private_folder_that_is_a_link(archive, documents, name, use):
    place = link(archive, name, documents)

    with pytest.raises(UsageError, match="is a link") as told:
        USES[use](archive)

    assert str(archive.relative(place)) in told.value.message
    assert f"rm {place}" in told.value.hint


@pytest.mark.parametrize("command", [["gc", "--yes"], ["sync", "--offline"], ["status", "--clear"], ["status"]])
def test_a_link_that_came_with_a_clone_is_told_in_one_line(reprokit, captured, documents, git, command):
    archive = Archive(reprokit.archive)
    link(archive, "scratch", documents)
    git(archive.root, "add", "-f", ".reprokit/scratch")
    git(archive.root, "commit", "-qm", "hostile")

    told = reprokit(*command, check=ExitCode.USAGE)

    assert "`.reprokit/scratch`" in told.stderr
    assert "is a link" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_lock_that_leads_elsewhere_is_not_taken(archive, documents):
    archive.private.mkdir(exist_ok=True)
    archive.lock.unlink(missing_ok=True)
    archive.lock.symlink_to(documents / "thesis.txt")

    with pytest.raises(UsageError, match="lock"):
        garbage.collect(archive)


def test_the_lock_of_dvc_is_not_made_elsewhere(archive, documents):
    (archive.root / ".dvc/tmp").symlink_to(documents)

    with pytest.raises(UsageError, match=r"\.dvc/tmp"):
        garbage.collect(archive)


def test_the_files_that_hide_the_private_folder_are_not_written_to_through_links(archive, documents):
    shutil.rmtree(archive.private)
    archive.private.mkdir()
    (archive.private / ".gitignore").symlink_to(documents / "thesis.txt")

    durable.prepare(archive)

    assert (archive.private / ".gitignore").read_text() == "*\n"


def test_what_is_absent_is_made(archive):
    shutil.rmtree(archive.private)

    assert publication.abandoned(archive) == []
    assert pending.markers(archive) == []
    durable.prepare(archive)

    assert archive.scratch.is_dir()


def event(bundle="20261123T031547Z-lm_eval-tiny-gpt2-1f3a9c20"):
    return Event(event="captured", time="2026-11-24T00:00:00Z", bundle=bundle, identity="sha256:" + "0" * 64)


@pytest.mark.parametrize("where", ["ledger", "ledger/2026-11"])
def test_no_event_is_written_through_a_link(archive, documents, where):
    place = archive.root / where
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(documents)

    with pytest.raises(UsageError, match=f"`{where}`"):
        ledger.append(archive, [event()])


@pytest.mark.parametrize("where", ["locks", "locks/" + "0" * 64])
def test_no_lock_is_written_through_a_link(archive, documents, where):
    place = archive.root / where
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(documents)
    completed = locks.CompletedLock(lock="sha256:" + "0" * 64, asked="2026-11-24T00:00:00Z", hashed=[], unhashed=[])

    with pytest.raises(UsageError, match=f"`{where}`"):
        locks.write(archive, completed)


def linked_months(archive, top, folder, month):
    (top / month).parent.mkdir(exist_ok=True)
    shutil.rmtree(top / month, ignore_errors=True)
    (top / month).symlink_to(folder)
    return f"{top.name}/{month}"


def test_no_bundle_is_published_through_a_link(archive, documents, publish):
    month = archive.payload(publish("one")).parent.name
    where = linked_months(archive, archive.bundles, documents, month)

    with pytest.raises(UsageError, match=f"`{where}`"):
        publish("two")
    assert publication.stagings(archive)


def test_no_entry_is_written_through_a_link_and_the_bundle_waits(archive, documents, publish):
    bundle = publish("one")
    where = linked_months(archive, archive.catalog, documents, archive.payload(bundle).parent.name)

    folding = registration.fold(archive)

    assert folding.left == (bundle,)
    assert f"`{where}`" in folding.reason


def test_no_bundle_is_registered_through_a_link(archive, documents, publish, tmp_path):
    bundle = publish("one")
    month = archive.payload(bundle).parent
    month.rename(tmp_path / "elsewhere")
    month.symlink_to(tmp_path / "elsewhere")
    modes = {path: path.stat().st_mode for path in (tmp_path / "elsewhere").rglob("*")}

    folding = registration.fold(archive)

    assert folding.left == (bundle,)
    assert "is a link" in folding.reason
    assert {path: path.stat().st_mode for path in (tmp_path / "elsewhere").rglob("*")} == modes


def test_a_staging_folder_that_came_with_the_commits_is_nobodys_to_finish(archive, git):
    staging = publication.stage(archive)
    process = owner.process(DEAD)
    described = Owner(process=process, description="a capture", created="2026-11-24T00:00:00Z")
    (staging / publication.OWNER).write_bytes(canonical.record(described))
    assert [each.path for each in publication.abandoned(archive)] == [staging]
    git(archive.root, "add", "-f", str(staging))
    git(archive.root, "commit", "-qm", "hostile")

    for use in (publication.abandoned, publication.clear, garbage.collect, own_folders.require_untracked):
        with pytest.raises(UsageError, match="is tracked by git"):
            use(archive)
    assert (staging / publication.OWNER).exists()


def test_a_way_out_of_the_archive_is_none(archive):
    with pytest.raises(UsageError, match="does not lie in"):
        durable.write(archive.root / "ledger/../../x", b"", archive=archive)


def test_the_doctor_tells_of_a_link_and_goes_on(archive, documents):
    link(archive, "scratch", documents)

    assert doctor_filesystem._writable(archive).state == "fail"
