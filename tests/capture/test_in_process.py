"""A block of one's own program becomes a bundle, and the program never notices."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reprokit
from reprokit.archive.creation import create
from reprokit.bundle import bag
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.values import NotScored, Unknown
from reprokit.capture.checkouts import settling as checkouts
from reprokit.capture.in_python import plain_values
from reprokit.capture.in_python.spool import Mean
from reprokit.capture.in_python.warned import CaptureWarning
from reprokit.errors import NotFoundError, ReprokitError

ROOT = Path(__file__).parents[2]
TOKEN = "hf_" + "Zx81nQpLw7Rk2Tb9Vd4YcM6sHjGfEaUo3i"


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Give an archive that is found without being named.

    The checkout that reprokit itself is tested from is left out: it is large, and packed anew for every bundle.
    """
    monkeypatch.setattr(checkouts, "MOST", 0)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("REPROKIT_ARCHIVE", "REPROKIT_SAMPLES", "REPROKIT_DEFER"):
        monkeypatch.delenv(name, raising=False)
    place = create(home / "archive")
    monkeypatch.setenv("REPROKIT_ARCHIVE", str(place.root))
    monkeypatch.chdir(home)
    return place


@pytest.fixture
def program(tmp_path, archive):
    """Give a function that runs a program of several lines in a process of its own."""

    def run(
        text: str, *arguments: str, check: bool = True, cwd: Path = tmp_path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "program.py"
        path.write_text(text)
        return subprocess.run(
            [sys.executable, *arguments, str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            cwd=cwd,
            capture_output=True,
            text=True,
            check=check,
        )

    return run


def whole(run):
    """Open the bundle of a run, and prove it."""
    assert run.failure is None
    assert list(bag.verify(run.path)) == []
    return reprokit.open(run.bundle_id)


def record_some(run, count=4, **more):
    for number in range(count):
        run.sample(id=number, prompt=f"{number}", response="x", scores={"em": number % 2}, **more)


def test_a_block_becomes_a_sealed_and_registered_bundle(archive):
    with reprokit.capture(name="baseline", tags=["paper"], note="first") as run:
        run.subject(model={"name": "org/tiny", "revision": "f" * 40}, dataset=["org/a", "org/b"])
        run.sample(
            id="a",
            prompt=[{"role": "user", "content": "1+1="}],
            target="2",
            responses=["2", "3"],
            answer="2",
            scores={"em": True},
            document={"row": 1},
            language="en",
        )
        run.sample(id="b", prompt="2+2=", response="5", scores={"em": False}, task="other", filter="strict")
        run.metric("acc", 0.5, task="other", stderr=0.1, n=2, higher_is_better=True)

    bundle = whole(run)
    assert (bundle.info.name, bundle.info.tags, bundle.info.note) == ("baseline", ("paper",), "first")
    assert bundle.record.harness.name == "python"
    assert bundle.record.run.complete
    assert [part.name for part in (*bundle.record.subject.models, *bundle.record.subject.datasets)] == [
        "org/tiny",
        "org/a",
        "org/b",
    ]
    (sample,) = bundle.samples("script")
    assert (sample.id, sample.target, sample.responses, sample.answer) == ("a", "2", ["2", "3"], "2")
    assert (sample.document, sample.scores, sample.extra) == ({"row": 1}, {"em": True}, {"language": "en"})
    assert sample.prompt_digest
    metrics = {(each.task, each.metric, each.filter): each for each in bundle.results.metrics}
    assert metrics["other", "acc", None].stderr == 0.1
    assert metrics["other", "acc", None].higher_is_better
    assert (metrics["script", "em", None].value, metrics["script", "em", None].n) == (1.0, 1)
    assert ("other", "em", "strict") in metrics
    assert archive.entry(run.bundle_id).is_file()
    assert not list(archive.staging.iterdir())


def test_a_metric_that_is_not_given_is_the_mean_and_is_said_to_be(archive):
    with reprokit.capture(task="sums") as run:
        record_some(run, 10)
        run.metric("em", 0.75, task="elsewhere")

    (given_metric, metric) = whole(run).results.metrics
    assert given_metric.task == "elsewhere"
    assert metric.value == 0.5
    assert metric.stderr == pytest.approx(statistics.stdev([0, 1] * 5) / math.sqrt(10))
    assert [(each.where, each.message) for each in run.findings if each.code == "W352"] == [
        ("sums", "a metric was computed by reprokit: the mean of the samples' scores: `em`")
    ]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_mean_and_its_error_are_those_of_statistics(marks):
    mean = Mean()
    for mark in marks:
        mean.add(mark)

    assert mean.mean == pytest.approx(statistics.fmean(marks), abs=1e-6)
    assert mean.stderr == pytest.approx(statistics.stdev(marks) / math.sqrt(len(marks)), abs=1e-6)


def test_what_is_observed_is_this_process(archive, evaluation, monkeypatch):
    monkeypatch.setattr(checkouts, "MOST", 32)
    monkeypatch.chdir(evaluation)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)

    with reprokit.capture() as run:
        record_some(run)

    bundle = whole(run)
    assert bundle.environment.interpreter.executable == sys.executable
    assert "pytest" in {package.name for package in bundle.environment.packages}
    assert {"HF_HUB_OFFLINE", "OPENAI_API_KEY"} <= {
        each.name for each in bundle.record.invocation.environment_variables
    }
    assert bundle.record.invocation.argv[-1] == sys.orig_argv[-1]
    assert isinstance(bundle.record.run.exit_code, Unknown)
    assert bundle.record.run.started < bundle.record.run.ended
    source = next(each for each in bundle.sources if each.name == "my-evals")
    assert source.dirty
    assert bundle.read_payload(source.patch)
    assert any("nothing is hooked" in each for each in bundle.environment.missing)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no such split"), "ValueError: no such split"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_an_exception_goes_on_its_way_and_marks_the_bundle_incomplete(archive, error, told):
    run = reprokit.capture()

    def block():
        with run:
            record_some(run)
            raise error

    with pytest.raises(type(error)) as caught:
        block()
    assert caught.value is error
    bundle = whole(run)
    assert not bundle.record.run.complete
    assert bundle.record.run.exit_code == Unknown(
        unknown=f"the block ended by `{type(error).__name__}`; what the process did afterwards is not known"
    )
    assert len(list(bundle.samples("script"))) == 4
    assert any(each.code == "W310" and each.message.endswith(told) for each in run.findings)


def test_a_program_that_exits_with_status_0_in_its_block_ended_well(archive):
    run = reprokit.capture()

    def block():
        with run:
            record_some(run)
            sys.exit(0)

    with pytest.raises(SystemExit):
        block()
    assert whole(run).record.run.complete


def test_a_secret_in_an_exception_or_a_sample_is_kept_out(archive, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    run = reprokit.capture()

    def block():
        with run:
            record_some(run)
            run.sample(id=9, prompt=f"use {TOKEN}", response="x")
            raise ValueError(f"refused: {TOKEN}")

    with pytest.raises(ValueError, match="refused"):
        block()
    assert len(list(whole(run).samples("script"))) == 4
    assert any(each.code == "W312" for each in run.findings)
    found = subprocess.run(["grep", "-rl", TOKEN, archive.root], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_private_samples_are_digests_only(archive):
    with reprokit.capture(samples="digest") as run:
        record_some(run, secret_note="nobody's business")

    bundle = whole(run)
    assert bundle.record.samples == "digest"
    (first, *_) = bundle.samples("script")
    assert (first.prompt, first.responses, first.extra, first.scores) == (None, [], {}, {"em": 0})
    assert not [path for path in run.path.rglob("*") if path.is_file() and b"nobody's" in path.read_bytes()]


def test_a_deferred_block_is_published_and_not_registered(archive):
    with reprokit.capture(defer=True) as run:
        record_some(run)

    assert run.path.is_dir()
    assert not archive.entry(run.bundle_id).exists()


def test_a_settings_file_is_heeded(archive, monkeypatch):
    Path("reprokit.toml").write_text('[capture]\nsamples = "digest"\n')

    with reprokit.capture() as run:
        record_some(run)

    assert whole(run).record.samples == "digest"


def test_files_are_taken_as_they_are_in_the_end(archive, tmp_path):
    Path("plots").mkdir()
    Path("plots/curve.svg").write_text("<svg/>")
    Path("latest.txt").symlink_to("plots/curve.svg")
    run = reprokit.capture()

    def block():
        with run:
            record_some(run)
            for name in ("plots/curve.svg", "latest.txt", "late.txt", "never.txt", "plots"):
                run.file(name)
            Path("late.txt").write_text("at last")

    with pytest.warns(CaptureWarning, match=r"the file `never.txt`: No such file") as warned:
        block()
    assert len(warned) == 1
    bundle = whole(run)
    assert bundle.read_payload("harness/files/late.txt") == b"at last"
    assert bundle.read_payload("harness/files/plots/curve.svg") == b"<svg/>"
    assert bundle.read_payload("harness/files/latest.txt") == b"<svg/>"
    (told,) = [each.message for each in run.findings if each.code == "W351"]
    assert "the file `never.txt`: No such file" in told
    assert "the file `plots`" in told


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    where: Path


class Scalar:
    """What numpy and torch have in common."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        ({1: Colour.RED}, {"1": "red"}),
        (Point(x=1, where=Path("a/b")), {"x": 1, "where": "a/b"}),
        (dt.date(2026, 11, 24), "2026-11-24"),
        (Scalar(0.5), 0.5),
        (Scalar(True), True),
        (float("nan"), {"not_scored": "nan"}),
        (2**70, str(2**70)),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_python_writes_values_with_becomes_json(value, written):
    def refuse(where, value):
        raise AssertionError(where)

    assert plain_values.plain(value, "x", refuse) == written


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (True, True),
        (Scalar(1), 1),
        (float("inf"), NotScored(not_scored="infinity")),
        (None, NotScored(not_scored="null")),
        ("N/A", NotScored(not_scored="N/A")),
        ([1, 2], NotScored(not_scored="a structure")),
        (2**80, float(2**80)),
    ],
)
def test_a_mark_is_a_number_or_a_reason(value, mark):
    assert plain_values.score(value, "x", lambda where, value: None) == mark


def test_a_value_without_a_json_form_is_left_out_named_and_told_once(archive):
    run = reprokit.capture()

    def block():
        with run:
            for number in range(9):
                run.sample(id=number, prompt=["look:", {"image": Fraction(1, 3)}], response="x", scores={"em": 1})

    with pytest.warns(CaptureWarning) as warned:
        block()
    assert [str(each.message) for each in warned] == [
        "reprokit: not recorded: sample 0, `prompt.1.image`: fractions.Fraction has no JSON form"
    ]
    bundle = whole(run)
    assert bundle.record.run.complete
    (first, *_) = bundle.samples("script")
    assert first.prompt == ["look:", {"image": {"not_recorded": "fractions.Fraction"}}]
    (told,) = [each.message for each in run.findings if each.code == "W351"]
    assert told.endswith("and 4 more")


def test_with_strict_such_a_value_is_a_type_error_and_nothing_is_written_of_the_sample(archive):
    with reprokit.capture(strict=True) as run:
        record_some(run, 2)
        with pytest.raises(TypeError, match=r"sample 7, `extra.image`: bytes has no JSON"):
            run.sample(id=7, image=b"\x89PNG")

    assert [sample.id for sample in whole(run).samples("script")] == [0, 1]


def test_a_cycle_is_no_endless_loop(archive):
    around: list[object] = []
    around.append(around)
    with pytest.warns(CaptureWarning, match="has no JSON form"), reprokit.capture() as run:
        run.sample(id=0, document=around, scores={"em": 1})

    assert whole(run)


def test_the_same_sample_again_is_the_next_epoch_and_is_told(archive):
    with reprokit.capture() as run:
        for _ in range(2):
            record_some(run, 2)
        run.sample(id=5, epoch=3)

    assert [(each.id, each.epoch) for each in whole(run).samples("script")] == [(0, 1), (1, 1), (0, 2), (1, 2), (5, 3)]
    assert any(each.code == "W315" for each in run.findings)


def test_the_last_value_of_a_metric_counts(archive):
    with reprokit.capture() as run:
        run.metric("acc", 0.1)
        run.metric("acc", {"per": "class"})
        run.metric("acc", 0.9)

    assert [metric.value for metric in whole(run).results.metrics] == [0.9]


def test_nothing_recorded_is_an_incomplete_run(archive):
    with reprokit.capture() as run:
        pass

    assert not whole(run).record.run.complete
    assert any(each.code == "W301" for each in run.findings)


def test_tasks_keep_apart_whatever_they_are_called(archive):
    names = ["a/b", "a_b", "A_B", "..", "\N{SNOWMAN}", *(f"t{number}" for number in range(200))]
    with reprokit.capture() as run:
        for name in names:
            for number in range(2):
                run.sample(id=f"{name} {number}", task=name, scores={"em": 1})

    bundle = whole(run)
    assert {name: [each.id for each in bundle.samples(name)] for name in names} == {
        name: [f"{name} 0", f"{name} 1"] for name in names
    }


def test_any_thread_may_record_and_any_thread_may_capture(archive):
    runs = []

    def capture_here():
        with reprokit.capture(task="threads") as run:
            workers = [
                threading.Thread(
                    target=lambda start=start: [
                        run.sample(id=start + number, prompt="x" * 5000, scores={"em": 1}) for number in range(50)
                    ]
                )
                for start in range(0, 400, 50)
            ]
            for each in workers:
                each.start()
            for each in workers:
                each.join()
        runs.append(run)

    thread = threading.Thread(target=capture_here)
    thread.start()
    thread.join()

    assert sorted(each.id for each in whole(runs[0]).samples("threads")) == list(range(400))


def test_no_trace_of_a_capture_stays_in_the_process(archive):
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook, sys.stdout)
    threads, path, modules = threading.active_count(), list(sys.path), sys.modules.get("sitecustomize")

    with reprokit.capture() as run:
        record_some(run)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.excepthook, sys.stdout) == before
        assert threading.active_count() == threads

    assert (sys.path, sys.modules.get("sitecustomize")) == (path, modules)


def test_a_block_that_cannot_be_captured_runs_all_the_same(archive, monkeypatch):
    monkeypatch.setenv("REPROKIT_ARCHIVE", "/nowhere/at/all")
    run = reprokit.capture()
    done = []

    def block():
        with run:
            record_some(run)
            run.metric("acc", 1)
            run.subject(model="m")
            run.file("x")
            done.append(1)

    with pytest.warns(CaptureWarning, match="will not be captured: `/nowhere/at/all`"):
        block()
    assert done
    assert isinstance(run.failure, NotFoundError)
    assert (run.bundle_id, run.path, run.findings) == (None, None, ())


def test_with_strict_it_does_not_run(archive, monkeypatch):
    monkeypatch.setenv("REPROKIT_ARCHIVE", "/nowhere/at/all")

    with pytest.raises(NotFoundError), reprokit.capture(strict=True):
        pytest.fail("the block was entered")


def test_a_capture_that_fails_in_the_end_says_where_the_samples_are(archive, monkeypatch):
    run = reprokit.capture()

    def block():
        with run:
            record_some(run)
            shutil.rmtree(archive.bundles)
            archive.bundles.write_text("in the way")

    with pytest.warns(CaptureWarning, match="NOT captured") as warned:
        block()
    folder = Path(str(warned[0].message).split("what it recorded is in `")[1].split("`")[0])
    assert isinstance(run.failure, ReprokitError)
    assert "`reprokit sync` tries again" in str(warned[0].message)
    assert len((folder / "samples/script.jsonl").read_text().splitlines()) == 4


def test_recording_outside_of_the_block_is_told(archive):
    with reprokit.capture() as run:
        record_some(run)

    with pytest.warns(CaptureWarning, match="outside of the `with` block"):
        record_some(run)


def test_where_warnings_are_errors_they_go_to_stderr_and_the_loop_goes_on(program):
    done = program(
        "import reprokit\nwith reprokit.capture() as run:\n    run.sample(id=1, prompt=object())\n    print('went on')\n",
        "-W",
        "error",
    )

    assert done.stdout == "went on\n"
    assert done.stderr == "reprokit: WARNING: not recorded: sample 1, `prompt`: object has no JSON form\n"


def test_a_forked_child_neither_records_nor_makes_a_bundle(program, archive):
    program(
        "import os, reprokit, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "with reprokit.capture() as run:\n"
        "    run.sample(id='parent', scores={'em': 1})\n"
        "    if os.fork() == 0:\n"
        "        run.sample(id='child', scores={'em': 0})\n"
        "    else:\n"
        "        os.wait()\n"
    )

    (entry,) = archive.catalog.rglob("*.json")
    assert json.loads(entry.read_text())["samples"] == 1


KILLED = """\
import os, signal, reprokit
with reprokit.capture(name="long", tags=["paper"]) as run:
    run.file("plot.svg")
    run.subject(model="org/tiny")
    run.metric("acc", 0.5)
    for number in range(100):
        run.sample(id=number, prompt=f"{number}+1=", response="2", scores={"em": number % 2})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def command(*arguments, **variables):
    """Run reprokit beside the program that captures itself."""
    return subprocess.run(
        [sys.executable, "-m", "reprokit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_a_killed_block_is_finished_by_sync_with_all_that_it_had_recorded(program, archive, evaluation, monkeypatch):
    monkeypatch.setattr(checkouts, "MOST", 32)
    # What the project maps for its scripts is no affair of what reprokit itself has written.
    (evaluation / "reprokit.toml").write_text('[script]\nid = "question_id"\nresponse = "said"\nscores = ["f1"]\n')
    monkeypatch.chdir(evaluation)

    killed = program(KILLED, check=False, cwd=evaluation, HF_TOKEN=TOKEN)

    assert killed.returncode == -signal.SIGKILL
    assert TOKEN not in "".join(path.read_text() for path in archive.staging.glob("*/*.json"))
    seen = command("status")
    assert seen.returncode == 1
    assert re.search(r"block named `long`, .*: `reprokit sync` finishes it", seen.stdout)

    done = command("sync", "--offline", HF_TOKEN=TOKEN)

    assert (done.returncode, done.stderr) == (0, "")
    assert "finished     a `reprokit.capture()` block named `long`" in done.stdout
    bundle = reprokit.open("long")
    assert (bundle.info.name, bundle.info.tags) == ("long", ("paper",))
    metrics = {metric.metric: metric for metric in bundle.results.metrics}
    assert metrics["acc"].value == 0.5
    assert (metrics["em"].value, metrics["em"].n) == (0.5, 100)
    assert metrics["em"].stderr == pytest.approx(statistics.stdev([0, 1] * 50) / 10)
    samples = list(bundle.samples("script"))
    assert [each.id for each in samples] == list(range(100))
    assert (samples[3].prompt, samples[3].responses, samples[3].extra) == ("3+1=", ["2"], {})
    assert bundle.record.subject.models[0].name == "org/tiny"
    assert not bundle.record.run.complete
    assert "nobody saw how" in bundle.record.run.exit_code.unknown
    assert "pytest" in {package.name for package in bundle.environment.packages}
    assert any("nothing is hooked" in each for each in bundle.environment.missing)
    assert [(each.name, bool(each.patch)) for each in bundle.sources] == [("my-evals", True)]
    assert bundle.record.invocation.source == "my-evals"
    codes = {each.code: each.message for each in bundle.record.findings}
    assert "the process ended before the block did" in codes["W310"]
    assert {"W346", "W352"} <= codes.keys()
    assert "W350" not in codes
    assert list(bag.verify(bundle.path)) == []


def test_once_it_is_finished_nothing_is_left_of_a_killed_block_and_files_are_as_they_lie(program, archive, tmp_path):
    (tmp_path / "plot.svg").write_text("<svg/>")
    killed_staging(program, archive)

    assert command("sync", "--offline").returncode == 0

    assert reprokit.open("latest").read_payload("harness/files/plot.svg") == b"<svg/>"
    assert list(archive.staging.iterdir()) == []
    assert command("status").returncode == 0


def killed_staging(program, archive):
    program(KILLED, check=False)
    return max(archive.staging.iterdir())


def test_a_sample_that_was_being_written_is_told_and_costs_no_other(program, archive):
    samples = killed_staging(program, archive) / "spool/samples/script.jsonl"
    samples.write_bytes(samples.read_bytes()[:-9])
    (samples.parent / "other.jsonl").write_bytes(b'{"task": "oth')

    assert command("sync", "--offline").returncode == 0

    bundle = reprokit.open("latest")
    assert [each.id for each in bundle.samples("script")] == list(range(99))
    assert next(each for each in bundle.results.metrics if each.metric == "em").n == 99
    told = [each.message for each in bundle.record.findings if each.code == "W351"]
    assert any("a sample of `script`, samples/script.jsonl, line 100" in each for each in told)
    assert any("a sample of an unknown task, samples/other.jsonl, line 1" in each for each in told)


def test_private_samples_of_a_killed_block_stay_private(program, archive):
    program(KILLED.replace("capture(", "capture(samples='digest', "), check=False)

    command("sync", "--offline")

    bundle = reprokit.open("latest")
    assert bundle.record.samples == "digest"
    assert next(iter(bundle.samples("script"))).prompt is None


def test_a_secret_that_sync_does_not_know_any_more_is_named(program, archive):
    program(KILLED, check=False, HF_TOKEN=TOKEN)

    command("sync", "--offline")

    (told,) = [each.message for each in reprokit.open("latest").record.findings if each.code == "W346"]
    assert "samples not searched for what is not known here: `HF_TOKEN`" in told


def test_what_can_still_become_a_bundle_is_cleared_away_only_by_consent(program, archive):
    staging = killed_staging(program, archive)
    program(KILLED, check=False)

    kept = command("status", "--clear")

    assert kept.returncode == 1
    assert str(staging) in kept.stderr
    assert "they were kept; `reprokit sync` finishes them" in kept.stderr
    assert len(list(archive.staging.iterdir())) == 2
    assert command("status", "--yes").returncode == 2

    cleared = command("status", "--clear", "--yes")

    assert cleared.returncode == 0
    assert str(staging) in cleared.stderr
    assert list(archive.staging.iterdir()) == []


def test_a_block_that_still_runs_is_not_touched(archive):
    with reprokit.capture() as run:
        record_some(run)
        assert "nothing was left to do" in command("sync", "--offline").stdout
        assert command("status", "--clear", "--yes").returncode == 0

    assert len(list(whole(run).samples("script"))) == 4


def test_a_killed_block_without_notes_is_told_kept_and_needs_a_person(program, archive):
    staging = killed_staging(program, archive)
    (staging / "begun.json").unlink()

    for seen in (command("status"), command("sync", "--offline")):
        assert seen.returncode == 1
        assert f"it lies in `{staging}`" in seen.stdout
    assert (staging / "spool/samples/script.jsonl").is_file()


ENDED_AND_KILLED = """\
import os, signal, reprokit
from reprokit.capture.in_python import block
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
block.{place} = die
with reprokit.capture() as run:
    run.sample(id=1, scores={{"em": 1}})
"""


@pytest.mark.parametrize("place", ["assemble", "publish", "unfinished.let_go", "fold"])
def test_a_kill_after_the_block_costs_nothing_and_makes_no_second_bundle(program, archive, place):
    killed = program(ENDED_AND_KILLED.format(place=place), check=False)
    assert killed.returncode == -signal.SIGKILL

    assert command("sync", "--offline").returncode == 0

    (entry,) = archive.catalog.rglob("*.json")
    bundle = reprokit.open("latest")
    assert bundle.record.run.complete
    assert bundle.record.run.exit_code == Unknown(unknown="the block ended, and the process went on")
    assert isinstance(bundle.record.run.ended, str)
    assert list(archive.staging.iterdir()) == []
    assert entry.is_file()


def test_half_a_line_of_a_full_disk_takes_no_other_sample_along(archive, monkeypatch):
    write = os.write
    room = [20]

    def full(descriptor, data):
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: room.pop()])

    def block():
        with run:
            run.sample(id=0, prompt="x")
            monkeypatch.setattr(os, "write", full)
            run.sample(id=1, prompt="too much")
            monkeypatch.setattr(os, "write", write)
            run.sample(id=2, prompt="x")

    run = reprokit.capture()
    with pytest.warns(CaptureWarning, match="No space left"):
        block()
    assert [each.id for each in whole(run).samples("script")] == [0, 2]


WARNED = """\
import reprokit
with reprokit.capture() as run:
    run.sample(id=1, scores={'em': 1})
    RECORD
"""


@pytest.mark.parametrize(
    ("record", "line", "told"),
    [
        ("run.sample(id=2, document=object())", 4, "not recorded: sample 2, `document`"),
        ("run.metric('m', object())", 4, "not recorded: metric 'm', `value`"),
        (
            "run.file('missing'); run.file('gone')",
            2,
            "not recorded: the file `missing`: No such file or directory; the",
        ),
    ],
)
def test_a_warning_names_the_line_of_the_program(program, record, line, told):
    done = program(WARNED.replace("RECORD", record))

    assert f"program.py:{line}: CaptureWarning: reprokit: {told}" in done.stderr
    assert done.stderr.count("CaptureWarning") == 1


def test_a_block_that_is_not_captured_says_so_at_its_line(program):
    done = program(WARNED.replace("RECORD", "pass"), REPROKIT_ARCHIVE="/nowhere/at/all")

    assert "program.py:2: CaptureWarning: reprokit: this block will not be captured" in done.stderr


def test_the_example_of_the_documentation_runs_whether_the_block_is_captured_or_not(program, archive):
    text = (ROOT / "docs/own-program.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    before = "items = [{'id': 1, 'question': 'q', 'gold': 'g'}]\nmodel = str.upper\n"

    assert "Finding" in program(before + example).stdout
    assert "not captured: " in program(before + example, REPROKIT_ARCHIVE="/nowhere/at/all").stdout


def test_opening_the_bundle_of_a_run_that_was_not_captured_says_why_there_is_none(archive):
    with pytest.raises(NotFoundError, match="a run that was not captured") as caught:
        reprokit.open(None)
    assert "run.failure" in caught.value.hint


MEMORY = """\
import resource, sys, reprokit
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with reprokit.capture() as run:
    run.sample(id=0, prompt="x" * 200, response="y" * 200, scores={"em": 1, "f1": 0.5})
    before = peak()
    for number in range(1, 100_000):
        run.sample(id=number, prompt="x" * 200, response="y" * 200, scores={"em": number % 2, "f1": 0.5})
    print(peak() - before)
print(peak() - before, run.failure, run.path)
"""


def test_a_hundred_thousand_samples_take_no_more_memory_than_one(program):
    inside, after = program(MEMORY).stdout.splitlines()

    assert int(inside) < 4_000
    assert int(after.split()[0]) < 60_000
    assert sum(task.samples_saved for task in open_bundle(Path(after.split()[2])).results.tasks) == 100_000


def test_a_program_typed_into_python_is_not_to_be_run_again(archive):
    typed = "import reprokit\nwith reprokit.capture() as run:\n    run.sample(id=1, scores={'em': 1})\n\nprint(run.bundle_id)\n"
    done = subprocess.run(
        [sys.executable, "-i"],
        input=typed,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    bundle = reprokit.open(done.stdout.strip())
    assert bundle.record.invocation.argv == Unknown(
        unknown="typed into an interactive Python: no command runs it again"
    )


def test_a_notebook_is_known_by_its_shell(archive, monkeypatch):
    class Shell:
        @staticmethod
        def get_ipython():
            return object()

    monkeypatch.setitem(sys.modules, "IPython", Shell)
    monkeypatch.setitem(sys.modules, "ipykernel", Shell)

    with reprokit.capture() as run:
        record_some(run)

    assert "notebook" in whole(run).record.invocation.argv.unknown


def test_a_block_is_not_reproduced_by_running_it_twice_at_once(archive):
    with reprokit.capture() as run:
        record_some(run)

    done = subprocess.run(
        [sys.executable, "-m", "reprokit", "reproduce", run.bundle_id, "--plan"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )

    assert "its program captures itself" in done.stdout


def test_bundles_are_opened_by_id_path_and_latest(archive, tmp_path, monkeypatch):
    with reprokit.capture(name="one") as run:
        record_some(run)

    assert reprokit.open(run.bundle_id[:16]).identity == reprokit.open(run.path).identity
    assert reprokit.open("latest", archive=archive.root).info.name == "one"
    monkeypatch.setenv("REPROKIT_ARCHIVE", "/nowhere")
    assert reprokit.open(run.path).info.name == "one"
    with pytest.raises(NotFoundError):
        reprokit.open("latest")


def test_importing_reprokit_is_light_and_its_capture_can_be_called_after_any_import():
    code = (
        "import sys, reprokit\n"
        "assert not {name for name in sys.modules if name.startswith('reprokit.')}\n"
        "assert not {'msgspec', 'click', 'typing'} & set(sys.modules)\n"
        "import reprokit.capture.live\n"
        "from reprokit.capture.request import Request\n"
        "assert callable(reprokit.capture), reprokit.capture.live\n"
        "assert not hasattr(reprokit, 'frobnicate')\n"
    )

    subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"], check=True)


def test_the_types_are_those_that_users_see(tmp_path):
    (tmp_path / "user.py").write_text(
        "import reprokit\n"
        "with reprokit.capture(name='x', tags=['a']) as run:\n"
        "    run.sample(id=1, prompt='p', scores={'em': 1.0})\n"
        "    reveal_type(run.bundle_id)\n"
        "reveal_type(reprokit.open('latest').results.metrics)\n"
        "reprokit.capture(frobnicate='x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "str | None" in done.stdout
    assert "results.Metric" in done.stdout
    assert 'Unexpected keyword argument "frobnicate"' in done.stdout
    assert "Found 1 error" in done.stdout
