"""The journal of an audit: an interrupted one goes on where it was, and no result is there twice."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from reprokit.audit.journal import open_journal
from reprokit.audit.values import Audited
from reprokit.errors import UnreadableError, UsageError


def always(_):
    return True


def result(name, state="good"):
    return Audited(bundle=name, identity=None, state=state, read="whole", at="2026-11-23T03:15:47Z", outcomes=[])


def names(journal):
    return [each.bundle for each in journal.results()]


def test_an_interrupted_audit_goes_on_where_it_was(tmp_path):
    def interrupted():
        with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
            journal.add(result("a"))
            journal.add(result("b"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        assert (journal.done, journal.earlier) == ({"a", "b"}, 2)
        journal.add(result("c"))
        assert names(journal) == ["a", "b", "c"]


def test_a_line_that_a_kill_left_half_written_is_as_if_it_had_never_been(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))
    with journal.path.open("ab") as stream:
        stream.write(b'{"bundle":"b","iden')

    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("c"))
        assert names(journal) == ["a", "c"]


def test_another_question_is_another_audit(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))

    with open_journal(tmp_path, ["all", "deep"], afresh=False, holds=always) as journal:
        assert journal.done == set()


@pytest.mark.parametrize("how", ["finished", "afresh", "long ago"])
def test_an_audit_begins_anew(tmp_path, how):
    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))
        if how == "finished":
            journal.finish()
    if how == "long ago":
        lines = journal.path.read_bytes().splitlines(keepends=True)
        journal.path.write_bytes(b'{"started":"2026-01-01T00:00:00Z"}\n' + b"".join(lines[1:]))

    with open_journal(tmp_path, ["all"], afresh=how == "afresh", holds=always) as journal:
        assert journal.done == set()


def _hold(folder, held, over):
    with open_journal(folder, ["all"], afresh=False, holds=always):
        held.set()
        over.wait(30)


def test_the_same_audit_is_not_done_by_two_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, over = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, over))
    other.start()
    assert held.wait(30)

    with pytest.raises(UsageError, match="under way"), open_journal(tmp_path, ["all"], afresh=False, holds=always):
        pass

    over.set()
    other.join()


def test_a_result_that_no_longer_holds_is_found_anew(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))
        journal.add(result("b"))

    with open_journal(tmp_path, ["all"], afresh=False, holds=lambda each: each.bundle == "b") as journal:
        assert journal.done == {"b"}
        journal.add(result("a", "error"))
        assert [(each.bundle, each.state) for each in journal.results()] == [("b", "good"), ("a", "error")]


def test_what_stands_behind_a_damaged_line_is_nobody_s(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))
        journal.add(result("b"))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(lines[0] + lines[1] + b"\0" * 20 + b"\n" + lines[2])

    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        assert journal.done == {"a"}


@pytest.mark.parametrize("suffix", [".jsonl", ".lock"])
def test_nothing_is_written_through_a_link(tmp_path, suffix):
    with open_journal(tmp_path / "audit", ["all"], afresh=False, holds=always) as journal:
        journal.add(result("a"))
    mine = tmp_path / "mine"
    mine.write_text("my precious words, without a newline")
    place = journal.path.with_suffix(suffix)
    place.unlink(missing_ok=True)
    place.symlink_to(mine)

    with (
        pytest.raises(UsageError, match="regular file"),
        open_journal(tmp_path / "audit", ["all"], afresh=False, holds=always),
    ):
        pass

    assert mine.read_text() == "my precious words, without a newline"


def test_a_full_disk_is_told_as_one_and_keeps_what_was_written(tmp_path):
    def fills_up():
        with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
            journal.add(result("a"))
            journal._close()
            journal._stream = Path("/dev/full").open("ab")  # noqa: SIM115 - the journal closes it
            journal.add(result("b"))

    with pytest.raises(UnreadableError, match="cannot be written") as full:
        fills_up()
    assert "goes on where it was" in full.value.hint

    with open_journal(tmp_path, ["all"], afresh=False, holds=always) as journal:
        assert journal.done == {"a"}
