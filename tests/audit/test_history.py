"""What audits leave in the ledger, and what is read from it again."""

from __future__ import annotations

import shutil
import tracemalloc

import pytest

from reprokit.archive import dvc, ledger
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.audit import history
from reprokit.audit.statements import Fact, NotKnown, outcome
from reprokit.audit.values import Audited, Level
from reprokit.bundle.finding import finding

BUNDLE = "20261123T031547Z-lm_eval-tiny-gpt2-{:08x}"
STARTED = "2026-11-24T10:00:00Z"


def identity_of(number: int) -> str:
    return f"sha256:{number:064x}"


def result(number: int = 1, *, fixity=(), state="good", read="whole", at=STARTED, **more) -> Audited:
    told = [outcome("fixity", [*fixity, Fact(where="files", told="all")])]
    told.append(outcome("copies", [NotKnown(where="remote nas", because="it is away")]))
    return Audited(
        bundle=BUNDLE.format(number),
        identity=more.pop("identity", identity_of(number)),
        state=state,
        read=read,
        at=at,
        outcomes=told,
        grade=[Level(area="storage", level=2, reason="three whole copies")],
        **more,
    )


def events(archive, kind="audited"):
    return list(ledger.events(archive, [kind]))


def reproduced(archive, time, verdict, tier="rerun", number=1):
    event = Event(
        event="reproduced",
        time=time,
        bundle=BUNDLE.format(number),
        identity=identity_of(number),
        detail={"tier": tier, "verdict": verdict, "reason": "…"},
    )
    ledger.append(archive, [event])


def test_an_audit_leaves_one_event_for_each_bundle_and_one_commit(archive, git):
    before = int(git(archive.root, "rev-list", "--count", "HEAD"))
    results = [
        result(1),
        result(2, fixity=[finding("E101", "data/results.json"), finding("W301", "harness")], state="error"),
    ]

    assert history.note(archive, results, STARTED) is None

    first, second = events(archive)
    copy = first.detail.pop("copy")
    assert first.detail == {
        "audit": STARTED,
        "read": "whole",
        "state": "good",
        "fixity": "good",
        "errors": 0,
        "warnings": 0,
        "unknown": 1,
        "levels": {"storage": 2},
    }
    assert (second.detail["fixity"], second.detail["errors"], second.detail["warnings"]) == ("error", 1, 1)
    assert second.detail["copy"] == copy
    assert (first.bundle, first.identity, first.time) == (BUNDLE.format(1), identity_of(1), STARTED)
    assert git(archive.root, "status", "--porcelain") == ""
    assert int(git(archive.root, "rev-list", "--count", "HEAD")) == before + 1
    assert git(archive.root, "log", "-1", "--format=%s") == "audit 2 bundles\n"
    assert list(ledger.check(archive)) == []


def test_many_bundles_are_written_in_batches_and_writing_them_again_changes_nothing(archive, git):
    results = [result(number) for number in range(1200)]

    history.note(archive, iter(results), STARTED)
    head = git(archive.root, "rev-parse", "HEAD")
    history.note(archive, iter(results), STARTED)

    assert [len(ledger.read(path)) for path in ledger.batches(archive, ["audited"])].count(500) == 2
    assert len(events(archive)) == 1200
    assert git(archive.root, "rev-parse", "HEAD") == head


def test_an_audit_of_nothing_leaves_nothing(archive, git):
    head = git(archive.root, "rev-parse", "HEAD")

    assert history.note(archive, [], STARTED) is None

    assert events(archive) == []
    assert git(archive.root, "rev-parse", "HEAD") == head


def test_a_bundle_that_cannot_tell_its_identity_is_noted_by_what_git_keeps_of_it(archive, publish):
    bundle = publish("one", fold=True)
    identity = dvc.read_pointer(archive.pointer(bundle)).identity
    unreadable = Audited(bundle=bundle, identity=None, state="error", read="whole", at=STARTED, outcomes=[])

    history.note(archive, [unreadable], STARTED)
    assert events(archive)[0].identity == identity

    archive.pointer(bundle).unlink()
    history.note(archive, [unreadable], "2026-11-25T10:00:00Z")
    assert [each.identity for each in events(archive)] == [identity, identity]


