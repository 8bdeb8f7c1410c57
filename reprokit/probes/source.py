"""The state of the checkout that a run's code was read from: commit, remotes, and the exact tree with its patch.

Nothing is written to the user's repository; see `working_tree` for how the tree is learnt.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.bundle.source import LeftOut, Source
from reprokit.git import GitError
from reprokit.probes.scratch_repository import Checkout, ScratchRepository, find, readable
from reprokit.probes.working_tree import DEFAULT_CAPS, Caps, amount, look

__all__ = ["Caps", "ObservedSource", "observe", "tree_of"]

_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_NAME = 80
_REMOTE = re.compile(r"(?P<name>[^\t\n]+)\t(?P<address>[^\n]+) \(fetch\)(?: \[[^\]\n]*\])?")
_EXACT_PATCH = (
    *("--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--submodule=short", "--ignore-submodules=none", "--src-prefix=a/", "--dst-prefix=b/"),
)


@dataclass(frozen=True, kw_only=True)
class ObservedSource:
    """A source record and the files that belong to it, `None` where the record names none.

    `changed` are the absolute paths of the files in the working directory whose bytes the patch carries: in the patch,
    those of a binary file are compressed and cannot be searched.
    """

    source: Source
    patch: Path | None = None
    changed: tuple[Path, ...] = ()
    git_bundle: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _Head:
    """Where a checkout stands. `base` is the tree that a patch starts from: the commit's, or the empty one."""

    commit: str | None
    branch: str | None
    base: str


def observe(
    directory: Path, *, outputs: Sequence[Path] = (), into: Path, caps: Caps = DEFAULT_CAPS, name: str | None = None
) -> ObservedSource | None:
    """Observe the checkout that a directory lies in, without writing to its repository.

    Args:
        directory: any directory of the checkout.
        outputs: what the evaluation writes, relative to `directory` or absolute; what is untracked there is left out.
            The root of the checkout and what lies above it are ignored: they would leave out the code as well.
        into: the folder that patch and git bundle are written to; nothing below it is taken for part of the source.
        caps: how much is taken along.
        name: the record's name; that of the checkout's folder when not given.

    Returns:
        The record with its files, or `None` when the directory lies in no work tree.

    Raises:
        GitMissingError: there is no git program.
        GitError: git refuses or cannot read the repository, or the disk is full.
    """
    checkout = find(directory)
    if checkout is None:
        return None
    with _scratch(checkout, caps) as repository:
        head = _head(checkout)
        seen = look(repository, outputs=[directory / output for output in outputs], ours=[into], caps=caps)
        name = _ODD.sub("-", name or checkout.root.name).strip("-.")[:_LONGEST_NAME] or "source"
        dirty = seen.tree != head.base
        patch = _write_patch(repository, head.base, into / f"{name}.patch") if dirty else None
        changed = _changed(repository, head.base) if dirty else ()
    remotes = _remotes(checkout.root)
    on_remote = head.commit is not None and _is_on(checkout.root, head.commit, ("--remotes",))
    history = _write_history(checkout, head.commit, remotes, into / f"{name}.bundle", caps) if head.commit else None
    left_out = [*seen.left_out, history] if isinstance(history, LeftOut) else list(seen.left_out)
    git_bundle = history if isinstance(history, Path) else None
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
        git_bundle=f"source/{git_bundle.name}" if git_bundle else None,
        operation=git.operation(checkout.git_directory),
        submodules=seen.submodules,
        left_out=left_out,
    )
    return ObservedSource(source=source, patch=patch, changed=changed, git_bundle=git_bundle)


