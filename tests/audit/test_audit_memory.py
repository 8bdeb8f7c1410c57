"""What an audit finds of a bundle is let go of before the next: its memory does not grow with their number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest

from reprokit.bundle import bag

LOST = 100
FEW, MANY = 60, 240
MEASURED = """
import sys
from reprokit.cli import main

told = sys.argv.pop()
try:
    main()
finally:
    with open("/proc/self/status") as status:
        (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM:")]
    with open(told, "w") as stream:
        stream.write(peak)
"""
"""The command line, which tells at its end how much of this process was in memory at most, in KiB.

`getrusage` would not do: what it tells of a process is never less than what the one that started it had.
"""


def damaged(archive, sealed, number):
    """Put a bundle in place that has the files of another, and lacks some that its manifest names: much to be told."""
    gone = {f"{bag.PAYLOAD}/gone/{number:03}-{each:03}.json": "0" * 64 for each in range(LOST)}
    digests = bag.read_manifest(sealed.path) | gone
    digits = bag.identity_of(bag.render_manifest(digests))[7:15]
    named = sealed.bundle_id[: -len(digits)] + digits
    without = shutil.ignore_patterns(*bag.TAG_FILES)
    shutil.copytree(sealed.path, archive.payload(named), copy_function=os.link, ignore=without)
    bag.seal(archive.payload(named), digests, replace(bag.read_info(sealed.path), bundle_id=named))


@pytest.fixture
def audited(archive, make_bundle, own_home, tmp_path):
    """Give a function that audits as many bundles as there are to be, and tells how much memory that took at most."""
    sealed = make_bundle()
    there = 0

    def audit(count):
        nonlocal there
        for number in range(there, count):
            damaged(archive, sealed, number)
        there = count
        report, peak = tmp_path / "report.json", tmp_path / "peak"
        words = ["audit", "--offline", "--json", "--html", tmp_path / "page.html", "--junit", tmp_path / "junit.xml"]
        with report.open("wb") as stream:
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *words, "--archive", archive.root, peak],
                stdout=stream,
                stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
                cwd=own_home,
                # One arena for all threads: how many there are depends on how busy the machine is.
                env={**os.environ, "HOME": str(own_home), "MALLOC_ARENA_MAX": "1"},
                check=False,
            )
        assert done.returncode == 12, done.stderr.decode()
        found = msgspec.json.decode(report.read_bytes())["bundles"]
        return len(found), min(len(each["outcomes"][0]["findings"]) for each in found), int(peak.read_text())

    return audit


def test_the_memory_of_an_audit_does_not_grow_with_the_number_of_bundles(audited):
    few, told_of_few, little = audited(FEW)
    many, told_of_many, much = audited(MANY)

    assert (few, many) == (FEW, MANY)
    assert min(told_of_few, told_of_many) >= LOST
    assert much <= 1.1 * little
