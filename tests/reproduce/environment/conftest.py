"""A shelf of small packages, the only place that uv may look in, and bundles that were run with them."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.record import Record, SourceSummary
from reprokit.bundle.results import Results
from reprokit.bundle.source import Source
from reprokit.bundle.writing import Label, Payload
from reprokit.probes import packages

PYTHON = ".".join(map(str, sys.version_info[:3]))


@dataclass(frozen=True)
class Shelf:
    """A folder of packages of one module each."""

    folder: Path
    backend: str

    def wheel(self, name: str, version: str = "1.0", tag: str = "py3-none-any") -> str:
        """Add a wheel; returns its digest."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / f"{name}-{version}-{tag}.whl"
        metadata = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{metadata}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        with zipfile.ZipFile(path, "w") as wheel:
            rows = []
            for each, text in files.items():
                digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                wheel.writestr(zipfile.ZipInfo(each), text)
                rows.append(f"{each},sha256={digest},{len(text)}")
            wheel.writestr(zipfile.ZipInfo(f"{metadata}/RECORD"), "\n".join([*rows, f"{metadata}/RECORD,,", ""]))
        return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()

    def source(self, name: str, version: str = "1.0") -> None:
        """Add a package of which there is only source; whoever builds it leaves a trace."""
        self.folder.mkdir(exist_ok=True)
        backend = f"import pathlib\npathlib.Path({str(self.folder / 'built')!r}).touch()\n" + self.backend
        files = {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": backend.replace("mine-0.1", f"{name}-{version}").replace(
                "Name: mine\\nVersion: 0.1", f"Name: {name}\\nVersion: {version}"
            ),
            "mine.py": "",
        }
        with tarfile.open(self.folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))

    @property
    def built(self) -> bool:
        """Tell whether any of the sources was built."""
        return (self.folder / "built").exists()


@pytest.fixture
def shelf(tmp_path: Path, backend: str) -> Shelf:
    """Give an empty shelf."""
    (tmp_path / "shelf").mkdir()
    return Shelf(tmp_path / "shelf", backend)


@pytest.fixture
def environ(shelf: Shelf, tmp_path: Path) -> dict[str, str]:
    """Give the variables of somebody who has the packages of the shelf only, and this test's Python."""
    settings = tmp_path / "uv.toml"
    settings.write_text(f'no-index = true\nfind-links = ["{shelf.folder}"]\n')
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    beside = f"{sys.base_prefix}/bin{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {
        "PATH": beside,
        "UV_CONFIG_FILE": str(settings),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_PYTHON_DOWNLOADS": "never",
    }


@pytest.fixture
def python() -> str:
    """Give the version of this test's Python."""
    return PYTHON


def an_environment(*packages: Package | str, version: str = PYTHON, implementation: str = "cpython") -> Environment:
    """An environment of another machine; a package that is a text is a pinned one."""
    listed = [each if isinstance(each, Package) else _pinned(*each.split("==")) for each in packages]
    interpreter = Interpreter(
        executable="/home/ada/venv/bin/python",
        prefix="/home/ada/venv",
        base_prefix="/usr",
        version=version,
        implementation=implementation,
    )
    return Environment(learnt_from="probe", interpreter=interpreter, packages=listed)


def _pinned(name: str, version: str) -> Package:
    return Package(name=name, version=version)


@pytest.fixture
def environment_of() -> Callable[..., Environment]:
    """Give a function that makes the record of an environment."""
    return an_environment


@pytest.fixture
def bundle_of(tmp_path: Path, record: Callable[..., Record]) -> Callable[..., Bundle]:
    """Give a function that seals a bundle with this environment, and opens it."""

    def make(
        environment: Environment,
        *,
        lock: bytes | None = None,
        sources: Sequence[Source] = (),
        wheels: Iterable[Path] = (),
    ) -> Bundle:
        folder = tmp_path / "bag"
        folder.mkdir()
        payload = Payload(bag=folder)
        results = Results(metrics=[], tasks=[])
        payload.add("results.json", "results", canonical.record(results))
        payload.add("environment/environment.json", "environment", canonical.record(environment))
        payload.add(
            "environment/requirements.lock", "environment", packages.lock(environment) if lock is None else lock
        )
        for path in sorted(wheels):
            payload.add_file(path, PurePosixPath(f"environment/wheels/{path.name}"), "environment")
        for source in sources:
            payload.add(f"source/{source.name}.json", "source", canonical.record(source))
        summaries = [
            SourceSummary(
                name=each.name, record=f"source/{each.name}.json", commit=each.commit, tree=each.tree, dirty=each.dirty
            )
            for each in sources
        ]
        payload.seal(
            record(sources=summaries),
            results=results,
            script=lambda _: "",
            label=Label(),
            captured="2026-11-24T00:00:00Z",
            agent="reprokit-eval test",
        )
        return open_bundle(folder)

    return make
