"""Large outputs are worked on by several processes: what comes out is the same, and none of them is left over."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest

from reprokit.bundle.sample import Sample
from reprokit.bundle.writing import Label, Payload
from reprokit.capture import media_parts, side_by_side
from reprokit.capture.assembly import assemble
from reprokit.capture.contents import Contents
from reprokit.capture.finished.runs import observed_nothing
from reprokit.capture.run_files import add_outputs
from reprokit.capture.side_by_side import Done, Helpers
from reprokit.harnesses.lm_eval import LmEval
from reprokit.probes.interpreter.media import SeenMedia, with_media
from reprokit.probes.secrets import Secrets

SECRET = "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA2"
STAMP = "2026-11-23T03-48-33.516864"
DEADLINE = 60


@pytest.fixture
def outputs(tmp_path):
    """A run of seven tasks: large and small, damaged, with a secret, open or hidden, twice the same, without a file."""
    place = tmp_path / "outputs" / "toy-org__guesser"
    place.mkdir(parents=True)
    tasks = ["large", "small", "damaged", "secret", "hidden", "twice", "absent"]
    for number, task in enumerate(tasks[:-1]):
        lines = [json.dumps(_record(number, each)) for each in range(3000 if task == "large" else 20)]
        if task == "damaged":
            lines[3:5] = ["", lines[3][:40], '{"doc_id": null}']
        if task == "secret":
            lines[7] = lines[7].replace("question 7", f"my token is {SECRET}")
        if task == "hidden":
            lines[9] = lines[9].replace("question 9", f"my token is {SECRET}".replace("f", "\\u0066"))
        if task == "twice":
            lines[5] = lines[4]
        (place / f"samples_{task}_{STAMP}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / f"results_{STAMP}.json").write_text(json.dumps(_results(tasks)), encoding="utf-8")
    return place.parent


def _record(task: int, number: int) -> dict[str, object]:
    question = f"question {number} of {task}: " + "why is it so? " * 20
    return {
        "doc_id": number,
        "doc": {"question": question},
        "target": "yes",
        "arguments": {"gen_args_0": {"arg_0": question, "arg_1": {"until": ["\n"]}}},
        "resps": [["yes" if number % 3 else "no"]],
        "filtered_resps": ["yes"],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"{number:064x}",
        "acc": float(number % 2),
    }


def _results(tasks: list[str]) -> dict[str, object]:
    return {
        "results": {task: {"alias": task, "acc,none": 0.25, "acc_stderr,none": 0.1} for task in tasks},
        "configs": {task: {"task": task, "metric_list": [{"metric": "acc", "aggregation": "mean"}]} for task in tasks},
        "n-samples": {task: {"original": 20, "effective": 20} for task in tasks},
        "lm_eval_version": "0.4.13",
        "model_name": "toy-org/guesser",
    }


def _made(outputs, bag, monkeypatch, *, processors, private=False, media=None):
    """Add the outputs to an empty payload; gives all that is known of it afterwards."""
    monkeypatch.setattr(side_by_side, "WORTH", 0)
    monkeypatch.setattr(side_by_side, "_processors", lambda: processors)
    contents = Contents(
        payload=Payload(bag=bag),
        secrets=Secrets(values={"HF_TOKEN": SECRET}),
        private=private,
        media=media,
        findings=[],
        withheld=[],
    )
    harness = LmEval()
    (run,) = harness.find([outputs])
    tasks = add_outputs(contents, harness, run, harness.read(run))
    stored = {str(path.relative_to(bag)): path.read_bytes() for path in sorted(bag.rglob("*")) if path.is_file()}
    payload = {each.name: getattr(contents.payload, each.name) for each in dataclasses.fields(Payload)}
    return tasks, contents.findings, contents.withheld, stored, payload | {"bag": None}


@pytest.mark.parametrize("private", [False, True])
def test_several_processes_make_what_one_makes(outputs, tmp_path, monkeypatch, private):
    alone = _made(outputs, tmp_path / "alone", monkeypatch, processors=1, private=private)
    together = _made(outputs, tmp_path / "together", monkeypatch, processors=2, private=private)

    assert together == alone
    if not private:
        assert "data/samples/large.jsonl.zst" in alone[3]
        assert len(alone[2]) == 2, "what holds a secret, open or hidden, is withheld"


def test_names_that_depend_on_one_another_are_given_one_after_the_other(outputs, tmp_path, monkeypatch):
    place = outputs / "toy-org__guesser"
    for name in ("Note", "note", "note.zst"):
        (place / f"{name}_{STAMP}.json").write_text(f'{{"it": "{SECRET if name == "Note" else name}"}}')

    alone = _made(outputs, tmp_path / "alone", monkeypatch, processors=1)

    assert _made(outputs, tmp_path / "together", monkeypatch, processors=2) == alone


def test_what_a_process_leaves_half_done_is_done_again(outputs, tmp_path, monkeypatch):
    def fail(_, __, items, sizes):
        assert len(items) == len(sizes)
        for _, part, item in items:
            for suffix in ("", ".zst"):
                half = part.payload.bag / "data" / f"{item.path}{suffix}"
                half.parent.mkdir(parents=True, exist_ok=True)
                half.write_bytes(b"half")
            yield None

    alone = _made(outputs, tmp_path / "alone", monkeypatch, processors=1)
    monkeypatch.setattr(Helpers, "each", fail)

    assert _made(outputs, tmp_path / "again", monkeypatch, processors=2) == alone


def test_a_folder_is_left_to_others_while_they_may_write_there_and_is_not_there_empty_afterwards(tmp_path):
    refused = tmp_path / "refused"
    refused.write_text("it")
    payload = Payload(bag=tmp_path / "bag")
    name = PurePosixPath("harness/deep/folder/it")
    with payload.sharing():
        assert not payload.part().add_file(refused, name, "harness", accept=lambda _: False)
        assert not payload.add_file(refused, name, "harness", accept=lambda _: False)
        assert (tmp_path / "bag/data/harness/deep/folder").is_dir()
        payload.add("kept/it", "harness", b"it")

    assert sorted(path.name for path in (tmp_path / "bag/data").iterdir()) == ["kept"]


def test_little_is_done_without_other_processes():
    with side_by_side.helpers(side_by_side.WORTH - 1) as helpers:
        assert helpers is None


def test_answers_come_in_the_order_of_the_questions_and_failures_as_none():
    helpers = Helpers(2)
    try:
        answers = list(helpers.each(math.sqrt, [4, -1, 9, 16], [1, 2, 3, 4]))
        died = list(helpers.each(os._exit, [3, 4, 5], [1, 1, 1]))
    finally:
        helpers.end()

    assert answers == [Done(outcome=2), None, Done(outcome=3), Done(outcome=4)]
    assert died == [None, None, None]


def test_what_is_printed_by_the_work_is_no_answer(capfd):
    helpers = Helpers(1)
    try:
        answers = list(helpers.each(print, ["loud"], [1]))
    finally:
        helpers.end()

    assert answers == [Done(outcome=None)]
    assert capfd.readouterr() == ("", "")


_BUSY = """
import os, sys, time
from reprokit.capture import side_by_side
side_by_side.WORTH, side_by_side._processors = 0, lambda: 2
with side_by_side.helpers(1) as helpers:
    waiting = helpers.each(time.sleep, [600, 600], [1, 1])
    import threading
    def tell():
        while len(helpers._processes) < 2:
            time.sleep(0.01)
        print(*(process.pid for process in helpers._processes), flush=True)
    threading.Thread(target=tell, daemon=True).start()
    next(waiting)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_or_killed_one(sent):
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as busy:
        assert busy.stdout is not None
        helpers = [int(word) for word in busy.stdout.readline().split()]
        time.sleep(0.3)
        busy.send_signal(sent)
        assert busy.wait(DEADLINE) != 0

    assert len(helpers) == 2
    _wait_until(lambda: not any(_lives(pid) for pid in helpers))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_until(happened) -> None:
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def _seen(folder: Path, may_read: int) -> SeenMedia:
    return SeenMedia(directory=folder, watched=True, lines={}, may_read=may_read)


