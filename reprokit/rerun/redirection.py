"""Where a re-run writes: into the workspace, and never where the original run wrote."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from reprokit.bundle.record import Invocation, Output
from reprokit.rerun.parts import Part, Parts, Place


def outputs(invocation: Invocation) -> list[tuple[Output, Place]]:
    """Pair each output that the command line names with the place a re-run writes it to."""
    named = [output for output in invocation.outputs if output.argument is not None]
    return [(output, _place(output, index)) for index, output in enumerate(named)]


def _place(output: Output, index: int) -> Place:
    name = PurePosixPath(output.path).name
    name = "outputs" if name in {"", ".", ".."} else name
    return Place("outputs", name if index == 0 else f"{index + 1}-{name}")


def redirect(argv: list[Parts], invocation: Invocation) -> Iterator[str]:
    """Put the workspace's places for the outputs into a command line; yields what stands against it."""
    for output, place in outputs(invocation):
        index = output.argument or 0
        if 0 < index < len(argv):
            argv[index] = (output.prefix, place) if output.prefix else (place,)
        else:
            yield f"its record places `{output.path}` where there is no argument"
    for output in invocation.outputs:
        if output.argument is None and _leaves_the_source(output.path, invocation.directory_in_source):
            yield f"it writes to `{output.path}`, which is not in its arguments and so cannot be redirected"


def _leaves_the_source(path: str, directory: str) -> bool:
    return path.startswith("/") or posixpath.normpath(posixpath.join(directory, path)).split("/")[0] == ".."


def dangers(invocation: Invocation, argv: Sequence[Parts], *, allowed: Iterable[str]) -> list[str]:
    """Find arguments through which a re-run would write to places of the original run.

    These are absolute paths, left after outputs were redirected, around an output or to what was not there before.
    `allowed` are the folders that the user mapped something to.
    """
    directory = invocation.working_directory
    root = directory if isinstance(directory, str) else "/"
    written = [posixpath.normpath(posixpath.join(root, output.path)) for output in invocation.outputs]
    inputs = {posixpath.normpath(posixpath.join(root, each.path)) for each in invocation.inputs}
    theirs = tuple(posixpath.normpath(each) for each in allowed)
    found: list[str] = []
    for part in (part for argument in argv[1:] for part in argument):
        for place in _places_named(part):
            if any(_is_below(path, place) for path in written):
                found.append(f"`{place}`, where the original's outputs are, is in its arguments")
            elif place not in inputs and not any(_is_below(place, each) for each in theirs):
                found.append(f"`{place}` in its arguments was not there when the run began: it may be written to")
    return list(dict.fromkeys(found))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _places_named(part: Part) -> list[str]:
    """List the absolute paths that a part of an argument names, as the whole of it or in `a=/b,c=/d`."""
    if not isinstance(part, str):
        return []
    values = [part, *(pair.rpartition("=")[2] for pair in part.split(","))]
    return [posixpath.normpath(value) for value in values if value.startswith("/")]
