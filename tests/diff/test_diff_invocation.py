"""Two command lines, compared option by option."""

from __future__ import annotations

import pytest

from reprokit.bundle.record import Input, Output
from reprokit.bundle.values import SecretSlot
from reprokit.diff.difference import Asked
from reprokit.diff.setup import comparing
from reprokit.diff.tasks import pair_tasks


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


def changes(a, b):
    return [(c.area, c.name, c.kind, c.before, c.after) for c in set_ups(a, b).whole.changes]


def ignored(a, b):
    return {(i.area, i.name): i.rules for i in set_ups(a, b).whole.ignored}


def argv_changes(make, before, after, **more):
    a, b = (make.side(record=make.record(argv, **more)) for argv in (before, after))
    return [(c.name, c.kind, c.before, c.after) for c in set_ups(a, b).whole.changes]


def test_a_changed_option_is_one_change_of_that_option(make):
    assert argv_changes(make, ["p", "--limit", "4", "--log_samples"], ["p", "--limit", "5", "--log_samples"]) == [
        ("--limit", "changed", "4", "5")
    ]


@pytest.mark.parametrize("start", [["lm_eval"], ["python", "-m", "lm_eval"], ["srun", "-t", "5", "x/bin/lmms-eval"]])
def test_a_short_option_of_a_harness_is_the_same_as_the_long_one(make, start):
    assert argv_changes(make, [*start, "-b", "4"], [*start, "--batch_size", "4"]) == []
    assert argv_changes(make, [*start, "-L", "4"], [*start, "--limit=5"]) == [("--limit", "changed", "4", "5")]


def test_a_short_option_of_another_program_keeps_its_name(make):
    assert argv_changes(make, ["srun", "-t", "1", "lm_eval"], ["srun", "-t", "2", "lm_eval"]) == [
        ("-t", "changed", ["1", "lm_eval"], ["2", "lm_eval"])
    ]
    assert argv_changes(make, ["p", "-b", "1"], ["p", "-b", "2"]) == [("-b", "changed", "1", "2")]


def test_an_option_spelled_with_an_equals_sign_is_the_same_option(make):
    assert argv_changes(make, ["p", "--limit=4"], ["p", "--limit", "5"]) == [("--limit", "changed", "4", "5")]
    assert argv_changes(make, ["p", "--limit=4"], ["p", "--limit", "4"]) == []


def test_added_and_removed_options_do_not_shift_the_others(make):
    found = argv_changes(make, ["p", "run", "--a", "1", "--b", "2"], ["p", "run", "--b", "2", "--c"])

    assert found == [("--a", "removed", "1", None), ("--c", "added", None, True)]


def test_other_options_are_not_said_to_stand_in_another_order(make):
    assert (
        ignored(make.side(record=make.record(["p", "--a"])), make.side(record=make.record(["p", "--b", "--a"]))) == {}
    )


def test_a_repeated_option_is_compared_repeat_by_repeat(make):
    assert argv_changes(make, ["p", "-x", "1", "-x", "2"], ["p", "-x", "1", "-x", "3"]) == [
        ("-x (2)", "changed", "2", "3")
    ]


def test_a_negative_number_is_a_value_and_no_option(make):
    assert argv_changes(make, ["p", "--offset", "-1"], ["p", "--offset", "-2"]) == [("--offset", "changed", "-1", "-2")]


def test_the_order_of_options_is_noise_and_the_order_of_their_values_is_not(make):
    one, other = ["p", "--a", "1", "--b", "2", "3"], ["p", "--b", "2", "3", "--a", "1"]
    a, b = make.side(record=make.record(one)), make.side(record=make.record(other))

    assert changes(a, b) == []
    assert ignored(a, b) == {("invocation", "order of options"): ["order"]}
    assert argv_changes(make, ["p", "--b", "2", "3"], ["p", "--b", "3", "2"]) == [
        ("--b", "changed", ["2", "3"], ["3", "2"])
    ]


