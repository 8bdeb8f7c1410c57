"""Laws of a comparison, for any two bundles."""

from __future__ import annotations

import dataclasses
import math

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reprokit.bundle import canonical
from reprokit.bundle.results import Metric, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored, Unknown
from reprokit.diff.compare import compare
from reprokit.diff.difference import Difference
from reprokit.diff.samples.columns import as_mark
from reprokit.diff.shown.legible import printable
from reprokit.diff.shown.text import lines
from reprokit.diff.verdict import exit_code
from reprokit.reproduce.verdict.ladder import agreement

WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
NUMBERS = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(), st.sampled_from([0, 1, 0.0, 1.0]))
SCORES = st.one_of(NUMBERS, st.builds(NotScored, not_scored=st.sampled_from(["nan", "N/A"])))
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**62), 2**62), WORDS, st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)
MAYBE_DIGEST = st.one_of(st.none(), st.sampled_from(["sha256:" + digit * 64 for digit in "abc"]))
TASKS = st.sampled_from(["one", "two", "drei\x1b[31m"])
SAMPLES = st.builds(
    Sample,
    task=st.just("x"),
    id=st.one_of(st.integers(-3, 5), st.sampled_from(["0", "1", "a"])),
    epoch=st.integers(1, 2),
    filter=st.sampled_from([None, "", "strict"]),
    document=JSON,
    document_digest=MAYBE_DIGEST,
    prompt=JSON,
    prompt_digest=MAYBE_DIGEST,
    target=JSON,
    target_digest=MAYBE_DIGEST,
    responses=st.lists(JSON, max_size=2),
    answer=JSON,
    scores=st.dictionaries(st.sampled_from(["acc", "f1"]), SCORES, max_size=2),
)
METRICS = st.builds(
    Metric,
    task=TASKS,
    metric=st.sampled_from(["acc", "f1"]),
    filter=st.sampled_from([None, "", "strict"]),
    value=SCORES,
    stderr=st.one_of(st.none(), st.floats(), st.builds(NotScored, not_scored=WORDS)),
    n=st.one_of(st.none(), st.integers(0, 9)),
    higher_is_better=st.sampled_from([None, True, False]),
    group=st.booleans(),
    extra=JSON,
)
ARGUMENTS = st.lists(
    st.sampled_from(["--limit", "4", "5", "--log", "--seed=1", "-1", "run", "--", "--x=/home/ada"]), max_size=6
)


def means(task, rows):
    """Scores that are the means of the marks, as a harness reports them."""
    found = {}
    for row in rows:
        for name, score in row.scores.items():
            value = as_mark(score)
            if not math.isnan(value):
                found.setdefault((name, row.filter), []).append(value)
    for (name, extraction), values in found.items():
        value = sum(value / len(values) for value in values)
        yield Metric(task=task, metric=name, filter=extraction, value=value)


@st.composite
def sides(draw, make):
    """Any bundle: odd values, several tasks, repeated samples, parts not known."""
    names = draw(st.sets(TASKS, max_size=2))
    streams = {name: draw(st.lists(SAMPLES, max_size=6)) for name in sorted(names)}
    honest = [means(name, rows) for name, rows in streams.items()] if draw(st.booleans()) else []
    tasks = [
        Task(
            name=name,
            version=draw(st.sampled_from([None, "1"])),
            n_shot=draw(st.sampled_from([0, 5])),
            config=draw(JSON),
        )
        for name in sorted(names | draw(st.sets(TASKS, max_size=1)))
    ]
    argv = draw(st.one_of(ARGUMENTS.map(lambda rest: ["lm_eval", *rest]), st.just(Unknown(unknown="not watched"))))
    record = make.record(
        claims=draw(st.dictionaries(WORDS, JSON, max_size=3)),
        invocation={"argv": argv},
        sources=draw(st.sampled_from([[], Unknown(unknown="no git")])),
    )
    root = draw(st.sampled_from(["/home/ada/my-evals", "/srv/evals"]))
    environment = draw(st.sampled_from([make.environment(), make.environment(packages=Unknown(unknown="none"))]))
    return make.side(
        streams,
        metrics=[*draw(st.lists(METRICS, max_size=4)), *(row for rows in honest for row in rows)],
        tasks=tasks,
        record=record,
        environment=environment,
        sources=draw(st.sampled_from([[], [make.source(root)]])),
    )


