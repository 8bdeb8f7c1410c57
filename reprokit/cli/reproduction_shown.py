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
_DELTAS = 12
_WIDTH = 11


def show(result: Reproduction) -> None:
    """Print the verdict in the first line, then what it is about."""
    for line in _lines(result):
        click.echo(visible(line))
    # Of several runs the comparison is with their mean, which no single verdict and no stage stands for.
    if result.difference is not None and result.verdict != "identical samples" and len(result.runs) == 1:
        click.echo()
        for line in difference_lines(result.difference):
            click.echo(line)


def _lines(result: Reproduction) -> Iterator[str]:
    yield f"{result.verdict}: {result.reason}"
    for title, text in _facts(result):
        yield f"  {title:<{_WIDTH}} {text}"


def _facts(result: Reproduction) -> Iterator[tuple[str, str]]:
    yield "original", result.original
    for run in result.runs:
        yield "reproduced", run.bundle + (f", {run.verdict}" if len(result.runs) > 1 else "")
    if len(result.runs) > 1:
        yield "compare", f"one of them: `reprokit diff {result.original} {result.runs[0].bundle}`"
    yield from (("repeats", _of_spread(spread)) for spread in result.spreads)
    yield from (("flips", _of_flips(rate)) for rate in result.flips)
    if result.rescored is not None:
        yield from _of_scores(result.rescored)
    yield from (("left out", f"{each.task} {each.metric}: {each.reason}") for each in result.left_out)
    yield from _reservations(result)


def _reservations(result: Reproduction) -> Iterator[tuple[str, str]]:
    yield from (("delta", delta_line(delta)) for delta in result.deltas[:_DELTAS])
    if len(result.deltas) > _DELTAS:
        yield "delta", f"… {len(result.deltas) - _DELTAS} more, `--json` lists them"
    yield from (("not certain", doubt) for doubt in result.not_guaranteed)
    yield from (("remark", remark) for remark in result.remarks)
    if result.hint is not None:
        yield "hint", result.hint


def _of_spread(spread: Spread) -> str:
    name = _named(spread.task, spread.metric, spread.filter)
    if spread.mean is None or spread.smallest is None or spread.largest is None:
        return f"{name}: not all have a number"
    place = {True: "within", False: "outside of", None: "beside"}[spread.within]
    original = "no number" if spread.original is None else score(spread.original)
    told = f"mean {score(spread.mean)}, {score(spread.smallest)} to {score(spread.largest)}"
    return f"{name}: {told}; the original, {original}, is {place} that"


def _of_flips(rate: FlipRate) -> str:
    name = f"{rate.task} {rate.metric or 'responses'}" + (f" ({rate.filter})" if rate.filter else "")
    between = "unknown" if rate.between is None else f"{rate.between:.1%}"
    original = "unknown" if rate.from_original is None else f"{rate.from_original:.1%}"
    return f"{name}: {between} of {rate.samples} samples between repeats, {original} from the original"


def _of_scores(rescored: Rescored) -> Iterator[tuple[str, str]]:
    for row in rescored.rows:
        name = _named(row.task, row.metric, row.filter)
        if row.recomputed is None:
            yield "cannot", f"{name}: {row.reason}"
        else:
            sign = {True: "=", False: "differs from", None: "beside"}[row.same]
            told = f"{score(row.recomputed)} {sign} {score(row.reported)}, from the {row.how}"
            yield "rescored", f"{name}: {told}" + (f" ({row.reason})" if row.reason else "")
    for sample in rescored.changed[:_NAMED]:
        yield "changed", f"{sample.task} sample {sample.id}: {sample.what} {sample.recorded} → {sample.recomputed}"


def _named(task: str, metric: str, name: str | None) -> str:
    return f"{task} {metric}" + (f" ({name})" if name and name != "none" else "")
