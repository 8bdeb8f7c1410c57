"""Counting sample lines without keeping them: how many there are, of which filter, and which stand there twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.values import Json
from reprokit.harnesses.loose_json import Line

HASH_OF_NOTHING = hashlib.sha256(b"null").hexdigest()


@dataclass(kw_only=True)
class _Seen:
    """A set of keys that takes no memory while they count up, as samples do."""

    first: int = 0
    following: int = 0
    others: dict[Json, int] = field(default_factory=dict)

    def add(self, key: Json) -> int:
        """Add a key and tell how often it has been added."""
        if isinstance(key, int) and self.first == self.following and not self.others:
            self.first = self.following = key
        if key == self.following and isinstance(key, int):
            self.following += 1
            return 1 if key not in self.others else self._again(key)
        inside = isinstance(key, int) and self.first <= key < self.following
        return self._again(key, before=int(inside))

    def _again(self, key: Json, before: int = 0) -> int:
        self.others[key] = self.others.get(key, before) + 1
        return self.others[key]


@dataclass(kw_only=True)
class Repeats:
    """Finds samples that were saved more than once, and numbers them so that every sample keeps a key of its own."""

    where: str
    task: str
    _seen: dict[str | None, _Seen] = field(default_factory=dict)
    _count: int = 0
    _first: str = ""

    def epoch(self, line: Line, key: Json, extraction: str | None) -> int:
        """Tell which record of this key and filter a line is, from 1."""
        times = self._seen.setdefault(extraction, _Seen()).add(key)
        if times > 1:
            self._count += 1
            self._first = self._first or f"line {line.number} of `{self.where}`, sample `{key}`"
        return times

    def findings(self) -> Iterator[Finding]:
        """Say which record first repeats an earlier one's key, and how many more do."""
        if self._count:
            more = f", and {self._count - 1} more" if self._count > 1 else ""
            yield finding("W315", self.task, self._first + more)


@dataclass(kw_only=True)
class Survey:
    """What a file of samples holds, before its samples are read one by one."""

    records: int = 0
    whole: bool = True
    by_filter: dict[str | None, int] = field(default_factory=dict)
    hash_says_nothing: bool = False


def survey(lines: Iterable[Line | Finding]) -> Survey:
    """Count the usable lines of a sample file, and see whether the harness's `doc_hash` tells documents apart."""
    found = Survey()
    hashes: set[str] = set()
    keys: set[Json] = set()
    for line in lines:
        if isinstance(line, Finding):
            found.whole = False
            continue
        found.records += 1
        extraction = filter_of(line.value)
        found.by_filter[extraction] = found.by_filter.get(extraction, 0) + 1
        if len(hashes) <= 1 and isinstance(line.value.get("doc_hash"), str):
            hashes.add(line.value["doc_hash"])
        if len(keys) <= 1:
            keys.add(line.value["doc_id"])
    found.hash_says_nothing = hashes == {HASH_OF_NOTHING} or (len(hashes) == 1 and len(keys) > 1)
    return found


def filter_of(record: dict[str, Json]) -> str | None:
    """Name the filter of a sample record, when the harness named it."""
    extraction = record.get("filter")
    return extraction if isinstance(extraction, str) else None
