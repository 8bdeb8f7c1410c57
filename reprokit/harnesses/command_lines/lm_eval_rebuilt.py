"""The command line of an lm-eval run, from its results file, which does not hold it.

`config` holds what the model was made with, `configs` the tasks as they were resolved. What follows from them is
written down; what does not, and may have mattered, is told. Options at their default are left out.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from reprokit.bundle.values import Json, Unknown
from reprokit.harnesses.command_lines.model_arguments import spelled
from reprokit.harnesses.command_lines.options import words
from reprokit.harnesses.command_lines.quoting import quoted
from reprokit.harnesses.interface import Rebuilt
from reprokit.harnesses.metric_table import is_count, is_table
from reprokit.harnesses.task_tables import table

# fmt: off
_OWN_MODELS = frozenset({
    "anthropic-chat", "anthropic-chat-completions", "anthropic-completions", "dummy", "ggml", "gguf", "habana", "hf",
    "hf-audiolm-qwen", "hf-auto", "hf-mistral3", "hf-multimodal", "huggingface", "ipex", "litellm", "litellm-chat",
    "litellm-chat-completions", "local-chat-completions", "local-completions", "mamba_ssm", "megatron_lm", "nemo_lm",
    "neuronx", "onnxruntime", "onnxruntime-genai", "openai-chat-completions", "openai-completions", "openvino",
    "sglang", "sglang-generate", "steered", "textsynth", "trtllm", "vllm", "vllm-vlm", "watsonx_llm", "winml",
})
# fmt: on
SEEDS = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
_USUAL_SEEDS = ("0", "1234", "1234", "1234")
_USUAL_DEVICE = "cuda:0"
_BOOTSTRAPS = 100_000
_OWN_TASKS = re.compile(r"(^|/)lm_eval/tasks/")
_OUTPUTS = "results"


def rebuilt(document: dict[str, Json], saved: Mapping[str, Sequence[int]]) -> Rebuilt | Unknown:
    """Rebuild the command line.

    Args:
        document: the results file.
        saved: the numbers of the documents whose samples were saved, by task.
    """
    config, configs = table(document, "config"), table(document, "configs")
    model = config.get("model")
    if not isinstance(model, str) or not model:
        return Unknown(unknown="its results do not say which model was evaluated")
    if not configs:
        return Unknown(unknown="its results name no tasks")
    argv = [
        "lm_eval",
        *words("model", model),
        *_table("model_args", config.get("model_args")),
        *words("tasks", ",".join(_tasks(document))),
        *_folder_of_tasks(configs),
        *_shots(document),
        *_of_model(config),
        *_prompts(document),
        *_extent(document, saved),
        *_table("metadata", _metadata(config, configs)),
        *("--output_path", _OUTPUTS),
        *(["--log_samples"] if saved or table(document, "task_hashes") else []),
        *(["--predict_only"] if _only_predicts(configs) else []),
        *(["--confirm_run_unsafe_code"] if any(table(configs, name).get("unsafe_code") for name in configs) else []),
    ]
    # No file of a harness may fill in a secret of its own choice.
    argv = [word.replace("\0", "\N{REPLACEMENT CHARACTER}") for word in argv]
    return Rebuilt(argv=tuple(argv), lost=tuple(_lost(document, config, configs)))


def _table(name: str, value: Json) -> list[str]:
    if isinstance(value, str) and value:
        return words(name, value)
    return words(name, spelled(value)) if isinstance(value, dict) and is_table(value) and value else []


def _tasks(document: dict[str, Json]) -> list[str]:
    """Name the tasks in the order they were evaluated, a group in the place of the first task in it."""
    groups = {
        name: [member for member in members if isinstance(member, str)]
        for name, members in table(document, "group_subtasks").items()
        if isinstance(members, list) and members
    }
    configs = table(document, "configs")
    above = {member: name for name, members in groups.items() for member in members}
    named: list[str] = []
    for task in dict.fromkeys([*(name for name in table(document, "n-samples") if name in configs), *configs]):
        name, seen = task, {task}
        while name in above and above[name] not in seen:
            name = above[name]
            seen.add(name)
        named.append(name)
    return list(dict.fromkeys(named))


def _sources(configs: dict[str, Json]) -> list[str]:
    """List where definitions lay that are not lm-eval's own, as lm-eval says."""
    said = [table(table(configs, name), "metadata").get("config_source") for name in configs]
    return [path for path in said if isinstance(path, str) and "/" in path and not _OWN_TASKS.search(path)]


def _folder_of_tasks(configs: dict[str, Json]) -> list[str]:
    folders = [posixpath.dirname(path) for path in _sources(configs)]
    if not folders or len({path.startswith("/") for path in folders}) > 1:
        return []
    return words("include_path", posixpath.commonpath(folders) or ".")


def _shots(document: dict[str, Json]) -> list[str]:
    """Give the number of worked examples when all tasks have the same; else the tasks' own definitions say it."""
    shots = _different_shots(document)
    return ["--num_fewshot", str(shots.pop())] if len(shots) == 1 else []


