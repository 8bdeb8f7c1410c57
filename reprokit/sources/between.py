"""The code between two source records of one checkout: the patch from the one's tree to the other's.

Both trees are rebuilt in one repository that is thrown away, from what the bundles carry and from clones on this
machine; nothing is fetched, and nothing is checked out. Without the commit, the two patches tell what can be told.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reprokit import git
from reprokit.bundle.source import Source
from reprokit.errors import InputMissingError, InvalidRecordError, ReprokitError
from reprokit.git import GitError
from reprokit.sources import clones as cloned
from reprokit.sources import rebuilding
from reprokit.sources.comparison import LONGEST_PATCH, MOST_FILES, ChangedFile, Compared, compare_trees
from reprokit.sources.patches import compare_patches
from reprokit.sources.rebuilding import has, run, short
from reprokit.sources.trees import refuse_endless

_SECONDS = 60.0
"""How long one pair of checkouts is looked at."""
_LARGEST_PATCH = 256 << 20
_LARGEST_COMPARED_PATCH = 32 << 20
_LARGEST_GIT_BUNDLE = 1 << 30
# The two sides are compared as bytes: what their files say of attributes has no part in it.
_AS_IT_LIES = "* -text -ident !eol !filter !working-tree-encoding !diff !merge\n"


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A source record and the files that it names, plain or compressed; `None` where there is none."""

    source: Source
    patch: Path | None = None
    git_bundle: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Between:
    """What lies between two trees, in the direction from the first to the second.

    `learnt_from` says how well it is known: both `trees` were rebuilt and are the recorded ones; or the two `patches`
    of a commit that is not to be had were compared, and neither tree could be checked; or `nothing` is known, for the
    `reason`. Otherwise `reason` says what is left out of `files` or `patch`. The patch has at most 1 MiB.
    """

    learnt_from: Literal["trees", "patches", "nothing"]
    reason: str | None = None
    files: tuple[ChangedFile, ...] = ()
    patch: str | None = None


def between(before: Carried, after: Carried, *, clones: Sequence[Path] = ()) -> Between:
    """Tell what lies between the trees of two records of one checkout.

    Commits are taken from the git bundles that are carried, then from `clones`, then from where the records say that
    the checkouts were: never over the network. The other way round, the answer is the exact reverse.

    Args:
        before: the one record.
        after: the other one.
        clones: folders that lie in repositories which may have the commits; one that does not is passed over.

    Returns:
        What is known; this never fails, since a comparison needs no code.
    """
    try:
        with (
            git.within(_SECONDS),
            tempfile.TemporaryDirectory(prefix="reprokit-code-", ignore_cleanup_errors=True) as folder,
        ):
            return _compare(Path(folder).resolve(), before, after, clones)
    except ReprokitError as error:
        return Between(learnt_from="nothing", reason=error.message)
    except OSError as error:
        return Between(learnt_from="nothing", reason=f"it could not be looked at: {error.strerror}")


def _compare(folder: Path, before: Carried, after: Carried, clones: Sequence[Path]) -> Between:
    sides = (before, after)
    for side in sides:
        rebuilding.refuse_malformed(side.source)
    if before.source.tree == after.source.tree:
        return Between(learnt_from="trees")
    if len(before.source.tree) != len(after.source.tree):
        raise InvalidRecordError("the one is a SHA-1 repository, the other a SHA-256 one")
    repository = _new_repository(folder, before.source)
    missing = _gather(repository, sides, clones)
    if not missing:
        _rebuild(repository, sides)
        return _told("trees", compare_trees(repository, before.source.tree, after.source.tree), [])
    several = len(missing) > 1
    which = " and ".join(f"{short(commit)}…" for commit in missing)
    absent = f"the commit{'s' * several} {which} {'are' if several else 'is'} in no clone known here"
    hint = "name one with `--source DIR`"
    if before.source.commit != after.source.commit:
        raise InputMissingError(f"{absent}: {hint}")
    return _of_patches(repository, sides, absent, hint)


def _of_patches(repository: Path, sides: Sequence[Carried], absent: str, hint: str) -> Between:
    one, other = (_patch(repository, side, name) for side, name in zip(sides, "ab", strict=True))
    found = compare_patches(repository, one, other)
    if not found.compared.files:
        raise InvalidRecordError(f"{absent}, and the patches do not differ though the trees do")
    notes = [f"{absent}: only the patches were compared, {hint}"]
    if found.by_detour:
        notes.append(f"files that both changed are shown back to the commit and on from there: {found.by_detour}")
    return _told("patches", found.compared, notes)


