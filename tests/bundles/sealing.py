"""Small bundles, sealed by the project's own code from payload files that a case may choose."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bundles.case import Case

from reprokit.bundle import canonical, validation
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Harness, Invocation, Record, Role, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed
from reprokit.rerun import script

Files = dict[str, tuple[Role | None, bytes]]
"""The payload of a bundle: path below `data/` → role, bytes. Without a role, the record does not list the file."""

RESULTS = Results(
    metrics=[Metric(task="toy", metric="acc", value=0.5, stderr=0.25, n=4, higher_is_better=True)],
    tasks=[Task(name="toy", samples_saved=4, samples_file="samples/toy.jsonl")],
)
ENVIRONMENT = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
RECORD = Record(
    origin="live",
    invocation=Invocation(
        argv=["lm_eval", "--model", "dummy", "--output_path", "out"],
        program="/home/ada/venv/bin/lm_eval",
        program_in="environment",
        working_directory="/home/ada/evals",
        environment_variables=[],
    ),
    run=Run(started="2026-11-23T03:15:47Z", ended="2026-11-23T03:16:47Z", exit_code=0, complete=True, host="box"),
    harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
    subject=Subject(
        models=[SubjectPart(name="toy-org/tiny-gpt2", revision=Unknown(unknown="local"), learnt_from="claim")]
    ),
    sources=[],
)


def samples(count: int = 4) -> list[Sample]:
    """Make samples of which every second is right."""
    return [
        Sample(task="toy", id=number, document={"n": number}, responses=[f"r{number}"], scores={"acc": number % 2})
        for number in range(count)
    ]


def files(word: str = "one") -> Files:
    """Give the payload of a small run; another word, another bundle."""
    return {
        "harness/results.json": ("harness", f'{{"word": "{word}"}}\n'.encode()),
        "harness/nothing": ("harness", b""),
        "samples/toy.jsonl": ("samples", b"".join(canonical.line(each) + b"\n" for each in samples())),
        "results.json": ("results", canonical.record(RESULTS)),
        "environment/environment.json": ("environment", canonical.record(ENVIRONMENT)),
        "environment/requirements.lock": ("environment", b"# nothing is known\n"),
    }


def filled(bag: Path, payload_files: Files) -> Payload:
    """Begin a bundle in a folder: its payload, not sealed yet."""
    bag.mkdir(parents=True, exist_ok=True)
    payload = Payload(bag=bag)
    for path, (role, data) in payload_files.items():
        payload.add(path, role, data)
    return payload


def seal(payload: Payload, record: Record = RECORD, *, environment: Environment = ENVIRONMENT) -> Sealed:
    """Seal a payload."""
    return payload.seal(
        record,
        results=RESULTS,
        script=lambda written: script.text(written, environment, []),
        label=Label(),
        captured="2026-11-24T00:00:00Z",
        agent="reprokit-eval test",
    )


def sealed(place: Path, payload_files: Files | None = None, record: Record = RECORD) -> Path:
    """Make a whole bundle in a folder, and name its own folder there."""
    return seal(filled(place / "bag", payload_files or files()), record).path


def validated(bundle: Path) -> Case:
    """Ask whether a bundle is whole, as `reprokit validate PATH` does."""
    return Case(look=partial(validation.validate, bundle))


def changed_json(path: str, change: Callable[[Any], object]) -> Files:
    """Give the payload file of a small run whose JSON is changed."""
    role, data = files()[path]
    value = json.loads(data)
    change(value)
    return {path: (role, json.dumps(value).encode())}
