"""What came out of a reproduction, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click

from reprokit.cli.messages import visible
from reprokit.cli.options import score
from reprokit.diff.shown.text import lines as difference_lines
from reprokit.reproduce.plan.shown import delta_line
from reprokit.reproduce.rescoring.values import Rescored
from reprokit.reproduce.result import Reproduction
from reprokit.reproduce.verdict.flips import FlipRate
from reprokit.reproduce.verdict.spreads import Spread

_NAMED = 5


def show(result: Reproduction) -> None:
    """Print the verdict in the first line, then what it is about."""
    for line in _lines(result):
        click.echo(visible(line))
    if result.difference is not None and result.verdict != "identical samples":
        click.echo()
        for line in difference_lines(result.difference):
            click.echo(line)


def _lines(result: Reproduction) -> Iterator[str]:
    yield f"{result.verdict}: {result.reason}"
    yield f"  original    {result.original}"
    for run in result.runs:
        told = f", {run.verdict}" if len(result.runs) > 1 else ""
        yield f"  reproduced  {run.bundle}{told}"
    yield from map(_of_spread, result.spreads)
    yield from map(_of_flips, result.flips)
    if result.rescored is not None:
        yield from _of_scores(result.rescored)
    for delta in result.deltas:
        yield f"  delta       {delta_line(delta)}"
    for each in result.left_out:
        yield f"  left out    {each.task} {each.metric}: {each.reason}"
    for doubt in result.not_guaranteed:
        yield f"  not certain {doubt}"
    for remark in result.remarks:
        yield f"  remark      {remark}"
    if result.hint is not None:
        yield f"  hint        {result.hint}"


def _of_spread(spread: Spread) -> str:
    name = _named(spread.task, spread.metric, spread.filter)
    if spread.mean is None or spread.smallest is None or spread.largest is None:
        return f"  repeats     {name}: not all have a number"
    place = {True: "within", False: "outside of", None: "beside"}[spread.within]
    original = "no number" if spread.original is None else score(spread.original)
    told = f"mean {score(spread.mean)}, {score(spread.smallest)} to {score(spread.largest)}"
    return f"  repeats     {name}: {told}; the original, {original}, is {place} that"


def _of_flips(rate: FlipRate) -> str:
    name = f"{rate.task} {rate.metric or 'responses'}" + (f" ({rate.filter})" if rate.filter else "")
    between = "unknown" if rate.between is None else f"{rate.between:.1%}"
    original = "unknown" if rate.from_original is None else f"{rate.from_original:.1%}"
    return f"  flips       {name}: {between} of {rate.samples} samples between repeats, {original} from the original"


def _of_scores(rescored: Rescored) -> Iterator[str]:
    for row in rescored.rows:
        name = _named(row.task, row.metric, row.filter)
        if row.recomputed is None:
            yield f"  cannot      {name}: {row.reason}"
        else:
            sign = {True: "=", False: "differs from", None: "beside"}[row.same]
            told = f"{score(row.recomputed)} {sign} {score(row.reported)}, from the {row.how}"
            yield f"  rescored    {name}: {told}" + (f" ({row.reason})" if row.reason else "")
    for sample in rescored.changed[:_NAMED]:
        yield f"  changed     {sample.task} sample {sample.id}: {sample.what} {sample.recorded} → {sample.recomputed}"


def _named(task: str, metric: str, name: str | None) -> str:
    return f"{task} {metric}" + (f" ({name})" if name and name != "none" else "")
