"""The exact tree of a checkout's working directory, learnt without touching the repository.

Staged or not, untracked, binary, unmerged, hidden from git: a file that differs from the index is taken byte for byte
as it lies on disk, before any filter or conversion of line ends and encodings, because those are the bytes that ran.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.bundle.source import LeftOut
from reprokit.git import GitError
from reprokit.probes.source import credential_files, fresh_clone, history
from reprokit.probes.source.caps import DEFAULT_CAPS, Caps, amount
from reprokit.probes.source.scratch_repository import (
    ScratchRepository,
    find,
    head_commit,
    head_tree,
    items,
    listed,
    readable,
)
from reprokit.probes.source.tree_name import tree_name
from reprokit.probes.source.untracked import (
    NESTED,
    OUTPUT,
    facts_of,
    filtered,
    is_special,
    sort_untracked,
    unfit,
)

_NOT_COMPARED = "kept in Git LFS, and too large to be compared with its pointer"

__all__ = ["DEFAULT_CAPS", "NESTED", "OUTPUT", "Caps", "WorkingTree", "amount", "look"]


@dataclass(frozen=True, kw_only=True)
class WorkingTree:
    """What a working directory holds: its tree, what the tree does not hold, the commits of its submodules.

    `left_out` names many files by their folder; `absent` are the files, and the folders of which nothing is in the tree
    as it lies, one by one. `empty` are the paths of submodules that are not checked out, and `unsettled` those of the
    ones whose state their commit does not tell, and that can be looked at.
    """

    tree: str
    left_out: tuple[LeftOut, ...] = ()
    absent: frozenset[str] = frozenset()
    submodules: dict[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


def look(
    repository: ScratchRepository,
    *,
    outputs: Sequence[Path] = (),
    ours: Sequence[Path] = (),
    caps: Caps,
    base: str | None = None,
) -> WorkingTree:
    """Learn the exact tree of a checkout; its objects stay in the scratch repository.

    Args:
        repository: a new scratch repository over the checkout.
        outputs: what the evaluation writes; untracked files below are left out and named.
        ours: what reprokit writes; untracked files below are passed over.
        caps: how much of what is untracked is taken along.
        base: the tree of HEAD, when the caller knows it.

    Raises:
        GitError: git cannot read the repository or a file of it.
    """
    _show_hidden(repository)
    tracked = _tracked(repository, caps)
    untracked = sort_untracked(repository, outputs=outputs, ours=(repository.at, *ours), caps=caps)
    if tracked.gone:
        repository.write("update-index", "-z", "--force-remove", "--stdin", stdin=listed(tracked.gone))
    if taken := [*tracked.taken, *untracked.taken]:
        repository.write("update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=listed(taken))
    _set_entries(repository, tracked.as_cloned)
    credentials = _take_back_credentials(repository, base or head_tree(repository.root))
    entries = [item.partition(b"\t") for item in repository.read("ls-files", "-z", "--stage").split(b"\0")[:-1]]
    members = [(*facts.split(b" ")[:2], path) for facts, _, path in entries]
    submodules = {os.fsdecode(path): name.decode("ascii") for mode, name, path in members if mode == b"160000"}
    told = [*tracked.left_out, *credentials]
    pointers = _pointers(
        repository, [path for _, _, path in members], {*tracked.taken, *tracked.gone}, {each.path for each in told}
    )
    states = [_inside_submodule(repository, path, f"inner-{number}", caps) for number, path in enumerate(submodules)]
    left_out = [*told, *untracked.left_out, *fresh_clone.named(pointers), *filter(None, states)]
    absent = {each.path for each in told} | {readable(path) for _, path in pointers}
    return WorkingTree(
        tree=tree_name((mode, path, name) for mode, name, path in members),
        left_out=tuple(sorted(left_out, key=lambda each: (each.path, each.reason))),
        absent=untracked.absent | absent,
        submodules={readable(path): commit for path, commit in submodules.items()},
        empty=tuple(readable(path) for path in submodules if not _is_checked_out(repository, path)),
        unsettled=tuple(path for path, state in zip(submodules, states, strict=True) if state),
    )


@dataclass(frozen=True, kw_only=True)
class _Sorted:
    """Paths, relative to the checkout, by what is done with them."""

    taken: tuple[str, ...]
    as_cloned: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def _show_hidden(repository: ScratchRepository) -> None:
    """Make git look at the files it was told not to look at.

    `assume-unchanged` and `skip-worktree` are how people hide local changes. Only what a sparse checkout really left
    out of the working directory stays as it is in the commit.
    """
    hidden: list[str] = []
    rewrite = False
    for item in items(repository.read("ls-files", "-z", "-v")):
        tag, _, path = item.partition(" ")
        if tag.upper() == "S" and not os.path.lexists(repository.root / path):
            rewrite = True
        elif tag.upper() == "S" or tag.islower():
            hidden.append(path)
    if hidden:
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            repository.read("update-index", "-z", flag, "--stdin", stdin=listed(hidden))
    if rewrite:  # a sparse index names folders; written anew it names files, and no tree is needed to read it
        repository.read("update-index", "--force-write-index")


def _tracked(repository: ScratchRepository, caps: Caps) -> _Sorted:
    """Sort the tracked files that differ from the index."""
    told = items(repository.read("diff-files", "-z", "--name-status", "--no-renames", "--ignore-submodules=dirty"))
    changes = list(zip(told[::2], told[1::2], strict=True))
    deleted = {path for kind, path in changes if kind == "D"}
    uncommitted = {path for kind, path in changes if kind in {"U", "A"}}
    compared = fresh_clone.compare(
        repository, [path for kind, path in changes if kind == "M" and path not in uncommitted], caps
    )
    differing = sorted({path for _, path in changes} - compared.as_cloned.keys())
    products = filtered(repository, differing, caps) | dict.fromkeys(compared.not_compared, _NOT_COMPARED)
    taken, gone, left_out = [], [], []
    for path in differing:
        facts = None if path in deleted else facts_of(repository.root / path)
        if facts is None:
            gone.append(path)
        elif reason := products.get(path) or unfit(repository.root / path, facts):
            left_out.append(LeftOut(path=readable(path), reason=reason))
            # Unmerged or only meant to be added, it has no other state to fall back to; nor has what is a file no more.
            gone += [path] if path in uncommitted or is_special(facts) else []
        else:
            taken.append(path)
    return _Sorted(taken=tuple(taken), as_cloned=compared.as_cloned, gone=tuple(gone), left_out=tuple(left_out))


def _set_entries(repository: ScratchRepository, entries: Mapping[str, str]) -> None:
    """Make the index say of paths what is given for each: `mode object`."""
    rows = b"".join(f"{entry}\t".encode() + listed([path]) for path, entry in entries.items())
    if rows:
        repository.write("update-index", "-z", "--index-info", stdin=rows)


def _take_back_credentials(repository: ScratchRepository, base: str) -> list[LeftOut]:
    """Take back what was changed in or added to files that hold credentials by their name, staged or not.

    What is committed stays: it is in the history for everybody to read.
    """
    options = ("--cached", "-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=all", "--diff-filter=d")
    told = items(repository.read("diff-index", *options, base))
    committed = {
        path: " ".join(facts.removeprefix(":").split(" ")[0:3:2])
        for facts, path in zip(told[::2], told[1::2], strict=True)
        if credential_files.may_hold_credentials(path)
    }
    _set_entries(repository, committed)
    return [LeftOut(path=readable(path), reason=credential_files.REASON) for path in committed]


def _pointers(
    repository: ScratchRepository, paths: Iterable[bytes], taken: set[str], told: set[str]
) -> list[tuple[int, str]]:
    """Find what lies behind pointers of Git LFS, where attributes can name any."""
    if not any(path.rpartition(b"/")[2] == b".gitattributes" for path in paths):
        return []
    found = fresh_clone.behind_pointers(repository, taken)
    return [(size, path) for size, path in found if readable(path) not in told]


def _inside_submodule(repository: ScratchRepository, path: str, name: str, caps: Caps) -> LeftOut | None:
    """Say what of a submodule's state its commit does not tell; nothing for one that is not checked out."""
    inner = repository.root / path
    if not _is_checked_out(repository, path):
        return None
    try:
        checkout = find(inner)
        if checkout is None or checkout.root != inner:
            reason = "that git cannot read"
        else:
            seen = look(repository.within(checkout, name), caps=caps)
            settled = not seen.left_out and head_tree(inner) == seen.tree
            reason = _out_of_reach(inner) if settled else "with changes that are not committed in it"
    except GitError as error:
        reason = f"that cannot be looked at: {error.message}"
    return LeftOut(path=readable(path), reason=f"a submodule {reason}") if reason else None


def _is_checked_out(repository: ScratchRepository, path: str) -> bool:
    return os.path.lexists(repository.root / path / ".git")


def _out_of_reach(root: Path) -> str:
    commit = head_commit(root)
    if commit is None or history.can_be_fetched(root, commit):
        return ""
    return "whose commit is on no remote that others could fetch from"
