"""What the server holds: plain, mutable values, and how they are found."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

Where = tuple[str, str, str]
"""Entity, project, and the name of a run or of a collection."""

PENDING, COMMITTED, DELETED = "PENDING", "COMMITTED", "DELETED"


def an_id(*words: object) -> str:
    """Make an id as the service does: base64, so that it fits in no path as it is."""
    return base64.b64encode(":".join(str(word) for word in words).encode()).decode()


def now() -> str:
    return dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def md5_hex(digest: str) -> str:
    """Turn the base64 of a digest into its hexadecimal."""
    return base64.b64decode(digest).hex()


def md5_base64(md5: str) -> str:
    """Turn the hexadecimal of a digest into its base64."""
    return base64.b64encode(bytes.fromhex(md5)).decode()


@dataclass
class Run:
    """A run; `history` and `events` hold the lines that the client sent, at the offsets that it gave."""

    where: Where
    display_name: str
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    state: str = "running"
    exit_code: int | None = None
    history: list[str | None] = field(default_factory=list)
    events: list[str | None] = field(default_factory=list)
    output: list[str | None] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    deleted: bool = False
    created: str = field(default_factory=now)
    heartbeat: str = field(default_factory=now)

    @property
    def name(self) -> str:
        return self.where[2]

    @property
    def id(self) -> str:
        return an_id("Run", "v1", self.where[2], self.where[1], self.where[0])


@dataclass
class Version:
    """A version of a collection, from its creation on; it has a number once it is committed."""

    id: str
    where: Where
    digest: str
    algorithm: str
    run: Where | None
    description: str | None = None
    metadata: str | None = None
    tags: list[str] = field(default_factory=list)
    wanted_aliases: list[str] = field(default_factory=list)
    state: str = PENDING
    index: int | None = None
    manifest: str | None = None
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    history_step: int | None = None
    seconds_to_live: int | None = None
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)

    @property
    def size(self) -> int:
        return sum(int(entry.get("size") or 0) for entry in self.entries.values())


@dataclass
class Collection:
    """A named sequence of versions, of one type for ever; an alias means one of them."""

    where: Where
    type: str
    versions: list[Version] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    description: str | None = None
    deleted: bool = False
    created: str = field(default_factory=now)
    next_index: int = 0

    @property
    def id(self) -> str:
        return an_id("ArtifactCollection", *self.where)

    def committed(self) -> list[Version]:
        return [version for version in self.versions if version.state == COMMITTED]

    def find(self, word: str) -> Version | None:
        """Find the version that an alias, or `v` and a number, means."""
        for version in self.committed():
            if self.aliases.get(word) == version.id or word == f"v{version.index}":
                return version
        return None


@dataclass
class Manifest:
    """A manifest that a client announced; its file is uploaded to the address that it then gets."""

    id: str
    version: str
    digest: str
    file: str | None = None


@dataclass
class World:
    """Everything that outlives a request; what a file of state keeps."""

    key: str
    viewer: str
    teams: list[str]
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    runs: dict[Where, Run] = field(default_factory=dict)
    collections: dict[Where, Collection] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    projects: dict[tuple[str, str], str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    births: dict[tuple[str, str], str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0
    address: str = ""
    omitting: str | None = None
    losing: bool = False
    lagging: bool = False

    def shown(self, run: Run) -> list[str | None]:
        """Give the lines of a run's history that are shown by now."""
        return [] if self.lagging else run.history

    @property
    def entities(self) -> list[str]:
        return [self.viewer, *self.teams]

    def reset(self) -> None:
        """Forget all that clients did, but not who they are."""
        kept = World(self.key, self.viewer, self.teams, self.secret, address=self.address)
        vars(self).update(vars(kept))

    def number(self) -> int:
        self.made += 1
        return self.made

    def signed(self, method: str, path: str) -> str:
        """Give an address that lets whoever has it do one thing with a path; `path` holds no query."""
        return f"{self.address}{quote(path)}?signature={self.signature(method, path)}"

    def signature(self, method: str, path: str) -> str:
        return hmac.new(self.secret, f"{method} {path}".encode(), "sha256").hexdigest()

    def keep(self, content: bytes) -> str:
        """Keep bytes under their MD5 in hexadecimal."""
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        self.blobs[md5] = content
        return md5

    def project(self, entity: str | None, name: str | None) -> tuple[str, str] | None:
        where = (entity or self.viewer, name or "uncategorized")
        return where if where in self.projects else None

    def run(self, where: Where) -> Run | None:
        found = self.runs.get(where)
        return None if found is None or found.deleted else found

    def run_by_id(self, run_id: str) -> Run | None:
        return next((run for run in self.runs.values() if run.id == run_id), None)

    def collection(self, where: Where) -> Collection | None:
        found = self.collections.get(where)
        return None if found is None or found.deleted else found

    def membership(self, entity: str, project: str, name: str) -> tuple[Collection, Version] | None:
        """Find what `collection:alias` means in a project; without an alias, the latest."""
        collection_name, _, word = name.partition(":")
        collection = self.collection((entity, project, collection_name))
        version = collection.find(word or "latest") if collection else None
        return (collection, version) if collection and version else None


def manifest_digest(entries: dict[str, dict[str, Any]]) -> str:
    """Compute the digest of an artifact from the entries of its manifest."""
    digest = hashlib.md5(b"wandb-artifact-manifest-v1\n", usedforsecurity=False)
    for path in sorted(entries):
        digest.update(f"{path}:{entries[path]['digest']}\n".encode())
    return digest.hexdigest()
