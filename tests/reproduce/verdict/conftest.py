"""Runs that were never on a disk, with marks that a test draws."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec
import pytest

from reprokit.bundle import canonical
from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored

_IDENTITIES = count(1)
RECORD = Record(
    origin="live",
    invocation=Invocation(
        argv=["toy_eval", "--temperature", "0.7"],
        program="/home/ada/venv/bin/toy_eval",
        program_in="environment",
        working_directory="/home/ada/evals",
        environment_variables=[],
    ),
    run=Run(started="2026-11-23T03:15:47Z", ended="2026-11-23T03:16:47Z", exit_code=0, complete=True, host="box"),
    harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
    subject=Subject(models=[SubjectPart(name="toy-org/tiny", revision="a" * 40, learnt_from="cache")]),
    sources=[],
)


@dataclass(frozen=True)
class Info:
    """The part of `bag-info.txt` that a comparison reads."""

    bundle_id: str


@dataclass(frozen=True, kw_only=True)
class Held:
    """A bundle of values."""

    samples: Mapping[str, Sequence[Sample]]
    results: Results
    identity: str
    record: Record = RECORD
    environment: None = None
    sources: list[Any] = field(default_factory=list)

    @property
    def info(self) -> Info:
        """Its name."""
        return Info(f"20261123T031547Z-toy-{self.identity[-8:]}")

    def tasks(self) -> list[str]:
        """Name the tasks with samples."""
        return list(self.samples)

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the lines of samples of a task."""
        return map(canonical.line, self.samples[task])


def a_sample(number: int | str, *, task: str = "toy", scores: Mapping[str, Any] | None = None, **more: Any) -> Sample:
    """A sample of which everything was saved; the response follows from the scores."""
    scores = {"acc": 1.0} if scores is None else dict(scores)
    sample = Sample(
        task=task,
        id=number,
        document={"question": f"q{number}"},
        prompt=f"Question: q{number}",
        target="A",
        responses=[str(scores)],
        answer=str(scores),
        scores=scores,
    )
    return msgspec.structs.replace(sample, **more)


def the_means(task: str, samples: Iterable[Sample], times: float = 1.0) -> Iterator[Metric]:
    """Scores that are the means of the marks, as a harness reports them."""
    marks: dict[tuple[str, str | None], list[float]] = {}
    for sample in samples:
        for name, score in sample.scores.items():
            if not isinstance(score, NotScored):
                marks.setdefault((name, sample.filter), []).append(float(score))
    for (name, extraction), values in marks.items():
        yield Metric(
            task=task,
            metric=name,
            filter=extraction,
            value=times * math.fsum(values) / len(values),
            n=len(values),
            higher_is_better=True,
        )


def a_run(
    samples: Mapping[str, Sequence[Sample]], *, metrics: list[Metric] | None = None, times: float = 1.0, **more: Any
) -> Held:
    """A run with these samples; without metrics of its own, its scores are the means of their marks."""
    honest = [metric for task, rows in samples.items() for metric in the_means(task, rows, times)]
    tasks = [
        Task(name=task, version="1.0", n_shot=0, samples_claimed=len({row.id for row in rows}))
        for task, rows in samples.items()
    ]
    results = Results(metrics=honest if metrics is None else metrics, tasks=tasks)
    return dataclasses.replace(
        Held(samples=samples, results=results, identity=f"sha256:{next(_IDENTITIES):064x}"), **more
    )


def of_marks(**marks: Any) -> Held:
    """A run whose samples got these marks: `of_marks(toy=[1, 0])`, or `of_marks(toy={"acc": [1, 0]})`."""
    samples = {}
    for task, given in marks.items():
        named = given if isinstance(given, dict) else {"acc": given}
        size = len(next(iter(named.values())))
        samples[task] = [
            a_sample(number, task=task, scores={name: float(values[number]) for name, values in named.items()})
            for number in range(size)
        ]
    return a_run(samples)


@dataclass(frozen=True)
class Makers:
    """The functions above, for tests to call."""

    run: Callable[..., Held] = a_run
    sample: Callable[..., Sample] = a_sample
    marks: Callable[..., Held] = of_marks
    means: Callable[..., Iterator[Metric]] = the_means


@pytest.fixture(scope="session")
def make() -> Makers:
    """Give the functions that make runs and their parts."""
    return Makers()