def test_what_git_will_not_take_now_is_told_and_is_on_disk(archive):
    (archive.root / ".git/index.lock").touch()

    assert history.note(archive, [result()], STARTED) is not None

    assert len(events(archive)) == 1


# --- when it was read -------------------------------------------------------------------------------------------------


def last_read(archive, number=1, identity="its own"):
    identity = identity_of(number) if identity == "its own" else identity
    return history.last_read(history.read(archive), BUNDLE.format(number), identity)


def test_the_newest_whole_reading_without_an_error_of_fixity_counts(archive):
    assert last_read(archive) is None
    history.note(archive, [result(at="2026-11-02T00:00:00.5Z")], "2026-11-02T00:00:00Z")
    history.note(archive, [result(at="2026-11-02T00:00:00Z")], "2026-11-01T00:00:00Z")
    assert last_read(archive) == "2026-11-02T00:00:00.5Z"

    history.note(archive, [result(at="2026-11-05T00:00:00Z", read="names")], "2026-11-05T00:00:00Z")
    assert last_read(archive) == "2026-11-02T00:00:00.5Z"
    damaged = result(at="2026-11-06T00:00:00Z", fixity=[finding("E101", "data/a")], state="error")
    history.note(archive, [damaged], "2026-11-06T00:00:00Z")
    assert last_read(archive) is None  # what was found since is not forgotten

    # What else is wrong with it has nothing to do with its bytes.
    history.note(archive, [result(at="2026-11-07T00:00:00Z", state="error")], "2026-11-07T00:00:00Z")
    assert last_read(archive) == "2026-11-07T00:00:00Z"


def test_a_bundle_that_was_changed_counts_as_unread(archive):
    history.note(archive, [result(1)], STARTED)

    assert last_read(archive, identity=identity_of(2)) is None
    assert last_read(archive, identity=None) == STARTED
    assert last_read(archive, number=2) is None


def test_what_was_read_in_one_copy_of_the_archive_says_nothing_of_another(archive, git, tmp_path):
    history.note(archive, [result(1)], STARTED)
    git(tmp_path, "clone", "-q", str(archive.root), "clone")
    clone = Archive(tmp_path / "clone")

    assert last_read(clone) is None

    history.note(clone, [result(1, at="2026-11-30T00:00:00Z")], "2026-11-30T00:00:00Z")
    assert last_read(clone) == "2026-11-30T00:00:00Z"
    shutil.copytree(clone.ledger, archive.ledger, dirs_exist_ok=True)
    assert last_read(archive) == STARTED


@pytest.mark.parametrize("word", ["", "../../x", "0" * 17])
def test_a_word_for_the_copy_that_nobody_made_up_is_replaced(archive, word):
    history.note(archive, [result(1)], STARTED)
    (archive.private / "copy").write_text(word)

    assert last_read(archive) is None
    history.note(archive, [result(1)], STARTED)
    assert last_read(archive) == STARTED


def test_a_damaged_file_of_the_ledger_hides_nothing_else(archive):
    history.note(archive, [result(1)], STARTED)
    history.note(archive, [result(2)], "2026-11-25T10:00:00Z")
    (damaged,) = [path for path in ledger.batches(archive, ["audited"]) if ledger.read(path)[0].bundle[-1] == "2"]
    damaged.chmod(0o644)
    damaged.write_bytes(b"{")

    assert last_read(archive) == STARTED
    assert last_read(archive, number=2) is None
    assert len(history.past(archive)) == 1


# --- reproductions ----------------------------------------------------------------------------------------------------


def known(archive, number=1):
    return history.last_reproduced(history.read(archive), BUNDLE.format(number), identity_of(number))