def test_a_subcommand_counts(make):
    assert argv_changes(make, ["lm_eval", "run"], ["lm_eval", "validate"]) == [
        ("argument 1", "changed", "run", "validate")
    ]


@pytest.mark.parametrize("spelling", ["apart", "joined"])
def test_output_paths_are_noise(make, spelling):
    def side(path):
        argv = ["p", "--output_path", path] if spelling == "apart" else ["p", f"--output_path={path}"]
        prefix = "" if spelling == "apart" else "--output_path="
        output = Output(path=path, argument=len(argv) - 1, prefix=prefix)
        return make.side(record=make.record(argv, outputs=[output], claims={"config": {"where": path}}))

    a, b = side("out"), side("/tmp/workspace/outputs/out")

    assert changes(a, b) == []
    assert ignored(a, b) == {("invocation", "--output_path"): ["output"], ("claims", "config.where"): ["output"]}


def test_an_output_path_that_only_one_command_names_is_noise(make):
    output = Output(path="/tmp/out", argument=2)
    a = make.side(record=make.record(["p"]))
    b = make.side(record=make.record(["p", "--output_path", "/tmp/out"], outputs=[output]))

    assert changes(a, b) == []
    assert ("invocation", "--output_path") in ignored(a, b)


def test_a_place_that_only_one_side_knows_to_be_an_output_is_no_noise(make):
    a = make.side(record=make.record(["p", "--dir", "/x"], outputs=[Output(path="/x", argument=2)]))
    b = make.side(record=make.record(["p", "--dir", "/y"]))

    assert changes(a, b) == [("invocation", "--dir", "changed", "/x", "/y")]


def test_another_model_in_the_folder_of_the_outputs_is_no_noise(make):
    def side(folder):
        argv = ["p", "--model", f"{folder}/model", "--output_path", folder]
        return make.side(record=make.record(argv, outputs=[Output(path=folder, argument=4)]))

    assert changes(side("/runs/one"), side("/runs/two")) == [
        ("invocation", "--model", "changed", "/runs/one/model", "/runs/two/model")
    ]


def test_the_same_program_in_another_environment_is_noise(make):
    a = make.side(record=make.record(["/home/ada/venv/bin/python3.11", "-m", "lm_eval"]))
    b = make.side(record=make.record(["python", "-m", "lm_eval"]))

    assert changes(a, b) == []
    assert ignored(a, b) == {("invocation", "program"): ["program"]}


def test_another_program_is_a_change(make):
    assert argv_changes(make, ["lm_eval"], ["lmms_eval"]) == [("program", "changed", "lm_eval", "lmms_eval")]


def test_a_secret_is_compared_by_the_name_of_its_slot(make):
    def side(slot):
        return make.side(record=make.record(["p", "--key", ["k=", SecretSlot(secret=slot)]]))

    assert changes(side("ONE"), side("ONE")) == []
    assert changes(side("ONE"), side("TWO")) == [("invocation", "--key", "changed", "k=<secret ONE>", "k=<secret TWO>")]


def test_another_file_behind_the_same_argument_is_a_change(make):
    def side(digit):
        item = Input(path="data.jsonl", argument=1, kind="file", inside=False, digest="sha256:" + digit * 64)
        return make.side(record=make.record(["p", "data.jsonl"], invocation={"inputs": [item]}))

    assert changes(side("1"), side("1")) == []
    assert [(c[0], c[1]) for c in changes(side("1"), side("2"))] == [("inputs", "data.jsonl")]


@pytest.mark.parametrize("written", [["--out", "{}"], ["--out={}"], ["{}"], ["--file", "{}/metrics.json"]])
def test_the_folder_of_files_that_a_person_named_as_results_is_no_change(make, written):
    def side(folder):
        argv = ["python", "ev.py", *(argument.format(folder) for argument in written)]
        outputs = [Output(path=f"{folder}/metrics.json", holds="results")]
        return make.side(record=make.record(argv, outputs=outputs))

    assert changes(side("first"), side("second")) == []
    assert changes(side("first"), make.side(record=make.record(["python", "ev.py", *written]))) != []
