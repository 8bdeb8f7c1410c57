"""Old results: whole trees of finished runs are captured, told of, and taken up again where it was left."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import jsonschema
import msgspec
import pytest

from reprokit.archive.layout import Archive
from reprokit.archive.location import locate
from reprokit.bundle import bag, schemas
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.finished import earlier
from reprokit.capture.finished import runs as finished
from reprokit.capture.finished.adoption import Adoption, Terms, adopt
from reprokit.capture.finished.runs import assemble_run, find_runs, observed_nothing
from reprokit.harnesses.script import Script
from reprokit.probes.secrets import Secrets

RECORDED = Path(__file__).parents[1] / "recorded"
ONE = RECORDED / "lm_eval/0.4.13/json_output_path/myresult_2026-11-23T03-20-45.075576.json"
CASES = ("cut_results", "cut_samples", "damaged_samples", "dummy_in_git", "json_output_path", "only_samples")
LONG_AGO = 1_790_000_000
TOKEN = "hf_" + "Zx81nQpLw7Rk2Tb9Vd4YcM6sHjGfEaUo3i"


def aged(place: Path, when: float = LONG_AGO) -> Path:
    """Let everything below a place be long over."""
    for path in (place, *place.rglob("*")):
        os.utime(path, (when, when), follow_symlinks=False)
    return place


def old_runs(place: Path, count: int) -> Path:
    """Make runs of lm-eval, each in a folder of its own and at a time of its own."""
    document = json.loads(ONE.read_text())
    for number in range(count):
        folder = place / f"sweep-{number % 7}" / f"run-{number:03}"
        folder.mkdir(parents=True)
        document["date"] = 1_790_000_000.25 + number
        (folder / f"results_2026-09-21T{number // 60:02}-{number % 60:02}-00.000001.json").write_text(
            json.dumps(document)
        )
    return aged(place)


def snapshot(place: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in (place, *place.rglob("*"))}


def outcomes(text: str) -> Counter[str]:
    names = ("captured", "would capture", "already captured", "copy", "refused")
    return Counter(next(name for name in names if line.startswith(f"{name:<16} ")) for line in text.splitlines())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Give recorded runs of every kind, as if they were long over."""
    for case in CASES:
        shutil.copytree(RECORDED / "lm_eval/0.4.13" / case, tmp_path / "old/lm_eval" / case)
    shutil.copytree(RECORDED / "lmms_eval/0.7.3/dummy_group", tmp_path / "old/lmms/dummy_group")
    return aged(tmp_path / "old")


def test_a_tree_is_told_of_run_by_run_and_committed_once(reprokit, old, git):
    done = reprokit("capture", "--from", old, "--recursive", check=1)

    told = outcomes(done.stdout)
    assert told["refused"] == 4
    assert told["captured"] == 3
    assert next(line for line in done.stdout.splitlines() if "cut_results" in line).startswith("refused")
    assert "damaged: `results_2026-11-23T03-46-18.750625.json`: no JSON from character" in done.stdout
    assert "no results: " in done.stdout
    assert "only samples" in done.stdout
    assert f"{told['captured']} captured, {told['already captured']} already captured, {told['refused']} refused" in (
        done.stderr
    )
    assert len(reprokit.json("list")) == told["captured"]
    assert git(reprokit.archive, "log", "--format=%s").splitlines()[0] == f"capture {told['captured']} bundles"
    assert len(git(reprokit.archive, "log", "--format=%s").splitlines()) == 2


def test_what_is_refused_can_be_captured_by_itself_and_is_not_refused_again(reprokit, old):
    done = reprokit("capture", "--from", old, "--recursive", check=1)
    refused = outcomes(done.stdout)["refused"]
    command = next(line for line in done.stderr.splitlines() if line.startswith("hint")).split("`")[1]

    by_itself = reprokit(*command.split()[1:])
    again = reprokit("capture", "--from", old, "--recursive", check=1)

    assert "reprokit: captured" in by_itself.stderr
    assert outcomes(again.stdout)["refused"] == refused - 1
    assert outcomes(again.stdout)["captured"] == 0


