"""The commands as a person meets them: what they print, what they return, how they fail."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from reprokit.archive.layout import Archive
from reprokit.cli.messages import explain_failure, visible_json
from reprokit.cli.options import require_writable
from reprokit.errors import UsageError


def test_a_captured_run_is_listed_shown_and_whole(reprokit, captured):
    listed = reprokit("list").stdout
    shown = reprokit("show", "latest").stdout
    validated = reprokit("validate", "latest").stdout

    assert captured in listed
    assert "sums/exact_match=0.6667" in listed
    assert "python evaluate.py" in shown
    assert "my-evals at" in shown
    assert "with uncommitted changes" in shown
    assert re.search(r"sums +exact_match +0\.6667", shown)
    assert validated == f"{captured}: whole\n"


def test_a_capture_tells_what_it_made(reprokit, evaluation):
    done = reprokit("capture", *reprokit.files, "--name", "first", "--", "python", "evaluate.py", directory=evaluation)

    assert done.stdout == "score 0.6666666666666666\n"
    assert "a word of warning\n" in done.stderr
    assert re.search(r"reprokit: captured \d{8}T\d{6}Z-script-\w+-[0-9a-f]{8}\n  1 metric, 6 samples", done.stderr)


def test_a_bundle_is_found_by_id_prefix_identity_path_and_latest(reprokit, captured):
    whole = reprokit.json("show", captured)

    for reference in (captured, captured[:20], captured[-8:], whole["identity"][7:17], whole["path"], "latest"):
        assert reprokit.json("show", reference)["id"] == captured


def test_samples_come_out_as_json_lines(reprokit, captured):
    lines = reprokit("show", captured, "--samples", "sums", "--all").stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == [0, 1, 2, 3, 4, 5]
    assert json.loads(lines[1])["scores"] == {"exact_match": 1.0}


def test_bundles_can_be_filtered(reprokit, evaluation, captured_here):
    reprokit("capture", *reprokit.files, "--tag", "paper", "--", "python", "evaluate.py", "1", directory=evaluation)

    assert len(reprokit.json("list")) == 2
    assert [entry["tags"] for entry in reprokit.json("list", "--tag", "paper")] == [["paper"]]
    assert reprokit.json("list", "--harness", "lm_eval") == []


@pytest.mark.parametrize("command", ["show", "validate", "reproduce"])
def test_a_bundle_that_is_not_there_exits_with_10_and_a_hint(reprokit, command):
    done = reprokit(command, "nothing-like-it", check=10)

    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_archive_reading_says_how_to_make_one(reprokit, tmp_path):
    done = reprokit("list", check=10, REPROKIT_ARCHIVE="", XDG_DATA_HOME=str(tmp_path / "data"))

    assert "hint: " in done.stderr


def test_the_first_capture_makes_the_default_archive(reprokit, evaluation, tmp_path):
    own = {"REPROKIT_ARCHIVE": "", "XDG_DATA_HOME": str(tmp_path / "data")}
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation, **own)

    assert "whole" in reprokit("validate", "latest", **own).stdout
    assert list((tmp_path / "data").rglob("*.dvc"))


@pytest.mark.parametrize(
    "place",
    ["data/results.json", "data/harness/metrics.json", "bag-info.txt", "manifest-sha256.txt", "POINTER", "CATALOG"],
)
def test_a_changed_byte_anywhere_is_found_and_exits_with_12(reprokit, captured, place):
    month = f"{captured[:4]}-{captured[4:6]}"
    places = {
        "POINTER": reprokit.archive / f"bundles/{month}/{captured}.dvc",
        "CATALOG": reprokit.archive / f"catalog/{month}/{captured}.json",
    }
    path = places.get(place, reprokit.archive / f"bundles/{month}/{captured}" / place)
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])

    done = reprokit("validate", captured, check=12)

    assert re.search(r"  E\d{3} ", done.stdout)


def test_validating_needs_no_archive_for_a_bundle_given_by_path(reprokit, captured, tmp_path):
    copy = tmp_path / captured
    shutil.copytree(reprokit.json("show", captured)["path"], copy)
    shutil.rmtree(reprokit.archive, ignore_errors=True)

    done = reprokit("validate", copy, check=None, REPROKIT_ARCHIVE="", XDG_DATA_HOME=str(tmp_path / "none"))

    assert (done.returncode, done.stdout) == (0, f"{captured}: whole\n")


def test_a_bundle_does_not_differ_from_itself(reprokit, captured):
    difference = reprokit.json("diff", captured, captured)

    assert difference["verdict"] == "identical"
    assert difference["setup"] == []
    assert all(row["same"] for row in difference["scores"])


def test_another_seed_shows_in_set_up_scores_and_flips(reprokit, evaluation, captured_here):
    (evaluation / "answers.py").write_text("OFFSET = 2\n")
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", "1", directory=evaluation)

    text = reprokit("diff", captured_here, "latest").stdout
    difference = reprokit.json("diff", captured_here, "latest")

    assert difference["verdict"] == "same scores"
    assert {change["area"] for change in difference["setup"]} >= {"invocation", "source"}
    assert text.splitlines()[0] == "same scores, 4 responses differ, 4 samples scored differently"
    flips = difference["samples"][0]["flips"][0]
    assert (flips["right_to_wrong"], flips["wrong_to_right"]) == (2, 2)


def test_what_is_printed_for_programs_is_canonical_json(reprokit, captured):
    for arguments in (["list"], ["show", captured], ["validate", captured], ["status"], ["diff", captured, captured]):
        text = reprokit(*arguments, "--json").stdout

        assert json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n" == text


def test_finished_outputs_have_one_identity_wherever_they_are_captured(reprokit, tmp_path):
    outputs = tmp_path / "recorded"
    shutil.copytree("tests/recorded/lm_eval", outputs)
    other = tmp_path / "other-archive"
    reprokit("init", other)
    reprokit("capture", "--from", outputs)
    moved = tmp_path / "moved"
    outputs.rename(moved)
    reprokit("capture", "--from", moved, "--archive", other, "--tag", "again")

    one = {entry["id"]: entry["identity"] for entry in reprokit.json("list")}
    two = {entry["id"]: entry["identity"] for entry in reprokit.json("list", "--archive", other)}

    assert one
    assert one == two


def test_capturing_the_same_outputs_again_makes_nothing_new(reprokit, tmp_path):
    outputs = tmp_path / "recorded"
    shutil.copytree("tests/recorded/lmms_eval", outputs)
    reprokit("capture", "--from", outputs)
    before = reprokit.json("list")

    done = reprokit("capture", "--from", outputs)

    assert "already captured as" in done.stderr
    assert reprokit.json("list") == before


def test_nothing_to_capture_is_told_with_a_way_out(reprokit, tmp_path):
    (tmp_path / "empty").mkdir()

    done = reprokit("capture", "--from", tmp_path / "empty", check=10)

    assert "--results FILE" in done.stderr


def test_an_archive_is_plain_git_and_dvc_to_others(reprokit, captured):
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=reprokit.archive, capture_output=True, text=True, check=True
    )
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=reprokit.archive, capture_output=True, text=True, check=True
    )

    assert f"capture {captured}" in log.stdout
    assert status.stdout == ""
    assert reprokit("status").stdout.startswith("archive ")


def test_arguments_and_file_names_that_are_no_unicode_are_captured_all_the_same(reprokit, tmp_path):
    folder = tmp_path / "evals"
    folder.mkdir()
    (folder / "run.py").write_text("open('out.json', 'w').write('{\"acc\": 1.0}')\n")
    arguments = [b"capture", b"--results", b"out.json", b"--", b"python", b"run.py", b"caf\xe9=\xff"]

    done = subprocess.run(
        [sys.executable, "-m", "reprokit", *arguments],
        cwd=folder,
        env=reprokit.environment(),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert b"reprokit: captured" in done.stderr
    assert reprokit.json("show", "latest")["record"]["invocation"]["argv"][-1] == "caf\ufffd=\ufffd"
    reprokit("validate", "latest")


def test_the_hint_after_a_failed_capture_is_a_command_that_works(reprokit, evaluation, tmp_path):
    done = reprokit(
        "capture", *reprokit.files, "--archive", tmp_path / "none", "--", "python", "evaluate.py", directory=evaluation
    )
    assert done.stderr.startswith("reprokit: WARNING: this run will not be captured")
    hint = re.search(r"capture it with `reprokit (.+)`", done.stderr).group(1)

    reprokit(*hint.split(), directory=evaluation)

    (entry,) = reprokit.json("list")
    assert (entry["complete"], entry["samples"]) == (True, 6)


def test_a_results_file_that_was_not_written_is_named(reprokit, evaluation):
    done = reprokit("capture", "--results", "nope.json", "--", "python", "evaluate.py", directory=evaluation)

    assert "W301 harness: the evaluation left no result file: nothing new at `nope.json`" in done.stderr


def test_an_input_that_git_ignores_is_told_at_the_capture_and_in_the_plan(reprokit, evaluation):
    (evaluation / ".gitignore").write_text("*.txt\n")
    (evaluation / "questions.txt").write_text("1+1\n")
    (evaluation / "kept.json").write_text("{}\n")

    captured = reprokit(
        "capture",
        *reprokit.files,
        "--",
        "python",
        "evaluate.py",
        "0",
        "questions.txt",
        "kept.json",
        directory=evaluation,
    )
    plan = reprokit("reproduce", "latest", "--plan", "--env", "current").stdout
    (evaluation / "questions.txt").unlink()
    without = reprokit("reproduce", "latest", "--plan", "--env", "current", check=21).stdout

    assert "W313 source/my-evals.json: part of the source was left out: the input `questions.txt`" in captured.stderr
    assert f"{evaluation / 'questions.txt'}, the same" in plan
    assert "W313" in plan
    assert f"missing        `{evaluation / 'questions.txt'}` is not on this machine" in without
    assert "--map OLD=NEW" in without


def test_running_a_second_time_over_old_outputs_is_no_finding(reprokit, evaluation):
    for _ in range(2):
        done = reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    assert re.search(r" [EW]\d{3} ", done.stderr) is None


def test_outside_of_a_checkout_the_missing_code_is_a_finding(reprokit, tmp_path):
    done = reprokit("capture", "--", "true", directory=tmp_path)

    assert "W316" in done.stderr


def test_output_may_be_cut_off_by_its_reader(reprokit, captured):
    pipe = f"{shlex.quote(sys.executable)} -m reprokit show {captured} --samples sums --all | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], env=reprokit.environment(), capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] in {"0", "141"}
    assert done.stderr == ""


def test_a_reproduction_can_be_reproduced(reprokit, captured_here):
    reprokit("reproduce", captured_here, "--yes", "--env", "current")

    again = reprokit("reproduce", "latest", "--yes", "--env", "current")

    assert again.stdout.startswith("identical samples")
    assert reprokit.json("diff", captured_here, "latest")["setup"] == []


def test_labels_given_with_content_that_is_there_already_are_kept(reprokit, evaluation):
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)
    for tag in ("first", "second"):
        reprokit("capture", "--from", evaluation, *reprokit.files, "--tag", tag, "--note", f"of {tag}")

    labels = {tuple(each["tags"]): each["note"] for each in reprokit.json("list")}

    assert labels == {(): None, ("first", "second"): "of second"}
    assert reprokit.json("show", "second")["id"] == reprokit.json("show", "first")["id"]


def test_a_tag_that_cannot_be_one_is_told_before_anything_runs(reprokit, evaluation):
    done = reprokit("capture", "--tag", "latest", "--", "python", "evaluate.py", directory=evaluation, check=2)

    assert "cannot be a tag" in done.stderr
    assert not (evaluation / "metrics.json").exists()


def test_a_setting_that_nobody_knows_is_told_and_the_run_is_captured(reprokit, evaluation):
    (evaluation / "reprokit.toml").write_text("[captur]\ndefer = true\n")
    done = reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    assert "W357" in done.stderr
    assert "captur" in done.stderr
    assert len(reprokit.json("list")) == 1


# --- what a newcomer reads ---------------------------------------------------------------------------------------------


def test_an_answer_under_an_unknown_key_is_told(reprokit, tmp_path):
    (tmp_path / "m.json").write_text('{"toy": {"acc": 1.0}}')
    (tmp_path / "s.jsonl").write_text('{"id": 1, "prompt": "a", "model_answer": "b", "acc": 1}\n')
    files = ("--results", "m.json", "--samples", "s.jsonl")

    told = reprokit("capture", "--from", ".", *files, directory=tmp_path).stderr
    (tmp_path / "s.jsonl").write_text('{"id": 1, "prompt": "a", "response": "b", "mine": 2, "acc": 1}\n')
    silent = reprokit("capture", "--from", ".", *files, directory=tmp_path).stderr

    assert "no response was recognised in the samples of `toy`, whose other keys are `model_answer`" in told
    assert "captured" in silent
    assert "recognised" not in silent


def test_the_list_tells_names_from_tags_and_reproductions_from_originals(reprokit, evaluation):
    reprokit(
        "capture",
        *reprokit.files,
        "--name",
        "base",
        "--tag",
        "paper",
        "--",
        "python",
        "evaluate.py",
        directory=evaluation,
    )
    reprokit("reproduce", "latest", "--yes", "--env", "current")

    heading, first, second = reprokit("list").stdout.splitlines()

    assert first[heading.index("name") :].split()[:2] == ["base", "paper"]
    original, again = reprokit.json("list")
    assert first[heading.index("run") :].startswith("complete  ")
    assert second[heading.index("run") :].startswith(f"complete, reproduces {original['id'][-8:]}")
    assert [each["id"] for each in reprokit.json("list", "--limit", "1")] == [again["id"]]
    assert len(reprokit.json("list", "--limit", "9")) == 2
    assert "2 bundles, and none like that" in reprokit("list", "--tag", "none").stderr


def test_all_that_was_said_of_model_and_data_is_shown(reprokit, tmp_path):
    (tmp_path / "m.json").write_text(
        '{"results": {"toy": {"acc": 1.0}}, "model": {"name": "org/m", "quantised": "4 bit"}, "datasets": ["org/d"]}'
    )

    reprokit("capture", "--from", ".", "--results", "m.json", directory=tmp_path)

    shown = reprokit("show", "latest").stdout
    assert "model        org/m, revision unknown (none was given), quantised 4 bit, for toy\n" in shown
    assert "dataset      org/d, revision unknown (none was given)\n" in shown


def test_hints_name_what_was_meant(reprokit, captured):
    reprokit("tag", captured, "k-large", "--name", "k2g")

    assert "did you mean `k-large`, `k2g`?" in reprokit("show", "k", check=10).stderr
    assert "Did you mean `list`?" in reprokit("lst", check=2).stderr
    for command in ("validate", "push", "pull"):
        assert "leave out `--all`" in reprokit(command, "--all", "latest", check=2).stderr


def test_an_archive_that_may_only_be_read_is_told_in_one_way(reprokit, captured, monkeypatch):
    monkeypatch.setattr("reprokit.cli.options.os.access", lambda *_: False)

    with pytest.raises(UsageError) as caught:
        require_writable(Archive(reprokit.archive), "gc takes a lock in it")

    assert caught.value.message == f"the archive `{reprokit.archive}` cannot be written, and gc takes a lock in it"
    monkeypatch.undo()
    require_writable(Archive(reprokit.archive), "")


def test_the_same_bundle_is_comparable_with_itself_whatever_it_saved(reprokit, tmp_path):
    (tmp_path / "m.json").write_text('{"toy": {"acc": 1.0}}')
    reprokit("capture", "--from", ".", "--results", "m.json", directory=tmp_path)

    shown = reprokit("diff", "latest", "latest").stdout

    assert "identical: it is the same bundle\n" in shown
    assert "\ncomparable: it is the same bundle\n" in shown


def test_changed_code_is_shown_as_the_patch_between_the_two_trees(reprokit, evaluation, captured_here, git):
    (evaluation / "answers.py").write_text("OFFSET = 2\n")
    git(evaluation, "commit", "-qam", "Changed")
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    (code,) = reprokit.json("diff", captured_here, "latest", check=None)["code"]

    assert code["learnt_from"] == "trees"
    assert [file["path"] for file in code["files"]] == ["answers.py"]
    assert "-OFFSET = 1\n+OFFSET = 2\n" in code["patch"]
    elsewhere = reprokit("diff", captured_here, "latest", "--all", check=None).stdout
    assert f"code of {code['name']}: 1 file changed, +1 -1" in elsewhere
    assert "    -OFFSET = 1" in elsewhere
    assert reprokit.json("diff", "latest", "latest")["code"] == []


def test_json_is_safe_for_a_terminal_and_the_same_json():
    told = '{"a":"\u202eevil\u2066\x9b31m\U000e0041 ü"}\n'

    shown = visible_json(told)

    assert shown == '{"a":"\\u202eevil\\u2066\\u009b31m\\udb40\\udc41 ü"}\n'
    assert json.loads(shown) == json.loads(told)


def test_a_record_that_is_nested_too_deeply_is_no_bug_of_ours(capsys):
    assert explain_failure(RecursionError("maximum recursion depth exceeded")) == 13
    assert "nested deeper than can be followed" in capsys.readouterr().err
