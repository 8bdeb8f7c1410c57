"""What several repeats of a run come to, each by itself and all together.

The repeats are pooled: each sample's score is its mean over them, so that less of the difference is chance in the
model. A test of the pool alone goes wrong, though. One answer of the original is held against a mean of several, and
such differences are lopsided: where nine of ten answers are right, an original that happens to have all of twenty
samples right lies above every mean, and flipping signs takes that for an effect (with five repeats in one case of ten
instead of one of twenty). The tests of a single repeat of right and wrong are exact. So the pool's word counts where
enough of the repeats bear it out by themselves: a quarter of them for *different*, half for *equivalent*. With these
shares neither was claimed wrongly more often than in one case of twenty, in simulations of 2 to 20 repeats of 20 to 400
samples that are right with a probability of 0.5 to 0.98; and both were found more often than by a single repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from msgspec import Struct
from msgspec.structs import replace

from reprokit.diff.compare import AS_USUAL, compare
from reprokit.diff.difference import Asked, Difference
from reprokit.diff.scores.outcome import is_beyond_chance
from reprokit.diff.side import Side
from reprokit.diff.verdict import alone as apart
from reprokit.reproduce.verdict.choosing import Identifier
from reprokit.reproduce.verdict.flips import FlipRate, flip_rates
from reprokit.reproduce.verdict.ladder import (
    LADDER,
    Agreed,
    agreement,
    at_least_equivalent,
    equivalent,
    inconclusive,
)
from reprokit.reproduce.verdict.pooled import Pooled
from reprokit.reproduce.verdict.spreads import Spread, spreads
from reprokit.reproduce.verdict.subset import LeftOut, subset

_FOR_DIFFERENT = Fraction(1, 4)
_FOR_EQUIVALENT = Fraction(1, 2)


class Repeat(Struct, frozen=True, kw_only=True):
    """One repeat, held against the original by itself."""

    bundle_id: str
    identity: str
    agreed: Agreed


class Repeated(Struct, frozen=True, kw_only=True):
    """What came of running a bundle several times.

    `agreed` is about all together, `difference` compares the original with the pool. `left_out` are scores that cannot
    be told of some samples alone, where the repeats were over some.
    """

    agreed: Agreed
    difference: Difference
    repeats: list[Repeat]
    flips: list[FlipRate] = []
    spreads: list[Spread] = []
    left_out: list[LeftOut] = []


def repeated(original: Side, repeats: Sequence[Side], asked: Asked = AS_USUAL) -> Repeated:
    """Hold several repeats of a run against the original.

    Args:
        original: the run that was captured.
        repeats: the new runs, at least one.
        asked: how to compare them.

    Raises:
        ValueError: there is no repeat.
        InvalidRecordError: a line of samples cannot be read.
        UsageError: what was asked for does not go with these runs.
    """
    if not repeats:
        raise ValueError("there is no repeat")
    alone = [compare(original, repeat, asked) for repeat in repeats]
    each = [
        Repeat(bundle_id=repeat.info.bundle_id, identity=repeat.identity, agreed=agreement(difference))
        for repeat, difference in zip(repeats, alone, strict=True)
    ]
    pooled = alone[0] if len(repeats) == 1 else counting_each(compare(original, Pooled(repeats), asked), alone)
    return Repeated(
        agreed=together(pooled, alone),
        difference=pooled,
        repeats=each,
        flips=flip_rates(original, repeats),
        spreads=spreads(original.results, [repeat.results for repeat in repeats]),
    )


def smoke_repeated(
    original: Side, repeats: Sequence[Side], ids: Mapping[str, Iterable[Identifier]], asked: Asked = AS_USUAL
) -> Repeated:
    """Hold several repeats over some samples against the original, over these samples; see `subset`.

    Raises:
        ValueError: there is no repeat.
        InvalidRecordError: a line of samples cannot be read.
        UsageError: what was asked for does not go with these runs.
    """
    restricted = subset(original, repeats, ids)
    found = repeated(restricted.original, restricted.new, restricted.asked(asked))
    return replace(found, left_out=restricted.left_out)


def counting_each(pooled: Difference, alone: Sequence[Difference]) -> Difference:
    """Say in a pool's reason how many samples differ in each repeat.

    The pool itself knows of no response in which repeats differ: it counts little more than samples whose mean does.
    """
    told = _samples_that_differ([pooled])
    reason = f"{_samples_that_differ(alone)} in each repeat"
    return replace(pooled, reason=", ".join(reason if word == told else word for word in pooled.reason.split(", ")))


def _samples_that_differ(found: Sequence[Difference]) -> str:
    differing = [sum(task.differing for task in each.samples) for each in found]
    compared = [sum(task.compared for task in each.samples) for each in found]
    return f"{_range(differing)} of {_range(compared)} sample{'' if {*compared} == {1} else 's'} differ"


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def together(pooled: Difference, alone: Sequence[Difference]) -> Agreed:
    """Judge all repeats together.

    Args:
        pooled: the original and the pool, compared.
        alone: the original and each repeat, compared.
    """
    found, each = agreement(pooled), [agreement(difference) for difference in alone]
    if len(each) == 1:
        return found
    differing = [row for row in pooled.scores if not row.same]
    match found.agreement:
        case "identical bytes" | "identical samples" | "identical scores":
            return _equal(pooled, alone, found, each)
        case "equivalent":
            bearing, share = _reproduced(each), _FOR_EQUIVALENT
        case "different" if _is_by_tests(pooled):
            bearing, share = (
                sum(LADDER.index(one.agreement) >= LADDER.index("different") for one in each),
                _FOR_DIFFERENT,
            )
            differing = [row for row in differing if row.outcome == "different"]
        case _:
            return found
    if bearing >= share * len(each):
        return found
    claimed = f"on average over {len(each)} repeats they are *{found.agreement}*"
    return inconclusive(pooled, differing, f"{claimed}, but only {bearing} of them by themselves")


def _reproduced(each: Sequence[Agreed]) -> int:
    return sum(at_least_equivalent(one.agreement) for one in each)


def _is_by_tests(pooled: Difference) -> bool:
    """Tell whether nothing but tests calls the pool different: no sample is missing, and no score went untested."""
    rows = [row for row in pooled.scores if row.outcome in {"different", "not compared"} and not row.same]
    tested = [row for row in rows if is_beyond_chance(row, pooled.asked)]
    untested = [row for row in rows if row not in tested and not row.group]
    return bool(tested) and not untested and not any(map(apart, pooled.samples))


def _equal(pooled: Difference, alone: Sequence[Difference], found: Agreed, each: Sequence[Agreed]) -> Agreed:
    """Judge a pool whose scores are the original's: in each repeat, or only on average."""
    lowest = max(each, key=lambda one: LADDER.index(one.agreement))
    if LADDER.index(lowest.agreement) <= LADDER.index(found.agreement):
        return found
    moved = {(row.task, row.metric, row.filter) for difference in alone for row in difference.scores if not row.same}
    rows = [row for row in pooled.scores if (row.task, row.metric, row.filter) in moved]
    if not rows:
        return lowest
    reason = f"all scores are equal on average over {len(each)} repeats, and not in each of them"
    within = all(row.inference and row.inference.equivalence and row.inference.equivalence.equivalent for row in rows)
    if within and _reproduced(each) >= _FOR_EQUIVALENT * len(each):
        return equivalent(rows, reason)
    return inconclusive(pooled, rows, reason)
