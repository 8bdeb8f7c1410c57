"""What it costs to capture much: gigabytes of samples, thousands of files."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks import inputs
from benchmarks.measuring import REPROKIT, Row, environment, in_turns, run

_SAMPLE_FILES = 5
_BYTES_EACH = 200_000_000
_SMALL_FILES = 5000
_WRITES_MANY = """
import json, pathlib, sys
place = pathlib.Path(sys.argv[4]) / "toy-org__guesser"
place.mkdir(parents=True)
stamp = "2026-11-23T03-48-33.516864"
for number in range(int(sys.argv[2])):
    (place / f"part_{number}_{stamp}.json").write_text(json.dumps([number] * 20))
results = {"results": {}, "configs": {}, "lm_eval_version": "0.4.13", "model_name": "toy-org/guesser"}
results["date"] = __import__("time").time()
(place / f"results_{stamp}.json").write_text(json.dumps(results))
"""


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure `capture --from` of 1 GB of samples against DVC, and a run that leaves 5,000 files."""
    yield from _large(folder, scale)
    yield from _many_files(folder, scale)


def _large(folder: Path, scale: float) -> Iterator[Row]:
    outputs = inputs.lm_eval_outputs(folder / "outputs", files=_SAMPLE_FILES, size=int(_BYTES_EACH * scale))
    raw = sum(path.stat().st_size for path in outputs.rglob("*") if path.is_file())
    program = environment(folder)
    numbers = count()

    def ours() -> None:
        archive = folder / f"archive-{next(numbers)}"
        run([*REPROKIT, "init", archive], environment=program)
        run([*REPROKIT, "capture", "--from", outputs, "--archive", archive], environment=program)

    def with_dvc() -> None:
        repository = folder / f"dvc-{next(numbers)}"
        repository.mkdir()
        for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
            run(words, directory=repository, environment=program)
        shutil.copytree(outputs, repository / "outputs")
        for words in (["dvc", "add", "-q", "outputs"], ["git", "add", "-A"], ["git", "commit", "-qm", "add"]):
            run(words, directory=repository, environment=program)

    fastest = in_turns({"ours": ours, "dvc": with_dvc}, repeats=2)
    (payload,) = folder.glob("archive-0/bundles/*/*/data")
    stored = sum(path.stat().st_size for path in payload.rglob("*") if path.is_file())
    size = f"{raw / 1e9:.1f} GB of samples"
    yield Row(
        work=f"`capture --from` of {size}",
        peer="copy, `dvc add`, `git commit` of the same files",
        value=fastest["ours"] / fastest["dvc"],
        target=1.0,
        note=f"{raw / 1e6 / fastest['ours']:.0f} MB/s: searched for secrets, normalised, checked, compressed, hashed",
    )
    yield Row(work=f"stored size of {size}, raw and normalised", peer="the raw files", value=stored / raw, target=0.35)


def _many_files(folder: Path, scale: float) -> Iterator[Row]:
    files = int(_SMALL_FILES * scale) or 1
    program = environment(folder, REPROKIT_ARCHIVE=str(folder / "many"))
    run([*REPROKIT, "init", folder / "many"], environment=program)
    # It is called as lm-eval is, and writes as it does: a file is captured when its name bears the stamp of the run.
    script = folder / "lm_eval"
    script.write_text(f"#!{sys.executable}\n{_WRITES_MANY}", encoding="utf-8")
    script.chmod(0o755)
    numbers = count()

    def words() -> list[str | Path]:
        return [script, "--limit", str(files), "--output_path", folder / f"parts-{next(numbers)}"]

    fastest = in_turns(
        {
            "ours": lambda: run([*REPROKIT, "capture", "--", *words()], environment=program),
            "bare": lambda: run(words(), environment=program),
        },
        repeats=3,
    )
    captured = [place for place in folder.glob("many/bundles/*/*/data/harness/*") if len(list(place.iterdir())) > files]
    if not captured:
        message = f"the {files} files were not captured"
        raise ValueError(message)
    yield Row(
        work=f"a run that leaves {files} small files",
        peer="the same command",
        value=fastest["ours"] - fastest["bare"],
        target=2.0,
        unit=" s more",
    )
