"""What a server shows of a run, and what of an offer is not among it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprokit.errors import RemoteError
from reprokit.mirrors.wandb.client import session as talk
from reprokit.mirrors.wandb.client.offer import Offer
from reprokit.mirrors.wandb.client.session import Session

_MOST_FILES = 1000
_MOST_ARTIFACTS = 100
_MOST_VALUES = 3
_TABLE_TYPE = "run_table"
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_EQUAL = 1e-9
"""Numbers that differ by less, relatively, have only been written down in another way."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A run as the server tells it.

    `lines` is how many rows the history has, which may not be shown yet; `points` counts how often each name stands in
    it, `history` holds a few of the values that differ, `files` are its files' sizes, and `tables` the names of
    the artifacts in which the service keeps its tables.
    """

    run: Any
    lines: int
    points: Mapping[str, int]
    history: Mapping[str, list[Any]]
    summary: Mapping[str, Any]
    configuration: Mapping[str, Any]
    files: Mapping[str, int]
    tables: frozenset[str]
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is not shown of an offer, by the names it is logged under.

    `late` names what was logged, and does not stand in the history yet: to log it again would show it twice.
    """

    points: frozenset[str]
    summary: frozenset[str]
    media: frozenset[str]
    configuration: frozenset[str]
    late: frozenset[str] = frozenset()

    @property
    def unsent(self) -> frozenset[str]:
        """What is to be sent."""
        return self.points | self.summary | self.media | self.configuration

    def __bool__(self) -> bool:
        return bool(self.unsent or self.late)

    def __str__(self) -> str:
        lacking = sorted(self.unsent | self.late)
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""  # noqa: PLR2004 - a few examples
        return ", ".join(f"`{each}`" for each in lacking[:3]) + more


def read(session: Session, run_id: str) -> Shown | None:
    """Read all that the server shows of a run; `None` when there is no such run."""
    run = talk.run(session, run_id)
    if run is None:
        return None
    points: Counter[str] = Counter()
    history: dict[str, list[Any]] = {}
    for row in run.scan_history(use_cache=False):
        for name, value in row.items():
            if value is not None:
                points[name] += 1
                _keep(history.setdefault(name, []), value)
    return Shown(
        run=run,
        lines=_lines(run),
        points=points,
        history=history,
        summary=dict(run.summary_metrics),
        configuration=dict(run.config),
        files={file.name: file.size for file in run.files(per_page=_MOST_FILES)},
        tables=frozenset(
            artifact.name.partition(":")[0]
            for artifact in run.logged_artifacts(per_page=_MOST_ARTIFACTS)
            if artifact.type == _TABLE_TYPE and artifact.state == "COMMITTED"
        ),
        tags=tuple(run.tags or ()),
    )


def _keep(values: list[Any], value: Any) -> None:
    if len(values) < _MOST_VALUES and value not in values:
        values.append(value)


def _lines(run: Any) -> int:
    """Tell how many rows the server says that it has of the history, whether it shows them already or not."""
    said = getattr(run, "history_line_count", None)
    return said if isinstance(said, int) else 0


def lack(offer: Offer, shown: Shown | None) -> Lack:
    """Tell what is not shown of an offer.

    Raises:
        RemoteError: something is shown that cannot be taken back: a metric with another value.
    """
    portrait = offer.portrait
    if shown is None:
        return Lack(
            points=frozenset(portrait.scalars),
            summary=frozenset(portrait.summary),
            media=frozenset(offer.shown),
            configuration=frozenset(portrait.configuration),
        )
    _require_no_other(offer, shown)
    said = {**portrait.summary, **portrait.scalars}
    absent = frozenset(name for name in portrait.scalars if not shown.points.get(name))
    late = frozenset(name for name in absent if _is_late(shown, name, portrait.scalars[name]))
    return Lack(
        points=absent - late,
        late=late,
        summary=frozenset(name for name, value in said.items() if not _same(_found(shown.summary, name), value)),
        media=frozenset(name for name, rows in offer.shown.items() if not _is_whole(shown, name, rows)),
        configuration=frozenset(
            name
            for name, value in _without_empty(portrait.configuration).items()
            if not _same(shown.configuration.get(name), value)
        ),
    )


def repeated(offer: Offer, shown: Shown) -> list[str]:
    """Remark on what stands in the history more than once: with equal values, it is no lie."""
    names = sorted(name for name in offer.portrait.scalars if shown.points.get(name, 0) > 1)
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [f"shown twice in the history, with equal values: `{names[0]}`{more}"]


def _is_late(shown: Shown, name: str, value: Any) -> bool:
    """Tell whether a metric that the history does not show was logged all the same.

    A service may take its time to show rows: what it counts, and the summary that is made of them, it tells before.
    """
    return _same(_found(shown.summary, name), value) or (shown.lines > 0 and not shown.points)


def _require_no_other(offer: Offer, shown: Shown) -> None:
    for name, value in offer.portrait.scalars.items():
        other = [each for each in shown.history.get(name, []) if not _same(each, value)]
        if other:
            raise _beyond_repair(shown, f"`{name}` as {other[0]}, and it is {value}")


def _beyond_repair(shown: Shown, what: str) -> RemoteError:
    path = "/".join(shown.run.path)
    return RemoteError(
        f"the run `{path}` on W&B shows {what}: somebody else wrote to it",
        hint=f"delete that run on W&B and push again; the next one has another id ({shown.run.url})",
    )


def _found(summary: Mapping[str, Any], name: str) -> Any:
    """Find a name in a summary; a `.` in it may have become a table within a table."""
    if name in summary:
        return summary[name]
    first, dot, rest = name.partition(".")
    inner = summary.get(first)
    return _found(inner, rest) if dot and isinstance(inner, dict) else None


def _same(there: Any, here: Any) -> bool:
    match here:
        case bool() | None | str():
            return type(there) is type(here) and bool(there == here)
        case int() | float():
            return (
                isinstance(there, int | float)
                and not isinstance(there, bool)
                and math.isclose(there, here, rel_tol=_EQUAL, abs_tol=0.0)
            )
        case list() | tuple():
            return (
                isinstance(there, list | tuple)
                and len(there) == len(here)
                and all(_same(a, b) for a, b in zip(there, here, strict=True))
            )
        case dict():
            inner = _without_empty(here)
            return isinstance(there, dict) and _are_same(_without_empty(there), inner)
        case _:
            return False


def _are_same(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return there.keys() == here.keys() and all(_same(there[name], value) for name, value in here.items())


def _without_empty(table: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what W&B's client leaves out of a table: tables with nothing in them."""
    kept = {name: _without_empty(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _is_whole(shown: Shown, name: str, rows: int | None) -> bool:
    """Tell whether a table or a picture is there: what the summary says of it, and the file that it says."""
    said = _found(shown.summary, name)
    if not isinstance(said, dict) or not isinstance(said.get("path"), str):
        return False
    if rows is not None and (said.get("nrows") != rows or not _is_kept(shown, name)):
        return False
    return shown.files.get(said["path"]) == said.get("size")


def _is_kept(shown: Shown, name: str) -> bool:
    """Tell whether the artifact is there that a table is shown from; its name ends in some letters of its own."""
    start = f"run-{shown.run.id}-{_NOT_IN_NAME.sub('', name)}"
    return any(each == start or each.startswith(f"{start}-") for each in shown.tables)
