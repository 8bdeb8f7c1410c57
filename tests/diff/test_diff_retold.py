"""The same cause, told several times: one telling stays, and nothing else is taken out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.environment import Package
from reprokit.bundle.results import Task
from reprokit.diff.difference import Asked
from reprokit.diff.setup import comparing
from reprokit.diff.tasks import pair_tasks


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


def sides(make, argv, claims, tasks=None):
    return [
        make.side(record=make.record(arguments, claims=said), tasks=None if tasks is None else [defined])
        for arguments, said, defined in zip(argv, claims, tasks or (None, None), strict=True)
    ]


def told(found):
    return [(c.area, c.name) for c in found.changes], [(i.area, i.name, i.rules) for i in found.ignored]


def test_a_claim_that_repeats_an_option_is_ignored_and_says_so(make):
    a, b = sides(
        make,
        (["lm_eval", "--limit", "4"], ["lm_eval", "--limit", "5"]),
        ({"config": {"limit": 4.0, "x": 1}}, {"config": {"limit": 5.0, "x": 2}}),
    )

    found = set_ups(a, b).whole

    assert told(found) == (
        [("invocation", "--limit"), ("claims", "config.x")],
        [("claims", "config.limit", ["retold"])],
    )


@pytest.mark.parametrize("claimed", [(4, 6), (3, 5), (5, 4), (None, 5), (4, None), ("4 ", [5])])
def test_a_claim_that_says_anything_else_than_the_option_stays_a_change(make, claimed):
    a, b = sides(
        make,
        (["lm_eval", "--limit", "4"], ["lm_eval", "--limit", "5"]),
        tuple({"config": {"limit": value}} for value in claimed),
    )

    assert ("claims", "config.limit") in told(set_ups(a, b).whole)[0]


def test_an_option_that_is_not_given_is_retold_by_nothing_or_by_a_switch_that_is_off(make):
    a, b = sides(
        make,
        (["lm_eval"], ["lm_eval", "--limit", "5", "--apply_chat_template"]),
        (
            {"config": {"limit": None, "resolved_cli_args": {"apply_chat_template": False, "batch_size": 1}}},
            {"config": {"limit": 5, "resolved_cli_args": {"apply_chat_template": True, "batch_size": 2}}},
        ),
    )

    assert told(set_ups(a, b).whole)[0] == [
        ("invocation", "--apply_chat_template"),
        ("invocation", "--limit"),
        ("claims", "config.resolved_cli_args.batch_size"),
    ]


def test_arguments_of_the_model_are_told_once_although_the_harness_notes_them_in_every_task(make):
    def definition(dtype):
        return Task(name="toy", config={"metadata": {"dtype": dtype, "version": 1}})

    a, b = sides(
        make,
        (["lm_eval", "-a", "pretrained=m,dtype=float32"], ["lm_eval", "--model_args", "pretrained=m,dtype=float16"]),
        tuple({"config": {"model_args": {"dtype": dtype}}, "model_name": "m"} for dtype in ("float32", "float16")),
        (definition("float32"), definition("float16")),
    )

    found = set_ups(a, b)

    assert [(c.name, c.effect, c.note) for c in found.whole.changes] == [
        ("--model_args", "likely", "dtype: float32 → float16")
    ]
    assert [c.name for c in found.tasks["toy"].changes] == ["toy, definition metadata.dtype"]


def test_seeds_are_told_once(make):
    def claims(*seeds):
        names = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
        return {"config": dict(zip(names, seeds, strict=True)) | {"resolved_cli_args": {"seed": list(seeds)}}}

    argv = (["lm_eval", "--seed", "1"], ["lm_eval", "--seed", "1,2,3,4"])
    a, b = sides(make, argv, (claims(1, 1, 1, 1), claims(1, 2, 3, 4)))
    assert told(set_ups(a, b).whole)[0] == [("invocation", "--seed")]

    a, b = sides(make, argv, (claims(1, 1, 1, 1), claims(1, 2, 9, 4)))
    assert ("claims", "config.torch_seed") in told(set_ups(a, b).whole)[0]


def test_shots_and_versions_of_a_task_are_told_once(make):
    def task(shots, version):
        return Task(
            name="toy",
            version=version,
            n_shot=shots,
            config={"num_fewshot": shots, "metadata": {"version": float(version)}},
        )

    def claims(shots, version):
        return {"n-shot": {"toy": shots}, "versions": {"toy": float(version)}}

    bare = (["lm_eval"], ["lm_eval"])
    a, b = sides(make, bare, (claims(0, "1.0"), claims(5, "2.0")), (task(0, "1.0"), task(5, "2.0")))
    assert told(set_ups(a, b).whole)[0] == [("tasks", "toy, shots"), ("tasks", "toy, version")]

    asked = (["lm_eval", "-f", "0"], ["lm_eval", "--num_fewshot=5"])
    a, b = sides(make, asked, (claims(0, "1.0"), claims(5, "1.0")), (task(0, "1.0"), task(5, "1.0")))
    assert told(set_ups(a, b).whole)[0] == [("invocation", "--num_fewshot")]


def test_an_empty_table_is_not_told_beside_the_members_it_has_on_the_other_side(make):
    a, b = sides(
        make, (["lm_eval"], ["lm_eval"]), ({"config": {"gen_kwargs": {}}}, {"config": {"gen_kwargs": {"top_p": 0.5}}})
    )

    assert told(set_ups(a, b).whole)[0] == [("claims", "config.gen_kwargs.top_p")]


def test_the_harness_and_its_package_are_told_once(make):
    def side(version, packaged):
        record = make.record(claims={"lm_eval_version": version, "transformers_version": version})
        harness = msgspec.structs.replace(record.harness, version=version)
        record = msgspec.structs.replace(record, harness=harness)
        return make.side(
            record=record, environment=make.environment(packages=[Package(name="lm_eval", version=packaged)])
        )

    assert told(set_ups(side("1", "1"), side("2", "2")).whole)[0] == [
        ("harness", "version"),
        ("claims", "transformers_version"),
    ]
    assert ("packages", "lm-eval") in told(set_ups(side("1", "1"), side("2", "3")).whole)[0]


def test_what_is_claimed_of_a_task_that_only_one_run_evaluated_follows_from_that(make):
    def side(*names):
        said = {"versions": dict.fromkeys(names, 1.0), "results": {name: {"alias": name} for name in names}}
        return make.side(record=make.record(claims=said), tasks=[Task(name=name) for name in names])

    a, b = side("toy", "other/task"), side("toy")

    assert told(set_ups(a, b).whole) == (
        [("tasks", "other/task")],
        [("claims", "results.`other/task`.alias", ["follows"]), ("claims", "versions.`other/task`", ["follows"])],
    )


def test_a_digest_of_a_text_follows_from_the_text(make):
    def side(**claims):
        return make.side(record=make.record(claims=claims))

    a, b = side(chat_template=None, chat_template_sha=None), side(chat_template="{{x}}", chat_template_sha="1")
    c = side(chat_template=None, chat_template_sha="2")

    assert told(set_ups(a, b).whole)[0] == [("claims", "chat_template")]
    assert told(set_ups(a, c).whole)[0] == [("claims", "chat_template_sha")]


SAID = st.sampled_from([None, True, False, 0, 1, 1.0, "1", "true", "a=1", "a=2", "", {}, {"a": "1"}, {"a": 2}, [1, 2]])
KEYS = ("limit", "model_args", "gen_kwargs", "seed", "random_seed", "apply_chat_template")
CLAIMS = st.dictionaries(st.sampled_from(KEYS), SAID, max_size=4)
OPTIONS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["1", "2", "a=1", "a=2", "1,2,3,4", ""]), max_size=4)


@given(options=st.tuples(OPTIONS, OPTIONS), claims=st.tuples(CLAIMS, CLAIMS))
def test_what_is_taken_out_as_retold_is_still_told_by_a_change_that_stays(make, options, claims):
    def side(asked, said):
        argv = ["lm_eval", *(f"--{key}={value}" for key, value in sorted(asked.items()))]
        return make.side(record=make.record(argv, claims={"config": {**said, "resolved_cli_args": said}}))

    a, b = (side(asked, said) for asked, said in zip(options, claims, strict=True))
    there, back = set_ups(a, b).whole, set_ups(b, a).whole

    retold = [i for i in there.ignored if i.rules == ["retold"]]
    assert all(any(about(c) & about(i) for c in there.changes) for i in retold)
    assert told(there) == told(back)
    assert [(c.effect, c.why) for c in there.changes] == [(c.effect, c.why) for c in back.changes]


def about(item):
    """The settings that a fact may be about."""
    last = item.name.removeprefix("config.").removeprefix("resolved_cli_args.").lstrip("-").split(".")[0]
    return {last, "seed"} if last.endswith("seed") else {last}
