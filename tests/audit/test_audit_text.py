"""An audit in the terminal: the answer first, the worst before the rest, and nothing in it that a terminal acts upon."""

from __future__ import annotations

import tracemalloc
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.audit.shown.text import lines
from reprokit.audit.shown.words import SIGN, STATES, duration, size
from reprokit.audit.statements import FAMILIES, Fact, NotKnown, outcome
from reprokit.audit.values import Audited, Counts, Level, Summary
from reprokit.bundle.finding import finding, hint

RANK = {state: place for place, state in enumerate(STATES)}
NO_INDEX = [NotKnown(where=f"package-{n:03}==1.0", because="the index did not answer") for n in range(300)]


def audited(name, **said):
    """A bundle of which every family but those named was found well."""
    outcomes = [outcome(family, said.get(family, [])) for family in FAMILIES]
    state = min((each.state for each in outcomes), key=RANK.__getitem__)
    return Audited(
        bundle=name,
        identity=None,
        state=state,
        read="whole",
        files=3,
        octets=3_000,
        at="2026-11-23T03:15:47Z",
        outcomes=outcomes,
    )


def damaged(name, files=1):
    return audited(name, fixity=[finding("E101", f"data/{n:03}.json", "cut short") for n in range(files)])


def lacking(name):
    return audited(name, copies=[finding("W401", "copies", "1 of 3")])


def summary(bundles, **changes):
    states = [each.state for each in bundles]
    counts = Counts(**{state: states.count(state) for state in ("error", "warning", "unknown", "good")})
    given = {
        "archive": "/srv/evaluations",
        "started": "2026-11-23T03:00:00Z",
        "ended": "2026-11-23T03:02:04Z",
        "counts": counts,
        "read_whole": len(bundles),
        "files": 3 * len(bundles),
        "octets": 3_000 * len(bundles),
    }
    return Summary(**(given | changes))


def told(bundles, most=20, **changes):
    return list(lines(summary(bundles, **changes), lambda: iter(bundles), most=most))


@pytest.mark.parametrize(
    ("bundles", "changes", "answer"),
    [
        ([audited("a")], {}, "whole: every byte of its one bundle was read, and is what was captured"),
        (
            [audited("a"), lacking("b")],
            {},
            "whole: every byte of its 2 bundles was read, and is what was captured; 1 has warnings",
        ),
        ([audited("a"), damaged("b")], {}, "not whole: 1 of 2 bundles is not as it was captured"),
        (
            [damaged("a"), damaged("b"), audited("c", privacy=[finding("E441", "out.log")])],
            {},
            "not whole: 2 of 3 bundles are not as they were captured; 1 more has errors",
        ),
        (
            [audited("a")] * 2,
            {"read_whole": 1},
            "no damage found in 2 bundles; every byte was read of 1 this time",
        ),
        (
            [audited("a")],
            {"not_reached": 9},
            "no damage found, but only 1 of 10 bundles was checked",
        ),
        (
            [audited("a"), audited("b"), audited("c", fixity=[NotKnown(where="c", because="it is not here")])],
            {"read_whole": 1},
            "no damage found, but only 2 of 3 bundles were checked, and every byte was read of 1",
        ),
        (
            [audited("a", fixity=[NotKnown(where="a", because="it is not here")])],
            {"read_whole": 0},
            "not known to be whole: no bundle was checked",
        ),
        ([], {}, "there is no bundle to audit"),
        (
            [audited("a")],
            {"findings": [finding("E116", "ledger/2026.jsonl")]},
            "whole: every byte of its one bundle was read, and is what was captured; the archive itself has 1 error",
        ),
    ],
)
def test_the_first_line_says_whether_the_archive_is_whole(bundles, changes, answer):
    assert told(bundles, **changes)[0] == answer


def test_the_worst_bundles_come_first_whatever_the_order_of_the_results():
    unknown = audited("u", recoverability=NO_INDEX)
    bundles = [audited("g"), lacking("w"), damaged("e1"), unknown, damaged("e9", files=9)]
    expected = ["e9: error", "e1: error", "w: warning", "u: unknown"]
    shuffled = [bundles[place] for place in np.random.default_rng(7).permutation(len(bundles))]

    for order in (bundles, bundles[::-1], shuffled):
        heads = [line for line in told(order) if line.split(": ")[-1] in STATES]
        assert heads == expected
    assert told(bundles) == told(shuffled)


def test_three_hundred_packages_that_could_not_be_asked_are_one_line():
    found = told([audited("a", recoverability=NO_INDEX)])

    assert "  unknown package-000==1.0 and 299 more: the index did not answer" in found
    assert sum("index did not answer" in line for line in found) == 2


