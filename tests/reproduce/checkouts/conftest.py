"""Repositories of a person's own, bags that carry their state, and a remote that is reached over ssh."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard

from reprokit.bundle import canonical
from reprokit.bundle.bag import BagInfo
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import File, SourceSummary
from reprokit.bundle.source import Use
from reprokit.probes.source.checkout import Caps, ObservedSource, observe, observe_submodules, with_facts

WORKED_IN = Use(kind="working directory")


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> Path:
    """A person with a name and no other settings."""
    file = tmp_path / "settings"
    file.write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return file


def run_git(directory: Path, *arguments: str | Path, stdin: bytes = b"") -> str:
    """Run git as a person would."""
    command = ["git", "-c", "protocol.file.allow=always", *map(os.fspath, arguments)]
    done = subprocess.run(command, cwd=directory, capture_output=True, input=stdin, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode(errors="surrogateescape").strip()


@pytest.fixture
def git() -> Callable[..., str]:
    """Give a function that runs git in a folder."""
    return run_git


@pytest.fixture
def repository(tmp_path) -> Callable[..., Path]:
    """Give a function that makes a repository with one commit of some files."""

    def make(name: str, files: dict[str, str | bytes], *options: str) -> Path:
        root = tmp_path / name
        root.mkdir(parents=True)
        run_git(root, "init", "--quiet", "--initial-branch=main", *options)
        for path, content in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
        run_git(root, "add", "--all", "--force")
        run_git(root, "commit", "--quiet", "--allow-empty", "--message=a commit")
        return root

    return make


@pytest.fixture
def files() -> Callable[[Path], dict[str, tuple[str, bytes]]]:
    """Give a function that lists every file and link below a folder, git's own apart: its kind and its content."""

    def look(root: Path) -> dict[str, tuple[str, bytes]]:
        found = {}
        for path in root.rglob("*"):
            inside = path.relative_to(root)
            if path.is_symlink():
                found[str(inside)] = ("link", os.fsencode(path.readlink()))
            elif path.is_file() and ".git" not in inside.parts:
                found[str(inside)] = ("program" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
        return found

    return look


@pytest.fixture
def everything() -> Callable[[Path], dict[str, tuple[object, ...]]]:
    """Give a function that tells everything in a folder that a writer would change."""

    def look(root: Path) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for path in root.rglob("*"):
            facts = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
            found[str(path.relative_to(root))] = (facts.st_mode, facts.st_mtime_ns, facts.st_ctime_ns, content)
        return found

    return look


@pytest.fixture
def seen(tmp_path) -> Callable[..., list[ObservedSource]]:
    """Give a function that observes a checkout and its changed submodules, as a capture does."""
    count = 0

    def look(root: Path, *uses: Use, name: str | None = None, **caps: int) -> list[ObservedSource]:
        nonlocal count
        count += 1
        into = tmp_path / f"seen-{count}"
        into.mkdir()
        first = observe(root, into=into, caps=Caps(**caps), name=name)
        assert first is not None
        first, *others = observe_submodules(with_facts(first, used_as=[*uses]), into=into, caps=Caps(**caps))
        return [first, *others]

    return look


@pytest.fixture
def bag(tmp_path, record) -> Callable[..., Bundle]:
    """Give a function that makes a bundle of observed checkouts; the first is where the command was run."""
    count = 0

    def make(*observed: ObservedSource, main: str | None = "", compressed: bool = False, **changes: object) -> Bundle:
        nonlocal count
        count += 1
        data = tmp_path / f"bag-{count}" / "data"
        (data / "source").mkdir(parents=True)
        # As records of older bundles, which do not tell a submodule that was not checked out.
        changes = {"submodules_empty": [], **changes}
        sources = [msgspec.structs.replace(each.source, **changes) for each in observed]
        carried: list[File] = []
        for each, source in zip(observed, sources, strict=True):
            (data / "source" / f"{source.name}.json").write_bytes(canonical.record(source))
            for named, file in ((source.patch, each.patch), (source.git_bundle, each.git_bundle)):
                if named and file:
                    content, stored = file.read_bytes(), f"{named}.zst" if compressed else named
                    (data / stored).write_bytes(zstandard.compress(content) if compressed else content)
                    carried.append(
                        File(path=named, role="source", size=len(content), digest=f"sha256:{'0' * 64}", stored=stored)
                    )
        summaries = [
            SourceSummary(
                name=each.name, record=f"source/{each.name}.json", commit=each.commit, tree=each.tree, dirty=each.dirty
            )
            for each in sources
        ]
        whole = record(sources=summaries, files=carried)
        first = sources[0].name if main == "" and sources else main
        invocation = msgspec.structs.replace(whole.invocation, source=first)
        (data / "bundle.json").write_bytes(canonical.record(msgspec.structs.replace(whole, invocation=invocation)))
        info = BagInfo(bundle_id="a", bagging_date="", payload_octets=0, payload_files=0, content_digest="")
        return Bundle(path=data.parent, info=info, identity="0" * 64)

    return make


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Path:
    """A stand-in for ssh that runs the other side here: `git@host.invalid:` starts at the folder that is given back."""
    home = tmp_path / "host"
    home.mkdir()
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$*" >> "{tmp_path}/asked"\ncd "{home}" && exec sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return home
