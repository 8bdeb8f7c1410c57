"""The digests that a package index gives for the packages of an environment, beside the sealed bundles.

A bundle's `requirements.lock` pins names and versions. What the files of these are, an index knows, and often only from
another machine than the evaluation ran on; so it is asked later, and what it says is a record of its own. Bundles of
one environment have one lock, and so one record: `locks/<hex of the lock's SHA-256>/<UTC>-<8 hex of its content>.json`.
An index that is asked again gives another, and the newest counts: clones merge without conflict.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive import durable, small_file
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.bundle.values import Digest, Time
from reprokit.errors import InvalidRecordError

SCHEMA = "https://w3id.org/reprokit/v1/lock.schema.json"
NOT_FROM_AN_INDEX = re.compile(r"# (?P<name>[a-z0-9][a-z0-9-]*) (?P<version>\S+) (?P<reason>.+)")
"""The line of a `requirements.lock` that tells of a package which no index gives."""
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-(?P<digits>[0-9a-f]{8})\.json")
_DIGITS = 8


class Hashed(Struct, frozen=True, kw_only=True, order=True):
    """A package whose files the index knows."""

    name: Annotated[str, Meta(examples=["numpy"])]
    version: Annotated[str, Meta(examples=["2.3.1"])]
    digests: Annotated[
        list[Digest], Meta(description="of every file of this version, for any platform, as the index gave them")
    ]


class Unhashed(Struct, frozen=True, kw_only=True, order=True):
    """A package that has no digest here, and why."""

    name: Annotated[str, Meta(examples=["torch"])]
    version: Annotated[str, Meta(examples=["2.13.0+cpu"])]
    reason: Annotated[str, Meta(examples=["the index has no such version"])]
    again: Annotated[bool, Meta(description="the reason may pass: it is asked again")] = False


class CompletedLock(Struct, frozen=True, kw_only=True):
    """What was learnt from package indexes about the packages of a lock. It holds no address."""

    schema: str = SCHEMA
    lock: Annotated[Digest, Meta(description="of the `environment/requirements.lock` that this completes")]
    asked: Annotated[Time, Meta(description="when the index was asked last")]
    hashed: list[Hashed]
    unhashed: list[Unhashed]


def digest_of(lock: bytes) -> str:
    """Digest the bytes of a `requirements.lock`, as records name it."""
    return "sha256:" + hashlib.sha256(lock).hexdigest()


def newest(archive: Archive, lock: str) -> CompletedLock | None:
    """Read what is known of the packages of a lock, by its digest; `None` when no index was asked yet.

    Raises:
        InvalidRecordError: the record is damaged, or another lock's.
    """
    folder = _folder(archive, lock)
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))  # noqa: PTH208 - names only
    except OSError:
        return None
    # Those of one second are told apart by what they say.
    latest = [name for name in names if name.partition("-")[0] == names[-1].partition("-")[0]]
    found = [_read(folder / name, lock) for name in latest]
    return max(found, key=lambda record: clock.parse(record.asked), default=None)


def _folder(archive: Archive, lock: str) -> Path:
    return archive.locks / lock.removeprefix("sha256:")


def _read(path: Path, lock: str) -> CompletedLock:
    hint = "restore it: `git checkout` in the archive"
    try:
        data = small_file.read(path)
        found = canonical.decode(data, CompletedLock)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRecordError(f"`{path}` cannot be read: {error}", hint=hint) from error
    if found.lock != lock or _digits(data) not in path.name:
        raise InvalidRecordError(f"`{path}` is not what was learnt about this lock", hint=hint)
    return found


def _digits(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def write(archive: Archive, completed: CompletedLock) -> Path:
    """Write a record, and return its file, which is yet to be committed.

    Raises:
        OSError: the archive cannot be written.
    """
    data = canonical.record(completed)
    name = f"{clock.compact(clock.parse(completed.asked))}-{_digits(data)}.json"
    path = _folder(archive, completed.lock) / name
    durable.write(path, data, archive=archive)
    return path