def _about(task: str, number: int, *names: str) -> Sample:
    return Sample(task=task, id=number, document={"pictures": list(names)})


@pytest.mark.parametrize("may_read", [0, 10, 25, 35, 10**9])
def test_media_are_read_within_the_same_bounds_when_tasks_are_read_apart(tmp_path, may_read):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(bytes([number]) * 10)
    tasks = {
        "first": [_about("first", 0, "0.png", "1.png"), _about("first", 1, "0.png")],
        "second": [_about("second", 0, "1.png", "2.png"), _about("second", 1, "3.png")],
    }
    one = _seen(tmp_path, may_read)
    expected = [with_media(sample, one) for samples in tasks.values() for sample in samples]

    whole = _seen(tmp_path, may_read)
    parts = {task: media_parts.of_task(whole, task) for task in tasks}
    apart = {task: [with_media(sample, parts[task]) for sample in samples] for task, samples in tasks.items()}
    found = [
        sample
        for task, samples in tasks.items()
        for sample in (
            apart[task] if media_parts.join(whole, parts[task]) else [with_media(each, whole) for each in samples]
        )
    ]

    assert found == expected
    assert whole == one


def test_a_full_disk_is_no_fault_of_the_file_that_was_being_copied(outputs, tmp_path, monkeypatch):
    (run,) = LmEval().find([outputs])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Payload, "add_file", full)
    with pytest.raises(OSError, match="No space left"):
        assemble(tmp_path / "bag", observed_nothing(Secrets()), LmEval(), run, Label(), scratch=tmp_path)
