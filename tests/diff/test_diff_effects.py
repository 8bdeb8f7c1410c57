"""How likely a change of the set-up moves a score, and why."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.environment import Package
from reprokit.diff.difference import EFFECTS, Asked
from reprokit.diff.setup import comparing
from reprokit.diff.setup.area_rules import AREA_RULES, DEFAULTS
from reprokit.diff.setup.effects import judge
from reprokit.diff.setup.facts import AREAS
from reprokit.diff.setup.keyed_values import CONTAINERS
from reprokit.diff.setup.setting_rules import SETTING_RULES
from reprokit.diff.setup.variable_rules import VARIABLE_RULES
from reprokit.diff.tasks import pair_tasks

REST = "the rest of the area"
TREE, OTHER = "1" * 40, "2" * 40

# One line for each rule and each default: area, fact, before, after, effect, rule.
EXAMPLES = [
    ("run", "complete", True, False, "likely", REST),
    ("run", "exit code", 0, 1, "likely", REST),
    ("invocation", "program", "lm_eval", "uv", "possible", "launching program"),
    ("invocation", "program", "lm_eval", "lmms_eval", "likely", "program"),
    ("invocation", "argument 1", "evaluate.py", "evaluate2.py", "likely", "argument"),
    ("invocation", "--config", "a.yaml", "b.yaml", "possible", "file of options"),
    ("invocation", "--frobnicate", "1", "2", "possible", REST),
    ("inputs", "data.jsonl", TREE, OTHER, "likely", REST),
    ("working directory", "path", "/a", "/b", "possible", REST),
    ("launcher", "WORLD_SIZE", "1", "8", "possible", "number of processes"),
    ("launcher", "SLURM_JOB_NUM_NODES", "1", "2", "possible", "number of processes"),
    ("launcher", "ACCELERATE_MIXED_PRECISION", "no", "bf16", "likely", "launcher's precision"),
    ("launcher", "SLURM_ARRAY_TASK_ID", "1", "2", "possible", "array index"),
    ("launcher", "SLURM_JOB_PARTITION", "short", "long", "unlikely", REST),
    ("environment variables", "TRANSFORMERS_VERBOSITY", "info", "error", "unlikely", "talk"),
    ("environment variables", "CUDA_VISIBLE_DEVICES", "0,1", "2,3", "unlikely", "other devices"),
    ("environment variables", "CUDA_VISIBLE_DEVICES", "0", "0,1", "possible", "devices"),
    ("environment variables", "CUDA_VISIBLE_DEVICES", "0", "", "possible", "devices"),
    ("environment variables", "CUDA_VISIBLE_DEVICES", None, "0", "possible", "devices"),
    ("environment variables", "VLLM_KV_CACHE_DTYPE", "auto", "fp8", "likely", "precision of a variable"),
    ("environment variables", "CUBLAS_WORKSPACE_CONFIG", None, ":4096:8", "possible", "choice of kernels"),
    ("environment variables", "VLLM_BATCH_INVARIANT", None, "1", "possible", "choice of kernels"),
    ("environment variables", "OMP_NUM_THREADS", "1", "8", "unlikely", "threads of libraries"),
    ("environment variables", "TOKENIZERS_PARALLELISM", "true", "false", "unlikely", "threads of libraries"),
    ("environment variables", "PYTORCH_CUDA_ALLOC_CONF", None, "x", "unlikely", "memory of devices"),
    ("environment variables", "PYTHONHASHSEED", "0", "1", "possible", "seed in a variable"),
    ("environment variables", "OPENAI_BASE_URL", "http://a", "http://b", "possible", "address of a service"),
    ("environment variables", "OPENAI_API_KEY", None, "<secret OPENAI_API_KEY>", "unlikely", "credentials in a variable"),
    ("environment variables", "HF_TOKEN", None, "<secret HF_TOKEN>", "unlikely", "credentials in a variable"),
    ("environment variables", "HF_ALLOW_CODE_EVAL", None, "1", "possible", "code to run"),
    ("environment variables", "HF_HUB_OFFLINE", "0", "1", "unlikely", "hub"),
    ("environment variables", "PYTHONPATH", "a", "b", "possible", "search paths"),
    ("environment variables", "TZ", "UTC", "Asia/Singapore", "unlikely", "words and dates"),
    ("environment variables", "PYTHONNOUSERSITE", None, "1", "unlikely", "interpreter switches"),
    ("environment variables", "LMMS_EVAL_X", None, "1", "possible", REST),
    ("environment variables", "VLLM_USE_V2", None, "1", "possible", "choice of kernels"),
    ("determinism", "PYTHONHASHSEED", "0", "1", "possible", "seed in a variable"),
    ("determinism", "RANK", "0", "1", "possible", REST),
    ("harness", "version", "0.4.12", "0.4.13", "likely", "harness version"),
    ("harness", "field response", "answer", "text", "likely", "samples' members"),
    ("harness", "name", "lm_eval", "lmms_eval", "likely", REST),
    ("claims", "lm_eval_version", "0.4.12", "0.4.13", "likely", "claimed harness version"),
    ("claims", "transformers_version", "4.1", "5.0", "possible", "claimed version"),
    ("claims", "pretty_env_info", "CUDA 12", "CUDA 13", "possible", "environment in words"),
    ("claims", "git_branch", "main", "dev", "unlikely", "branch"),
    ("claims", "git_hash", "abc", "def", "likely", "revision"),
    ("claims", "status", "success", "error", "likely", "outcome"),
    ("claims", "remark", "x", "y", "possible", REST),
    ("tasks", "toy", "evaluated", None, "likely", REST),
    ("tasks", "toy, shots", 0, 5, "likely", "shots of a task"),
    ("tasks", "toy, version", "1", "2", "likely", "version of a task"),
    ("tasks", "toy, samples available", 10, 12, "likely", "items of a task"),
    ("tasks", "toy, definition task_alias", "a", "b", "unlikely", "names of a task"),
    ("tasks", "toy, definition metric_list.0.higher_is_better", True, False, "unlikely", "metric's direction"),
    ("tasks", "toy, definition doc_to_text", "Q: {{q}}", "{{q}}", "likely", "prompt"),
    ("tasks", "toy, definition doc_to_target", "a", "b", "likely", "scoring"),
    ("tasks", "toy, definition filter_list.0.filter.1.regex_pattern", "a", "b", "likely", "answer extraction"),
    ("tasks", "toy, definition metric_list.0.aggregation", "mean", "median", "likely", "scoring"),
    ("tasks", "toy, definition dataset_path", "a", "b", "likely", "data"),
    ("tasks", "toy, definition dataset_kwargs.revision", TREE, OTHER, "likely", "revision"),
    ("tasks", "toy, definition test_split", "test", "validation", "likely", "which samples"),
    ("tasks", "toy, definition generation_kwargs.until", ["\n"], ["."], "likely", "answer length"),
    ("tasks", "toy, definition metadata.dtype", "float32", "bfloat16", "likely", "precision"),
    ("tasks", "toy, definition lmms_eval_specific_kwargs.default.post_prompt", "", "Answer.", "likely", "prompt"),
    ("models", "m, file README.md", TREE, OTHER, "unlikely", "text for people"),
    ("models", "m, file tokenizer.json", TREE, OTHER, "likely", "template or tokenizer file"),
    ("models", "m, file modeling_toy.py", TREE, OTHER, "likely", "code of a model"),
    ("models", "m, file model.safetensors", TREE, OTHER, "likely", "file of a model"),
    ("models", "m, chat template of tokenizer_config.json", TREE, OTHER, "likely", "prompt text"),
    ("models", "m, server version", "0.11.0", "0.12.0", "possible", "server"),
    ("models", "m, model_dtype", "torch.float32", "torch.bfloat16", "likely", "precision"),
    ("models", "m", TREE, OTHER, "likely", REST),
    ("datasets", "d", TREE, OTHER, "likely", REST),
    ("datasets", "d, test_split", "test", "validation", "likely", "which samples"),
    ("source", "my-evals, tree", TREE, OTHER, "likely", "tree"),
    ("source", "my-evals, submodules.x", TREE, OTHER, "likely", "submodule"),
    ("source", "my-evals, changed during the run", None, True, "possible", "unsteady tree"),
    ("source", "my-evals, left out big.bin", None, "too large", "possible", "untracked"),
    ("source", "my-evals, commit", TREE, OTHER, "unlikely", "name of a tree"),
    ("source", "my-evals, dirty", True, False, "possible", "uncommitted"),
    ("source", "my-evals, commit", "a" * 40, "b" * 40, "unlikely", "name of a tree"),
    ("source", "my-evals, something new", 1, 2, "possible", REST),
    ("packages", "lm-eval", "0.4.12", "0.4.13", "likely", "harness package"),
    ("packages", "vllm", "0.11.0", "0.12.0", "likely", "engine package"),
    ("packages", "vllm", "0.11.0", "0.11.1", "possible", "engine package, patch release"),
    ("packages", "transformers", "4.57.1", "5.0.0", "likely", "model code package"),
    ("packages", "transformers", "4.57.1", "4.57.2", "possible", "model code package, patch release"),
    ("packages", "sacrebleu", "2.4.0", "2.5.0", "likely", "metric package"),
    ("packages", "nltk", "3.9.1", "3.9.2", "possible", "metric package, patch release"),
    ("packages", "bitsandbytes", "0.44.0", "0.44.1", "possible", "quantisation package"),
    ("packages", "tokenizers", "0.21.0", "0.22.0", "possible", "tokens package"),
    ("packages", "tokenizers", "0.22.0", "0.22.1", "unlikely", "tokens package, patch release"),
    ("packages", "torch", "2.8.0", "2.9.0", "possible", "arithmetic package"),
    ("packages", "torch", "2.9.0+cpu", "2.9.0+cu126", "possible", "arithmetic package"),
    ("packages", "torch", "2.9.0", "2.9.1", "unlikely", "arithmetic package, patch release"),
    ("packages", "torch, files", TREE, OTHER, "possible", "arithmetic package"),
    ("packages", "flash-attn (2)", None, "2.8.0", "possible", "arithmetic package"),
    ("packages", "datasets", "3.6.0", "4.0.0", "possible", "data package"),
    ("packages", "datasets", "4.0.0", "4.0.1", "unlikely", "data package, patch release"),
    ("packages", "pillow", "11.0", "12.0", "possible", "media package"),
    ("packages", "pillow", "12.0", "12.0.1", "unlikely", "media package, patch release"),
    ("packages", "openai", "1.99.0", "2.0.0", "possible", "interface package"),
    ("packages", "openai", "2.0.0", "2.0.1", "unlikely", "interface package, patch release"),
    ("packages", "matplotlib", "3.9.0", "4.0.0", "unlikely", "bystander package"),
    ("packages", "my-plugin", "1.0", "2.0", "possible", "other package"),
    ("packages", "my-plugin", "1.0.0", "1.0.1", "unlikely", "other package, patch release"),
    ("packages", "my-plugin", "no version", "1.0.1", "possible", "other package"),
    ("python", "version", "3.11.7", "3.11.9", "unlikely", "python, patch release"),
    ("python", "version", "3.11.7", "3.12.1", "possible", "python"),
    ("python", "build", "a", "b", "unlikely", REST),
    ("modules", "answers", None, "/x/answers.py", "possible", REST),
    ("loaded from cache", "models m", TREE, OTHER, "likely", REST),
    ("torch", "initial_seed", 1, 2, "possible", "torch seed"),
    ("torch", "threads", 1, 2, "unlikely", "torch threads"),
    ("torch", "cuda", "12.6", "12.8", "possible", REST),
    ("torch", "cudnn_benchmark", True, False, "possible", REST),
    ("platform", "machine", "x86_64", "aarch64", "possible", "kind of machine"),
    ("platform", "kernel", "6.1", "6.2", "unlikely", REST),
    ("platform", "libc", "glibc 2.36", "glibc 2.39", "unlikely", REST),
    ("hardware", "gpus.0.name", "A100", "H100", "possible", "GPU"),
    ("hardware", "gpus.1.index", None, "1", "possible", "GPU"),
    ("hardware", "cpu", "Toy CPU", "Other CPU", "possible", "processor"),
    ("hardware", "gpus.0.driver", "550", "560", "unlikely", "driver"),
    ("hardware", "memory_bytes", 1, 2, "unlikely", REST),
    ("container", "imageid", "1", "2", "possible", "image"),
    ("container", "engine", "docker", "podman", "unlikely", REST),
    # Settings, as options, as claims, and as fields of a task.
    ("invocation", "--log_samples", None, True, "unlikely", "reporting"),
    ("claims", "config.bootstrap_iters", 100000, 1000, "unlikely", "error bars"),
    ("claims", "config.model_args.auth_token", "x", "y", "unlikely", "credentials"),
    ("claims", "config.model_args.gpu_memory_utilization", "0.8", "0.9", "unlikely", "memory"),
    ("claims", "config.process_docs_parallel", 4, 8, "unlikely", "workers"),
    ("claims", "config.model_args.load_in_4bit", None, "True", "likely", "precision"),
    ("claims", "config.model_args.revision", "main", "v2", "likely", "revision"),
    ("claims", "config.model_args.tokenizer", "a", "b", "likely", "tokenizer"),
    ("claims", "config.model_args.enable_thinking", "True", "False", "likely", "thinking"),
    ("claims", "config.model_backend", "simple", "chat", "likely", "engine"),
    ("invocation", "--model", "hf", "vllm", "likely", "choice of engine"),
    ("invocation", "--model", "hf", "dummy", "likely", "model"),
    ("invocation", "--model", None, "hf", "likely", "model"),
    ("claims", "results.toy.alias", "toy", "Toy", "unlikely", "names in results"),
    ("claims", "config.model_args.pretrained", "a", "b", "likely", "model"),
    ("claims", "config.model_args.frobnicate", "a", "b", "likely", "model arguments"),
    ("claims", "config.fewshot_seed", 1, 2, "possible", "few-shot seed"),
    ("invocation", "--num_fewshot", "0", "5", "likely", "shots"),
    ("claims", "n-shot.toy", 0, 5, "likely", "shots"),
    ("invocation", "--apply_chat_template", None, True, "likely", "prompt"),
    ("claims", "system_instruction", None, "Be brief.", "likely", "prompt"),
    ("claims", "config.model_args.max_pixels", "1", "2", "likely", "media"),
    ("claims", "max_length", 2048, 4096, "possible", "context length"),
    ("invocation", "--limit", "4", "5", "likely", "which samples"),
    ("claims", "config.offset", 0, 1, "likely", "which samples"),
    ("invocation", "--tasks", "a", "b", "likely", "tasks"),
    ("invocation", "--data", "a.jsonl", "b.jsonl", "likely", "data"),
    ("invocation", "--include_path", "a", "b", "possible", "task folder"),
    ("claims", "config.metadata", "a", "b", "possible", "metadata"),
    ("claims", "versions.toy", 1.0, 2.0, "likely", "version"),
    ("claims", "config.gen_kwargs.max_gen_toks", 8, 16, "likely", "answer length"),
    ("claims", "plan.config.temperature", 0.0, 0.7, "likely", "decoding"),
    ("invocation", "--repeats", "1", "3", "possible", "repeats"),
    ("invocation", "--seed", "1", "2", "possible", "seed"),
    ("claims", "config.torch_seed", 1, 2, "possible", "seed"),
    ("invocation", "--reasoning_tags", "a", "b", "likely", "answer extraction"),
    ("invocation", "--predict_only", None, True, "likely", "scoring"),
    ("invocation", "--judge-model", "a", "b", "likely", "judge"),
    ("invocation", "--confirm_run_unsafe_code", None, True, "possible", "code execution"),
    ("claims", "fields.response", "a", "b", "likely", "members"),
    ("invocation", "--batch_size", "1", "8", "possible", "batch size"),
    ("claims", "config.batch_sizes", [], [8], "possible", "batch size"),
    ("claims", "config.model_args.tensor_parallel_size", "1", "4", "possible", "parallelism"),
    ("claims", "config.model_args.attn_implementation", "eager", "sdpa", "possible", "kernels"),
    ("invocation", "--device", "cpu", "cuda:0", "possible", "device"),
    ("invocation", "--use_cache", None, "cache", "possible", "saved answers"),
    ("claims", "config.model_args.base_url", "http://a", "http://b", "possible", "endpoint"),
    ("claims", "config.model_args.timeout", "30", "300", "possible", "patience"),
    ("invocation", "--trust_remote_code", None, True, "possible", "remote code"),
]  # fmt: skip

RULES = [*AREA_RULES, *SETTING_RULES]
NAMES = {rule.why: rule.name for rule in RULES}


def set_ups(a, b):
    return comparing.compare_set_ups(a, b, pair_tasks(a, b, Asked()))


@pytest.mark.parametrize(("area", "name", "before", "after", "effect", "rule"), EXAMPLES)
def test_a_change_has_the_effect_that_its_rule_says(area, name, before, after, effect, rule):
    found = judge(area, name, before, after)

    assert (found.effect, NAMES.get(found.why, REST)) == (effect, rule)
    assert judge(area, name, after, before)[:2] == found[:2]


def test_every_rule_decides_an_example():
    decided = {rule for *_, rule in EXAMPLES}

    assert {rule.name for rule in RULES} - decided == set()
    assert set(AREAS) == {area for area, *_, rule in EXAMPLES if rule == REST} | {"packages", "claims", "invocation"}


def test_every_area_has_an_effect_and_a_reason_for_the_rest_of_it():
    assert DEFAULTS.keys() == set(AREAS)
    assert {rule.area for rule in AREA_RULES} <= set(AREAS)


def test_names_and_reasons_are_told_once_and_are_never_empty():
    written = [rule for rule in RULES if rule.area != "determinism"]
    for told in (
        [rule.name for rule in written],
        [*(rule.why for rule in written), *(why for _, why in DEFAULTS.values())],
    ):
        assert [text for text, count in Counter(told).items() if count > 1 or not text.strip()] == []
    assert [rule.name for rule in RULES if rule.area == "determinism"] == [rule.name for rule in VARIABLE_RULES]


def test_a_setting_that_holds_others_has_a_rule_of_its_own():
    assert {name for name in CONTAINERS if judge("invocation", f"--{name}", "?", "!").why in NAMES} == CONTAINERS


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.text("abc=,.0123456789{}", max_size=9),
    st.just("1.2.3"),
    st.just("1.2.4"),
    st.lists(st.text("a=1,", max_size=3), max_size=2),
    st.dictionaries(st.sampled_from(["dtype", "x"]), st.lists(st.none(), max_size=1), max_size=2),
)
FACTS = st.sampled_from(sorted({(area, name) for area, name, *_ in EXAMPLES} | {("unheard of", "x")})) | st.tuples(
    st.sampled_from(AREAS), st.text(max_size=12)
)


@given(fact=FACTS, before=VALUES, after=VALUES)
def test_swapping_the_sides_keeps_the_effect_and_the_reason(fact, before, after):
    there, back = judge(*fact, before, after), judge(*fact, after, before)

    assert there.effect in EFFECTS
    assert there.why
    assert there[:2] == back[:2]


# --- several settings in one value -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "effect", "note"),
    [
        ("pretrained=a,dtype=float32", "pretrained=a,dtype=bfloat16", "likely", "dtype: float32 → bfloat16"),
        ("a=1,gpu_memory_utilization=0.8", "a=1", "unlikely", "gpu_memory_utilization: 0.8 → absent"),
        ("batch_size=1,max_memory=1", "batch_size=2,max_memory=2", "possible", "batch_size: 1 → 2; max_memory: 1 → 2"),
        ('{"dtype": "float32"}', "dtype=float16", "likely", "dtype: float32 → float16"),
        (["a=1", "batch_size=2"], "a=1,batch_size=3", "possible", "batch_size: 2 → 3"),
        (f"batch_size={'1' * 60}", "batch_size=2", "possible", "batch_size"),
        ("a=1,batch_size=2", "batch_size=2,a=1", "unlikely", None),
        ("a=[1,b=2]", "a=[1,b=3]", "likely", None),
        ("a=1,a=2", "a=1", "likely", None),
        (None, "frobnicate=1", "likely", "frobnicate: absent → 1"),
    ],
)
def test_a_list_of_settings_is_judged_by_those_that_changed(before, after, effect, note):
    assert judge("invocation", "--model_args", before, after)[::2] == (effect, note)


def test_decoding_options_are_judged_by_those_that_changed():
    found = judge("invocation", "--gen_kwargs", "temperature=0,seed=1", "temperature=0,seed=2")

    assert (found.effect, found.note) == ("possible", "seed: 1 → 2")


# --- the order ---------------------------------------------------------------------------------------------------------


def test_the_most_likely_comes_first_then_the_areas_in_their_order(make):
    a = make.side(record=make.record(["lm_eval", "--verbosity", "INFO", "--batch_size", "1", "--limit", "1"]))
    packages = [Package(name="lm_eval", version="0.4.14"), Package(name="torch", version="2.13.1")]
    b = make.side(
        record=make.record(["lm_eval", "--verbosity", "DEBUG", "--batch_size", "2", "--limit", "2"]),
        environment=make.environment(packages=packages),
    )

    found = set_ups(a, b).whole.changes

    assert [(c.effect, c.area, c.name) for c in found] == [
        ("likely", "invocation", "--limit"),
        ("likely", "packages", "lm-eval"),
        ("possible", "invocation", "--batch_size"),
        ("unlikely", "invocation", "--verbosity"),
        ("unlikely", "packages", "torch"),
    ]
    assert all(c.why for c in found)
