"""Where a re-run writes: into the workspace, and never where the original run wrote."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from reprokit.bundle.record import Invocation, Output, Record
from reprokit.harnesses.interface import Harness
from reprokit.rerun.parts import Parts, Place

_ADDRESS = re.compile(r"\b(?:file://(?P<file>/)|[A-Za-z][A-Za-z0-9+.-]*://[^\s,;\"']*)")
_ABSOLUTE = re.compile(r"(?<![\w./~<-])/[^\s,;:|&<>\"'`()\[\]{}/][^\s,;:|&<>\"'`()\[\]{}]*")
_UPWARDS = re.compile(r"(?<![\w.])(?:[\w.-]+/)*\.\.(?![\w.])(?:/[^\s,;:|&<>\"'`()\[\]{}]*)?")
_HARMLESS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr"})


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


def missed(argv: Sequence[Parts], harness: Harness, words: Sequence[str]) -> Iterator[tuple[int, Parts]]:
    """Yield the arguments by which a harness would write elsewhere, each with what it is to be instead.

    Its own reading of the command line counts, whatever the record says of its outputs. `words` are the arguments as
    the harness is shown them.
    """
    for number, output in enumerate(harness.outputs(words)):
        at = output.argument
        if at is None or at >= len(argv):
            continue
        last = argv[at][-1] if argv[at] else ""
        if isinstance(last, Place) and last.folder == "outputs":
            continue
        place = Place("outputs", "results" if number == 0 else f"{number + 1}-results")
        yield at, (output.prefix, place) if output.prefix else (place,)


def dangers(record: Record, argv: Sequence[Parts], *, harness_reads: bool, allowed: Collection[str]) -> list[str]:
    """Find arguments through which a re-run would write to places of the original run.

    These are places outside of the workspace, left after outputs were redirected: around an output, not there before,
    or a folder of which nobody knows that it is only read.

    Args:
        record: what happened.
        argv: the command of the re-run.
        harness_reads: a known harness reads the command line, so that what it writes to is known.
        allowed: the folders that the user mapped something to.
    """
    invocation = record.invocation
    directory = invocation.working_directory
    root = directory if isinstance(directory, str) else "/"
    written = [posixpath.normpath(posixpath.join(root, output.path)) for output in invocation.outputs]
    read = _only_read(record, root, harness_reads=harness_reads)
    found: list[str] = []
    for place in (place for parts in argv[1:] for place in places_outside(parts, invocation.directory_in_source)):
        if any(_is_below(path, place) for path in written):
            found.append(f"`{place}`, where the original's outputs are, is in its arguments")
        elif place not in read and not is_mapped(place, allowed):
            found.append(
                f"`{place}` in its arguments may be written to: nobody knows that the run only read it; "
                f"say what it is here, `--map {place}=…`"
            )
    return list(dict.fromkeys(found))


def _only_read(record: Record, root: str, *, harness_reads: bool) -> set[str]:
    """List the places that the run is known to have read: files, which are compared by digest, models and data."""
    subject = (*record.subject.models, *record.subject.datasets)
    known = {posixpath.normpath(posixpath.join(root, part.place)) for part in subject if part.place}
    for each in record.invocation.inputs:
        if each.kind == "file" or harness_reads:
            known.add(posixpath.normpath(posixpath.join(root, each.path)))
    return known


def is_mapped(place: str, allowed: Iterable[str]) -> bool:
    """Tell whether a place is in a folder that the user mapped something to."""
    return any(_is_below(place, posixpath.normpath(each)) for each in allowed)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def places_outside(parts: Parts, directory: str) -> Iterator[str]:
    """Yield the places outside of the workspace that an argument names, wherever in it.

    Args:
        parts: the argument, or the value of a variable.
        directory: the working directory, relative to the checkout.
    """
    for part in (part for part in parts if isinstance(part, str)):
        text = _ADDRESS.sub(lambda match: match["file"] or "", part)
        if part.startswith("/") and part not in _HARMLESS:
            yield posixpath.normpath(part)
        for match in _ABSOLUTE.finditer(text):
            if match[0] not in _HARMLESS:
                yield posixpath.normpath(match[0])
        for match in _UPWARDS.finditer(text):
            if _leaves_the_source(match[0], directory):
                yield match[0]
