"""Evaluations that are captured while they run: small commands, in a folder that a case lays out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bundles import archives
from bundles.case import Case

from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture import live
from reprokit.capture.interrupted import finishing
from reprokit.capture.launched import runs_of
from reprokit.capture.preparation import prepare
from reprokit.capture.request import Request
from reprokit.capture.running import process
from reprokit.probes.secrets import Secrets

PYTHON = sys._base_executable
"""The interpreter itself, without the packages of any environment."""
WRITES = 'import json; json.dump({"sums": {"exact_match": 0.5, "n": 2}}, open("metrics.json", "w"))\n'
"""An evaluation of one's own that writes its results."""
EVALUATE = (PYTHON, "evaluate.py")


def git(folder: Path, *arguments: str) -> None:
    """Run git as a person does."""
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def checkout(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Make a git checkout with one commit, in which there is an evaluation; git ignores `*.ignored` in it."""
    write(folder, {"evaluate.py": WRITES, ".gitignore": "*.ignored\nmetrics.json\n", **(files or {})})
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "an evaluation")
    return folder


def with_submodule(folder: Path) -> Path:
    """Make a checkout with a submodule, and name the submodule's folder in it."""
    library = checkout(folder / "library", {"lib.py": ""})
    git(checkout(folder / "evals"), "submodule", "--quiet", "add", str(library), "vendored/library")
    git(folder / "evals", "commit", "--quiet", "--message", "a submodule")
    return folder / "evals/vendored/library"


def _request(place: Path, directory: Path, argv: tuple[str, ...], **variables: str) -> Request:
    return Request(
        argv=argv,
        directory=directory,
        environment={**os.environ, **variables},
        home=place,
        label=Label(),
        results=Path("metrics.json"),
        samples=(Path("samples.jsonl"),),
    )


def captured(place: Path, directory: Path, *argv: str, **variables: str) -> Case:
    """Ask what a live capture of a command writes into its bundle; without a command, of the evaluation that is there.

    It may write `metrics.json` and `samples.jsonl`.
    """
    archive = archives.created(place)
    request = _request(place, directory, argv or EVALUATE, **variables)
    return Case(look=lambda: _of_bundles(archive, partial(live.capture_command, request, lambda: archive)))


def finished_later(place: Path, directory: Path, *argv: str) -> Case:
    """Ask what is written into the bundle of a command whose capture is a process of its own, which may be killed."""
    archive = archives.created(place)
    words = (sys.executable, "-m", "reprokit", "capture", "--archive", str(archive.root), "--defer")

    def capture() -> None:
        files = ("--results", "metrics.json")
        subprocess.run([*words, *files, "--", *(argv or EVALUATE)], cwd=directory, check=False, capture_output=True)
        while any(not each.gone for each in finishing.interrupted(archive)):
            time.sleep(0.02)
        finishing.finish_all(archive, Secrets())

    return Case(look=lambda: _of_bundles(archive, capture))


def _of_bundles(archive: Archive, capture: Callable[[], object]) -> list[Finding]:
    capture()
    made = [each.parent for each in archive.bundles.glob("*/*/bag-info.txt")]
    assert made, "where nothing was captured, nothing can be found"
    return [found for each in made for found in open_bundle(each).record.findings]


def recorded_in(logs: Path, *argv: str) -> Case:
    """Ask what there is to say of the streams of a command that are recorded in a folder."""
    return Case(look=lambda: process.run(argv, environment=os.environ, directory=None, logs=logs).findings)


def left_behind(place: Path, count: int) -> Case:
    """Ask what of many files is taken that a run left in its folder of outputs, without results among them."""
    argv = ("lm_eval", "run", "--output_path", "out")
    request = Request(argv=argv, directory=place, environment=os.environ, home=place, label=Label())
    archive = archives.created(place)
    prepared = prepare(request, lambda: archive)
    (place / "out").mkdir()
    (place / "note.txt").write_text("nothing came of it")
    for number in range(count):
        (place / "out" / f"{number}.txt").hardlink_to(place / "note.txt")
    return Case(look=lambda: runs_of(prepared, place)[1])
