"""What it costs to prove that bundles are whole."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import bagit
import jsonschema
import msgspec
import orjson

from benchmarks import inputs
from benchmarks.measuring import Row, in_turns, run
from reprokit.bundle import bag, canonical, checking, schemas

_SAMPLES = 200_000
_FILES = 20_000
_LARGE = 5_000_000_000


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure schema validation of samples, and fixity of many files and of large ones."""
    yield from _lines(int(_SAMPLES * scale) or 1)
    yield from _fixity(folder / "many", files=int(_FILES * scale) or 1, size=2000)
    yield from _fixity(folder / "large", files=5, size=int(_LARGE * scale) // 5)


def _lines(count: int) -> Iterator[Row]:
    lines = [canonical.line(sample) for sample in inputs.samples(count)]
    values = [orjson.loads(line) for line in lines]
    slow = jsonschema.Draft202012Validator(msgspec.json.decode(schemas.published("sample")))
    few = values[: max(count // 50, 1)]
    fastest = in_turns(
        {
            "ours": lambda: [checking.first_line_error("sample", value) for value in values],
            "jsonschema": lambda: [slow.is_valid(value) for value in few],
            "parse": lambda: [orjson.loads(line) for line in lines],
            "parse and check": lambda: [checking.first_line_error("sample", orjson.loads(line)) for line in lines],
        },
        repeats=3,
    )
    one = {"ours": fastest["ours"] / count, "jsonschema": fastest["jsonschema"] / len(few)}
    yield Row(
        work=f"checking {count} samples against their schema",
        peer="`jsonschema` in Python (on a fiftieth of them)",
        value=one["jsonschema"] / one["ours"],
        target=50,
        at_least=True,
        unit="x faster",
    )
    yield Row(
        work=f"parsing and checking {count} samples",
        peer="parsing them with orjson",
        value=fastest["parse and check"] / fastest["parse"],
        target=2.0,
    )


def _fixity(folder: Path, *, files: int, size: int) -> Iterator[Row]:
    place = _bag(folder, files=files, size=size)
    workers = str(os.cpu_count())
    manifest = place / bag.MANIFEST
    names = [line.partition("  ")[2] for line in manifest.read_text(encoding="utf-8").splitlines()]
    (folder / "names").write_bytes(b"".join(name.encode() + b"\0" for name in names))
    each = "200" if files > 1000 else "1"  # noqa: PLR2004 - so that every core gets some
    fastest = in_turns(
        {
            "ours": lambda: _proven(place),
            "sha256sum": lambda: run(
                ["xargs", "-0", "-n", each, "-P", workers, "-a", folder / "names", "sha256sum"], directory=place
            ),
            "bagit": lambda: bagit.Bag(str(place)).validate(processes=int(workers)),
        },
        repeats=3,
    )
    what = f"fixity of {files} files, {files * size / 1e9:.2f} GB"
    yield Row(
        work=what, peer=f"`xargs -P {workers} sha256sum`", value=fastest["ours"] / fastest["sha256sum"], target=1.3
    )
    yield Row(
        work=what,
        peer=f"`bagit --validate --processes {workers}`",
        value=fastest["ours"] / fastest["bagit"],
        target=0.5,
    )


def _proven(place: Path) -> None:
    found = list(bag.verify(place))
    if found:
        message = f"{place}: {found[0]}"
        raise ValueError(message)


def _bag(folder: Path, *, files: int, size: int) -> Path:
    """Make a bag of files that do not compress."""
    place = folder / "bag"
    chance = random.Random(1)
    digests: dict[str, str] = {}
    for number in range(files):
        path = place / bag.PAYLOAD / f"{number % 100:02}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        sha256 = hashlib.sha256()
        with path.open("wb") as file:
            left = size
            while left > 0:
                piece = chance.randbytes(min(left, 1 << 20))
                file.write(piece)
                sha256.update(piece)
                left -= len(piece)
        digests[f"{bag.PAYLOAD}/{number % 100:02}/{number}.bin"] = sha256.hexdigest()
    identity = bag.identity_of(bag.render_manifest(digests))
    info = bag.BagInfo(
        bundle_id=f"20261123T031547Z-lm_eval-made-up-{identity[7:15]}",
        bagging_date="2026-11-23T03:15:47Z",
        payload_octets=files * size,
        payload_files=files,
        content_digest="sha256:" + "0" * 64,
        name=None,
        note=None,
        tags=(),
        agent="benchmark",
    )
    bag.seal(place, digests, info)
    return place
