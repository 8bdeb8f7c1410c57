"""Which files belong to which run, wherever somebody points to."""

import os
import shutil
from pathlib import Path, PurePosixPath

import pytest

from reprokit.harnesses import table
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.script import Script

RECORDED = Path(__file__).parents[1] / "recorded"
LM = RECORDED / "lm_eval/0.4.13"
LMMS = RECORDED / "lmms_eval/0.7.3"
STAMP = "2026-11-23T03-46-18.750625"


def copied(case, to):
    shutil.copytree(case, to)
    return to


def names(run):
    return [str(file) for file in run.files]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "toy-org__dummy-v1",
        f"toy-org__dummy-v1/results_{STAMP}.json",
        f"toy-org__dummy-v1/samples_toy_mc_{STAMP}.jsonl",
    ],
)
def test_the_same_run_is_found_wherever_one_points_into_its_folder(tmp_path, inside):
    out = copied(LM / "dummy_in_git", tmp_path / "out")
    (run,) = LmEval().find([out / inside])
    (whole,) = LmEval().find([tmp_path])
    assert run == whole
    assert run.root == out
    assert run.results == PurePosixPath(f"toy-org__dummy-v1/results_{STAMP}.json")


@pytest.mark.parametrize(
    "case", [LM / "dummy_in_git", LM / "json_output_path", LMMS / "dummy_group", LMMS / "two_tasks"]
)
def test_equal_outputs_in_other_places_have_equal_paths(tmp_path, case):
    ((_, here),) = table.by_files([copied(case, tmp_path / "a")])
    ((_, there),) = table.by_files([copied(case, tmp_path / "deep/er/b")])
    assert here.files == there.files
    assert here.key == there.key


@pytest.mark.parametrize(
    "case", [LM / "dummy_in_git", LM / "json_output_path", LMMS / "dummy_group", LMMS / "two_tasks"]
)
def test_every_path_of_a_run_is_a_file_under_its_root(case):
    ((_, run),) = table.by_files([case])
    assert all((run.root / file).is_file() for file in run.files)
    assert all(".." not in file.parts for file in run.files)


def test_files_that_were_moved_out_of_the_model_folder_start_at_their_folder(tmp_path):
    moved = copied(LM / "dummy_in_git/toy-org__dummy-v1", tmp_path / "march")
    (run,) = LmEval().find([moved])
    assert run.root == moved
    assert run.results == PurePosixPath(f"results_{STAMP}.json")


def test_a_hidden_model_folder_is_searched():
    (run,) = LmEval().find([LM / "hf_chat_hidden_folder"])
    assert names(run)[0].startswith("..__..__models__tiny-gpt2/")


