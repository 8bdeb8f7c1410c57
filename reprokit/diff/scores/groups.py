"""The score of a group: judged by those of its tasks, weighted as the harness does."""

from __future__ import annotations

from collections.abc import Mapping

from reprokit.bundle.results import Results
from reprokit.bundle.values import as_number
from reprokit.consistency.groups import leaves
from reprokit.consistency.moments import agree
from reprokit.diff.difference import Asked, Mark, ScoreRow
from reprokit.diff.scores.margins import margin_of
from reprokit.diff.scores.told import Scaled
from reprokit.diff.statistics.inference import Inferred, conclude
from reprokit.diff.statistics.means import Estimate, weighted_mean

Part = tuple[ScoreRow, Scaled]
Parts = Mapping[tuple[str, str, str | None], Part]


def _members(row: ScoreRow, parts: Parts, a: Results, b: Results, asked: Asked) -> list[Part] | str:
    in_a = {other: one for one, other in asked.renamed.items()}
    names = list(dict.fromkeys(leaves(a.groups, row.task)))
    if not names or set(names) != {in_a.get(name, name) for name in leaves(b.groups, row.task)}:
        return "not both say of the same tasks that they are in the group"
    with_metric = {(each.task, each.metric, each.filter) for each in a.metrics if not each.group}
    keys = [key for name in names if (key := (name, row.metric, row.filter)) in with_metric]
    missing = [key[0] for key in keys if key not in parts]
    if missing or not keys:
        return f"nothing can be said of its task `{missing[0]}`" if missing else "no task of it has the metric"
    return [parts[key] for key in keys]


def _sizes(members: list[Part], *, in_a: bool) -> list[float] | None:
    """List how many samples each task has on a side, as far as the harness says."""
    sizes = [mark.n if (mark := row.a if in_a else row.b) is not None else None for row, _ in members]
    known = [float(size) for size in sizes if size is not None]
    return known if len(known) == len(members) and sum(known) > 0 else None


def _mean(values: list[float], weights: list[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _explains(mark: Mark | None, members: list[Part], weights: list[float], *, in_a: bool) -> bool:
    marks = [row.a if in_a else row.b for row, _ in members]
    values = [as_number(each.value) if each is not None else None for each in marks]
    numbers = [value for value in values if value is not None]
    value = None if mark is None else as_number(mark.value)
    if value is None or len(numbers) != len(members):
        return False
    return agree(value, _mean(numbers, weights), max(abs(each) for each in numbers))


def _weights(row: ScoreRow, members: list[Part]) -> list[float] | None:
    """Find the weights that give the group's score on both sides: by size, as most groups are, else all alike."""
    alike = [1.0] * len(members)
    sizes = _sizes(members, in_a=True), _sizes(members, in_a=False)
    by_size = [sizes[0]] if sizes[0] is not None and sizes[0] == sizes[1] else []
    for weights in [*by_size, alike]:
        if _explains(row.a, members, weights, in_a=True) and _explains(row.b, members, weights, in_a=False):
            return weights
    return None


def _estimate(scaled: Scaled) -> Estimate:
    """Give what is known of a task, in the score's units."""
    found, scale = scaled.inferred, scaled.scale
    return Estimate(
        a=found.a * scale,
        b=found.b * scale,
        difference=found.difference * scale,
        stderr=None if found.stderr is None else found.stderr * scale,
        degrees=found.degrees,
        presumed=None if found.presumed is None else found.presumed * scale,
    )


def whole(row: ScoreRow, parts: Parts, a: Results, b: Results, asked: Asked) -> Scaled | str:
    """Judge a group's score; or say why that cannot be done.

    lm-eval and lmms-eval give a group the mean of its tasks' scores, weighted by their numbers of samples or not (see
    `consistency.groups`). Which of the two is found by computing both.
    """
    if row.a is None or row.b is None or row.difference is None:
        return row.reason or "there is no difference to judge"
    members = _members(row, parts, a, b, asked)
    if isinstance(members, str):
        return members
    weights = _weights(row, members)
    if weights is None:
        return "it is neither the mean of its tasks nor weighted by their size"
    total = sum(weights)
    estimate = weighted_mean([weight / total for weight in weights], [_estimate(part) for _, part in members])
    if estimate.stderr is None:
        unmoved = Inferred(
            a=estimate.a,
            b=estimate.b,
            difference=estimate.difference,
            stderr=None,
            degrees=0.0,
            note="in no task of it is there a spread to estimate",
        )
        return Scaled(inferred=unmoved, scale=1.0, kind="group")
    by = "weighted by size" if len(set(weights)) > 1 else "all tasks alike"
    inferred = conclude(
        estimate,
        test=f"t over tasks, {by}",
        interval_by="t over tasks",
        level=asked.level,
        power=asked.power,
        margin=margin_of(row.metric, asked),
    )
    return Scaled(inferred=inferred, scale=1.0, kind="group", partial=any(part.partial for _, part in members))
