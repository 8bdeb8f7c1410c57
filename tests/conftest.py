"""What tests of several layers share: small real bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed


def a_record(**changes: Any) -> Record:
    """A record of a small finished run."""
    record = Record(
        origin="live",
        invocation=Invocation(
            argv=["lm_eval", "--model", "dummy", "--output_path", "out"],
            program="/home/ada/venv/bin/lm_eval",
            program_in="environment",
            working_directory="/home/ada/evals",
            environment_variables=[],
        ),
        run=Run(
            started="2026-11-23T03:15:47Z",
            ended="2026-11-23T03:16:47Z",
            exit_code=0,
            complete=True,
            host="box",
        ),
        harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
        subject=Subject(
            models=[SubjectPart(name="toy-org/tiny-gpt2", revision=Unknown(unknown="local"), learnt_from="claim")]
        ),
        sources=[],
    )
    return msgspec.structs.replace(record, **changes)


def some_samples(task: str, count: int) -> list[Sample]:
    """Samples whose score alternates."""
    return [
        Sample(task=task, id=number, document={"n": number}, responses=[f"r{number}"], scores={"acc": number % 2})
        for number in range(count)
    ]


BundleMaker = Callable[..., Sealed]


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    """Give a function that seals a small, valid bundle in a folder of its own."""
    made = 0

    def make(
        folder: Path | None = None,
        *,
        record: Record | None = None,
        samples: Iterable[Sample] | None = None,
        harness_files: dict[str, bytes] | None = None,
        label: Label | None = None,
        captured: str = "2026-11-24T00:00:00Z",
    ) -> Sealed:
        nonlocal made
        made += 1
        folder = folder or tmp_path / f"bag-{made}"
        folder.mkdir(parents=True, exist_ok=True)
        payload = Payload(bag=folder)
        rows = list(samples if samples is not None else some_samples("toy", 4))
        results = Results(
            metrics=[Metric(task="toy", metric="acc", value=0.5, stderr=0.25, n=len(rows), higher_is_better=True)],
            tasks=[Task(name="toy", samples_saved=len(rows), samples_file="samples/toy.jsonl")],
        )
        environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
        for name, data in (harness_files or {"harness/results.json": b'{"acc": 0.5}\n'}).items():
            payload.add(name, "harness", data)
        payload.add("samples/toy.jsonl", "samples", (canonical.line(row) + b"\n" for row in rows))
        payload.add("results.json", "results", canonical.record(results))
        payload.add("environment/environment.json", "environment", canonical.record(environment))
        payload.add("environment/requirements.lock", "environment", b"# nothing is known\n")
        return payload.seal(
            record or a_record(),
            results=results,
            environment=environment,
            sources=[],
            label=label or Label(),
            captured=captured,
            agent="reprokit-eval test",
        )

    return make
