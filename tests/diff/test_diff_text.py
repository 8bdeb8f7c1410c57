"""A comparison as a person sees it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.bundle import canonical, schemas
from reprokit.bundle.environment import Package
from reprokit.bundle.results import Metric, Task
from reprokit.diff.compare import compare
from reprokit.diff.difference import SCHEMA, Difference
from reprokit.diff.shown.legible import number, printable, quoted, shorten, shorten_both
from reprokit.diff.shown.text import lines
from reprokit.diff.shown.words import WIDTH


@pytest.fixture
def two_runs(make):
    """A run, and the same with another limit, another torch and other answers."""
    a = make.side(
        [make.sample(number) for number in range(4)],
        metrics=[Metric(task="toy", metric="acc", value=1.0, stderr=0.0, higher_is_better=True)],
    )
    packages = [Package(name="lm_eval", version="0.4.13"), Package(name="torch", version="2.14.0")]
    b = make.side(
        [*(make.sample(number) for number in range(3)), make.sample(3, response="no", acc=0.0), make.sample(4)],
        metrics=[Metric(task="toy", metric="acc", value=0.8, stderr=0.2, higher_is_better=True)],
        record=make.record(["lm_eval", "run", "--tasks", "toy", "--limit", "5"], run={"host": "other"}),
        environment=make.environment(packages=packages),
    )
    return a, b


def test_a_page_says_the_verdict_first_and_then_why(two_runs):
    a, b = two_runs

    assert lines(compare(a, b)) == [
        "different: 1 of 1 scores differ, 1 of 4 samples differ, 1 sample in only one of them",
        f"  a  {a.info.bundle_id}",
        f"  b  {b.info.bundle_id}",
        "",
        "partly comparable: 4 samples in common, 1 in only one of them",
        "",
        "scores: 1 of 1 differ",
        "  task  metric  a      b          b - a                95 % interval                    p (Holm)",
        "  toy   acc     1 ± 0  0.8 ± 0.2  -20.0 points, worse  -25.0 in common: -80.6 to +51.3  1         different",
        "  tested by exact McNemar over 4 pairs",
        "  1 score: one sample changed: no spread to estimate",
        "",
        "where it begins:",
        "  toy acc: of -20.0 points, -25.0 from the response (1 sample), +5.0 from samples that only one has (1 sample)",
        "",
        "set-up: 2 changes, 1 likely to move a score",
        "  likely: the score is over other samples",
        "    invocation  --limit  4 → 5",
        "  possible: brings the kernels, and another release may round differently",
        "    packages    torch    2.13.0 → 2.14.0",
        "  ignored as noise: 1 (host 1); `--all` shows them",
        "",
        "samples: 3 of 4 identical",
        "  toy: 4 compared, 1 differ (response 1, answer 1, score 1), 1 only in b",
        "    acc: 1 right → wrong, 0 wrong → right",
        "    id 3: response, answer, score",
        '      target    "A" (in both)',
        '      response  "r3" → "no"',
        "      score     acc 1 → 0",
        "    id 4: only in b",
    ]


def test_an_identical_pair_is_told_in_a_few_lines(make):
    a, b = make.side(), make.side()

    assert lines(compare(a, b))[0] == "identical: 1 score and 4 samples equal, set-up equal"
    assert len(lines(compare(a, b))) <= 15


def test_all_shows_what_was_ignored(two_runs):
    found = compare(*two_runs)

    assert not any("box → other" in line for line in lines(found))
    assert any("box → other" in line for line in lines(found, all=True))


def test_what_a_model_said_cannot_act_on_the_terminal(make):
    nasty = "\x1b]0;owned\x07\x1b[2J\r\nfake line\u202e\u2066\x00\x9b31m"
    a = make.side([make.sample(0)])
    b = make.side(
        [make.sample(0, response=nasty, task=nasty)],
        metrics=[Metric(task=nasty, metric=nasty, value=0.5)],
        record=make.record(["p", nasty, f"--{nasty}"]),
    )

    written = lines(compare(a, b), all=True)

    assert all(line.isprintable() for line in written)
    assert any("\\e]0;owned" in line for line in written)


def test_long_lists_are_cut_and_say_so(make):
    def side(version):
        packages = [Package(name=f"package-{n}", version=version) for n in range(40)]
        metrics = [Metric(task=f"task-{n}", metric="acc", value=int(version) if n % 2 else 0) for n in range(60)]
        samples = [make.sample(n, response=version) for n in range(30)]
        return make.side(samples, metrics=metrics, environment=make.environment(packages=packages))

    found = compare(side("1"), side("2"))
    short, whole = lines(found), lines(found, all=True)

    assert "  possible: … 28 more, `--all` shows them" in short
    assert "  … and 36 more: `--all` shows them" in short
    assert "    … and 25 more samples: `--samples 30` shows them" in short
    assert sum(line.lstrip().startswith("packages") for line in whole) == 40
    assert len(short) < 80


def test_lines_are_not_much_wider_than_a_page(make):
    def side(word):
        long = "x" * 300 + word + "y" * 300
        record = make.record(["p", f"--{'o' * 80}", long], claims={"config": {"text": long}})
        metrics = [Metric(task="t" * 90, metric="m" * 90, value=len(word))]
        return make.side([make.sample("i" * 200, response=long)], record=record, metrics=metrics)

    written = lines(compare(side("one"), side("three")))

    assert all(len(line) <= WIDTH + 30 for line in written)
    assert any("one" in line and "three" in line for line in written if "--ooo" in line)


def test_what_could_not_be_compared_is_told(make):
    def side(answer, score):
        row = msgspec.structs.replace(make.sample(0), answer=answer, epoch=2, filter="strict")
        return make.side([row, row], metrics=[Metric(task="toy", metric="acc", value=score, extra={"x": score})])

    written = lines(compare(side("A", 0.5), side(None, 0.5)))
    assert "  toy: 2 compared, saved by only one: answer 2, 1 repeated in a, 1 repeated in b" in written

    written = lines(compare(side("A", 0.5), side("B", 0.5)))
    assert "    id 0, strict, epoch 2: answer" in written
    assert "    id 0, strict, epoch 2, occurrence 2: answer" in written

    a, b = (make.side(metrics=[Metric(task="toy", metric="acc", value=1, extra=extra)]) for extra in (1, 2))
    assert any(line.endswith("differs in its details") for line in lines(compare(a, b)))


def test_an_id_as_text_looks_different_from_the_number(make):
    written = lines(compare(make.side([make.sample("1")]), make.side([make.sample("1", response="x")])))

    assert '    id "1": response, answer' in written


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(12, 60))
def test_two_shortened_texts_stay_different_and_short(one, other, width):
    left, right = shorten_both(one, other, width)

    assert max(len(left), len(right)) <= width
    if one == other:
        assert left == right
    if max(len(one), len(other)) <= width:
        assert (left, right) == (one, other)


@settings(deadline=None)
@given(st.text(), st.integers(3, 40))
def test_shortening_keeps_both_ends(text, width):
    short = shorten(text, width)

    assert len(short) <= width
    assert short == text or (short[0], short[-1]) == (text[0], text[-1])


@settings(deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_anything_becomes_printable(text):
    assert printable(text).isprintable()


def test_values_are_written_for_people():
    assert (number(0.1 + 0.2), number(12345678), number(True)) == ("0.3", "12345678", "1")
    assert quoted(["only one"]) == '"only one"'
    assert quoted(["a\n", 2]) == '["a\\n",2]'


# --- for machines ------------------------------------------------------------------------------------------------------


def test_the_json_form_follows_a_schema_made_from_the_types(two_runs):
    schema = msgspec.json.decode(schemas.generate(SCHEMA, Difference))
    found = canonical.record(compare(*two_runs))

    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(found))
    assert msgspec.json.decode(found)["schema"] == SCHEMA


def test_tasks_are_listed_one_by_one_only_where_they_are_not_alike(make):
    def side(*shots):
        names = [f"task-{n}" for n in range(len(shots))]
        samples = {name: [make.sample(0, task=name)] for name in names}
        return make.side(samples, tasks=[Task(name=n, n_shot=s) for n, s in zip(names, shots, strict=True)])

    alike, mixed = lines(compare(side(0, 0), side(0, 0))), lines(compare(side(0, 0), side(0, 5)))

    assert "comparable: 1 sample in common" in alike
    assert "  task-1  partly comparable: 1 sample in common; not the same: shots" in mixed
