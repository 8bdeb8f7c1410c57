"""A hub of one's own, caches as the Hugging Face libraries lay them out, and the Python that has these libraries."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectFile, SubjectPart
from reprokit.bundle.values import Unknown

ROOT = Path(__file__).parents[3]
TORCH = (ROOT / ".demo/torch").resolve() / "bin/python"
OLD = "a" * 40
LARGE = (".safetensors", ".parquet")


def sha256(data: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Hub:
    """A running hub: its address, what it serves, and what it was asked."""

    address: str
    folder: Path
    log: Path

    def put(self, kind: str, name: str, commits: dict[str, dict[str, bytes]], *, main: str) -> None:
        """Serve a repository."""
        repository = self.folder / kind / name
        for commit, files in commits.items():
            write(repository / commit, files)
        (repository / "main").write_text(main)

    @property
    def asked(self) -> list[str]:
        """What it was asked so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Give a hub in a process of its own."""
    folder, log = tmp_path / "served", tmp_path / "asked"
    for kind in ("models", "datasets"):
        (folder / kind).mkdir(parents=True)
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("hub_server.py")), str(folder), str(log)], stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    yield Hub(server.stdout.readline().decode().strip(), folder, log)
    server.terminate()
    server.wait()
    server.stdout.close()


@pytest.fixture(scope="session")
def torch() -> Path:
    """Give the Python that has torch, transformers and datasets."""
    if not TORCH.exists():
        pytest.fail("torch is not installed: run `make test`")
    return TORCH


@pytest.fixture
def cached(tmp_path: Path) -> Callable[..., Path]:
    """Make repositories in a Hugging Face cache, as the library lays them out."""

    def make(folder: str, commits: dict[str, dict[str, bytes]], *, main: str | None = None, home: str = "home") -> Path:
        repository = tmp_path / home / ".cache/huggingface/hub" / folder
        for commit, files in commits.items():
            for path, data in files.items():
                # Files in LFS are known by their SHA-256, the others by git's SHA-1.
                plain = hashlib.sha1(b"blob %d\0" % len(data) + data)
                identity = hashlib.sha256(data) if path.endswith(LARGE) else plain
                write(repository / "blobs", {identity.hexdigest(): data})
                link = repository / "snapshots" / commit / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.relpath(repository / "blobs" / identity.hexdigest(), link.parent))
        if main:
            write(repository / "refs", {"main": main.encode()})
        return repository

    return make


class Recorded:
    """Makes what a record says of models and datasets."""

    @staticmethod
    def files(files: dict[str, bytes]) -> list[SubjectFile]:
        """How a record lists files."""
        return [
            SubjectFile(path=path, role="other", size=len(data), digest=sha256(data), digest_from="bytes")
            for path, data in sorted(files.items())
        ]

    @staticmethod
    def part(name: str, revision: str | None = OLD, **more) -> SubjectPart:
        """A part of a record's subject."""
        known = revision or Unknown(unknown="no Hugging Face cache of the run holds it")
        return SubjectPart(name=name, revision=known, learnt_from="cache read" if revision else "nothing", **more)

    def cached(self, kind: str, name: str, files: dict[str, bytes], commit: str = OLD, **more) -> SubjectPart:
        """A part that the run had in its cache, with all its files listed."""
        place = f"cache:{kind}--{name.replace('/', '--')}/snapshots/{commit}"
        return self.part(name, commit, place=place, files=self.files(files), **more)

    @staticmethod
    def subject(*, models: Iterable[SubjectPart] = (), datasets: Iterable[SubjectPart] = ()) -> Record:
        """A record of a run that loaded these."""
        return Record(
            origin="live",
            invocation=Invocation(
                argv=["lm_eval", "--model", "hf", "--model_args", "pretrained=org/tiny"],
                program="/home/ada/venv/bin/lm_eval",
                program_in="environment",
                working_directory="/home/ada/evals",
                environment_variables=[],
            ),
            run=Run(
                started="2026-11-23T03:15:47Z", ended="2026-11-23T03:16:47Z", exit_code=0, complete=True, host="box"
            ),
            harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
            subject=Subject(models=list(models), datasets=list(datasets)),
            sources=[],
        )


@pytest.fixture(scope="session")
def recorded() -> Recorded:
    """Give what makes records."""
    return Recorded()


@pytest.fixture(scope="session")
def written() -> Callable[[Path, dict[str, bytes]], Path]:
    """Give the function that writes files into a folder."""
    return write
