"""lmms-eval's command line, as its version 0.7.3 reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reprokit.bundle.record import Output
from reprokit.bundle.values import Unknown
from reprokit.harnesses.command_lines.model_arguments import Rule, arguments, pinned
from reprokit.harnesses.command_lines.options import Given, Option, last, option, read, spread, with_option
from reprokit.harnesses.interface import Pinned, SampleId, Subset

# fmt: off
OPTIONS: tuple[Option, ...] = (
    *(option(f"--{name}") for name in (
        "config", "model", "tasks", "model_args", "launcher_args", "num_fewshot", "max_batch_size", "device",
        "output_path", "limit", "offset", "cache_requests", "log_samples_suffix", "system_instruction", "include_path",
        "gen_kwargs", "reasoning_tags", "verbosity", "wandb_args", "swanlab_args", "timezone", "hf_hub_log_args",
        "seed", "agentic_trace_mode", "baseline", "max_tokens", "effect-size", "alpha", "power", "correlation",
        "std-a", "std-b",
    )),
    option("--batch_size", "-b"), option("--use_cache", "-c"), option("--repeats", "-n", "--num_samples"),
    option("--process_docs_parallel", "--process-docs-parallel"),
    option("--write_out", "-w", takes="nothing"), option("--predict_only", "-x", takes="nothing"),
    *(option(f"--{name}", takes="nothing") for name in (
        "check_integrity", "log_samples", "wandb_log_samples", "swanlab_log_samples", "apply_chat_template",
        "fewshot_as_multiturn", "show_config", "trust_remote_code", "process_with_media", "force_simple", "tui",
        "power-analysis", "help",
    )),
)
# The models that load all they load at one revision (`models/simple/…`, `models/chat/…`).
_RULES: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(
        ("aero", "aria", "idefics2", "internvl_hf", "llama_vision", "llava_hf", "phi4_multimodal"),
        (Rule(names=("pretrained",)),),
    ),
    # What it does not know of its arguments it hands to vLLM's engine.
    "vllm": (Rule(names=("model",)), Rule(names=("tokenizer", "model"), revision="tokenizer_revision")),
}
# fmt: on


def hub_output(argv: Sequence[str], start: int) -> Output | None:
    """Find the place that `--hf_hub_log_args output_path=…` names: it counts where there is no `--output_path`."""
    given = last(read(argv, start, OPTIONS), "hf_hub_log_args")
    path = arguments(given.text).get("output_path") if given is not None else None
    if given is None or not isinstance(path, str) or not path:
        return None
    value = given.values[0]
    if not value.text.endswith(f"output_path={path}"):
        return Output(path=path)
    return Output(path=path, argument=value.argument, prefix=value.prefix + value.text.removesuffix(path))


def with_revisions(argv: Sequence[str], start: int, revisions: Mapping[str, str]) -> Pinned:
    """Pin what the command line loads from the hub; see `Harness.pinned`. Few models of lmms-eval take a revision."""
    words = spread(argv, start, OPTIONS)
    given = read(words, start, OPTIONS)
    told, model_args = last(given, "model"), last(given, "model_args")
    if told is None or model_args is None:
        return Pinned(argv=words, names=frozenset())
    changed, names = pinned(words, model_args.values, _RULES.get(told.text, ()), revisions)
    return Pinned(argv=changed, names=names)


def with_samples(argv: Sequence[str], start: int, samples: Mapping[str, Sequence[SampleId]]) -> Subset | Unknown:
    """Choose samples by `--offset` and `--limit`: lmms-eval evaluates one stretch of every task's dataset.

    Where that is not what was asked for, it is as many from where the run began; see `Harness.subset`.
    """
    words = spread(argv, start, OPTIONS)
    given = read(words, start, OPTIONS)
    many = max((len(set(keys)) for keys in samples.values()), default=0)
    if not many:
        return Unknown(unknown="no sample was chosen")
    first = _number(last(given, "offset"))
    wanted = {task: sorted(key for key in set(keys) if type(key) is int) for task, keys in samples.items()}
    begins = {keys[0] if keys else -1 for keys in wanted.values()}
    begin = min(begins)
    exact = (
        len(begins) == 1 and begin >= 0 and all(keys == list(range(begin, begin + many)) for keys in wanted.values())
    )
    begin = begin if exact else first
    words = with_option(words, start, OPTIONS, "limit", str(many))
    if begin != first:
        words = with_option(words, start, OPTIONS, "offset", str(begin))
    how = f"`--limit {many}`" + (f" from `--offset {begin}`" if begin else "")
    return Subset(
        argv=words,
        samples={task: tuple(range(begin, begin + many)) for task in samples},
        how=how if exact else f"{how}: lmms-eval evaluates the first ones, and cannot choose",
    )


def _number(given: Given | None) -> int:
    text = given.text if given is not None else "0"
    return int(text) if text.isdecimal() else 0
