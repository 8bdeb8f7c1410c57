"""The samples of a run scored again one by one, and what is remembered of them: sums, never the samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from reprokit.bundle.record import Record
from reprokit.bundle.results import Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, as_number
from reprokit.consistency.definitions import Tallies
from reprokit.consistency.moments import agree
from reprokit.consistency.tally import Tally
from reprokit.reproduce.rescoring.definitions import Definition, definitions
from reprokit.reproduce.rescoring.extraction import extracted, filters, requests
from reprokit.reproduce.rescoring.marks import Mark, NotMarkedError
from reprokit.reproduce.rescoring.patterns import UnsafePatternError
from reprokit.reproduce.rescoring.values import NAMED, ChangedSample

_KEPT_OUT = "the answers were kept out of the bundle"


@dataclass(kw_only=True)
class Recount:
    """One metric of one task and filter: sums over the marks computed again. `obstacle` says why there are none."""

    total: float = 0.0
    weight: float = 0.0
    count: int = 0
    largest: float = 0.0
    obstacle: str = ""

    def add(self, mark: Mark) -> None:
        """Take in a mark."""
        self.total += mark.value
        self.weight += mark.weight
        self.count += 1
        self.largest = max(self.largest, abs(mark.value))

    def score(self, definition: Definition) -> float | None:
        """Make the score of all marks; `None` when it is no number."""
        try:
            value = definition.aggregate(self.total, self.weight, self.count)
        except (OverflowError, ZeroDivisionError):
            return None
        return value if math.isfinite(value) else None


@dataclass(kw_only=True)
class Recounts:
    """All samples of a run that were seen."""

    record: Record
    results: Results
    tallies: Tallies = field(default_factory=dict)
    by_key: dict[tuple[str, str | None], dict[str, Recount]] = field(default_factory=dict)
    rescored: int = 0
    changed_samples: int = 0
    changed: list[ChangedSample] = field(default_factory=list)

    def definitions(self, task: Task) -> tuple[dict[str, Definition], str]:
        """See `definitions.definitions`."""
        return definitions(task, self.record)

    def see(self, sample: Sample, task: Task, known: dict[str, Definition]) -> None:
        """Score a sample again, and hold what comes out against what was saved."""
        key = (sample.task, sample.filter)
        tally = self.tallies.setdefault(key, Tally(likelihoods=False))
        tally.add(sample)
        if not known:
            return
        recounts = self.by_key.setdefault(key, {name: Recount() for name in known})
        answers, changes = self._answers(sample, task, recounts)
        marked = False
        for name, definition in known.items() if answers is not None else ():
            recount = recounts[name]
            if recount.obstacle:
                continue
            try:
                mark = definition.mark(sample, answers or [])
            except (NotMarkedError, UnsafePatternError) as error:
                recount.obstacle = str(error)
                continue
            recount.add(mark)
            marked = True
            changes += _difference(sample, name, definition, mark)
        self.rescored += marked
        self.changed_samples += bool(changes)
        self.changed += changes[: max(0, NAMED - len(self.changed))]

    def _answers(
        self, sample: Sample, task: Task, recounts: dict[str, Recount]
    ) -> tuple[list[Json] | None, list[ChangedSample]]:
        """Take the answers out of the responses, or where it is not known how, as they were saved."""
        answers, obstacle = _again(sample, task)
        saved = _saved(sample)
        if answers is None:
            answers = saved
            if saved is None:
                for recount in recounts.values():
                    recount.obstacle = recount.obstacle or obstacle
            return answers, []
        if saved is None or answers == saved:
            return answers, []
        recorded, again = (each[0] if len(each) == 1 else each for each in (saved, answers))
        return answers, [_changed(sample, "answer", recorded, again)]


def _requests(sample: Sample) -> int:
    choices = sample.extra.get("choices")
    return len(choices) if isinstance(choices, list) and choices else 1


def _again(sample: Sample, task: Task) -> tuple[list[Json] | None, str]:
    config: dict[str, Json] = task.config
    steps = filters(config, sample.filter)
    repeats = config.get("repeats", 1)
    if not sample.responses or sample.responses_digest is not None:
        return None, _KEPT_OUT
    asked = requests(sample, _requests(sample), repeats if type(repeats) is int else 1)
    if steps is None or asked is None:
        return None, "how the answer was taken out of the response is not known"
    try:
        return extracted(steps, asked), ""
    except UnsafePatternError as error:
        return None, str(error)


def _saved(sample: Sample) -> list[Json] | None:
    """List the answers as they were saved, one for each request."""
    if sample.answer is None:
        return None
    count = _requests(sample)
    if count == 1:
        return [sample.answer]
    return sample.answer if isinstance(sample.answer, list) and len(sample.answer) == count else None


def _difference(sample: Sample, name: str, definition: Definition, mark: Mark) -> list[ChangedSample]:
    """Compare a mark with the one that was saved."""
    if name not in sample.scores:
        return []
    if definition.is_structure:
        saved = sample.extra.get(name)
        pair = [mark.value, mark.weight]
        if isinstance(saved, list) and len(saved) == len(pair) and all(map(_same, saved, pair)):
            return []
        return [_changed(sample, name, saved, pair)]
    recorded = as_number(sample.scores[name])
    if recorded is not None and agree(recorded, mark.value, abs(mark.value)):
        return []
    undefined = recorded is None and not math.isfinite(mark.value)
    return [] if undefined else [_changed(sample, name, sample.scores[name], mark.value)]


def _same(saved: Json, again: float) -> bool:
    return isinstance(saved, int | float) and agree(float(saved), again, abs(again))


def _changed(sample: Sample, what: str, recorded: Json, recomputed: Json) -> ChangedSample:
    return ChangedSample(
        task=sample.task,
        id=sample.id,
        epoch=sample.epoch,
        filter=sample.filter,
        what=what,
        recorded=recorded,
        recomputed=recomputed,
    )
