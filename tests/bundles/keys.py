"""Keys of OpenSSH and signatures by them, made with its own program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from reprokit.audit.held import Held
from reprokit.bundle import bag
from reprokit.signatures import places
from reprokit.signatures.keygen import NAMESPACE
from reprokit.signatures.signers import VARIABLE


def _ssh_keygen(folder: Path, *words: str | Path) -> None:
    subprocess.run(["ssh-keygen", "-q", *words], cwd=folder, check=True, capture_output=True)


def trusting(place: Path, name: str) -> dict[str, str]:
    """Make a key, and the variable that trusts it alone."""
    _ssh_keygen(place, "-t", "ed25519", "-N", "", "-C", "whoever", "-f", name)
    public = " ".join((place / f"{name}.pub").read_text().split()[:2])
    signers = place / f"trusts-{name}"
    signers.write_text(f"{name}@example.org {public}\n")
    signers.chmod(0o600)
    return {VARIABLE: str(signers)}


def sign(place: Path, name: str, bundle: Held, *, manifest: bytes | None = None) -> None:
    """Put a signature beside a bundle, of its manifest or of other bytes."""
    signed = place / "manifest"
    signed.write_bytes((bundle.folder / bag.MANIFEST).read_bytes() if manifest is None else manifest)
    _ssh_keygen(place, "-Y", "sign", "-n", NAMESPACE, "-f", place / name, signed)
    folder = places.folder(bundle.archive, bundle.id)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(place / "manifest.sig", folder / f"{name}{places.SUFFIX}")
