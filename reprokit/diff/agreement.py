"""How far a reproduction agrees with its original."""

from __future__ import annotations

from typing import Literal, NamedTuple

from reprokit.diff.difference import Difference, ScoreRow
from reprokit.diff.verdict import differs_in_results

Agreement = Literal["identical samples", "identical scores", "different", "not comparable"]
_NAMED = 3


class Agreed(NamedTuple):
    """The rung a reproduction reaches, and one line that says why not a higher one."""

    agreement: Agreement
    reason: str


def agreement(difference: Difference) -> Agreed:
    """Read off a comparison how far the second run reproduces the first.

    - `identical samples`: every sample of every task was saved by both and is equal in responses, answer and scores,
      and every metric has the same value
    - `identical scores`: every metric has the same value, and some samples differ or were not saved
    - `different`: some metric does not have the same value
    - `not comparable`: a side has no results, or they are not of the same tasks

    The set-up has no say in it.
    """
    obstacle = _obstacle(difference)
    if obstacle is not None:
        return Agreed("not comparable", obstacle)
    unequal = [row for row in difference.scores if not row.same]
    if unequal:
        return Agreed("different", _told(unequal, of=len(difference.scores)))
    doubt = _doubt(difference)
    if doubt is not None and not difference.scores:
        return Agreed("different", f"there are no metrics, and {doubt}")
    equal = f"all scores are equal ({len(difference.scores)})"
    if doubt is not None:
        return Agreed("identical scores", f"{equal}, but {doubt}")
    compared = sum(task.compared for task in difference.samples)
    return Agreed("identical samples", f"{equal}, and so are all samples ({compared})")


def _told(unequal: list[ScoreRow], *, of: int) -> str:
    names = [f"`{row.task}` {row.metric}" for row in unequal[:_NAMED]]
    if len(unequal) > _NAMED:
        names.append("…")
    return f"{len(unequal)} of {of} scores differ: {', '.join(names)}"


def _obstacle(difference: Difference) -> str | None:
    if not (difference.a.has_results and difference.b.has_results):
        both = difference.a.has_results == difference.b.has_results
        return "neither run has results" if both else "one of the runs has no results"
    unmatched = next((task for task in difference.comparability.tasks if task.status == "not"), None)
    if unmatched is not None:
        return f"task `{unmatched.task}`: {unmatched.reason}"
    return None if difference.comparability.tasks or difference.scores else "there is no task to compare"


def _doubt(difference: Difference) -> str | None:
    """Say what keeps the samples from being known to be identical, if anything does."""
    saved = {task.task for task in difference.samples if task.saved_in == "both" and task.compared}
    without = [task.task for task in difference.comparability.tasks if task.task not in saved]
    differing = [task for task in difference.samples if differs_in_results(task)]
    if differing:
        return f"samples of {', '.join(f'`{task.task}`' for task in differing)} differ"
    if without or not saved:
        return f"not both saved samples of {', '.join(f'`{name}`' for name in without) or 'any task'}"
    undecided = [
        task for task in difference.samples if task.unanswered or {"response", "answer"} & task.known_by_one.keys()
    ]
    if undecided:
        return f"not both saved the responses of {', '.join(f'`{task.task}`' for task in undecided)}"
    return None
