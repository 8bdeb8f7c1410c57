"""Whether a key that the user trusts has signed a bundle: a detached OpenSSH signature over its manifest.

    ssh-keygen -Y sign -n reprokit-bundle -f KEY BUNDLE/manifest-sha256.txt

makes one. The manifest lists the digest of every file, and its own digest is the identity of the bundle, so nothing of
the payload can be another. What a line of the user's file demands (namespaces, times, authorities) and what is revoked,
`ssh-keygen` decides by its exit status; whatever is not plainly well is untrusted. Its words only tell one reason from
another.
"""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from reprokit.archive import small_file
from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.child_process import Ended, TookTooLongError
from reprokit.errors import ReprokitError
from reprokit.signatures import keygen
from reprokit.signatures.keygen import NAMESPACE, PROGRAM, Keygen
from reprokit.signatures.signers import Signers, allowed_signers

LARGEST_MANIFEST = 1 << 28
"""Bytes."""
_MOST = 20  # names that one key has
_LONGEST = 200
_NO_REASON = f"`{PROGRAM}` does not say why"
_KEPT = ("PATH", "TZ")  # times without a zone in the user's file are local ones
_NO_SIGNATURE_FILE = (errno.ELOOP, errno.EINVAL, errno.EFBIG)  # a link, a pipe or a folder, or far too large
_KRL = b"SSHKRL\n\0"
_OUT_OF_TIME = re.compile(r"expired|not yet valid")
_OF_NO_USE = re.compile(r"not permitted for use in signature namespace")
# A kind of signature that this version of the program does not know may well be one of the bundle.
_BEYOND_IT = re.compile(r"unsupported|not supported|larger than supported")
_REFUSED = b"Could not verify signature"

Kind = Literal["not of this bundle", "unknown key", "revoked", "expired", "cannot be checked"]
"""What keeps a signature from being trusted. `expired`: or not valid yet."""


class Trusted(Struct, frozen=True, kw_only=True):
    """A key that the user trusts has signed the bundle: `by` is its name in the user's file, `key` its fingerprint."""

    by: str
    key: str
    signature: str


class Untrusted(Struct, frozen=True, kw_only=True):
    """A signature that makes nothing trusted. `key` is the fingerprint of the key that made it, where that is known.

    Without a `signature` it is about all that there are, or that there is none; then it has no `kind`.
    """

    reason: str
    kind: Kind | None = None
    key: str | None = None
    signature: str | None = None


Judged: TypeAlias = Trusted | Untrusted


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """All that it takes to look at the signatures of a bundle: `signers` may be the reason why nobody's counts."""

    keygen: Keygen
    manifest: bytes
    signers: Signers | ReprokitError

    @property
    def allowed(self) -> Path:
        return self.keygen.folder / "allowed_signers"

    @property
    def signature(self) -> Path:
        return self.keygen.folder / "signature"

    @property
    def revoked(self) -> Path:
        return self.keygen.folder / "revoked_keys"


def trusted(bundle: Bundle, signatures: Sequence[Path], *, environment: Mapping[str, str]) -> Judged:
    """Tell whether one of some signatures makes a bundle trusted, as `judge` does; none is looked at after a good one.

    Args:
        bundle: the bundle.
        signatures: files that may be a signature of it, as `places.candidates` finds them.
        environment: the environment variables.
    """
    found: list[Untrusted] = []
    with closing(judge(bundle, signatures, environment=environment)) as judgements:
        for judged in judgements:
            if isinstance(judged, Trusted):
                return judged
            found.append(judged)
    if not found:
        return Untrusted(reason="it has no signature")
    more = f"; and {len(found) - 1} more are of no use" if len(found) > 1 else ""
    return Untrusted(reason=f"`{found[0].signature}`: {found[0].reason}{more}")


def judge(
    bundle: Bundle, signatures: Sequence[Path], *, environment: Mapping[str, str]
) -> Generator[Judged, None, None]:
    """Judge each of some signatures, in their order. It never raises for what a signature holds.

    Args:
        bundle: the bundle. Its payload is not read here: whoever acts on the answer has proven that first.
        signatures: files that may be a signature of it.
        environment: the environment variables.
    """
    if not signatures:
        return
    program = keygen.find(environment)
    manifest = _manifest(bundle)
    if program is None or isinstance(manifest, str):
        why = manifest if isinstance(manifest, str) else f"there is no `{PROGRAM}` to check it with"
        yield from (Untrusted(reason=why, kind="cannot be checked", signature=str(path)) for path in signatures)
        return
    kept = {name: environment[name] for name in _KEPT if name in environment}
    with tempfile.TemporaryDirectory(prefix="reprokit-") as folder:
        desk = _Desk(
            keygen=Keygen(program=program, environment={**kept, "LC_ALL": "C"}, folder=Path(folder)),
            manifest=manifest,
            signers=_signers(environment),
        )
        _lay_out(desk)
        for path in signatures:
            yield _judged(desk, path)


