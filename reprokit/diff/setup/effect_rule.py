"""One rule on how likely a change moves a score."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from reprokit.bundle.values import Json
from reprokit.diff.difference import Effect


@dataclass(frozen=True, kw_only=True)
class EffectRule:
    """Says how likely a change moves a score, for the facts of an area whose whole name matches.

    `when` looks at the values before and after, `None` where there is none; it must answer the same when the two are
    swapped.
    """

    name: str
    area: str
    field: re.Pattern[str]
    effect: Effect
    why: str
    when: Callable[[Json, Json], bool] | None = None

    def holds(self, name: str, before: Json, after: Json) -> bool:
        """Tell whether the rule speaks of a change of this fact."""
        return self.field.fullmatch(name) is not None and (self.when is None or self.when(before, after))
