"""What is found of a bundle by reading it, and nothing else: work that any process can do that sees the archive.

It takes and gives plain values, so that it can be sent to another process or another machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

import reprokit
from reprokit.archive.layout import Archive
from reprokit.audit.families import consistency, fixity, format, privacy  # noqa: A004 - the name of a family of checks
from reprokit.audit.held import Held
from reprokit.audit.statements import Family, Outcome, Statement, outcome
from reprokit.bundle import bag, schemas
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import ReprokitError
from reprokit.probes.secrets import vendors

CONTENT: tuple[Family, ...] = ("format", "consistency", "privacy")
"""Families that depend on the bytes of a bundle and the rules of this version, and on nothing else."""

_CONTENT: dict[Family, Callable[[Held], Iterator[Statement]]] = {
    "format": format.check,
    "consistency": consistency.check,
    "privacy": privacy.check,
}


class Work(Struct, frozen=True, kw_only=True):
    """What is to be read of which bundle. `content` names the families of `CONTENT` that are to be looked at."""

    archive: str
    bundle: str
    read: Literal["whole", "names", "nothing"]
    deep: bool = False
    content: tuple[Family, ...] = ()


class Read(Struct, frozen=True, kw_only=True):
    """What was found by reading. `files` and `octets` count what was read whole."""

    bundle: str
    identity: str | None = None
    read: Literal["whole", "names", "nothing"] = "nothing"
    files: int = 0
    octets: int = 0
    outcomes: list[Outcome] = []
    noted: list[Finding] = []
    """What the capture found, as the record tells it."""


def read(work: Work) -> Read:
    """Read a bundle. Whatever is wrong with it, or trips a check, is in what is returned; nothing is raised for it."""
    held = Held(Archive(root=Path(work.archive)), work.bundle)
    if not held.here:
        looked: tuple[Family, ...] = work.content if work.read == "nothing" else ("fixity", *work.content)
        return Read(bundle=work.bundle, outcomes=[outcome(each, [fixity.absent()]) for each in looked])
    outcomes: list[Outcome] = []
    if work.read != "nothing":
        look = fixity.glance(held) if work.read == "names" else fixity.check(held, deep=work.deep)
        outcomes.append(outcome("fixity", guarded(held, "fixity", look)))
    outcomes += [outcome(each, guarded(held, each, _CONTENT[each](held))) for each in work.content]
    files, octets = _amount(held) if work.read == "whole" else (0, 0)
    return Read(
        bundle=work.bundle,
        identity=_identity(held),
        read=work.read,
        files=files,
        octets=octets,
        outcomes=outcomes,
        noted=list(held.bundle.record.findings) if held.bundle is not None else [],
    )


def guarded(held: Held, family: Family, statements: Iterable[Statement]) -> list[Statement]:
    """Collect what a check says; should it trip over a bundle, that is said, and hides nothing of the others."""
    said: list[Statement] = []
    try:
        said.extend(statements)
    except ReprokitError as error:
        said.append(finding("E490", held.id, f"{family}: {error.message}"))
    except Exception as error:  # noqa: BLE001 - a bundle is foreign data, and there are others to be audited
        said.append(finding("E490", held.id, f"{family}: {type(error).__name__}: {error}"))
    return said


def _identity(held: Held) -> str | None:
    try:
        return bag.identity(held.folder)
    except ReprokitError:
        return None


def _amount(held: Held) -> tuple[int, int]:
    try:
        folder = held.folder
        sizes = [os.lstat(f"{folder}/{path}").st_size for path, regular in bag.walk(folder) if regular]
        return len(sizes), sum(sizes)
    except OSError:  # which fixity has told
        return 0, 0


@cache
def rules() -> str:
    """Digest the rules that `CONTENT` goes by: this version, its schemas, its patterns of secrets."""
    digest = hashlib.sha256(reprokit.__version__.encode())
    for name in sorted(schemas.TYPES):
        digest.update(schemas.published(name))
    for form in (*vendors.TOKENS, *vendors.OTHERS):
        digest.update(msgspec.json.encode([form.name, form.beginnings, form.pattern.pattern]))
    return digest.hexdigest()[:16]
