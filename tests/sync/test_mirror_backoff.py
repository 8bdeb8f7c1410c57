"""Trying again: pauses grow, are drawn, and all of it ends within its budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reprokit.sync.mirroring import backoff
from reprokit.sync.mirroring.backoff import Patience

seconds = st.floats(0, 1000, allow_nan=False)
fractions = st.floats(0, 1, exclude_max=True, allow_nan=False)


class Clock:
    """A clock that moves when somebody works or sleeps."""

    def __init__(self, chances):
        self.now, self.slept, self.chances = 0.0, [], iter(chances)

    def sleep(self, pause):
        self.slept.append(pause)
        self.now += pause

    def patience(self, budget):
        return Patience(left=budget, clock=lambda: self.now, sleep=self.sleep, chance=lambda: next(self.chances))


def fail_until_given_up(clock, patience, tries, asked):
    """Work in vain for the given times; returns how many tries there were."""
    for number, (taken, after) in enumerate(zip(tries, asked, strict=True), start=1):
        began = clock.now
        clock.now += taken
        if not patience.wait(began, after=after):
            return number
    return None


@given(
    budget=seconds,
    tries=st.lists(seconds, min_size=1, max_size=50),
    asked=st.none() | seconds,
    chances=st.lists(fractions, min_size=50, max_size=50),
)
def test_it_never_takes_longer_than_the_budget_and_one_try(budget, tries, asked, chances):
    clock = Clock(chances)

    fail_until_given_up(clock, clock.patience(budget), tries, [asked] * len(tries))

    assert clock.now <= budget + max(tries) + 1e-6
    assert sum(clock.slept) <= budget + 1e-6


@given(budget=seconds, asked=seconds, chances=st.lists(fractions, min_size=20, max_size=20))
def test_a_service_is_left_alone_for_as_long_as_it_asked_or_not_tried_again(budget, asked, chances):
    clock = Clock(chances)

    fail_until_given_up(clock, clock.patience(budget), [0.0] * 20, [asked] * 20)

    assert all(pause >= asked for pause in clock.slept)
    if asked > budget:
        assert clock.slept == []


@given(chances=st.lists(fractions, min_size=30, max_size=30))
def test_a_pause_is_drawn_from_a_span_that_doubles_up_to_the_longest(chances):
    clock = Clock(chances)

    fail_until_given_up(clock, clock.patience(1e9), [0.0] * 30, [None] * 30)

    for number, pause in enumerate(clock.slept):
        span = min(backoff.LONGEST, backoff.FIRST * 2**number)
        assert pause == chances[number] * span


def test_a_success_makes_pauses_short_again_and_gives_no_time_back():
    clock = Clock([0.5] * 20)
    patience = clock.patience(1e6)
    fail_until_given_up(clock, patience, [0.0] * 10, [None] * 10)
    spent = 1e6 - patience.left

    patience.succeeded()
    patience.wait(clock.now)

    assert clock.slept[-1] == 0.5 * backoff.FIRST
    assert 1e6 - patience.left == spent + 0.5 * backoff.FIRST


def test_a_clock_that_was_set_back_gives_nothing():
    clock = Clock([0.5])
    patience = clock.patience(10)

    assert patience.wait(clock.now + 100)
    assert patience.left == 10 - 0.5


@given(failures=st.integers(1, 10**9))
def test_any_number_of_failures_has_a_span(failures):
    assert 0 < backoff.span(failures) <= backoff.LONGEST


def test_machines_that_failed_together_do_not_come_back_together():
    drawn = {backoff.fraction() for _ in range(1000)}

    assert len(drawn) > 990
    assert all(0 <= each < 1 for each in drawn)
    assert any(each < 0.1 for each in drawn)
    assert any(each > 0.9 for each in drawn)
