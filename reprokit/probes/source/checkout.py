"""The state of the checkout that a run's code was read from: commit, remotes, and the exact tree with its patch.

Nothing is written to the user's repository; see `working_tree` for how the tree is learnt.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reprokit import git
from reprokit.bundle.source import LeftOut, Source, Use
from reprokit.git import GitError
from reprokit.probes.source import history
from reprokit.probes.source.caps import DEFAULT_CAPS, Caps
from reprokit.probes.source.history import GitBundle, History
from reprokit.probes.source.scratch_repository import (
    Checkout,
    ScratchRepository,
    find,
    head_commit,
    head_tree,
    items,
    readable,
)
from reprokit.probes.source.working_tree import look

__all__ = [
    "Caps",
    "ObservedSource",
    "lacking",
    "name_of",
    "observe",
    "observe_submodules",
    "tree_of",
    "with_facts",
]

_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 80
_EXACT_PATCH = (
    *("--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--submodule=short", "--ignore-submodules=none", "--src-prefix=a/", "--dst-prefix=b/"),
)


def _always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class ObservedSource:
    """A source record and the files that belong to it, `None` where the record names none.

    `root` is the checkout's folder. `changed` are the absolute paths of the files in the working directory whose bytes
    the patch carries: in the patch, those of a binary file are compressed and cannot be searched. `history` is what the
    git bundle holds, compressed as well: `history.texts` gives it to be searched. `unsettled` are the folders of
    submodules whose state their commit does not tell: `left_out` names them, until they are observed as checkouts of
    their own. `absent` are the files, and the folders of which nothing was taken, that `left_out` names.
    """

    source: Source
    root: Path
    patch: Path | None = None
    changed: tuple[Path, ...] = ()
    git_bundle: Path | None = None
    history: History | None = None
    unsettled: tuple[Path, ...] = ()
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class _Head:
    """Where a checkout stands. `base` is the tree that a patch starts from: the commit's, or the empty one."""

    commit: str | None
    branch: str | None
    base: str


def name_of(root: Path) -> str:
    """Name a checkout by its folder, in the letters that a bundle's paths may have."""
    return _clean(root.name)


def _clean(name: str) -> str:
    return _ODD.sub("-", name).strip("-.")[:_LONGEST_NAME] or "source"


def observe(
    directory: Path,
    *,
    outputs: Sequence[Path] = (),
    into: Path,
    caps: Caps = DEFAULT_CAPS,
    name: str | None = None,
    go_on: Callable[[], bool] = _always,
) -> ObservedSource | None:
    """Observe the checkout that a directory lies in, without writing to its repository.

    Args:
        directory: any directory of the checkout.
        outputs: what the evaluation writes, relative to `directory` or absolute; what is untracked there is left out.
            The root of the checkout and what lies above it are ignored: they would leave out the code as well.
        into: the folder that patch and git bundle are written to; nothing below it is taken for part of the source.
        caps: how much is taken along.
        name: the record's name; that of the checkout's folder when not given.
        go_on: asked now and then; once it says no, this fails with a `GitError`.

    Returns:
        The record with its files, or `None` when the directory lies in no work tree.

    Raises:
        GitMissingError: there is no git program.
        GitError: git refuses or cannot read the repository, or the disk is full.
    """
    checkout = find(directory)
    if checkout is None:
        return None
    name = _clean(name or checkout.root.name)
    with _scratch(checkout, caps, go_on) as repository:
        head = _head(checkout)
        written = [directory / output for output in outputs]
        seen = look(repository, outputs=written, ours=[into], caps=caps, base=head.base)
        dirty = seen.tree != head.base
        patch = _write_patch(repository, head.base, into / f"{name}.patch") if dirty else None
        changed = _changed(repository, head.base) if dirty else ()
    remotes = history.remotes(checkout.root)
    on_remote = head.commit is not None and history.is_on(checkout.root, head.commit, ("--remotes",))
    if not go_on():
        raise GitError("the look at it was cut short")
    packed = _pack(checkout, head, remotes, into / f"{name}.bundle", caps)
    git_bundle = packed if isinstance(packed, GitBundle) else None
    source = Source(
        name=name,
        root=readable(str(checkout.root)),
        commit=head.commit,
        branch=head.branch,
        remotes=remotes,
        on_remote=on_remote,
        tree=seen.tree,
        swhid=f"swh:1:dir:{seen.tree}",
        dirty=dirty,
        patch=f"source/{patch.name}" if patch else None,
        git_bundle=f"source/{git_bundle.file.name}" if git_bundle else None,
        operation=git.operation(checkout.git_directory),
        submodules=seen.submodules,
        submodules_empty=list(seen.empty),
        left_out=[*seen.left_out, packed] if isinstance(packed, LeftOut) else list(seen.left_out),
    )
    return ObservedSource(
        source=source,
        root=checkout.root,
        patch=patch,
        changed=changed,
        git_bundle=git_bundle.file if git_bundle else None,
        history=git_bundle.history if git_bundle else None,
        unsettled=tuple(checkout.root / path for path in seen.unsettled),
        absent=seen.absent,
    )


