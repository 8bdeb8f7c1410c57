"""The tables: what of a bundle's samples is shown, how it reads, and what is said of the rest."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import NotScored, Unknown
from reprokit.bundle.writing import Label, Payload
from reprokit.mirrors.portrait import texts
from reprokit.mirrors.portrait.results_tables import results_tables
from reprokit.mirrors.portrait.sample_tables import LONGEST_TEXT, sample_tables
from reprokit.mirrors.portrait.table import Picture, of_one_type
from reprokit.rerun import script

PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 60


@pytest.fixture
def bundle_of(tmp_path, record):
    """Give a function that seals a bundle of tasks with samples, and of further files of the harness."""

    def make(by_task, metrics=(), files=None, **changes):
        payload = Payload(bag=tmp_path)
        tasks = []
        for number, (task, rows) in enumerate(by_task.items()):
            path = f"samples/{number}.jsonl"
            payload.add(path, "samples", (canonical.line(row) + b"\n" for row in rows))
            tasks.append(Task(name=task, samples_saved=len(rows), samples_file=path))
        for name, data in (files or {"harness/out.json": b"{}"}).items():
            payload.add(name, "harness", data)
        results = Results(metrics=list(metrics), tasks=tasks)
        environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
        payload.add("results.json", "results", canonical.record(results))
        payload.add("environment/environment.json", "environment", canonical.record(environment))
        payload.add("environment/requirements.lock", "environment", b"")
        payload.seal(
            record(**changes), results=results, script=lambda record: script.text(record, environment, []), label=Label(),
            captured="2026-11-24T00:00:00Z", agent="test",
        )  # fmt: skip
        return open_bundle(tmp_path)

    return make


def sample(number=0, **members):
    return Sample(**{"task": "t", "id": number, "prompt": "?", "responses": ["a"], "scores": {"acc": 1.0}} | members)


def rows(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


# --- how many ----------------------------------------------------------------------------------------------------------


def test_as_many_rows_as_asked_are_shown_and_the_rest_is_told(bundle_of):
    bundle = bundle_of({"t": [sample(number) for number in range(30)], "u": [sample()]})

    first, second = sample_tables(bundle, most_rows=10)

    assert [row["id"] for row in rows(first)] == list(range(10))
    assert first.there == 30
    assert first.remarks == ("`t`: 10 of 30 samples are shown",)
    assert second.remarks == ()


def test_of_several_filters_the_same_samples_are_shown(bundle_of):
    samples = [sample(number, filter=name) for name in ("strict", "loose") for number in range(20)]
    metrics = [Metric(task="t", metric="acc", filter=name, value=0.5) for name in ("strict", "loose")]

    (table,) = sample_tables(bundle_of({"t": samples}, metrics), most_rows=8)

    shown = [(row["filter"], row["id"]) for row in rows(table)]
    assert shown == [(name, number) for name in ("strict", "loose") for number in range(4)]


def test_samples_that_name_no_filter_share_their_rows_with_none(bundle_of):
    metrics = [Metric(task="t", metric="acc", filter=name, value=0.5) for name in ("strict", "loose")]

    (table,) = sample_tables(bundle_of({"t": [sample(number) for number in range(9)]}, metrics), most_rows=8)

    assert len(table.rows) == 8


def test_every_task_has_an_equal_share_of_the_bytes_and_says_what_is_missing(bundle_of):
    long = {name: [sample(number, prompt="x" * 1000) for number in range(50)] for name in ("a", "b", "c")}

    tables = list(sample_tables(bundle_of(long), most_rows=1000, most_octets=30_000))

    assert [len(table.rows) for table in tables] == [8, 8, 8]
    assert tables[0].remarks == ("`a`: 8 of 50 samples are shown: the tables may have no more bytes",)


def test_a_task_leaves_what_it_does_not_need_to_those_after_it(bundle_of):
    samples = {"a": [sample()], "b": [sample(number, prompt="x" * 1000) for number in range(50)]}

    small, large = sample_tables(bundle_of(samples), most_rows=1000, most_octets=30_000)

    assert len(small.rows) == 1
    assert len(large.rows) > 20


def test_a_damaged_bundle_raises_and_only_when_its_turn_comes(bundle_of):
    bundle = bundle_of({"t": [sample()], "u": [sample()]})
    tables = sample_tables(bundle, most_rows=5)
    assert len(next(tables).rows) == 1
    path = bundle.stored("samples/1.jsonl")
    path.chmod(0o644)
    path.write_text("{\n")

    with pytest.raises(Exception, match="line 1"):
        next(tables)


# --- what stands in them -----------------------------------------------------------------------------------------------


def test_a_long_text_keeps_its_beginning_and_its_end(bundle_of):
    (table,) = sample_tables(bundle_of({"t": [sample(prompt="a" * 5000 + "the question")]}), most_rows=5)

    (row,) = rows(table)
    assert row["prompt"].startswith("a" * 2000 + " … [1,012 characters left out] … a")
    assert row["prompt"].endswith("the question")
    assert table.remarks == (f"`t`: 1 texts are longer than {LONGEST_TEXT:,} characters; their middle is left out",)


def test_a_column_has_one_type(bundle_of):
    samples = [
        sample(1, scores={"acc": True, "f1": True, "size": 2**60}),
        sample("x", scores={"acc": 0.5, "f1": False, "size": 1}),
        sample(3, scores={"acc": NotScored(not_scored="nan"), "new": 1}),
    ]

    (table,) = sample_tables(bundle_of({"t": samples}), most_rows=5)

    first, second, third = rows(table)
    assert [row["id"] for row in (first, second, third)] == ["1", "x", "3"]
    assert (first["acc"], second["acc"], third["acc"]) == (1, 0.5, None)
    assert (first["f1"], second["f1"], third["f1"]) == (True, False, None)
    assert (first["size"], second["size"], third["size"]) == ("1152921504606846976", "1", None)
    assert (first["new"], third["new"]) == (None, 1)
    assert table.remarks == ("`t`: 1 marks of `acc` are no numbers: nan",)


def test_a_mark_never_takes_the_column_of_something_else(bundle_of):
    marks = {
        "id": 1,
        "answer": 2,
        "answer (score)": 3,
        "image": 4,
        "image 2": 5,
        "m": 6,
        "m" * 200 + "1": 7,
        "m" * 200: 8,
    }

    (table,) = sample_tables(bundle_of({"t": [sample(7, answer="a", scores=marks)]}), most_rows=5)

    (row,) = rows(table)
    assert (row["id"], row["answer"]) == (7, "a")
    assert sorted(value for value in row.values() if isinstance(value, int)) == [1, 1, 2, 3, 4, 5, 6, 7, 7, 8]
    assert len(set(table.columns)) == len(table.columns)
    assert max(map(len, table.columns)) <= 110


def test_a_mark_that_is_a_structure_is_shown_as_it_was_saved(bundle_of):
    marks = {"detail": NotScored(not_scored="a structure")}

    (table,) = sample_tables(bundle_of({"t": [sample(scores=marks, extra={"detail": {"score": 1}})]}), most_rows=5)

    (row,) = rows(table)
    assert (row["detail"], row["detail (as saved)"]) == (None, '{"score":1}')
    assert table.remarks == ()


def test_a_document_stands_in_for_a_prompt_that_was_not_saved(bundle_of):
    (table,) = sample_tables(bundle_of({"t": [sample(prompt=None, document={"q": "1+1"})]}), most_rows=5)

    assert rows(table)[0]["document"] == '{"q":"1+1"}'
    assert rows(table)[0]["prompt"] is None


def test_of_private_samples_nothing_but_marks_is_shown_and_that_is_said(bundle_of):
    private = sample(prompt=None, responses=[], responses_digest="sha256:" + "0" * 64)

    (table,) = sample_tables(bundle_of({"t": [private]}, samples="digest"), most_rows=5)

    (row,) = rows(table)
    assert (row["prompt"], row["response"], row["answer"], row["acc"]) == (None, None, None, 1.0)
    assert table.remarks == ("`t`: the bundle holds digests of its samples and no texts, for their content is private",)


def test_a_picture_that_the_bundle_holds_is_given_and_another_is_named(bundle_of):
    digest = "sha256:" + hashlib.sha256(PIXEL).hexdigest()
    held = Medium(kind="image", digest=digest, name="data/red.png", width=4, height=2)
    pixels = Medium(kind="image", digest=digest, digest_of="pixels")
    sound = Medium(kind="audio", digest=Unknown(unknown="not read"), name="a.wav")
    samples = [sample(0, media=[held, pixels, sound, held]), sample(1)]

    (table,) = sample_tables(bundle_of({"t": samples}, files={"harness/red.PNG": PIXEL}), most_rows=5)

    first, second = rows(table)
    assert first["image"] == first["image 2"] == Picture(path="harness/red.PNG", size=len(PIXEL))
    assert first["media"].splitlines()[:3] == [
        f"image 4x2 data/red.png ({digest[:19]})",
        f"image ({digest[:19]} of its pixels)",
        "audio a.wav (no digest: not read)",
    ]
    assert (second["image"], second["media"]) == (None, None)
    assert "image 3" not in table.columns
    assert table.columns[-3:] == ("image", "image 2", "media")


def test_pictures_count_among_the_bytes(bundle_of):
    digest = "sha256:" + hashlib.sha256(PIXEL * 100).hexdigest()
    samples = [sample(number, media=[Medium(kind="image", digest=digest)]) for number in range(10)]

    bundle = bundle_of({"t": samples}, files={"harness/a.png": PIXEL * 100})
    (table,) = sample_tables(bundle, most_rows=10, most_octets=30_000)

    assert len(table.rows) == 4


def test_tables_of_tasks_whose_names_no_file_has_stay_apart(bundle_of):
    tasks = ["a/b", "a.b", "a b", "", "é", "t" * 300, "t" * 301, "a-b"]

    keys = [table.key for table in sample_tables(bundle_of({task: [sample()] for task in tasks}), most_rows=1)]

    assert len(set(keys)) == len(tasks)
    assert keys[-1] == "samples/a-b"


# --- texts -------------------------------------------------------------------------------------------------------------

PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 20
CHAT = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": PICTURE}}, {"type": "text", "text": "what colour?"}]},
    {"role": "assistant", "content": None},
]  # fmt: skip


@pytest.mark.parametrize("prompt", [CHAT, json.dumps(CHAT)])
def test_chat_messages_read_as_a_conversation(prompt):
    assert texts.prompt(sample(prompt=prompt)) == ("system: be brief\n\nuser: [image_url]\nwhat colour?\n\nassistant: ")


def test_bytes_within_a_text_are_left_out():
    assert texts.readable(f"look: {PICTURE}!") == "look: [image/png]!"
    assert texts.readable({"url": PICTURE}) == '{"url":"[image/png]"}'
    assert texts.readable("data:,short") == "data:,short"


@pytest.mark.parametrize(
    "text", ['[{"role"', '[{"role": "user"}]', '[{"a": 1, "role": 2, "content": "x"}]', "[{", "plain"]
)
def test_a_text_that_is_no_conversation_stays_as_it_is(text):
    assert texts.prompt(sample(prompt=text)) == text


def test_several_prompts_and_answers_are_numbered():
    assert texts.prompt(sample(prompt=["a b", "c d"])) == "[1] a b\n\n[2] c d"
    assert texts.response(sample(responses=["x", {"y": 1}])) == '[1] x\n[2] {"y":1}'
    assert texts.response(sample(responses=[])) is None


def test_a_single_log_probability_reads_as_one():
    assert texts.response(sample(responses=[["-1.5", "True"]])) == "log p -1.5000, greedy"
    assert texts.answer(sample(answer=["-1.5", "True"])) == '["-1.5","True"]'


def test_choices_without_texts_are_told_by_number():
    answers = [[-2.0, False], [-1.0, True]]

    assert texts.response(sample(responses=answers)) == "  log p -2.0000\n→ log p -1.0000, greedy"
    assert texts.answer(sample(answer=answers)) == "likeliest: 1"


@pytest.mark.parametrize("other", [[["a", "b"], ["c", "d"]], [["x", "True"]], [[1, "True", 2]], [None, ["-1", "True"]]])
def test_what_only_looks_like_log_probabilities_is_shown_as_it_is(other):
    assert "log p" not in texts.response(sample(responses=other))


def test_a_target_that_is_a_choice_is_told_with_it():
    extra = {"choices": [" yes", " no"]}

    assert texts.target(sample(target="1", extra=extra)) == "1: no"
    assert texts.target(sample(target=0, extra=extra)) == "0: yes"
    assert texts.target(sample(target="7", extra=extra)) == "7"
    assert texts.target(sample(target="1")) == "1"
    assert texts.target(sample(target=None)) is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9) | st.sampled_from(["0", "-1.5", "nan", "True", "[{"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "choices", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(prompt=ANYTHING, target=ANYTHING, responses=st.lists(ANYTHING, max_size=4), answer=ANYTHING, extra=ANYTHING)
def test_whatever_a_harness_saved_can_be_shown(prompt, target, responses, answer, extra):
    odd = sample(
        prompt=prompt, target=target, responses=responses, answer=answer, extra=extra if isinstance(extra, dict) else {}
    )

    for shown in (texts.prompt(odd), texts.target(odd), texts.response(odd), texts.answer(odd)):
        assert shown is None or type(shown) is str
        assert "\x00" not in (shown or "")


def test_what_is_nested_deeply_can_be_shown(bundle_of):
    deep = []
    for _ in range(400):
        deep = [deep]
    odd = sample(prompt=[{"role": "user", "content": deep}], document=deep, responses=[deep], answer=deep, target=deep)

    (table,) = sample_tables(bundle_of({"t": [odd]}), most_rows=1)

    assert rows(table)[0]["prompt"].startswith("user: [[[")


# --- results -----------------------------------------------------------------------------------------------------------


def test_results_and_groups_have_a_table_each():
    metrics = [
        Metric(task="t", metric="acc", value=0.5, stderr=NotScored(not_scored="N/A"), n=4, n_shot=5, task_version="1"),
        Metric(task="t", metric="f1", value=NotScored(not_scored="nan")),
        Metric(task="g", metric="acc", value=True, group=True),
    ]

    tasks, groups = results_tables(Results(metrics=metrics, groups={"g": ["t", "u"]}))

    assert rows(tasks) == [
        {"task": "t", "version": "1", "n_shot": 5, "filter": None, "metric": "acc", "value": 0.5, "stderr": None, "n": 4,
         "higher_is_better": None, "remark": "no standard error: N/A"},
        {"task": "t", "version": None, "n_shot": None, "filter": None, "metric": "f1", "value": None, "stderr": None,
         "n": None, "higher_is_better": None, "remark": "not scored: nan"},
    ]  # fmt: skip
    assert (rows(groups)[0]["group"], rows(groups)[0]["value"], rows(groups)[0]["tasks"]) == ("g", True, "t, u")


def test_a_boolean_among_numbers_is_told_from_a_number():
    metrics = [Metric(task="t", metric="passed", value=True), Metric(task="t", metric="acc", value=1.0)]

    (table,) = results_tables(Results(metrics=metrics))

    assert [(row["value"], row["remark"]) for row in rows(table)] == [(1, "boolean"), (1.0, None)]


def test_two_tasks_whose_long_names_begin_alike_are_two():
    metrics = [Metric(task="t" * 300 + end, metric="acc", value=0.5) for end in "ab"]

    (table,) = results_tables(Results(metrics=metrics))

    assert len({row["task"] for row in rows(table)}) == 2
    assert all(len(row["task"]) <= 100 for row in rows(table))


def test_a_table_of_results_without_rows_is_none():
    assert results_tables(Results()) == []
    assert [table.key for table in results_tables(Results(metrics=[Metric(task="t", metric="a", value=1)]))] == [
        "results/tasks"
    ]


def test_a_table_of_very_many_results_says_how_many_it_shows():
    (table,) = results_tables(Results(metrics=[Metric(task="t", metric=f"m{n}", value=n) for n in range(10_001)]))

    assert (len(table.rows), table.there) == (10_000, 10_001)
    assert table.remarks == ("`results/tasks`: 10000 of 10001 rows",)


def test_mixed_cells_become_text_as_json_writes_them():
    mixed = [["a"], [1], [1.5], [True], [None], [Picture(path="p.png", size=1)]]

    assert of_one_type(mixed, 1) == (("a",), ("1",), ("1.5",), ("true",), (None,), ("p.png",))
    assert of_one_type([], 3) == ()
