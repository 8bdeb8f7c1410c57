"""How much of a run is done again."""

from __future__ import annotations

from typing import Literal

Tier = Literal["verify", "rescore", "smoke", "rerun"]

TIERS: tuple[Tier, ...] = ("verify", "rescore", "smoke", "rerun")
"""The cheapest first."""
RUNNING: tuple[Tier, ...] = ("smoke", "rerun")
"""Those that run the bundle's code."""
