"""A plan says in one line each what will run, from what, what it gets, and what nobody can promise."""

from __future__ import annotations

from reprokit.bundle.values import Unknown
from reprokit.reproduce.checkouts.planning import PlannedCheckout
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.inputs.local import FoundInput
from reprokit.reproduce.inputs.whereabouts import PlannedInput
from reprokit.reproduce.plan.shown import duration, lines
from reprokit.reproduce.plan.values import Plan, PlannedEnvironment, PlannedSamples, PlannedSecret

COMMIT = "a" * 40


def a_plan(**members):
    whole = {
        "bundle": "20260101T000000Z-lm_eval-m-12345678",
        "identity": "sha256:" + "0" * 64,
        "tier": "rerun",
        "command": ["lm_eval", "--model_args", "'pretrained=org/m,note=two words'", "{outputs/x}"],
        "directory": "{source}",
        "environment": PlannedEnvironment(mode="rebuild", python="3.11.7", packages=40, checked=30, vendored=2),
    }
    return Plan(**(whole | members))


def row(plan, title):
    """Give what a plan says under one title."""
    return [line[2:].partition(" ")[2].strip() for line in lines(plan) if line[2:].split(" ")[0] == title.split()[0]]


def test_the_command_can_be_read_word_by_word():
    assert row(a_plan(), "command") == ["lm_eval --model_args 'pretrained=org/m,note=two words' {outputs/x}"]
    assert "worked out from what the harness wrote" in row(a_plan(command_from="outputs"), "command")[0]


def test_each_checkout_says_what_it_is_for_and_where_it_comes_from():
    there = PlannedCheckout(
        name="evals",
        place="source",
        commit=COMMIT,
        tree="b" * 40,
        patched=True,
        used_as=["working directory"],
        comes_from="the git bundle that was captured",
    )
    gone = PlannedCheckout(
        name="lib", place="sources/lib", commit=COMMIT, tree=None, comes_from=Unknown(unknown="lost")
    )

    told = row(a_plan(checkouts=[there, gone]), "source")

    assert told == [
        f"evals (working directory) at {COMMIT[:12]} + patch, from the git bundle that was captured",
        f"lib at {COMMIT[:12]}, lost",
    ]


def test_the_environment_says_how_much_of_it_is_proven():
    assert row(a_plan(), "environment") == ["Python 3.11.7, 40 packages by uv (30 checked by digest, 2 wheels carried)"]
    present = a_plan(environment=PlannedEnvironment(mode="current", python="3.9.1"))
    assert row(present, "environment") == ["the present one: what is on PATH, where the run had Python 3.9.1"]


def test_models_say_how_their_revision_is_made_sure():
    cached = PlannedInput(name="org/m", kind="model", revision=COMMIT, comes_from="cache", download=0)
    hub = PlannedInput(name="org/d", kind="dataset", revision=COMMIT, comes_from="hub", download=None)
    loose = PlannedInput(name="org/x", kind="model", revision=Unknown(unknown="nobody saw"), comes_from="hub")
    plan = a_plan(inputs=[cached, hub, loose], pinned=["org/m"])

    assert row(plan, "model")[0] == f"org/m at {COMMIT[:12]}, from your cache; the command names it"
    assert row(plan, "dataset") == [f"org/d at {COMMIT[:12]}, from the hub; in a cache that holds no other"]
    assert row(plan, "model")[1] == "org/x, revision not known: nobody saw"


def test_secrets_say_that_foreign_code_gets_them():
    plan = a_plan(
        secrets=[
            PlannedSecret(name="A_KEY", needed=True, here=True),
            PlannedSecret(name="B_KEY", needed=True, here=False),
            PlannedSecret(name="C_KEY", needed=False, here=False),
        ]
    )

    assert row(plan, "secret") == [
        "A_KEY, from your environment: the bundle's code gets it",
        "B_KEY, to be given",
        "C_KEY, which the run had, is not set here",
    ]


def test_what_differs_and_what_nobody_can_promise_is_told():
    plan = a_plan(
        machine=[Delta(what="GPU", recorded="1 x A100", here="none", reason="nvidia-smi is not here")],
        local_inputs=[FoundInput(given="d", path="/data/d", here="/mnt/d", state="other content", files=["x"])],
        not_guaranteed=["the model may drift"],
        samples=PlannedSamples(tasks={"toy": 5}, seed=3, how="--samples"),
        missing=["`/data/d`"],
        obstacles=["no command"],
        took_seconds=7200.0,
    )

    assert row(plan, "differs") == ["GPU: 1 x A100 → none (nvidia-smi is not here)"]
    assert row(plan, "file") == ["/data/d at `/mnt/d`, other content"]
    assert row(plan, "samples") == ["5 of toy, by --samples, seed 3"]
    assert row(plan, "missing") == ["`/data/d`"]
    assert row(plan, "impossible") == ["no command"]
    assert row(plan, "took") == ["2.0 h the first time"]


def test_a_tier_that_runs_nothing_says_what_it_does():
    assert "every byte" in lines(a_plan(tier="verify"))[1]
    assert "saved samples" in lines(a_plan(tier="rescore"))[1]


def test_times_are_written_for_people():
    assert [duration(each) for each in (0.4, 119, 600, 90000)] == ["0.4 s", "119 s", "10 min", "25.0 h"]
