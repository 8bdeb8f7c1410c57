"""What real harnesses wrote, compared."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.diff.compare import compare
from reprokit.diff.shown.text import lines
from reprokit.diff.side import has_results
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.reproduce.verdict.ladder import agreement

RECORDED = Path(__file__).parents[1] / "recorded"
FOLDERS = sorted(
    f"{name}/{folder.name}"
    for name, harness in (("lm_eval/0.4.13", LmEval()), ("lmms_eval/0.7.3", LmmsEval()))
    for folder in (RECORDED / name).iterdir()
    if harness.find([folder])
)


def read(make, name):
    """A bundle's values as they are captured from finished outputs."""
    harness = LmEval() if name.startswith("lm_eval/") else LmmsEval()
    run = harness.find([RECORDED / name])[0]
    reading = harness.read(run)
    unknown = Unknown(unknown="captured from finished outputs")
    record = make.record(
        origin="finished",
        harness=reading.harness,
        subject=reading.subject,
        sources=unknown,
        invocation={
            "argv": unknown,
            "program": unknown,
            "program_in": "unknown",
            "working_directory": unknown,
            "environment_variables": unknown,
            "source": None,
        },
        run={"started": unknown, "ended": unknown, "exit_code": unknown, "host": unknown, "complete": reading.complete},
    )
    environment = Environment(learnt_from="nothing", packages=unknown)
    side = make.side(
        {},
        metrics=reading.results.metrics,
        tasks=reading.results.tasks,
        record=record,
        environment=environment,
        sources=[],
    )
    return dataclasses.replace(side, streams={task: stream(harness, run, task) for task in reading.sample_files})


def stream(harness, run, task):
    return lambda: (item for item in harness.samples(run, task) if isinstance(item, Sample))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_recorded_run_equals_itself_and_nothing_is_shown_to_differ(make, name):
    side = read(make, name)
    again = dataclasses.replace(side, identity="another bundle of the same run")

    assert compare(side, side).verdict == "identical"
    found = compare(side, again)
    assert found.verdict == ("identical" if has_results(side) else "not comparable")
    assert (found.setup, found.ignored) == ([], [])
    assert all(task.identical == task.compared for task in found.samples)
    assert any("identical" in line for line in lines(found)) or not has_results(side)


PAIRS = {
    ("lm_eval/0.4.13/dummy_in_git", "lm_eval/0.4.13/hf_all_samples"): (
        "different: 7 of 8 scores differ, 20 of 20 samples differ, 12 samples in only one of them",
        "partly",
    ),
    ("lmms_eval/0.7.3/two_tasks", "lmms_eval/0.7.3/offset"): (
        (
            "different: 2 of 2 scores differ, 1 score in only one of them, 4 of 6 samples differ, "
            "2 samples in only one of them, 1 task not comparable"
        ),
        "partly",
    ),
    ("lm_eval/0.4.13/dummy_in_git", "lmms_eval/0.7.3/two_tasks"): (
        "not comparable: they have no task in common",
        "not",
    ),
}


@pytest.mark.parametrize("pair", sorted(PAIRS))
def test_recorded_pairs_have_their_first_line(make, pair):
    found = compare(*(read(make, name) for name in pair))

    assert (lines(found)[0], found.comparability.status) == PAIRS[pair]


def test_every_pair_of_recorded_runs_has_its_first_line(make):
    """Read them when they change: the lines are what a person gets."""
    sides = {name: read(make, name) for name in FOLDERS}
    expected = json.loads((RECORDED / "pairs.json").read_text(encoding="utf-8"))

    found = {
        f"{one} | {other}": compare(sides[one], dataclasses.replace(sides[other], identity="another")).headline
        for one, other in itertools.combinations(FOLDERS, 2)
    }

    assert found == expected


def test_lmms_eval_saves_too_little_to_claim_that_runs_are_comparable(make):
    side = read(make, "lmms_eval/0.7.3/two_tasks")

    found = compare(side, dataclasses.replace(side, identity="another"))

    assert found.comparability.status == "unknown"
    assert {part for task in found.comparability.tasks for part in task.unknown} >= {"documents"}
    assert agreement(found).agreement == "identical samples"


def test_what_changed_between_two_recorded_runs_is_named(make):
    found = compare(read(make, "lmms_eval/0.7.3/two_tasks"), read(make, "lmms_eval/0.7.3/offset"))

    names = {change.name for change in found.setup}
    assert {"config.offset", "config.random_seed", "config.resolved_cli_args.seed", "toy_text"} <= names
    assert not {"date", "start_time", "end_time", "total_evaluation_time_seconds"} & names
    assert {"address", "time", "output"} <= {rule for item in found.ignored for rule in item.rules}
