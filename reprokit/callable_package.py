"""Packages that can be called: `reprokit.capture(...)` has the name that people look for, and so has `audit`."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def let_be_called(package: str, function: str) -> None:
    """Let an imported package be called as a function in it, which is imported then and not before.

    Args:
        package: its name, `__name__` in its own `__init__`.
        function: `module.name` below the package.
    """
    module, _, name = f"{package}.{function}".rpartition(".")

    class Callable(ModuleType):
        """The package, which forwards a call."""

        def __call__(self, *given: Any, **options: Any) -> Any:
            """Call the function; its own documentation says how."""
            return getattr(importlib.import_module(module), name)(*given, **options)

    sys.modules[package].__class__ = Callable
