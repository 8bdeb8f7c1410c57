"""Repositories of a person's own, and what a capture carries of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reprokit.probes.source.checkout import Caps, observe
from reprokit.sources.between import Carried


def run_git(directory: Path, *arguments: str | Path, stdin: bytes = b"", **variables: str) -> bytes:
    """Run git as a person would, in an environment without anybody's settings."""
    identity = {
        f"GIT_{who}_{what}": "ada@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = os.environ | identity | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | variables
    command = ["git", "-c", "protocol.file.allow=always", *map(os.fspath, arguments)]
    return subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True, input=stdin).stdout


def commit_everything(root: Path) -> str:
    """Commit all that lies there."""
    run_git(root, "add", "--all", "--force")
    run_git(root, "commit", "--quiet", "--allow-empty", "--message=a commit")
    return run_git(root, "rev-parse", "HEAD").decode().strip()


@pytest.fixture
def git() -> Callable[..., bytes]:
    """Give a function that runs git."""
    return run_git


@pytest.fixture
def commit() -> Callable[[Path], str]:
    """Give a function that commits everything."""
    return commit_everything


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    """Give a repository with some files of every kind in one commit."""
    root = tmp_path / "evals"
    run_git(tmp_path, "init", "--quiet", "--initial-branch=main", root)
    (root / "package").mkdir()
    (root / "package" / "code.py").write_text("".join(f"line {number}\n" for number in range(40)))
    (root / "README").write_text("read me\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "picture").write_bytes(bytes(range(256)))
    (root / "link").symlink_to("README")
    (root / "long name.txt").write_text("".join(f"a text of some length, {number}\n" for number in range(30)))
    commit_everything(root)
    return root


@pytest.fixture
def carry(tmp_path: Path) -> Callable[..., Carried]:
    """Give a function that captures the state of a repository; the git bundle is left out unless it is asked for."""
    taken = 0

    def take(root: Path, *, with_history: bool = False, **caps: int) -> Carried:
        nonlocal taken
        taken += 1
        into = tmp_path / f"carried-{taken}"
        into.mkdir()
        observed = observe(root, into=into, caps=Caps(**caps))
        assert observed is not None
        git_bundle = observed.git_bundle if with_history else None
        return Carried(source=observed.source, patch=observed.patch, git_bundle=git_bundle)

    return take
