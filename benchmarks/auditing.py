"""What it costs to audit an archive: reading every byte of it, the memory for many bundles, doing it again."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import inputs
from benchmarks.measuring import REPROKIT, Row, environment, in_turns, run
from reprokit.archive.creation import create
from reprokit.archive.layout import Archive
from reprokit.archive.publication import BAG, publish, stage
from reprokit.archive.registration import fold
from reprokit.bundle import bag

_LARGE = 4_000_000_000  # bytes, in 20 bundles of 4 files
_SMALL = 200  # bundles of 100 files
_BUNDLES = 2000
_MOMENT = 0.002  # seconds


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """An archive of bundles of so many files, each of so many bytes, besides their records."""

    root: Path
    bundles: int
    files: int
    size: int

    @property
    def work(self) -> str:
        octets = self.bundles * self.files * self.size
        return f"fixity of {self.bundles} bundles of {self.files} files each, {octets / 1e9:.2f} GB"


def rows(folder: Path, scale: float) -> Iterator[Row]:
    """Measure full reads of large and of small files, memory over 2,000 bundles, and an audit of what is unchanged."""
    program = environment(folder)
    large = _Filled(root=folder / "large", bundles=20, files=4, size=int(_LARGE * scale) // 80)
    small = _Filled(root=folder / "small", bundles=int(_SMALL * scale) or 1, files=100, size=2000)
    for filled in (large, small):
        _fill(filled)
        yield from _reading(filled, program)
        shutil.rmtree(filled.root)
    bundles = max(int(_BUNDLES * scale), 10)
    many = inputs.archive(folder / "many", bundles=bundles)
    few = inputs.archive(folder / "few", bundles=bundles // 10)
    yield from _memory(few, many, bundles, program)
    yield from _again(few, bundles // 10, program)


def _reading(filled: _Filled, program: Mapping[str, str]) -> Iterator[Row]:
    workers = str(os.cpu_count())
    each = "200" if filled.size < 1 << 20 else "1"  # so that every core gets some
    audit = [*REPROKIT, "audit", "--only", "fixity", "--offline", "--archive", filled.root]
    digesting = f"find bundles/*/*/ -type f -print0 | xargs -0 -n {each} -P {workers} sha256sum"
    bags = sorted((filled.root / "bundles").glob("*/*/"))
    validating = [sys.executable, "-m", "bagit", "--validate", "--quiet", "--processes", workers, *bags]
    fastest = in_turns(
        {
            "ours": lambda: run(audit, environment=program),
            "ours by 2": lambda: run([*audit, "--jobs", "2"], environment=program),
            "sha256sum": lambda: run(["sh", "-c", digesting], directory=filled.root, environment=program),
            "bagit": lambda: run(validating, environment=program),
        },
        repeats=3,
    )
    for ours, more in (("ours", ""), ("ours by 2", ", `--jobs 2`")):
        yield Row(
            work=filled.work + more,
            peer=f"`find | xargs -P {workers} sha256sum`",
            value=fastest[ours] / fastest["sha256sum"],
            target=1.3,
            note=f"{fastest[ours]:.1f} s",
        )
        yield Row(
            work=filled.work + more,
            peer=f"`bagit --validate --processes {workers}`",
            value=fastest[ours] / fastest["bagit"],
            target=1.0,
        )


def _memory(few: Archive, many: Archive, bundles: int, program: Mapping[str, str]) -> Iterator[Row]:
    audit = [*REPROKIT, "audit", "--offline", "--json", "--archive"]
    little, little_started = _peaks([*audit, few.root], program)
    much, much_started = _peaks([*audit, many.root], program)
    yield Row(
        work=f"peak memory of `audit --offline --json` over {bundles} bundles",
        peer=f"over {bundles // 10}",
        value=much / little,
        target=1.1,
        note=f"{much / 1e6:.1f} MB and {little / 1e6:.1f} MB",
    )
    yield Row(
        work=f"peak memory of git, which it starts, over {bundles} bundles",
        peer=f"over {bundles // 10}",
        value=much_started / little_started,
        target=1.5,
        note=f"{much_started / 1e6:.1f} MB and {little_started / 1e6:.1f} MB",
    )


def _again(archive: Archive, bundles: int, program: Mapping[str, str]) -> Iterator[Row]:
    audit = [*REPROKIT, "audit", "--offline", "--archive", archive.root]
    kept = archive.private / "audit/content"

    def first() -> None:
        shutil.rmtree(kept)
        run(audit, environment=program)

    fastest = in_turns({"first": first, "again": lambda: run(audit, environment=program)}, repeats=3)
    yield Row(
        work=f"`audit --offline` of {bundles} bundles that have not changed since the last",
        peer="the first audit of them",
        value=fastest["again"] / fastest["first"],
        target=1.0,
        note=f"{fastest['again']:.1f} s and {fastest['first']:.1f} s",
    )


def _fill(filled: _Filled) -> None:
    archive = create(filled.root)
    for number in range(filled.bundles):
        staged = stage(archive)
        inputs.bundle(staged / BAG, count=2, number=number)
        _add_files(staged / BAG, filled, number)
        publish(archive, staged)
    fold(archive)


def _add_files(place: Path, filled: _Filled, number: int) -> None:
    """Add files that do not compress to a bundle, and seal it again."""
    chance = random.Random(number)
    digests, info = bag.read_manifest(place), bag.read_info(place)
    (place / bag.PAYLOAD / "harness").mkdir()
    for each in range(filled.files):
        data = chance.randbytes(filled.size)
        name = f"{bag.PAYLOAD}/harness/{each}.bin"
        (place / name).write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    digits = bag.identity_of(bag.render_manifest(digests))[7:15]
    info = replace(
        info,
        bundle_id=info.bundle_id[: -len(digits)] + digits,
        payload_octets=info.payload_octets + filled.files * filled.size,
        payload_files=len(digests),
    )
    bag.seal(place, digests, info)


def _peaks(argv: Sequence[str | Path], program: Mapping[str, str]) -> tuple[int, int]:
    """Run a program, and give the most bytes of memory that it had, and that the largest which it started had.

    Linux keeps the peak of each process; `getrusage` would count what its parent had when it was started.
    """
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(argv, env=dict(program), stdin=quiet, stdout=quiet, stderr=quiet)
    own = started = 0
    while running.poll() is None:
        own = max(own, _peak(running.pid))
        started = max([started, *(_peak(each) for each in _started_by(running.pid))])
        time.sleep(_MOMENT)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, argv)
    return own, started


def _peak(process: int) -> int:
    try:
        told = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in told if line.startswith("VmHWM:")), 0)


def _started_by(process: int) -> list[int]:
    """List the children that have become another program; until then they have their parent's memory."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        own = Path(f"/proc/{process}/cmdline").read_bytes()
        return [int(each) for each in children if Path(f"/proc/{each}/cmdline").read_bytes() != own]
    except OSError:
        return []
