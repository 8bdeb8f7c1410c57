"""The quoted scores, and the chart of them."""

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.results import Metric
from reprokit.bundle.values import NotScored
from reprokit.mirrors.portrait.chart import MOST_BARS, chart
from reprokit.mirrors.portrait.headline import Headline, headlines

FINITE = st.floats(allow_nan=False, allow_infinity=False)
HEADLINES = st.builds(
    Headline,
    task=st.text(max_size=60),
    metric=st.text(max_size=40),
    filter=st.none() | st.text(max_size=10),
    value=FINITE | st.floats(-1, 1) | st.floats(0, 100),
    stderr=st.none() | st.floats(min_value=0, allow_nan=False, allow_infinity=False),
    n=st.none() | st.integers(0),
    higher_is_better=st.none() | st.booleans(),
    group=st.booleans(),
)


def metric(name, value=0.5, *, task="t", better=True, **more):
    return Metric(task=task, metric=name, value=value, higher_is_better=better, **more)


def score(task="t", value=0.5, stderr=0.1, **more):
    told = {"metric": "acc", "filter": "none", "n": 9, "higher_is_better": True, "group": False}
    return Headline(task=task, value=value, stderr=stderr, **told | more)


def drawing(page):
    """Parse the chart's SVG, without its namespace."""
    return ET.fromstring(re.sub(r' xmlns="[^"]*"', "", page[page.index("<svg") : page.index("</svg>") + 6]))


def quoted(*metrics):
    return [(each.task, each.metric, each.filter) for each in headlines(metrics)]


# --- which score is quoted ---------------------------------------------------------------------------------------------


def test_the_first_number_with_a_direction_is_quoted():
    assert quoted(metric("loss", better=None), metric("f1"), metric("acc")) == [("t", "f1", None)]
    assert quoted(metric("acc", NotScored(not_scored="nan")), metric("f1")) == [("t", "f1", None)]
    assert quoted(metric("em", filter="strict"), metric("em", filter="loose")) == [("t", "em", "strict")]


def test_without_a_direction_a_name_that_everybody_quotes_comes_first():
    assert quoted(metric("loss", better=None), metric("f1", better=None), metric("acc", better=None)) == [
        ("t", "acc", None)
    ]
    assert quoted(metric("one", better=None), metric("two", better=None)) == [("t", "one", None)]


def test_a_task_without_a_score_has_no_headline():
    assert quoted(metric("bypass", 999), metric("acc", NotScored(not_scored="nan"))) == []
    assert quoted() == []


def test_groups_come_first_and_are_no_tasks():
    found = headlines([metric("acc", task="a"), metric("acc", task="g", group=True), metric("acc", 0.7, task="g")])

    assert [(each.task, each.group, each.value) for each in found] == [
        ("g", True, 0.5),
        ("a", False, 0.5),
        ("g", False, 0.7),
    ]


def test_a_headline_has_its_standard_error_where_there_is_one():
    (one,) = headlines([metric("acc", True, stderr=0.25, n=8)])
    (other,) = headlines([metric("acc", 10**400, stderr=1.0), metric("f1", stderr=NotScored(not_scored="N/A"))])

    assert (one.value, one.stderr, one.n) == (1.0, 0.25, 8)
    assert (other.metric, other.stderr) == ("f1", None)


# --- how they are drawn ------------------------------------------------------------------------------------------------


@given(st.lists(HEADLINES, max_size=8), st.text(max_size=60))
def test_any_scores_give_a_page_that_is_whole(scores, title):
    page = chart(title, scores)
    svg = drawing(page)

    _, _, width, height = map(float, svg.get("viewBox").split())
    bars = svg.findall(".//rect")
    assert len(bars) == len(scores)
    for bar in bars:
        x, y, wide, high = (float(bar.get(side)) for side in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    numbers = [float(each) for path in svg.iter("path") for each in re.findall(r"[MH](-?[\d.]+)", path.get("d"))]
    assert all(math.isfinite(each) and 0 <= each <= width for each in numbers)


@pytest.mark.parametrize("count", [1, 5, 60, 200])
def test_there_is_a_bar_for_every_task(count):
    svg = drawing(chart("run", [score(f"task {number}") for number in range(count)]))

    assert len(svg.findall(".//rect")) == len(svg.findall(".//path[@class='whisker']")) == count
    assert [text.text for text in svg.iter("text") if text.get("class") == "name"] == [
        f"task {number}" for number in range(count)
    ]


def test_of_more_tasks_the_first_are_drawn_and_that_is_said():
    page = chart("run", [score(f"{number}") for number in range(MOST_BARS + 50)])

    assert len(drawing(page).findall(".//rect")) == MOST_BARS
    assert "200 of 250 are shown." in page


def test_a_bar_is_as_long_as_its_score_and_its_whisker_as_its_error():
    svg = drawing(chart("run", [score("a", 0.5, 0.1), score("b", 1.0, 0.0), score("c", 0.25, None)]))

    long, full, short = (float(bar.get("width")) for bar in svg.findall(".//rect"))
    assert long / full == pytest.approx(0.5, abs=0.01)
    assert short / full == pytest.approx(0.25, abs=0.01)
    (whisker,) = svg.findall(".//path[@class='whisker']")
    left, right = map(float, re.findall(r"[MH]([\d.]+)", whisker.get("d")))
    assert (right - left) / full == pytest.approx(0.2, abs=0.01)


def test_scores_of_different_scales_do_not_share_an_axis():
    scores = [
        score("acc", 0.5),
        score("percent", 83.0),
        score("points", 1543.0),
        score("wer", 0.2, higher_is_better=False),
    ]

    svg = drawing(chart("run", scores))

    titles = [text.text for text in svg.iter("text") if text.get("class") == "panel"]
    assert titles == [
        "up to 1, higher is better",
        "up to 100, higher is better",
        "up to 2000, higher is better",
        "up to 1, lower is better",
    ]
    assert min(float(bar.get("width")) for bar in svg.findall(".//rect")) > 50


def test_a_score_below_zero_goes_to_the_left():
    svg = drawing(chart("run", [score("minus", -0.5, None), score("plus", 0.5, None)]))

    minus, plus = svg.findall(".//rect")
    assert float(minus.get("x")) + float(minus.get("width")) == pytest.approx(float(plus.get("x")), abs=0.2)


def test_nothing_of_a_foreign_name_is_markup_and_nothing_is_loaded():
    page = chart("<script>alert(1)</script>", [score('<img src="x" onerror="y">&amp;', metric="<b>")])

    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert not re.search(
        r"(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page.replace("src=&quot;", "")
    )
    assert 'onerror="' not in page


def test_it_is_readable_on_light_and_dark_pages():
    assert "prefers-color-scheme: dark" in chart("run", [score()])


def test_a_score_and_its_error_are_written_to_the_same_place():
    page = chart("run", [score("a", 0.61234, 0.00456), score("b", 83.456, None), score("c", 1543.21, 12.3)])

    assert [text.text for text in drawing(page).iter("text") if text.get("class") == "value"] == [
        "0.612 ± 0.005",
        "83.46",
        "1543 ± 12",
    ]
