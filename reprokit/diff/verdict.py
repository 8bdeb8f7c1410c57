"""What a comparison comes to, in a word and a line."""

from __future__ import annotations

from reprokit.diff.difference import Comparability, ScoreRow, TaskSamples, Verdict
from reprokit.diff.scores.rows import same_in_full
from reprokit.diff.setup.facts import Weighed

SAME = "it is the same bundle"
_OF_THE_MODEL = ("response", "answer", "score")
_OF_THE_TASK = ("document", "prompt", "target")


def alone(samples: TaskSamples) -> int:
    """Count the samples that only one side has, of a task of which both saved samples."""
    return samples.only_in_a + samples.only_in_b if samples.saved_in == "both" else 0


def differs_in_results(samples: TaskSamples) -> bool:
    """Tell whether any response, answer or score differs, or a sample is missing."""
    return bool(alone(samples)) or any(samples.changed.get(stage) for stage in _OF_THE_MODEL)


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _what_differs(scores: list[ScoreRow], samples: list[TaskSamples]) -> str:
    other = sum(not row.same for row in scores)
    differing = sum(task.differing for task in samples)
    compared = sum(task.compared for task in samples)
    missing = sum(alone(task) for task in samples)
    words = [f"{other} of {len(scores)} scores differ"] if other else ["scores equal" if scores else ""]
    if differing:
        words.append(f"{differing} of {compared} samples differ")
    if missing:
        words.append(f"{_number(missing, 'sample')} in only one of them")
    return ", ".join(word for word in words if word)


def _what_is_equal(scores: list[ScoreRow], samples: list[TaskSamples]) -> str:
    compared = sum(task.compared for task in samples)
    parts = [_number(count, word) for count, word in ((len(scores), "score"), (compared, "sample")) if count]
    words = f"{' and '.join(parts)} equal" if parts else "no results on either side"
    if any(task.known_by_one for task in samples):
        words += " in what both saved"
    return words if compared or not scores else f"{words}, no samples to compare"


def _reservations(set_up: Weighed, scores: list[ScoreRow], samples: list[TaskSamples]) -> list[str]:
    """Say what keeps equal results from being an identical run."""
    found = []
    if set_up.changes:
        found.append(f"the set-up differs in {_number(len(set_up.changes), 'place')}")
    asked = sum(task.changed.get(stage, 0) > 0 for task in samples for stage in _OF_THE_TASK)
    if asked:
        found.append("what was asked differs")
    if not all(same_in_full(row) for row in scores):
        found.append("standard errors or numbers of samples differ")
    if any(task.known_by_one for task in samples):
        found.append("of some samples only one of them saved everything")
    if any(task.saved_in != "both" for task in samples):
        found.append("some of the samples were saved by only one of them")
    one_sided = sum(item.unknown_in != "both" for item in set_up.not_compared)
    if one_sided:
        found.append(f"{_number(one_sided, 'fact')} of the set-up known of only one of them")
    return found


def judge(
    *,
    same_bundle: bool,
    with_results: int,
    comparability: Comparability,
    set_up: Weighed,
    scores: list[ScoreRow],
    samples: list[TaskSamples],
) -> tuple[Verdict, str]:
    """Judge a comparison; gives the verdict and one line that says why.

    `with_results` counts the sides that have results. Identical runs differ in nothing that is known of either; where
    something is known of one side only, no more is claimed than that the results are the same.
    """
    if same_bundle:
        return "identical", SAME
    if with_results < 2:  # noqa: PLR2004 - a comparison has two sides
        return "not comparable", "only one of them has results" if with_results else "neither has results"
    if comparability.status == "not":
        return "not comparable", comparability.reason
    if not all(row.same for row in scores) or any(differs_in_results(task) for task in samples):
        return "different", _what_differs(scores, samples)
    equal = _what_is_equal(scores, samples)
    reservations = _reservations(set_up, scores, samples)
    if reservations:
        return "same results", f"{equal}; {', '.join(reservations)}"
    unknown = len(set_up.not_compared)
    if unknown:
        return "identical", f"{equal}; {_number(unknown, 'fact')} of the set-up not known of either"
    return "identical", f"{equal}, set-up equal"
