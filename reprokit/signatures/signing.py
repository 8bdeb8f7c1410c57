"""Signing a bundle: a detached OpenSSH signature over its manifest, made by `ssh-keygen` and by nobody else.

The private half of a key is never read here. What the program needs of a person (a passphrase, a touch of a hardware
key) it asks for itself, in the terminal.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import small_file
from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.child_process import TookTooLongError
from reprokit.errors import FixityError, InputMissingError, UsageError
from reprokit.signatures import keygen
from reprokit.signatures.keygen import NAMESPACE, PROGRAM, Keygen
from reprokit.signatures.keys import Key
from reprokit.signatures.trust import LARGEST_MANIFEST

_SECONDS = 60.0
"""How long a signature may take with nobody at a terminal: an agent may ask on a screen, or a hardware key blink."""
_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A signature that was made and verified: its bytes, and the fingerprint of the key."""

    data: bytes
    key: str


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key that is ready to sign. `fingerprint` is `None` when telling it would take the passphrase.

    `terminal` says that a person can be asked: then the program has the terminal, for as long as it takes.
    """

    key: Key
    file: Path
    fingerprint: str | None
    keygen: Keygen
    terminal: bool

    def sign(self, bundle: Bundle) -> Signature:
        """Sign a bundle that was proven to be whole.

        Raises:
            FixityError: its manifest is not the one that was proven.
            InputMissingError: the key cannot be had: it is not there, its passphrase was wrong, nobody touched it, …
        """
        manifest = manifest_of(bundle)
        copy = self.keygen.folder / "manifest"
        signature = copy.with_name("manifest.sig")
        signature.unlink(missing_ok=True)
        copy.write_bytes(manifest)
        try:
            self._run(copy)
            made = small_file.read(signature, most=keygen.LARGEST)
            by, _ = self.keygen.signed_by(signature, manifest)
        except TookTooLongError as error:
            raise _not_signed(self.key, f"`{PROGRAM}` {error}") from error
        except OSError as error:
            raise _not_signed(self.key, error.strerror or str(error)) from error
        if by is None:
            raise _not_signed(self.key, f"what `{PROGRAM}` wrote is no signature of the bundle")
        return Signature(data=made, key=by)

    def _run(self, data: Path) -> None:
        agent = ("-U",) if self.key.is_with_the_agent else ()
        words = ("-q", "-Y", "sign", *agent, "-n", NAMESPACE, "-f", str(self.file), str(data))
        if not self.terminal:
            ended = self.keygen.run(*words, seconds=_SECONDS)
            if ended.status:
                raise _not_signed(self.key, keygen.told(ended)[:_SHOWN] or f"`{PROGRAM}` does not say why")
            return
        done = subprocess.run(
            [self.keygen.program, *words],
            cwd=self.keygen.folder,
            env=self.keygen.environment,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise _not_signed(self.key, f"`{PROGRAM}` has said why above")


def manifest_of(bundle: Bundle) -> bytes:
    """Read the manifest of a bundle.

    Raises:
        FixityError: it is another than when the bundle was opened, or cannot be read.
    """
    try:
        manifest = small_file.read(bundle.path / bag.MANIFEST, most=LARGEST_MANIFEST)
    except OSError as error:
        message = f"the manifest of `{bundle.info.bundle_id}` cannot be read: {error.strerror or error}"
        raise FixityError(message, hint="`reprokit validate` lists all that is wrong") from error
    if bag.identity_of(manifest) != bundle.identity:
        raise FixityError(f"the manifest of `{bundle.info.bundle_id}` was changed meanwhile", hint="look who did")
    return manifest


@contextmanager
def signer(key: Key, *, environment: Mapping[str, str], terminal: bool) -> Iterator[Signer]:
    """Make a key ready to sign.

    Raises:
        InputMissingError: there is no `ssh-keygen`.
        UsageError: the key's public half is none.
    """
    program = keygen.find(environment)
    if program is None:
        raise InputMissingError(f"there is no `{PROGRAM}` to sign with", hint="install OpenSSH 8.2 or later")
    with tempfile.TemporaryDirectory(prefix="reprokit-") as folder:
        kept = {name: value for name, value in environment.items() if name != "LANGUAGE"}
        ready = Keygen(program=program, environment={**kept, "LC_ALL": "C"}, folder=Path(folder))
        file = key.file or _written(key, Path(folder))
        try:
            fingerprint = ready.fingerprint(file)
        except (TookTooLongError, OSError) as error:
            raise _not_signed(key, f"`{PROGRAM}` {error}") from error
        if fingerprint is None and key.is_with_the_agent:
            raise UsageError(f"{key.named_by} is no public key: `{key.file or key.public}`", hint="see `ssh-add -L`")
        yield Signer(key=key, file=file, fingerprint=fingerprint, keygen=ready, terminal=terminal)


def _written(key: Key, folder: Path) -> Path:
    path = folder / "key.pub"
    path.write_text(f"{key.public}\n", encoding="utf-8", errors="surrogateescape")
    return path


def _not_signed(key: Key, why: str) -> InputMissingError:
    hint = "a key with a passphrase or of hardware needs a terminal, or an agent: `ssh-add`"
    if key.is_with_the_agent:
        hint = "the agent has to hold the key (`ssh-add -L`), and SSH_AUTH_SOCK to name it"
    return InputMissingError(f"the key `{key.file or key.public}` has signed nothing: {why}", hint=hint)