def test_many_findings_of_a_code_are_a_few_lines_and_a_count():
    found = [line for line in told([damaged("a", files=900)]) if "E101" in line]

    assert found[0] == "  E101 data/000.json: a payload file is not what was captured: cut short"
    assert found[1] == "  E101 data/001.json: cut short"
    assert found[5] == "  E101 … and 895 more"
    assert len(found) == 7


def test_each_code_has_its_hint_once_with_the_number_of_bundles():
    found = told([damaged("a"), damaged("b", files=4), lacking("c")])

    assert [line.strip() for line in found].count(hint("E101")) == 1
    assert "  E101 a payload file is not what was captured (2 bundles)" in found
    assert found.index("what to do") < found.index("  E101 a payload file is not what was captured (2 bundles)")


@pytest.mark.parametrize("most", [0, 1, 3])
def test_no_more_bundles_are_told_in_full_than_asked_and_the_rest_is_counted(most):
    bundles = [damaged("a"), damaged("b"), *(lacking(f"w{n}") for n in range(7)), audited("good")]
    found = told(bundles, most=most)
    (left,) = [line for line in found if line.startswith("…")]

    assert sum(line.endswith((": error", ": warning")) for line in found) == most
    assert f"{9 - most} bundles more" in left
    assert "`--json` and `--html FILE`" in left


def test_what_is_wrong_with_the_archive_itself_comes_before_its_bundles():
    found = told([damaged("a")], findings=[finding("E116", "ledger/2026.jsonl", "line 3")])

    place = found.index("the archive itself")
    assert found[place + 1].startswith("  E116 ledger/2026.jsonl: ")
    assert place < found.index("a: error")
    assert "       " + hint("E116") in found


def test_the_end_tells_what_was_read_what_was_not_and_the_grade():
    grade = [Level(area="storage", level=1, reason="a second copy"), Level(area="content", level=4, reason="nothing")]
    found = told([lacking("a")] * 1_204, octets=3_650_722_202, not_reached=6, remarks=["`nas` is slow"], grade=grade)

    assert "bundles      0 error, 1,204 warning, 0 unknown, 0 good" in found
    assert "read         3,612 files, 3.4 GiB; the audit took 2 min 4 s" in found
    assert "read whole   1,204 of 1,210 bundles" in found
    assert "not reached  6 bundles, by the budget or the sample" in found
    assert "remark       `nas` is slow" in found
    assert found[-2:] == ["  storage    1  a second copy", "  content    4  nothing"]


def test_what_an_earlier_call_had_done_is_told():
    found = told([audited("a")], resumed=1)

    assert "read         3 files, 2.9 KiB; the audit took 2 min 4 s" in found
    assert "resumed      1 bundle had been done by an interrupted call" in found


@given(st.text(), st.text(), st.text())
def test_nothing_foreign_reaches_the_terminal_unseen(name, where, because):
    bundle = audited(
        name,
        fixity=[finding("E103", where, because), NotKnown(where=where, because=because)],
        signatures=[Fact(where=where, told=because)],
    )
    found = told([bundle], archive=name, remarks=[because], grade=[Level(area="storage", level=0, reason=because)])

    assert all(line.isprintable() for line in found)


def test_a_name_of_a_megabyte_loses_its_middle():
    found = told([audited("x" * 1_000_000, fixity=[finding("E103", "y" * 1_000_000, "z" * 1_000_000)])])

    assert max(map(len, found)) < 1_000


def test_a_code_of_a_later_version_is_told_all_the_same():
    known = finding("W401", "copies")
    later = type(known)(code="W999", severity="warning", where="copies", message="something new")
    found = told([audited("a", copies=[later])])

    assert "  W999 copies: a code that this version of reprokit does not know: something new" in found


def test_what_is_kept_of_the_bundles_has_a_bound():
    def peak(number):
        head = summary([], counts=Counts(warning=number))
        tracemalloc.start()
        list(lines(head, lambda: (lacking(f"{n:09}") for n in range(number)), most=20))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(200)
    assert peak(2_000) < 1.1 * peak(200)


def test_sizes_and_times_are_told_as_people_say_them():
    assert [size(octets) for octets in (0, 1023, 1024, 5 << 40)] == ["0 B", "1023 B", "1.0 KiB", "5.0 TiB"]
    told = [duration(seconds) for seconds in (0.04, 59.4, 60, 3_599, 3_600, 86_399, 86_400, 1e6)]
    assert told == ["0.0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "23 h 59 min", "1 d 0 h", "11 d 13 h"]


def test_every_state_has_a_shape_of_its_own():
    assert [len(list(group)) for _, group in groupby(sorted(SIGN[state] for state in STATES))] == [1] * len(STATES)
