"""What was seen of the pictures that samples of lmms-eval are about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bundles.case import Case

from reprokit.bundle.finding import Finding
from reprokit.bundle.sample import Sample
from reprokit.probes.interpreter import media

PICTURE = {"kind": "image", "digest": f"sha256:{'0' * 64}", "of": "pixels"}


def seen(place: Path, noted: dict[int, list[Any]]) -> Case:
    """Ask what is known of two samples' media, from what the probe noted of each in passing."""
    lines = (json.dumps({"task": "tints", "id": number, "media": shown}) + "\n" for number, shown in noted.items())
    (place / "1.media.jsonl").write_text("".join(lines))

    def look() -> list[Finding]:
        known = media.read(place, "lmms_eval", place)
        for number in range(2):
            media.with_media(Sample(task="tints", id=number), known)
        return media.findings(known)

    return Case(look=look)
