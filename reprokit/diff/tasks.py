"""Which task of one run is which of the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reprokit.diff.difference import Asked
from reprokit.diff.samples.matching import by_document
from reprokit.diff.samples.scanning import scan
from reprokit.diff.side import Side
from reprokit.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PairedTask:
    """A task that both sides are thought to have evaluated, by the name that each gives it."""

    a: str
    b: str

    @property
    def in_b(self) -> str | None:
        """B's name, when it is another one."""
        return None if self.a == self.b else self.b


def _names(side: Side) -> set[str]:
    scored = {metric.task for metric in side.results.metrics if not metric.group}
    return {task.name for task in side.results.tasks} | set(side.tasks()) | scored


def _require(name: str, names: Iterable[str], whose: str) -> None:
    if name not in names:
        there = ", ".join(f"`{each}`" for each in sorted(names)) or "none"
        raise UsageError(f"there is no task `{name}` in {whose}", hint=f"there are {there}")


def _renamed(asked: Asked, ours: set[str], theirs: set[str]) -> dict[str, str]:
    for one, other in asked.renamed.items():
        _require(one, ours, "the first bundle")
        _require(other, theirs, "the second bundle")
    if len(set(asked.renamed.values())) < len(asked.renamed):
        raise UsageError("two tasks of the first bundle are said to be the same one of the second")
    return dict(asked.renamed)


def pair_tasks(a: Side, b: Side, asked: Asked) -> list[PairedTask]:
    """Pair the tasks of two runs, in the order of a's names; one that only a side has is paired with its own name.

    Tasks are the same when they are called the same, or are said to be. Of two harnesses that have one further task
    each, these two are the same one under two names if they have documents in common.

    Raises:
        UsageError: a task that was named is not there.
    """
    ours, theirs = _names(a), _names(b)
    renamed = _renamed(asked, ours, theirs)
    one, other = ours - theirs - set(renamed), theirs - ours - set(renamed.values())
    across = a.record.harness.name != b.record.harness.name
    if across and not renamed and len(one) == len(other) == 1:
        left, right = one.pop(), other.pop()
        if by_document(scan(a, left), scan(b, right), across=True, renamed={}).documents:
            renamed = {left: right}
    taken = set(renamed.values())
    pairs = [PairedTask(a=name, b=renamed.get(name, name)) for name in ours]
    pairs += [PairedTask(a=name, b=name) for name in theirs - ours - taken]
    for name in asked.tasks:
        _require(name, ours | theirs, "either bundle")
    wanted = set(asked.tasks)
    chosen = [pair for pair in pairs if not wanted or pair.a in wanted or pair.b in wanted]
    return sorted(chosen, key=lambda pair: (pair.a, pair.b))
