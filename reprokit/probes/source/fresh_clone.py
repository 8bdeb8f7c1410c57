"""Which files lie just as a fresh clone of the commit would hold them, though their bytes are not those in git.

Attributes convert what is checked out: line ends, `$Id$`, encodings; and a file in Git LFS is a pointer in git. Git
looks at such a file again when its time stamp says little, for instance when it was written in the same second as the
index. Taken byte for byte it would seem changed, and what was just cloned would have a patch with all of LFS in it.
"""

from __future__ import annotations

import filecmp
import hashlib
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit import git
from reprokit.bundle.source import LeftOut
from reprokit.git import GitError
from reprokit.probes.source.caps import Caps, amount
from reprokit.probes.source.scratch_repository import ScratchRepository, items, listed, readable
from reprokit.probes.source.untracked import by_folder

_CONVERTING = ("text", "crlf", "eol", "ident", "working-tree-encoding", "filter")
_POINTER = re.compile(
    rb"version https://\S+\n(?:ext-[^\n]+\n)*oid sha256:(?P<digest>[0-9a-f]{64})\nsize (?P<size>[0-9]+)\n"
)
_LONGEST_POINTER = 1024


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Paths that lie as a clone would hold them, each with its `mode object` in HEAD; and those too large to tell."""

    as_cloned: dict[str, str] = field(default_factory=dict)
    not_compared: frozenset[str] = frozenset()


def compare(repository: ScratchRepository, paths: Sequence[str], caps: Caps) -> Comparison:
    """Find those paths that a clone of HEAD would hold with exactly these bytes.

    For a file in Git LFS that is the file behind the pointer. No filter is run.

    Raises:
        GitError: git cannot read the repository.
    """
    regular = [
        path for path in paths if (repository.root / path).is_file() and not (repository.root / path).is_symlink()
    ]
    told = (
        git.answer(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], directory=repository.root)
        if regular
        else None
    )
    if told is None:
        return Comparison()
    clone = repository.beside("fresh-clone")
    clone.read("read-tree", told.decode("ascii").strip())
    attributes = items(clone.read("check-attr", "--cached", "-z", "--stdin", *_CONVERTING, stdin=listed(regular)))
    values = zip(attributes[::3], attributes[2::3], strict=True)
    converted = {path for path, value in values if value not in {"unspecified", "unset"}}
    committed = _entries(clone, converted) if converted else {}
    try:
        clone.read("checkout-index", "--quiet", "-z", "--stdin", stdin=listed(committed))
    except GitError as error:
        if error.status is None:
            raise
        # A partial clone need not have them all: what could not be written is not as cloned.
    return _compare_files(repository, clone, committed, caps.compared_with_pointers)


def _compare_files(
    repository: ScratchRepository, clone: ScratchRepository, committed: dict[str, str], budget: int
) -> Comparison:
    """Compare files with those of a clone, and read no more than `budget` bytes of what lies behind pointers."""
    as_cloned: dict[str, str] = {}
    not_compared: set[str] = set()
    for path, entry in committed.items():
        cloned, lying = clone.root / path, repository.root / path
        try:
            behind = _behind_pointer(cloned, lying)
            budget -= behind
            if budget < 0 and behind:
                not_compared.add(path)
                budget += behind
            elif _hold_the_same(cloned, lying):
                as_cloned[path] = entry
        except OSError:  # it went away, or cannot be read
            continue
    return Comparison(as_cloned=as_cloned, not_compared=frozenset(not_compared))


def behind_pointers(repository: ScratchRepository, changed: Collection[str]) -> list[tuple[int, str]]:
    """Find the files that lie in the working directory while git, and so a clone and the patch, has only pointers.

    `changed` are those whose bytes the patch has, or whose absence is told already. Returns sizes and paths.

    Raises:
        GitError: git cannot read the repository.
    """
    found: list[tuple[int, str]] = []
    for path, in_git in _kept_in_lfs(repository).items():
        try:
            facts = (repository.root / path).lstat()
        except OSError:
            continue
        # Committed before its folder was kept in LFS, a file can be in git as it is.
        is_pointer = in_git <= _LONGEST_POINTER and facts.st_size != in_git
        if is_pointer and stat.S_ISREG(facts.st_mode) and path not in changed:
            found.append((facts.st_size, path))
    return found


def named(files: Sequence[tuple[int, str]]) -> Iterator[LeftOut]:
    """Name files that git has only pointers to, by folder where there are many."""
    for where, members in by_folder(files):
        size = amount(sum(size for size, _ in members))
        several = f"{len(members)} files here" if where.endswith("/") else "a file"
        yield LeftOut(path=readable(where), reason=f"{several} kept in Git LFS, {size} large: git has pointers only")


def _kept_in_lfs(repository: ScratchRepository) -> dict[str, int]:
    """List the tracked files that are kept in LFS, and how many bytes git itself has of each."""
    told = items(repository.read("ls-files", "-z", "--stage", "--", ":(top,attr:filter=lfs)"))
    entries = [entry.partition("\t") for entry in told if entry.startswith("100")]
    names = "".join(f"{facts.split(' ')[1]}\n" for facts, _, _ in entries)
    if not names:
        return {}
    sizes = (
        repository.read("cat-file", "--batch-check=%(objectsize)", stdin=names.encode()).decode("ascii").splitlines()
    )
    # In a partial clone an object may be missing.
    return {path: int(size) for (_, _, path), size in zip(entries, sizes, strict=True) if size.isdecimal()}


def _entries(clone: ScratchRepository, wanted: set[str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    for item in items(clone.read("ls-files", "-z", "--stage")):
        facts, _, path = item.partition("\t")
        if path in wanted and facts.startswith("100"):
            entries[path] = facts.rpartition(" ")[0]
    return entries


def _pointer(file: Path) -> re.Match[bytes] | None:
    return _POINTER.fullmatch(file.read_bytes()) if file.stat().st_size <= _LONGEST_POINTER else None


def _behind_pointer(cloned: Path, lying: Path) -> int:
    """Tell how many bytes must be read to know whether a file is the one behind a pointer; 0 when none need be."""
    pointer = _pointer(cloned) if cloned.is_file() else None
    return int(pointer["size"]) if pointer and lying.stat().st_size == int(pointer["size"]) else 0


def _hold_the_same(cloned: Path, lying: Path) -> bool:
    if not cloned.is_file() or cloned.stat().st_mode & 0o100 != lying.stat().st_mode & 0o100:
        return False
    if filecmp.cmp(cloned, lying, shallow=False):
        return True
    pointer = _pointer(cloned)
    if pointer is None or lying.stat().st_size != int(pointer["size"]):
        return False
    with lying.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == pointer["digest"].decode("ascii")
