"""What was otherwise is told once, and what a re-run itself changes is none of it."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.bundle.record import Input, Variable
from reprokit.diff.compare import compare
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.deviations import all_deltas, doubts_of
from reprokit.reproduce.inputs.local import FoundInput
from reprokit.reproduce.plan.values import Plan, PlannedEnvironment, PlannedSamples

ENVIRONMENT = PlannedEnvironment(mode="rebuild", python="3.11.7")
DIGEST, OTHER_DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def a_plan(**members):
    return Plan(bundle="b", identity="i", tier="rerun", environment=ENVIRONMENT, **members)


@pytest.fixture
def difference_of(make_bundle, record):
    """Give a function that compares a run with one that was made otherwise."""

    def make(changes, **at_first):
        whole = record()
        first = msgspec.structs.replace(whole, invocation=msgspec.structs.replace(whole.invocation, **at_first))
        other = msgspec.structs.replace(
            whole, invocation=msgspec.structs.replace(whole.invocation, **changes), reproduces="sha256:" + "0" * 64
        )
        return compare(open_bundle(make_bundle(record=first).path), open_bundle(make_bundle(record=other).path))

    return make


def test_a_setting_that_was_otherwise_is_a_delta(difference_of):
    variables = [Variable(name="PYTHONHASHSEED", value="3")]

    (delta,) = all_deltas([], difference_of({"environment_variables": variables}), a_plan())

    assert "PYTHONHASHSEED" in delta.what
    assert (delta.recorded, delta.here) == ("absent", "3")


def test_the_choice_of_samples_is_none(difference_of):
    argv = ["lm_eval", "--model", "dummy", "--output_path", "out", "--samples", '{"toy":[1]}']
    difference = difference_of({"argv": argv})
    chosen = PlannedSamples(tasks={"toy": 1}, seed=0, how="--samples")

    assert all_deltas([], difference, a_plan()) != []
    assert all_deltas([], difference, a_plan(samples=chosen)) == []


@pytest.fixture
def moved_input(difference_of):
    """Give a function that compares a run of `ev.py` with one of the same file by its whole path, of a digest."""

    def make(digest):
        def named(path, digest):
            one = Input(path=path, argument=1, kind="file", inside=False, digest=digest)
            return {"argv": ["python", path, f"--data={path},b"], "inputs": [one]}

        return difference_of(named("/here/ev.py", digest), **named("ev.py", DIGEST))

    return make


EV = FoundInput(given="ev.py", path="/there/ev.py", here="/here/ev.py", state="same")


def test_an_input_that_reprokit_itself_named_by_its_whole_path_is_no_delta(moved_input):
    difference = moved_input(DIGEST)

    assert len(all_deltas([], difference, a_plan())) > 1
    assert all_deltas([], difference, a_plan(local_inputs=[EV])) == []


def test_an_input_of_other_content_is_a_delta_whatever_it_is_called(moved_input):
    told = all_deltas([], moved_input(OTHER_DIGEST), a_plan(local_inputs=[EV]))

    assert {each.what for each in told} == {"inputs ev.py", "inputs /here/ev.py"}


def test_what_setting_up_found_and_the_machine_come_first(difference_of):
    found = Delta(what="torch", recorded="2.13.0+cpu", here="2.13.0", reason="it is not to be had")
    machine = Delta(what="GPU", recorded="1 x A100", here="none")

    assert all_deltas([found], difference_of({}), a_plan(machine=[machine])) == [found, machine]


def test_all_that_a_plan_knows_to_be_uncertain_is_said_of_the_result():
    plan = a_plan(
        not_guaranteed=["the model may drift"],
        not_carried_over=["PYTHONPATH, its folder /opt"],
        not_done_again=["`--use_cache`: old responses"],
        lost=["include_path"],
        shared=["caches"],
        command_from="outputs",
    )

    told = "; ".join(doubts_of(plan))

    for part in ("drift", "/opt", "--use_cache", "include_path", "your own caches", "worked out"):
        assert part in told
