"""A model behind a server was evaluated, and from here the server cannot be asked."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.served(
        place, "lm_eval", "--model", "local-completions", "--model_args", "model=toy,base_url=http://203.0.113.7/v1"
    )
