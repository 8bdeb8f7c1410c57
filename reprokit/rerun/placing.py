"""Where the captured checkouts lie in the workspace of a re-run, each that lay within another within that one.

`sources.layout` does so with submodules alone. A repository that was merely cloned into another one, which knows
nothing of it, is imported from where it lies just as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from reprokit.bundle.source import Source
from reprokit.errors import InvalidRecordError
from reprokit.sources import layout


def places(sources: Sequence[Source], main: str | None) -> dict[str, PurePosixPath]:
    """Give each checkout its place, relative to the workspace.

    Args:
        sources: the records.
        main: the name of the one that the command was run in, if it was run in one; it is `source`, wherever it lay.

    Raises:
        InvalidRecordError: as for `sources.layout.places`.
    """
    laid = layout.places(sources, main)
    found: dict[str, PurePosixPath] = {}
    # Parents before what lies within them.
    for source in sorted(sources, key=layout.root_of):
        inner = around(source, sources)
        outer = inner[0] if inner and source.name != main else None
        found[source.name] = laid[source.name] if outer is None else found[outer[0].name] / outer[1]
    return found


def around(source: Source, sources: Sequence[Source]) -> list[tuple[Source, PurePosixPath]]:
    """List the checkouts that one lay within, the innermost first, each with its path in that.

    Below git's own folder it lies within none: nothing is put there.
    """
    by_root = {PurePosixPath(layout.root_of(each)): each for each in sources}
    root = PurePosixPath(layout.root_of(source))
    found = [(by_root[parent], root.relative_to(parent)) for parent in root.parents if parent in by_root]
    return [(outer, path) for outer, path in found if _is_fit(outer, path)]


def is_submodule(source: Source, sources: Sequence[Source]) -> bool:
    """Tell whether a checkout is recorded as a submodule of one that it lay within."""
    return any(
        str(path) in outer.submodules
        or any(use.kind == "submodule" and use.name == str(path) for use in source.used_as)
        for outer, path in around(source, sources)
    )


def _is_fit(outer: Source, path: PurePosixPath) -> bool:
    try:
        layout.refuse_odd_path(outer.name, str(path))
    except InvalidRecordError:
        return False
    return True
