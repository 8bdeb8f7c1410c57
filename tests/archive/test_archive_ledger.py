"""The ledger: append-only, in the order of time, the same batch the same file."""

from __future__ import annotations

import datetime as dt
import tempfile
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit import clock
from reprokit.archive import ledger
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.errors import InvalidRecordError

IDENTITY = "sha256:" + "0" * 64
moments = st.datetimes(dt.datetime(2025, 11, 1), dt.datetime(2026, 2, 1), timezones=st.just(dt.UTC))


def an_event(moment, bundle="b", event="captured"):
    return Event(event=event, time=clock.text(moment), bundle=bundle, identity=IDENTITY)


@given(st.lists(st.lists(st.tuples(moments, st.text("ab", min_size=1)), min_size=1, max_size=4), max_size=5))
@settings(deadline=None)
def test_events_come_back_in_the_order_of_time_and_captures_in_the_opposite_one(batches):
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder))
        for batch in batches:
            ledger.append(archive, [an_event(moment, bundle) for moment, bundle in batch])
        distinct = {tuple(sorted(batch)) for batch in batches}
        expected = sorted((moment, bundle) for batch in distinct for moment, bundle in batch)

        found = [(clock.parse(event.time), event.bundle) for event in ledger.events(archive)]
        back = [clock.parse(event.time) for event in ledger.captures(archive)]

        assert found == expected
        assert back == [moment for moment, _ in reversed(expected)]


def test_a_batch_is_named_for_its_newest_event_and_its_content(archive):
    early, late = dt.datetime(2026, 10, 31, tzinfo=dt.UTC), dt.datetime(2026, 11, 2, 3, 4, 5, tzinfo=dt.UTC)

    path = ledger.append(archive, [an_event(late), an_event(early)])

    assert path.parent == archive.ledger / "2026-11"
    assert path.name.startswith("20261102T030405Z-captured-")
    assert ledger.append(archive, [an_event(early), an_event(late)]) == path


def test_the_latest_captures_are_read_without_the_older_ones(archive):
    for day in range(1, 5):
        ledger.append(archive, [an_event(dt.datetime(2026, 11, day, tzinfo=dt.UTC), f"b{day}")])
    next(path for path in archive.ledger.rglob("20261101*")).write_text("damaged")

    assert [event.bundle for event in islice(ledger.captures(archive), 2)] == ["b4", "b3"]
    with pytest.raises(InvalidRecordError, match="20261101"):
        list(ledger.events(archive))


def test_other_kinds_of_events_are_no_captures(archive):
    moment = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    ledger.append(archive, [an_event(moment, event="mirrored")])

    assert list(ledger.captures(archive)) == []
    assert [event.event for event in ledger.events(archive)] == ["mirrored"]


def test_a_batch_holds_one_kind_of_event(archive):
    moment = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)

    with pytest.raises(ValueError):
        ledger.append(archive, [an_event(moment), an_event(moment, event="mirrored")])
