"""A recorded command becomes one of the workspace: places follow their checkouts, outputs are redirected."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.record import Input, Output, Variable
from reprokit.bundle.source import Use
from reprokit.bundle.values import SecretSlot
from reprokit.rerun import command
from reprokit.rerun.parts import Place, opaque
from reprokit.rerun.values import Wishes


@pytest.fixture
def placed(a_source):
    """Give a function that plans the re-run of a record with another invocation."""

    def place(record, sources=(), mapped=None, **invocation):
        changed = msgspec.structs.replace(record, invocation=msgspec.structs.replace(record.invocation, **invocation))
        return command.plan(changed, sources or [a_source()], Wishes(mapped=mapped or {}))

    return place


def test_outputs_are_redirected_and_places_of_the_checkout_follow_it(record, placed):
    again = placed(
        record(),
        argv=["python", "/home/ada/evals/run.py", "--out=/data/results", "--tasks", "k=/home/ada/evals/tasks"],
        program="/usr/bin/python",
        program_in="system",
        source="evals",
        outputs=[Output(path="/data/results", argument=2, prefix="--out=")],
        environment_variables=[
            Variable(name="PYTHONPATH", value="/home/ada/evals/lib:src"),
            Variable(name="HF_HOME", value="/scratch/hf"),
            Variable(name="A;rm", value="x"),
        ],
    )

    assert again.argv[1] == (Place("source", "run.py"),)
    assert again.argv[2] == ("--out=", Place("outputs", "results"))
    assert again.argv[4] == ("k=", Place("source", "tasks"))
    assert dict(again.variables) == {"PYTHONPATH": (Place("source", "lib"), ":", Place("source", "src"))}
    assert set(again.dropped) == {"HF_HOME", "A;rm"}
    assert again.obstacles == ()


def test_an_absolute_output_that_no_argument_names_is_refused(record, placed):
    again = placed(record(), outputs=[Output(path="/data/results.json")])

    assert "cannot be redirected" in again.obstacles[0]


def test_a_place_of_another_checkout_follows_that_one(record, placed, a_source):
    other = a_source(name="harness", root="/home/ada/harness", used_as=[Use(kind="editable install", name="lm_eval")])
    again = placed(
        record(),
        sources=[a_source(), other],
        argv=["python", "/home/ada/harness/run.py", "--args", "pretrained=/home/ada/evals/m,tasks=/home/ada/harness/t"],
        program="/usr/bin/python",
        program_in="system",
        source="evals",
    )

    assert again.argv[1] == (Place("sources", "harness/run.py"),)
    assert again.argv[3] == ("pretrained=", Place("source", "m"), ",tasks=", Place("sources", "harness/t"))
    assert again.obstacles == ()


def test_what_the_user_maps_is_taken_from_there_and_the_longest_folder_wins(record, placed):
    again = placed(
        record(),
        mapped={"/data": "/mnt", "/data/deep": "/mnt/other"},
        argv=["python", "--a=/data/x", "--b=/data/deep/y", "--c=/database"],
        program="/usr/bin/python",
        program_in="system",
        source="evals",
        inputs=[Input(path="/database", argument=3, kind="file", inside=False)],
        environment_variables=[Variable(name="HF_FOLDERS", value="/data/m:/home/ada/evals")],
    )

    assert again.argv[1:] == (("--a=/mnt/x",), ("--b=/mnt/other/y",), ("--c=/database",))
    assert dict(again.variables) == {"HF_FOLDERS": ("/mnt/m:", Place("source"))}
    assert again.obstacles == ()


def test_a_secret_in_a_variable_is_wished_for_and_one_in_an_argument_needed(record, placed):
    again = placed(
        record(),
        argv=["python", ["key=", SecretSlot(secret="A_KEY")]],
        program="/usr/bin/python",
        program_in="system",
        source="evals",
        environment_variables=[Variable(name="HF_TOKEN", value=[SecretSlot(secret="HF_TOKEN")])],
    )

    assert again.secrets == ("A_KEY",)
    assert again.wished == ("HF_TOKEN",)
    assert dict(again.variables) == {"HF_TOKEN": (SecretSlot(secret="HF_TOKEN"),)}


def test_who_edits_a_command_line_sees_places_and_secrets_as_opaque_pieces():
    argv = (
        (Place("environment", "bin/lm_eval"),),
        ("pretrained=", Place("source", "m,odd"), ",key=", SecretSlot(secret="K"), ",x=1"),
        ("",),
    )
    words = opaque(argv)
    changed = words.parts([words.words[0], words.words[1] + ",revision=abc", words.words[2], "--limit", "3"])

    assert words.words[0].rpartition("/")[2] == "lm_eval"
    assert changed[0] == argv[0]
    assert changed[1] == (*argv[1][:-1], ",x=1,revision=abc")
    assert changed[2:] == (("",), ("--limit",), ("3",))