def test_runs_and_recomputed_scores_are_told_apart(archive):
    reproduced(archive, "2026-11-03T00:00:00Z", "identical scores", "rescore")
    reproduced(archive, "2026-11-02T00:00:00Z", "equivalent", "smoke")
    reproduced(archive, "2026-11-04T00:00:00Z", "identical bytes", "verify")

    found = known(archive)

    assert (found.run.time, found.run.verdict, found.run.tier) == ("2026-11-02T00:00:00Z", "equivalent", "smoke")
    assert found.succeeded == found.run
    assert found.rescored.time == "2026-11-03T00:00:00Z"


def test_a_newer_failure_does_not_hide_the_older_success_nor_the_reverse(archive):
    reproduced(archive, "2026-11-01T00:00:00Z", "different")
    reproduced(archive, "2026-11-03T00:00:00Z", "different")
    reproduced(archive, "2026-11-02T00:00:00Z", "identical samples")

    found = known(archive)

    assert found.run.time == "2026-11-03T00:00:00Z"
    assert found.succeeded.time == "2026-11-02T00:00:00Z"


@pytest.mark.parametrize("verdict", ["inconclusive", "different", "not comparable", "a verdict of nobody's", None])
def test_only_what_is_at_least_equivalent_is_reproduced(archive, verdict):
    reproduced(archive, "2026-11-01T00:00:00Z", verdict)
    reproduced(archive, "2026-11-02T00:00:00Z", "identical scores", "rescore")

    assert not history.is_reproduced(history.read(archive), BUNDLE.format(1), identity_of(1))

    reproduced(archive, "2026-11-03T00:00:00Z", "equivalent")
    assert history.is_reproduced(history.read(archive), BUNDLE.format(1), identity_of(1))
    assert not history.is_reproduced(history.read(archive), BUNDLE.format(1), identity_of(2))


def test_a_bundle_of_which_only_the_capture_is_noted_has_no_actions(archive, publish):
    bundle = publish("one", fold=True)
    assert not history.has_actions(history.read(archive), bundle)

    history.note(
        archive, [Audited(bundle=bundle, identity=None, state="good", read="whole", at=STARTED, outcomes=[])], STARTED
    )
    assert not history.has_actions(history.read(archive), bundle)  # to look at it is to do nothing about it


# --- earlier audits ---------------------------------------------------------------------------------------------------


def test_earlier_audits_are_counted_oldest_first(archive):
    history.note(archive, [result(1), result(2, state="error"), result(3, state="unknown", read="names")], STARTED)
    history.note(archive, [result(1, state="warning", at="2026-11-01T10:00:00Z")], "2026-11-01T10:00:00Z")

    older, newer = history.past(archive)

    assert (older.time, older.counts.warning, older.counts.all) == ("2026-11-01T10:00:00Z", 1, 1)
    assert newer.time == STARTED
    assert (newer.counts.good, newer.counts.error, newer.counts.unknown, newer.counts.all) == (1, 1, 1, 3)
    assert newer.read_whole == 2


@pytest.mark.parametrize("audit", [None, 7, "yesterday", "2026-13-45T00:00:00Z"])
def test_an_event_that_names_no_audit_is_of_none(archive, audit):
    detail = {"audit": audit, "read": "whole", "state": "good"}
    ledger.append(
        archive,
        [Event(event="audited", time=STARTED, bundle=BUNDLE.format(1), identity=identity_of(1), detail=detail)],
    )

    assert history.past(archive) == []


def test_memory_grows_with_bundles_and_not_with_audits(archive):
    def kept() -> int:
        tracemalloc.start()
        found = history.read(archive)
        octets, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(found.read) == 500
        return octets

    results = [result(number) for number in range(500)]
    history.note(archive, results, STARTED)
    after_one = kept()
    for day in range(1, 6):
        history.note(archive, results, f"2026-12-0{day}T00:00:00Z")

    assert kept() < 1.2 * after_one
    assert after_one < 500 * 800
