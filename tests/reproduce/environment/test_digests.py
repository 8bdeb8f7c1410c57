"""A package whose digest is known is installed from that very file, or not at all."""

from __future__ import annotations

import pytest

from reprokit.archive import locks
from reprokit.archive.locks import CompletedLock, Hashed, Unhashed
from reprokit.errors import InputMissingError
from reprokit.reproduce.environment.rebuilding import Allowed, rebuild
from reprokit.rerun.requirements import Pin, pins, with_digests
from reprokit.rerun.wanted import WantedEnvironment


@pytest.fixture
def install(tmp_path, environ, environment_of):
    """Give a function that rebuilds an environment of these pins, and tells which modules are then in it."""

    def run(*wanted, allowed=None):
        environment = WantedEnvironment(interpreter=environment_of().interpreter, pins=wanted)
        rebuild(environment, tmp_path / "workspace" / "environment", environ=environ, allowed=allowed)
        return sorted(path.stem for path in (tmp_path / "workspace").rglob("site-packages/[a-z]*.py"))

    return run


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


def test_a_package_of_its_digest_is_installed_beside_one_without(install, shelf):
    known, _ = shelf.wheel("known"), shelf.wheel("other")

    assert {"known", "other"} <= set(install(Pin("known", "1.0", (known,)), Pin("other", "1.0")))


def test_a_package_of_another_digest_is_not_installed_though_others_have_none(install, shelf, tmp_path):
    _, other = shelf.wheel("known"), shelf.wheel("other")

    with pytest.raises(InputMissingError, match=r"(?i)hash"):
        install(Pin("known", "1.0", (other,)), Pin("other", "1.0"))

    assert not list(tmp_path.rglob("site-packages/known.py"))


def test_that_near_versions_are_allowed_lets_no_other_file_pass(install, shelf):
    shelf.wheel("known")
    later = shelf.wheel("known", "1.1")

    with pytest.raises(InputMissingError, match=r"(?i)hash"):
        install(Pin("known", "1.0", (later,)), allowed=Allowed(nearest=True))
