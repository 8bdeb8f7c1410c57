"""Evaluations that a script or a launcher started are found by what their processes say they were started with."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from reprokit.capture.launched import evaluations, left_by, told_by_launcher
from reprokit.probes.interpreter import ProcessFacts

RECORDED = Path(__file__).parents[1] / "recorded"


def process(words: str, *, started: float = 1.0, directory: str | Path = "/home/ada", pid: int = 7, **more):
    return ProcessFacts(
        probe=1, host="box", pid=pid, ppid=1, started=started, executable="/v/bin/python", version="3.11.7",
        implementation="cpython", prefix="/v", base_prefix="/usr", argv=tuple(words.split()),
        directory=str(directory), **more,
    )  # fmt: skip


def test_each_evaluation_of_a_script_is_told_apart():
    found = evaluations(
        [
            process("/v/bin/python /v/bin/lmms-eval --tasks b --output_path there", started=3.0),
            process("/v/bin/python /v/bin/lm_eval run --tasks a --output_path out", started=2.0),
            process("/v/bin/python /v/bin/lm_eval run --tasks c --output_path out", started=4.0),
            process("/v/bin/python prepare.py --output_path elsewhere", started=1.0),
        ]
    )

    assert [(each.harness.name, each.started) for each in found] == [
        ("lm_eval", 2.0), ("lmms_eval", 3.0), ("lm_eval", 4.0),
    ]  # fmt: skip
    assert found[1].places == (Path("/home/ada/there"),)
    assert found[2].argv[2:] == ("run", "--tasks", "c", "--output_path", "out")


@pytest.mark.parametrize(
    "above",
    [
        "/v/bin/python /v/bin/torchrun --nproc-per-node 2 -m lm_eval run --output_path out",
        "/v/bin/python /v/bin/accelerate launch -m lm_eval run --output_path out",
        "/v/bin/python -m torch.distributed.run --nproc-per-node=2 -m lm_eval run --output_path out",
    ],
)
def test_ranks_and_their_launcher_are_one_evaluation(above):
    rank = "/v/bin/python -u -m lm_eval run --output_path out"

    found = evaluations(
        [process(above, pid=1), process(rank, pid=2), process(rank, pid=3), process(rank, pid=4, forked=True)]
    )

    assert [each.places for each in found] == [(Path("/home/ada/out"),)]


def test_a_place_above_the_folder_is_spelled_from_the_top(tmp_path):
    words = "/v/bin/python -m lm_eval --output_path ../out"
    found = evaluations([process(words, directory=tmp_path / "deeper")])

    assert found[0].places == (tmp_path / "out",)
    assert [output.path for output in left_by(found, tmp_path).outputs] == ["out"]
    assert [output.path for output in left_by(found, tmp_path / "other").outputs] == [str(tmp_path / "out")]


def test_the_same_words_in_two_folders_are_two_evaluations():
    words = "/v/bin/python -m lm_eval --output_path out"

    assert len(evaluations([process(words, directory="/a"), process(words, directory="/b")])) == 2


def test_only_what_was_written_since_they_began_is_theirs(tmp_path):
    old, new = RECORDED / "lm_eval/0.4.13/dummy_in_git", RECORDED / "lm_eval/0.4.13/hf_all_samples"
    shutil.copytree(old, tmp_path / "out", copy_function=shutil.copyfile)
    time.sleep(0.2)
    started = time.time()
    shutil.copytree(new, tmp_path / "out", copy_function=shutil.copyfile, dirs_exist_ok=True)
    words = "/v/bin/python -m lm_eval run --output_path out"

    left = left_by(evaluations([process(words, directory=tmp_path, started=started)]), tmp_path)

    assert [harness.name for harness, _ in left.runs] == ["lm_eval"]
    assert {file.name for file in left.files} == {file.name for file in new.rglob("*.json*")}
    assert [output.path for output in left.outputs] == ["out"]
    assert left.findings == ()
    assert left_by(evaluations([process(words, directory=tmp_path, started=time.time() + 5)]), tmp_path).runs == ()


def test_a_file_with_an_old_time_that_was_put_there_just_now_counts(tmp_path):
    started = time.time()
    shutil.copytree(RECORDED / "lm_eval/0.4.13/hf_all_samples", tmp_path / "out")
    for file in (tmp_path / "out").rglob("*"):
        os.utime(file, (0, 0))

    words = "/v/bin/python -m lm_eval run --output_path out"

    assert len(left_by(evaluations([process(words, directory=tmp_path, started=started)]), tmp_path).runs) == 1


def test_an_evaluation_that_left_nothing_beside_one_that_did_is_told(tmp_path):
    shutil.copytree(RECORDED / "lm_eval/0.4.13/hf_all_samples", tmp_path / "out", copy_function=shutil.copyfile)
    words = "/v/bin/python -m lm_eval run --model_args seed={} --output_path out"
    both = evaluations([process(words.format(seed), directory=tmp_path) for seed in "12"])

    left = left_by(both, tmp_path)

    assert len(both) == 2
    assert len(left.runs) == 1
    assert [(each.code, each.message.endswith("1 of 2")) for each in left.findings] == [("W354", True)]


def test_two_names_of_one_place_hold_one_run(tmp_path):
    shutil.copytree(RECORDED / "lm_eval/0.4.13/hf_all_samples", tmp_path / "out", copy_function=shutil.copyfile)
    words = f"/v/bin/python -m lm_eval run --output_path out|/v/bin/python -m lm_eval run --output_path {tmp_path}/out"

    left = left_by(evaluations([process(each, directory=tmp_path) for each in words.split("|")]), tmp_path)

    assert len(left.runs) == 1
    assert [output.path for output in left.outputs] == ["out"]


def test_no_evaluation_leaves_nothing(tmp_path):
    assert evaluations([process("/v/bin/python train.py")]) == []
    left = left_by([], tmp_path)
    assert (left.runs, left.outputs, left.findings) == ((), (), ())


def test_what_ranks_have_in_common_is_what_their_launcher_told_them():
    ranks = [process("python", launcher={"WORLD_SIZE": "2", "RANK": str(rank)}) for rank in range(2)]

    assert told_by_launcher([process("torchrun"), *ranks]) == {"WORLD_SIZE": "2"}
    assert told_by_launcher([process("python")]) == {}
