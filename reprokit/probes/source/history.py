"""The history of a checkout: from where its commit can be fetched, and what is carried along when it cannot.

A commit that is on no remote exists on this machine alone. It is packed into a git bundle, which nobody can read with
the eyes: `texts` gives what lies in it, so that it can be searched for secrets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.bundle.source import LeftOut
from reprokit.git import GitError
from reprokit.probes.source.caps import Caps, amount
from reprokit.probes.source.scratch_repository import readable

_REMOTE = re.compile(r"(?P<name>[^\t\n]+)\t(?P<address>[^\n]+) \(fetch\)(?: \[[^\]\n]*\])?")
_PATIENCE = 60.0
_READ_TOGETHER = 16 << 20
_MOST_TOGETHER = 1000
MOST_SEARCHED = 512 << 20
"""Bytes of a history that `texts` gives before it gives up: some ten seconds of searching."""


@dataclass(frozen=True, kw_only=True)
class History:
    """What a git bundle holds: everything under the commit `tip` that is not under one of `built_on`."""

    root: Path
    tip: str
    built_on: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GitBundle:
    """A git bundle that was written, and the history that is in it."""

    file: Path
    history: History


def remotes(root: Path) -> dict[str, str]:
    """List the addresses of the remotes by name, without credentials.

    Raises:
        GitError: git cannot tell.
    """
    told = os.fsdecode(git.run(["remote", "--verbose"], directory=root, timeout=_PATIENCE))
    found = [match for line in told.split("\n") if (match := _REMOTE.fullmatch(line))]
    return {readable(each["name"]): readable(git.without_credentials(each["address"])) for each in found}


def is_on(root: Path, commit: str, references: Sequence[str]) -> bool:
    """Tell whether a commit is under one of some references, given as `git rev-list` takes them.

    Raises:
        GitError: git cannot tell.
    """
    asked = ["rev-list", "--max-count=1", commit, "--not", *references]
    return not git.run(asked, directory=root, timeout=_PATIENCE)


def can_be_fetched(root: Path, commit: str) -> bool:
    """Tell whether others could fetch a commit from one of a checkout's remotes, as far as is known here.

    Raises:
        GitError: git cannot tell.
    """
    references = _fetchable(remotes(root))
    return bool(references) and is_on(root, commit, references)


def _fetchable(addresses: Mapping[str, str]) -> list[str]:
    """Name the branches of those remotes that are no use to this machine alone, as a local path is."""
    return [f"--remotes={name}" for name, address in addresses.items() if git.transport(address)]


def pack(
    root: Path, commit: str, addresses: Mapping[str, str], target: Path, *, shallow: bool, caps: Caps
) -> GitBundle | LeftOut | None:
    """Write a git bundle of a commit that cannot be fetched; `None` when it can, or why it cannot be carried either.

    Raises:
        GitError: git cannot tell whether it can be fetched.
    """
    fetchable = _fetchable(addresses)
    if fetchable and is_on(root, commit, fetchable):
        return None
    whole = [] if shallow else [()]
    thin = [("--not", *fetchable)] if fetchable else []
    reason = "the clone is shallow, so that its history is not whole"
    for excluded in (*whole, *thin):
        try:
            size = _packed_size(root, excluded, caps)
            if size <= caps.git_bundle:
                return _write(root, commit, excluded, target, caps)
            reason = f"its history is {amount(size)} large"
        except GitError as error:
            reason = f"its history cannot be packed: {error.message}"
    return LeftOut(path=".git", reason=f"the commit is on no remote that others could fetch from, and {reason}")


def _packed_size(root: Path, excluded: Sequence[str], caps: Caps) -> int:
    counting = ["rev-list", "--objects", "--disk-usage", "HEAD", *excluded]
    return int(git.run(counting, directory=root, timeout=caps.seconds))


def _write(root: Path, commit: str, excluded: Sequence[str], target: Path, caps: Caps) -> GitBundle:
    unfinished = target.with_name(f".{target.name}.unfinished").resolve()
    # With one thread the same objects are packed into the same bytes.
    create = ["-c", "pack.threads=1", "bundle", "create", "--quiet"]
    git.run([*create, unfinished, "HEAD", *excluded], directory=root, timeout=caps.seconds)
    if not git.run(["bundle", "list-heads", unfinished], directory=root).startswith(commit.encode()):
        unfinished.unlink()
        raise GitError("HEAD was moved at the same time")
    history = History(root=root, tip=commit, built_on=_built_on(unfinished))
    return GitBundle(file=unfinished.replace(target), history=history)


def _built_on(git_bundle: Path) -> tuple[str, ...]:
    """Read the commits that a git bundle builds on: its header lists each behind a `-`."""
    found: list[str] = []
    with git_bundle.open("rb") as file:
        while (line := file.readline().rstrip(b"\n")) and len(line) < _READ_TOGETHER:
            if line.startswith(b"-"):
                found.append(line[1:].split(b" ")[0].decode("ascii"))
    return tuple(found)


def texts(history: History, *, most: int = MOST_SEARCHED) -> Iterator[bytes]:
    """Give everything that a git bundle of a history lets others read, to be searched.

    Yields:
        First the paths of all files, then each file's content and each commit with its message, one after the other,
        whole.

    Raises:
        GitError: git cannot read it, or it is more than `most` bytes: what was given until then is not all.
    """
    told = _ask(history, ["rev-list", "--objects", history.tip, *(f"^{commit}" for commit in history.built_on)])
    rows = [line.partition(b" ") for line in told.split(b"\n") if line]
    yield b"\n".join(path for _, _, path in rows if path)
    names = b"".join(name + b"\n" for name, _, _ in rows)
    asked = ["cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype) %(objectsize)"]
    facts = [line.split(b" ") for line in _ask(history, asked, stdin=names).splitlines()]
    if any(each[1] == b"missing" for each in facts):
        raise GitError(f"`{history.root}` has lost objects of its history since it was packed")
    # The paths, which trees hold, are told already.
    sizes = [(name, int(size)) for name, kind, size in facts if kind != b"tree"]
    together = sum(size for _, size in sizes)
    if together > most:
        raise GitError(f"the history of `{history.root}` is {amount(together)} large: too much to be searched")
    for group in _together(sizes):
        yield from _contents(history, group)


def _ask(history: History, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
    return git.run(arguments, directory=history.root, stdin=stdin, timeout=Caps().seconds)


def _together(sizes: Iterable[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    """Group objects so that a group is read at once, and does not take much memory unless a single one does."""
    group: list[bytes] = []
    held = 0
    for name, size in sizes:
        if group and (held + size > _READ_TOGETHER or len(group) >= _MOST_TOGETHER):
            yield group
            group, held = [], 0
        group.append(name)
        held += size
    if group:
        yield group


def _contents(history: History, names: Sequence[bytes]) -> Iterator[bytes]:
    told = _ask(history, ["cat-file", "--buffer", "--batch=%(objectsize)"], stdin=b"\n".join(names) + b"\n")
    position = 0
    while position < len(told):
        start = told.index(b"\n", position) + 1
        end = start + int(told[position : start - 1])
        yield told[start:end]
        position = end + 1
