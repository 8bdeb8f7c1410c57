"""A re-run writes into its workspace: whatever else its command names stops it."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.record import Input, Output, Variable
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot
from reprokit.rerun import command
from reprokit.rerun.parts import Place

LM_EVAL = ("lm_eval", "run", "--model", "dummy", "--tasks", "toy")


def again(record, *argv, inputs=(), outputs=(), variables=(), harness="script"):
    """Plan a re-run of a command that was run in a checkout."""
    whole = record()
    harness_record = msgspec.structs.replace(whole.harness, name=harness)
    invocation = msgspec.structs.replace(
        whole.invocation,
        argv=list(argv),
        program="/usr/bin/python",
        program_in="system",
        source="evals",
        inputs=list(inputs),
        outputs=list(outputs),
        environment_variables=list(variables),
    )
    source = Source(
        name="evals", root="/home/ada/evals", commit="a" * 40, tree="b" * 40, swhid="", dirty=False, patch=None
    )
    return command.plan(msgspec.structs.replace(whole, harness=harness_record, invocation=invocation), [source])


@pytest.mark.parametrize(
    "argument",
    [
        "/data/log.txt",
        "--x=/data/log.txt",
        "--x=a:/data/log.txt",
        "x;/data/log.txt",
        'log=["/data/log.txt"]',
        "file:///data/log.txt",
        "echo a >> /data/log.txt",
        "../../elsewhere/log.txt",
        "a/../../elsewhere",
        "k=../elsewhere",
    ],
)
def test_a_place_outside_of_the_workspace_stops_it_wherever_it_stands(record, argument):
    (obstacle,) = again(record, "sh", "-c", argument).obstacles

    assert "may be written to" in obstacle
    assert "--map" in obstacle


@pytest.mark.parametrize(
    "argument",
    [
        "org/model",
        "until=</s>",
        "https://host.invalid/a/b",
        "s/a/b/",
        "a/../b",
        "/dev/null",
        "1/2",
        "x=and/or",
        ".../x",
    ],
)
def test_what_is_no_place_elsewhere_does_not(record, argument):
    assert again(record, "sh", "-c", argument).obstacles == ()


def test_a_file_that_is_compared_by_digest_may_be_named_and_a_folder_only_to_a_harness_that_is_known(record):
    file = Input(path="/data/x.jsonl", argument=1, kind="file", inside=False, digest="sha256:" + "0" * 64)
    folder = Input(path="/data", argument=1, kind="folder", inside=False)

    assert again(record, "python", "/data/x.jsonl", inputs=[file]).obstacles == ()
    assert "`/data`" in again(record, "python", "/data", inputs=[folder]).obstacles[0]
    words = (*LM_EVAL, "--include_path", "/data", "--output_path", "out")
    assert again(record, *words, inputs=[folder], harness="lm_eval").obstacles == ()


@pytest.mark.parametrize(
    "words",
    [
        ("--output_path=/data/results",),
        ("--output_path", "../../data"),
        ("--output_path", "~/results"),
        ("-o", "/data/results"),
        ("--output_path", "out", "--output_path", "/data/results"),
    ],
)
def test_a_known_harness_is_redirected_whatever_the_record_says_of_its_outputs(record, words):
    planned = again(record, *LM_EVAL, *words)

    assert planned.obstacles == ()
    assert isinstance(planned.argv[-1][-1], Place)
    assert planned.argv[-1][-1].folder == "outputs"


def test_an_output_that_the_record_places_wrongly_is_redirected_all_the_same(record):
    wrong = Output(path="x", argument=3)

    planned = again(record, *LM_EVAL, "--output_path", "/data/results", outputs=[wrong], harness="lm_eval")

    assert planned.argv[-1] == (Place("outputs", "results"),)


def test_variables_that_would_undo_the_isolation_are_not_set(record):
    names = ["HOME", "TMPDIR", "PATH", "LD_PRELOAD", "PYTHONSTARTUP", "MY_OWN", "HF_HOME"]
    planned = again(record, "python", variables=[Variable(name=name, value="../../x") for name in names])

    assert planned.variables == ()
    assert planned.dropped == tuple(names)


def test_of_a_module_path_the_folders_of_checkouts_stay_and_others_are_named(record):
    path = Variable(name="PYTHONPATH", value="/home/ada/evals/src:/opt/custom:lib")

    planned = again(record, "python", variables=[path])

    assert dict(planned.variables) == {"PYTHONPATH": (Place("source", "src"), ":", Place("source", "lib"))}
    assert planned.dropped == ("PYTHONPATH, its folder /opt/custom",)


@pytest.mark.parametrize("name", ["HOME", "PWD", "", "a b", "sudo password for ada", "\x1b[2J"])
def test_a_slot_that_is_no_secret_s_name_stops_it(record, name):
    assert "a secret that is none" in again(record, "python", ["k=", SecretSlot(secret=name)]).obstacles[0]
