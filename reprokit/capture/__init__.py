"""A command, its finished outputs or a block of a program becomes a sealed bundle.

`reprokit.capture(...)` is this package, called: see `reprokit.capture.in_python.api.capture`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A package that can be called: its name is that of the function people look for."""

    def __call__(self, **options: Any) -> Any:
        """Capture a block of the running program; see `reprokit.capture.in_python.api.capture`."""
        from reprokit.capture.in_python.api import capture  # noqa: PLC0415 - to import this package must stay cheap

        return capture(**options)


sys.modules[__name__].__class__ = _Callable
