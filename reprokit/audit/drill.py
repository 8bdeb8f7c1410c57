"""The drill: a few bundles, chosen by chance, are reproduced to see whether it can still be done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from reprokit.archive import catalog
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import ExitCode, ReprokitError, StoppedError
from reprokit.reproduce.batch import Attempt, attempt_of
from reprokit.reproduce.result import Reproduction
from reprokit.reproduce.tiers import Tier

_SEED_BYTES = 4

Reproduce = Callable[[str, Tier], Reproduction]
"""Reproduces the bundle of an id and notes it in the ledger, as `reprokit reproduce` does, or raises why it cannot."""


class Drilled(Struct, frozen=True, kw_only=True):
    """What came of a drill."""

    tier: Tier
    seed: Annotated[int, Meta(description="chooses the same bundles again, among the same")]
    among: Annotated[int, Meta(description="how many complete runs could have been chosen")]
    attempts: list[Attempt]

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each that came to no verdict; what a verdict says is told of the bundle's freshness."""
        yield from (finding("W464", each.bundle, each.reason) for each in self.attempts if each.verdict is None)


def drill(
    archive: Archive, ids: Iterable[str], *, count: int, tier: Tier, seed: int | None, reproduce: Reproduce
) -> Drilled:
    """Reproduce some bundles, each of those that can be run as likely as any other.

    One that fails does not stop the others. Consent to run what they hold is the caller's to ask for.

    Args:
        archive: where they are.
        ids: among which.
        count: how many to reproduce; all, where there are fewer.
        tier: how much of each run is done again.
        seed: chooses them; `None` for one that nobody knows before.
        reproduce: reproduces one of them and notes it in the ledger.

    Raises:
        StoppedError: somebody asked for the end.
    """
    sown = int.from_bytes(os.urandom(_SEED_BYTES), "big") if seed is None else seed
    candidates = list(runnable(archive, ids))
    chosen = np.random.default_rng(sown).permutation(len(candidates))[:count].tolist()
    attempts = [_attempt(candidates[each], tier, reproduce) for each in chosen]
    return Drilled(tier=tier, seed=sown, among=len(candidates), attempts=attempts)


def runnable(archive: Archive, ids: Iterable[str]) -> Iterator[str]:
    """Yield the ids, sorted, of the complete runs that are here and reproduce nothing themselves."""
    for each in sorted(set(ids)):
        try:
            entry = catalog.read(archive, each)
        except ReprokitError:
            continue  # what the catalog lacks is told by its fixity
        if entry.complete and entry.reproduces is None and archive.payload(each).is_dir():
            yield each


def _attempt(bundle: str, tier: Tier, reproduce: Reproduce) -> Attempt:
    try:
        result = reproduce(bundle, tier)
    except StoppedError:
        raise
    except ReprokitError as error:
        return Attempt(bundle=bundle, exit_code=error.exit_code, reason=error.message)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one bundle, the others are reproduced
        return Attempt(bundle=bundle, exit_code=ExitCode.BUG, reason=f"a bug in reprokit: {type(error).__name__}")
    return attempt_of(bundle, result)