def observe_submodules(
    observed: ObservedSource, *, outputs: Sequence[Path] = (), into: Path, caps: Caps = DEFAULT_CAPS
) -> tuple[ObservedSource, ...]:
    """Observe a checkout's unsettled submodules, theirs included, as checkouts of their own, as far as git can.

    The first that is returned is the checkout itself. It names no longer as left out what has a record now.

    Args:
        observed: the checkout.
        outputs: what the evaluation writes, absolute.
        into: as for `observe`; the files are named after the checkout's record, with a number.
        caps: how much is taken along of each.
    """
    found: list[ObservedSource] = []
    settled: set[str] = set()
    for number, folder in enumerate(observed.unsettled, start=1):
        name = f"{observed.source.name}.{number}"
        path = readable(folder.relative_to(observed.root).as_posix())
        try:
            inner = observe(folder, outputs=outputs, into=into, caps=caps, name=name)
        except GitError:
            continue
        if inner is None or inner.root != folder:
            continue
        settled.add(path)
        use = Use(kind="submodule", name=path)
        first, *others = observe_submodules(inner, outputs=outputs, into=into, caps=caps)
        found += [with_facts(first, used_as=[use]), *others]
    left_out = [each for each in observed.source.left_out if each.path not in settled]
    return (with_facts(observed, left_out=left_out), *found)


def with_facts(observed: ObservedSource, **facts: object) -> ObservedSource:
    """Note facts in the record of an observed checkout, by the names of its fields."""
    return dataclasses.replace(observed, source=msgspec.structs.replace(observed.source, **facts))


def lacking(observed: ObservedSource, paths: Sequence[Path]) -> list[Path]:
    """List those files and folders of a checkout of which nothing is in its commit or its patch.

    Paths are absolute, with or without links on the way. One outside of the checkout is listed, too.

    Raises:
        GitError: git cannot tell.
    """
    told = git.run(
        ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], directory=observed.root, timeout=60
    )
    known = set(items(told))
    known |= {str(folder) for path in known for folder in Path(path).parents}

    def is_lacking(path: Path) -> bool:
        if not path.resolve().is_relative_to(observed.root):
            return True
        place = path.resolve().relative_to(observed.root)
        above = (readable(str(each)) for each in (place, *place.parents))
        return str(place) not in known or not observed.absent.isdisjoint(above)

    return [path for path in paths if is_lacking(path)]


def tree_of(directory: Path, *, outputs: Sequence[Path] = (), caps: Caps = DEFAULT_CAPS) -> str | None:
    """Look at the tree again, leaving out the same; `None` when the directory lies in no work tree.

    Equal trees mean that nothing but outputs and ignored files was written in between.

    Raises:
        GitError: as for `observe`.
    """
    checkout = find(directory)
    if checkout is None:
        return None
    with _scratch(checkout, caps) as repository:
        return look(repository, outputs=[directory / output for output in outputs], caps=caps).tree


@contextmanager
def _scratch(checkout: Checkout, caps: Caps, go_on: Callable[[], bool] = _always) -> Iterator[ScratchRepository]:
    try:
        with tempfile.TemporaryDirectory(prefix="reprokit-source-", ignore_cleanup_errors=True) as folder:
            yield ScratchRepository(checkout, Path(folder).resolve() / "git", seconds=caps.seconds, go_on=go_on)
    except OSError as error:
        raise GitError(f"the checkout `{checkout.root}` cannot be looked at: {error.strerror}") from error


def _line(told: bytes | None) -> str | None:
    return None if told is None else os.fsdecode(told).removesuffix("\n")


def _head(checkout: Checkout) -> _Head:
    root = checkout.root
    reference = _line(git.answer(["symbolic-ref", "--quiet", "HEAD"], directory=root, timeout=60))
    branch = readable(reference.removeprefix("refs/heads/")) if reference else None
    commit = head_commit(root)
    if commit is None and (reference is None or (checkout.common_directory / reference).exists()):
        hint = "`git fsck` in it may tell what is damaged"
        raise GitError(f"`{root}` has a HEAD that git cannot read", hint=hint)
    return _Head(commit=commit, branch=branch, base=head_tree(root))


def _pack(
    checkout: Checkout, head: _Head, remotes: dict[str, str], target: Path, caps: Caps
) -> GitBundle | LeftOut | None:
    if head.commit is None:
        return None
    return history.pack(checkout.root, head.commit, remotes, target, shallow=checkout.shallow, caps=caps)


def _write_patch(repository: ScratchRepository, base: str, target: Path) -> Path:
    """Write the patch from a tree to the one that was seen: applied to the first, it gives exactly the second."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    repository.read("diff-index", "--cached", *_EXACT_PATCH, f"--output={unfinished.resolve()}", base)
    return unfinished.replace(target)


def _changed(repository: ScratchRepository, base: str) -> tuple[Path, ...]:
    """List the files that differ from a tree. Links are none of them: the patch shows in plain text where they lead."""
    options = ("--no-renames", "--ignore-submodules=all", "--diff-filter=d")
    told = os.fsdecode(repository.read("diff-index", "--cached", "-z", "--name-only", *options, base))
    paths = [repository.root / path for path in told.split("\0")[:-1]]
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())
