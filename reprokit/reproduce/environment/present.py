"""How the Python that a re-run really had differs from the recorded one, where it was not rebuilt."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.utils import canonicalize_name

from reprokit.bundle.environment import Environment
from reprokit.bundle.values import Unknown
from reprokit.reproduce.delta import Delta

_NONE = "not installed"


def present_deltas(recorded: Environment | None, here: Environment | None) -> list[Delta]:
    """Compare two records of an environment: the Python, then every package of either by name and version.

    What is known of one side only is `unknown` on the other; of neither, nothing is said.
    """
    return list(_deltas(recorded, here))


def _deltas(recorded: Environment | None, here: Environment | None) -> Iterator[Delta]:
    was, now = _python(recorded), _python(here)
    if was != now:
        yield Delta(what="Python", recorded=was or "unknown", here=now or "unknown")
    before, after = _packages(recorded), _packages(here)
    if before is None or after is None:
        if before is not after:
            known = {True: "unknown", False: "known"}
            yield Delta(what="packages", recorded=known[before is None], here=known[after is None])
        return
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Delta(what=name, recorded=before.get(name, _NONE), here=after.get(name, _NONE))


def _python(environment: Environment | None) -> str | None:
    return environment.interpreter.version if environment and environment.interpreter else None


def _packages(environment: Environment | None) -> dict[str, str] | None:
    if environment is None or isinstance(environment.packages, Unknown):
        return None
    return {canonicalize_name(package.name): package.version for package in environment.packages}
