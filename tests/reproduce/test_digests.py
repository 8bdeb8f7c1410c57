"""A package whose digest is known is installed from that very file, or not at all."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile

import pytest

from reprokit.archive import locks
from reprokit.archive.locks import CompletedLock, Hashed, Unhashed
from reprokit.errors import InputMissingError
from reprokit.reproduce import environment
from reprokit.reproduce.requirements import Pin, pins, with_digests

PYTHON = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def wheels(tmp_path):
    """Make a folder of two packages of one module each, the only place that uv may look in."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("known", "other"):
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(
                f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return folder


@pytest.fixture
def environ(wheels, tmp_path):
    """Give the variables of somebody who has these packages only."""
    return os.environ | {"UV_FIND_LINKS": str(wheels), "UV_NO_INDEX": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}


def digest(wheels, name):
    return "sha256:" + hashlib.sha256((wheels / f"{name}-1.0-py3-none-any.whl").read_bytes()).hexdigest()


def rebuild(tmp_path, environ, *wanted):
    interpreter = f"{sys.base_prefix}/bin/python3"
    return environment.rebuild(
        PYTHON, wanted, tmp_path / "rebuilt", environ=environ | {"UV_PYTHON": interpreter}, allow_sdist=False
    )


def test_what_an_index_said_goes_with_the_pins_of_a_lock():
    lock = b"# heading\nknown==1.0\nother==1.0\n"
    completed = CompletedLock(
        lock=locks.digest_of(lock),
        asked="2026-11-24T10:00:00Z",
        hashed=[
            Hashed(name="known", version="1.0", digests=["sha256:" + "a" * 64]),
            Hashed(name="other", version="2", digests=[]),
        ],
        unhashed=[Unhashed(name="other", version="1.0", reason="nobody knows")],
    )

    assert with_digests(pins(lock)[0], completed) == [Pin("known", "1.0", ("sha256:" + "a" * 64,)), Pin("other", "1.0")]
    assert str(with_digests(pins(lock)[0], completed)[0]) == f"known==1.0 --hash=sha256:{'a' * 64}"


def test_a_package_of_its_digest_is_installed_beside_one_without(tmp_path, environ, wheels):
    rebuild(tmp_path, environ, Pin("known", "1.0", (digest(wheels, "known"),)), Pin("other", "1.0"))

    assert (
        len(list((tmp_path / "rebuilt").rglob("known.py"))) == len(list((tmp_path / "rebuilt").rglob("other.py"))) == 1
    )


def test_a_package_of_another_digest_is_not_installed(tmp_path, environ, wheels):
    with pytest.raises(InputMissingError, match=r"(?i)hash"):
        rebuild(tmp_path, environ, Pin("known", "1.0", (digest(wheels, "other"),)))

    assert not list((tmp_path / "rebuilt").rglob("known.py"))
