"""Who has signed a bundle: every signature that the archive keeps of it, judged by whom the auditor trusts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import Bundle
from reprokit.signatures import places
from reprokit.signatures.trust import Judged, Trusted, Untrusted, judge

_WHERE = "signatures"
_TIME = re.compile(r"\s*\(?\bverify time [0-9TZ:.+-]+\)?")  # of each audit another
_DIGITS = 8  # of the identity, at the end of a bundle id


def check(held: Held, environ: Mapping[str, str], policy: Policy) -> Iterator[Statement]:
    """Judge each signature of a bundle in the archive.

    Those beside the bundle's folder are not asked: the archive does not keep them.

    Args:
        held: the bundle. Its signatures are in git: they may be here though its payload is not.
        environ: the auditor's environment variables, which say whom they trust.
        policy: whether it has to be signed.
    """
    folder = places.folder(held.archive, held.id)
    if folder.parent.is_symlink() or folder.is_symlink():
        yield finding("E451", _name(held, folder), "a link stands for the folder of its signatures")
        return
    try:
        files = _files(folder)
    except OSError as error:
        yield NotKnown(where=_name(held, folder), because=f"it cannot be read: {error.strerror or error}")
        return
    if not files:
        if policy.signed:
            yield finding("W453", held.id)
        return
    bundle = _as_captured(held)
    if bundle is None:
        because = "its manifest cannot be read" if held.here else "its files are not in this copy of the archive"
        yield NotKnown(where=_WHERE, because=because)
        return
    yield from _judge_all(held, bundle, files, environ, policy)


def _files(folder: Path) -> list[Path]:
    """List what may be a signature, be it a file or not; one more than are looked at, at most."""
    found: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(places.SUFFIX):
                    found.append(Path(entry.path))
                if len(found) > places.MOST:
                    break
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found)


def _as_captured(held: Held) -> Bundle | None:
    """Give the bundle if its manifest is the one that its id names: of another, no signature says anything."""
    try:
        bundle = held.bundle
    except (OSError, ValueError):
        return None
    if bundle is None or bundle.identity.removeprefix("sha256:")[:_DIGITS] != held.id[-_DIGITS:]:
        return None
    return bundle


def _judge_all(
    held: Held, bundle: Bundle, files: list[Path], environ: Mapping[str, str], policy: Policy
) -> Iterator[Statement]:
    trusted, unknown = False, len(files) > places.MOST
    of_no_count: list[Finding] = []
    if unknown:
        yield NotKnown(where=_WHERE, because=f"there are more than {places.MOST} signatures; some were not looked at")
    with closing(judge(bundle, files[: places.MOST], environment=environ)) as judgements:
        for judged in judgements:
            said = _said(held, judged)
            trusted = trusted or isinstance(judged, Trusted)
            unknown = unknown or isinstance(said, NotKnown)
            if isinstance(said, Finding) and said.code == "W452":
                of_no_count.append(said)
            else:
                yield said
    # Beside one that counts, an older key's signature is history: keys are rotated.
    yield from (Fact(where=each.where, told=each.message) for each in of_no_count) if trusted else of_no_count
    if policy.signed and not trusted and not unknown:
        yield finding("W453", held.id, "none of its signatures is by a key that you trust")


def _said(held: Held, judged: Judged) -> Statement:
    match judged:
        case Trusted(by=by, key=key, signature=signature):
            return Fact(where=_name(held, Path(signature)), told=f"signed by {by} with key {key}")
        case Untrusted(kind=kind, key=key, reason=reason, signature=signature):
            where = _name(held, Path(signature or ""))
            if kind == "not of this bundle":
                return finding("E451", where, reason)
            if kind in {"unknown key", "revoked", "expired"}:
                return finding("W452", where, f"{kind}: {_TIME.sub('', reason)} ({key})")
            return NotKnown(where=where, because=reason)


def _name(held: Held, path: Path) -> str:
    return path.relative_to(held.archive.root).as_posix() if path.is_relative_to(held.archive.root) else str(path)
