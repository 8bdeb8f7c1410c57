"""Of several evaluations that one command made, only the one that was asked for as the original was stands for it."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.errors import EvaluationFailedError
from reprokit.reproduce.siblings import the_original_s


@pytest.fixture
def evaluation_of(make_bundle, record):
    """Give a function that makes a bundle of one of the evaluations of a shell script."""

    def make(**settings):
        whole = record()
        harness = msgspec.structs.replace(whole.harness, claims={"config": {"model": "dummy", **settings}})
        invocation = msgspec.structs.replace(whole.invocation, argv=["bash", "all.sh"])
        return open_bundle(make_bundle(record=record(harness=harness, invocation=invocation)).path)

    return make


def test_the_one_with_the_same_settings_is_taken_and_the_choice_is_told(evaluation_of):
    original, other, same = evaluation_of(num_fewshot=1), evaluation_of(num_fewshot=0), evaluation_of(num_fewshot=1)

    chosen, told = the_original_s([other, same], original)

    assert chosen is same
    assert "of 2 evaluations" in told[0]


def test_none_stands_for_one_that_was_not_made_again(evaluation_of):
    with pytest.raises(EvaluationFailedError, match="none of them"):
        the_original_s([evaluation_of(num_fewshot=0)], evaluation_of(num_fewshot=1))


def test_none_is_guessed_of_two_that_are_alike(evaluation_of):
    with pytest.raises(EvaluationFailedError, match="2 of them"):
        the_original_s([evaluation_of(seed=1), evaluation_of(seed=1)], evaluation_of(seed=1))


def test_the_only_one_of_a_command_that_is_the_harness_s_own_is_taken(make_bundle, record):
    original, new = (open_bundle(make_bundle(record=record()).path) for _ in range(2))

    assert the_original_s([new], original) == (new, [])
