"""The harness's own digest of the document is the same for two samples, and so are their documents."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    first, second = run.samples["toy_mc"][:2]
    second |= {"doc": first["doc"], "doc_hash": first["doc_hash"]}
    return run.captured(place)
