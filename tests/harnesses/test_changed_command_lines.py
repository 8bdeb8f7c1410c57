"""A command line as the harness reads it, and as it is changed for a re-run."""

import json

import pytest

from reprokit.bundle.values import Unknown
from reprokit.harnesses.command_lines.lm_eval import OPTIONS
from reprokit.harnesses.command_lines.options import read, spread
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.script import Script

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
REVISIONS = {"org/m": COMMIT, "org/tok": OTHER, "org/data": COMMIT}


def pinned(*words, harness=None):
    done = (harness or LmEval()).pinned(words, REVISIONS)
    return list(done.argv), set(done.names)


def given(*words):
    return [(each.name, [value.text for value in each.values]) for each in read(("lm_eval", *words), 0, OPTIONS)]


def test_options_are_read_as_argparse_reads_them():
    assert given("run", "--model=hf", "-L5", "-o", "out", "--tasks", "a", "b", "--seed", "-1", "-s") == [
        ("model", ["hf"]), ("limit", ["5"]), ("output_path", ["out"]), ("tasks", ["a", "b"]), ("seed", ["-1"]),
        ("log_samples", []),
    ]  # fmt: skip


def test_a_long_option_may_be_shortened_and_an_ambiguous_one_is_none():
    assert given("--pred", "--use", "c") == [("predict_only", []), ("use_cache", ["c"])]
    assert given("--wandb", "x", "--m", "y") == []


def test_an_option_with_a_value_that_may_be_missing_takes_no_option_for_it():
    assert given("--apply_chat_template", "--limit", "2", "--apply_chat_template", "tool") == [
        ("apply_chat_template", []), ("limit", ["2"]), ("apply_chat_template", ["tool"]),
    ]  # fmt: skip


def test_letters_that_share_a_word_are_taken_apart():
    assert spread(("python", "lm_eval", "-sxc", "PATH", "-L5"), 1, OPTIONS) == (
        "python", "lm_eval", "-s", "-x", "-c", "PATH", "-L5",
    )  # fmt: skip


# --- revisions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (["pretrained=org/m"], [f"pretrained=org/m,revision={COMMIT}"]),
        (["pretrained=org/m,revision=main,dtype=auto"], [f"pretrained=org/m,revision={COMMIT},dtype=auto"]),
        (["pretrained=org/m", "revision=v1", "dtype=auto"], ["pretrained=org/m", f"revision={COMMIT}", "dtype=auto"]),
        (["dtype=auto", "pretrained=org/m"], ["dtype=auto", f"pretrained=org/m,revision={COMMIT}"]),
        (
            ['pretrained=org/m,gen={"a": [1,2]},x=1'],
            [f'pretrained=org/m,gen={{"a": [1,2]}},x=1,revision={COMMIT}'],
        ),
    ],
)
def test_an_unpinned_model_of_lm_eval_gets_its_commit(written, expected):
    argv, names = pinned("lm_eval", "--model", "hf", "--model_args", *written, "--limit", "2")
    assert argv == ["lm_eval", "--model", "hf", "--model_args", *expected, "--limit", "2"]
    assert names == {"org/m"}


def test_a_model_named_in_json_gets_its_commit_and_its_secret_stays():
    argv, names = pinned("lm_eval", "-a", '{"pretrained": "org/m", "token": "\0001\000"}')
    assert json.loads(argv[2], strict=False) == {"pretrained": "org/m", "token": "\0001\000", "revision": COMMIT}
    assert "\0001\000" in argv[2]
    assert names == {"org/m"}


def test_a_full_commit_stays_and_counts_when_it_is_the_one():
    same = ["lm_eval", "-a", f"pretrained=org/m,revision={COMMIT}"]
    other = ["lm_eval", "-a", f"pretrained=org/m,revision={OTHER}"]
    assert pinned(*same) == (same, {"org/m"})
    assert pinned(*other) == (other, set())


@pytest.mark.parametrize("also", ["tokenizer=org/tok", "peft=org/adapter", "delta=models/delta"])
def test_a_revision_that_another_repository_would_be_asked_for_is_not_added(also):
    argv = ["lm_eval", "--model", "hf", "--model_args", f"pretrained=org/m,{also}"]
    assert pinned(*argv) == (argv, set())


@pytest.mark.parametrize("also", ["tokenizer=org/m", "tokenizer=./tok", "peft=/abs/adapter", "peft=\0003\000/adapter"])
def test_what_lies_on_this_machine_is_no_other_repository(also):
    argv, names = pinned("lm_eval", "--model_args", f"pretrained=org/m,{also}")
    assert argv[2] == f"pretrained=org/m,{also},revision={COMMIT}"
    assert names == {"org/m"}


def test_vllm_pins_its_tokenizer_apart():
    argv, names = pinned("lm_eval", "--model", "vllm", "--model_args", "pretrained=org/m,tokenizer=org/tok")
    assert argv[4] == f"pretrained=org/m,tokenizer=org/tok,revision={COMMIT},tokenizer_revision={OTHER}"
    assert names == {"org/m", "org/tok"}


def test_of_a_served_model_only_the_tokenizer_is_loaded_here():
    argv, names = pinned("lm_eval", "--model", "local-completions", "--model_args", "model=org/m,tokenizer=org/tok")
    assert argv[4] == f"model=org/m,tokenizer=org/tok,revision={OTHER}"
    assert names == {"org/tok"}


