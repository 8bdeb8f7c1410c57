"""What comes from elsewhere is taken in as it was sealed, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.archive import ledger, publication, references
from reprokit.archive.tags import labels
from reprokit.archive.validation import check
from reprokit.bundle import bag, canonical, compression, naming
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.errors import (
    ExitCode,
    FixityError,
    InvalidRecordError,
    NewerFormatError,
    NotFoundError,
    ReprokitError,
    UnreadableError,
)
from reprokit.sync.admission.proof import prove
from reprokit.sync.admission.taking_in import Origin, admit, arrival

ORIGIN = Origin(event="pulled", verb="pull", detail={"reference": "shelf:toy:v7"}, place="`shelf:toy:v7`")


@pytest.fixture
def bundle(make_bundle, tmp_path) -> Path:
    """A bundle that lies elsewhere."""
    label = Label(name="base", tags=("good", "old"), note="a note")
    make_bundle(tmp_path / "elsewhere", label=label)
    return tmp_path / "elsewhere"


@pytest.fixture
def arrive(archive):
    """Give a function that lets a bundle arrive in the archive as it lies elsewhere."""

    def bring(folder: Path, **how):
        with arrival(archive, "a test") as staging:
            shutil.copytree(folder, staging / publication.BAG, symlinks=True, dirs_exist_ok=True)
            return admit(archive, staging, ORIGIN, **how)

    return bring


@pytest.fixture
def refused(archive, arrive):
    """Give a function that expects a bundle to be refused, and nothing of it to be left; returns the error."""

    def expect(folder: Path, kind=FixityError, **how) -> ReprokitError:
        with pytest.raises(kind) as caught:
            arrive(folder, **how)
        assert references.bundle_ids(archive) == []
        for place in (archive.staging, archive.scratch, archive.bundles):
            assert not place.exists() or not [each for each in place.iterdir() if each.name[0] != "."]
        return caught.value

    return expect


def seal_again(folder: Path, *, rename: bool = True, **info) -> None:
    """Write tag files around what the payload is now, as a stranger would who has changed it."""
    digests = {path: bag.sha256_of(folder / path) for path, _ in bag.walk(folder) if path.startswith("data/")}
    before = bag.read_info(folder)
    octets = sum((folder / path).stat().st_size for path in digests)
    name = before.bundle_id
    if rename:
        name = name[:-8] + bag.identity_of(bag.render_manifest(digests))[7:15]
    fields = {"bundle_id": name, "payload_octets": octets, "payload_files": len(digests), **info}
    bag.seal(folder, digests, bag.BagInfo(**{**vars(before), **fields}))


def codes(error) -> set[str]:
    return {found.code for found in error.findings}


# --- taken in -----------------------------------------------------------------------------------------------------------


def test_a_bundle_is_taken_in_byte_for_byte_and_the_ledger_says_where_it_came_from(
    archive, arrive, bundle, snapshot, git
):
    before = snapshot(bundle)

    admitted = arrive(bundle, expected=bag.identity(bundle), most=sum(map(len, before.values())))

    assert admitted.new
    assert admitted.identity == bag.identity(bundle)
    assert snapshot(archive.payload(admitted.bundle_id)) == before
    assert (admitted.files, admitted.octets) == (len(before), sum(map(len, before.values())))
    (event,) = ledger.events(archive, ["pulled"])
    assert (event.bundle, event.identity, event.detail) == (admitted.bundle_id, admitted.identity, ORIGIN.detail)
    assert labels.label(archive, admitted.bundle_id) == Label(name="base", tags=("good", "old"), note="a note")
    assert list(check(archive, admitted.bundle_id)) == []
    assert git(archive.root, "status", "--porcelain") == ""
    assert list(archive.staging.iterdir()) == []


def test_a_bundle_that_is_here_is_proven_where_it_is(archive, arrive, bundle):
    first = arrive(bundle)
    again = arrive(bundle)

    assert (again.new, again.bundle_id, again.remarks) == (False, first.bundle_id, ())
    assert len(list(ledger.events(archive, ["pulled"]))) == 1

    file = first.path / "data/results.json"
    file.chmod(0o644)
    file.write_bytes(b"{}")
    with pytest.raises(FixityError, match="is here, and damaged"):
        arrive(bundle)


def test_files_that_git_knows_of_come_back(archive, arrive, bundle, git):
    first = arrive(bundle)
    shutil.rmtree(first.path)
    shutil.rmtree(archive.root / ".dvc/cache")

    again = arrive(bundle)

    assert again.new
    assert list(check(archive, first.bundle_id)) == []
    assert git(archive.root, "status", "--porcelain") == ""


def test_another_seal_of_a_bundle_that_git_knows_is_not_put_in_its_place(archive, arrive, bundle):
    first = arrive(bundle)
    shutil.rmtree(first.path)
    seal_again(bundle, tags=("another",))

    with pytest.raises(FixityError, match="another seal") as caught:
        arrive(bundle)
    assert "reprokit pull" in caught.value.hint
    assert not first.path.exists()


def test_the_same_content_that_was_compressed_otherwise_is_the_bundle_that_is_here(
    archive, arrive, make_bundle, tmp_path, samples
):
    big = [msgspec.structs.replace(each, responses=[f"{each.id} " * 2000]) for each in samples("toy", 300)]
    make_bundle(tmp_path / "one", samples=big)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (stored,) = (tmp_path / "two/data/samples").iterdir()
    stored.write_bytes(_compressed_otherwise(stored))
    seal_again(tmp_path / "two", tags=("from-afar",))
    assert bag.identity(tmp_path / "one") != bag.identity(tmp_path / "two")

    first, second = arrive(tmp_path / "one"), arrive(tmp_path / "two")

    assert (second.bundle_id, second.identity, second.new) == (first.bundle_id, first.identity, False)
    assert "captured twice" in second.remarks[0]
    assert labels.label(archive, first.bundle_id).tags == ("from-afar",)

    shutil.rmtree(first.path)
    with pytest.raises(NotFoundError, match="whose files are not here"):
        arrive(tmp_path / "two")


def _compressed_otherwise(path: Path) -> bytes:
    import zstandard

    data = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    writer = zstandard.ZstdCompressor(level=19, write_checksum=True).compressobj()
    return writer.compress(data) + writer.flush()


def test_no_file_shares_its_bytes_with_whoever_brought_it(archive, bundle, tmp_path):
    with arrival(archive, "a test") as staging:
        sealed = staging / publication.BAG
        shutil.copytree(bundle, sealed, dirs_exist_ok=True)
        for name in ("bag-info.txt", "data/results.json", "data/samples/toy.jsonl"):
            os.link(sealed / name, tmp_path / name.replace("/", "-"))
            (sealed / name).chmod(0o4777)
        admitted = admit(archive, staging, ORIGIN)

    (tmp_path / "data-results.json").write_bytes(b"{}")
    assert list(bag.verify(admitted.path)) == []
    assert not any((admitted.path / path).stat().st_mode & 0o7111 for path, _ in bag.walk(admitted.path))


def test_who_cannot_register_now_says_so(archive, arrive, bundle):
    from filelock import FileLock

    with FileLock(archive.lock):
        admitted = arrive(bundle)

    assert admitted.new
    assert any("is not registered yet" in remark for remark in admitted.remarks)


# --- refused -------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_is_changed_is_noticed(bundle, data):
    paths = sorted(path for path, _ in bag.walk(bundle))
    path = bundle / data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    mask = data.draw(st.integers(1, 255))
    path.write_bytes(before[:place] + bytes([before[place] ^ mask]) + before[place + 1 :])
    try:
        with pytest.raises(FixityError):
            prove(bundle)
    finally:
        path.write_bytes(before)
    assert prove(bundle).identity == bag.identity(bundle)


CHANGES = {
    "a flipped byte": (lambda bundle: (bundle / "data/results.json").write_bytes(b"{}"), "E101"),
    "a missing file": (lambda bundle: (bundle / "data/samples/toy.jsonl").unlink(), "E102"),
    "no manifest": (lambda bundle: (bundle / "manifest-sha256.txt").unlink(), "E104"),
    "an extra file": (lambda bundle: (bundle / "data/extra").write_bytes(b""), "E103"),
    "an extra tag file": (lambda bundle: (bundle / "fetch.txt").write_bytes(b""), "E103"),
    "an empty folder": (lambda bundle: (bundle / "data/empty").mkdir(), "E103"),
    "a link": (lambda bundle: (bundle / "data/link").symlink_to("/etc/passwd"), "E105"),
    "a link to a folder": (lambda bundle: (bundle / "data/link").symlink_to("/etc"), "E105"),
    "a name for one file system": (lambda bundle: (bundle / "data/RESULTS.json").write_bytes(b"{}"), "E105"),
    "a name of a device": (lambda bundle: (bundle / "data/con.txt").write_bytes(b"{}"), "E105"),
    "a name of other bytes": (lambda bundle: (bundle / os.fsdecode(b"data/\xff")).write_bytes(b"{}"), "E105"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_as_it_was_sealed_is_refused(refused, bundle, change):
    alter, code = CHANGES[change]
    alter(bundle)

    error = refused(bundle)

    assert code in codes(error)
    assert error.exit_code is ExitCode.FIXITY
    assert "do not use this copy" in error.hint


@pytest.mark.parametrize("name", ["data/link", "data/results.json"])
def test_a_link_is_refused_also_when_it_is_sealed(refused, bundle, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (bundle / name).unlink(missing_ok=True)
    (bundle / name).symlink_to(secret)
    manifest = bundle / bag.MANIFEST
    digests = {**bag.read_manifest(bundle), name: hashlib.sha256(b"secret").hexdigest()}
    manifest.write_bytes(bag.render_manifest(digests))

    assert codes(refused(bundle)) == {"E105"}
    assert secret.read_text() == "secret"


def test_a_pipe_is_refused_and_nobody_waits_for_it(archive, bundle):
    with arrival(archive, "a test") as staging:
        shutil.copytree(bundle, staging / publication.BAG, dirs_exist_ok=True)
        os.mkfifo(staging / publication.BAG / "data/pipe")
        with pytest.raises(FixityError, match="not a regular file"):
            admit(archive, staging, ORIGIN)


@pytest.mark.parametrize("path", ["data/../../escaped", "/etc/escaped", "data//x", "data/./x", "data/a\\b", "data/c:x"])
def test_a_path_that_leads_out_is_refused(refused, bundle, path):
    manifest = bundle / bag.MANIFEST
    manifest.write_bytes(manifest.read_bytes() + f"{'0' * 64}  {path}\n".encode())

    assert "E104" in codes(refused(bundle))


def test_another_bundle_than_was_spoken_of_is_refused(refused, bundle):
    other = "sha256:" + "0" * 64

    error = refused(bundle, expected=other)

    assert other in error.message
    assert bag.identity(bundle) in error.message


def test_a_bundle_that_was_changed_and_sealed_again_has_not_its_id(refused, bundle):
    (bundle / "data/harness/results.json").write_bytes(b'{"acc": 0.9}\n')
    seal_again(bundle, rename=False)

    assert codes(refused(bundle)) >= {"E106"}


def test_a_bundle_that_is_named_for_another_run_is_refused(refused, bundle):
    name = bag.read_info(bundle).bundle_id
    seal_again(bundle, bundle_id=name.replace("tiny", "huge"))

    assert codes(refused(bundle)) == {"E106"}


@pytest.mark.parametrize("name", ["../../../escaped-", "x/y-", "-"])
def test_an_id_that_leads_elsewhere_is_refused(refused, bundle, name):
    seal_again(bundle, bundle_id=name + bag.identity(bundle)[7:15])

    assert "E106" in codes(refused(bundle))


def test_records_that_are_not_valid_are_refused(refused, bundle):
    record = open_bundle(bundle).record
    results = bundle / "data/results.json"
    results.write_bytes(results.read_bytes().replace(b'"metric": "acc"', b'"metric": 7'))
    digest = "sha256:" + bag.sha256_of(results)
    files = [
        msgspec.structs.replace(each, digest=digest, size=results.stat().st_size)
        if each.path == "results.json"
        else each
        for each in record.files
    ]
    (bundle / "data/bundle.json").write_bytes(canonical.record(msgspec.structs.replace(record, files=files)))
    content = bag.content_digest(_contents(bundle))
    seal_again(bundle, content_digest=content)

    error = refused(bundle, InvalidRecordError)

    assert "E202" in codes(error)
    assert error.exit_code is ExitCode.INVALID_RECORD


def pack_samples(bundle: Path, content: bytes, *, octets: int, digest: str) -> None:
    """Store the samples compressed, and say in the record how many bytes they have and which, true or not."""
    record = open_bundle(bundle).record
    files = [
        msgspec.structs.replace(each, size=octets, digest=digest, stored=f"{each.path}.zst")
        if each.role == "samples"
        else each
        for each in record.files
    ]
    (bundle / "data/samples/toy.jsonl").unlink()
    (bundle / "data/samples/toy.jsonl.zst").write_bytes(zstandard.compress(content))
    (bundle / "data/bundle.json").write_bytes(canonical.record(msgspec.structs.replace(record, files=files)))
    seal_again(bundle)


def test_a_bomb_is_refused_before_anything_is_unpacked(refused, bundle, monkeypatch):
    pack_samples(bundle, b"\n" * 1000, octets=1 << 40, digest="sha256:" + "0" * 64)
    monkeypatch.setattr(compression.zstandard, "ZstdDecompressor", lambda: pytest.fail("something is unpacked"))

    error = refused(bundle, InvalidRecordError)

    assert "unpack to 1099511627776" in error.message
    assert codes(error) == {"E205"}


def test_no_more_is_unpacked_than_the_record_says_there_is(refused, bundle, monkeypatch):
    pack_samples(bundle, b"{}\n" * 1_000_000, octets=99, digest="sha256:" + "0" * 64)
    looked_at = []
    monkeypatch.setattr("reprokit.bundle.validation._line_error", looked_at.append)

    assert "E205" in codes(refused(bundle))
    assert 0 < len(looked_at) <= 34


def test_samples_that_repeat_themselves_much_are_no_bomb(bundle):
    line = (bundle / "data/samples/toy.jsonl").read_bytes().splitlines(keepends=True)[0]
    content = line * 20_000
    pack_samples(bundle, content, octets=len(content), digest="sha256:" + hashlib.sha256(content).hexdigest())

    with pytest.raises(FixityError) as caught:  # the content digest that it was sealed with is another
        prove(bundle)
    assert codes(caught.value) == {"E106"}


def _contents(bundle):
    for path in bag.walk(bundle):
        if path[0].startswith("data/"):
            file = bundle / path[0]
            yield path[0].removeprefix("data/"), file.stat().st_size, "sha256:" + bag.sha256_of(file)


def test_a_format_of_the_future_is_not_called_damage(refused, bundle):
    seal_again(bundle, format=2)

    error = refused(bundle, NewerFormatError)

    assert error.exit_code is ExitCode.UNREADABLE
    assert "install a newer reprokit" in error.hint


def test_damage_is_not_called_a_format_of_the_future(refused, bundle):
    info = bundle / bag.INFO
    info.write_bytes(info.read_bytes().replace(b"Reprokit-Format: 1", b"Reprokit-Format: 2"))

    assert "E104" in codes(refused(bundle))


@pytest.mark.parametrize(
    ("name", "most"), [("data/results.json", 100_000), ("manifest-sha256.txt", None), ("bag-info.txt", None)]
)
def test_what_would_never_end_is_refused_unread(archive, bundle, name, most):
    with arrival(archive, "a test") as staging:
        shutil.copytree(bundle, staging / publication.BAG, dirs_exist_ok=True)
        os.truncate(staging / publication.BAG / name, 1 << 42)  # takes no room on the disk
        with pytest.raises(FixityError, match="bytes"):
            admit(archive, staging, ORIGIN, most=most)


def test_nothing_at_all_is_no_bundle_unless_somebody_said_that_it_is_one(archive):
    with arrival(archive, "a test") as staging:
        (staging / publication.BAG / "table.json").write_bytes(b"{}")
        with pytest.raises(NotFoundError, match="is no bundle"):
            admit(archive, staging, ORIGIN)
        with pytest.raises(FixityError, match=r"bagit\.txt"):
            admit(archive, staging, ORIGIN, expected="sha256:" + "0" * 64)


def test_a_stranger_s_bundle_of_the_same_id_does_not_hide_behind_the_one_that_is_here(archive, arrive, bundle):
    first = arrive(bundle)
    # As if somebody had found other content whose identity begins with the same digits.
    place = first.path
    elsewhere = place.with_name("kept")
    place.rename(elsewhere)
    shutil.copytree(bundle, place)
    (place / "data/results.json").write_bytes(b"{}")

    with pytest.raises(FixityError):
        arrive(bundle)


def test_an_archive_that_cannot_be_written_says_so(archive, bundle):
    archive.staging.parent.mkdir(exist_ok=True)
    archive.staging.write_bytes(b"")

    with pytest.raises(ReprokitError) as caught, arrival(archive, "a test"):
        pass
    assert not isinstance(caught.value, UnreadableError) or "cannot be written" in caught.value.message


# --- killed --------------------------------------------------------------------------------------------------------------

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from reprokit.archive import durable, publication, registration
from reprokit.archive.layout import Archive
from reprokit.sync.admission import taking_in as admission
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.admission.taking_in import Origin, admit, arrival

archive, bundle, moment = Archive(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

module, name = {"proving": (admission_proof, "prove"), "flushing": (durable, "flush_tree"),
                "moving": (publication, "_move"), "registering": (registration, "fold"),
                "noting": (admission.notes, "note")}[moment]
setattr(module, name, die)
with arrival(archive, "a test") as staging:
    shutil.copytree(bundle, staging / "bag", dirs_exist_ok=True)
    admit(archive, staging, Origin(event="pulled", verb="pull", detail={}, place="a test"))
"""


@pytest.mark.parametrize("moment", ["proving", "flushing", "moving", "registering", "noting"])
def test_who_is_killed_leaves_a_whole_bundle_or_none_and_nothing_that_grows(archive, bundle, arrive, moment):
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(archive.root), str(bundle), moment], check=False, capture_output=True
        )
        if done.returncode == 0:
            assert moment in {"registering", "noting"}  # the second time it is here, whole
            break
        assert done.returncode == -9, done.stderr

    whole = [archive.payload(each) for each in references.bundle_ids(archive)]
    assert len(whole) == (moment in {"registering", "noting"})
    assert all(not list(bag.verify(each)) for each in whole)
    assert len(list(archive.staging.iterdir())) <= 1

    admitted = arrive(bundle)
    assert list(check(archive, admitted.bundle_id)) == []
    assert list(archive.staging.iterdir()) == []
    assert admitted.bundle_id == naming.bundle_id(open_bundle(admitted.path).record, admitted.identity)