def _new_repository(folder: Path, source: Source) -> Path:
    repository = folder / "repository"
    repository.mkdir()
    rebuilding.initialise(repository, len(source.tree))
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text(_AS_IT_LIES)
    return repository


def _gather(repository: Path, sides: Iterable[Carried], clones: Sequence[Path]) -> list[str]:
    """Bring both commits into the repository; return those that are not to be had."""
    commits = sorted({side.source.commit for side in sides if side.source.commit is not None})
    carried = [copy for side in sides if (copy := _copied_git_bundle(repository, side)) is not None]
    incomplete = [git_bundle for git_bundle in carried if not _unbundle(repository, git_bundle)]
    lacking = [commit for commit in commits if not has(repository, commit)]
    if lacking:
        stores = list(cloned.object_stores(clones, (side.source.root for side in sides)))
        lacking = [commit for commit in lacking if not cloned.bring(repository, commit, stores)]
        for git_bundle in incomplete if lacking else []:
            for commit in rebuilding.prerequisites(git_bundle):
                if not has(repository, commit):
                    cloned.bring(repository, commit, stores)
            _unbundle(repository, git_bundle)
    return [commit for commit in lacking if not has(repository, commit)]


def _copied_git_bundle(repository: Path, side: Carried) -> Path | None:
    """Copy a git bundle; one that cannot be read is passed over, since a clone may have the commit as well."""
    if side.git_bundle is None:
        return None
    at = repository.parent / f"{len(list(repository.parent.iterdir()))}.bundle"
    try:
        return rebuilding.plain(side.git_bundle, at, limit=_LARGEST_GIT_BUNDLE)
    except (InputMissingError, InvalidRecordError):
        return None


def _unbundle(repository: Path, git_bundle: Path) -> bool:
    try:
        run(repository, "bundle", "unbundle", git_bundle)
    except GitError as error:
        if error.status is None:
            raise
        return False
    return True


def _rebuild(repository: Path, sides: Iterable[Carried]) -> None:
    """Make both recorded trees, and say of each why it cannot be made."""
    refused: list[str] = []
    for side, name in zip(sides, "ab", strict=True):
        try:
            _rebuild_one(repository, side, name)
        except GitError as error:
            if error.status is None:
                raise
            refused.append(f"in {name}: {error.message}")
        except ReprokitError as error:
            refused.append(f"in {name}: {error.message}")
    if refused:
        raise InvalidRecordError("; ".join(refused))


def _rebuild_one(repository: Path, side: Carried, name: str) -> None:
    source = side.source
    variables = {"GIT_INDEX_FILE": os.fspath(repository / ".git" / f"index-of-{name}")}
    run(repository, "read-tree", "--empty", variables=variables)
    if source.commit is not None:
        refuse_endless(repository, source.commit)
        rebuilding.read_commit(repository, source.commit, variables=variables)
    patch = _copied_patch(repository, side, name, _LARGEST_PATCH)
    if patch is not None:
        rebuilding.apply(repository, patch, whose=f"`{source.name}`", variables=variables)
    rebuilding.require_tree(repository, source, patched=patch is not None, partial=True, variables=variables)


def _copied_patch(repository: Path, side: Carried, name: str, limit: int) -> Path | None:
    rebuilding.require_patch(side.source, side.patch)
    if side.patch is None:
        return None
    return rebuilding.plain(side.patch, repository.parent / f"{name}.patch", limit=limit)


def _patch(repository: Path, side: Carried, name: str) -> bytes:
    patch = _copied_patch(repository, side, name, _LARGEST_COMPARED_PATCH)
    return b"" if patch is None else patch.read_bytes()


def _told(learnt_from: Literal["trees", "patches"], compared: Compared, notes: list[str]) -> Between:
    """Keep what is within bounds, and note what is not."""
    patch = compared.patch
    if len(patch) > LONGEST_PATCH:
        end = patch.rfind(b"\n", 0, LONGEST_PATCH) + 1
        more = patch.count(b"\n", end)
        notes.append(f"the patch is cut, {more} more lines are left out")
        patch = patch[:end]
    if compared.not_in_patch:
        notes.append(f"files too large together to be compared line by line: {compared.not_in_patch}")
    if len(compared.files) > MOST_FILES:
        notes.append(f"{len(compared.files) - MOST_FILES} more files are not listed")
    return Between(
        learnt_from=learnt_from,
        reason="; ".join(notes) or None,
        files=compared.files[:MOST_FILES],
        patch=patch.decode("utf-8", errors="replace") or None,
    )
