"""What was asked and answered, as texts that a person reads in a cell of a table.

A text stays as it is, chat messages become `role: content` one below the other, what is no text is named in brackets
(`[image_url]`), and bytes that were written into an address (`data:image/png;base64,…`) are left out. Any other value
is shown as its JSON. Log-probabilities of choices are shown with their choices, the likeliest with an arrow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json
from reprokit.mirrors.portrait.plain import dumps, plain, text

_INLINE = re.compile(r"data:([\w.+-]{1,60}/[\w.+-]{1,60})?(;[\w=.+-]{1,60}){0,4};base64,[A-Za-z0-9+/=_-]{64,}")
_MOST_PARSED = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """What a model said of one choice: its log-probability as saved, as a number, and whether it was its own answer."""

    written: str
    value: float
    greedy: bool


def prompt(sample: Sample) -> str | None:
    """Show what the model was given."""
    value = sample.prompt
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return "\n\n".join(f"[{number}] {readable(each)}" for number, each in enumerate(value, start=1))
    return None if value is None else readable(value)


def target(sample: Sample) -> str | None:
    """Show the reference answer; a number of a choice with the choice's text."""
    if sample.target is None:
        return None
    written, choices = readable(sample.target), _choices(sample)
    index = int(written) if re.fullmatch(r"\d{1,6}", written) else len(choices)
    return f"{written}: {choices[index].strip()}" if index < len(choices) else written


def response(sample: Sample) -> str | None:
    """Show the model's answers as they came, one below the other when there are several."""
    if not sample.responses:
        return None
    likelihoods = _likelihoods(sample.responses)
    if likelihoods:
        return "\n".join(_likelihood_lines(likelihoods, _choices(sample)))
    shown = [readable(each) for each in sample.responses]
    return (
        shown[0] if len(shown) == 1 else "\n".join(f"[{number}] {each}" for number, each in enumerate(shown, start=1))
    )


def answer(sample: Sample) -> str | None:
    """Show the answer extracted from the responses; of several log-probabilities, which choice is the likeliest."""
    if sample.answer is None:
        return None
    likelihoods = _likelihoods(sample.answer if isinstance(sample.answer, list) else [])
    if len(likelihoods) > 1:
        best = _likeliest(likelihoods)
        choices = _choices(sample)
        if best is None:
            return "none is likeliest"
        return f"likeliest: {best}: {choices[best].strip()}" if best < len(choices) else f"likeliest: {best}"
    return readable(sample.answer)


def readable(value: Json) -> str:
    """Show any JSON value as text."""
    if isinstance(value, str):
        messages = _parsed_messages(value)
        return _INLINE.sub(_named_inline, text(value)) if messages is None else _chat(messages)
    if _are_messages(value):
        return _chat(value)
    return _INLINE.sub(_named_inline, dumps(plain(value)))


def _named_inline(match: re.Match[str]) -> str:
    return f"[{match[1] or 'data'}]"


def _are_messages(value: Json) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and isinstance(each.get("role"), str) and "content" in each for each in value)
    )


def _parsed_messages(written: str) -> list[dict[str, Json]] | None:
    """Read chat messages that a harness saved as a text of JSON; `None` when it is a text like any other."""
    if not (written.startswith("[{") and '"role"' in written and len(written) <= _MOST_PARSED):
        return None
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return value if _are_messages(value) else None


def _chat(messages: Iterable[dict[str, Json]]) -> str:
    return "\n\n".join(f"{text(message['role'])}: {_content(message['content'])}" for message in messages)


def _content(content: Json) -> str:
    if isinstance(content, list):
        return "\n".join(_piece(piece) for piece in content)
    if isinstance(content, str):
        return _INLINE.sub(_named_inline, text(content))
    return "" if content is None else readable(content)


def _piece(piece: Json) -> str:
    if not isinstance(piece, dict):
        return readable(piece)
    if isinstance(piece.get("text"), str):
        return _content(piece["text"])
    kind = piece.get("type")
    return f"[{text(kind)}]" if isinstance(kind, str) else readable(piece)


def _choices(sample: Sample) -> list[str]:
    choices = sample.extra.get("choices")
    return [readable(each) for each in choices] if isinstance(choices, list) else []


def _likelihoods(values: Sequence[Json]) -> list[Likelihood]:
    """Read `[log-probability, is greedy]` pairs, one for each choice, as lm-eval saves them; of anything else, none."""
    found = [_likelihood(value) for value in values]
    return [each for each in found if each is not None] if None not in found else []


def _likelihood(value: Json) -> Likelihood | None:
    match value:
        case [str() | int() | float() as logarithm, "True" | "False" | bool() as greedy]:
            written = logarithm if isinstance(logarithm, str) else dumps(plain(logarithm))
        case _:
            return None
    try:
        return Likelihood(written=written, value=float(written), greedy=greedy in (True, "True"))
    except ValueError:
        return None


def _likeliest(likelihoods: Sequence[Likelihood]) -> int | None:
    values = [each.value for each in likelihoods]
    return None if any(math.isnan(value) for value in values) else values.index(max(values))


def _likelihood_lines(likelihoods: Sequence[Likelihood], choices: Sequence[str]) -> Iterable[str]:
    best = _likeliest(likelihoods) if len(likelihoods) > 1 else None
    for index, each in enumerate(likelihoods):
        mark = "→ " if index == best else "  " if len(likelihoods) > 1 else ""
        shown = f"{each.value:.4f}" if math.isfinite(each.value) else each.written
        choice = f"{choices[index].strip()}  " if index < len(choices) else ""
        yield f"{mark}{choice}log p {shown}{', greedy' if each.greedy else ''}"
