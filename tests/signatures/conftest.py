"""Keys, signatures and files of allowed signers to test with: made by OpenSSH's own program, in folders of the test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.signatures.keygen import NAMESPACE
from reprokit.signatures.signers import VARIABLE


def run_keygen(*words: str | Path, directory: Path) -> str:
    """Run `ssh-keygen` as a person would, and return what it printed."""
    done = subprocess.run(["ssh-keygen", *words], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def keygen():
    """Give a function that runs `ssh-keygen` in a folder."""
    return run_keygen


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> Path:
    """The user's own settings file, in a home of the test's."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "config/reprokit").mkdir(parents=True, mode=0o700)
    (tmp_path / "config").chmod(0o700)
    return tmp_path / "config/reprokit/reprokit.toml"


@pytest.fixture
def keys(tmp_path) -> Path:
    """A folder with the keys of Ada and of a stranger."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    for name in ("ada", "stranger"):
        run_keygen("-q", "-t", "ed25519", "-N", "", "-C", "whoever", "-f", name, directory=folder)
    return folder


@pytest.fixture
def public(keys):
    """Give the public half of a key, without its comment."""
    return lambda name: " ".join((keys / f"{name}.pub").read_text().split()[:2])


@pytest.fixture
def bundle(make_bundle, tmp_path):
    sealed = make_bundle(tmp_path / "made")
    return open_bundle((tmp_path / "made").rename(tmp_path / sealed.bundle_id))


@pytest.fixture
def sign(keys, bundle, tmp_path):
    """Sign the manifest of a bundle as a person does with `ssh-keygen`; returns the signature, beside the bundle."""

    def make(name: str = "ada", of=bundle, namespace: str = NAMESPACE) -> Path:
        manifest = shutil.copy(of.path / "manifest-sha256.txt", tmp_path / "manifest")
        run_keygen("-q", "-Y", "sign", "-n", namespace, "-f", keys / name, manifest, directory=keys)
        return Path(shutil.move(tmp_path / "manifest.sig", of.path.with_name(of.path.name + ".sig")))

    return make


@pytest.fixture
def allow(own, keys):
    """Write the user's file of allowed signers, and name it in their settings."""

    def write(*lines: str) -> Path:
        path = keys / "allowed_signers"
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(0o600)
        own.write_text(f'[trust]\nallowed_signers = "{path}"\n')
        own.chmod(0o600)
        return path

    return write
