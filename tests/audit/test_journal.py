"""The journal of an audit: an interrupted one goes on where it was, and no result is there twice."""

from __future__ import annotations

import multiprocessing
import os

import pytest

from reprokit.audit.journal import open_journal
from reprokit.audit.values import Audited
from reprokit.errors import UsageError


def result(name, state="good"):
    return Audited(bundle=name, identity=None, state=state, read="whole", at="2026-11-23T03:15:47Z", outcomes=[])


def names(journal):
    return [each.bundle for each in journal.results()]


def test_an_interrupted_audit_goes_on_where_it_was(tmp_path):
    def interrupted():
        with open_journal(tmp_path, ["all"], afresh=False) as journal:
            journal.add(result("a"))
            journal.add(result("b"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    with open_journal(tmp_path, ["all"], afresh=False) as journal:
        assert (journal.done, journal.earlier) == ({"a", "b"}, 2)
        journal.add(result("c"))
        assert names(journal) == ["a", "b", "c"]


def test_a_line_that_a_kill_left_half_written_is_as_if_it_had_never_been(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False) as journal:
        journal.add(result("a"))
    with journal.path.open("ab") as stream:
        stream.write(b'{"bundle":"b","iden')

    with open_journal(tmp_path, ["all"], afresh=False) as journal:
        journal.add(result("c"))
        assert names(journal) == ["a", "c"]


def test_another_question_is_another_audit(tmp_path):
    with open_journal(tmp_path, ["all"], afresh=False) as journal:
        journal.add(result("a"))

    with open_journal(tmp_path, ["all", "deep"], afresh=False) as journal:
        assert journal.done == set()


@pytest.mark.parametrize("how", ["finished", "afresh", "long ago"])
def test_an_audit_begins_anew(tmp_path, how):
    with open_journal(tmp_path, ["all"], afresh=False) as journal:
        journal.add(result("a"))
        if how == "finished":
            journal.finish()
    if how == "long ago":
        os.utime(journal.path, (1, 1))

    with open_journal(tmp_path, ["all"], afresh=how == "afresh") as journal:
        assert journal.done == set()


def _hold(folder, held, over):
    with open_journal(folder, ["all"], afresh=False):
        held.set()
        over.wait(30)


def test_the_same_audit_is_not_done_by_two_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, over = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, over))
    other.start()
    assert held.wait(30)

    with pytest.raises(UsageError, match="under way"), open_journal(tmp_path, ["all"], afresh=False):
        pass

    over.set()
    other.join()