def carries(source: Source, path: Path) -> bool:
    """Tell whether a file of the checkout, or anything in a folder of it, is in the commit or the patch.

    Raises:
        GitError: git cannot tell.
    """
    root = Path(source.root)
    place = path.resolve().relative_to(root.resolve()).as_posix()
    if any(place == left.path.rstrip("/") or place.startswith(left.path.rstrip("/") + "/") for left in source.left_out):
        return False
    listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(literal){place}"]
    return place == "." or bool(git.run(listed, directory=root))


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
def _scratch(checkout: Checkout, caps: Caps) -> Iterator[ScratchRepository]:
    try:
        with tempfile.TemporaryDirectory(prefix="reprokit-source-", ignore_cleanup_errors=True) as folder:
            yield ScratchRepository(checkout, Path(folder).resolve() / "git", seconds=caps.seconds)
    except OSError as error:
        raise GitError(f"the checkout `{checkout.root}` cannot be looked at: {error.strerror}") from error


def _line(told: bytes | None) -> str | None:
    return None if told is None else os.fsdecode(told).removesuffix("\n")


def _head(checkout: Checkout) -> _Head:
    root = checkout.root
    reference = _line(git.answer(["symbolic-ref", "--quiet", "HEAD"], directory=root))
    branch = readable(reference.removeprefix("refs/heads/")) if reference else None
    commit = _line(git.answer(["rev-parse", "--verify", "--quiet", "HEAD"], directory=root))
    if commit is None:
        if reference is None or (checkout.common_directory / reference).exists():
            hint = "`git fsck` in it may tell what is damaged"
            raise GitError(f"`{root}` has a HEAD that git cannot read", hint=hint)
        base = _line(git.run(["hash-object", "-t", "tree", "--stdin"], directory=root))
    else:
        base = _line(git.run(["rev-parse", "--verify", f"{commit}^{{tree}}"], directory=root))
    return _Head(commit=commit, branch=branch, base=base or "")


def _remotes(root: Path) -> dict[str, str]:
    told = os.fsdecode(git.run(["remote", "--verbose"], directory=root))
    found = [match for line in told.split("\n") if (match := _REMOTE.fullmatch(line))]
    return {readable(each["name"]): readable(git.without_credentials(each["address"])) for each in found}


def _is_on(root: Path, commit: str, references: Sequence[str]) -> bool:
    return not git.run(["rev-list", "--max-count=1", commit, "--not", *references], directory=root)


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


def _write_history(
    checkout: Checkout, commit: str, remotes: dict[str, str], target: Path, caps: Caps
) -> Path | LeftOut | None:
    """Write a git bundle of a commit that cannot be fetched; `None` when it can, or why it cannot be carried either.

    A remote that only this machine can reach, a local path, keeps nothing for anybody else.
    """
    fetchable = [f"--remotes={name}" for name, address in remotes.items() if git.transport(address)]
    if fetchable and _is_on(checkout.root, commit, fetchable):
        return None
    whole = [] if checkout.shallow else [()]
    thin = [("--not", *fetchable)] if fetchable else []
    reason = "the clone is shallow, so that its history is not whole"
    for excluded in (*whole, *thin):
        try:
            size = _history_size(checkout.root, excluded, caps)
            if size <= caps.git_bundle:
                return _write_bundle(checkout.root, commit, excluded, target, caps)
            reason = f"its history is {amount(size)} large"
        except GitError as error:
            reason = f"its history cannot be packed: {error.message}"
    return LeftOut(path=".git", reason=f"the commit is on no remote that others could fetch from, and {reason}")


def _history_size(root: Path, excluded: Sequence[str], caps: Caps) -> int:
    counting = ["rev-list", "--objects", "--disk-usage", "HEAD", *excluded]
    return int(git.run(counting, directory=root, timeout=caps.seconds))


def _write_bundle(root: Path, commit: str, excluded: Sequence[str], target: Path, caps: Caps) -> Path:
    unfinished = target.with_name(f".{target.name}.unfinished").resolve()
    # With one thread the same objects are packed into the same bytes.
    create = ["-c", "pack.threads=1", "bundle", "create", "--quiet"]
    git.run([*create, unfinished, "HEAD", *excluded], directory=root, timeout=caps.seconds)
    if not git.run(["bundle", "list-heads", unfinished], directory=root).startswith(commit.encode()):
        unfinished.unlink()
        raise GitError("HEAD was moved at the same time")
    return unfinished.replace(target)
