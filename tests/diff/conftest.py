"""Bundles that were never on a disk: what a comparison needs, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.record import (
    Harness,
    Invocation,
    Output,
    Record,
    Run,
    SourceSummary,
    Subject,
    SubjectPart,
    Variable,
)
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.source import Source
from reprokit.diff.samples.fingerprint import plain


@dataclass(frozen=True, kw_only=True)
class Info:
    """The part of `bag-info.txt` that a comparison reads."""

    bundle_id: str


@dataclass(frozen=True, kw_only=True)
class InMemory:
    """A bundle of values. `streams` gives the samples of each task, afresh each time it is asked."""

    record: Record
    results: Results
    environment: Environment | None = None
    sources: list[Source] = field(default_factory=list)
    streams: dict[str, Callable[[], Iterable[Sample]]] = field(default_factory=dict)
    identity: str = "sha256:" + "0" * 64

    @property
    def info(self) -> Info:
        """Its name."""
        return Info(bundle_id=f"20261123T031547Z-toy-{self.identity[7:15]}")

    def tasks(self) -> list[str]:
        """Name the tasks with samples."""
        return list(self.streams)

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the lines of samples of a task, as a bundle holds them: a score that is no number is a reason."""
        for sample in self.streams[task]():
            scores = {name: plain(score) for name, score in sample.scores.items()}
            yield canonical.line(msgspec.structs.replace(sample, scores=scores))


def a_source(root: str = "/home/ada/my-evals", **changes: Any) -> Source:
    """A clean checkout."""
    source = Source(
        name=root.rsplit("/", 1)[1],
        root=root,
        commit="c" * 40,
        tree="d" * 40,
        swhid="swh:1:dir:" + "d" * 40,
        dirty=False,
    )
    return msgspec.structs.replace(source, **changes)


def an_environment(prefix: str = "/home/ada/venv", **changes: Any) -> Environment:
    """An environment that a probe saw."""
    environment = Environment(
        learnt_from="probe",
        interpreter=Interpreter(
            executable=f"{prefix}/bin/python",
            prefix=prefix,
            base_prefix="/usr",
            version="3.11.7",
            implementation="cpython",
        ),
        packages=[
            Package(name="lm_eval", version="0.4.13", record_digest="sha256:" + "1" * 64),
            Package(name="torch", version="2.13.0", record_digest="sha256:" + "2" * 64),
        ],
        platform={"system": "Linux", "kernel": "6.1.0"},
        hardware={"cpu": "Toy CPU", "memory_bytes": 1 << 33},
    )
    return msgspec.structs.replace(environment, **changes)


def a_record(
    argv: list[str] | None = None,
    *,
    home: str = "/home/ada/my-evals",
    outputs: list[Output] | None = None,
    claims: dict[str, Any] | None = None,
    variables: dict[str, str] | None = None,
    invocation: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    **changes: Any,
) -> Record:
    """The record of a run in the checkout at `home`."""
    asked = Invocation(
        argv=argv or ["lm_eval", "run", "--tasks", "toy", "--limit", "4"],
        program="/home/ada/venv/bin/lm_eval",
        program_in="environment",
        working_directory=home,
        source=home.rsplit("/", 1)[1],
        environment_variables=[Variable(name=name, value=value) for name, value in (variables or {}).items()],
        outputs=outputs or [],
    )
    happened = Run(started="2026-11-23T03:15:47Z", ended="2026-11-23T03:16:47Z", exit_code=0, complete=True, host="box")
    record = Record(
        origin="live",
        invocation=msgspec.structs.replace(asked, **(invocation or {})),
        run=msgspec.structs.replace(happened, **(run or {})),
        harness=Harness(name="lm_eval", version="0.4.13", version_from="environment", claims=claims or {}),
        subject=Subject(models=[SubjectPart(name="toy-org/tiny", revision="a" * 40, learnt_from="cache")]),
        sources=[
            SourceSummary(
                name=home.rsplit("/", 1)[1], record="source/x.json", commit="c" * 40, tree="d" * 40, dirty=False
            )
        ],
    )
    return msgspec.structs.replace(record, **changes)


def a_sample(
    number: int | str, *, task: str = "toy", response: str | None = None, acc: Any = None, **more: Any
) -> Sample:
    """A sample of which everything was saved."""
    digest = hashlib.sha256(repr(number).encode()).hexdigest()
    sample = Sample(
        task=task,
        id=number,
        document={"question": f"q{number}"},
        document_digest=f"sha256:{digest}",
        prompt=f"Question: q{number}",
        prompt_digest=f"sha256:{digest[::-1]}",
        target="A",
        responses=[f"r{number}" if response is None else response],
        answer=f"r{number}" if response is None else response,
        scores={"acc": (1.0 if acc is None else acc)},
    )
    return msgspec.structs.replace(sample, **more)


def a_side(
    samples: dict[str, Iterable[Sample]] | Iterable[Sample] | None = None,
    *,
    metrics: list[Metric] | None = None,
    tasks: list[Task] | None = None,
    record: Record | None = None,
    environment: Environment | None = None,
    sources: list[Source] | None = None,
    identity: str | None = None,
) -> InMemory:
    """A side of one task `toy` with four right answers, changed as asked; each has an identity of its own."""
    if samples is None:
        samples = [a_sample(number) for number in range(4)]
    by_task = samples if isinstance(samples, dict) else {"toy": list(samples)}
    if metrics is None:
        metrics = [Metric(task=task, metric="acc", value=0.5, stderr=0.25, higher_is_better=True) for task in by_task]
    tasks = [Task(name=task, version="1.0", n_shot=0) for task in by_task] if tasks is None else tasks
    _COUNT.append(1)
    return InMemory(
        record=record or a_record(),
        results=Results(metrics=metrics, tasks=tasks),
        environment=an_environment() if environment is None else environment,
        sources=[a_source()] if sources is None else sources,
        streams={task: (lambda rows=rows: rows) for task, rows in by_task.items()},
        identity=identity or f"sha256:{len(_COUNT):064x}",
    )


_COUNT: list[int] = []


@dataclass(frozen=True)
class Makers:
    """The functions above, for tests to call."""

    side: Callable[..., InMemory] = a_side
    sample: Callable[..., Sample] = a_sample
    record: Callable[..., Record] = a_record
    source: Callable[..., Source] = a_source
    environment: Callable[..., Environment] = an_environment
    in_memory: type[InMemory] = InMemory


@pytest.fixture(scope="session")
def make() -> Makers:
    """Give the functions that make sides and their parts."""
    return Makers()
