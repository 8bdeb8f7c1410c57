"""Evaluations that are over: the files of one, changed as a case likes, and then captured from what is left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundles import archives
from bundles.case import Case

from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.finished.adoption import Adoption, Terms, adopt
from reprokit.capture.finished.runs import find_runs, observed_nothing
from reprokit.capture.mapping import Mapping
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.probes.secrets import Secrets

RECORDED = Path(__file__).parents[1] / "recorded"
SOUND = RECORDED / "lm_eval/0.4.13/nested_groups"
"""A real run of lm-eval, of which nothing bad can be said."""
KEY = "hf_" + "Zx81nQpLw7Rk2Tb9Vd4YcM6sHjGfEaUo3i"
"""It has the form of a key of the hub, and is nobody's."""


@dataclass(frozen=True)
class LmEval:
    """The files of a real run of lm-eval: what its results say, and the samples of each task, to be changed."""

    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]

    def written(self, place: Path) -> Path:
        """Write the files as lm-eval does, and name their folder."""
        folder = place / "out/toy-org__dummy-v1"
        folder.mkdir(parents=True)
        stamp = "2026-11-24T20-03-42.633462"
        (folder / f"results_{stamp}.json").write_text(json.dumps(self.results))
        for task, rows in self.samples.items():
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"samples_{task}_{stamp}.jsonl").write_text(lines)
        return place / "out"

    def captured(self, place: Path) -> Case:
        """Ask what a capture finds in it."""
        return captured(place, self.written(place))


def lm_eval() -> LmEval:
    """Read the files of a sound run."""
    (results,) = SOUND.rglob("results_*.json")
    tasks = {path.name.split("_2026")[0].removeprefix("samples_"): path for path in SOUND.rglob("samples_*.jsonl")}
    return LmEval(
        results=json.loads(results.read_text()),
        samples={task: [json.loads(line) for line in path.read_bytes().splitlines()] for task, path in tasks.items()},
    )


@dataclass(frozen=True)
class Script:
    """The files of a program of one's own: its metrics, and its samples, to be changed."""

    metrics: dict[str, Any]
    samples: list[dict[str, Any]]

    def written(self, place: Path) -> Path:
        """Write the files, and name their folder."""
        folder = place / "out"
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(self.metrics))
        (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.samples))
        return folder

    def captured(self, place: Path, *, fields: Fields = STANDARD) -> Case:
        """Ask what a capture finds in it."""
        files = Mapping(origin="a test", results=Path("metrics.json"), samples=(Path("samples.jsonl"),), fields=fields)
        return captured(place, self.written(place), files)


def script(count: int = 12) -> Script:
    """Make the files of a sound run of a program of one's own: sums, every third of which is wrong."""
    samples = [
        {
            "id": number,
            "prompt": f"{number}+1=",
            "target": str(number + 1),
            "response": str(number + bool(number % 3)),
            "scores": {"exact_match": float(bool(number % 3))},
        }
        for number in range(count)
    ]
    score = sum(each["scores"]["exact_match"] for each in samples) / count
    return Script(metrics={"sums": {"exact_match": score, "n": count}}, samples=samples)


def captured(place: Path, out: Path, *mappings: Mapping, secrets: Secrets | None = None) -> Case:
    """Ask what the capture of the runs in a folder writes into their bundles, however bad they are."""
    archive = archives.created(place)

    def look() -> list[Finding]:
        adoption = adopted(archive, out, *mappings, secrets=secrets)
        ids = [row.bundle for row in adoption.runs if row.bundle is not None]
        assert ids, "where nothing was captured, nothing can be found"
        return [found for each in ids for found in open_bundle(archive.payload(each)).record.findings]

    return Case(look=look)


def captured_if_good(place: Path, out: Path) -> Case:
    """Ask for what the runs in a folder are refused when only good ones are wanted."""
    archive = archives.created(place)

    def look() -> list[Finding]:
        rows = adopted(archive, out, strict=True).runs
        return [finding(code, row.run, row.reason or "") for row in rows for code in row.findings]

    return Case(look=look)


def adopted(
    archive: Archive, out: Path, *mappings: Mapping, strict: bool = False, secrets: Secrets | None = None
) -> Adoption:
    """Capture the runs in a folder."""
    runs = find_runs(out, mappings=mappings)
    observed = observed_nothing(secrets or Secrets())
    return adopt(out, runs, Terms(archive=archive, observed=observed, label=Label(), strict=strict))
