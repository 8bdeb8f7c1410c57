"""Whole audits, in this process: what is looked at, what is kept, what is written down."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

import reprokit
from reprokit.archive import ledger
from reprokit.audit import spreading, summing
from reprokit.audit.conducting import Ways, conducted
from reprokit.audit.running import Wishes
from reprokit.bundle.finding import finding
from reprokit.errors import ExitCode, UsageError

OFFLINE = Ways(environ=os.environ, offline=True)
WORDS = ["one", "two", "three", "four"]


@pytest.fixture
def bundles(publish):
    return sorted(publish(word, fold=True) for word in WORDS)


def audited(archive, ways=OFFLINE, **wishes):
    with conducted(archive, Wishes(**wishes), ways) as found:
        return found.summary, {each.bundle: each for each in found.results()}


def codes(result):
    return {each.code for told in result.outcomes for each in told.findings}


def flip(archive, bundle, name="data/harness/results.json"):
    """Change a bit of a file that shares its bytes with its object, as a failing disk does."""
    path = archive.payload(bundle) / name
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    with path.open("r+b") as stream:
        stream.write(data)


def test_an_intact_archive_has_no_finding_and_every_byte_of_it_was_read(archive, bundles):
    summary, found = audited(archive)

    assert sorted(found) == bundles
    assert all(codes(each) == set() for each in found.values())
    assert (summary.read_whole, summary.not_reached, summary.findings) == (4, 0, [])
    payload = [path for each in bundles for path in archive.payload(each).rglob("*") if path.is_file()]
    assert (summary.files, summary.octets) == (len(payload), sum(path.stat().st_size for path in payload))


def test_the_ledger_keeps_what_came_of_each_bundle_in_one_commit(archive, bundles, git):
    before = git(archive.root, "rev-parse", "HEAD")
    audited(archive)

    events = list(ledger.events(archive, ["audited"]))
    assert sorted(each.bundle for each in events) == bundles
    assert {each.detail["read"] for each in events} == {"whole"}
    assert git(archive.root, "rev-parse", "HEAD~1") == before
    assert git(archive.root, "status", "--porcelain") == ""


def test_damage_to_one_bundle_is_told_of_that_bundle_alone(archive, bundles):
    flip(archive, bundles[1])

    summary, found = audited(archive)

    assert {bundle for bundle, each in found.items() if "E101" in codes(each)} == {bundles[1]}
    assert summary.counts.error == 1
    assert "E101" in next(each.reason for each in summary.grade if each.area == "integrity")


def test_what_was_read_not_long_ago_is_not_read_again_where_that_is_asked(archive, bundles):
    audited(archive)
    flip(archive, bundles[0])

    again, _ = audited(archive, since=dt.timedelta(days=90))
    whole, found = audited(archive)

    assert (again.read_whole, again.files) == (0, 0)
    assert whole.read_whole == 4
    assert "E101" in codes(found[bundles[0]])


def test_a_bundle_that_was_found_damaged_is_read_again_however_recently_it_was_read(archive, bundles):
    flip(archive, bundles[2])
    audited(archive)

    again, found = audited(archive, since=dt.timedelta(days=90))

    assert again.read_whole == 1
    assert "E101" in codes(found[bundles[2]])


def test_a_budget_leaves_bundles_for_the_next_time_which_begins_with_them(archive, bundles):
    none, _ = audited(archive, budget=0.0)
    one, first = audited(archive, bundles=[bundles[3]])
    _, found = audited(archive)

    assert (none.not_reached, one.read_whole) == (4, 1)
    assert list(first) == [bundles[3]]
    assert list(found)[-1] == bundles[3]


def test_a_sample_is_a_share_of_the_bundles(archive, bundles):
    summary, found = audited(archive, share=0.5)

    assert len(found) == 2
    assert summary.not_reached == 2


def test_the_content_of_a_bundle_is_looked_at_again_only_when_its_bytes_or_the_rules_change(
    archive, bundles, monkeypatch
):
    from reprokit.audit.families import format as formats

    looked = []
    monkeypatch.setattr(formats, "validate_records", lambda folder: looked.append(folder.name) or iter(()))

    audited(archive)
    audited(archive)
    assert looked == bundles
    flip(archive, bundles[0])
    audited(archive)
    assert looked == [*bundles, bundles[0]]
    audited(archive, deep=True)
    assert sorted(looked[5:]) == bundles


def test_what_the_capture_noted_is_no_news_and_what_is_found_anew_is(archive, publish, record):
    told = finding("W318", "toy", "acc is 0.5, and the mean of its samples is 0.25")
    noted = publish("noted", fold=True, record=record(findings=[finding("W306", "toy", "4 of 10")]))

    _, found = audited(archive)

    assert codes(found[noted]) == set()
    assert told.code not in codes(found[noted])


@pytest.mark.parametrize("jobs", ["threads", "processes"])
def test_many_at_a_time_find_the_same(archive, bundles, jobs):
    flip(archive, bundles[1])
    _, alone = audited(archive)

    if jobs == "threads":
        with ThreadPoolExecutor(3) as pool:
            ways = Ways(environ=os.environ, offline=True, executors=spreading.given(pool), most=3)
            _, together = audited(archive, ways)
    else:
        ways = Ways(environ=os.environ, offline=True, executors=spreading.processes(2), most=2)
        _, together = audited(archive, ways)

    assert {each: codes(told) for each, told in together.items()} == {each: codes(told) for each, told in alone.items()}


def test_a_bundle_that_is_not_here_is_unknown(archive, bundles, git, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(archive.root), str(clone))
    from reprokit.archive.layout import Archive

    summary, found = audited(Archive(clone))

    assert git(clone, "status", "--porcelain") == ""
    assert summary.counts.error == 0
    assert all(each.read == "nothing" and each.state == "warning" for each in found.values())
    assert all(told.state == "unknown" for each in found.values() for told in each.outcomes if told.family == "fixity")


def test_what_is_wrong_with_the_archive_itself_is_told_of_no_bundle(archive, bundles):
    (archive.bundles / "2026-11" / "notes").mkdir(exist_ok=True)

    summary, _ = audited(archive)

    assert [each.code for each in summary.findings] == ["E118"]
    assert summary.counts.error == 0


def test_a_bundle_that_a_commit_removed_is_missed_until_it_is_said_to_be_meant(archive, bundles, git):
    git(archive.root, "rm", "-q", "--cached", str(archive.pointer(bundles[0])), str(archive.entry(bundles[0])))
    git(archive.root, "commit", "-qm", "remove it")
    shutil.rmtree(archive.payload(bundles[0]))
    archive.pointer(bundles[0]).unlink()
    archive.entry(bundles[0]).unlink()

    summary, found = audited(archive)

    assert [(each.code, each.where) for each in summary.findings] == [("E119", bundles[0])]
    assert sorted(found) == bundles[1:]

    settings = archive.root / "reprokit.toml"
    settings.write_text(f'{settings.read_text()}[audit]\nremoved = ["{bundles[0]}"]\n')
    assert audited(archive)[0].findings == []


def test_what_a_repair_mended_of_the_archive_is_no_finding_any_more(archive, bundles, tmp_path):
    aside = tmp_path / "aside"
    (archive.bundles / "notes.txt").write_text("x")

    def mend(_):
        if not aside.exists():
            (archive.bundles / "notes.txt").rename(aside)

    wishes, ways = Wishes(), dataclasses.replace(OFFLINE, repair=True)
    with conducted(archive, wishes, ways, mend=mend) as found:
        assert found.summary.findings == []


def test_what_there_is_to_say_of_a_drill_is_told_with_the_archive(archive, bundles):
    told = finding("W464", bundles[0], "its command is not known")
    with conducted(archive, Wishes(), OFFLINE, drilled=[told]) as found:
        assert found.summary.findings == [told]
        assert summing.exit_code(found.summary, found.results, strict=False) is ExitCode.DIFFERENCES


def test_what_was_not_reached_is_unknown_to_whoever_wants_it_to_the_letter(archive, bundles):
    with conducted(archive, Wishes(budget=0.0, families=frozenset({"fixity"})), OFFLINE) as found:
        assert found.summary.not_reached == len(bundles)
        assert summing.exit_code(found.summary, found.results, strict=False) is ExitCode.FINE
        assert summing.exit_code(found.summary, found.results, strict=True) is ExitCode.DIFFERENCES


def test_a_policy_that_cannot_be_followed_ends_the_audit_before_it_begins(archive, bundles):
    path = archive.root / "reprokit.toml"
    path.write_text(path.read_text() + "[audit]\nduplicates = 2\n")

    with pytest.raises(UsageError, match="duplicates"):
        audited(archive)


def test_python_gets_the_whole_report_as_a_value(archive, bundles):
    report = reprokit.audit(archive=archive.root, offline=True, families=["fixity", "format"])

    assert sorted(each.bundle for each in report.bundles) == bundles
    assert {told.family for each in report.bundles for told in each.outcomes} == {"fixity", "format"}


def exit_code(*found, strict=False, unknown=0):
    from reprokit.audit.values import Counts, Summary

    time = "2026-11-23T03:15:47Z"
    summary = Summary(archive="a", started=time, ended=time, counts=Counts(unknown=unknown), findings=list(found))
    return summing.exit_code(summary, lambda: iter(()), strict=strict)


def test_bytes_weigh_more_than_records_and_those_more_than_the_rest():
    byte, record, rest = finding("E101", "x"), finding("E202", "x"), finding("W401", "x")

    assert exit_code() == ExitCode.FINE
    assert exit_code(rest) == ExitCode.DIFFERENCES
    assert exit_code(rest, record) == ExitCode.INVALID_RECORD
    assert exit_code(rest, record, byte) == ExitCode.FIXITY
    assert exit_code(finding("E110", "x")) == exit_code(finding("E403", "x")) == ExitCode.FIXITY


def test_what_is_unknown_is_a_finding_only_where_it_is_asked_for_to_the_letter():
    assert exit_code(unknown=1) == ExitCode.FINE
    assert exit_code(unknown=1, strict=True) == ExitCode.DIFFERENCES


def test_a_result_reads_back_as_it_was_written(archive, bundles):
    _, found = audited(archive)
    from reprokit.audit.values import Audited
    from reprokit.bundle import canonical

    for each in found.values():
        assert msgspec.json.decode(canonical.line(each), type=Audited) == each


# --- what may not be called whole ---------------------------------------------------------------------------------------


def test_damage_that_was_found_once_is_not_forgotten_by_the_next_audit_that_reads_little(archive, bundles):
    audited(archive)
    flip(archive, bundles[1])
    audited(archive)

    summary, found = audited(archive, since=dt.timedelta(days=90))

    assert summary.read_whole == 1
    assert "E101" in codes(found[bundles[1]])


def test_a_bundle_of_which_only_git_knows_any_more_is_missed(archive, bundles):
    shutil.rmtree(archive.payload(bundles[0]))
    archive.pointer(bundles[0]).unlink()
    archive.entry(bundles[0]).unlink()

    _, found = audited(archive)

    assert {"E107", "E108"} <= codes(found[bundles[0]])


def test_a_bundle_of_which_no_copy_is_known_at_all_is_missed(archive, bundles):
    shutil.rmtree(archive.payload(bundles[0]))

    _, found = audited(archive)

    assert codes(found[bundles[0]]) == {"W401"}


def test_a_marker_does_not_excuse_a_missing_pointer_that_git_knows(archive, bundles):
    marker = archive.pending / f"{bundles[0]}.abc.json"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(f'{{"bundle":"{bundles[0]}","published":"2026-11-23T00:00:00Z","staged":"abc/bag"}}\n')
    archive.pointer(bundles[0]).unlink()

    _, found = audited(archive)

    assert "E107" in codes(found[bundles[0]])
    assert not archive.pointer(bundles[0]).exists()  # an audit writes nothing of a bundle


def forge(archive, bundle):
    """Let pointer and listing say of a file what is not so, in agreement with each other and with the cache."""
    from reprokit.archive import cache, dvc

    folder, store = archive.payload(bundle), cache.of(archive)
    pointer = dvc.read_pointer(archive.pointer(bundle))
    files = {**dvc.read_listing(store, pointer.oid), "data/results.json": "0" * 32}
    place = store.place("0" * 32)
    place.parent.mkdir(parents=True, exist_ok=True)
    os.link(folder / "data/results.json", place)
    listing = dvc.Listing(files=files, size=pointer.size)
    cache.store_bytes(store, listing.encode(), listing.oid)
    archive.pointer(bundle).write_bytes(dvc.encode(dvc.pointer_to(folder, listing)))


def test_a_pointer_and_a_listing_that_agree_with_each_other_are_held_against_git(archive, bundles):
    forge(archive, bundles[0])

    _, found = audited(archive)

    assert "E107" in codes(found[bundles[0]])


def test_what_was_forged_in_git_too_is_found_when_every_digest_is_computed(archive, bundles, git):
    forge(archive, bundles[0])
    git(archive.root, "commit", "-qam", "a forgery")

    _, found = audited(archive, deep=True)

    assert "E109" in codes(found[bundles[0]])


def test_a_record_cannot_excuse_damage_that_it_names_beforehand(archive, publish, record):
    wrong = finding("E102", "data/harness/results.json")
    bundle = publish("hostile", fold=True, record=record(findings=[wrong]))
    (archive.payload(bundle) / "data/harness/results.json").unlink()

    _, found = audited(archive)

    assert wrong in [each for told in found[bundle].outcomes for each in told.findings]


def test_a_reading_that_is_yet_to_come_spares_no_reading(archive, bundles):
    audited(archive)
    (event,) = [each for each in ledger.events(archive, ["audited"]) if each.bundle == bundles[0]]
    ledger.append(archive, [msgspec.structs.replace(event, time="2099-01-01T00:00:00Z")])

    _, found = audited(archive, since=dt.timedelta(days=90))

    assert found[bundles[0]].read == "whole"


def interrupted(archive, after):
    """Begin an audit and break it off after some bundles."""

    def watch(done, _of, _bundle):
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), conducted(archive, Wishes(), OFFLINE, watch=watch):
        pass


def test_an_interrupted_audit_goes_on_but_not_with_what_no_longer_holds(archive, bundles):
    interrupted(archive, 3)
    (archive.payload(bundles[0]) / "data/results.json").unlink()

    summary, found = audited(archive)

    assert summary.resumed == 2
    assert "E102" in codes(found[bundles[0]])


def test_what_came_with_a_copy_of_the_archive_is_not_believed(archive, bundles, tmp_path):
    audited(archive)
    interrupted(archive, 3)
    from reprokit.archive.layout import Archive

    copy = Archive(shutil.copytree(archive.root, tmp_path / "copy", copy_function=shutil.copy))
    summary, _ = audited(copy)

    assert (summary.resumed, summary.read_whole) == (0, 4)


def test_a_repair_is_not_spared_by_an_audit_that_was_interrupted(archive, bundles):
    from dataclasses import replace

    interrupted(archive, 3)

    summary, _ = audited(archive, replace(OFFLINE, repair=True))

    assert summary.resumed == 0


def test_a_damaged_file_is_no_fault_of_the_pointer_or_the_catalog(archive, bundles):
    flip(archive, bundles[1])
    (archive.payload(bundles[2]) / "data/results.json").unlink()

    _, found = audited(archive)

    for bundle in bundles[1:3]:
        assert not {"E107", "E108"} & codes(found[bundle])


def test_a_damaged_pointer_is_no_fault_of_the_copies(archive, bundles):
    path = archive.pointer(bundles[0])
    path.write_text(path.read_text().replace("- md5: ", "- md5: 0", 1))

    _, found = audited(archive)

    assert "E107" in codes(found[bundles[0]])
    assert not {"W401", "W402"} & codes(found[bundles[0]])
