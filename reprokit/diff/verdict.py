"""What a comparison comes to, in a word and a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from reprokit.diff.difference import Asked, Comparability, Difference, ScoreRow, TaskSamples, Verdict
from reprokit.diff.scores.outcome import is_beyond_chance, regressions
from reprokit.diff.scores.rows import same_in_full
from reprokit.diff.setup.facts import Weighed
from reprokit.errors import ExitCode

FailOn = Literal["difference", "regression"]

SAME = "it is the same bundle"
_EQUAL: frozenset[Verdict] = frozenset({"identical", "same results", "same scores", "equivalent"})
_OF_THE_MODEL = ("response", "answer", "score")
OF_THE_TASK = ("document", "prompt", "target")


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """What a verdict rests on. `with_results` counts the sides that have results."""

    same_bundle: bool
    with_results: int
    comparability: Comparability
    set_up: Weighed
    scores: list[ScoreRow]
    samples: list[TaskSamples]
    asked: Asked


def alone(samples: TaskSamples) -> int:
    """Count the samples that only one side has, of a task of which both saved samples."""
    return samples.only_in_a + samples.only_in_b if samples.saved_in == "both" else 0


def differs_in_results(samples: TaskSamples) -> bool:
    """Tell whether any response, answer or score differs, or a sample is missing."""
    return bool(alone(samples)) or any(samples.changed.get(stage) for stage in _OF_THE_MODEL)


def counted(count: int, word: str) -> str:
    """Write a number of things."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _sum(samples: list[TaskSamples], stage: str) -> int:
    return sum(task.changed.get(stage, 0) for task in samples)


def _samples_that_differ(samples: list[TaskSamples]) -> list[str]:
    differing = sum(task.differing for task in samples)
    compared = sum(task.compared for task in samples)
    missing = sum(alone(task) for task in samples)
    words = [f"{differing} of {counted(compared, 'sample')} differ"] if differing else []
    return [*words, f"{counted(missing, 'sample')} in only one of them"] if missing else words


def _scores_that_differ(scores: list[ScoreRow], asked: Asked, *, of_the_same: bool) -> str:
    """Count the scores that differ, and say whether it matters; of other samples chance says nothing."""
    alone = sum(row.a is None or row.b is None for row in scores)
    only = f", {counted(alone, 'score')} in only one of them" if alone else ""
    differing = [row for row in scores if not row.same and row.a is not None and row.b is not None]
    if not differing:
        return ("scores equal" if len(scores) > alone else "no score in common") + only if scores else ""
    outcomes = Counter(row.outcome for row in differing)
    beyond = sum(row.outcome == "different" and is_beyond_chance(row, asked) for row in differing)
    told = f"{len(differing)} of {len(scores) - alone} scores differ{only}"
    within = outcomes["equivalent"]
    margins = sorted(
        {row.inference.equivalence.margin for row in differing if row.inference and row.inference.equivalence}
    )
    less = f"by less than {' or '.join(f'{margin:g}' for margin in margins)}"
    if within == len(differing):
        return f"{told}, {less}"
    notes = [f"{beyond} by more than chance explains"] if beyond else []
    notes += [f"{within} {less}"] if within else []
    untested = outcomes["different"] - beyond
    if of_the_same and not beyond and outcomes["inconclusive"]:
        notes.append("none by more than chance explains" if not untested else f"{untested} of them without a test")
    return ", ".join([told, *notes])


def _responses_that_differ(samples: list[TaskSamples]) -> str:
    """Say what differs under equal scores: what the model said, or else what was made of it."""
    words = [f"{counted(_sum(samples, 'response'), 'response')} differ"] if _sum(samples, "response") else []
    scored, answers = _sum(samples, "score"), _sum(samples, "answer")
    if answers and not words:
        words.append(f"{counted(answers, 'extracted answer')} differ")
    if scored:
        words.append(f"{counted(scored, 'sample')} scored differently")
    return ", ".join(words).replace("1 response differ", "1 response differs") if words else ""


def _what_is_equal(scores: list[ScoreRow], samples: list[TaskSamples]) -> str:
    compared = sum(task.compared for task in samples)
    parts = [counted(count, word) for count, word in ((len(scores), "score"), (compared, "sample")) if count]
    words = f"{' and '.join(parts)} equal" if parts else "no results on either side"
    if any(task.known_by_one for task in samples):
        words += " in what both saved"
    return words if compared or not scores else f"{words}, no samples to compare"


