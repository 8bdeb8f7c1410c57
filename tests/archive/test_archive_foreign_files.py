"""Pipes, links and files without end in the place of an archive's records; settings that name nobody's home."""

from __future__ import annotations

import os
import signal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.archive import (
    cache,
    catalog,
    creation,
    dvc,
    ledger,
    months,
    pending,
    publication,
    registration,
    settings,
    small_file,
    validation,
)
from reprokit.archive.location import find, locate
from reprokit.bundle import canonical
from reprokit.bundle.reading import open_bundle
from reprokit.errors import InvalidRecordError, ReprokitError, UnreadableError, UsageError


@pytest.fixture(autouse=True)
def no_hang():
    def stop(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path):
    os.mkfifo(path)


def link(path):
    path.symlink_to(path.with_name(path.name + "-elsewhere"))
    path.with_name(path.name + "-elsewhere").write_text("{}")


def folder(path):
    path.mkdir()


def without_end(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room


STRANGE = [pipe, link, folder, without_end]
strange = pytest.mark.parametrize("put", STRANGE, ids=lambda put: put.__name__)


def replaced(path, put):
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path)
    return path


@strange
def test_only_a_regular_file_of_bounded_size_is_read(tmp_path, put):
    with pytest.raises(OSError, match="record"):
        small_file.read(replaced(tmp_path / "record", put))


def test_a_file_of_exactly_the_largest_size_is_read(tmp_path):
    (tmp_path / "record").write_bytes(b"abc")

    assert small_file.read(tmp_path / "record", most=3) == b"abc"
    with pytest.raises(OSError, match="large"):
        small_file.read(tmp_path / "record", most=2)


@strange
def test_records_of_the_archive_are_read_that_way(archive, publish, put):
    bundle = publish(fold=True)
    (events,) = ledger.batches(archive)
    oid = dvc.read_pointer(archive.pointer(bundle)).oid
    for path, reading, error in (
        (archive.entry(bundle), lambda: catalog.read(archive, bundle), InvalidRecordError),
        (events, lambda: list(ledger.events(archive)), InvalidRecordError),
        (archive.pointer(bundle), lambda: dvc.read_pointer(archive.pointer(bundle)), ReprokitError),
        (cache.of(archive).place(oid), lambda: dvc.read_listing(cache.of(archive), oid), ReprokitError),
    ):
        replaced(path, put)

        with pytest.raises(error):
            reading()
    assert {found.code for found in validation.check(archive, bundle)} >= {"E107", "E108"}
    assert {found.code for _, found in validation.check_ledger(archive)} == {"E116"}


@pytest.mark.parametrize("put", [pipe, folder, without_end], ids=lambda put: put.__name__)
def test_settings_that_are_no_file_are_told(tmp_path, put):
    replaced(tmp_path / "reprokit.toml", put)

    with pytest.raises(UnreadableError, match=r"reprokit\.toml"):
        locate(None, environment={}, directory=tmp_path)


def test_settings_may_be_a_link_as_people_keep_theirs_elsewhere(archive, tmp_path):
    (tmp_path / "dotfiles.toml").write_text(f'archive = "{archive.root}"')
    (tmp_path / "reprokit.toml").symlink_to("dotfiles.toml")

    assert locate(None, environment={}, directory=tmp_path) == archive


def test_settings_that_are_nested_without_end_are_told(tmp_path):
    (tmp_path / "reprokit.toml").write_text("archive = " + "[" * 100_000)

    with pytest.raises(UnreadableError):
        locate(None, environment={}, directory=tmp_path)


@pytest.mark.parametrize("put", [pipe, folder, without_end], ids=lambda put: put.__name__)
def test_settings_of_dvc_that_are_no_file_say_nothing(archive, put):
    replaced(archive.root / ".dvc" / "config.local", put)

    assert cache.of(archive).directory == archive.root / ".dvc" / "cache" / "files" / "md5"


def test_the_home_of_nobody_is_told_wherever_it_is_named(archive, tmp_path):
    nobody = "~nobody-of-this-name/archive"
    (tmp_path / "reprokit.toml").write_text(f'archive = "{nobody}"')
    (archive.root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {nobody}\n")
    for finding in (
        lambda: find(settings.Path(nobody), environment={}, directory=tmp_path),
        lambda: find(None, environment={"REPROKIT_ARCHIVE": nobody}, directory=tmp_path),
        lambda: find(None, environment={}, directory=tmp_path),
        lambda: creation.create(settings.Path(nobody)),
        lambda: cache.of(archive),
    ):
        with pytest.raises(UsageError, match="there is no home folder `~nobody-of-this-name`"):
            finding()


def test_it_is_said_who_named_the_archive(archive, tmp_path, own_home):
    def named_by(named=None, directory=tmp_path, **environment):
        return find(named, environment=environment, directory=directory).named_by

    assert named_by(archive.root) == "`--archive`"
    assert named_by(REPROKIT_ARCHIVE=str(archive.root)) == "`REPROKIT_ARCHIVE`"
    assert named_by(directory=archive.bundles) == "the folder you are in"
    (tmp_path / "reprokit.toml").write_text('archive = "archive"')
    assert named_by() == f"`{tmp_path / 'reprokit.toml'}`"
    (tmp_path / "reprokit.toml").unlink()
    own = own_home / ".config" / "reprokit" / "reprokit.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'archive = "{archive.root}"')
    assert named_by() == f"`{own}`"


def test_a_setting_that_nobody_reads_is_a_finding_and_stops_nothing(archive, tmp_path):
    (tmp_path / "reprokit.toml").write_text(f'archive = "{archive.root}"\n[Capture]\nx = 1\n')

    (found,) = settings.unknown_keys(tmp_path / "reprokit.toml")

    assert (found.code, found.severity) == ("W357", "warning")
    assert found.message.endswith("`Capture`; did you mean `capture`?")
    assert locate(None, environment={}, directory=tmp_path) == archive
    (tmp_path / "reprokit.toml").write_text("broken =")
    assert list(settings.unknown_keys(tmp_path / "reprokit.toml")) == []


# --- the ledger proves itself ------------------------------------------------------------------------------------------


def test_any_changed_byte_of_the_ledger_is_found(archive, publish):
    publish(fold=True)
    (path,) = ledger.batches(archive)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])

        assert [found.code for found in ledger.check(archive)] == ["E116"], f"byte {position}"


