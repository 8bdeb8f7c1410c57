"""The same cause, told several times: as an option, in what the harness says of itself, in the definition of each task.

Such a change is taken out when another one provably tells it: one about the same setting, with the same values on both
sides, or one that it follows from. So at least one change always remains for each cause.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reprokit.bundle import canonical
from reprokit.bundle.values import Json
from reprokit.diff.difference import Change, Ignored, Kind
from reprokit.diff.setup import noise
from reprokit.diff.setup.effects import changed_inside, option
from reprokit.diff.setup.facts import Weighed, combine
from reprokit.diff.setup.keyed_values import CONTAINERS
from reprokit.harnesses.command_lines.lm_eval_rebuilt import SEEDS

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None, "null": None}

Pair = tuple[bytes, bytes]
Place = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Retelling:
    """Says which fact may say again what another says; the other's name is made of groups of this one's.

    With `follows`, it need not say the same: it changes in the same way, added, removed or changed, whenever that does.
    """

    area: str
    field: re.Pattern[str]
    told_in: str
    told_as: str
    follows: bool = False


def _again(area: str, field: str, told_in: str, told_as: str, *, follows: bool = False) -> Retelling:
    return Retelling(area=area, field=re.compile(field, re.DOTALL), told_in=told_in, told_as=told_as, follows=follows)


# A task in the name of a claim, which is quoted when it is no plain word.
_TASK = r"\.(?:`(?P<quoted>.*)`|(?P<plain>[\w-]+))"
_THAT_TASK = r"\g<quoted>\g<plain>"


# Options stand here by the names of their settings. No fact says again what would say it again in turn.
RETELLINGS: tuple[Retelling, ...] = (
    _again("packages", r"lm-eval|lmms-eval|inspect-ai", "harness", "version"),
    _again("claims", r"lm_eval_version|lmms_eval_version", "harness", "version"),
    _again("claims", r"(transformers|torch|datasets|vllm)_version", "packages", r"\1"),
    _again("torch", "version", "packages", "torch"),
    _again("determinism", "(.+)", "environment variables", r"\1"),
    _again("determinism", "(.+)", "launcher", r"\1"),
    _again("launcher", "(.+)", "environment variables", r"\1"),
    _again("claims", r"config\.(resolved_cli_args\.)?([^.]+(\.[^.]+)?)", "invocation", r"\2"),
    _again("claims", r"config\.resolved_cli_args\.(.+)", "claims", r"config.\1"),
    _again("claims", "(chat_template|system_instruction|fewshot_as_multiturn)", "invocation", r"\1"),
    _again("claims", "model_source", "invocation", "model"),
    _again("claims", "model_source", "claims", "config.model"),
    *(
        rule
        for key in ("pretrained", "model", "model_version", "model_name", "path")
        for rule in (
            _again("claims", "model_name", "invocation", f"model_args.{key}"),
            _again("claims", "model_name", "claims", f"config.model_args.{key}"),
        )
    ),
    _again("models", r".*, (model(_\w+)?(\.[^.]+)?)", "claims", r"config.\1"),
    _again("models", r".*, (model(_\w+)?(\.[^.]+)?)", "invocation", r"\1"),
    _again("loaded from cache", "models (.+)", "models", r"\1"),
    _again("loaded from cache", "datasets (.+)", "datasets", r"\1"),
    _again("tasks", ".*, shots", "invocation", "num_fewshot"),
    _again("tasks", ".*, definition (num_fewshot|repeats)", "invocation", r"\1"),
    _again("tasks", ".*, definition (num_fewshot|repeats)", "claims", r"config.resolved_cli_args.\1"),
    _again("tasks", "(.*), definition num_fewshot", "tasks", r"\1, shots"),
    _again("claims", rf"n-shot{_TASK}", "invocation", "num_fewshot"),
    _again("claims", rf"n-shot{_TASK}", "tasks", rf"{_THAT_TASK}, shots"),
    _again("tasks", r"(.*), definition metadata(\.0)?\.version", "tasks", r"\1, version"),
    _again("claims", rf"versions{_TASK}", "tasks", rf"{_THAT_TASK}, version"),
    _again("claims", rf"(?:n-shot|versions|higher_is_better|results){_TASK}(\..*)?", "tasks", _THAT_TASK, follows=True),
    _again("claims", "(chat_template|system_instruction)_sha", "claims", r"\1", follows=True),
    *(
        _again("tasks", rf".*, definition {theirs}\.([^.]+)", where, rf"{prefix}{ours}.\1")
        for theirs, ours in (
            ("metadata", "model_args"),
            ("metadata", "metadata"),
            ("generation_kwargs", "gen_kwargs"),
        )
        for where, prefix in (("invocation", ""), ("claims", "config."))
    ),
)


def without_retold(weighed: Weighed) -> Weighed:
    """Move what says again what another change says to what is ignored."""
    told = _told(weighed.changes)
    kinds = {(change.area, change.name): change.kind for change in weighed.changes}
    found = [(change, _rule_of(change, told, kinds)) for change in weighed.changes]
    kept = tuple(change for change, rule in found if rule is None)
    moved = tuple(_ignored(change, rule) for change, rule in found if rule is not None)
    return combine(
        [Weighed(changes=kept, not_compared=weighed.not_compared), Weighed(ignored=(*weighed.ignored, *moved))]
    )


def _ignored(change: Change, rule: str) -> Ignored:
    return Ignored(
        area=change.area,
        name=change.name,
        kind=change.kind,
        before=change.before,
        after=change.after,
        rules=[rule],
        reason=noise.reason([rule]),
    )


def _told(changes: Iterable[Change]) -> Mapping[Place, set[Pair]]:
    """Say what each change tells: for an option also what it tells of the settings inside of its value."""
    told: dict[Place, set[Pair]] = defaultdict(set)
    for change in changes:
        name = option(change.name) if change.area == "invocation" else change.name
        told[change.area, name].add(_pair(change.before, change.after))
        if change.area == "invocation":
            for inner, pair in _inside(name, change):
                told[change.area, inner].add(pair)
    return told


def _inside(name: str, change: Change) -> Iterator[tuple[str, Pair]]:
    if name in CONTAINERS:
        yield name, _pair(change.before or "", change.after or "")
        for key, values in (changed_inside(change.before, change.after) or {}).items():
            yield f"{name}.{key}", _pair(*values)
    elif name == "seed":
        one, other = _seeds(change.before), _seeds(change.after)
        if one is not None and other is not None:
            yield name, _pair(one, other)
            yield from ((key, _pair(*values)) for key, *values in zip(SEEDS, one, other, strict=True))
    elif change.kind != "changed" and True in {change.before is True, change.after is True}:
        # A switch that is not there is off.
        yield name, _pair(change.before is True, change.after is True)


def _seeds(value: Json) -> list[Json] | None:
    """Read `--seed` as both harnesses do: one for all four, or four of them; not given, it depends on the version."""
    parts = value.split(",") if isinstance(value, str) else []
    return parts * 4 if len(parts) == 1 else parts if len(parts) == len(SEEDS) else None


def _rule_of(change: Change, told: Mapping[Place, set[Pair]], kinds: Mapping[Place, Kind]) -> str | None:
    """Name the rule by which a change is told by another one, if it is."""
    pair = _pair(change.before, change.after)
    for rule in RETELLINGS:
        found = rule.field.fullmatch(change.name) if rule.area == change.area else None
        if found is None:
            continue
        other = (rule.told_in, found.expand(rule.told_as))
        if rule.follows and kinds.get(other) == change.kind:
            return noise.FOLLOWS
        if not rule.follows and pair in told.get(other, ()):
            return noise.RETOLD
    return noise.FOLLOWS if _is_empty_table(change, told) else None


def _is_empty_table(change: Change, told: Mapping[Place, set[Pair]]) -> bool:
    """Tell whether a table is said to be empty on one side, while its members on the other are changes themselves."""
    if change.kind == "changed" or {} not in (change.before, change.after):
        return False
    return any(area == change.area and name.startswith(f"{change.name}.") for area, name in told)


def _pair(before: Json, after: Json) -> Pair:
    return canonical.line(_plain(before)), canonical.line(_plain(after))


def _plain(value: Json) -> Json:
    """Bring a value to the form in which an option's text and what a program read from it are the same."""
    match value:
        case list():
            return [_plain(item) for item in value]
        case bool() | None:
            return value
        case int() | float():
            return _number(str(value))
        case str() if value.strip().lower() in _WORDS:
            return _WORDS[value.strip().lower()]
        case str() if _NUMBER.fullmatch(value.strip()):
            return _number(value.strip())
        case _:
            return value


def _number(text: str) -> Json:
    number = float(text)
    exact = math.isfinite(number) and number.is_integer() and abs(number) < 2**53
    # Beyond what a float holds exactly, two numbers may only look the same.
    return int(number) if exact else text
