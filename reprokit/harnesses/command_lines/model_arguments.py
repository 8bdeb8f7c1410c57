"""`--model_args` and its like: text such as `pretrained=org/model,dtype=float32`, or a JSON object.

A part of a word that begins with a NUL stands for a secret, or for a place of a workspace; it is passed on as it is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reprokit.bundle.values import Json, full_commit
from reprokit.harnesses.command_lines.options import Value

_OPEN, _CLOSED, _QUOTES = "[({", "])}", "\"'"
_PLAIN = re.compile(r"[^\s,\[\](){}\"'\0]+")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a kind of model is told a revision.

    `names` are the arguments that name what is loaded, the first that is there counts; `revision` is the argument that
    pins it. `also` are arguments that name what is loaded at the same revision: where one of them is another
    repository, that commit is not in it, and nothing can be pinned.
    """

    names: tuple[str, ...]
    revision: str = "revision"
    also: tuple[str, ...] = ()


def split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets and no quotes; joined by commas, the parts are the text again."""
    parts, begin, depth, quote = [], 0, 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in _OPEN + _CLOSED:
            depth = max(0, depth + (1 if character in _OPEN else -1))
        elif character == "," and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]]


def arguments(word: str) -> dict[str, Json]:
    """Read one word; the values of the text spelling stay text."""
    table = _object(word)
    if table is not None:
        return table
    pairs = (part.partition("=") for part in split(word))
    return {name.strip(): value for name, equals, value in pairs if equals}


def with_argument(word: str, name: str, value: str) -> str:
    """Set an argument in a word, in the word's own spelling; where it was given twice, the last one counts."""
    table = _object(word)
    if table is not None:
        return json.dumps({**table, name: value}, ensure_ascii=False).replace("\\u0000", "\0")
    parts = split(word)
    there = [index for index, part in enumerate(parts) if part.partition("=")[0].strip() == name]
    if there:
        parts[there[-1]] = f"{name}={value}"
    else:
        parts = [*(part for part in parts if part), f"{name}={value}"]
    return ",".join(parts)


def spelled(table: Mapping[str, Json]) -> str:
    """Write arguments as one word: as text where the harness would read the same values from it, else as JSON."""
    if table and all(_reads_back(name, value) for name, value in table.items()):
        return ",".join(f"{name}={value}" for name, value in table.items())
    return json.dumps(dict(table), ensure_ascii=False)


def pinned(
    argv: Sequence[str], values: Sequence[Value], rules: Sequence[Rule], revisions: Mapping[str, str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Add revisions to the words that name a model.

    Args:
        argv: the command line.
        values: the words of its model arguments, later ones count.
        rules: how this kind of model is told revisions.
        revisions: names on the hub, and the full commit of each.

    Returns:
        The command line, and the names that it now pins.
    """
    words = list(argv)
    texts = {value.argument: value.text for value in values}
    names: set[str] = set()
    for rule in rules:
        place = {name: argument for argument, text in texts.items() for name in arguments(text)}
        given = {name: read for text in texts.values() for name, read in arguments(text).items()}
        named = next((key for key in rule.names if given.get(key)), None)
        commit = full_commit(revisions.get(given[named])) if named and isinstance(given[named], str) else None
        if named is None or commit is None or _others(rule, given, given[named]):
            continue
        asked = given.get(rule.revision)
        if full_commit(asked) is None:
            argument = place.get(rule.revision, place[named])
            texts[argument] = with_argument(texts[argument], rule.revision, commit)
        if asked == commit or full_commit(asked) is None:
            names.add(given[named])
    for value in values:
        words[value.argument] = value.prefix + texts[value.argument]
    return tuple(words), frozenset(names)


def _others(rule: Rule, given: Mapping[str, Json], name: str) -> bool:
    """Tell whether what is loaded at the same revision may be another repository."""
    named = [given[key] for key in rule.also if given.get(key) and given[key] != name]
    return any(not isinstance(other, str) or not other.startswith(("/", "./", "../", "~", "\0")) for other in named)


def _object(word: str) -> dict[str, Json] | None:
    if not word.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(word, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _reads_back(name: str, value: Json) -> bool:
    if not _PLAIN.fullmatch(name) or "=" in name:
        return False
    if isinstance(value, int):
        return value >= 0
    return isinstance(value, float) or (
        isinstance(value, str) and _PLAIN.fullmatch(value) is not None and not _is_literal(value)
    )


def _is_literal(text: str) -> bool:
    """Tell whether lm-eval would read text as something else than text."""
    if text.lower() in {"true", "false"} or text.isnumeric():
        return True
    try:
        float(text)
    except ValueError:
        pass
    else:
        return True
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False
    return True
