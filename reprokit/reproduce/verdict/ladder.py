"""How far a reproduction agrees with its original, as a rung of one ladder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

from msgspec import Struct

from reprokit.diff.difference import Difference, Outcome, ScoreRow
from reprokit.diff.verdict import OF_THE_TASK, differs_in_results
from reprokit.reproduce.verdict import wording
from reprokit.reproduce.verdict.wording import Detectable

Agreement = Literal[
    "identical bytes",
    "identical samples",
    "identical scores",
    "equivalent",
    "inconclusive",
    "different",
    "not comparable",
]

LADDER: tuple[Agreement, ...] = get_args(Agreement)
"""The rungs, the highest first."""

HINT = "`--margin` says how small a difference does not matter, such as `--margin acc=0.01`"
_NUMBER_OF_SAMPLES = "number of samples"


class Agreed(Struct, frozen=True, kw_only=True):
    """The rung a reproduction reaches, and one line that says why not a higher one.

    `detectable` is what is known of the score that the reason names, where it was tested.
    """

    agreement: Agreement
    reason: str
    hint: str | None = None
    detectable: Detectable | None = None


def at_least_equivalent(agreement: Agreement) -> bool:
    """Tell whether a run counts as reproduced: exit 0 then, and only then."""
    return LADDER.index(agreement) <= LADDER.index("equivalent")


def agreement(difference: Difference) -> Agreed:
    """Read off a comparison how far the second run reproduces the first.

    - `identical bytes`: never; only who compares bytes can say that
    - `identical samples`: every sample of every task was saved by both and is equal in document, prompt, target,
      responses, answer and scores, and every metric has the same value
    - `identical scores`: every metric has the same value, and some samples differ or were not saved
    - `equivalent`: every metric that differs does so by less than the margin that was asked for, by two one-sided tests
    - `inconclusive`: some metric differs, none by more than chance explains, and equivalence was not shown
    - `different`: some metric differs by more than chance explains, or without a test, or samples are missing
    - `not comparable`: a side has no results, or they are not of the same tasks

    What is said of scores that are not equal is what `diff` found, adjusted over all scores; no rung is higher than its
    verdict. The set-up has no say.
    """
    obstacle = _obstacle(difference)
    if obstacle is not None:
        return Agreed(agreement="not comparable", reason=obstacle)
    number = _other_number(difference)
    match difference.verdict:
        case "not comparable":
            return Agreed(agreement="not comparable", reason=difference.reason)
        case "different":
            return _different(difference)
        case _ if number is not None:
            return Agreed(agreement="different", reason=number)
        case "inconclusive":
            return inconclusive(difference, _that_differ(difference, "inconclusive"), difference.reason)
        case "equivalent":
            return equivalent(_that_differ(difference, "equivalent"), difference.reason)
        case "identical" | "same results" | "same scores":
            return _equal(difference)


def _obstacle(difference: Difference) -> str | None:
    if not (difference.a.has_results and difference.b.has_results):
        both = difference.a.has_results == difference.b.has_results
        return "neither run has results" if both else "one of the runs has no results"
    unmatched = next((task for task in difference.comparability.tasks if task.status == "not"), None)
    if unmatched is not None:
        return f"task `{unmatched.task}`: {unmatched.reason}"
    return None if difference.comparability.tasks or difference.scores else "there is no task to compare"


def _other_number(difference: Difference) -> str | None:
    """Say where the two runs are over other numbers of samples, which were not saved by both to be held together."""
    for task in difference.comparability.tasks:
        if _NUMBER_OF_SAMPLES in task.differs:
            return f"task `{task.task}`: the number of samples is not the same"
    paired = {task.task for task in difference.samples if task.saved_in == "both"}
    for row in difference.scores:
        sizes = [mark.n for mark in (row.a, row.b) if mark is not None and mark.n is not None]
        if not row.group and row.task not in paired and len(set(sizes)) > 1:
            return f"{wording.named(row)} is over {sizes[0]} samples in the original and {sizes[1]} in the new run"
    return None


def _different(difference: Difference) -> Agreed:
    worst = min(_that_differ(difference, "different", "not compared"), key=_by_gravity, default=None)
    return Agreed(
        agreement="different",
        reason=difference.reason if worst is None else f"{difference.reason}; {wording.different(worst)}",
        detectable=_detectable(worst),
    )


def inconclusive(difference: Difference, rows: Iterable[ScoreRow], reason: str) -> Agreed:
    """Give the rung of scores that differ, and of which neither equivalence nor a difference was shown.

    Args:
        difference: what they are of.
        rows: the scores; what is known of the one nearest to a difference that chance does not explain is told.
        reason: what is said first.
    """
    worst = min(rows, key=_by_gravity, default=None)
    asked = difference.asked
    return Agreed(
        agreement="inconclusive",
        reason=reason if worst is None else f"{reason}; {wording.inconclusive(worst, difference)}",
        hint=HINT if asked.margin is None and not asked.margins else None,
        detectable=_detectable(worst),
    )


def equivalent(rows: Iterable[ScoreRow], reason: str) -> Agreed:
    """Give the rung of scores that were shown to be within their margins; of the one that is nearest to its, why."""
    nearest = max(rows, key=_nearness, default=None)
    return Agreed(
        agreement="equivalent",
        reason=reason if nearest is None else f"{reason}; {wording.equivalent(nearest)}",
        detectable=_detectable(nearest),
    )


def _detectable(row: ScoreRow | None) -> Detectable | None:
    return None if row is None or row.inference is None else wording.detectable(row, row.inference)


def _that_differ(difference: Difference, *outcomes: Outcome) -> list[ScoreRow]:
    return [row for row in difference.scores if row.outcome in outcomes and not row.same]


def _by_gravity(row: ScoreRow) -> tuple[bool, float, float, float]:
    """Order scores: those that one run lacks, then by what the tests say, then by size."""
    found = row.inference
    adjusted = 1.0 if found is None or found.p_adjusted is None else found.p_adjusted
    p = 1.0 if found is None or found.p is None else found.p
    return row.a is not None and row.b is not None, adjusted, p, -abs(row.difference or 0.0)


def _nearness(row: ScoreRow) -> float:
    within = None if row.inference is None else row.inference.equivalence
    return -math.inf if within is None else within.p


def _equal(difference: Difference) -> Agreed:
    doubt = _doubt(difference)
    if doubt is not None and not difference.scores:
        return Agreed(agreement="different", reason=f"there are no metrics, and {doubt}")
    equal = f"all scores are equal ({len(difference.scores)})" if difference.scores else "there are no metrics"
    if doubt is not None:
        return Agreed(agreement="identical scores", reason=f"{equal}, but {doubt}")
    compared = sum(task.compared for task in difference.samples)
    also = f"{equal}, and so are all samples ({compared})" if difference.scores else f"{equal}, and all samples"
    return Agreed(agreement="identical samples", reason=also if difference.scores else f"{also} are equal ({compared})")


def _doubt(difference: Difference) -> str | None:
    """Say what keeps the samples from being known to be identical, if anything does."""
    saved = {task.task for task in difference.samples if task.saved_in == "both" and task.compared}
    without = [task.task for task in difference.comparability.tasks if task.task not in saved]
    differing = [task for task in difference.samples if differs_in_results(task)]
    if differing:
        return f"samples of {_listed(task.task for task in differing)} differ"
    asked = [task for task in difference.samples if any(task.changed.get(stage) for stage in OF_THE_TASK)]
    if asked:
        stages = [stage for stage in OF_THE_TASK if any(task.changed.get(stage) for task in asked)]
        return f"the {' and the '.join(stages)} of samples of {_listed(task.task for task in asked)} differ"
    if without or not saved:
        return f"not both saved samples of {_listed(without) or 'any task'}"
    undecided = [
        task for task in difference.samples if task.unanswered or {"response", "answer"} & task.known_by_one.keys()
    ]
    return f"not both saved the responses of {_listed(task.task for task in undecided)}" if undecided else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
