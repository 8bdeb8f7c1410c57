"""What a model's responses look like when something went wrong: nothing in them, or log-probabilities of `nan`.

A log-probability stands in a response as lm-eval saves it, `["-1.25", "False"]`: the number as text, and whether the
answer is what greedy decoding gives. The word `nan` that a model wrote is text like any other.
"""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.values import Json

_FLAGS = ("True", "False")
_PAIR = 2


def is_empty(responses: list[Json]) -> bool:
    """Tell whether there are responses and all of them are text without a letter in it.

    No response at all is not empty: the harness did not save any.
    """
    if len(responses) == 1 and type(responses[0]) is str:
        return not responses[0] or responses[0].isspace()
    found = False
    for leaf in _leaves(responses):
        if type(leaf) is not str or (leaf and not leaf.isspace()):
            return False
        found = True
    return found


def holds_nan(responses: list[Json], *, numbers: bool) -> bool:
    """Tell whether a log-probability among the responses is `nan`.

    Args:
        responses: a sample's responses.
        numbers: all text in them is numbers: the task asks for log-likelihoods, and never for text.
    """
    waiting: list[Json] = [responses]
    while waiting:
        value = waiting.pop()
        if type(value) is list:
            if len(value) == _PAIR and value[1] in _FLAGS:
                if value[0] == "nan":
                    return True
            else:
                waiting.extend(value)
        elif type(value) is dict:
            if value.get("not_scored") == "nan" and len(value) == 1:
                return True
        elif numbers and value == "nan":
            return True
    return False


def _leaves(value: Json) -> Iterator[Json]:
    """Yield what stands in nested lists, however deep."""
    waiting: list[Json] = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is list:
            waiting.extend(item)
        else:
            yield item
