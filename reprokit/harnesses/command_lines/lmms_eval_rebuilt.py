"""The command line of an lmms-eval run, from `config.resolved_cli_args` of its results file.

That is everything the harness had parsed, as it was when the run ended: it had added to some arguments itself, and
blacked out secrets. Options at their default of 0.7.3 are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reprokit.bundle.values import Json, Unknown
from reprokit.harnesses.command_lines.dropping import REASONS
from reprokit.harnesses.command_lines.options import words
from reprokit.harnesses.command_lines.quoting import quoted
from reprokit.harnesses.interface import Rebuilt
from reprokit.harnesses.task_tables import table

# fmt: off
_USUAL: dict[str, Json] = {
    "model": "hf", "tasks": None, "model_args": "", "launcher_args": None, "num_fewshot": None, "batch_size": 1,
    "max_batch_size": None, "device": None, "limit": None, "offset": 0, "check_integrity": False, "write_out": False,
    "log_samples": False, "log_samples_suffix": "model_outputs", "system_instruction": None,
    "apply_chat_template": False, "fewshot_as_multiturn": False, "show_config": False, "include_path": None,
    "gen_kwargs": "", "reasoning_tags": '[["<think>", "</think>"], ["<analysis>", "</analysis>"]]',
    "verbosity": "INFO", "timezone": "Asia/Singapore", "predict_only": False, "seed": [0, 1234, 1234, 1234],
    "trust_remote_code": False, "process_with_media": False, "process_docs_parallel": 4,
    "agentic_trace_mode": "basic", "force_simple": False, "repeats": 1, "baseline": None, "max_tokens": None,
}
# fmt: on
"""The options that a run is made of, in the harness's order, and their defaults in 0.7.3."""

_NOT_OF_A_RUN = frozenset(
    {"output_path", "config", "tui", "power_analysis", "effect_size", "alpha", "power", "correlation", "std_a", "std_b"}
)
_OUTPUTS = "results"
_BLACKED_OUT = "[REDACTED]"
_SECRET = re.compile(r"(?i)(?P<name>\w*(?:api_key|token|secret|password))=\[REDACTED\]")


@dataclass(kw_only=True)
class _Command:
    argv: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def add(self, name: str, text: str) -> None:
        """Add an option, with slots where the harness had blacked out a secret whose name it left."""

        def slot(found: re.Match[str]) -> str:
            self.secrets.append(found["name"].upper())
            return f"{found['name']}=\0{found['name'].upper()}\0"

        # No file of a harness may fill in a secret of its own choice.
        text = _SECRET.sub(slot, text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
        if _BLACKED_OUT in text:
            self.lost.append(f"a secret in `--{name}`, which the harness has blacked out")
        self.argv += words(name, text)


def rebuilt(document: dict[str, Json]) -> Rebuilt | Unknown:
    """Rebuild the command line from a results file."""
    resolved = table(table(document, "config"), "resolved_cli_args")
    if not resolved:
        return Unknown(
            unknown="its results do not hold the arguments: lmms-eval was older, or not started as a program"
        )
    if not isinstance(resolved.get("tasks"), str) or not resolved["tasks"]:
        return Unknown(unknown="its results name no tasks")
    command = _Command(argv=["lmms_eval"])
    for name, usual in _USUAL.items():
        value = resolved.get(name, usual)
        if value == usual and type(value) is type(usual):
            continue
        if value is True:
            command.argv.append(f"--{name}")
        elif not isinstance(value, bool | dict) and value is not None:
            command.add(name, _text(name, value))
    place = resolved.get("output_path")
    command.add("output_path", place if isinstance(place, str) and place else _OUTPUTS)
    command.lost += _lost(resolved)
    return Rebuilt(argv=tuple(command.argv), lost=tuple(command.lost), secrets=tuple(dict.fromkeys(command.secrets)))


def _text(name: str, value: Json) -> str:
    if name == "include_path" and isinstance(value, list):
        # The harness adds a folder for every plugin.
        return str(value[0]) if value else ""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _lost(resolved: dict[str, Json]) -> Iterator[str]:
    if isinstance(resolved.get("include_path"), list):
        yield "the variable `LMMS_EVAL_PLUGINS`: it named a plugin, whose tasks lay in " + ", ".join(
            quoted(path) for path in resolved["include_path"][-1:]
        )
    if resolved.get("config"):
        yield f"the variables that {quoted(resolved['config'])} may have set; what else it set is in the command"
    for name, reason in REASONS.items():
        if resolved.get(name) and not _is_own(name, resolved):
            yield f"`--{name}`, left out: {reason}"
    unknown = sorted(set(resolved) - set(_USUAL) - set(REASONS) - _NOT_OF_A_RUN)
    if unknown:
        yield "options that 0.7.3 does not have: " + ", ".join(quoted(f"--{name}") for name in unknown)


def _is_own(name: str, resolved: dict[str, Json]) -> bool:
    """Tell whether the harness itself wrote a value: it keeps the output path and the token in `hf_hub_log_args`."""
    said = str(resolved[name]).removeprefix(f",output_path={resolved.get('output_path')}")
    return name == "hf_hub_log_args" and re.fullmatch(r"(,token=\[REDACTED\])?", said) is not None
