"""How often a sample comes out otherwise when nothing but chance was changed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from reprokit.bundle import canonical
from reprokit.bundle.values import Score
from reprokit.diff.samples.fingerprint import plain
from reprokit.diff.samples.keys import Key, Occurrences
from reprokit.diff.samples.scanning import NONE_SAID, NULL, Scanned, scan
from reprokit.diff.side import Side
from reprokit.reproduce.verdict.joining import join, key

_PREFIX = "sha256:"


class FlipRate(Struct, frozen=True, kw_only=True):
    """How often two runs differ in a sample's score, or in its responses where no metric is named.

    `between` is the mean over all pairs of repeats of the share of samples in which the two differ; `from_original` is
    the mean over the repeats of the share that differs from the original. `None` where there is no such pair of runs
    that both have it.
    """

    task: str
    metric: str | None = None
    filter: str | None = None
    samples: int
    between: float | None = None
    from_original: float | None = None


class Marked(Struct, frozen=True, gc=False):
    """What of a sample may flip: its scores, and a digest of what the model said."""

    filter: str | None
    scores: dict[str, Score]
    said: bytes | None


def said(sample: Scanned) -> bytes | None:
    """Reduce what the model said to a digest; `None` where it was not saved.

    Lines are canonical, so that saved responses have the digest that stands for those that were kept out.
    """
    if sample.responses_digest is not None:
        try:
            return bytes.fromhex(sample.responses_digest.removeprefix(_PREFIX))
        except ValueError:
            return hashlib.sha256(canonical.line(sample.responses_digest)).digest()
    return None if sample.responses in (NONE_SAID, NULL) else hashlib.sha256(sample.responses).digest()


class _Count:
    """Pairs of runs that have something in common, and those of them that differ."""

    __slots__ = ("differing", "differing_from_original", "pairs", "pairs_with_original", "samples")

    def __init__(self) -> None:
        self.samples = 0
        self.pairs = 0
        self.differing = 0
        self.pairs_with_original = 0
        self.differing_from_original = 0

    def add(self, original: object | None, repeats: Sequence[object]) -> None:
        """Count a sample by what the original and those repeats that have it say."""
        if not repeats:
            return
        counts, size = Counter(repeats), len(repeats)
        self.samples += 1
        self.pairs += size * (size - 1) // 2
        self.differing += (size * size - sum(count * count for count in counts.values())) // 2
        if original is not None:
            self.pairs_with_original += size
            self.differing_from_original += size - counts[original]


def flip_rates(original: Side, repeats: Sequence[Side]) -> list[FlipRate]:
    """Count how often samples flip between repeats, and from the original, by task, answer extraction and metric.

    Each file is read once; see `join` for what waits.

    Raises:
        InvalidRecordError: a line of samples cannot be read.
    """
    tasks = dict.fromkeys(task for repeat in repeats for task in repeat.tasks())
    return [rate for task in tasks for rate in _of_task(task, original, repeats)]


def _marked(side: Side, task: str) -> Iterator[tuple[Key, Marked]]:
    seen = Occurrences()
    for sample in scan(side, task):
        yield key(sample, seen), Marked(sample.filter, sample.scores, said(sample))


def _of_task(task: str, original: Side, repeats: Sequence[Side]) -> list[FlipRate]:
    counts: dict[tuple[str | None, str | None], _Count] = {}
    for before, *after in join([_marked(side, task) for side in (original, *repeats)]):
        there = [each for each in after if each is not None]
        if not there:
            continue
        names = dict.fromkeys(name for each in there for name in each.scores)
        for name in names:
            scores = [plain(each.scores[name]) for each in there if name in each.scores]
            first = None if before is None or name not in before.scores else plain(before.scores[name])
            _of(counts, there[0].filter, name).add(first, scores)
        responses = [each.said for each in there if each.said is not None]
        _of(counts, there[0].filter, None).add(None if before is None else before.said, responses)
    ordered = sorted(counts.items(), key=lambda item: [(name is not None, name or "") for name in item[0]])
    return [_rate(task, *names, count) for names, count in ordered if count.samples]


def _of(counts: dict[tuple[str | None, str | None], _Count], filter_: str | None, metric: str | None) -> _Count:
    return counts.setdefault((filter_, metric), _Count())


def _rate(task: str, filter_: str | None, metric: str | None, count: _Count) -> FlipRate:
    return FlipRate(
        task=task,
        metric=metric,
        filter=filter_,
        samples=count.samples,
        between=count.differing / count.pairs if count.pairs else None,
        from_original=count.differing_from_original / count.pairs_with_original if count.pairs_with_original else None,
    )
