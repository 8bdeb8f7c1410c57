"""Two values beside each other, and the lines of a patch: readable, and never longer than asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.report.legible_value import block, change, score, short, signed
from reprokit.report.patch_lines import patch
from reprokit.report.two_texts import beside


def told(runs):
    return "".join(run.text for run in runs if run.kind != "left out")


def test_equal_values_are_told_once():
    found = beside({"a": 1}, {"a": 1}, 100)

    assert told(found.shared) == '{"a":1}'
    assert (found.a, found.b) == (None, None)


def test_a_value_that_one_side_did_not_save_is_absent_there():
    found = beside(None, "Paris", 100)

    assert (found.shared, found.a) == (None, None)
    assert told(found.b) == "Paris"


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (["x"], "x"), (True, "true")])
def test_values_that_read_alike_and_differ_are_told_apart(one, other):
    found = beside(one, other, 100)

    assert told(found.a) != told(found.b)


def test_what_differs_stays_in_sight_in_a_long_text():
    found = beside("same " * 20_000 + "yes", "same " * 20_000 + "no", 2_000)

    assert [run.text for run in found.a if run.kind == "removed"] == ["yes"]
    assert [run.text for run in found.b if run.kind == "added"] == ["no"]
    assert [run.text for run in found.a if run.kind == "left out"] == ["… 99,000 characters left out …"]


@given(st.text(max_size=300), st.text(max_size=300), st.integers(1, 400))
def test_no_side_shows_more_than_asked(one, other, most):
    found = beside(one, other, most)

    for runs, text in ((found.shared, one), (found.a, one), (found.b, other)):
        shown = told(runs or [])
        assert len(shown) <= len(block(text[:most]))
        assert any(run.kind == "left out" for run in runs or []) == (len(text) > most and runs is not None)


def test_control_and_bidirectional_characters_are_written_out_and_line_ends_kept():
    assert block("a\nb\tc\r\x1b[0m\u202e\ud800") == "a\nb\tc\\r\\e[0m\\u202e\\ud800"


def test_numbers_have_a_true_minus_and_their_sign():
    assert [short(-0.0), short(1234.5), signed(0.0), signed(2.0)] == ["0", "1234", "0", "+2"]
    assert [short(-1.5), change(-0.0410001), score(-3)] == [
        "\N{MINUS SIGN}1.5",
        "\N{MINUS SIGN}0.0410001",
        "\N{MINUS SIGN}3",
    ]


def test_a_patch_is_cut_at_whole_lines():
    text = "diff --git a/x b/x\n@@ -1 +1,9 @@\n" + "+line\n" * 9
    found = patch(text, 50)

    assert [line.kind for line in found.lines] == ["header", "place", "added", "added"]
    assert found.left_out == 7


def test_each_file_of_a_patch_has_its_own_header():
    text = (
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n--- x\ndiff --git a/y b/y\n--- a/y\n@@ -1 +1 @@\n+y\x1b\n"
    )

    assert [line.kind for line in patch(text).lines] == [
        *("header", "header", "header", "place", "removed", "header", "header", "place", "added")
    ]
    assert patch(text).lines[-1].text == "+y\\e"