@pytest.mark.parametrize(
    "argv",
    [
        ["lm_eval", "--model", "dummy", "--model_args", "pretrained=org/m"],
        ["lm_eval", "--model", "hf", "--model_args", "pretrained=org/unknown"],
        ["lm_eval", "--config", "run.yaml", "--model_args", "pretrained=org/m"],
        ["lm_eval", "--tasks", "org/data"],
        ["bash", "run.sh", "--model_args", "pretrained=org/m"],
    ],
)
def test_a_model_that_takes_no_revision_or_is_not_known_stays(argv):
    assert pinned(*argv) == (argv, set())


def test_few_models_of_lmms_eval_take_a_revision():
    lmms = LmmsEval()
    argv, names = pinned("lmms_eval", "--model", "llava_hf", "--model_args", "pretrained=org/m", harness=lmms)
    assert argv[4] == f"pretrained=org/m,revision={COMMIT}"
    assert names == {"org/m"}
    other = ["lmms_eval", "--model", "qwen2_5_vl", "--model_args", "pretrained=org/m"]
    assert pinned(*other, harness=lmms) == (other, set())


# --- samples -----------------------------------------------------------------------------------------------------------


def test_lm_eval_is_told_sorted_numbers_instead_of_a_limit():
    told = LmEval().subset(["lm_eval", "-L", "9", "--tasks", "a", "-E", '{"a": [1]}', "-s"], {"a": [5, 2], "b": [0]})
    assert list(told.argv) == ["lm_eval", "--tasks", "a", "--samples", '{"a":[2,5],"b":[0]}', "-s"]
    assert told.samples == {"a": (2, 5), "b": (0,)}


@pytest.mark.parametrize("samples", [{}, {"a": []}, {"a": ["q1"]}, {"a": [-1]}, {"a": range(60_000)}])
def test_lm_eval_cannot_be_told_what_is_no_number_or_too_much(samples):
    assert isinstance(LmEval().subset(["lm_eval"], samples), Unknown)


def test_lmms_eval_takes_a_stretch_that_was_asked_for():
    told = LmmsEval().subset(["lmms_eval", "--limit", "50", "--tasks", "a"], {"a": [4, 3, 5], "b": [3, 4, 5]})
    assert list(told.argv) == ["lmms_eval", "--limit", "3", "--tasks", "a", "--offset", "3"]
    assert told.samples == {"a": (3, 4, 5), "b": (3, 4, 5)}
    assert "cannot choose" not in told.how


def test_lmms_eval_takes_the_first_ones_where_it_cannot_choose():
    told = LmmsEval().subset(["lmms_eval", "--offset", "2"], {"a": [9, 30, 12], "b": [1]})
    assert list(told.argv) == ["lmms_eval", "--offset", "2", "--limit", "3"]
    assert told.samples == {"a": (2, 3, 4), "b": (2, 3, 4)}
    assert "cannot choose" in told.how


def test_a_script_is_not_told():
    assert isinstance(Script().subset(["python", "mine.py"], {"a": [1]}), Unknown)


# --- reports, uploads, caches -------------------------------------------------------------------------------------------


def test_lm_eval_reports_uploads_and_caches_nothing():
    local = LmEval().local(
        ["uv", "run", "lm_eval", "--tasks", "a", "--wandb_args", "project=p", "--wandb_config_args", "k=v", "--trackio_args",
         "project=q", "-c", "/cache/path", "--cache_requests", "--hf_hub_log_args", "push_results_to_hub=True",
         "hub_results_org=o", "-sc", "again", "-o", "out"]
    )  # fmt: skip
    assert local.argv == ("uv", "run", "lm_eval", "--tasks", "a", "-s", "-o", "out")
    assert [line.partition(":")[0] for line in local.dropped] == [
        "`--wandb_args`", "`--wandb_config_args`", "`--trackio_args`", "`--use_cache /cache/path`", "`--cache_requests`",
        "`--hf_hub_log_args`", "`--use_cache again`",
    ]  # fmt: skip


def test_lmms_eval_reports_uploads_and_caches_nothing():
    local = LmmsEval().local(
        ["python", "-m", "lmms_eval", "--wandb_args=project=p", "--wandb_log_samples", "--swanlab_args", "x=y",
         "--swanlab_log_samples", "--use_cache", "c", "--cache_requests", "true", "--hf_hub_log_args", "token=\0000\000",
         "--log_samples", "--baseline", "preset"]
    )  # fmt: skip
    assert local.argv == ("python", "-m", "lmms_eval", "--log_samples", "--baseline", "preset")
    assert len(local.dropped) == 7


def test_an_output_place_given_with_the_upload_stays_an_output_place():
    argv = ["lm_eval", "--hf_hub_log_args", "hub_results_org=o,output_path=out"]
    (output,) = LmEval().outputs(argv)
    assert argv[output.argument] == output.prefix + output.path
    assert output.path == "out"
    assert LmEval().local(argv).argv == ("lm_eval", "--output_path", "out")
    (other,) = LmmsEval().outputs(["lmms_eval", "--hf_hub_log_args", "output_path=out,token=x"])
    assert (other.path, other.argument) == ("out", None)
    assert LmEval().local([*argv, "-o", "real"]).argv == ("lm_eval", "-o", "real")


def test_a_file_of_settings_is_named_because_it_may_ask_for_more():
    assert LmEval().local(["lm_eval", "-C", "run.yaml"]).unseen == ("run.yaml",)
    assert LmmsEval().local(["lmms_eval", "--config", "run.yaml"]).unseen == ("run.yaml",)


def test_what_starts_no_harness_stays_as_it_is():
    argv = ("bash", "run.sh", "--use_cache", "x")
    assert LmEval().local(argv).argv == argv
    assert LmmsEval().pinned(argv, REVISIONS).argv == argv
    assert isinstance(LmmsEval().subset(argv, {"a": [1]}), Unknown)
