"""Keeping a configuration small: what is long is cut, and what still does not fit is left out, largest first."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.values import Json
from reprokit.mirrors.portrait.plain import octets

LONGEST_TEXT = 2000
"""Characters of one text of a configuration."""

UNKNOWN = "unknown"
"""Where the reasons stand."""

_COPIES = ("harness_arguments", "harness_claims", "harness_config", "datasets", "task_configs", UNKNOWN)
_LAST = ("models", "model", "git", "invocation", "environment", "run", "tasks", "groups", "findings", "seeds")
_MARGIN = 16 * 1024

Path = tuple[str, ...]


def fitting(known: dict[str, Json], reasons: Json, most_octets: int) -> tuple[dict[str, Json], list[str]]:
    """Put a configuration and the reasons for what is unknown together, in at most so many bytes of JSON.

    What is left out is `None`, with that as its reason. Gives remarks on what was cut and left out.
    """
    cut: list[str] = []
    whole = _short(known, (), cut)
    whole[UNKNOWN] = _short(reasons or {}, (UNKNOWN,), cut)
    remarks = (
        [f"configuration: {len(cut):,} texts are cut to {LONGEST_TEXT:,} characters, as `{cut[0]}`"] if cut else []
    )
    size, left_out = octets(whole), list[Path]()
    for path, its in sorted(_parts(whole), key=lambda each: -each[1]):
        if size <= (most_octets - _MARGIN if left_out else most_octets):
            break
        size -= its
        left_out.append(path)
        _leave_out(whole, path)
    for name in (*_COPIES, *_LAST):
        if octets(whole) <= most_octets:
            break
        if name in whole:
            left_out.append((name,))
            whole[name] = None
    if left_out:
        more = f" and {len(left_out) - 1:,} more" if len(left_out) > 1 else ""
        remarks.append(f"configuration: `{'.'.join(left_out[0])}`{more} left out, for all of it would be too large")
    return whole, remarks


def _short(value: Json, path: Path, cut: list[str]) -> Json:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        cut.append(".".join(path))
        return value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, dict):
        return {key: _short(item, (*path, key), cut) for key, item in value.items()}
    return [_short(item, path, cut) for item in value] if isinstance(value, list) else value


def _parts(whole: dict[str, Json]) -> Iterator[tuple[Path, int]]:
    """List the parts that may go one by one, with their bytes: the harness's words about itself and each task."""
    for name in ("harness_arguments", "harness_claims", "harness_config"):
        yield (name,), octets(whole.get(name))
    tasks = whole.get("task_configs")
    for task, said in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(said, dict) and said.get("config") is not None:
            yield ("task_configs", task, "config"), octets(said["config"])


def _leave_out(whole: dict[str, Json], path: Path) -> None:
    at, reasons = whole, whole[UNKNOWN]
    for step in path[:-1]:
        at, reasons = at[step], reasons.setdefault(step, {})
    at[path[-1]] = None
    reasons[path[-1]] = "left out here, for it is large: see the bundle"
