"""Archives to test with: real git repositories, real bundles, nothing of the person's own settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reprokit.archive import creation, publication, registration
from reprokit.archive.layout import Archive
from reprokit.bundle.record import Harness, Invocation, Record, Run
from reprokit.bundle.values import Unknown


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, so that no settings of git, DVC or reprokit are met."""
    home = tmp_path / "own-home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("GIT_", "DVC_", "XDG_", "REPROKIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc-site"))
    return home


@pytest.fixture(scope="session")
def new_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return creation.create(tmp_path_factory.mktemp("new") / "archive").root


@pytest.fixture
def archive(tmp_path: Path, new_archive: Path) -> Archive:
    """A new archive: a copy, since making one takes a while."""
    return Archive(shutil.copytree(new_archive, tmp_path / "archive"))


@pytest.fixture
def undated() -> Record:
    """The record of a run whose start nobody knows."""
    nobody = Unknown(unknown="captured from finished outputs")
    return Record(
        origin="finished",
        invocation=Invocation(
            argv=nobody,
            program=nobody,
            program_in="unknown",
            working_directory=nobody,
            environment_variables=nobody,
        ),
        run=Run(started=nobody, ended=nobody, exit_code=nobody, complete=True, host=nobody),
        harness=Harness(name="script", version=nobody, version_from="nothing"),
        sources=nobody,
    )


BundlePublisher = Callable[..., str]


@pytest.fixture
def publish(make_bundle, archive) -> BundlePublisher:
    """Give a function that publishes a bundle whose content follows from a word, and tells its id."""

    def publish_one(word: str = "one", *, into: Archive = archive, fold: bool = False, **how) -> str:
        staging = publication.stage(into)
        how.setdefault("harness_files", {"harness/results.json": f'{{"word": "{word}"}}\n'.encode()})
        make_bundle(staging / publication.BAG, **how)
        published = publication.publish(into, staging)
        if fold:
            assert registration.fold(into).left == ()
        return published.bundle_id

    return publish_one


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(name="git")
def git_program() -> Callable[..., str]:
    return git


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(name="snapshot")
def snapshot_of_a_folder() -> Callable[[Path], dict[str, bytes]]:
    return snapshot
