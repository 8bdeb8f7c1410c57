"""Whether a key that the user trusts has signed a bundle: a detached OpenSSH signature over its manifest.

    ssh-keygen -Y sign -n reprokit-bundle -f KEY BUNDLE/manifest-sha256.txt

makes one. The manifest lists the digest of every file, and its own digest is the identity of the bundle, so nothing of
the payload can be another. What a line of the user's file demands (namespaces, times, authorities) and what is revoked,
`ssh-keygen` decides; whatever is not plainly well is untrusted.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from reprokit import child_process
from reprokit.archive import small_file
from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.child_process import Ended, TookTooLongError
from reprokit.errors import ReprokitError
from reprokit.reproduce.consent.signers import Signers, allowed_signers

NAMESPACE = "reprokit-bundle"
_PROGRAM = "ssh-keygen"
_SECONDS = 20.0
_LARGEST = 1 << 16  # bytes of a signature; that of the longest key has some thousand
_LARGEST_MANIFEST = 1 << 28  # bytes
_MOST = 20  # names that one key has
_LONGEST = 200
_KEY = re.compile(r" with \S+ key (?P<key>SHA256:\S+)\s*$")
_KEPT = ("PATH", "TZ")  # times without a zone in the user's file are local ones
_SAYS_NOTHING = ("Could not verify signature", "No principal matched")


class Trusted(Struct, frozen=True, kw_only=True):
    """A key that the user trusts has signed the bundle: `by` is its name in the user's file, `key` its fingerprint."""

    by: str
    key: str
    signature: str


class Untrusted(Struct, frozen=True, kw_only=True):
    """Nobody whom the user trusts has signed the bundle, or that cannot be told."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """All that it takes to look at signatures. `folder` is private and holds copies of the user's files."""

    program: str
    environment: Mapping[str, str]
    folder: Path
    signers: Signers
    manifest: bytes

    @property
    def allowed(self) -> Path:
        return self.folder / "allowed_signers"

    @property
    def signature(self) -> Path:
        return self.folder / "signature"

    @property
    def revoked(self) -> Path:
        return self.folder / "revoked_keys"

    def run(self, *words: str | Path, stdin: bytes = b"") -> Ended:
        return child_process.run(
            [self.program, *map(str, words)],
            directory=self.folder,
            environment=self.environment,
            stdin=stdin,
            timeout=_SECONDS,
        )


def trusted(bundle: Bundle, signatures: Sequence[Path], *, environment: Mapping[str, str]) -> Trusted | Untrusted:
    """Tell whether one of some signatures makes a bundle trusted. It never raises for what a signature holds.

    Args:
        bundle: the bundle. Its payload is not read here: whoever acts on the answer has proven that first.
        signatures: files that may be a signature of it, as `signatures.candidates` finds them.
        environment: the environment variables.
    """
    if not signatures:
        return Untrusted(reason="it has no signature")
    program = shutil.which(_PROGRAM, path=environment.get("PATH"))
    if program is None:
        return Untrusted(reason=f"it has a signature, and there is no `{_PROGRAM}` to check it with")
    try:
        signers = allowed_signers(environment)
        manifest = small_file.read(bundle.path / bag.MANIFEST, most=_LARGEST_MANIFEST)
    except ReprokitError as error:
        return Untrusted(reason=f"it has a signature, and {error.message}{f': {error.hint}' if error.hint else ''}")
    except OSError as error:
        return Untrusted(reason=f"its manifest cannot be read: {error.strerror or error}")
    if bag.identity_of(manifest) != bundle.identity:
        return Untrusted(reason="its manifest was changed while it was read")
    kept = {name: environment[name] for name in _KEPT if name in environment}
    with tempfile.TemporaryDirectory(prefix="reprokit-") as folder:
        desk = _Desk(
            program=program,
            environment={**kept, "LC_ALL": "C"},
            folder=Path(folder),
            signers=signers,
            manifest=manifest,
        )
        return _first(desk, signatures)


def _first(desk: _Desk, signatures: Sequence[Path]) -> Trusted | Untrusted:
    """Look at one signature after another, until one is good."""
    desk.allowed.write_bytes(desk.signers.allowed)
    if desk.signers.revoked is not None:
        desk.revoked.write_bytes(desk.signers.revoked)
    reasons: list[str] = []
    for path in signatures:
        judged = _judged(desk, path)
        if isinstance(judged, Trusted):
            return judged
        reasons.append(f"`{path}`: {judged.reason}")
    more = f"; and {len(reasons) - 1} more are of no use" if len(reasons) > 1 else ""
    return Untrusted(reason=reasons[0] + more)


def _judged(desk: _Desk, path: Path) -> Trusted | Untrusted:
    try:
        desk.signature.write_bytes(small_file.read(path, most=_LARGEST))
        found = desk.run("-Y", "find-principals", "-s", desk.signature, "-f", desk.allowed)
        names = list(_names(found.out))
        if found.status != 0 or not names:
            told = _told(desk, found) or f"its key is none of those in `{desk.signers.path}`"
            return Untrusted(reason=told)
        return _verified(desk, path, names)
    except OSError as error:
        return Untrusted(reason=f"it cannot be read: {error.strerror or error}")
    except TookTooLongError as error:
        return Untrusted(reason=f"`{_PROGRAM}` {error}")


def _verified(desk: _Desk, path: Path, names: Sequence[str]) -> Trusted | Untrusted:
    """Verify a signature as that of each of the names which the user's file has for its key."""
    revoked = () if desk.signers.revoked is None else ("-r", desk.revoked)
    words = ["-Y", "verify", "-n", NAMESPACE, "-f", desk.allowed, "-s", desk.signature, *revoked, "-I"]
    told = ""
    for name in names:
        ended = desk.run(*words, name, stdin=desk.manifest)
        if ended.status == 0:
            key = _KEY.search(_text(ended.out))
            return Trusted(by=name, key=key["key"] if key else "unknown", signature=str(path))
        told = told or _told(desk, ended)
    return Untrusted(reason=told or "it is no signature of this bundle")


def _names(out: bytes) -> Iterator[str]:
    """Yield the names of a key. Older versions print a list of them as it is written."""
    names = [name for line in _text(out).splitlines() for name in line.split(",")]
    # What begins so is nobody's name: it says whose the key is not.
    yield from [name for name in names if name and not name.startswith("!")][:_MOST]


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _told(desk: _Desk, ended: Ended) -> str:
    """Give what the program says of its refusal, in one line; empty when it says nothing of use."""
    lines = [line.strip() for line in _text(ended.said).splitlines()]
    lines = [line for line in lines if line and not line.startswith(_SAYS_NOTHING)]
    told = "; ".join(lines).replace(str(desk.allowed), str(desk.signers.path)).replace(str(desk.signature), "signature")
    return told[:_LONGEST]
