"""The mirrors there are: one line each, and those that other packages bring along."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from reprokit.errors import UsageError
from reprokit.mirrors.interface import Mirror

ENTRY_POINTS = "reprokit.mirrors"
_OURS = {"wandb": "reprokit.mirrors.wandb.mirror:WandbMirror"}


def names() -> list[str]:
    """Name the mirrors, ours first."""
    return [*_OURS, *sorted({each.name for each in entry_points(group=ENTRY_POINTS)} - _OURS.keys())]


def mirror(name: str) -> Mirror:
    """Give the mirror of a name.

    Raises:
        UsageError: there is none.
    """
    if name in _OURS:
        module, _, member = _OURS[name].partition(":")
        made: Mirror = getattr(import_module(module), member)()
        return made
    for point in entry_points(group=ENTRY_POINTS, name=name):
        brought: Mirror = point.load()()
        return brought
    known = ", ".join(f"`{each}`" for each in names())
    raise UsageError(f"there is no mirror `{name}`", hint=f"known are {known}")


def of_reference(reference: str) -> Mirror | None:
    """Give the mirror that a reference such as `wandb:entity/project/name:alias` is of; `None` when it is of none."""
    name, colon, _ = reference.partition(":")
    return mirror(name) if colon and name in names() else None
