"""What it costs when an archive is large: capturing into it, listing it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import inputs
from benchmarks.measuring import REPROKIT, Row, cpu_of_children, environment, in_turns, run

_BUNDLES = 2000
_LISTED_WITHIN = 0.5


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure capturing into archives of 0 and 2,000 bundles, one more at DVC, and `list` with a filter."""
    bundles = int(_BUNDLES * scale) or 1
    full = inputs.archive(folder / "full", bundles=bundles).root
    empty = inputs.archive(folder / "empty", bundles=0).root
    program = environment(folder)
    counted = iter(range(1000))

    def capture(archive: Path) -> None:
        words = [*REPROKIT, "capture", "--archive", archive, "--", "true", str(next(counted))]
        run(words, directory=folder, environment=program)

    fastest = in_turns({"full": lambda: capture(full), "empty": lambda: capture(empty)}, repeats=15)
    yield Row(
        work=f"`capture -- true` into an archive of {bundles} bundles",
        peer="into an empty one",
        value=fastest["full"] / fastest["empty"],
        target=1.2,
    )
    yield from _listing(full, bundles, program)
    yield from _one_more(full, bundles, program, fastest["full"])


def _listing(full: Path, bundles: int, program: dict[str, str]) -> Iterator[Row]:
    listing = [*REPROKIT, "list", "--archive", full, "--tag", "paper"]
    seconds = in_turns({"list": lambda: run(listing, environment=program)}, repeats=5, clock=cpu_of_children)["list"]
    yield Row(
        work=f"`list --tag` over {bundles} bundles",
        peer="a CPU of 10,000 bundles in half a second, by proportion",
        value=seconds,
        target=max(_LISTED_WITHIN * bundles / 10_000, _LISTED_WITHIN / 2),
        unit=" s of CPU",
    )
    status = ["dvc", "status", "-q"]
    before = time.perf_counter()
    run(status, directory=full, environment=program)
    slow = time.perf_counter() - before
    quick = in_turns({"list": lambda: run(listing, environment=program)}, repeats=3)["list"]
    yield Row(
        work=f"`list --tag` over {bundles} bundles",
        peer="`dvc status` of the same archive",
        value=slow / quick,
        target=20,
        at_least=True,
        unit="x faster",
    )


def _one_more(full: Path, bundles: int, program: dict[str, str], ours: float) -> Iterator[Row]:
    month = full / "bundles/2026-01"
    inputs.bundle(month / "one-more", count=2, number=5)
    for path in (month / "one-more").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = time.perf_counter()
    run(["dvc", "add", "-q", month / "one-more"], directory=full, environment=program)
    slow = time.perf_counter() - before
    yield Row(
        work=f"one more bundle at {bundles}: all of `capture -- true`",
        peer="`dvc add` of one more folder at as many `.dvc` files",
        value=slow / ours,
        target=20,
        at_least=True,
        unit="x faster",
        note="ours runs the command, makes the bundle and commits it; DVC's walks the archive",
    )
