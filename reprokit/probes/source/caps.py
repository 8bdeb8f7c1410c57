"""How much of a checkout is taken along."""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1 << 10
_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Caps:
    """How much of a working directory is taken along, and how long it is looked at.

    Sizes are bytes: of one untracked (or filtered) file, of all untracked files together, of a git bundle, and of all
    files in Git LFS that are compared with what their pointers say. `untracked_files` counts files, `seconds` is how
    long one git command may take.
    """

    untracked_file: int = 10 * _MIB
    untracked_together: int = 50 * _MIB
    untracked_files: int = 10_000
    git_bundle: int = 50 * _MIB
    compared_with_pointers: int = _GIB
    seconds: float = 120.0


DEFAULT_CAPS = Caps()


def amount(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (_KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"
