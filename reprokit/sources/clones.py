"""Commits that lie in clones on this machine are copied into a repository of ours: no network, and no trust.

Only the object store of a clone is read. None of its settings and no program for its sake takes part, as it would in a
fetch; and nothing is written there, as git would, where it can, renew the time stamps of objects it comes across.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from reprokit import git, git_address
from reprokit.git import GitError, GitMissingError, GitTimeoutError
from reprokit.sources.rebuilding import has, run


def object_store(directory: Path) -> Path | None:
    """Find the objects of the repository that a folder lies in; `None` when it is no folder or lies in none.

    Raises:
        GitMissingError: there is no git program.
        GitTimeoutError: no time was left.
    """
    try:
        if not directory.is_dir():
            return None
        told = git.run(["rev-parse", "--git-common-dir"], directory=directory)
    except (GitMissingError, GitTimeoutError):
        raise
    except (GitError, OSError):
        return None
    # An absolute path, or one from the folder that was asked about.
    return (directory / os.fsdecode(told).removesuffix("\n") / "objects").resolve()


def object_stores(clones: Iterable[Path], roots: Iterable[str]) -> Iterator[Path]:
    """Yield where objects may lie: in the clones that the user names, then where records say that checkouts were."""
    # Two slashes at the start name another machine, where that means anything.
    recorded = (Path(root) for root in roots if root.startswith("/") and not root.startswith("//"))
    found: set[Path] = set()
    for directory in (*clones, *recorded):
        store = object_store(directory)
        if store is not None and store not in found:
            found.add(store)
            yield store


def repositories(directory: Path) -> Iterator[Path]:
    """Yield the repositories of submodules, theirs included, that the repository around a folder keeps."""
    store = object_store(directory)
    kept = store.with_name("modules") if store is not None else directory
    for folder, names, files in os.walk(kept) if store is not None else ():
        if "HEAD" in files and "objects" in names:
            yield Path(folder)
            # Only there are those of its own submodules.
            names[:] = sorted({"modules"}.intersection(names))


def bring(repository: Path, commit: str, stores: Iterable[Path], *, whole: bool = False) -> bool:
    """Copy one commit with all its files, and without its history, from the first store that has it.

    With `whole`, a store that lacks some of its files does not have it.

    Raises:
        GitError: git failed for another reason than that no store has it.
    """
    for store in stores:
        if _copy(repository, commit, store, whole=whole):
            with (repository / ".git" / "shallow").open("a") as file:
                file.write(f"{commit}\n")
            return True
    return False


def _copy(repository: Path, commit: str, store: Path, *, whole: bool) -> bool:
    theirs = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": git_address.object_directory(store)}
    # What a partial clone lacks was not read by the run, and need not be in what changed.
    missing = "error" if whole else "allow-any"
    listing = ["rev-list", "--objects", "--no-object-names", "--no-walk", f"--missing={missing}"]
    try:
        names = run(repository, *listing, "--end-of-options", commit, variables=theirs)
        packed = repository / ".git" / "objects" / "pack" / "pack"
        run(repository, "pack-objects", "--quiet", packed, stdin=names, variables=theirs)
    except GitError as error:
        if error.status is None:
            raise
        return False
    return has(repository, commit)