def _different_shots(document: dict[str, Json]) -> set[int]:
    tasks = table(document, "configs")
    return {value for name, value in table(document, "n-shot").items() if name in tasks and is_count(value)}


def _of_model(config: dict[str, Json]) -> Iterator[str]:
    batch, device = config.get("batch_size"), config.get("device")
    if isinstance(batch, int | str) and batch not in {"", 1, "1"}:
        yield from words("batch_size", str(batch))
    if isinstance(device, str) and device not in {"", _USUAL_DEVICE}:
        yield from words("device", device)
    yield from _table("gen_kwargs", config.get("gen_kwargs"))
    seeds = [str(config[name]) for name in SEEDS if name in config and isinstance(config[name], int | None)]
    if len(seeds) >= len(SEEDS) - 1 and tuple(seeds) != _USUAL_SEEDS[: len(seeds)]:
        alike = len(set(seeds)) == 1 and len(seeds) == len(SEEDS)
        yield from words("seed", seeds[0] if alike else ",".join(seeds))


def _prompts(document: dict[str, Json]) -> Iterator[str]:
    instruction, turns = document.get("system_instruction"), document.get("fewshot_as_multiturn")
    if isinstance(instruction, str) and instruction:
        yield from words("system_instruction", instruction)
    if document.get("chat_template"):
        yield "--apply_chat_template"
        if turns is True:
            yield "--fewshot_as_multiturn"
        elif turns is False and _says_no(document.get("lm_eval_version")):
            yield from ("--fewshot_as_multiturn", "false")


def _says_no(version: Json) -> bool:
    """Tell whether a version takes `--fewshot_as_multiturn false`: from 0.4.10 on, the option is on with a template."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version) if isinstance(version, str) else None
    return numbers is not None and tuple(map(int, numbers.groups())) >= (0, 4, 10)


def _extent(document: dict[str, Json], saved: Mapping[str, Sequence[int]]) -> list[str]:
    """Give `--limit`, or the numbers of the samples where not all of a task were saved, which is `--samples`."""
    limit = table(document, "config").get("limit")
    if isinstance(limit, int | float) and not isinstance(limit, bool):
        return ["--limit", str(int(limit)) if float(limit).is_integer() else str(limit)]
    chosen = {name: list(numbers) for name, numbers in saved.items() if _is_part(document, name, len(numbers))}
    return ["--samples", json.dumps(chosen, ensure_ascii=False)] if chosen else []


def _is_part(document: dict[str, Json], task: str, count: int) -> bool:
    there = table(table(document, "n-samples"), task).get("original")
    return isinstance(there, int) and count < there


def _metadata(config: dict[str, Json], configs: dict[str, Json]) -> dict[str, Json]:
    """Collect what stands in every task's metadata alike: given again, it changes nothing that a task says itself."""
    model_args = config.get("model_args")
    others = {"version", "config_source", "num_fewshot", *(model_args if isinstance(model_args, dict) else ())}
    said = [table(table(configs, name), "metadata") for name in configs]
    return {
        key: value
        for key, value in said[0].items()
        if key not in others and all(key in each and each[key] == value for each in said)
    }


def _only_predicts(configs: dict[str, Json]) -> bool:
    return all(table(configs, name).get("metric_list") == [{"metric": "bypass"}] for name in configs)


def _lost(document: dict[str, Json], config: dict[str, Json], configs: dict[str, Json]) -> Iterator[str]:
    """Say what cannot be known, as far as it may have mattered to this run."""
    if config["model"] not in _OWN_MODELS:
        yield f"where the model {quoted(config['model'])} comes from: lm-eval has none of that name"
    if _sources(configs):
        yield "`--include_path`: it is guessed from where the tasks' definitions lay"
    if len(_different_shots(document)) > 1 and len(_different_shots(document) - {0}) == 1:
        yield "`--num_fewshot`: the tasks have different numbers, by their definitions or by a number given to all"
    if _only_predicts(configs):
        yield "the tasks' own metrics: only predictions were asked for"
    if document.get("chat_template"):
        yield "the name of the chat template, if one was given with `--apply_chat_template`"
        if document.get("fewshot_as_multiturn") is None:
            yield "`--fewshot_as_multiturn`"
    yield from _lost_of_model(config)


def _lost_of_model(config: dict[str, Json]) -> Iterator[str]:
    model_args = config.get("model_args")
    if isinstance(model_args, dict) and model_args.get("trust_remote_code"):
        yield "whether `--trust_remote_code` let datasets run their own code, too"
    if str(config.get("batch_size")).startswith("auto"):
        yield "`--max_batch_size`"
    if config.get("use_cache"):
        yield f"the responses that were taken from the cache {quoted(config['use_cache'])}: they are made anew"
    if config.get("bootstrap_iters", _BOOTSTRAPS) != _BOOTSTRAPS:
        yield "the number of bootstrap iterations, which no option sets: standard errors may differ"