def test_a_dry_run_writes_nothing_and_foretells_what_comes(reprokit, old, tmp_path):
    home = snapshot(tmp_path)

    dry = reprokit("capture", "--from", old, "--recursive", "--dry-run", check=1)

    assert snapshot(tmp_path) == home
    wet = reprokit("capture", "--from", old, "--recursive", check=1)
    assert [line[18:].split()[0] for line in dry.stdout.splitlines()] == [
        line[18:].split()[0] for line in wet.stdout.splitlines()
    ]
    assert [line for line in dry.stdout.splitlines() if line.startswith("refused")] == [
        line for line in wet.stdout.splitlines() if line.startswith("refused")
    ]
    assert "nothing was written" in dry.stderr


def test_a_dry_run_without_any_archive_makes_none(reprokit, old, tmp_path):
    home = tmp_path / "nobody"
    home.mkdir()
    variables = {"HOME": str(home), "REPROKIT_ARCHIVE": ""}

    recursive = reprokit("capture", "--from", old, "--recursive", "--dry-run", check=1, **variables)
    plain = reprokit("capture", "--from", old, "--dry-run", **variables)

    assert outcomes(recursive.stdout)["refused"] == 4
    assert outcomes(plain.stdout)["refused"] == 0
    assert not list(home.rglob("*"))


def test_an_archive_that_was_named_and_is_not_there_is_an_error_in_a_dry_run_too(reprokit, old, tmp_path):
    done = reprokit("capture", "--from", old, "--dry-run", "--archive", tmp_path / "none", check=10)

    assert "is not an archive" in done.stderr


def test_the_json_form_follows_its_published_schema(reprokit, old):
    document = reprokit.json("capture", "--from", old, "--recursive", check=1)

    jsonschema.validate(document, json.loads(schemas.published("adoption")))
    adoption = msgspec.convert(document, Adoption)
    assert adoption.registered == adoption.count("captured")
    assert {row.findings[0] for row in adoption.runs if row.outcome == "refused"} == {"W301", "W302"}


def test_a_run_that_is_being_written_is_refused_until_it_is_quiet(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 2)
    fresh = next(place.rglob("run-001/*.json"))
    os.utime(fresh)

    first = reprokit("capture", "--from", place, "--recursive", check=1)
    os.utime(fresh, (LONG_AGO, LONG_AGO))
    second = reprokit("capture", "--from", place, "--recursive")

    assert "changed just now: `results_" in first.stdout
    assert first.stderr.splitlines()[-1] == (
        "hint: 1 of those refused changed within the last minute: wait a minute, and call again"
    )
    assert outcomes(first.stdout) == {"captured": 1, "refused": 1}
    assert outcomes(second.stdout) == {"captured": 1, "already captured": 1}


