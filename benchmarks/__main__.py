"""`python -m benchmarks [--scale S] [AREA…]`: measure, print a table, and write it into `benchmarks/results.md`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import ROOT, Row
from reprokit import clock

AREAS = ("start_up", "growing", "capturing", "checking", "comparing", "auditing")


def main() -> int:
    """Run the areas asked for; 0 whether or not targets are met, as a busy machine is no fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all when none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size: 0.05 for a quick look")
    parser.add_argument("--write", action="store_true", help="write the table into benchmarks/results.md")
    given = parser.parse_args()
    unknown = [area for area in given.areas if area not in AREAS]
    if unknown:
        parser.error(f"`{unknown[0]}` is no area: {', '.join(AREAS)}")
    found: list[Row] = []
    for area in given.areas or AREAS:
        with tempfile.TemporaryDirectory(prefix=f"reprokit-bench-{area}-", ignore_cleanup_errors=True) as folder:
            for row in importlib.import_module(f"benchmarks.{area}").rows(Path(folder), given.scale):
                found.append(row)
                print(_line(row), flush=True)
    if given.write:
        (ROOT / "benchmarks/results.md").write_text(_page(found, given.scale), encoding="utf-8")
    return 0


def _measured(row: Row) -> str:
    bound = "at least" if row.at_least else "at most"
    return f"{row.value:.2f}{row.unit} ({bound} {row.target:g})"


def _line(row: Row) -> str:
    mark = "met   " if row.met else "MISSED"
    return f"{mark} {row.work} against {row.peer}: {_measured(row)}" + (f"; {row.note}" if row.note else "")


def _page(found: list[Row], scale: float) -> str:
    head = [
        "# Measured",
        "",
        (
            f"{clock.text(clock.now())[:10]}, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}, scale {scale:g}. Written by `make bench`."
        ),
        "",
        "| work | against | measured | target | |",
        "|---|---|---|---|---|",
    ]
    lines = [
        f"| {row.work} | {row.peer} | {row.value:.2f}{row.unit} | {'≥' if row.at_least else '≤'} {row.target:g} | "
        f"{'met' if row.met else '**missed**'} |"
        for row in found
    ]
    return "\n".join([*head, *lines]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
