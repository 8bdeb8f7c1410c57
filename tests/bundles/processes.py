"""Evaluations that a command started, by what their processes said of themselves."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundles.case import Case
from bundles.finished import SOUND

from reprokit.bundle.finding import Finding
from reprokit.capture.launched import evaluations, left_by
from reprokit.probes.interpreter import ProcessFacts


def evaluation(place: Path, *words: str, writes: str | None = None) -> ProcessFacts:
    """Describe a process that runs lm-eval in a folder; `writes` is the name of the results that it says it wrote."""
    written = None if writes is None else tuple(str(path) for path in (place / "out").rglob(f"*{writes}*"))
    return ProcessFacts(
        probe=1,
        host="box",
        pid=7,
        ppid=1,
        started=1.0,
        executable="/venv/bin/python",
        version="3.11.7",
        implementation="cpython",
        prefix="/venv",
        base_prefix="/usr",
        argv=("/venv/bin/python", "-m", "lm_eval", "run", *words, "--output_path", "out"),
        directory=str(place),
        written=written,
        installed_modules=("lm_eval",),
        ended=2.0,
    )


def run_in(place: Path, *, stamp: str) -> None:
    """Put the files of a run into the folder of outputs, as of a moment."""
    for file in SOUND.rglob("*.json*"):
        target = place / "out/model" / file.name.replace("2026-11-24T20-03-42.633462", stamp)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def left(place: Path, *processes: ProcessFacts) -> Case:
    """Ask what the evaluations left in their folder."""

    def look() -> tuple[Finding, ...]:
        found = left_by(evaluations(list(processes)), place, processes)
        assert found.runs, "where no run is found, nothing is missed"
        return found.findings

    return Case(look=look)
