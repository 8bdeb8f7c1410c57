"""A project that builds itself, so that tests install it without any index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

BACKEND = '''\
"""Builds its project without anything else."""
import pathlib, zipfile


def _wheel(folder, files):
    name = "mine-0.1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr("mine-0.1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.1\\n")
        wheel.writestr("mine-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("mine-0.1.dist-info/RECORD", "")
    return name


def build_editable(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, {"mine.pth": str(pathlib.Path.cwd())})


def build_wheel(folder, config_settings=None, metadata_directory=None):
    return _wheel(folder, {"mine.py": pathlib.Path("mine.py").read_text()})
'''


def project(folder: Path, *, requires: str = "[]", more: str = "", backend: str = BACKEND) -> Path:
    """Make a project `mine` of one module, which builds itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.py").write_text("HERE = __file__\n")
    (folder / "backend.py").write_text(backend)
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n{more}'
    )
    return folder


@pytest.fixture
def backend() -> str:
    """Give what builds the project."""
    return BACKEND


@pytest.fixture
def make_project() -> Callable[..., Path]:
    """Give a function that makes a project `mine`."""
    return project
