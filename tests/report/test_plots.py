"""The geometry of the plots: what is drawn where, and what may stand on one axis."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.diff.difference import Step, Waterfall
from reprokit.report.forest_plot import forests, in_order
from reprokit.report.plot_axis import axis
from reprokit.report.score_scale import scales
from reprokit.report.waterfall_plot import waterfalls

numbers = st.floats(allow_nan=False)


@given(st.lists(numbers, min_size=1, max_size=8))
def test_every_number_of_an_axis_stands_on_it_in_order(values):
    line = axis(values)
    places = [line.at(value) for value in sorted(values)]

    assert all(0 <= place <= 100 for place in places)
    assert places == sorted(places)
    assert len(line.ticks()) <= 8


def test_shares_and_other_units_never_stand_on_one_axis(made):
    rows = [
        made.row("one", 0.5, 0.6),
        made.row("two", 20.0, 21.0, metric="bleu", half=1.0),
        made.row("three", 8.0, 9.0, metric="word_perplexity", half=1.0, higher_is_better=False),
        made.row("four", 0.7, 0.6, metric="f1"),
    ]

    found = {forest.unit: [row.score.task for row in forest.rows] for forest in forests(rows)}

    assert found == {"points": ["one", "four"], "bleu": ["two"], "word_perplexity": ["three"]}


def test_a_loss_between_zero_and_one_is_not_told_in_points(made):
    rows = [made.row("one", 0.5, 0.6, metric="bits_per_byte", higher_is_better=False)]

    assert scales(rows)["bits_per_byte"].in_points is False


def test_one_value_beyond_one_keeps_a_metric_from_points(made):
    rows = [made.row("one", 0.5, 0.6), made.row("two", 50.0, 60.0)]

    assert scales(rows)["acc"].in_points is False


def test_groups_stand_after_their_tasks(made):
    rows = [made.row("group", 0.5, 0.6, group=True), made.row("task", 0.5, 0.6)]

    assert [row.task for row in in_order(rows)] == ["task", "group"]


def test_a_point_lies_within_its_interval_and_zero_where_it_is(made):
    (forest,) = forests([made.row("one", 0.7, 0.6, half=0.03), made.row("two", 0.7, 0.71, half=0.03)])
    one, two = forest.rows

    assert one.low < one.point < one.high < forest.zero
    assert two.low < forest.zero < two.point < two.high
    assert [one.clear, two.clear] == [True, False]
    assert [one.sense, two.sense] == ["worse", "better"]
    assert [one.difference, two.difference] == ["\N{MINUS SIGN}10", "+1"]
    start, width = one.band
    assert start + width / 2 == pytest.approx(forest.zero, abs=0.02)


def test_swapping_the_bundles_mirrors_the_forest(made):
    (forest,) = forests([made.row("one", 0.7, 0.6, half=0.03)])
    (mirrored,) = forests([made.row("one", 0.6, 0.7, half=0.03)])
    row, other = forest.rows[0], mirrored.rows[0]

    assert other.point == pytest.approx(100 - row.point, abs=0.02)
    assert other.low == pytest.approx(100 - row.high, abs=0.02)
    assert (row.sense, other.sense) == ("worse", "better")


def test_a_row_without_an_interval_is_not_drawn(made):
    row = made.row("one", 0.5, 0.6)
    bare = msgspec.structs.replace(row, inference=msgspec.structs.replace(row.inference, interval=None))

    assert forests([bare]) == []


def test_the_steps_of_a_waterfall_join_and_lead_from_a_to_b(made):
    plot, _ = waterfalls(made.tasks(), [made.row("toy_mc", 0.712, 0.671)])

    assert [step.label for step in plot.steps] == ["prompt", "response", "answer extraction"]
    assert plot.steps[0].start == plot.a.at
    assert all(step.end == after.start for step, after in zip(plot.steps, plot.steps[1:], strict=False))
    assert plot.steps[-1].end == pytest.approx(plot.b.at, abs=0.01)
    assert (plot.a.text, plot.b.text) == ("71.2", "67.1")
    assert [step.sense for step in plot.steps] == ["better", "worse", "worse"]
    assert plot.sentence == "of \N{MINUS SIGN}4.1 points, \N{MINUS SIGN}3.9 come from answer extraction (41 samples)"


def with_falls(made, *falls):
    task, _ = made.tasks()
    return [msgspec.structs.replace(task, waterfalls=list(falls))]


def test_steps_that_cancel_out_are_told(made):
    steps = [Step(origin="prompt", samples=2, share=0.02), Step(origin="response", samples=1, share=-0.02)]
    (plot,) = waterfalls(
        with_falls(made, Waterfall(metric="acc", difference=0.0, steps=steps)), [made.row("toy_mc", 0.5, 0.5)]
    )

    assert plot.sentence == "no difference in all; the largest step is +2 points from prompt (2 samples)"


def test_a_waterfall_without_any_movement_is_not_drawn(made):
    steps = [Step(origin="prompt", samples=2, share=0.0)]

    assert waterfalls(with_falls(made, Waterfall(metric="acc", difference=0.0, steps=steps)), []) == []


def test_a_waterfall_of_an_unknown_score_tells_the_steps_alone(made):
    steps = [Step(origin="unknown", samples=2, share=3.5)]
    (plot,) = waterfalls(with_falls(made, Waterfall(metric="mark", difference=3.5, steps=steps)), [])

    assert (plot.a.text, plot.b.text) == ("", "")
    assert plot.sentence == "of +3.5 in mark, +3.5 come from unknown (2 samples)"
