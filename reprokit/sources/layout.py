"""Where the captured checkouts of a bundle lie in the workspace of a re-run.

`source` is the checkout that the command was run in, `sources/<name>` is any other, and a submodule lies inside of the
checkout that it belongs to, as it did. What the records say is foreign: a place is always below the workspace, and no
two checkouts have the same.
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
    by_root: dict[str, Source] = {}
    names: set[str] = set()
    for source in sources:
        _refuse_odd(source)
        if source.name.lower() in names or by_root.setdefault(root_of(source), source) is not source:
            raise InvalidRecordError(f"two sources are called `{source.name}`, or lie at `{source.root}`")
        names.add(source.name.lower())
    found: dict[str, PurePosixPath] = {}
    # Parents before what lies within them.
    for root, source in sorted(by_root.items()):
        if source.name == main:
            found[source.name] = MAIN
            continue
        around = _around(root, source, by_root)
        found[source.name] = OTHERS / source.name if around is None else found[around[0].name] / around[1]
    return found


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
    if not paths.is_safe(path) or any(_OWN_FOLDER.fullmatch(_visible(part)) for part in path.split("/")):
        raise InvalidRecordError(f"the source `{name}` names a submodule at a place that is none: `{path}`")


def _refuse_odd(source: Source) -> None:
    if not _NAME.fullmatch(source.name):
        raise InvalidRecordError(f"a source has a name that is none: `{source.name}`")
    for path in source.submodules:
        refuse_odd_path(source.name, path)


def _visible(part: str) -> str:
    # The file system of macOS ignores characters that only say how others are to be joined.
    return "".join(letter for letter in part if unicodedata.category(letter) != "Cf")


def _around(root: str, source: Source, by_root: Mapping[str, Source]) -> tuple[Source, str] | None:
    """Find the checkout that one is a submodule of, or of whose submodule; and its path in that."""
    for parent in PurePosixPath(root).parents:
        other = by_root.get(str(parent))
        if other is None:
            continue
        path = str(PurePosixPath(root).relative_to(parent))
        inside = any(path == each or path.startswith(f"{each}/") for each in other.submodules)
        if inside or any(use.kind == "submodule" and use.name == path for use in source.used_as):
            refuse_odd_path(other.name, path)
            return other, path
    return None
