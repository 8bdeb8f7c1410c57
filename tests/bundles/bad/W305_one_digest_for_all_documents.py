"""The harness's own digest of the document is the same for every sample, and the documents are not."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    for sample in run.samples["toy_mc"]:
        sample["doc_hash"] = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    return run.captured(place)
