"""Real bundles of recorded runs, as they are and tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.record import Harness, Invocation, Record, Run
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload
from reprokit.harnesses import table
from reprokit.harnesses.script import Script

RECORDED = Path(__file__).parents[2] / "recorded"
NOBODY = Unknown(unknown="made by a test")


def sealed(folder, harness, results, samples):
    """Seal a bundle of some results and samples."""
    record = Record(
        origin="finished",
        invocation=Invocation(
            argv=NOBODY, program=NOBODY, program_in="unknown", working_directory=NOBODY, environment_variables=NOBODY
        ),
        run=Run(started=NOBODY, ended=NOBODY, exit_code=NOBODY, complete=True, host=NOBODY),
        harness=harness,
        sources=NOBODY,
    )
    environment = Environment(learnt_from="nothing", packages=NOBODY)
    folder.mkdir(parents=True)
    payload = Payload(bag=folder)
    for task in results.tasks:
        if task.samples_file is not None:
            rows = [canonical.line(row) + b"\n" for row in samples[task.name]]
            payload.add(task.samples_file, "samples", rows)
    payload.add("results.json", "results", canonical.record(results))
    payload.add("environment/environment.json", "environment", canonical.record(environment))
    payload.add("environment/requirements.lock", "environment", b"# nothing is known\n")
    payload.seal(
        record, results=results, script=lambda _: "exit 21\n", label=Label(), captured="2026-11-30T00:00:00Z", agent="reprokit-eval test",
    )  # fmt: skip
    return open_bundle(folder)


@pytest.fixture
def seal(tmp_path):
    """Give a function that makes a bundle out of values."""
    made = 0

    def make(results, samples, harness=None):
        nonlocal made
        made += 1
        harness = harness or Harness(name="lm_eval", version="0.4.13", version_from="claim")
        return sealed(tmp_path / f"made-{made}", harness, results, samples)

    return make


@pytest.fixture
def recorded(seal):
    """Give a function that makes a bundle of a recorded run; `change` may tamper with its results and samples."""

    def make(case, number=0, change=None):
        folder = RECORDED / case
        if case.startswith("script/"):
            adapter = Script(next(folder.glob("[!p]*.json")), sorted(folder.glob("*.jsonl")))
            (run,) = adapter.find([])
        else:
            adapter, run = table.by_files([folder])[number]
        reading = adapter.read(run)
        tasks = [task.name for task in reading.results.tasks]
        samples = {name: [row for row in adapter.samples(run, name) if isinstance(row, Sample)] for name in tasks}
        results = reading.results
        if change is not None:
            results, samples = change(results, samples)
        return seal(results, samples, reading.harness)

    return make