def _reservations(grounds: Grounds) -> list[str]:
    """Say what keeps equal results from being an identical run."""
    set_up, samples = grounds.set_up, grounds.samples
    found = []
    if set_up.changes:
        found.append(f"the set-up differs in {counted(len(set_up.changes), 'place')}")
    if any(_sum(samples, stage) for stage in OF_THE_TASK):
        found.append("what was asked differs")
    if not all(same_in_full(row) for row in grounds.scores):
        found.append("standard errors or numbers of samples differ")
    if any(task.known_by_one for task in samples):
        found.append("of some samples only one of them saved everything")
    if any(task.saved_in != "both" for task in samples):
        found.append("some of the samples were saved by only one of them")
    one_sided = sum(item.unknown_in != "both" for item in set_up.not_compared)
    if one_sided:
        found.append(f"{counted(one_sided, 'fact')} of the set-up known of only one of them")
    return found


def _equal(grounds: Grounds) -> tuple[Verdict, str]:
    equal = _what_is_equal(grounds.scores, grounds.samples)
    reservations = _reservations(grounds)
    if reservations:
        return "same results", f"{equal}; {', '.join(reservations)}"
    unknown = len(grounds.set_up.not_compared)
    if unknown:
        return "identical", f"{equal}; {counted(unknown, 'fact')} of the set-up not known of either"
    return "identical", f"{equal}, set-up equal"


def _differing(grounds: Grounds) -> Verdict:
    """Say what differing scores come to: nothing is excused of which nothing is known."""
    outcomes = {row.outcome for row in grounds.scores if not row.same}
    if not outcomes or not outcomes <= {"equivalent", "inconclusive"} or _is_apart(grounds):
        return "different"
    return "equivalent" if outcomes == {"equivalent"} else "inconclusive"


def _is_apart(grounds: Grounds) -> bool:
    """Tell whether samples or whole tasks of one side have no counterpart on the other."""
    return any(map(alone, grounds.samples)) or bool(_incomparable(grounds.comparability))


def _incomparable(comparability: Comparability) -> int:
    return sum(task.status == "not" for task in comparability.tasks)


def judge(grounds: Grounds) -> tuple[Verdict, str]:
    """Judge a comparison; gives the verdict and one line that says why.

    - `identical`: nothing differs that is known of either; where something is known of one side only, no more is
      claimed than `same results`
    - `same results`: scores, responses and answers are the same, and the set-up is not
    - `same scores`: every score is the same, and some samples are not
    - `equivalent`: every score that differs does so by less than the margin, by two one-sided tests
    - `inconclusive`: scores differ, none by more than chance in the choice of samples explains
    - `different`: some score differs by more, or without anything to test it with, or samples are missing
    - `not comparable`: other questions were asked, or a side has no results
    """
    scores, samples = grounds.scores, grounds.samples
    if grounds.same_bundle:
        return "identical", SAME
    if grounds.with_results < 2:  # noqa: PLR2004 - a comparison has two sides
        return "not comparable", "only one of them has results" if grounds.with_results else "neither has results"
    if grounds.comparability.status == "not":
        return "not comparable", grounds.comparability.reason
    scores_equal, apart = all(row.same for row in scores), _is_apart(grounds)
    if scores_equal and not apart and not any(differs_in_results(task) for task in samples):
        return _equal(grounds)
    if scores and scores_equal and not apart:
        return "same scores", _responses_that_differ(samples)
    incomparable = _incomparable(grounds.comparability)
    words = [_scores_that_differ(scores, grounds.asked, of_the_same=not apart), *_samples_that_differ(samples)]
    words += [f"{counted(incomparable, 'task')} not comparable"] if incomparable else []
    return _differing(grounds), ", ".join(word for word in words if word)


def headline(verdict: Verdict, reason: str) -> str:
    """Write verdict and reason as one line."""
    return f"{verdict}, {reason}" if verdict == "same scores" else f"{verdict}: {reason}"


def exit_code(difference: Difference, fail_on: FailOn = "difference") -> ExitCode:
    """Give the exit code of a comparison.

    Args:
        difference: the comparison.
        fail_on: `difference`: 0 for scores that are the same or equivalent, else 1; `regression`: 1 only when a score
            got worse by more than chance explains, and than the margin; when a score or a sample is gone; when
            something is not comparable; or when samples differ and there is no score to tell how.
    """
    if fail_on == "regression":
        failed = _lost_something(difference) or bool(regressions(difference.scores))
    else:
        failed = difference.verdict not in _EQUAL
    return ExitCode.DIFFERENCES if failed else ExitCode.FINE


def _lost_something(difference: Difference) -> bool:
    """Tell whether there is less to see in b than in a, or too little to tell whether it got worse."""
    gone = any(task.only_in_a for task in difference.samples)
    apart = difference.verdict == "not comparable" or bool(_incomparable(difference.comparability))
    blind = not any(row.a is not None and row.b is not None for row in difference.scores)
    return gone or apart or (blind and difference.verdict not in _EQUAL)