def test_a_relative_place_is_found_as_it_is_spelled(tmp_path, monkeypatch):
    copied(LM / "dummy_in_git", tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    (run,) = LmEval().find([Path("out")])
    assert run.root == Path("out")
    monkeypatch.chdir(tmp_path / "out/toy-org__dummy-v1")
    (inside,) = LmEval().find([Path()])
    assert inside.files == run.files
    assert all((inside.root / file).is_file() for file in inside.files)


def test_an_output_path_that_ends_in_json_finds_its_own_runs_only(tmp_path):
    copied(LM / "json_output_path", tmp_path / "out")
    mine = tmp_path / "out/myresult_2026-11-23T03-20-45.075576.json"
    shutil.copy(mine, tmp_path / "out/other_2026-11-24T00-00-00.json")
    (run,) = LmEval().find([tmp_path / "out/myresult.json"])
    assert names(run) == [mine.name]
    assert LmEval().find([tmp_path / "out/nothing.json"]) == []


def test_a_json_output_path_takes_the_samples_beside_it(tmp_path):
    out = copied(LM / "json_output_path", tmp_path / "out")
    (out / "samples_toy_mc_2026-11-23T03-20-45.075576.jsonl").write_text("")
    (out / "samples_toy_mc_2026-11-25T03-20-45.jsonl").write_text("")
    runs = LmEval().find([out / "myresult.json"])
    assert [run.key for run in runs] == ["2026-11-23T03-20-45.075576", "2026-11-25T03-20-45"]
    assert [len(run.samples) for run in runs] == [1, 1]
    assert runs[1].results is None


def test_a_json_results_file_that_was_cut_short_is_found(tmp_path):
    out = copied(LM / "json_output_path", tmp_path / "out")
    (file,) = out.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert len(LmEval().find([out])) == 1
    file.write_bytes(b"")
    assert LmEval().find([out]) == []
    assert len(LmEval().find([out / "myresult.json"])) == 1


def test_a_results_file_that_was_renamed_is_a_run_when_it_is_named(tmp_path):
    file = tmp_path / "mine.json"
    shutil.copy(LM / f"dummy_in_git/toy-org__dummy-v1/results_{STAMP}.json", file)
    assert LmEval().find([tmp_path]) == []
    (run,) = LmEval().find([file])
    assert (run.key, run.results, run.root) == ("mine", PurePosixPath("mine.json"), tmp_path)


def test_runs_in_one_folder_are_told_apart_by_their_time_and_ordered(tmp_path):
    out = copied(LM / "dummy_in_git", tmp_path / "out") / "toy-org__dummy-v1"
    for file in list(out.iterdir()):
        shutil.copy(file, out / file.name.replace(STAMP, "2026-11-23T03-46-18"))
        shutil.copy(file, out / file.name.replace(STAMP, "2025-01-01T00-00-00.000001"))
    runs = LmEval().find([tmp_path, out, tmp_path / "out"])
    assert [run.key for run in runs] == ["2025-01-01T00-00-00.000001", "2026-11-23T03-46-18", STAMP]
    assert [len(run.files) for run in runs] == [4, 4, 4]


def test_runs_of_all_harnesses_are_found_oldest_first(tmp_path):
    copied(LM / "json_output_path", tmp_path / "one")
    copied(LMMS / "two_tasks", tmp_path / "two")
    copied(LMMS / "repeats", tmp_path / "three")
    assert [(harness.name, run.key) for harness, run in table.by_files([tmp_path])] == [
        ("lm_eval", "2026-11-23T03-20-45.075576"),
        ("lmms_eval", "20261123_033136"),
        ("lmms_eval", "20261123_112958"),
    ]


def test_files_that_bear_the_stamp_of_a_run_belong_to_it(tmp_path):
    out = copied(LMMS / "two_tasks", tmp_path / "out") / "toy-org__colour-namer"
    (out / "20261123_112958_submission.csv").write_text("a")
    (out / "20261123_112959_submission.csv").write_text("a")
    (out / "notes.txt").write_text("a")
    (run,) = LmmsEval().find([tmp_path])
    assert run.others == (PurePosixPath("toy-org__colour-namer/20261123_112958_submission.csv"),)


def test_files_of_other_programs_are_passed_over(tmp_path):
    (tmp_path / "results_2026-11-23T03-46-18.750625.json").write_text('{"config_general": {}, "results": {}}')
    (tmp_path / "model_2026-11-23T03-46-18.json").write_text('{"results": {}, "other": 1}')
    (tmp_path / "picture_2026-11-23T03-46-18.json").write_bytes(b"\x00\x01")
    (tmp_path / "20261123_033136_results.json").write_text('{"results": [1]}')
    (tmp_path / "20261123_033136_notes.txt").write_text("x")
    (tmp_path / "results.json").write_text("{}")
    assert table.by_files([tmp_path]) == []


def test_links_to_folders_and_files_are_not_followed(tmp_path):
    outside = copied(LM / "dummy_in_git", tmp_path / "outside")
    place = tmp_path / "place"
    place.mkdir()
    (place / "folder").symlink_to(outside)
    (place / "loop").symlink_to(place)
    (place / f"results_{STAMP}.json").symlink_to(outside / f"toy-org__dummy-v1/results_{STAMP}.json")
    assert table.by_files([place]) == []
    assert len(table.by_files([place / "folder"])) == 1


def test_a_file_that_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / f"results_{STAMP}.json")
    os.mkfifo(tmp_path / "20261123_033136_results.json")
    assert table.by_files([tmp_path]) == []


def test_a_folder_that_cannot_be_read_holds_no_run(tmp_path, monkeypatch):
    out = copied(LM / "dummy_in_git", tmp_path / "out")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    # The superuser, as whom tests may run, is refused no real folder.
    monkeypatch.setattr(os, "scandir", refused)

    assert table.by_files([out, out / "toy-org__dummy-v1"]) == []


def test_a_harness_is_found_by_its_name():
    assert [table.by_name(name).name for name in ("lm_eval", "lmms_eval", "script")] == [
        "lm_eval",
        "lmms_eval",
        "script",
    ]
    assert table.by_name("helm") is None
    assert table.by_name(None) is None
    assert table.by_name("script").find([LM]) == []


def test_a_script_starts_its_paths_at_the_folder_above_all_its_files(tmp_path):
    for name in ("out/r.json", "out/a/s.jsonl", "out/b/s.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    files = [tmp_path / name for name in ("out/a/s.jsonl", "out/b/s.jsonl", "out/b/missing.jsonl")]
    (run,) = Script(tmp_path / "out/r.json", files).find([])
    assert run.root == tmp_path / "out"
    assert names(run) == ["a/s.jsonl", "b/s.jsonl", "r.json"]


def test_a_script_takes_its_files_from_the_places_that_spell_them_out(tmp_path):
    (tmp_path / "r.json").write_text("{}")
    script = Script(Path("r.json"))
    assert script.find([]) == []
    (run,) = script.find([tmp_path / "r.json"])
    assert run.root == tmp_path


def test_a_script_whose_paths_lead_upwards_is_found(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/r.json").write_text("{}")
    (tmp_path / "work/s.jsonl").write_text("")
    monkeypatch.chdir(tmp_path / "work")
    (run,) = Script(Path("../out/r.json"), [Path("s.jsonl")]).find([])
    assert names(run) == ["out/r.json", "work/s.jsonl"]
    assert all((run.root / file).is_file() for file in run.files)
