"""Carrying out `reprokit audit`: parse what was asked, conduct it, show what came of it."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reprokit.archive.references import identify
from reprokit.audit import spreading, summing
from reprokit.audit.conducting import Conducted, Ways, conducted, unmended
from reprokit.audit.policy import age
from reprokit.audit.running import Mend, Watch, Wishes
from reprokit.audit.shown import junit
from reprokit.audit.shown.text import lines
from reprokit.audit.statements import FAMILIES, Family
from reprokit.audit.values import SCHEMA
from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding
from reprokit.cli.messages import say
from reprokit.cli.options import find_archive, require_writable
from reprokit.cli.pages import JUNIT, PAGE, replaced
from reprokit.cli.transfers import watched_steps
from reprokit.errors import UsageError
from reprokit.mirrors.interface import Step
from reprokit.reproduce.tiers import Tier

_SHOWN = 50
_SHARE = re.compile(r"(?P<number>[0-9]{1,3}(?:\.[0-9]{1,3})?)%")
_TIME = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of the command, as they were given."""

    references: tuple[str, ...]
    since: str | None
    sample: str | None
    budget: str | None
    only: str | None
    skip: str | None
    deep: bool
    offline: bool
    timeout: float
    ask_again: bool
    afresh: bool
    strict: bool
    jobs: int
    dask: str | None
    repair: bool
    exports: tuple[Path, ...]
    drill: int | None
    drill_tier: Tier
    seed: int | None
    yes: bool
    html: Path | None
    junit: Path | None
    archive: Path | None
    as_json: bool


def audit(**given: Any) -> int:
    """Carry out the command; returns its exit status."""
    asked = Asked(**given)
    _require_sense(asked)
    wishes = _wishes(asked)
    archive = find_archive(asked.archive)
    if asked.repair or asked.drill is not None:
        require_writable(archive, "what is done to a bundle is noted in it")
    if asked.references:
        ids = [identify(each, archive) for each in asked.references]
        wishes = dataclasses.replace(wishes, bundles=list(dict.fromkeys(ids)))
    drilled: list[Finding] = []
    if asked.drill is not None:
        from reprokit.cli.drilling import Drill, drill  # noqa: PLC0415 - it brings all that runs and compares

        what = Drill(count=asked.drill, tier=asked.drill_tier, seed=asked.seed, agreed=asked.yes)
        drilled = drill(archive, wishes.bundles, what)
    mend: Mend = unmended
    if asked.repair:
        from reprokit.cli.mending import Mending  # noqa: PLC0415 - it brings all that carries bundles

        mending = Mending(archive=archive, exports=asked.exports, offline=asked.offline, patience=asked.timeout)
        mending.ledger()
        mend = mending.bundle
    with contextlib.ExitStack() as stack:
        ways, watch = stack.enter_context(_ways(asked)), stack.enter_context(_watched())
        found = stack.enter_context(conducted(archive, wishes, ways, mend=mend, watch=watch, drilled=drilled))
        return _show(found, asked)


def _require_sense(asked: Asked) -> None:
    if asked.exports and not asked.repair:
        raise UsageError("`--from` names a copy to repair from", hint="add `--repair`")
    if asked.dask is not None and asked.jobs > 1:
        raise UsageError("`--jobs` and `--dask` are two ways to do the same", hint="leave one out")
    if (asked.seed is not None or asked.yes) and asked.drill is None:
        raise UsageError("`--seed` and `--yes` are about a drill", hint="add `--drill N`")


def _wishes(asked: Asked) -> Wishes:
    since = None if asked.since is None else age(asked.since)
    if asked.since is not None and since is None:
        raise UsageError(f"`--since {asked.since}` is no age", hint="write `90d`, `12h`, `2w` or `1y`")
    return Wishes(
        families=_families(asked),
        deep=asked.deep,
        since=since,
        share=None if asked.sample is None else _share(asked.sample),
        budget=None if asked.budget is None else _seconds(asked.budget),
    )


def _families(asked: Asked) -> frozenset[Family]:
    if asked.only is not None and asked.skip is not None:
        raise UsageError("`--only` and `--skip` are two ways to say the same", hint="leave one out")
    skipped = frozenset(_named(asked.skip or ""))
    found = frozenset(FAMILIES) - skipped if asked.only is None else frozenset(_named(asked.only))
    if not found:
        raise UsageError("no family of checks is left", hint=f"there are {', '.join(FAMILIES)}")
    return found


def _named(text: str) -> Iterator[Family]:
    known = {str(each): each for each in FAMILIES}
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"there is no family of checks `{word}`", hint=hint)
        yield known[word]


def _share(text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = float(match["number"]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise UsageError(f"`--sample {text}` is no share", hint="write `5%`")
    return share


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"`--budget {text}` is no time", hint="write `90s`, `10m` or `2h`")
    return float(match["number"]) * _UNITS[match["unit"]]


@contextmanager
def _ways(asked: Asked) -> Iterator[Ways]:
    ways = Ways(
        environ=os.environ,
        offline=asked.offline,
        timeout=asked.timeout,
        afresh=asked.afresh,
        repair=asked.repair,
    )
    if asked.ask_again:
        ways = dataclasses.replace(ways, fresh_for=0.0)
    if asked.dask is not None:
        with spreading.dask_cluster(asked.dask, patience=asked.timeout) as (executors, threads):
            yield dataclasses.replace(ways, executors=executors, most=threads)
    elif asked.jobs > 1:
        yield dataclasses.replace(ways, executors=spreading.processes(asked.jobs), most=asked.jobs)
    else:
        yield ways


@contextmanager
def _watched() -> Iterator[Watch]:
    with watched_steps() as watching:
        show = watching("audit")
        yield lambda done, total, bundle: show(Step(doing=f"{done} of {total}, {bundle}"))


def _show(found: Conducted, asked: Asked) -> int:
    if asked.html is not None:
        from reprokit.report import audit_page  # noqa: PLC0415 - templates are read only for a page

        with replaced(asked.html, ours=PAGE) as stream:
            audit_page.write(stream, found.summary, found.results, list(found.past))
    if asked.junit is not None:
        with replaced(asked.junit, ours=JUNIT) as stream:
            junit.write(stream, found.summary, found.results, strict=asked.strict)
    for line in _json(found) if asked.as_json else lines(found.summary, found.results, most=_SHOWN):
        click.echo(line)
    for remark in found.summary.remarks:
        say(f"reprokit: {remark}")
    return summing.exit_code(found.summary, found.results, strict=asked.strict)


def _json(found: Conducted) -> Iterator[str]:
    """Write the document of an audit, a line for each bundle: there may be more of them than memory holds."""
    yield '{"bundles": ['
    comma = ""
    for each in found.results():
        yield f"{comma}{canonical.line(each).decode()}"
        comma = ","
    yield f'], "schema": "{SCHEMA}", "summary": {canonical.line(found.summary).decode()}}}'
