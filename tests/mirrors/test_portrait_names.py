"""What things are called elsewhere: no two alike, none that is refused there."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reprokit.bundle.record import Harness, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import NotScored, Unknown
from reprokit.bundle.writing import Label
from reprokit.mirrors.portrait import keys, names
from reprokit.mirrors.portrait.scalars import measure

STATELESS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
WORDS = st.one_of(
    st.text(max_size=6), st.sampled_from(["a", "b", "a.b", "a/b", "a_b", "a,b", "acc", "acc_stderr", "n", "", "groups", "_x"])
)  # fmt: skip
SCORES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.integers(),
    st.builds(NotScored, not_scored=WORDS),
)
METRICS = st.builds(
    Metric,
    task=WORDS,
    metric=WORDS,
    filter=st.none() | WORDS,
    value=SCORES,
    stderr=st.none() | st.floats(allow_nan=False) | st.builds(NotScored, not_scored=WORDS),
    other_stderr=st.dictionaries(WORDS, SCORES, max_size=2),
    n=st.none() | st.integers(0, 3),
    group=st.booleans(),
)
TAGS = st.lists(st.one_of(st.text(max_size=8), st.text("ab/: v3", max_size=4), st.text(min_size=120, max_size=140)))


def metric(task="t", name="acc", value=0.5, **more):
    return Metric(task=task, metric=name, value=value, **more)


def subject(*models):
    unknown = Unknown(unknown="made by a test")
    return Subject(models=[SubjectPart(name=name, revision=unknown, learnt_from="claim") for name in models])


# --- parts of names ----------------------------------------------------------------------------------------------------


@given(WORDS, WORDS)
def test_two_names_are_never_written_alike(one, other):
    assert (keys.part(one) == keys.part(other)) == (one == other) or "\x00" in one + other


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_short_name_can_be_read_back(name):
    written = keys.part(name)

    assert "~" in written or unquote(written) == name
    assert not set("./,\n") & set(written)
    assert written.isprintable()
    assert not written.startswith("_")


def test_names_stay_as_they_are_where_they_can():
    assert keys.part("mmlu_abstract_algebra") == "mmlu_abstract_algebra"
    assert keys.part("lighteval|gsm8k:5-shot 多") == "lighteval|gsm8k:5-shot 多"
    assert keys.part("a.b/c,d%") == "a%2Eb%2Fc%2Cd%25"
    assert keys.part("_step") == "%5Fstep"


def test_a_long_name_is_cut_and_stays_apart_from_others():
    one, other = "t" * 300 + "1", "t" * 300 + "2"

    assert len(keys.part(one)) == 100
    assert keys.part(one) != keys.part(other)
    assert keys.part(one) == keys.part(one)


@given(st.text(max_size=200))
def test_a_name_for_a_file_holds_nothing_that_a_file_system_minds(name):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,60}", keys.file_part(name))


# --- numbers -----------------------------------------------------------------------------------------------------------


@given(st.lists(METRICS, max_size=12))
@example([metric(name="acc", stderr=0.1), metric(name="acc_stderr", value=0.7)])
@example([metric(task="groups", name="g", filter=None), metric(task="g", name="acc", group=True)])
@example([metric(n=3), metric(name="n", value=1.0)])
@example([metric(), metric()])
def test_no_metric_takes_the_name_of_another(metrics):
    measured = measure(metrics, taken={"results/tasks", "samples/a"})

    numbers = sum(not isinstance(each.value, NotScored) and abs(each.value) < 2**53 for each in metrics)
    finite_errors = [
        each.stderr for each in metrics if isinstance(each.stderr, float) and abs(each.stderr) != float("inf")
    ]
    whole = [v for v in measured.scalars.values() if not isinstance(v, float)]
    floats = [each.value for each in metrics if isinstance(each.value, float) and abs(each.value) >= 2**53]
    assert len(measured.scalars) == numbers + len(floats) + len(finite_errors)
    assert not measured.scalars.keys() & measured.summary.keys()
    assert not {"results/tasks", "samples/a"} & (measured.scalars.keys() | measured.summary.keys())
    assert not any("." in name or name.startswith("_") for name in (*measured.scalars, *measured.summary))
    assert all(type(value) is int for value in whole)


def test_the_filter_is_told_only_where_there_are_several():
    measured = measure([
        metric("gsm8k", "em", 0.1, filter="strict"),
        metric("gsm8k", "em", 0.2, filter="flexible", stderr=0.3),
        metric("arc", "acc", 0.4, filter="none", stderr=0.5),
    ])  # fmt: skip

    assert measured.scalars == {
        "gsm8k/em,strict": 0.1,
        "gsm8k/em,flexible": 0.2,
        "gsm8k/em_stderr,flexible": 0.3,
        "arc/acc": 0.4,
        "arc/acc_stderr": 0.5,
    }


def test_groups_stand_together_and_are_no_tasks():
    measured = measure([metric("mmlu", group=True, n=9), metric("mmlu", n=5)])

    assert measured.scalars == {"groups/mmlu/acc": 0.5, "mmlu/acc": 0.5}
    assert measured.summary == {"groups/mmlu/n": 9, "mmlu/n": 5}


def test_a_score_keeps_its_name_before_a_standard_error_or_a_count():
    measured = measure([metric(stderr=0.1, n=7), metric(name="acc_stderr", value=0.9), metric(name="n", value=0.8)])

    assert measured.scalars == {"t/acc": 0.5, "t/acc_stderr": 0.9, "t/n": 0.8, "t/acc_stderr-2": 0.1}
    assert measured.summary == {"t/n-2": 7}
    assert measured.remarks == [
        "`t/acc_stderr-2`: its name is `t/acc_stderr`, which something else has",
        "`t/n-2`: its name is `t/n`, which something else has",
    ]


def test_what_is_no_number_goes_to_the_summary_and_says_why():
    measured = measure([
        metric(value=NotScored(not_scored="nan"), stderr=NotScored(not_scored="N/A")),
        metric(name="pair", value=NotScored(not_scored="a structure"), extra=[1, 2]),
        metric(name="passed", value=True),
        metric(name="seed", value=2**60),
        metric(name="f1", other_stderr={"clustered": 0.1, "clt": NotScored(not_scored="N/A")}),
    ])  # fmt: skip

    assert measured.scalars == {"t/passed": 1, "t/f1": 0.5}
    assert measured.summary == {
        "t/acc": "not scored: nan",
        "t/pair": "not scored: a structure [1,2]",
        "t/seed": "1152921504606846976",
        "t/f1_stderr_clustered": 0.1,
    }


def test_counts_that_differ_between_metrics_are_told_for_each():
    assert measure([metric(n=3), metric(name="f1", n=4)]).summary == {"t/acc_n": 3, "t/f1_n": 4}


# --- the run and its copy ----------------------------------------------------------------------------------------------


@STATELESS
@given(harness=st.text(max_size=200), model=st.text(max_size=200))
def test_every_harness_and_model_give_a_name_for_the_copy(record, harness, model):
    named = record(harness=Harness(name=harness, version="1", version_from="claim"), subject=subject(model))

    name = names.artifact_name(named)

    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name)
    assert name not in {".", ".."}


def test_the_copy_is_named_after_harness_and_model(record):
    assert names.artifact_name(record()) == "lm_eval-tiny-gpt2"
    assert names.artifact_name(record(subject=Subject())) == "lm_eval-unknown"
    assert names.short_identity("sha256:0123456789abcdef") == "01234567"


def titled(record, results, label=None, **changes):
    return names.title(record(**changes), results, label or Label())


def results_of(*tasks, groups=None, n_shot=None):
    return Results(tasks=[Task(name=task, n_shot=n_shot) for task in tasks], groups=groups or {})


def claiming(**config):
    return Harness(name="lm_eval", version="1", version_from="claim", claims={"config": config})


def test_a_title_says_what_sets_a_run_apart(record):
    results = results_of("gsm8k", "arc", "b", "c", "d", groups={"abc": ["b", "c"]}, n_shot=5)

    assert titled(record, results, harness=claiming(limit=100.0)) == (
        "tiny-gpt2: abc, gsm8k, arc and 1 more (5-shot, limit 100)"
    )
    assert titled(record, Results()) == "tiny-gpt2: no task"
    assert titled(record, results_of("a"), subject=subject("x/one", "two")) == "one and 1 more: a"
    assert titled(record, results_of("a"), harness=claiming(limit=None)) == "tiny-gpt2: a"


def test_a_run_that_has_a_name_is_called_by_it(record):
    assert titled(record, Results(), Label(name="first\nlight")) == "first light"
    assert titled(record, Results(), Label(name=" ")) == "tiny-gpt2: no task"
    assert len(titled(record, Results(), Label(name="n" * 500))) == 128


@STATELESS
@given(tasks=st.lists(st.text(max_size=80), max_size=5), model=st.text(max_size=90))
def test_a_title_always_fits_on_one_line(record, tasks, model):
    title = titled(record, results_of(*tasks), subject=subject(model))

    assert 0 < len(title) <= 128
    assert title.isprintable()


@given(TAGS)
def test_every_alias_is_one_that_trackers_take(tags):
    made, remarks = names.aliases(tags)

    assert all(re.fullmatch(r"[\w.+=-]{1,128}", alias) for alias in made.values())
    assert not any(re.fullmatch(r"latest|v\d+|[0-9a-f]{8}", alias, re.IGNORECASE) for alias in made.values())
    assert len(set(made.values())) == len(made)
    changed = [tag for tag in dict.fromkeys(tags) if made.get(tag) != tag]
    assert len(remarks) == len(changed)


@pytest.mark.parametrize(
    ("tag", "alias"),
    [
        ("paper-2026", "paper-2026"), ("best/run: 1", "best-run-1"), ("v3", "tag-v3"), ("V12", "tag-V12"), ("v3.1", "v3.1"),
        ("latest", "tag-latest"), ("deadbeef", "tag-deadbeef"), ("schön", "schön"), ("x" * 200, "x" * 128), ("/", None),
        ("", None), ("...", None), ("la/test", "la-test"), ("/latest/", "tag-latest"),
    ],
)  # fmt: skip
def test_a_tag_becomes_an_alias_by_the_rule(tag, alias):
    made, remarks = names.aliases([tag])

    assert made.get(tag) == alias
    assert bool(remarks) == (alias != tag)


def test_of_two_tags_that_become_one_alias_the_first_has_it():
    made, remarks = names.aliases(["a/b", "a:b"])

    assert made == {"a/b": "a-b"}
    assert remarks[-1] == "tag `a:b`: no alias of its own, for another tag became `a-b`"


@given(TAGS)
def test_every_tag_of_a_run_is_shown_in_64_characters(tags):
    made, _ = names.run_tags(tags)

    assert all(0 < len(tag) <= 64 and tag.isprintable() for tag in made.values())
    assert len(set(made.values())) == len(made)
    ordinary = [tag for tag in tags if tag.isprintable() and tag == " ".join(tag.split()) and 0 < len(tag) <= 64]
    assert set(ordinary) <= set(made.values())
