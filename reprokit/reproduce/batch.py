"""Reproducing many bundles: what came of each is kept, so that a batch that was cut short goes on where it ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from reprokit.archive import durable, small_file
from reprokit.archive.layout import Archive
from reprokit.archive.tags import labels
from reprokit.bundle import canonical
from reprokit.errors import ExitCode
from reprokit.reproduce.result import Reproduction
from reprokit.reproduce.result import exit_code as result_code

SCHEMA = "https://w3id.org/reprokit/v1/reproductions.schema.json"
_DIGITS = 16


class Attempt(Struct, frozen=True, kw_only=True):
    """What came of one bundle of a batch."""

    bundle: Annotated[str, Meta(description="bundle id")]
    exit_code: Annotated[int, Meta(description="what `reprokit reproduce` alone would have ended with")]
    verdict: Annotated[str | None, Meta(description="null when it did not come to one")] = None
    reason: str
    reproduced_as: Annotated[str | None, Meta(description="bundle id of the new run, if there is one")] = None
    deltas: Annotated[int, Meta(description="how much was not as recorded")] = 0
    doubts: Annotated[int, Meta(description="how much nobody can promise to have been the same")] = 0


class Attempts(Struct, frozen=True, kw_only=True):
    """A batch as `reprokit reproduce --all --json` prints it."""

    schema: str = SCHEMA
    attempts: list[Attempt]


def attempt_of(bundle_id: str, result: Reproduction) -> Attempt:
    """Sum up the reproduction of a bundle."""
    return Attempt(
        bundle=bundle_id,
        exit_code=result_code(result),
        verdict=result.verdict,
        reason=result.reason,
        reproduced_as=result.reproduced_as,
        deltas=len(result.deltas),
        doubts=len(result.not_guaranteed),
    )


@dataclass(kw_only=True)
class Batch:
    """What is known of a batch so far; `earlier` counts what an earlier call had done."""

    archive: Archive
    place: Path
    attempts: dict[str, Attempt] = field(default_factory=dict)
    earlier: int = 0

    def add(self, attempt: Attempt) -> None:
        """Keep what came of a bundle, so that a kill does not lose it.

        Raises:
            OSError: the archive cannot be written.
        """
        self.attempts[attempt.bundle] = attempt
        lines = b"".join(canonical.line(each) + b"\n" for each in self.attempts.values())
        durable.write(self.place, lines, archive=self.archive)

    def finish(self) -> None:
        """Forget the batch: the next call of it begins anew."""
        self.place.unlink(missing_ok=True)


def candidates(archive: Archive, tags: Sequence[str]) -> list[str]:
    """List the ids of the bundles of a batch, those of reproductions left out.

    Raises:
        InvalidRecordError: the catalog or the ledger is damaged.
    """
    return [entry.id for entry in labels.entries(archive, tags) if entry.reproduces is None]


def open_batch(archive: Archive, question: Sequence[str], *, afresh: bool) -> Batch:
    """Take a batch up where it was left, or begin it.

    Args:
        archive: where the bundles are.
        question: all that makes it the same batch: which bundles are asked for, and how they are reproduced.
        afresh: forget what an earlier call had done.
    """
    digest = hashlib.sha256("\0".join(question).encode()).hexdigest()[:_DIGITS]
    place = archive.private / "reproducing" / f"{digest}.jsonl"
    batch = Batch(archive=archive, place=place)
    if not afresh:
        # What came to no verdict is tried again: what was in the way may be mended.
        batch.attempts = {each.bundle: each for each in _read(place) if each.verdict is not None}
        batch.earlier = len(batch.attempts)
    return batch


def _read(place: Path) -> Iterator[Attempt]:
    try:
        lines = small_file.read(place).splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Attempt)
        except msgspec.DecodeError:
            continue


def exit_code(attempts: Sequence[Attempt]) -> ExitCode:
    """Give the exit code of a batch: 0 only when every bundle came out at least equivalent, and there is one."""
    if not attempts:
        return ExitCode.NOT_FOUND
    return ExitCode.FINE if all(each.exit_code == ExitCode.FINE for each in attempts) else ExitCode.DIFFERENCES
