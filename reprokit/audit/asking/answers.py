"""Answers that are kept, so that an archive of a thousand bundles does not ask a thousand times.

Each lies in a file of its own in the private folder of this copy of the archive, by the digest of its question. Silence
is not kept. A file that is damaged, or another question's, is as good as none.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from reprokit import clock
from reprokit.archive import durable, small_file
from reprokit.archive.layout import Archive
from reprokit.audit.asking.heard import Heard, Silence
from reprokit.audit.own_word import own_word
from reprokit.bundle import canonical
from reprokit.bundle.values import Time
from reprokit.errors import ReprokitError

T = TypeVar("T")

OFFLINE = "asked nobody: `--offline`"
_IN_MEMORY = 512


class _Kept(Struct, frozen=True, kw_only=True):
    question: str
    asked: Time
    answer: Raw


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers of an archive, for one audit that began at `now`.

    A kept answer is good for `fresh_for`; when `offline`, at any age. A host that did not answer is not asked again.
    """

    archive: Archive
    now: dt.datetime
    fresh_for: dt.timedelta
    offline: bool = False
    _mute: dict[str, str] = field(default_factory=dict)
    _unkept: OrderedDict[str, Silence | bytes] = field(default_factory=OrderedDict)
    """What this audit has heard and no file holds: silence, and all where the archive cannot be written."""

    def learn(
        self, question: tuple[str, ...], kind: type[T], host: str, ask: Callable[[], T | Silence]
    ) -> Heard[T] | Silence:
        """Find the answer to a question that a host would be asked, or ask it.

        Args:
            question: what tells it from every other; it holds no credentials.
            kind: the type of an answer.
            host: whom it would be put to.
            ask: puts it.
        """
        digest = hashlib.sha256(msgspec.json.encode([own_word(self.archive), *question])).hexdigest()
        unkept = self._unkept.get(digest)
        if isinstance(unkept, Silence):
            return unkept
        found: Heard[T] | Silence | None = self._kept(digest, kind, unkept)
        return found if found is not None else self._asked(digest, host, ask)

    def _asked(self, digest: str, host: str, ask: Callable[[], T | Silence]) -> Heard[T] | Silence:
        if self.offline:
            return Silence(because=OFFLINE)
        if host in self._mute:
            return Silence(because=self._mute[host], mute=True)
        answer = ask()
        if isinstance(answer, Silence):
            if answer.mute:
                self._mute[host] = answer.because
            self._remember(digest, answer)
            return answer
        self._keep(digest, answer)
        return Heard(answer=answer, at=self.now, age=dt.timedelta())

    def _kept(self, digest: str, kind: type[T], data: bytes | None) -> Heard[T] | None:
        with suppress(OSError, msgspec.DecodeError, ValueError, RecursionError):
            kept = msgspec.json.decode(small_file.read(self._file(digest)) if data is None else data, type=_Kept)
            asked = clock.parse(kept.asked)
            age = self.now - asked
            if kept.question == digest and (self.offline or abs(age) <= self.fresh_for):
                return Heard(answer=msgspec.json.decode(kept.answer, type=kind), at=asked, age=age)
        return None

    def _keep(self, digest: str, answer: object) -> None:
        kept = _Kept(question=digest, asked=clock.text(self.now), answer=Raw(msgspec.json.encode(answer)))
        data = canonical.line(kept)
        try:
            durable.write(self._file(digest), data, archive=self.archive)
        except (OSError, ReprokitError):
            self._remember(digest, data)

    def _remember(self, digest: str, what: Silence | bytes) -> None:
        self._unkept[digest] = what
        if len(self._unkept) > _IN_MEMORY:
            self._unkept.popitem(last=False)

    def _file(self, digest: str) -> Path:
        return self.archive.private / "audit" / "answers" / digest[:2] / f"{digest}.json"