def apart(side):
    """The same content as another bundle."""
    return dataclasses.replace(side, identity="sha256:" + "f" * 64)


# --- swapping ----------------------------------------------------------------------------------------------------------

SWAPPED = {"a": "b", "b": "a", "only_in_a": "only_in_b", "only_in_b": "only_in_a", "before": "after", "after": "before",
           "repeated_in_a": "repeated_in_b", "repeated_in_b": "repeated_in_a", "right_to_wrong": "wrong_to_right",
           "wrong_to_right": "right_to_wrong"}  # fmt: skip
TURNED = {"right to wrong": "wrong to right", "wrong to right": "right to wrong"}
NESTED = {"setup", "ignored", "not_compared", "scores", "samples", "flips", "shown", "waterfalls", "steps", "inference"}
NESTED |= {"equivalence"}


def swapped(value, name=""):
    """Exchange the sides of a comparison, in its JSON form."""
    if isinstance(value, dict) and "verdict" in value:
        return {SWAPPED.get(key, key): swapped(item, key) for key, item in value.items()}
    if isinstance(value, dict) and name == "interval":
        return value | {"low": -value["high"] + 0.0, "high": -value["low"] + 0.0}
    if isinstance(value, dict) and name in NESTED:
        return {SWAPPED.get(key, key): swapped_field(key, item) for key, item in value.items()}
    if isinstance(value, list) and name in NESTED:
        return [swapped(item, name) for item in value]
    return value


def swapped_field(key, item):
    match key:
        case "kind":
            return {"added": "removed", "removed": "added"}.get(item, item)
        case "unknown_in" | "saved_in":
            return SWAPPED.get(item, item)
        case "difference" | "share":
            return None if item is None else -item + 0.0
        case "turned":
            return {name: TURNED[turn] for name, turn in item.items()}
        case "interval":
            return swapped(item, key)
        case _ if key in NESTED:
            return swapped(item, key)
        case _:
            return item


def plain(difference):
    return msgspec.json.decode(canonical.line(difference))


# A loaded machine is no failure: `timeout` in pyproject.toml ends what hangs.
SOME = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = settings(deadline=None)


# --- the laws ----------------------------------------------------------------------------------------------------------


@SOME
@given(data=st.data())
def test_nothing_differs_from_itself(make, data):
    side = data.draw(sides(make))

    found = compare(side, side)

    assert found.verdict == "identical"
    assert exit_code(found) == 0
    assert (found.setup, found.ignored) == ([], [])
    assert all(row.same for row in found.scores)
    assert all(task.differing == 0 and task.identical == task.compared for task in found.samples)
    assert not any(task.only_in_a or task.only_in_b or task.shown or task.flips for task in found.samples)


@SOME
@given(data=st.data())
def test_an_equal_bundle_made_elsewhere_is_identical_too(make, data):
    side = data.draw(sides(make))
    other = apart(side)
    assume(side.results.metrics or side.tasks())
    assume(side.results.tasks)

    found = compare(side, other)

    assert found.setup == []
    assert found.verdict == ("not comparable" if found.comparability.status == "not" else "identical")


@SOME
@given(data=st.data())
def test_swapping_the_bundles_swaps_the_sides_and_nothing_else(make, data):
    one, other = data.draw(sides(make)), data.draw(sides(make))

    assert swapped(plain(compare(one, other))) == plain(compare(other, one))
    assert agreement(compare(one, other)).agreement == agreement(compare(other, one)).agreement


