"""Which bundles are looked at first, and which by chance."""

from __future__ import annotations

import datetime as dt

from reprokit import clock
from reprokit.audit import choosing

IDS = [f"b{number:03}" for number in range(200)]


def test_what_was_never_read_comes_first_and_then_what_was_read_longest_ago():
    last = {"a": "2026-11-02T00:00:00Z", "b": "", "c": "2026-11-01T00:00:00Z", "d": ""}

    assert choosing.in_order(["a", "b", "c", "d"], last) == ["b", "d", "c", "a"]


def test_a_sample_has_the_size_that_was_asked_for_and_keeps_what_was_begun():
    done = {"b007", "b150"}

    chosen = choosing.sample(IDS, 0.05, done)

    assert len(chosen) == len(set(chosen)) == 10
    assert done <= set(chosen) <= set(IDS)
    assert chosen == sorted(chosen)


def test_a_sample_is_never_empty_and_never_more_than_there_is():
    assert len(choosing.sample(IDS, 0.0001, set())) == 1
    assert choosing.sample(IDS, 1.0, set()) == IDS
    assert choosing.sample([], 0.5, set()) == []


def test_every_bundle_may_be_in_a_sample():
    seen = {each for _ in range(400) for each in choosing.sample(IDS, 0.05, set())}

    assert seen == set(IDS)  # each is left out of 400 samples with a probability of 1e-9


def test_a_bundle_is_read_again_when_its_last_reading_is_too_long_ago():
    now = clock.parse("2026-11-30T00:00:00Z")
    month = dt.timedelta(days=30)

    assert choosing.how("2026-11-15T00:00:00Z", month, now) == "names"
    assert choosing.how("2026-10-15T00:00:00Z", month, now) == "whole"
    assert choosing.how(None, month, now) == "whole"
    assert choosing.how("2026-11-15T00:00:00Z", None, now) == "whole"
