"""A record was sealed in a spelling that is JSON, and not ours: without line ends, with words escaped."""

from __future__ import annotations

import json
from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    spelled = json.dumps(json.loads(sealing.files()["results.json"][1]), ensure_ascii=True).encode()
    return sealing.validated(sealing.sealed(place, sealing.files() | {"results.json": ("results", spelled)}))
