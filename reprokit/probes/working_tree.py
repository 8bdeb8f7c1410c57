"""The exact tree of a checkout's working directory, learnt without touching the repository.

Staged or not, untracked, binary, unmerged, hidden from git: a file that differs from the index is taken byte for byte
as it lies on disk, before any filter or conversion of line ends and encodings, because those are the bytes that ran.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit import git
from reprokit.bundle.source import LeftOut
from reprokit.git import GitError
from reprokit.probes import credential_files
from reprokit.probes.fresh_clone import lying_as_cloned
from reprokit.probes.scratch_repository import ScratchRepository, find, readable
from reprokit.probes.tree_name import tree_name

OUTPUT = "an output of the evaluation"
_KIB = 1 << 10
_MIB = 1 << 20
_NAMED_ONE_BY_ONE = 20


@dataclass(frozen=True, kw_only=True)
class Caps:
    """How much of a working directory is taken along.

    Sizes are bytes: of one untracked (or filtered) file, of all untracked files together, of a git bundle.
    `untracked_files` counts files, `seconds` is how long one git command may take.
    """

    untracked_file: int = 10 * _MIB
    untracked_together: int = 50 * _MIB
    untracked_files: int = 10_000
    git_bundle: int = 50 * _MIB
    seconds: float = 120.0


DEFAULT_CAPS = Caps()


@dataclass(frozen=True, kw_only=True)
class WorkingTree:
    """What a working directory holds: its tree, what the tree does not hold, the commits of its submodules."""

    tree: str
    left_out: tuple[LeftOut, ...] = ()
    submodules: dict[str, str] = field(default_factory=dict)


def look(
    repository: ScratchRepository, *, outputs: Sequence[Path] = (), ours: Sequence[Path] = (), caps: Caps
) -> WorkingTree:
    """Learn the exact tree of a checkout; its objects stay in the scratch repository.

    Args:
        repository: a new scratch repository over the checkout.
        outputs: what the evaluation writes; untracked files below are left out and named.
        ours: what reprokit writes; untracked files below are passed over.
        caps: how much of what is untracked is taken along.

    Raises:
        GitError: git cannot read the repository or a file of it.
    """
    _show_hidden(repository)
    tracked = _tracked(repository, caps)
    untracked = _untracked(repository, outputs=outputs, ours=(repository.at, *ours), caps=caps)
    repository.write("update-index", "-z", "--force-remove", "--stdin", stdin=_listed(tracked.gone))
    adding = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
    repository.write(*adding, stdin=_listed([*tracked.taken, *untracked.taken]))
    committed = b"".join(f"{entry}\t".encode() + _listed([path]) for path, entry in tracked.as_cloned.items())
    repository.write("update-index", "-z", "--index-info", stdin=committed)
    entries = [item.partition(b"\t") for item in repository.read("ls-files", "-z", "--stage").split(b"\0")[:-1]]
    members = [(*facts.split(b" ")[:2], path) for facts, _, path in entries]
    submodules = {os.fsdecode(path): name.decode("ascii") for mode, name, path in members if mode == b"160000"}
    left_out = [*tracked.left_out, *untracked.left_out]
    for number, path in enumerate(submodules):
        left_out += _inside_submodule(repository, path, repository.at / f"submodule-{number}", caps)
    return WorkingTree(
        tree=tree_name((mode, path, name) for mode, name, path in members),
        left_out=tuple(sorted(left_out, key=lambda each: (each.path, each.reason))),
        submodules={readable(path): commit for path, commit in submodules.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _Sorted:
    """Paths, relative to the checkout, by what is done with them."""

    taken: tuple[str, ...]
    as_cloned: dict[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def _listed(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _items(told: bytes) -> list[str]:
    return os.fsdecode(told).split("\0")[:-1]


def _show_hidden(repository: ScratchRepository) -> None:
    """Make git look at the files it was told not to look at.

    `assume-unchanged` and `skip-worktree` are how people hide local changes. Only what a sparse checkout really left
    out of the working directory stays as it is in the commit.
    """
    hidden: list[str] = []
    rewrite = False
    for item in _items(repository.read("ls-files", "-z", "-v")):
        tag, _, path = item.partition(" ")
        if tag.upper() == "S" and not os.path.lexists(repository.root / path):
            rewrite = True
        elif tag.upper() == "S" or tag.islower():
            hidden.append(path)
    if hidden:
        for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
            repository.read("update-index", "-z", flag, "--stdin", stdin=_listed(hidden))
    if rewrite:  # a sparse index names folders; written anew it names files, and no tree is needed to read it
        repository.read("update-index", "--force-write-index")


def _tracked(repository: ScratchRepository, caps: Caps) -> _Sorted:
    """Sort the tracked files that differ from the index."""
    told = _items(repository.read("diff-files", "-z", "--name-status", "--no-renames", "--ignore-submodules=dirty"))
    changes = list(zip(told[::2], told[1::2], strict=True))
    deleted = {path for kind, path in changes if kind == "D"}
    uncommitted = {path for kind, path in changes if kind in {"U", "A"}}
    as_cloned = lying_as_cloned(repository, [path for kind, path in changes if kind == "M" and path not in uncommitted])
    differing = sorted({path for _, path in changes} - as_cloned.keys())
    products = _filtered(repository, differing, caps)
    taken, gone, left_out = [], [], []
    for path in differing:
        facts = None if path in deleted else _facts(repository.root / path)
        if facts is None:
            gone.append(path)
        elif reason := products.get(path) or _unfit(repository.root / path, facts):
            left_out.append(LeftOut(path=readable(path), reason=reason))
            # Unmerged or only meant to be added, it has no other state to fall back to; nor has what is a file no more.
            gone += [path] if path in uncommitted or _is_special(facts) else []
        else:
            taken.append(path)
    return _Sorted(taken=tuple(taken), as_cloned=as_cloned, gone=tuple(gone), left_out=tuple(left_out))


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _is_special(facts: os.stat_result) -> bool:
    return not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode) or stat.S_ISDIR(facts.st_mode))


def _unfit(path: Path, facts: os.stat_result) -> str | None:
    if _is_special(facts):
        return "neither a file nor a link"
    if stat.S_ISREG(facts.st_mode) and not os.access(path, os.R_OK):
        return "not readable"
    return None


def _size(path: Path) -> int:
    facts = _facts(path)
    return facts.st_size if facts and stat.S_ISREG(facts.st_mode) else 0


def _filtered(repository: ScratchRepository, paths: list[str], caps: Caps) -> dict[str, str]:
    """Name the files that git keeps through a filter and that are not taken as they lie, and why.

    No filter is run, since it is a program that may write to the repository. What lies there may be what the filter was
    to keep out of git: something large, or something secret.
    """
    told = _items(repository.read("check-attr", "-z", "--stdin", "filter", stdin=_listed(paths))) if paths else []
    reasons: dict[str, str] = {}
    for path, name in zip(told[::3], told[2::3], strict=True):
        if name in {"unspecified", "unset"}:
            continue
        size = _size(repository.root / path)
        if "crypt" in name:
            reasons[path] = f"kept encrypted in git by the filter `{readable(name)}`"
        elif size > caps.untracked_file:
            reasons[path] = f"changed, {amount(size)} large, and kept in git through the filter `{readable(name)}`"
    return reasons


def _untracked(repository: ScratchRepository, *, outputs: Sequence[Path], ours: Sequence[Path], caps: Caps) -> _Sorted:
    """Sort the files that git neither tracks nor ignores."""
    root = repository.root
    own, written = _below(root, ours), _below(root, outputs)
    candidates: list[tuple[int, str]] = []
    too_much: list[tuple[int, str]] = []
    reasons: dict[str, str] = {}
    for path in _items(repository.read("ls-files", "-z", "--others", "--exclude-standard")):
        facts = _facts(root / path)
        if facts is None or _under(path, own) or _is_compiled(path):
            continue
        if output := _under(path, written):
            reasons[output] = OUTPUT
        elif credential_files.may_hold_credentials(path):
            reasons[path] = credential_files.REASON
        elif path.endswith("/"):
            reasons[path] = "a git repository of its own"
        elif reason := _unfit(root / path, facts):
            reasons[path] = f"untracked and {reason}"
        else:
            (candidates if facts.st_size <= caps.untracked_file else too_much).append((facts.st_size, path))
    encrypted = _filtered(repository, [path for _, path in candidates], caps)
    reasons |= encrypted
    taken, beyond = _within([each for each in candidates if each[1] not in encrypted], caps)
    named = [LeftOut(path=readable(path), reason=reason) for path, reason in reasons.items()]
    return _Sorted(taken=taken, left_out=(*named, *_name_large([*too_much, *beyond], caps)))


def _is_compiled(path: str) -> bool:
    """Tell whether Python wrote a file by running: it says nothing that the source beside it does not."""
    return "__pycache__/" in path or path.endswith(".pyc")


def _below(root: Path, places: Iterable[Path]) -> tuple[str, ...]:
    """Write those places that lie below the checkout relative to it; the checkout itself is none of them.

    Were the checkout itself an output, all its new code would be left out.
    """
    found: set[str] = set()
    for place in places:
        for real in (place.resolve(), place.parent.resolve() / place.name):
            if real != root and real.is_relative_to(root):
                found.add(str(real.relative_to(root)))
    return tuple(sorted(found))


def _under(path: str, places: Iterable[str]) -> str | None:
    return next((place for place in places if path.rstrip("/") == place or path.startswith(f"{place}/")), None)


def _within(candidates: list[tuple[int, str]], caps: Caps) -> tuple[tuple[str, ...], list[tuple[int, str]]]:
    """Take the smallest files first, which code is, until there are too many or they are too large together."""
    ordered, together = sorted(candidates), 0
    for number, (size, _) in enumerate(ordered):
        together += size
        if together > caps.untracked_together or number >= caps.untracked_files:
            return tuple(path for _, path in ordered[:number]), ordered[number:]
    return tuple(path for _, path in ordered), []


def _name_large(files: list[tuple[int, str]], caps: Caps) -> Iterator[LeftOut]:
    """Name what was too much: one by one, or by folder where there are many."""
    folders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for size, path in files:
        folders[path.rpartition("/")[0] + "/"].append((size, path))
    for folder, members in folders.items():
        if len(members) > _NAMED_ONE_BY_ONE:
            together = amount(sum(size for size, _ in members))
            where = "./" if folder == "/" else readable(folder)
            yield LeftOut(path=where, reason=f"{len(members)} untracked files here, {together} large together")
            continue
        for size, path in members:
            why = "" if size > caps.untracked_file else ", beyond what is taken along in all"
            yield LeftOut(path=readable(path), reason=f"untracked and {amount(size)} large{why}")


def amount(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((_KIB**3, "GiB"), (_KIB**2, "MiB"), (_KIB, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _inside_submodule(repository: ScratchRepository, path: str, scratch: Path, caps: Caps) -> list[LeftOut]:
    """Say what of a submodule's state its commit does not tell; nothing for one that is not checked out."""
    inner = repository.root / path
    if not os.path.lexists(inner / ".git"):
        return []
    try:
        checkout = find(inner)
        if checkout is None or checkout.root != inner:
            return [LeftOut(path=readable(path), reason="a submodule that git cannot read")]
        seen = look(ScratchRepository(checkout, scratch, seconds=caps.seconds), caps=caps)
        committed = git.answer(["rev-parse", "--verify", "--quiet", "HEAD^{tree}"], directory=inner)
    except GitError as error:
        return [LeftOut(path=readable(path), reason=f"a submodule that cannot be looked at: {error.message}")]
    if seen.left_out or committed is None or committed.decode("ascii").strip() != seen.tree:
        return [LeftOut(path=readable(path), reason="a submodule with changes that are not committed in it")]
    return []
