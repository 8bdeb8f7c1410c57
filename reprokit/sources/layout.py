"""Where the captured checkouts of a bundle lie in the workspace of a re-run.

`source` is the checkout that the command was run in, `sources/<name>` is any other, and one that lay within another
lies there again: a submodule, or a repository that was merely cloned there. What the records say is foreign: a place is
always below the workspace, and no two checkouts have the same.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

from reprokit.bundle import paths
from reprokit.bundle.source import Source
from reprokit.errors import InvalidRecordError

MAIN = PurePosixPath("source")
OTHERS = PurePosixPath("sources")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
# What git's own folder is called on the file systems of Windows and macOS, too.
_OWN_FOLDER = re.compile(r"(\.git|git~[0-9]+)[ .]*(:.*)?", re.IGNORECASE)


def places(sources: Sequence[Source], main: str | None) -> dict[str, PurePosixPath]:
    """Give each checkout its place, relative to the workspace.

    Args:
        sources: the records.
        main: the name of the one that the command was run in, if it was run in one.

    Raises:
        InvalidRecordError: names or roots clash, or a name or a submodule's path is none.
    """
    roots: set[str] = set()
    names: set[str] = set()
    for source in sources:
        _refuse_odd(source)
        if source.name.lower() in names or root_of(source) in roots:
            raise InvalidRecordError(f"two sources are called `{source.name}`, or lie at `{source.root}`")
        names.add(source.name.lower())
        roots.add(root_of(source))
    found: dict[str, PurePosixPath] = {}
    # Parents before what lies within them.
    for source in sorted(sources, key=root_of):
        if source.name == main:
            found[source.name] = MAIN
            continue
        inner = around(source, sources)
        found[source.name] = found[inner[0][0].name] / inner[0][1] if inner else OTHERS / source.name
    return found


def around(source: Source, sources: Sequence[Source]) -> list[tuple[Source, PurePosixPath]]:
    """List the checkouts that one lay within, the innermost first, each with its path in that.

    Below git's own folder it lies within none: nothing is put there.
    """
    by_root = {PurePosixPath(root_of(each)): each for each in sources}
    root = PurePosixPath(root_of(source))
    found = [(by_root[parent], root.relative_to(parent)) for parent in root.parents if parent in by_root]
    return [(outer, path) for outer, path in found if not _is_odd_path(str(path))]


def is_submodule(source: Source, sources: Sequence[Source]) -> bool:
    """Tell whether a checkout is recorded as a submodule of one that it lay within."""
    told = {use.name for use in source.used_as if use.kind == "submodule"}
    return any(str(path) in {*outer.submodules, *told} for outer, path in around(source, sources))


def directory_of(recorded: str, sources: Sequence[Source], placed: Mapping[str, PurePosixPath]) -> PurePosixPath | None:
    """Tell where a path of the original machine, plain or as a `file://` address, lies relative to the workspace.

    Of checkouts within each other the innermost counts; `None` when it lay in none that has a place.
    """
    plain = unquote(recorded.removeprefix("file://")) if recorded.startswith("file:///") else recorded
    if not plain.startswith("/"):
        return None
    path = PurePosixPath(posixpath.normpath(plain))
    roots = {PurePosixPath(root_of(each)): placed[each.name] for each in sources if each.name in placed}
    root = next((each for each in (path, *path.parents) if each in roots), None)
    return None if root is None else roots[root] / path.relative_to(root)


def root_of(source: Source) -> str:
    """Give the recorded root without a slash at its end."""
    return posixpath.normpath(source.root)


def refuse_odd_path(name: str, path: str) -> None:
    """Let no path of a submodule pass that may lead elsewhere, or into a repository's own folder.

    Raises:
        InvalidRecordError: it may.
    """
    if _is_odd_path(path):
        raise InvalidRecordError(f"the source `{name}` names a submodule at a place that is none: `{path}`")


def _is_odd_path(path: str) -> bool:
    return not paths.is_safe(path) or any(_OWN_FOLDER.fullmatch(_visible(part)) for part in path.split("/"))


def _refuse_odd(source: Source) -> None:
    if not _NAME.fullmatch(source.name):
        raise InvalidRecordError(f"a source has a name that is none: `{source.name}`")
    for path in source.submodules:
        refuse_odd_path(source.name, path)


def _visible(part: str) -> str:
    # The file system of macOS ignores characters that only say how others are to be joined.
    return "".join(letter for letter in part if unicodedata.category(letter) != "Cf")
