"""What can be known without asking: when series of Python end, and which models behind an API were retired."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct


class PythonEnds(Struct, frozen=True, kw_only=True):
    """The day of the last security fix of each series of Python (`3.11`), as it was known on a day."""

    as_of: dt.date
    ends: dict[str, dt.date]


class Provider(Struct, frozen=True, kw_only=True):
    """Who serves models: what harnesses call its kind of model, its hosts, and the models it retires, by day."""

    name: str
    as_of: dt.date
    kinds: list[str]
    hosts: list[str]
    models: dict[dt.date, list[str]]

    def end_of(self, model: str) -> dt.date | None:
        """Tell when a model ends, or ended; `None` for one that is not in the table."""
        return next((day for day, names in self.models.items() if model.lower() in names), None)


class _Providers(Struct, frozen=True, kw_only=True):
    provider: list[Provider]


@cache
def python_ends() -> PythonEnds:
    """Read when series of Python end."""
    return msgspec.convert(_table("python_ends.toml"), PythonEnds)


@cache
def providers() -> tuple[Provider, ...]:
    """Read which models behind an API were retired."""
    return tuple(msgspec.convert(_table("retired_models.toml"), _Providers).provider)


def _table(name: str) -> object:
    return tomllib.loads(resources.files("reprokit.audit.asking").joinpath(name).read_text(encoding="utf-8"))
