"""`--margin`: within which a difference counts as none."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reprokit.errors import UsageError

margin_option = click.option(
    "--margin",
    "margins",
    metavar="[METRIC=]X",
    multiple=True,
    help="Call scores equivalent that differ by less than X, in the metric's own units, if that can be shown.",
)


def read_margins(given: Sequence[str]) -> tuple[float | None, dict[str, float]]:
    """Read the margins: one for all metrics, and those of single ones.

    Raises:
        UsageError: one is no margin, or is given twice.
    """
    read = [_margin(text) for text in given]
    whole = [value for metric, value in read if metric is None]
    if len(whole) > 1:
        raise UsageError("`--margin` gives more than one margin for all metrics", hint="name the metrics: `acc=0.01`")
    by_metric = {metric: value for metric, value in read if metric is not None}
    if len(by_metric) + len(whole) < len(read):
        raise UsageError("`--margin` gives a metric more than one margin", hint="give it once")
    return (whole[0] if whole else None), by_metric


def _margin(text: str) -> tuple[str | None, float]:
    metric, equals, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf") or (equals and not metric):
        raise UsageError(f"`--margin {text}` is no margin", hint="write `--margin 0.01`, or `--margin acc=0.01`")
    return metric or None, value
