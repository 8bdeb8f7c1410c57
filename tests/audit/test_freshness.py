"""How old the newest reading and the newest reproduction of a bundle are, and when that is too old."""

from __future__ import annotations

import datetime as dt

import pytest

from reprokit import clock
from reprokit.archive import dvc
from reprokit.audit.families import freshness
from reprokit.audit.held import Held
from reprokit.audit.history import History, Reproduced, Tried
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown
from reprokit.bundle.finding import Finding

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
STRICT = Policy(read_every=dt.timedelta(days=90), reproduce_every=dt.timedelta(days=365))


def ago(days: float) -> str:
    return clock.text(NOW - dt.timedelta(days=days))


@pytest.fixture
def bundle(publish) -> str:
    return publish("one", fold=True)


@pytest.fixture
def say(archive, bundle):
    """Give a function that says how fresh the bundle is, by what the ledger holds."""
    identity = bytes.fromhex(dvc.read_pointer(archive.pointer(bundle)).identity[7:])

    def say(policy=STRICT, *, read=None, run=None, succeeded=None, rescored=None, read_now=False, of=identity):
        history = History(
            read={bundle: (of, read, True)} if read else {},
            reproduced={bundle: Reproduced(identity=of, run=run, succeeded=succeeded or good(run), rescored=rescored)}
            if run or rescored
            else {},
        )
        return list(freshness.check(Held(archive, bundle), policy, history, NOW, read_now=read_now))

    return say


def tried(days: float, verdict: str, tier: str = "rerun") -> Tried:
    return Tried(time=ago(days), tier=tier, verdict=verdict)


def good(run: Tried | None) -> Tried | None:
    return run if run is not None and run.good else None


def codes(statements):
    return [(each.code, each.where) for each in statements if isinstance(each, Finding)]


def unknown(statements):
    return [each.where for each in statements if isinstance(each, NotKnown)]


def facts(statements):
    return {each.where: each.told for each in statements if isinstance(each, Fact)}


def test_what_was_read_and_reproduced_in_time_is_told_with_its_age(say):
    statements = say(read=ago(12), run=tried(1, "equivalent"))

    assert facts(statements) == {
        "reading": "every byte was read 12 days ago (2026-11-18)",
        "reproduction": "it was reproduced yesterday (2026-11-29)",
    }
    assert len(statements) == 2


@pytest.mark.parametrize(("days", "found"), [(90, []), (90.01, ["W461"])])
def test_a_reading_is_too_old_once_it_is_older_than_the_policy_sets(say, days, found):
    assert [code for code, where in codes(say(read=ago(days))) if where == "reading"] == found


@pytest.mark.parametrize(("days", "found"), [(365, []), (365.01, [("W462", "reproduction")])])
def test_a_reproduction_is_too_old_once_it_is_older_than_the_policy_sets(say, days, found):
    assert codes(say(read_now=True, run=tried(days, "identical samples", "smoke"))) == found


def test_what_was_never_done_is_missed_where_the_policy_asks_for_it(say):
    assert codes(say()) == [("W461", "reading"), ("W462", "reproduction")]


def test_without_a_policy_what_was_never_done_is_told_and_no_age_is_too_great(say):
    statements = say(Policy())
    assert (codes(statements), unknown(statements)) == ([], [])
    assert facts(statements)["reproduction"] == "it was never run again and found at least equivalent"

    statements = say(Policy(), read=ago(4000), run=tried(4000, "equivalent"))
    assert (codes(statements), unknown(statements)) == ([], [])
    assert facts(statements).keys() == {"reading", "reproduction"}


def test_what_this_audit_has_read_needs_no_earlier_one(say):
    assert facts(say(read_now=True))["reading"] == "every byte was read by this audit"


def test_what_is_known_of_the_bundle_as_it_was_says_nothing_of_it_as_it_is(say):
    statements = say(read=ago(1), run=tried(1, "equivalent"), of=bytes(32))

    assert codes(statements) == [("W461", "reading"), ("W462", "reproduction")]


def test_a_run_that_last_came_out_otherwise_is_told_though_an_earlier_one_is_in_time(say):
    statements = say(Policy(), read_now=True, run=tried(1, "different"), succeeded=tried(20, "equivalent"))

    assert codes(statements) == [("W463", "reproduction")]
    assert facts(statements)["reproduction"].startswith("it was reproduced 20 days ago")


@pytest.mark.parametrize("verdict", ["inconclusive", "not comparable", "words of a stranger"])
def test_a_run_that_came_to_nothing_is_neither_good_nor_bad(say, verdict):
    statements = say(Policy(), read_now=True, run=tried(1, verdict))

    assert codes(statements) == []
    assert unknown(statements) == ["reproduction"]
    assert not any("stranger" in str(each) for each in statements)


def test_recomputed_scores_are_told_and_are_no_reproduction(say):
    statements = say(read_now=True, rescored=tried(0, "identical scores", "rescore"))

    assert facts(statements)["rescoring"] == "its scores were recomputed and found equal today (2026-11-30)"
    assert codes(statements) == [("W462", "reproduction")]


def test_recomputed_scores_that_came_out_otherwise_are_told_beside_a_run_that_did_not(say):
    statements = say(read_now=True, run=tried(3, "identical samples"), rescored=tried(1, "different", "rescore"))

    assert codes(statements) == [("W463", "rescoring")]
    assert "reproduction" in facts(statements)


def test_a_time_that_is_yet_to_come_is_believed_by_nobody(say):
    statements = say(read=ago(-400), run=tried(-400, "equivalent"))

    assert codes(statements) == []
    assert unknown(statements) == ["reading", "reproduction"]
    # Clocks differ a little.
    assert unknown(say(read=ago(-0.5), run=tried(-0.5, "equivalent"))) == []


def test_a_bundle_that_is_not_here_or_damaged_is_known_by_its_pointer(say, archive, bundle):
    (archive.payload(bundle) / "data/bundle.json").unlink()

    assert facts(say(read=ago(1), run=tried(1, "equivalent"))).keys() == {"reading", "reproduction"}