def test_a_run_that_holds_a_secret_is_refused_and_the_others_are_not(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 2)
    leaking = next(place.rglob("run-001/*.json"))
    leaking.write_text(leaking.read_text().replace('"git_hash"', f'"token": "{TOKEN}", "git_hash"'))
    aged(place)

    dry = reprokit("capture", "--from", place, "--recursive", "--dry-run", check=1, HF_TOKEN=TOKEN)
    done = reprokit("capture", "--from", place, "--recursive", check=1, HF_TOKEN=TOKEN)

    assert "holds a secret: `results_" in dry.stdout
    assert outcomes(done.stdout) == {"captured": 1, "refused": 1}
    found = subprocess.run(["grep", "-rl", TOKEN, reprokit.archive], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_hundreds_of_runs_survive_a_kill_and_are_taken_up_where_it_struck(reprokit, tmp_path, git):
    place = old_runs(tmp_path / "old", 300)
    command = [sys.executable, "-m", "reprokit", "capture", "--from", str(place), "--recursive"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=reprokit.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        told = [process.stdout.readline() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    resumed = reprokit("capture", "--from", place, "--recursive")
    started = time.monotonic()
    again = reprokit("capture", "--from", place, "--recursive")
    seconds = time.monotonic() - started

    counts = outcomes(resumed.stdout)
    assert counts["already captured"] >= len(told)
    assert sum(counts.values()) == 300
    assert outcomes(again.stdout) == {"already captured": 300}
    assert seconds < 30
    assert len(reprokit.json("list")) == 300
    assert reprokit.json("status", check=None)["pending"] == []
    assert git(reprokit.archive, "log", "--format=%s").splitlines()[0] == "capture 300 bundles"
    for path in sorted((reprokit.archive / "bundles").glob("*/*/"))[::30]:
        assert list(bag.verify(path)) == []


def test_a_second_look_opens_no_result_file(tmp_path, monkeypatch):
    place = old_runs(tmp_path / "old", 3)
    archive = locate(None, environment={}, directory=made_archive(tmp_path, monkeypatch), create=True)
    terms = Terms(archive=archive, observed=observed_nothing(Secrets()), label=Label(), strict=True)
    runs = find_runs(place)
    first = adopt(place, runs, terms)

    for path in place.rglob("*.json"):
        stamp = path.stat()
        path.write_bytes(bytes(stamp.st_size))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = adopt(place, runs, terms)

    assert first.count("captured") == 3
    assert [row.bundle for row in second.runs] == [row.bundle for row in first.runs]
    assert second.count("already captured") == 3


def made_archive(tmp_path: Path, monkeypatch) -> Path:
    """Let the default archive be one below a temporary folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_note_counts_only_as_long_as_the_archive_holds_its_bundle(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 1)
    reprokit("capture", "--from", place, "--recursive")
    (bundle_id,) = [entry["id"] for entry in reprokit.json("list")]
    archive = Archive(reprokit.archive)
    shutil.rmtree(archive.payload(bundle_id))
    archive.pointer(bundle_id).unlink()
    archive.entry(bundle_id).unlink()

    again = reprokit("capture", "--from", place, "--recursive")

    assert outcomes(again.stdout) == {"captured": 1}


def test_without_notes_as_in_a_clone_nothing_is_captured_twice(reprokit, old):
    first = reprokit("capture", "--from", old, "--recursive", check=1)
    shutil.rmtree(reprokit.archive / ".reprokit/finished")

    second = reprokit("capture", "--from", old, "--recursive", check=1)

    assert outcomes(second.stdout)["captured"] == 0
    assert outcomes(second.stdout)["refused"] == outcomes(first.stdout)["refused"]


LM_EVAL = """\
import json, pathlib, sys, time
document = json.loads(pathlib.Path(sys.argv[2]).read_text()) | {"date": time.time()}
pathlib.Path("out").mkdir()
pathlib.Path("out/results_2026-11-24T10-00-00.000001.json").write_text(json.dumps(document))
"""


def test_runs_that_were_captured_while_they_ran_are_known_by_their_bytes(reprokit, evaluation):
    (evaluation / "lm_eval").write_text(LM_EVAL)
    (evaluation / "reprokit.toml").write_text('[script]\nresults = "metrics.json"\nsamples = "predictions.jsonl"\n')
    reprokit("capture", "--", "python", "evaluate.py", directory=evaluation)
    reprokit("capture", "--", "python", "lm_eval", "run", ONE, "--output_path", "out", directory=evaluation)
    live = {entry["id"] for entry in reprokit.json("list")}
    aged(evaluation, time.time() - 3600)

    done = reprokit("capture", "--from", ".", "--recursive", directory=evaluation)

    assert outcomes(done.stdout) == {"already captured": 2}
    assert all(bundle_id in done.stdout for bundle_id in live)


def test_copies_of_one_run_become_one_bundle(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 1)
    shutil.copytree(place / "sweep-0", place / "copy-of-sweep-0")

    dry = reprokit("capture", "--from", aged(place), "--recursive", "--dry-run")
    done = reprokit("capture", "--from", place, "--recursive")

    assert outcomes(dry.stdout) == {"would capture": 1, "copy": 1}
    assert outcomes(done.stdout) == {"captured": 1, "copy": 1}
    assert [line for line in dry.stdout.splitlines() if line.startswith("copy")] == [
        line for line in done.stdout.splitlines() if line.startswith("copy")
    ]
    assert "the same as `" in done.stdout
    assert "1 would be captured, 1 copy of these, 0 already captured" in dry.stderr
    assert "1 captured, 1 copy of these, 0 already captured" in done.stderr
    again = reprokit("capture", "--from", place, "--recursive", "--dry-run")
    assert outcomes(again.stdout) == {"already captured": 2}


def test_a_dry_run_foretells_the_findings_and_both_say_what_they_mean(reprokit, tmp_path):
    run = tmp_path / "old/run"
    run.mkdir(parents=True)
    (run / "scores.json").write_text('{"toy": {"acc": 0.75}}')
    rows = ({"id": number, "response": "", "acc": 0.5} for number in range(4))
    (run / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "old/reprokit.toml").write_text('[script]\nresults = "scores.json"\nsamples = "rows.jsonl"\n')
    aged(tmp_path / "old")

    dry = reprokit("capture", "--from", tmp_path / "old", "--recursive", "--dry-run")
    done = reprokit("capture", "--from", tmp_path / "old", "--recursive")

    (entry,) = reprokit.json("list")
    assert "W322" in entry["findings"]
    assert dry.stdout.rstrip().endswith("  " + " ".join(entry["findings"]))
    assert done.stdout.rstrip().endswith("  " + " ".join(entry["findings"]))
    for told in (dry, done):
        assert "  W322 the model answered nothing\n" in told.stderr


def test_runs_inside_bundles_are_no_runs_of_their_own(reprokit, old):
    reprokit("capture", "--from", old, "--recursive", check=1)

    assert "holds no finished run" in reprokit("capture", "--from", reprokit.home, "--recursive", check=10).stderr


def test_nothing_of_today_s_machine_gets_into_a_bundle(reprokit, old, evaluation):
    variables = {"HF_HUB_OFFLINE": "1", "OPENAI_BASE_URL": "http://todays.example.invalid", "CUDA_VISIBLE_DEVICES": "7"}

    reprokit("capture", "--from", old, "--recursive", check=1, directory=evaluation, **variables)

    for entry in reprokit.json("list"):
        bundle = open_bundle(Archive(reprokit.archive).payload(entry["id"]))
        assert msgspec.to_builtins(bundle.record.invocation.environment_variables) == {
            "unknown": "captured from finished outputs"
        }
        assert bundle.environment.learnt_from == "nothing"
        assert (bundle.environment.platform, bundle.environment.hardware) == (None, None)
        assert bundle.sources == []
        assert not (bundle.path / "data/source").exists()
        for path in bundle.path.rglob("*"):
            if path.is_file() and "harness" not in path.parts:
                text = path.read_bytes()
                assert b"todays.example" not in text
                assert str(evaluation).encode() not in text
                assert b"OFFSET = 1" not in text


@pytest.mark.parametrize("strict", [True, False])
def test_a_file_that_grows_while_it_is_captured_is_told_of(tmp_path, monkeypatch, strict):
    place = old_runs(tmp_path / "old", 1)
    archive = locate(None, environment={}, directory=made_archive(tmp_path, monkeypatch), create=True)
    runs = find_runs(place)
    growing = next(place.rglob("*.json"))

    def assemble_and_grow(*arguments, **options):
        with growing.open("ab") as file:
            file.write(b"\n")
        return assemble(*arguments, **options)

    assemble = finished.assemble
    monkeypatch.setattr(finished, "assemble", assemble_and_grow)
    terms = Terms(archive=archive, observed=observed_nothing(Secrets()), label=Label(), strict=strict)
    (row,) = adopt(place, runs, terms).runs

    assert "W349" in row.findings
    assert row.outcome == ("refused" if strict else "captured")
    if strict:
        assert "changed just now" in row.reason
        assert not list(archive.staging.iterdir())


def test_a_file_that_vanishes_while_it_is_captured_is_told_of(tmp_path, monkeypatch):
    place = old_runs(tmp_path / "old", 1)
    archive = locate(None, environment={}, directory=made_archive(tmp_path, monkeypatch), create=True)
    ((harness, run),) = find_runs(place)
    (tmp_path / "staged").mkdir()

    next(place.rglob("*.json")).unlink()
    seen, changed = assemble_run(tmp_path / "staged", observed_nothing(Secrets()), harness, run, Label())

    assert archive
    assert list(seen.values()) == [None]
    assert changed == ()


def test_a_bug_met_in_one_run_leaves_the_others(tmp_path, monkeypatch):
    place = old_runs(tmp_path / "old", 3)
    archive = locate(None, environment={}, directory=made_archive(tmp_path, monkeypatch), create=True)
    runs = find_runs(place)

    class Broken(Script):
        def read(self, run):
            raise ZeroDivisionError(run.key)

    runs[1] = (Broken(), runs[1][1])
    terms = Terms(archive=archive, observed=observed_nothing(Secrets()), label=Label(), strict=True)
    adoption = adopt(place, runs, terms)

    assert [row.outcome for row in adoption.runs] == ["captured", "refused", "captured"]
    assert adoption.runs[1].reason.startswith("a bug in reprokit: ZeroDivisionError")


def test_an_interrupt_leaves_registered_what_was_published(tmp_path, monkeypatch):
    place = old_runs(tmp_path / "old", 3)
    archive = locate(None, environment={}, directory=made_archive(tmp_path, monkeypatch), create=True)
    terms = Terms(archive=archive, observed=observed_nothing(Secrets()), label=Label(), strict=True)

    def told(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adopt(place, find_runs(place), terms, told)

    assert len(list(archive.catalog.rglob("*.json"))) == 1
    assert not list(archive.staging.iterdir())


def test_private_samples_stay_out_of_old_runs_too(reprokit, old):
    reprokit("capture", "--from", old / "lm_eval/dummy_in_git", "--recursive", "--samples", "digest")

    (entry,) = reprokit.json("list")
    bundle = open_bundle(Archive(reprokit.archive).payload(entry["id"]))
    assert bundle.record.samples == "digest"
    assert all(sample.prompt is None for task in bundle.tasks() for sample in bundle.samples(task))


def test_a_run_whose_samples_were_kept_private_can_be_captured_in_full(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 1)
    private = reprokit("capture", "--from", place, "--recursive", "--samples", "digest")
    full = reprokit("capture", "--from", place, "--recursive")
    again = reprokit("capture", "--from", place, "--recursive", "--samples", "digest")

    assert (outcomes(private.stdout), outcomes(full.stdout)) == ({"captured": 1}, {"captured": 1})
    assert outcomes(again.stdout) == {"already captured": 1}


def test_a_run_that_changed_since_is_captured_anew(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 2)
    reprokit("capture", "--from", place, "--recursive")
    changed = next(place.rglob("run-001/*.json"))
    changed.write_text(changed.read_text().replace('"git_hash"', '"note": "mended", "git_hash"'))

    done = reprokit("capture", "--from", aged(place), "--recursive")

    assert outcomes(done.stdout) == {"captured": 1, "already captured": 1}


def test_deferred_runs_are_published_and_left_for_another_process(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 2)

    done = reprokit("capture", "--from", place, "--recursive", "--defer")

    assert "not yet committed" in done.stderr
    assert len(list((reprokit.archive / ".reprokit/pending").iterdir())) == 2
    assert not list((reprokit.archive / "catalog").rglob("*.json"))
    assert len(reprokit.json("list")) == 2


def test_a_reader_that_goes_away_stops_no_capture(reprokit, tmp_path):
    place = old_runs(tmp_path / "old", 5)
    command = f"{shlex.quote(sys.executable)} -m reprokit capture --from {place} --recursive | head -1"

    subprocess.run(["bash", "-c", command], env=reprokit.environment(), capture_output=True, check=True, cwd=tmp_path)

    assert len(reprokit.json("list")) == 5


@pytest.mark.parametrize("flag", ["--recursive", "--dry-run", "--json"])
def test_flags_for_finished_runs_are_refused_with_a_command(reprokit, flag):
    assert "go with `--from`" in reprokit("capture", flag, "--", "true", check=2).stderr


def test_a_link_that_somebody_names_is_followed(reprokit, tmp_path):
    folder = tmp_path / "evals"
    (folder / "runs").mkdir(parents=True)
    (folder / "runs/7.json").write_text('{"accuracy": 0.5}')
    (folder / "latest.json").symlink_to("runs/7.json")

    reprokit("capture", "--from", folder, "--results", "latest.json")

    assert reprokit.json("show", "latest")["results"]["metrics"][0]["value"] == 0.5


def test_a_link_that_a_command_writes_its_results_through_is_followed(reprokit, tmp_path):
    folder = tmp_path / "evals"
    folder.mkdir()
    (folder / "run.sh").write_text(
        "mkdir -p runs; echo '{\"accuracy\": 0.5}' > runs/7.json; ln -sf runs/7.json latest.json\n"
    )

    for _ in range(2):
        reprokit("capture", "--results", "latest.json", "--", "sh", "run.sh", directory=folder)

    assert all(entry["metrics"][0]["value"] == 0.5 for entry in reprokit.json("list"))
    assert len(reprokit.json("list")) == 2


def test_stamps_are_looked_up_without_opening(tmp_path):
    ((_, run),) = find_runs(old_runs(tmp_path / "old", 1))
    path = next((tmp_path / "old").rglob("*.json"))

    before = earlier.stamps(run)
    os.utime(path, (LONG_AGO + 1, LONG_AGO + 1))

    assert before != earlier.stamps(run)
