"""A `reprokit.toml` with three lines makes a program of one's own known: live, finished, and by the hundred."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.archive.layout import Archive
from reprokit.bundle.reading import open_bundle
from reprokit.capture.mapping import by_name, for_command, read_mappings
from reprokit.capture.wishes import evaluator, read_wishes, split_samples
from reprokit.errors import UsageError
from reprokit.harnesses.loose_json import Line
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.script_fields import MEMBERS, STANDARD, choose
from reprokit.harnesses.script_sample import sample_of

THREE_LINES = '[script]\nresults = "metrics.json"\nsamples = "predictions.jsonl"\n'
ODD = """\
import json
rows = [{"question_id": f"q{n}", "instruction": f"{n}+1=", "gold": str(n + 1), "model_answer": str(n + n % 2),
         "em": n % 2, "f1": 0.5, "part": "sums", "output": "noise", "label": "noise"} for n in range(4)]
with open("answers.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\\n" for row in rows)
with open("numbers.json", "w") as file:
    json.dump({"sums": {"em": 0.5, "f1": 0.5}}, file)
"""
ODD_MAPPING = """\
[script]
results = "numbers.json"
samples = "answers.jsonl"
id = "question_id"
task = "part"
prompt = "instruction"
target = "gold"
response = "model_answer"
scores = ["em", "f1"]
"""


def newest(reprokit):
    return open_bundle(Archive(reprokit.archive).payload(reprokit.json("list")[-1]["id"]))


def settings(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reprokit.toml").write_text(text)
    return folder


def test_three_lines_are_enough(reprokit, evaluation):
    settings(evaluation, THREE_LINES)
    below = evaluation / "below"
    below.mkdir()

    done = reprokit("capture", "--", "python", "../evaluate.py", directory=below)

    assert "1 metric, 6 samples" in done.stderr
    bundle = newest(reprokit)
    assert bundle.record.harness.name == "script"
    assert [sample.prompt for sample in bundle.samples("sums")][:2] == ["0+0=", "1+1="]


def test_odd_names_are_mapped(reprokit, tmp_path):
    folder = settings(tmp_path / "evals", ODD_MAPPING)
    (folder / "run.py").write_text(ODD)

    reprokit("capture", "--", "python", "run.py", directory=folder)

    samples = list(newest(reprokit).samples("sums"))
    assert [sample.id for sample in samples] == ["q0", "q1", "q2", "q3"]
    assert (samples[1].prompt, samples[1].target, samples[1].responses) == ("1+1=", "2", ["2"])
    assert samples[1].scores == {"em": 1, "f1": 0.5}
    assert samples[1].extra == {"output": "noise", "label": "noise"}
    assert not [each for each in newest(reprokit).record.findings if each.code == "W350"]


def test_named_files_are_read_with_the_keys_of_the_mapping(reprokit, tmp_path):
    folder = settings(tmp_path / "evals", ODD_MAPPING)
    (folder / "run.py").write_text(ODD)
    subprocess.run([sys.executable, "run.py"], cwd=folder, check=True)

    reprokit("capture", "--from", ".", "--results", "numbers.json", "--samples", "answers.jsonl", directory=folder)

    assert [sample.target for sample in newest(reprokit).samples("sums")] == ["1", "2", "3", "4"]


def test_a_key_that_no_sample_has_is_told_and_mended_the_next_time(reprokit, tmp_path):
    folder = settings(tmp_path / "evals", ODD_MAPPING.replace('"gold"', '"golden"'))
    (folder / "run.py").write_text(ODD)
    done = reprokit("capture", "--", "python", "run.py", directory=folder)
    settings(folder, ODD_MAPPING)
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600, time.time() - 3600))

    again = reprokit("capture", "--from", ".", "--recursive", directory=folder)

    assert "W350 target: a key that the mapping names is in no sample: `golden`" in done.stderr
    assert again.stdout.startswith("captured ")
    assert "W350" not in again.stdout


def test_runs_of_a_mapping_are_found_in_every_folder(reprokit, tmp_path):
    settings(tmp_path, '[script]\nresults = "out/metrics.json"\nsamples = ["out/predictions.jsonl"]\n')
    for number in range(3):
        folder = tmp_path / "old" / str(number) / "out"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(f'{{"accuracy": 0.{number}}}')
        (folder / "predictions.jsonl").write_text('{"id": 0, "response": "a"}\n')
        (folder / "unrelated.json").write_text("{}")

    done = reprokit("capture", "--from", "old", "--dry-run", directory=tmp_path)
    one = reprokit("capture", "--from", "old/1/out", "--dry-run", directory=tmp_path)

    assert [line.split()[2] for line in done.stdout.splitlines()] == [f"{n}/out/metrics.json" for n in range(3)]
    assert "1 metric, 1 sample" in one.stdout


def test_one_of_several_mappings_is_chosen_by_command_or_by_name(tmp_path):
    settings(
        tmp_path,
        '[script]\nresults = "any.json"\n'
        '[script.vqa]\ncommand = ["run_vqa*.py", "vqa-eval"]\nresults = "vqa.json"\n'
        '[script.math]\nresults = "math.json"\n',
    )
    mappings = read_mappings(tmp_path / "not/there/yet")

    assert for_command(mappings, ["python", "src/run_vqa_7b.py", "--fast"]).name == "vqa"
    assert for_command(mappings, ["vqa-eval"]).name == "vqa"
    assert for_command(mappings, ["python", "other.py"]).name is None
    assert by_name(mappings, "math").results == Path("math.json")
    assert by_name(mappings, "script").results == Path("any.json")


def test_two_mappings_of_one_command_are_told_and_the_command_runs_all_the_same(reprokit, tmp_path):
    settings(
        tmp_path,
        '[script.a]\ncommand = "*.sh"\nresults = "a.json"\n[script.b]\ncommand = "run.*"\nresults = "b.json"\n',
    )
    (tmp_path / "run.sh").write_text("echo ran; exit 7\n")

    done = reprokit("capture", "--", "sh", "run.sh", directory=tmp_path, check=7)

    assert done.stdout == "ran\n"
    assert "both match this command" in done.stderr


def test_a_mapping_is_named_by_harness(reprokit, evaluation):
    settings(evaluation, THREE_LINES.replace("[script]", "[script.sums]"))

    reprokit("capture", "--harness", "sums", "--", "python", "evaluate.py", directory=evaluation)
    unknown = reprokit("capture", "--harness", "sum", "--", "touch", "ran", directory=evaluation, check=2)

    assert newest(reprokit).results.metrics
    assert "there is no harness `sum`" in unknown.stderr
    assert "`sums`" in unknown.stderr
    assert not (evaluation / "ran").exists()


def test_a_known_harness_is_no_script_and_a_flag_goes_before_all(tmp_path):
    settings(tmp_path, THREE_LINES)
    mappings = read_mappings(tmp_path)
    environment = {"REPROKIT_RESULTS": "env.json"}

    def files(argv, environment=environment, results=None):
        wishes = read_wishes(tmp_path, environment)
        chosen = evaluator(argv, harness=None, results=results, samples=(), wishes=wishes, mappings=mappings)
        return chosen.results, chosen.samples

    assert files(["lm_eval", "run"]) == (None, ())
    assert files(["python", "x.py"], {}) == (Path("metrics.json"), (Path("predictions.jsonl"),))
    assert files(["python", "x.py"]) == (Path("env.json"), (Path("predictions.jsonl"),))
    assert files(["python", "x.py"], results=Path("flag.json")) == (Path("flag.json"), (Path("predictions.jsonl"),))
    assert files(["lm_eval", "run"], results=Path("flag.json"))[0] == Path("flag.json")


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ('[script]\nresult = "a.json"\n', "`[script]` has no key `result`", "did you mean `results`?"),
        ('[script]\nresults = "a"\nfrobnicate = 1\n', "has no key `frobnicate`", "`samples`"),
        ("[script]\nresults = 3\n", "`results` is not a text", 'results = "…"'),
        ('[script]\nresults = ["a.json"]\n', "`results` is not a text", 'results = "…"'),
        ("[script]\nsamples = []\n", "`samples` is not a text, or a list of them", 'samples = "…"'),
        ('[script]\nid = "key"\n', "names no file", "`results"),
        ('script = "a.json"\n', "`script` is no table", "[script]"),
        ('[script.lm_eval]\nresults = "a"\n', "has the name of a harness", "something else"),
        ('[script.scores]\nresults = "a"\n', "`scores` in `[script]` is a table", 'scores = "…"'),
        ('[script.mine]\nresults = "a"\ntarget = "x"\nanswer = "x"\n', "takes `x` for", "only one"),
    ],
)
def test_a_mistaken_mapping_is_told_by_file_and_key(tmp_path, written, message, hint):
    settings(tmp_path, written)

    with pytest.raises(UsageError) as caught:
        read_mappings(tmp_path)

    assert str(tmp_path / "reprokit.toml") in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "written",
    ["capture = 1\n", '[capture]\nsample = "digest"\n', '[capture]\nsamples = "none"\n', '[capture]\ndefer = "yes"\n'],
)
def test_a_mistaken_wish_is_told_and_keeps_no_command_from_running(reprokit, tmp_path, written):
    settings(tmp_path, written)

    done = reprokit("capture", "--", "echo", "ran", directory=tmp_path)

    assert done.stdout == "ran\n"
    assert "will not be captured" in done.stderr
    assert "reprokit.toml" in done.stderr
    assert reprokit.json("list") == []


def test_wishes_are_the_flag_s_else_the_environment_s_else_the_file_s(reprokit, evaluation):
    settings(evaluation, THREE_LINES + '[capture]\nsamples = "digest"\ndefer = true\n')
    command = ("--", "python", "evaluate.py")

    assert read_wishes(evaluation, {}).private
    assert read_wishes(evaluation, {}).defer
    assert not read_wishes(evaluation, {"REPROKIT_SAMPLES": "full", "REPROKIT_DEFER": "0"}).private
    assert not read_wishes(evaluation, {"REPROKIT_SAMPLES": "full", "REPROKIT_DEFER": "0"}).defer
    reprokit("capture", "--no-defer", *command, directory=evaluation)
    assert newest(reprokit).record.samples == "digest"
    assert all(sample.prompt is None and sample.prompt_digest for sample in newest(reprokit).samples("sums"))
    reprokit("capture", "--samples", "full", "--no-defer", *command, directory=evaluation, REPROKIT_SAMPLES="digest")
    assert {
        open_bundle(Archive(reprokit.archive).payload(each["id"])).record.samples for each in reprokit.json("list")
    } == {
        "digest",
        "full",
    }


def test_a_file_called_digest_is_written_with_a_dot():
    here = Path()

    assert split_samples(["./digest", "a.jsonl"], here) == ((Path("digest"), Path("a.jsonl")), None)
    assert split_samples(["a.jsonl", "digest"], here) == ((Path("a.jsonl"),), "digest")
    assert split_samples(["digest", "full"], here) == ((), "full")


@pytest.mark.parametrize(
    ("word", "near"), [("digests1", "digest"), ("DIGEST", "digest"), ("digests", "digest"), ("fulls", "full")]
)
def test_a_word_that_is_nearly_digest_is_no_file_and_nothing_runs(reprokit, tmp_path, word, near):
    done = reprokit("capture", "--samples", word, "--", "touch", "ran", directory=tmp_path, check=2)

    assert f"did you mean `{near}`?" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_files_are_files_whatever_they_are_nearly_called(tmp_path):
    (tmp_path / "digests").touch()

    assert split_samples(["digests", "./digests1", "digest.jsonl", "predictions"], tmp_path)[1] is None
    assert len(split_samples(["digests", "./digests1", "digest.jsonl", "predictions"], tmp_path)[0]) == 4


def test_a_misspelt_word_in_the_environment_captures_nothing_in_full(reprokit, evaluation):
    done = reprokit(
        "capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation, REPROKIT_SAMPLES="digests1"
    )

    assert "score" in done.stdout
    assert (
        "will not be captured: `REPROKIT_SAMPLES`: samples are kept as `digest` or in `full`, not as `digests1`"
        in done.stderr
    )
    assert reprokit.json("list") == []


def test_settings_beside_finished_runs_count_where_those_of_here_say_nothing(reprokit, tmp_path):
    runs, here = tmp_path / "own", tmp_path / "here"
    (runs / "one").mkdir(parents=True)
    here.mkdir()
    (runs / "one/scores.json").write_text('{"toy": {"acc": 0.5}}')
    (runs / "one/rows.jsonl").write_text('{"id": 1, "prompt": "a person", "response": "x", "acc": 1}\n')
    settings(runs, '[script]\nresults = "scores.json"\nsamples = "rows.jsonl"\n[capture]\nsamples = "digest"\n')
    settings(here, "[capture]\ndefer = true\n")

    reprokit("capture", "--from", runs, directory=here)

    assert newest(reprokit).record.samples == "digest"
    assert [sample.prompt for sample in newest(reprokit).samples("toy")] == [None]
    settings(here, '[script]\nresults = "other.json"\n')
    assert "holds no finished run" in reprokit("capture", "--from", runs, directory=here, check=10).stderr


def test_a_mapping_takes_nothing_from_outside_of_the_place(reprokit, tmp_path):
    runs, private = tmp_path / "downloaded", tmp_path / "private"
    runs.mkdir()
    private.mkdir()
    (private / "scores.json").write_text('{"toy": {"acc": 0.5}}')
    (runs / "link").symlink_to(private)

    for path in ("../private/scores.json", "link/scores.json", str(private / "scores.json")):
        settings(runs, f'[script]\nresults = "{path}"\n')
        reprokit("capture", "--from", runs, check=10)
        reprokit("capture", "--from", ".", directory=runs, check=10)


@given(st.dictionaries(st.sampled_from(MEMBERS), st.lists(st.sampled_from("abcdef"), min_size=1, unique=True)))
def test_a_chosen_key_is_taken_by_its_member_alone(keys):
    fields = choose(keys)

    for member, names in keys.items():
        assert getattr(fields, member) == tuple(names)
    for member in set(MEMBERS) - set(keys):
        assert getattr(fields, member) == getattr(STANDARD, member)


def test_a_usual_key_that_was_chosen_for_one_member_is_lost_to_the_others():
    fields = choose({"answer": ["gold"], "scores": ["marks"]})
    line = Line(number=1, value=json.loads('{"gold": "4", "acc": 1, "marks": {"em": 0.5}}'))

    sample = sample_of("t", line, frozenset(), Repeats(where="x", task="t"), fields)

    assert (sample.answer, sample.target) == ("4", None)
    assert sample.scores == {"em": 0.5}
    assert sample.extra == {"acc": 1}


def test_models_that_only_their_folders_tell_apart_are_all_captured_and_known_again(reprokit, tmp_path):
    folder = settings(tmp_path / "runs", '[script]\nresults = "metrics.json"\n')
    for name in ("model_a", "model_b", "model_c"):
        (folder / name).mkdir()
        (folder / name / "metrics.json").write_text('{"accuracy": 0.75}\n')
        os.utime(folder / name / "metrics.json", (1_790_000_000, 1_790_000_000))

    first = reprokit("capture", "--from", ".", "--recursive", directory=folder)
    notes = Archive(reprokit.archive).private / "finished"
    for note in notes.iterdir():  # without them, the archive's bundles tell
        note.unlink()
    again = reprokit("capture", "--from", ".", "--recursive", directory=folder)

    assert "3 captured" in first.stderr
    assert "0 captured, 3 already captured" in again.stderr
    bundles = [open_bundle(Archive(reprokit.archive).payload(each["id"])) for each in reprokit.json("list")]
    held = {file.path for bundle in bundles for file in bundle.record.files if file.role == "harness"}
    assert held == {f"harness/{name}/metrics.json" for name in ("model_a", "model_b", "model_c")}


def test_a_script_s_run_that_was_watched_is_already_captured_but_its_equal_elsewhere_is_not(reprokit, evaluation):
    settings(evaluation, THREE_LINES)
    reprokit("capture", "--", "python", "evaluate.py", directory=evaluation)
    (evaluation / "copy").mkdir()
    for path in (evaluation / "metrics.json", evaluation / "predictions.jsonl"):
        (evaluation / "copy" / path.name).write_bytes(path.read_bytes())
    for path in (*evaluation.glob("*.json*"), *evaluation.glob("copy/*")):
        os.utime(path, (time.time() - 600, time.time() - 600))

    done = reprokit("capture", "--from", ".", "--recursive", directory=evaluation)

    assert "1 captured, 1 already captured" in done.stderr
