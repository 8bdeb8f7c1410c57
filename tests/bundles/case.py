"""What a case gives back: whom to ask about what was built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reprokit.bundle.finding import Finding


@dataclass(frozen=True)
class Case:
    """A situation that is set up; `look` lets the project's own code judge it, and gives all that it finds."""

    look: Callable[[], Iterable[Finding]]
