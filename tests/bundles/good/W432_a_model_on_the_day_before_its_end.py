"""The provider of a model retires it tomorrow."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.of_model(place, "gpt-4-0314", host="api.openai.com")
    return audits.outlived(bundle, dt.datetime(2026, 3, 25, tzinfo=dt.UTC))
