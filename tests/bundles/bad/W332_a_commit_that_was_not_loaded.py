"""The command asks for one commit of a model, and files of another were opened."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.model(place, f"pretrained=toy-org/tiny,revision={'b' * 40}", opened=True)
