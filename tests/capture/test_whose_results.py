"""What lies in a shared output folder is told apart: a capture takes the runs that its own processes wrote."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reprokit.archive import publication
from reprokit.archive.layout import Archive
from reprokit.capture import whose
from reprokit.harnesses.interface import FoundRun
from reprokit.harnesses.lm_eval import LmEval
from reprokit.probes.interpreter import MOST_NOTED, ProcessFacts

PATIENCE = 120
STAND_IN = Path(__file__).parents[1] / "live/stand_in"
MEETS = '''
def meet(name, done):
    """Wait until so many evaluations have begun, or written their results, as a variable says."""
    import glob, time

    deadline = time.monotonic() + 100
    while len(glob.glob(f"{done}-*")) < int(os.environ.get(name, "0")) and time.monotonic() < deadline:
        time.sleep(0.02)


if __name__ == "__main__":
    Path(f"began-{os.getpid()}").touch()
    meet("TOGETHER", "began")
    meet("BEFORE", "wrote")
    try:
        main()
        Path(f"wrote-{os.getpid()}").touch()
    finally:
        meet("AFTER", "wrote")
    if "DIES" in os.environ:
        os.kill(os.getpid(), 9)
'''
EV = """\
import json, sys

json.dump({"sums": {"acc": float(sys.argv[1]) - 1}}, open("metrics.json", "w"))
with open("predictions.jsonl", "w") as file:
    file.writelines(json.dumps({"id": n, "response": "x" * 200, "score": float(sys.argv[1]) - 1}) + "\\n" for n in range(60_000))
"""


@pytest.fixture
def folder(evaluation):
    """Give a checkout with a stand-in of lm-eval that waits for others, and a program of one's own."""
    shutil.copytree(STAND_IN / "lm_eval", evaluation / "lm_eval", ignore=shutil.ignore_patterns("__pycache__"))
    main = evaluation / "lm_eval/__main__.py"
    text = main.read_text()
    assert "\nif __name__" in text
    main.write_text(text[: text.index("\nif __name__")] + MEETS)
    (evaluation / "ev.py").write_text(EV)
    return evaluation


