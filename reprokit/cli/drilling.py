"""The drill of an audit: a few bundles are reproduced before the rest is looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from reprokit.archive.layout import Archive
from reprokit.archive.references import bundle_ids
from reprokit.audit import drill as drills
from reprokit.bundle.finding import Finding
from reprokit.capture.request import home
from reprokit.cli.messages import say
from reprokit.cli.options import counted
from reprokit.cli.reproducing import Call, reproduce
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.tiers import Tier


@dataclass(frozen=True, kw_only=True)
class Drill:
    """What was asked for: how many bundles, how far, chosen by what; and whether their code may run."""

    count: int
    tier: Tier
    seed: int | None
    agreed: bool


def drill(archive: Archive, ids: Sequence[str] | None, asked: Drill) -> list[Finding]:
    """Reproduce some bundles and say what came of each; gives what the ledger does not keep of it."""
    call = Call(
        terms=Terms(environ=dict(os.environ), home=home(), tier=asked.tier),
        named=archive.root,
        workspace=None,
        agreed=asked.agreed,
        signature=None,
        only_plan=False,
        as_json=False,
    )
    chosen = bundle_ids(archive) if ids is None else ids
    done = drills.drill(
        archive,
        chosen,
        count=asked.count,
        tier=asked.tier,
        seed=asked.seed,
        reproduce=lambda bundle, _: reproduce(bundle, call),
    )
    among = counted(done.among, "complete run")
    say(f"reprokit: drill of {len(done.attempts)} among {among}, {done.tier}, `--seed {done.seed}`")
    for each in done.attempts:
        say(f"  {each.bundle}: {each.verdict or 'no verdict'}: {each.reason}")
    return list(done.findings())
