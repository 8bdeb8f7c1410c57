"""A commit is brought into a repository of ours: from a carried git bundle, from clones on this machine, by network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprokit import git
from reprokit.errors import InputMissingError
from reprokit.git import GitError, GitMissingError
from reprokit.sources import clones, rebuilding
from reprokit.sources.fetch_places import FetchPlace, is_in
from reprokit.sources.rebuilding import has, run, short

_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-shallow"),
    "--end-of-options",
)
_TAGS = "+refs/tags/*:refs/tags/*"
_BRANCHES = "+refs/heads/*:refs/fetched/*"
_NOT_THERE = "not our ref"
"""What git says of a commit that it would give to anybody who names it, if only it had it."""


def bring(repository: Path, commit: str, name: str, git_bundle: Path | None, places: Sequence[FetchPlace]) -> None:
    """Bring a commit into a repository, from the git bundle, else from the first place that has it.

    A git bundle that builds on other commits gets those from the places first.

    Args:
        repository: an empty repository of ours.
        commit: which one.
        name: what the checkout is called, for people.
        git_bundle: an uncompressed git bundle that may have it.
        places: where to look.

    Raises:
        InputMissingError: it is not to be had; the message names everything that was tried.
        GitMissingError: there is no git program.
    """
    tried: list[str] = []
    if git_bundle is not None and _unbundle(repository, git_bundle, commit, tried):
        return
    wanted = [commit, *(rebuilding.prerequisites(git_bundle) if git_bundle is not None else [])]
    for place in places:
        try:
            _take(repository, place, wanted)
        except GitMissingError:
            raise
        except GitError as error:
            tried.append(f"{place}: {error.message}")
            continue
        if has(repository, commit) or (git_bundle is not None and _unbundle(repository, git_bundle, commit, tried)):
            _remember(repository, place, commit)
            return
        tried.append(f"{place} does not have it")
    told = "; ".join(tried) or "it was on no remote, and no git bundle was captured"
    hint = f"name a clone that has it: `--source {name}=DIR`, or its address: `--source {name}=ADDRESS`"
    raise InputMissingError(f"the commit {short(commit)} of `{name}` is not to be had: {told}", hint=hint)


def _unbundle(repository: Path, git_bundle: Path, commit: str, tried: list[str]) -> bool:
    try:
        run(repository, "bundle", "unbundle", git_bundle)
    except GitMissingError:
        raise
    except GitError as error:
        tried.append(f"the git bundle that was captured: {error.message}")
        return False
    if not has(repository, commit):
        tried.append("the git bundle that was captured does not have it")
        return False
    return True


def _take(repository: Path, place: FetchPlace, wanted: Sequence[str]) -> None:
    if place.transport == "file":
        _take_here(repository, Path(place.address), wanted)
    else:
        _fetch(repository, place, wanted)


def _take_here(repository: Path, clone: Path, wanted: Sequence[str]) -> None:
    """Take from a clone on this machine, and nothing from one that has none of it.

    A partial clone is copied from, without history: asked for what it lacks, git would fetch that, and into it.
    """
    there = [commit for commit in wanted if is_in(clone, commit)]
    if not there:
        # It says why, when git refuses to read it.
        git.run(["rev-parse", "--git-dir"], directory=clone)
        return
    if not _is_partial(clone):
        _fetch(repository, FetchPlace(address=str(clone), transport="file"), wanted)
    elif (store := clones.object_store(clone)) is not None:
        for commit in there:
            if not clones.bring(repository, commit, [store], whole=True):
                raise GitError("it is a partial clone, which has only parts of it")


def _is_partial(clone: Path) -> bool:
    asked = ["config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$"]
    return git.answer(asked, directory=clone) is not None


def _fetch(repository: Path, place: FetchPlace, wanted: Sequence[str]) -> None:
    """Fetch the commit, or, from a place that only hands out branches, all of these; tags come along for `describe`."""
    transports = [place.transport]
    try:
        run(repository, *_FETCH, place.address, wanted[0], _TAGS, transports=transports)
    except GitMissingError:
        raise
    except GitError as error:
        if _NOT_THERE in error.stderr and len(wanted) == 1:
            raise GitError("it does not have it", status=error.status, stderr=error.stderr) from error
        run(repository, *_FETCH, place.address, _BRANCHES, _TAGS, transports=transports)


def _remember(repository: Path, place: FetchPlace, commit: str) -> None:
    """Keep which recorded remote had the commit, so that a capture in this checkout knows it as well."""
    reference = f"refs/remotes/{place.name}/captured"
    if place.name is None or git.answer(["check-ref-format", reference], directory=repository, isolated=True) is None:
        return
    run(repository, "update-ref", reference, commit)
    run(repository, "config", "--local", f"remote.{place.name}.url", place.address)
