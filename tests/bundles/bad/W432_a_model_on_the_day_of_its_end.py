"""The provider of a model retired it today."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.of_model(place, "gpt-4-0314", host="api.openai.com")
    return audits.outlived(bundle, dt.datetime(2026, 3, 26, tzinfo=dt.UTC))
