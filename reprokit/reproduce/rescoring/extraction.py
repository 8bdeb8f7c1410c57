"""The answer that lm-eval's filters take out of a model's responses.

Of its filters these are known: `take_first` (`lm_eval/filters/selection.py`) and `regex` (`RegexFilter` of
`lm_eval/filters/extraction.py`): the text of the chosen match, or of its first group that is not empty, without white
space around it. A task without filters has `take_first` alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json
from reprokit.reproduce.rescoring.patterns import usable

_FALLBACK = "[invalid]"
_USUAL_PATTERN = r"#### (\-?[0-9\.\,]+)"


def filters(config: dict[str, Json], name: str | None) -> list[dict[str, Json]] | None:
    """List the filters that were applied under a name; `None` when one is not known."""
    listed = config.get("filter_list")
    if listed is None:
        return [{"function": "take_first"}] if name == "none" else None
    named = [each for each in listed if isinstance(each, dict) and each.get("name") == name]
    steps = named[0].get("filter") if len(named) == 1 and isinstance(listed, list) else None
    if not isinstance(steps, list) or not steps or not all(_is_known(step) for step in steps):
        return None
    first = [step["function"] for step in steps].index("take_first") if steps[-1]["function"] == "take_first" else -1
    return steps if first == len(steps) - 1 else None


def extracted(steps: Sequence[dict[str, Json]], requests: Sequence[Sequence[Json]]) -> list[Json]:
    """Apply filters that end in `take_first`.

    Args:
        steps: the filters.
        requests: the responses to each request, one for every repeat.

    Returns:
        The answer to each request.

    Raises:
        UnsafePatternError: a pattern will not be tried.
    """
    answers: list[Json] = []
    for repeats in requests:
        answer = repeats[0]
        for step in steps[:-1]:
            answer = _match(step, answer if isinstance(answer, str) else "")
        answers.append(answer)
    return answers


def requests(sample: Sample, count: int, repeats: int) -> list[list[Json]] | None:
    """Give the responses of a sample back their form in lm-eval: for each request, one for every repeat."""
    responses = sample.responses
    if not responses:
        return None
    if count == 1:
        return [responses] if len(responses) == repeats else None
    if len(responses) != count:
        return None
    if repeats == 1:
        return [[response] for response in responses]
    whole = [response for response in responses if isinstance(response, list) and len(response) == repeats]
    return whole if len(whole) == count else None


def _is_known(step: Json) -> bool:
    if not isinstance(step, dict):
        return False
    if step.get("function") == "take_first":
        return set(step) <= {"function", "kwargs"} and not step.get("kwargs")
    return (
        step.get("function") == "regex"
        and set(step) <= {"function", "regex_pattern", "group_select", "fallback"}
        and isinstance(step.get("regex_pattern", _USUAL_PATTERN), str)
        and isinstance(step.get("fallback", _FALLBACK), str)
        and type(step.get("group_select", 0)) is int
    )


def _match(step: dict[str, Json], text: str) -> str:
    fallback: str = step.get("fallback", _FALLBACK)
    pattern: re.Pattern[str] = usable(step.get("regex_pattern", _USUAL_PATTERN), text)
    found = pattern.findall(text)
    if not found:
        return fallback
    try:
        match = found[step.get("group_select", 0)]
    except IndexError:
        return fallback
    if isinstance(match, tuple):
        match = next((group for group in match if group), fallback)
    return str(match).strip()
