"""The files of a run were written so recently that it may not be over."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    return finished.captured_if_good(place, finished.lm_eval().written(place))