@SOME
@given(data=st.data())
def test_the_order_of_samples_in_the_files_does_not_matter(make, data):
    one, other = data.draw(sides(make)), data.draw(sides(make))

    def shuffled(side):
        """Any order of the keys; lines of the same key stay in theirs."""
        streams = {}
        for task in side.tasks():
            groups = {}
            for sample in side.streams[task]():
                groups.setdefault((sample.filter, sample.epoch, type(sample.id), sample.id), []).append(sample)
            order = data.draw(st.permutations(list(groups.values())))
            streams[task] = lambda rows=[row for group in order for row in group]: rows
        return dataclasses.replace(side, streams=streams)

    assert compare(shuffled(one), shuffled(other)) == compare(one, other)


@SOME
@given(data=st.data())
def test_a_comparison_can_be_written_read_and_shown(make, data):
    found = compare(data.draw(sides(make)), data.draw(sides(make)))

    written = canonical.record(found)

    assert canonical.record(canonical.decode(written, Difference)) == written
    for everything in (False, True):
        shown = lines(found, all=everything)
        assert shown[0] == printable(found.headline)
        assert all(line.isprintable() for line in shown)


# --- one planted change ------------------------------------------------------------------------------------------------

PLANTS = {
    "document": lambda s: msgspec.structs.replace(s, document={"question": "another"}),
    "prompt": lambda s: msgspec.structs.replace(s, prompt=s.prompt + "!"),
    "target": lambda s: msgspec.structs.replace(s, target="another"),
    "response": lambda s: msgspec.structs.replace(s, responses=[*s.responses, "more"]),
    "answer": lambda s: msgspec.structs.replace(s, answer="another"),
    "score": lambda s: msgspec.structs.replace(s, scores={"acc": 0.5}),
}
DIGESTS = {
    "document": lambda s: msgspec.structs.replace(s, document_digest="sha256:" + "e" * 64),
    "prompt": lambda s: msgspec.structs.replace(s, prompt_digest="sha256:" + "e" * 64),
    "target": lambda s: msgspec.structs.replace(s, target="only digest"),
}
IDS = st.lists(
    st.one_of(st.integers(-100, 100), st.text("abc012", max_size=3)),
    min_size=1,
    max_size=12,
    unique_by=lambda x: (type(x), x),
)


@ANY
@given(data=st.data(), ids=IDS, stage=st.sampled_from(sorted(PLANTS)), by_digest=st.booleans())
def test_one_changed_stage_of_one_sample_is_found_and_attributed_to_exactly_it(make, data, ids, stage, by_digest):
    rows = [make.sample(number) for number in ids]
    at = data.draw(st.integers(0, len(rows) - 1))
    plant = DIGESTS.get(stage, PLANTS[stage]) if by_digest else PLANTS[stage]
    planted = [plant(row) if number == at else row for number, row in enumerate(rows)]
    planted = data.draw(st.permutations(planted))

    (task,) = compare(make.side(rows), make.side(planted)).samples

    assert (task.compared, task.identical, task.differing) == (len(rows), len(rows) - 1, 1)
    assert task.changed == task.first == {stage: 1}
    assert [(change.id, change.changed) for change in task.shown] == [(rows[at].id, [stage])]
    assert type(task.shown[0].id) is type(rows[at].id)


@SOME
@given(data=st.data(), ids=IDS)
def test_a_sample_that_is_missing_is_counted_on_its_side(make, data, ids):
    rows = [make.sample(number) for number in ids]
    missing = data.draw(st.integers(0, len(rows) - 1))
    fewer = rows[:missing] + rows[missing + 1 :]

    (task,) = compare(make.side(rows), make.side({"toy": fewer})).samples

    assert (task.only_in_a, task.only_in_b, task.compared) == (1, 0, len(rows) - 1)


@ANY
@given(before=NUMBERS, after=NUMBERS)
def test_scores_are_equal_exactly_when_their_values_are(make, before, after):
    def side(value):
        return make.side(metrics=[Metric(task="toy", metric="acc", value=value)])

    (row,) = compare(side(before), side(after)).scores

    both_nan = all(isinstance(x, float) and math.isnan(x) for x in (before, after))
    assert row.same == (before == after or both_nan)
    assert (row.difference is None) == (row.reason is not None)
    if row.difference is not None:
        assert (row.difference > 0) <= (after > before)