@pytest.mark.parametrize(
    "name", ["2026-11/notes.txt", "stray", "2026-11/20261124T101010Z-captured-00000000.jsonl", "2026-11/x/y"]
)
def test_what_does_not_belong_into_the_ledger_is_found(archive, publish, name):
    publish(fold=True)
    stray = archive.ledger / name
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_text("")

    assert [found.code for found in ledger.check(archive)] == ["E116"]


def test_a_month_of_the_ledger_that_is_a_link_is_found_and_not_followed(archive, publish):
    publish(fold=True)
    (path,) = ledger.batches(archive)
    path.parent.rename(archive.root / "elsewhere")
    path.parent.symlink_to("../elsewhere")

    assert ledger.batches(archive) == []
    assert [found.code for found in ledger.check(archive)] == ["E116"]


def test_an_event_at_no_time_is_told(archive):
    path = archive.ledger / "2026-11" / "20261199T990000Z-tagged-00000000.jsonl"
    path.parent.mkdir(parents=True)
    line = {"bundle": "b", "event": "tagged", "identity": "sha256:" + "0" * 64, "time": "2026-11-99T99:00:00Z"}
    path.write_bytes(canonical.line(line) + b"\n")

    with pytest.raises(InvalidRecordError):
        list(ledger.events(archive))


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert list(months.inside(tmp_path / "absent")) == []


# --- entries of other versions -----------------------------------------------------------------------------------------


@pytest.fixture
def derived(archive, publish):
    bundle = publish(fold=True)
    return archive.entry(bundle).read_bytes(), catalog.derive(open_bundle(archive.payload(bundle)))


class Later(catalog.Entry, frozen=True, kw_only=True):
    """An entry as a later version may derive it."""

    datasets: tuple[str, ...] = ()
    pages: catalog.ModelSummary | None = None


def later_of(entry):
    return Later(
        **msgspec.structs.asdict(entry), datasets=("gsm8k",), pages=catalog.ModelSummary(name="m", revision="r")
    )


def test_an_entry_of_this_version_is_equal_to_the_byte(derived):
    written, expected = derived

    assert catalog.difference(written, expected) is None


def test_an_entry_of_an_older_version_lacks_fields_and_is_fair(derived):
    written, expected = derived

    assert catalog.difference(written, later_of(expected)) is None


def test_an_entry_of_a_later_version_has_fields_more_and_is_fair(derived):
    _, expected = derived

    assert catalog.difference(canonical.record(later_of(expected)), expected) is None


def test_to_lack_a_field_and_have_a_strange_one_is_of_no_version(derived):
    _, expected = derived
    written = canonical.record(later_of(expected)).replace(b'"datasets"', b'"databets"')

    assert catalog.difference(written, later_of(expected)) == "it has no `datasets`, but a `databets`"


def test_fields_that_every_version_has_must_be_there_and_equal(derived):
    written, expected = derived
    lacking = canonical.record({**canonical.decode_loosely(written), "note": None, "later": 1})
    del (value := canonical.decode_loosely(lacking))["identity"]

    assert "identity" in catalog.difference(canonical.record(value), expected)
    assert catalog.difference(lacking.replace(b'"samples": 4', b'"samples": 5'), expected) == "`samples` differs"
    assert (
        catalog.difference(lacking.replace(b'"value": 0.5', b'"value": 0.25'), expected) == "`metrics/0/value` differs"
    )
    assert catalog.difference(lacking + b"\n", expected) == "it is not in its one spelling"
    assert catalog.difference(lacking.replace(b"true", b"1"), expected) is not None


@given(st.binary())
def test_no_bytes_are_an_entry_by_chance(data):
    entry = catalog.Entry(
        id="i",
        identity="sha256:" + "0" * 64,
        content_digest="sha256:" + "0" * 64,
        captured="2026-11-24T00:00:00Z",
        name=None,
        tags=[],
        note=None,
        origin="live",
        harness="h",
        harness_version="1",
        models=[],
        started="2026-11-24T00:00:00Z",
        exit_code=0,
        complete=True,
        metrics=[],
        samples=0,
        findings=[],
        sources=[],
        reproduces=None,
        payload_octets=0,
        payload_files=0,
    )

    assert catalog.difference(data, entry) is not None
    assert catalog.difference(b"[" * 100_000, entry) is not None


# --- what a copy keeps to itself ---------------------------------------------------------------------------------------


@strange
def test_private_records_are_read_that_way_and_passed_over(archive, publish, put):
    staging = publication.stage(archive)
    replaced(staging / publication.OWNER, put)
    replaced(archive.private / "journal.json", put)
    waiting = publish()
    replaced(archive.pending / "20261124T101010Z-lm_eval-m-1f3a9c20.x.json", put)

    assert publication.abandoned(archive) == []
    assert list(pending.waiting(archive)) == [waiting]
    # A folder is the one thing that a new journal cannot take the place of.
    assert registration.fold(archive).left == ((waiting,) if put is folder else ())