def _manifest(bundle: Bundle) -> bytes | str:
    """Read the manifest of a bundle, or say why it cannot be had."""
    try:
        manifest = small_file.read(bundle.path / bag.MANIFEST, most=LARGEST_MANIFEST)
    except OSError as error:
        return f"the manifest cannot be read: {error.strerror or error}"
    if bag.identity_of(manifest) != bundle.identity:
        return "the manifest was changed while it was read"
    return manifest


def _signers(environment: Mapping[str, str]) -> Signers | ReprokitError:
    try:
        return allowed_signers(environment)
    except ReprokitError as error:
        return error


def _lay_out(desk: _Desk) -> None:
    """Copy the user's files, so that they are one and the same for every question."""
    if isinstance(desk.signers, Signers):
        desk.allowed.write_bytes(desk.signers.allowed)
        if desk.signers.revoked is not None:
            desk.revoked.write_bytes(desk.signers.revoked)


def _judged(desk: _Desk, path: Path) -> Judged:
    def untrusted(kind: Kind, reason: str, key: str | None = None) -> Untrusted:
        return Untrusted(reason=reason, kind=kind, key=key, signature=str(path))

    try:
        data = small_file.read(path, most=keygen.LARGEST)
    except OSError as error:
        no_file = error.errno in _NO_SIGNATURE_FILE
        reason = f"it cannot be read: {error.strerror or error}"
        return untrusted("not of this bundle" if no_file else "cannot be checked", reason)
    try:
        desk.signature.write_bytes(data)
        key, ended = desk.keygen.signed_by(desk.signature, desk.manifest)
        if key is None:
            told = _told(desk, ended)
            sure = _REFUSED in ended.out and not _BEYOND_IT.search(told)
            return untrusted("not of this bundle" if sure else "cannot be checked", told or _NO_REASON)
        if isinstance(desk.signers, ReprokitError):
            hint = f": {desk.signers.hint}" if desk.signers.hint else ""
            return untrusted("cannot be checked", f"{desk.signers.message}{hint}", key)
        found = _vouched(desk, desk.signers, key)
    except OSError as error:
        return untrusted("cannot be checked", f"`{PROGRAM}` cannot be asked: {error.strerror or error}")
    except TookTooLongError as error:
        return untrusted("cannot be checked", f"`{PROGRAM}` {error}")
    if isinstance(found, str):
        return Trusted(by=found, key=key, signature=str(path))
    return untrusted(*found, key)


def _vouched(desk: _Desk, signers: Signers, key: str) -> str | tuple[Kind, str]:
    """Give the name of whom the user's file has for the key of a signature of this bundle, or why it does not count."""
    asked = desk.keygen.run("-Y", "find-principals", "-s", desk.signature, "-f", desk.allowed)
    names = list(_names(asked.out)) if asked.status == 0 else []
    told = _told(desk, asked)
    if not names:
        kind: Kind = "expired" if _OUT_OF_TIME.search(told) else "unknown key"
        return kind, told or f"its key is none of those in `{signers.path}`"
    for name in names:
        ended = _verified(desk, name, revoked=signers.revoked is not None)
        if ended.status == 0:
            return name
        told = told or _told(desk, ended)
    if signers.revoked is not None and any(_verified(desk, name, revoked=False).status == 0 for name in names):
        return _revoked(desk, signers, key)
    if _OUT_OF_TIME.search(told):
        return "expired", told
    return ("unknown key" if _OF_NO_USE.search(told) else "cannot be checked"), told or _NO_REASON


def _verified(desk: _Desk, name: str, *, revoked: bool) -> Ended:
    """Verify a signature as that of one of the names which the user's file has for its key."""
    words = ("-Y", "verify", "-n", NAMESPACE, "-f", desk.allowed, "-s", desk.signature, "-I", name)
    return desk.keygen.run(*words, *(("-r", desk.revoked) if revoked else ()), stdin=desk.manifest)


def _revoked(desk: _Desk, signers: Signers, key: str) -> tuple[Kind, str]:
    """Tell a key that is revoked from a file of revoked keys that cannot be read: the program refuses both alike."""
    if (signers.revoked or b"").startswith(_KRL):
        sure = desk.keygen.run("-Q", "-l", "-f", desk.revoked).status == 0
    else:
        sure = key in keygen.text(desk.keygen.run("-l", "-f", desk.revoked).out).split()
    if sure:
        return "revoked", f"its key is revoked, by `{signers.revoked_path}`"
    why = "that file is damaged, or it revokes who certified the key"
    return "cannot be checked", f"`{PROGRAM}` refuses it because of `{signers.revoked_path}`: {why}"


def _names(out: bytes) -> Iterator[str]:
    """Yield the names of a key. Older versions print a list of them as it is written."""
    names = [name for line in keygen.text(out).splitlines() for name in line.split(",")]
    # What begins so is nobody's name: it says whose the key is not.
    yield from [name for name in names if name and not name.startswith("!")][:_MOST]


def _told(desk: _Desk, ended: Ended) -> str:
    """Give what the program says of its refusal, of the user's own files and not of our copies of them."""
    told = keygen.told(ended).replace(str(desk.signature), "signature")
    if isinstance(desk.signers, Signers):
        told = told.replace(str(desk.allowed), str(desk.signers.path))
    return told[:_LONGEST]
