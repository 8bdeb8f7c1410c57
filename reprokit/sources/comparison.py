"""What lies between two trees of one repository, with bounds on what is kept of it.

The trees are always compared in the order of their names and the result is turned when that is the wrong way round, so
that the two directions are each other's exact reverse.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprokit.sources.rebuilding import run
from reprokit.sources.sections import Kind, reverse_all, sections, text

LONGEST_PATCH = 1 << 20
"""Bytes of a patch that are kept."""
MOST_FILES = 5000
"""Files that are listed."""
_LARGEST_TEXT = 16 << 20
_CONTENT_TOGETHER = 32 << 20
_COMPARE = (
    *("-c", f"core.bigFileThreshold={_LARGEST_TEXT}", "-c", "core.quotePath=false"),
    *("diff-tree", "-r", "-M", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--submodule=short", "--ignore-submodules=none", "--src-prefix=a/", "--dst-prefix=b/"),
)
_SUBMODULE = b"160000"
_KINDS: dict[bytes, Kind] = {b"A": "added", b"D": "removed"}
_OTHER_WAY: dict[Kind, Kind] = {"added": "removed", "removed": "added", "changed": "changed"}


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    """One file that is not the same in two trees; `was` is its earlier path when it was renamed.

    `added` and `removed` count lines, and are `None` for what is no text.
    """

    path: str
    was: str | None = None
    kind: Kind
    added: int | None = None
    removed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All files that differ, and a patch. `not_in_patch` counts those whose content was too much to compare."""

    files: tuple[ChangedFile, ...]
    patch: bytes
    not_in_patch: int = 0


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One line of `--raw`: modes, objects and paths before and after."""

    status: bytes
    modes: tuple[bytes, bytes]
    objects: tuple[bytes, bytes]
    paths: tuple[bytes, bytes]


def compare_trees(repository: Path, before: str, after: str) -> Compared:
    """Compare two trees that the repository has.

    Raises:
        GitError: git cannot read them, or no time is left.
    """
    first, second = sorted((before, after))
    told = run(repository, *_COMPARE, "-z", "--raw", "--numstat", first, second)
    entries, files = _listed(told)
    shown = _within_bounds(repository, entries)
    if len(shown) < len(entries):
        first, second = (_tree_of(repository, shown, side) for side in (0, 1))
    patch = run(repository, *_COMPARE, "--patch", first, second) if shown else b""
    result = Compared(files=tuple(files), patch=patch, not_in_patch=len(entries) - len(shown))
    return result if before <= after else turned(result)


def turned(compared: Compared) -> Compared:
    """Give the same comparison the other way round."""
    files = (
        replace(
            file,
            path=file.was or file.path,
            was=file.path if file.was is not None else None,
            kind=_OTHER_WAY[file.kind],
            added=file.removed,
            removed=file.added,
        )
        for file in compared.files
    )
    return replace(compared, files=tuple(files), patch=text(reverse_all(sections(compared.patch))))


def _listed(told: bytes) -> tuple[list[_Entry], list[ChangedFile]]:
    """Read what `--raw --numstat -z` tells: first an entry for each file, then its counts, in the same order."""
    entries: list[_Entry] = []
    files: list[ChangedFile] = []
    items = iter(told.split(b"\0")[:-1])
    for item in items:
        if item.startswith(b":"):
            entries.append(_entry(item[1:].split(b" "), items))
        else:
            files.append(_file(item, items, entries[len(files)]))
    return entries, files


def _entry(words: Sequence[bytes], items: Iterator[bytes]) -> _Entry:
    status = words[4][:1]
    before = next(items)
    after = next(items) if status in {b"R", b"C"} else before
    return _Entry(status=status, modes=(words[0], words[1]), objects=(words[2], words[3]), paths=(before, after))


def _file(item: bytes, items: Iterator[bytes], entry: _Entry) -> ChangedFile:
    added, removed, path = item.split(b"\t", 2)
    if not path:
        next(items)
        path = next(items)
    return ChangedFile(
        path=_readable(path),
        was=_readable(entry.paths[0]) if entry.paths[0] != entry.paths[1] else None,
        kind=_KINDS.get(entry.status, "changed"),
        added=None if added == b"-" else int(added),
        removed=None if removed == b"-" else int(removed),
    )


def _readable(path: bytes) -> str:
    return path.decode("utf-8", errors="replace")


def _within_bounds(repository: Path, entries: Sequence[_Entry]) -> list[_Entry]:
    """Choose the files whose contents are compared: those of a hostile bundle may fill any memory."""
    wanted = sorted({name for entry in entries for name in _contents(entry)})
    listed = b"".join(name + b"\n" for name in wanted)
    told = run(repository, "cat-file", "--batch-check=%(objectsize)", stdin=listed).splitlines() if wanted else []
    sizes = {name: int(size) for name, size in zip(wanted, told, strict=True) if size.isdigit()}
    left = _CONTENT_TOGETHER
    chosen: list[_Entry] = []
    for entry in entries:
        # What is larger than any text is called binary without being read.
        size = sum(size for name in _contents(entry) if (size := sizes.get(name, 0)) <= _LARGEST_TEXT)
        if size <= left:
            left -= size
            chosen.append(entry)
    return chosen


def _contents(entry: _Entry) -> list[bytes]:
    both = zip(entry.modes, entry.objects, strict=True)
    return [name for mode, name in both if mode != _SUBMODULE and name.strip(b"0")]


def _tree_of(repository: Path, entries: Sequence[_Entry], side: int) -> str:
    """Make a tree of nothing but one side of these entries."""
    index = repository / ".git" / f"index-{side}-shown"
    variables = {"GIT_INDEX_FILE": os.fspath(index)}
    rows = b"".join(
        b"%s %s\t%s\0" % (entry.modes[side], entry.objects[side], entry.paths[side])
        for entry in entries
        if entry.objects[side].strip(b"0")
    )
    run(repository, "read-tree", "--empty", variables=variables)
    run(repository, "update-index", "-z", "--index-info", stdin=rows, variables=variables)
    return run(repository, "write-tree", "--missing-ok", variables=variables).decode("ascii").strip()
