"""lm-eval's command line, as its versions 0.4.3 to 0.4.13 read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from reprokit.bundle.record import Output
from reprokit.bundle.values import Unknown
from reprokit.harnesses.command_lines.model_arguments import Rule, arguments, pinned
from reprokit.harnesses.command_lines.options import (
    Option,
    last,
    option,
    read,
    spread,
    with_option,
    without,
)
from reprokit.harnesses.interface import Pinned, SampleId, Subset

# fmt: off
OPTIONS: tuple[Option, ...] = (
    option("--config", "-C"), option("--tasks", "-t", takes="several"), option("--model", "-M"),
    option("--model_args", "-a", takes="several"), option("--apply_chat_template", takes="perhaps one"),
    option("--limit", "-L"), option("--use_cache", "-c"), option("--num_fewshot", "-f"), option("--batch_size", "-b"),
    option("--max_batch_size"), option("--device"), option("--gen_kwargs", takes="several"),
    option("--output_path", "-o"), option("--log_samples", "-s", takes="nothing"), option("--samples", "-E"),
    option("--cache_requests", takes="perhaps one"), option("--check_integrity", takes="nothing"),
    option("--system_instruction"), option("--fewshot_as_multiturn", takes="perhaps one"), option("--include_path"),
    option("--verbosity", "-v"), option("--write_out", "-w", takes="nothing"),
    option("--show_config", takes="nothing"), option("--wandb_args", takes="several"),
    option("--wandb_config_args", takes="several"), option("--trackio_args", takes="several"),
    option("--hf_hub_log_args", takes="several"), option("--predict_only", "-x", takes="nothing"), option("--seed"),
    option("--trust_remote_code", takes="nothing"), option("--confirm_run_unsafe_code", takes="nothing"),
    option("--metadata", takes="several"), option("--help", "-h", takes="nothing"),
)
# These load the tokenizer, and an adapter, at the revision of the model (`models/huggingface.py`).
_HUGGING_FACE = (Rule(names=("pretrained",), also=("tokenizer", "peft", "delta")),)
_VLLM = (Rule(names=("pretrained",)), Rule(names=("tokenizer", "pretrained"), revision="tokenizer_revision"))
# A served model: only its tokenizer is loaded here (`models/api_models.py`).
_SERVED = (Rule(names=("tokenizer",)),)
_RULES: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys((
        "hf", "hf-auto", "huggingface", "hf-multimodal", "hf-audiolm-qwen", "hf-mistral3", "steered", "habana",
        "ipex", "openvino", "neuronx",
    ), _HUGGING_FACE),
    **dict.fromkeys(("vllm", "vllm-vlm"), _VLLM),
    **dict.fromkeys(("local-completions", "openai-completions", "sglang-generate"), _SERVED),
}
# fmt: on
_LONGEST_WORD = 120_000
"""Linux starts no program with a word of 128 KiB or more."""


def hub_output(argv: Sequence[str], start: int) -> Output | None:
    """Find the place that `--hf_hub_log_args output_path=…` names: it counts where there is no `--output_path`.

    Only what ends its word can be replaced there; of other places it is told that they are named, and not where.
    """
    for given in reversed(read(argv, start, OPTIONS)):
        if given.name == "hf_hub_log_args":
            for value in reversed(given.values):
                path = arguments(value.text).get("output_path")
                if isinstance(path, str) and path:
                    before = value.prefix + value.text.removesuffix(path)
                    ends = value.text.endswith(f"output_path={path}")
                    return Output(path=path, argument=value.argument, prefix=before) if ends else Output(path=path)
    return None


def with_revisions(argv: Sequence[str], start: int, revisions: Mapping[str, str]) -> Pinned:
    """Pin what the command line loads from the hub; see `Harness.pinned`.

    A `--config` file may name the kind of model: without `--model` beside it, nothing is known of it.
    """
    words = spread(argv, start, OPTIONS)
    given = read(words, start, OPTIONS)
    told = last(given, "model")
    kind = told.text if told is not None else "" if last(given, "config") else "hf"
    values = [value for each in given if each.name == "model_args" for value in each.values]
    if values and values[0].text.lstrip().startswith("{"):
        values = values[:1]
    changed, names = pinned(words, values, _RULES.get(kind, ()), revisions)
    return Pinned(argv=changed, names=names)


def with_samples(argv: Sequence[str], start: int, samples: Mapping[str, Sequence[SampleId]]) -> Subset | Unknown:
    """Choose samples by `--samples`, which lm-eval has from 0.4.9 on; see `Harness.subset`.

    lm-eval takes the documents in the order of the dataset and names them in the order of the list, so that they have
    to be sorted; a task that is not named, or named with an empty list, is evaluated whole. Groups are not known to it:
    the tasks within them have to be named.
    """
    chosen: dict[str, tuple[int, ...]] = {}
    for task, keys in samples.items():
        numbers = sorted({key for key in keys if type(key) is int and key >= 0})
        if not numbers or len(numbers) != len(set(keys)):
            return Unknown(unknown=f"lm-eval chooses samples by their number, and those of `{task}` have none")
        chosen[task] = tuple(numbers)
    text = json.dumps(chosen, ensure_ascii=False, separators=(",", ":"))
    if not chosen or len(text.encode(errors="surrogatepass")) > _LONGEST_WORD:
        reason = "more samples than a command line can name" if chosen else "no sample was chosen"
        return Unknown(unknown=f"{reason}: lm-eval is told them in one argument")
    words = spread(argv, start, OPTIONS)
    words = without(words, (each for each in read(words, start, OPTIONS) if each.name == "limit"))
    words = with_option(words, start, OPTIONS, "samples", text)
    return Subset(argv=words, samples=chosen, how=f"`--samples` with {sum(map(len, chosen.values()))} numbers")
