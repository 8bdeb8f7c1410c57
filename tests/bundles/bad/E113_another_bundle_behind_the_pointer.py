"""What the pointer leads to on the remote is whole, and another bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bundles import remotes
from bundles.case import Case

from reprokit.archive import dvc


def make(place: Path) -> Case:
    pushed = remotes.pushed(place, "one", "two")
    pointer, other = (dvc.read_pointer(pushed.archive.pointer(each)) for each in (pushed.bundle, *pushed.others))
    forged = replace(pointer, oid=other.oid, size=other.size, nfiles=other.nfiles)
    pushed.archive.pointer(pushed.bundle).write_bytes(dvc.encode(forged))
    return pushed.pulled()
