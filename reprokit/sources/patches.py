"""Two patches of one commit that is not to be had, compared file by file.

What a patch adds or deletes it holds whole, so that such files come out exactly as they would from the two trees. Of
what both patches merely change, only the surroundings are known: the way from the one state to the other then leads
back to the commit's own file and on from there, which is a patch as well.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit.sources import rebuilding, sections
from reprokit.sources.comparison import ChangedFile, Compared, compare_trees
from reprokit.sources.rebuilding import run
from reprokit.sources.sections import Section

_ByName = Mapping[bytes, Sequence[Section]]


@dataclass(frozen=True, kw_only=True)
class ComparedPatches:
    """What lies between; `by_detour` counts the files that are shown back to the commit and on from there."""

    compared: Compared
    by_detour: int


def compare_patches(repository: Path, before: bytes, after: bytes) -> ComparedPatches:
    """Compare two patches of the same commit.

    Args:
        repository: an empty repository to work in.
        before: the one patch; empty when nothing was changed.
        after: the other one.

    Raises:
        InvalidRecordError: one is not as git writes patches, or git refuses it.
        GitError: git failed otherwise.
    """
    one, other = _by_name(before), _by_name(after)
    differing = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    whole = {name for name in differing if _is_known(name, one, other)}
    exact = _compare_whole(repository, _only(one, whole), _only(other, whole))
    files, parts = list(exact.files), [exact.patch]
    by_detour = 0
    for name in (name for name in differing if name not in whole):
        way = [*sections.reverse_all(one.get(name, ())), *map(sections.without_content, other.get(name, ()))]
        by_detour += name in one and name in other
        parts.append(sections.text(way))
        files.append(_changed_file(name, way))
    compared = Compared(files=tuple(files), patch=b"".join(parts), not_in_patch=exact.not_in_patch)
    return ComparedPatches(compared=compared, by_detour=by_detour)


def _by_name(patch: bytes) -> dict[bytes, list[Section]]:
    found: dict[bytes, list[Section]] = {}
    for section in sections.sections(patch):
        found.setdefault(section.name_before, []).append(section)
    return found


def _only(patch: _ByName, names: Container[bytes]) -> dict[bytes, Sequence[Section]]:
    return {name: parts for name, parts in patch.items() if name in names}


def _is_known(name: bytes, *patches: _ByName) -> bool:
    """Tell whether the commit's own file is known: it had none, or one of the patches deletes it."""
    return any(section.kind != "changed" for patch in patches for section in patch.get(name, ()))


def _compare_whole(repository: Path, before: _ByName, after: _ByName) -> Compared:
    """Compare files of which all is known, as trees of nothing else."""
    if not before and not after:
        return Compared(files=(), patch=b"")
    # By name, so that what both delete is put back once.
    deleted = {part.name_before: part for patch in (before, after) for part in _parts(patch) if part.kind == "removed"}
    at_first = repository / ".git" / "deleted.patch"
    at_first.write_bytes(sections.text(deleted.values()))
    trees = []
    for number, patch in enumerate((before, after)):
        file = repository / ".git" / f"{number}.patch"
        file.write_bytes(sections.text(_parts(patch)))
        trees.append(_tree(repository, at_first, file))
    return compare_trees(repository, *trees)


def _tree(repository: Path, deleted: Path, patch: Path) -> str:
    """Make the tree of a patch's files, and of those that are put back first since one side deletes them."""
    variables = {"GIT_INDEX_FILE": os.fspath(patch.with_suffix(".index"))}
    run(repository, "read-tree", "--empty", variables=variables)
    for file, backwards in ((deleted, True), (patch, False)):
        if file.stat().st_size:
            rebuilding.apply(repository, file, whose="the one or the other", backwards=backwards, variables=variables)
    return run(repository, "write-tree", variables=variables).decode("ascii").strip()


def _parts(patch: _ByName) -> Iterator[Section]:
    return (part for parts in patch.values() for part in parts)


def _changed_file(name: bytes, way: Sequence[Section]) -> ChangedFile:
    told = [sections.counts(section) for section in way]
    known = [each for each in told if each is not None]
    whole = len(known) == len(told)
    return ChangedFile(
        path=sections.path(name),
        kind="changed",
        added=sum(added for added, _ in known) if whole else None,
        removed=sum(removed for _, removed in known) if whole else None,
    )