@pytest.fixture
def start(reprokit, folder):
    """Start a capture."""

    def started(*words, **variables):
        return subprocess.Popen(
            [sys.executable, "-m", "reprokit", "capture", *words],
            cwd=folder,
            env=reprokit.environment(PYTHONPATH=str(folder), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return started


@pytest.fixture
def records(reprokit):
    """Give a function that reads what the archive's bundles say, those of whose command a word is."""

    def read(word=""):
        shown = [reprokit.json("show", each["id"]) for each in reprokit.json("list")]
        return [each for each in shown if word in " ".join(each["record"]["invocation"]["argv"])]

    return read


def evaluate(model, place="out"):
    return (
        f"python -m lm_eval run --model hf --model_args model={model} --tasks sizes --output_path {place} --log_samples"
    )


def wait(*running, status=0):
    told = [each.communicate(timeout=PATIENCE) for each in running]
    assert [each.returncode for each in running] == [status] * len(running), told


def models(shown):
    return [each["name"] for each in shown["record"]["subject"]["models"] if each["learnt_from"] != "argument"]


def codes(shown):
    return {each["code"] for each in shown["record"]["findings"]}


@pytest.mark.parametrize("linked", [False, True])
def test_two_captures_that_share_a_folder_take_their_own_runs_each(start, folder, records, linked):
    if linked:
        (folder / "there").mkdir()
        (folder / "out").symlink_to("there")
    wait(*(start("--", *evaluate(f"toy/{name}").split(), TOGETHER="2", AFTER="2") for name in ("one", "two")))

    assert len(records()) == 2
    for name in ("one", "two"):
        (shown,) = records(f"toy/{name}")
        assert shown["record"]["run"]["complete"] is True
        assert set(models(shown)) == {f"toy/{name}"}
        (told,) = [each for each in shown["record"]["findings"] if each["code"] == "W326"]
        assert told["where"] == ("there" if linked else "out")
        assert told["message"].endswith("1 run")


def test_an_evaluation_that_fails_beside_one_that_finishes_left_no_results(start, records):
    fails = start("--", *evaluate("breaks").split(), TOGETHER="2", BEFORE="1")
    works = start("--", *evaluate("toy/one").split(), TOGETHER="2")
    wait(works)
    wait(fails, status=1)

    (failed,), (worked,) = records("breaks"), records("toy/one")
    assert {"W301", "W310", "W326"} <= codes(failed)
    assert failed["results"]["metrics"] == []
    assert not [each for each in failed["record"]["files"] if each["role"] == "harness"]
    assert worked["record"]["run"]["complete"] is True
    assert "W326" not in codes(worked)


def test_an_evaluation_that_is_killed_beside_one_that_finishes_is_not_complete(start, records):
    dies = start("--", *evaluate("toy/dies").split(), TOGETHER="2", AFTER="2", DIES="1")
    works = start("--", *evaluate("toy/one").split(), TOGETHER="2", AFTER="2")
    wait(works)
    wait(dies, status=128 + signal.SIGKILL if dies.wait(PATIENCE) > 0 else -signal.SIGKILL)

    (worked,) = records("toy/one")
    assert worked["record"]["run"]["complete"] is True
    assert set(models(worked)) == {"toy/one"}
    assert all(shown["record"]["run"]["complete"] is False for shown in records("toy/dies"))


def test_a_script_of_several_evaluations_beside_another_takes_its_own(start, folder, records):
    (folder / "all.sh").write_text("\n".join(["set -e", evaluate("toy/one"), evaluate("toy/two")]) + "\n")
    several = start("--", "bash", "all.sh", TOGETHER="2")
    other = start("--", *evaluate("toy/three").split(), TOGETHER="2", AFTER="3")
    wait(several, other)

    of_script, (third,) = records("all.sh"), records("toy/three")
    assert sorted(models(each)[0] for each in of_script) == ["toy/one", "toy/two"]
    assert all(each["record"]["run"]["complete"] for each in of_script)
    assert all("W354" not in codes(each) for each in of_script)
    assert set(models(third)) == {"toy/three"}


def test_a_run_that_nobody_watched_is_taken_as_it_lies_there(start, folder, records):
    program = folder / "lm_eval.d/lm_eval"
    program.parent.mkdir()
    python = program.with_name("python")
    python.symlink_to(sys.executable)
    program.write_text(
        f"#!{python} -I\nimport runpy, sys\nsys.path.insert(0, {str(folder)!r})\n"
        "runpy.run_module('lm_eval', run_name='__main__')\n"
    )
    program.chmod(0o755)
    wait(start("--", str(program), *evaluate("toy/one").split()[3:]))

    (shown,) = records()
    assert shown["record"]["run"]["complete"] is True
    assert "W326" not in codes(shown)


# --- what is finished later --------------------------------------------------------------------------------------------


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("end_known", [True, False])
def test_a_capture_that_is_finished_later_does_not_take_what_a_later_run_wrote(reprokit, start, records, end_known):
    archive = Archive(reprokit.archive)
    words = ("--results", "metrics.json", "--samples", "predictions.jsonl", "--", "python", "ev.py")
    first = start(*words, "1")
    (over,) = wait_for(lambda: list(archive.staging.glob("*/over.json")))
    first.kill()
    first.communicate(timeout=PATIENCE)
    if not end_known:
        over.unlink()
    wait_for(lambda: publication.abandoned(archive)[0].gone)
    wait(start(*words, "2"))

    reprokit("sync", "--offline")

    (one,), (two,) = records("ev.py 1"), records("ev.py 2")
    assert [metric["value"] for metric in two["results"]["metrics"]] == [1.0]
    assert two["record"]["run"]["complete"] is True
    assert one["record"]["run"]["complete"] is False
    assert one["results"]["metrics"] == []
    assert {"W301", "W326", "W346"} <= codes(one)


def test_what_lay_there_at_the_end_is_taken_when_a_later_run_changed_only_some_of_it(tmp_path):
    run = run_in(tmp_path, "one")
    ended = whose.clock.from_epoch(time.time() + 1)
    os.utime(tmp_path / run.samples[0], (time.time() + 10, time.time() + 10))

    assert whose.written_until(run, ended) is run, "its name was there, as `touch` would leave it"
    assert whose.written_until(run, "2026-01-01T00:00:00Z") is None


# --- the rule ----------------------------------------------------------------------------------------------------------


def run_in(folder, model):
    """Make the files of a run."""
    (folder / model).mkdir(parents=True)
    files = {name: Path(model) / f"{name}_2026-11-24T00-00-00.000000.json" for name in ("results", "samples")}
    for file in files.values():
        (folder / file).write_text("{}")
    return FoundRun(root=folder, key=model, results=files["results"], samples=(files["samples"],))


def process(folder, *, written=(), words="python -m lm_eval --seed 1", pid=1, modules=("lm_eval",), **more):
    return ProcessFacts(
        probe=1, host="box", pid=pid, ppid=1, started=1.0, executable="python", version="3.11.7",
        implementation="cpython", prefix="/v", base_prefix="/usr", argv=tuple(words.split()), directory=str(folder),
        written=written, installed_modules=modules, **more,
    )  # fmt: skip


@pytest.fixture
def both(tmp_path):
    return [(LmEval(), run_in(tmp_path / "out", name)) for name in ("one", "two")]


def names(told):
    return [run.key for _, run in told.ours], [run.key for run in told.others]


FIRST = "out/one/results_2026-11-24T00-00-00.000000.json"


def test_the_run_that_a_process_wrote_is_ours(both, tmp_path):
    assert names(whose.tell_apart(both, [process(tmp_path, written=(FIRST,))])) == (["one"], ["two"])


def test_a_process_that_saw_another_name_of_the_folder_wrote_it_all_the_same(both, tmp_path):
    elsewhere = f"/not/here/{Path(FIRST).name}"

    assert names(whose.tell_apart(both[:1], [process(tmp_path, written=(elsewhere,))])) == (["one"], [])


def test_none_is_ours_when_the_one_that_evaluated_wrote_none(both, tmp_path):
    told = whose.tell_apart(both, [process(tmp_path)])

    assert names(told) == ([], ["one", "two"])
    assert not told.may_be_ours("out/new.json")
    assert told.may_be_ours("out/new.txt")


@pytest.mark.parametrize(
    "unsure",
    [
        {"written": None},
        {"modules": ()},
        {"words": "python prepare.py"},
        {"written": tuple(f"/cache/{number}.json" for number in range(MOST_NOTED))},
    ],
    ids=["killed", "only a launcher", "no evaluation", "more than it could note"],
)
def test_all_are_ours_when_nobody_can_tell(both, tmp_path, unsure):
    told = whose.tell_apart(both, [process(tmp_path, **unsure)])

    assert names(told) == (["one", "two"], [])
    assert told.may_be_ours("out/new.json")
    assert names(whose.tell_apart(both, [])) == (["one", "two"], [])


def test_a_killed_evaluation_of_several_may_have_written_what_the_others_did_not(both, tmp_path):
    wrote = process(tmp_path, written=(FIRST,))
    other = process(tmp_path, written=None, words="python -m lm_eval --seed 2", pid=2)
    rank = process(tmp_path, written=None, pid=3)

    assert names(whose.tell_apart(both, [wrote, other])) == (["one", "two"], [])
    assert names(whose.tell_apart(both, [wrote, rank])) == (["one"], ["two"])
