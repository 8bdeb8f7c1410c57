"""Packages that were installed from a git repository: their commit is fetched, hardened as all foreign git is."""

from __future__ import annotations

from pathlib import Path

from reprokit import git
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.git import GitError, GitMissingError
from reprokit.rerun.wanted import FromGit
from reprokit.sources.trees import refuse_endless


def fetch(package: FromGit, destination: Path) -> Path:
    """Check a package's commit out in a new folder; returns the folder of the package in it.

    No hook, filter or submodule is run, and nothing but the recorded transport is open.

    Raises:
        InputMissingError: the commit is not to be had.
        InvalidRecordError: the package is not where the record says.
    """
    destination.mkdir(parents=True)
    try:
        git.initialise(destination)
        _bring(package, destination)
        refuse_endless(destination, package.commit)
        _run(destination, "checkout", "--quiet", "--detach", package.commit, "--")
    except GitMissingError:
        raise
    except GitError as error:
        raise InputMissingError(
            f"`{package.name}` is from git at {package.commit[:12]}, which is not to be had: {error.message}"
        ) from error
    folder = (destination / package.subdirectory).resolve()
    if not folder.is_relative_to(destination.resolve()) or not folder.is_dir():
        raise InvalidRecordError(f"`{package.name}` is not in the folder of its repository that the record names")
    return folder


def _bring(package: FromGit, repository: Path) -> None:
    """Fetch the commit or, from a place that only hands out branches, all of these; a version may come from a tag."""
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--end-of-options")
    tags, branches = "+refs/tags/*:refs/tags/*", "+refs/heads/*:refs/remotes/origin/*"
    try:
        _run(repository, *fetch, package.address, package.commit, tags, transport=package.transport)
    except GitMissingError:
        raise
    except GitError:
        _run(repository, *fetch, package.address, branches, tags, transport=package.transport)


def _run(repository: Path, *arguments: str, transport: str | None = None) -> None:
    git.run(
        arguments,
        directory=repository,
        timeout=None,
        isolated=True,
        transports=[transport] if transport is not None else [],
    )
