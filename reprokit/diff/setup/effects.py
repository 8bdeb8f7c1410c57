"""How likely each change of a set-up moves a score, and why: the rules of the other files, applied.

The answer for two values is the same whichever comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from reprokit.bundle import canonical
from reprokit.bundle.values import Json
from reprokit.diff.difference import EFFECTS, Change, Effect
from reprokit.diff.setup.area_rules import AREA_RULES, DEFAULTS
from reprokit.diff.setup.keyed_values import CONTAINERS, keyed
from reprokit.diff.setup.setting_rules import SETTING_RULES

_UNHEARD_OF: tuple[Effect, str] = ("possible", "what it does is not known")
_SAME_SETTINGS: tuple[Effect, str] = ("unlikely", "the same settings, written otherwise")
_REPEAT = re.compile(r" \(\d+\)$")
_OPTION = re.compile(r"--?(?=\w)")
_DEFINITION = ", definition "
_WIDEST = 40


class Judgement(NamedTuple):
    """How likely a change moves a score, why, and what exactly changed where that is not plain from the values."""

    effect: Effect
    why: str
    note: str | None = None


def judged(change: Change) -> Change:
    """Give a change its effect, the reason, and a note on which of several settings in one value moved."""
    found = judge(change.area, change.name, change.before, change.after)
    return replace(change, effect=found.effect, why=found.why, note=change.note or found.note)


def rank(change: Change) -> int:
    """Order changes by their effect: the most likely to move a score first."""
    return EFFECTS.index(change.effect)


def judge(area: str, name: str, before: Json, after: Json) -> Judgement:
    """Say how likely a change of one fact moves a score; a value is `None` where a side has no such fact."""
    for rule in AREA_RULES:
        if rule.area == area and rule.holds(name, before, after):
            return Judgement(rule.effect, rule.why)
    for number, setting in enumerate(settings_of(area, name)):
        if number == 0 and setting in CONTAINERS:
            inside = _judge_inside(setting, before, after)
            if inside is not None:
                return inside
        found = _judge_setting(setting, before, after)
        if found is not None:
            return found
    return Judgement(*DEFAULTS.get(area, _UNHEARD_OF))


def settings_of(area: str, name: str) -> Iterator[str]:
    """Name the settings that a fact may be about, the nearest first: `config.model_args.dtype` is about a `dtype`."""
    match area:
        case "invocation":
            yield option(name)
        case "claims":
            yield from _steps(name)
        case "tasks" if _DEFINITION in name:
            yield from _steps(name.partition(_DEFINITION)[2])
        case "models" | "datasets" if ", " in name:
            yield from _steps(name.rpartition(", ")[2])


def option(name: str) -> str:
    """Give an option's name as that of a setting: `--batch-size (2)` is `batch_size`."""
    return _OPTION.sub("", _REPEAT.sub("", name), count=1).replace("-", "_").lower()


def _steps(path: str) -> Iterator[str]:
    return (step.replace("-", "_").lower() for step in reversed(path.split(".")) if not step.isdigit())


def _judge_setting(setting: str, before: Json, after: Json) -> Judgement | None:
    for rule in SETTING_RULES:
        if rule.holds(setting, before, after):
            return Judgement(rule.effect, rule.why)
    return None


def changed_inside(before: Json, after: Json) -> dict[str, tuple[Json, Json]] | None:
    """List the settings within two values that are not the same; `None` when the values cannot be taken apart."""
    one, other = keyed(before), keyed(after)
    if one is None or other is None:
        return None
    names = sorted(one.keys() | other.keys())
    pairs = {name: (one.get(name), other.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if canonical.line(pair[0]) != canonical.line(pair[1])}


def _judge_inside(container: str, before: Json, after: Json) -> Judgement | None:
    """Judge a value by the settings in it that changed: the most likely of them to move a score decides."""
    changed = changed_inside(before, after)
    if changed is None:
        return None
    found = [
        judgement
        for name, pair in changed.items()
        for judgement in [_judge_setting(option(name), *pair) or _judge_setting(container, *pair)]
        if judgement is not None
    ]
    if not found:
        return Judgement(*_SAME_SETTINGS) if not changed else None
    most = min(found, key=lambda judgement: EFFECTS.index(judgement.effect))
    return Judgement(most.effect, most.why, "; ".join(_told(name, *pair) for name, pair in changed.items()))


def _told(name: str, before: Json, after: Json) -> str:
    words = [_written(value) for value in (before, after)]
    # What is too long for a line stands in the values themselves.
    return name if max(map(len, words)) > _WIDEST else f"{name}: {' → '.join(words)}"


def _written(value: Json) -> str:
    if value is None:
        return "absent"
    return value if isinstance(value, str) and value else canonical.line(value).decode()
