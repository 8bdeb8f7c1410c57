"""What a command line, or the harness's own account of it, asks for: models, adapters, tokenizers, an endpoint.

Only text is read here; whether there is such a model is for others to find out. What is a secret is not looked at: of
all arguments only those are taken that name a model, a revision, a place or a prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from reprokit.bundle.values import Json

Source = Literal["argv", "claim"]

_HARNESSES = frozenset({"lm_eval", "lm-eval", "lmms_eval", "lmms-eval"})
_TABLES = frozenset({"--model_args", "--model-args", "-a"})
_KINDS = frozenset({"--model", "-M", "-m"})
_MODEL_KEYS = ("pretrained", "model", "model_version", "model_name", "model_id", "model_path", "path", "engine")
_ADAPTER_KEYS = ("peft", "delta", "lora_local_path", "adapter", "adapter_path")
_ENDPOINT_KEYS = ("base_url", "api_base", "endpoint")
_PROMPT_KEYS = ("system_instruction", "system_prompt")
_LONGEST = 1 << 20

# What a script's flags name, in the order in which they are believed; `-` and `_` are alike.
_MODEL_FLAGS = (
    "model_name_or_path",
    "pretrained_model_name_or_path",
    "model_path",
    "model_id",
    "pretrained",
    "checkpoint",
    "model_name",
    "model",
)
_ADAPTER_FLAGS = ("peft", "lora", "lora_path", "adapter", "adapter_path", "adapter_name_or_path")
_TOKENIZER_FLAGS = ("tokenizer", "tokenizer_name_or_path", "tokenizer_name", "tokenizer_path")
_DATASET_FLAGS = ("dataset_name_or_path", "dataset_path", "dataset_name", "dataset", "data_files", "data_file", "data")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A model or a dataset by name, with the revision that was asked for, if one was; `role` is empty for a model."""

    name: str
    role: str = ""
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one source says was asked for. `kind` is what a harness calls a kind of model: `hf`, `vllm`, `dummy`."""

    source: Source
    kind: str | None = None
    models: tuple[Named, ...] = ()
    datasets: tuple[Named, ...] = ()
    endpoint: str | None = None
    system_prompt: str | None = None
    template_file: str | None = None

    @property
    def model(self) -> Named | None:
        """The model itself, as against what is put on it."""
        return next((each for each in self.models if not each.role), None)


def from_command(argv: Sequence[str]) -> Asked:
    """Read a command line: of lm-eval or lmms-eval, or of any script with flags of the usual names."""
    harness = any(PurePosixPath(word).name in _HARNESSES or "lm_eval" in word.split("/") for word in argv)
    written = dict(_tables(argv)) if harness or _has_table(argv) else {}
    flags = _flags(argv)
    if written or harness:
        kind = next((value for name, value in _pairs(argv) if name in _KINDS and name != "-m"), None)
        return _asked("argv", kind, written, _first(flags, _PROMPT_KEYS))
    name = _first(flags, _MODEL_FLAGS)
    revision = _first(flags, ("model_revision", "revision"))
    models = [Named(name=name, revision=revision)] if name else []
    models += [Named(name=flags[flag], role="adapter") for flag in _ADAPTER_FLAGS if flag in flags][:1]
    models += [Named(name=flags[flag], role="tokenizer") for flag in _TOKENIZER_FLAGS if flag in flags][:1]
    datasets = _first(flags, _DATASET_FLAGS)
    return Asked(
        source="argv",
        models=tuple(models),
        datasets=(Named(name=datasets, revision=flags.get("dataset_revision")),) if datasets else (),
        endpoint=_first(flags, _ENDPOINT_KEYS),
        system_prompt=_first(flags, _PROMPT_KEYS),
        template_file=flags.get("chat_template"),
    )


def from_claims(claims: Mapping[str, Json]) -> Asked:
    """Read what a harness says it was asked for: the `config` of lm-eval and lmms-eval."""
    config = claims.get("config")
    if not isinstance(config, dict):
        return Asked(source="claim", system_prompt=_text(claims.get("system_instruction")))
    kind = _text(config.get("model"))
    prompt = _text(claims.get("system_instruction"))
    return _asked("claim", kind, arguments(config.get("model_args")), prompt)


def arguments(written: Json) -> dict[str, Json]:
    """Read `model_args`: a table, JSON, or text like `a=1,b=2`, where a part without `=` belongs to the one before."""
    if isinstance(written, dict):
        return {str(name): value for name, value in written.items()}
    if not isinstance(written, str) or len(written) > _LONGEST:
        return {}
    if written.lstrip().startswith("{"):
        try:
            value = json.loads(written)
        except (ValueError, RecursionError):
            value = None
        return value if isinstance(value, dict) else {}
    parts: dict[str, Json] = {}
    last = ""
    for part in written.split(","):
        name, equals, value = part.partition("=")
        if equals:
            last = name.strip()
            parts[last] = value.strip()
        elif last:
            parts[last] = f"{parts[last]},{part}"
    return parts


def _asked(source: Source, kind: str | None, given: Mapping[str, Json], prompt: str | None) -> Asked:
    """Make sense of model arguments."""
    revision = _text(given.get("revision")) or _text(given.get("model_revision"))
    name = next((text for key in _MODEL_KEYS if (text := _text(given.get(key)))), None)
    models = [Named(name=name, revision=revision)] if name else []
    for key in _ADAPTER_KEYS:
        adapter = _text(given.get(key))
        if adapter:
            models.append(Named(name=adapter, role=key))
    tokenizer = _text(given.get("tokenizer"))
    if tokenizer and tokenizer != name:
        pinned = _text(given.get("tokenizer_revision")) or revision
        models.append(Named(name=tokenizer, role="tokenizer", revision=pinned))
    return Asked(
        source=source,
        kind=kind,
        models=tuple(models),
        endpoint=next((text for key in _ENDPOINT_KEYS if (text := _text(given.get(key)))), None),
        system_prompt=prompt or next((text for key in _PROMPT_KEYS if (text := _text(given.get(key)))), None),
        template_file=_text(given.get("chat_template")),
    )


def _pairs(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield every flag that has a value, however the two are joined."""
    for index, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if not name.startswith("-"):
            continue
        if equals:
            yield name, value
        elif index + 1 < len(argv) and not argv[index + 1].startswith("-"):
            yield name, argv[index + 1]


def _flags(argv: Sequence[str]) -> dict[str, str]:
    """Collect the long flags, spelt with `_`; of one that is given again, the last counts."""
    return {name[2:].replace("-", "_"): value for name, value in _pairs(argv) if name.startswith("--") and value}


def _has_table(argv: Sequence[str]) -> bool:
    return any(word.partition("=")[0] in {"--model_args", "--model-args"} for word in argv)


def _tables(argv: Sequence[str]) -> Iterator[tuple[str, Json]]:
    """Yield the model arguments of a command line, of all that it gives: `a=1,b=2`, `a=1 b=2` or JSON."""
    for index, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name in _TABLES and equals:
            yield from arguments(value).items()
        elif word in _TABLES:
            for following in argv[index + 1 :]:
                if following.startswith("-") or not ("=" in following or following.startswith("{")):
                    break
                yield from arguments(following).items()
        elif word.startswith("-a") and equals:
            yield from arguments(word[2:]).items()


def _first(flags: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((flags[name] for name in names if name in flags), None)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None
