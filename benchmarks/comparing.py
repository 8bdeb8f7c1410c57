"""What it costs to compare two runs of a million samples each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

from benchmarks import inputs
from benchmarks.measuring import REPROKIT, Row, environment, in_turns, peak_memory, run

_SAMPLES = 1_000_000
_MEMORY = 1.0

_DUCKDB = """
import duckdb, sys
for path in sys.argv[1:]:
    duckdb.sql(f"select count(distinct id), sum(len(prompt)), sum(scores.acc) from read_ndjson('{path}')").fetchall()
"""
_PANDAS = """
import pandas, sys
a, b = (pandas.read_json(path, lines=True) for path in sys.argv[1:])
a.merge(b, on=["id", "filter", "epoch"])
"""


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure `diff` against DuckDB merely reading both files, and pandas joining them."""
    count = int(_SAMPLES * scale) or 1
    places = [folder / "a", folder / "b"]
    for seed, place in enumerate(places):
        inputs.bundle(place, count=count, seed=seed)
    files = [_plain(place) for place in places]
    program = environment(folder)
    fastest = in_turns(
        {
            "ours": lambda: run(
                ["sh", "-c", '"$@" || [ $? = 1 ]', "sh", *REPROKIT, "diff", *places], environment=program
            ),
            "duckdb": lambda: run([sys.executable, "-c", _DUCKDB, *files], environment=program),
        },
        repeats=2,
    )
    memory = peak_memory([*REPROKIT, "diff", *places], environment=program) / 1e9
    what = f"`diff` of 2 x {count} samples"
    yield Row(work=what, peer="DuckDB reading both files", value=fastest["ours"] / fastest["duckdb"], target=2.0)
    yield Row(
        work=what,
        peer="itself",
        value=memory,
        target=_MEMORY,
        unit=" GB at most",
    )
    slow = in_turns({"pandas": lambda: run([sys.executable, "-c", _PANDAS, *files], environment=program)}, repeats=1)
    yield Row(
        work=what,
        peer="pandas joining them",
        value=slow["pandas"] / fastest["ours"],
        target=5,
        at_least=True,
        unit="x faster",
    )


def _plain(place: Path) -> Path:
    """Unpack the samples of a bundle beside it, for those who do not read zstd."""
    stored = next((place / "data/samples").iterdir())
    if stored.suffix != ".zst":
        return stored
    plain = place.with_suffix(".jsonl")
    with stored.open("rb") as packed, plain.open("wb") as unpacked:
        zstandard.ZstdDecompressor().copy_stream(packed, unpacked)
    return plain
