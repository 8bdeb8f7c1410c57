"""The code a run was read from, as facts."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.source import Source
from reprokit.diff.setup.facts import Fact, table

_AREA = "source"


def source_facts(checkouts: dict[str, Source]) -> Iterator[Fact]:
    """Tell one side's checkouts, by the name of their pair.

    Two trees are compared by their id; what lies between them is not looked at.
    """
    for label, source in checkouts.items():
        yield from _source(label, source)


def _source(label: str, source: Source) -> Iterator[Fact]:
    plain = {
        "name": source.name,
        "root": source.root,
        "commit": source.commit,
        "tree": source.tree,
        "dirty": source.dirty,
        "branch": source.branch,
        "on remote": source.on_remote,
        "operation": source.operation,
    }
    for name, value in plain.items():
        if value is not None:
            yield Fact(area=_AREA, name=f"{label}, {name}", value=value)
    yield from table(_AREA, source.remotes, f"{label}, remotes.")
    empty = dict.fromkeys(source.submodules_empty, "not checked out")
    yield from table(_AREA, source.submodules | empty, f"{label}, submodules.")
    if source.tree_after is not None and source.tree_after != source.tree:
        yield Fact(area=_AREA, name=f"{label}, changed during the run", value=True)
    for item in source.left_out:
        # Outputs are left out on purpose: they are no part of the code.
        if "output" not in item.reason:
            yield Fact(area=_AREA, name=f"{label}, left out {item.path}", value=item.reason)
