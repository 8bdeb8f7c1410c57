"""What the tests of real programs share: a home, a repository of a person's own, an archive, and a command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TORCH = (ROOT / ".demo/torch").resolve() / "bin"
PASSED_ON = ("PIP_", "UV_", "PYENV", "SSL_", "OPENBLAS_", "LANG")


@dataclass(frozen=True)
class Laboratory:
    """One person's machine: `evals` is the checkout that everything is run in."""

    home: Path

    @property
    def evals(self) -> Path:
        """The checkout that evaluations are run in."""
        return self.home / "evals"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that everything is run with; nothing may ask the network."""
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        links = os.environ.get("UV_FIND_LINKS") or ",".join(os.environ.get("PIP_FIND_LINKS", "").split())
        return {
            **passed_on,
            "HOME": str(self.home),
            "PATH": f"{TORCH}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "REPROKIT_ARCHIVE": str(self.home / "archive"),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(self.home / "hf"),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
            **({"UV_FIND_LINKS": links} if links else {}),
        }

    def run(self, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the checkout."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.evals,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=280,
            check=False,
        )

    def reprokit(self, *words: object, status: int = 0, **variables: str) -> str:
        """Run reprokit in the checkout; gives what it printed."""
        done = self.run(sys.executable, "-m", "reprokit", *words, **variables)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def commit(self) -> None:
        """Make the checkout a repository, with all that is in it."""
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Everything"]):
            done = self.run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", *words)
            assert done.returncode == 0, done.stderr

    def shown(self, reference: str = "latest") -> Any:
        """Give a bundle's records."""
        return json.loads(self.reprokit("show", reference, "--json"))

    def bundles(self) -> list[Any]:
        """List what the archive holds, oldest first."""
        return json.loads(self.reprokit("list", "--json"))


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    """Give a machine with an archive and an empty checkout, for all tests of a module."""
    if not (TORCH / "lmms-eval").exists():
        pytest.fail("lm-eval and lmms-eval are not installed: run `make test`")
    made = Laboratory(tmp_path_factory.mktemp("laboratory"))
    made.evals.mkdir()
    made.reprokit("init", made.environment["REPROKIT_ARCHIVE"])
    return made


@pytest.fixture
def second_machine(laboratory: Laboratory, tmp_path: Path):
    """Give a function that packs a bundle and hands it to somebody else's machine, where nothing else of it is left.

    The first machine's home is out of reach for as long as the test runs.
    """
    gone = laboratory.home.with_name("gone")
    moved: list[Path] = []

    def send(shown: Any) -> tuple[Laboratory, Path]:
        packed = tmp_path / "bundle.tar"
        bundle = Path(shown["path"])
        subprocess.run(["tar", "-cf", packed, "-C", bundle.parent, bundle.name], check=True)
        laboratory.home.rename(gone)
        moved.append(gone)
        other = Laboratory(tmp_path / "someone-else")
        other.evals.mkdir(parents=True)
        other.reprokit("init", other.environment["REPROKIT_ARCHIVE"])
        return other, packed

    yield send
    for each in moved:
        each.rename(laboratory.home)


def samples_of(shown: Any, task: str) -> list[Any]:
    """Read the samples of a task from a bundle that `show` showed."""
    file = Path(shown["path"]) / f"data/samples/{task}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="session")
def samples_in():
    """Give the function that reads a task's samples from a bundle."""
    return samples_of


@pytest.fixture(scope="session")
def copied():
    """Give a function that copies a folder of this repository to a place."""

    def copy(folder: str, into: Path) -> None:
        shutil.copytree(ROOT / folder, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    return copy
