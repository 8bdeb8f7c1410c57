"""What running a captured evaluation again comes to: its command with every place named by role.

A re-run happens in a workspace of three folders: `source` (the checkout), `environment` (the rebuilt Python) and
`outputs` (where results go, so that a re-run never touches the original's). `reproduce.sh` writes it down for a shell,
`reprokit reproduce` carries it out.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from reprokit.bundle import paths
from reprokit.bundle.record import Invocation, Output, Record
from reprokit.bundle.source import Source
from reprokit.bundle.values import Argument, SecretSlot, Unknown

_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Place:
    """A path below one of the workspace's folders."""

    folder: Literal["source", "environment", "outputs"]
    path: str = ""


Part: TypeAlias = str | Place | SecretSlot


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A captured command, ready to be placed in a workspace.

    `obstacles` say why it must not be run as it is; `dropped` names variables that pointed to places of the original
    machine. `directory` is where to run it, below the `source` folder.
    """

    argv: tuple[tuple[Part, ...], ...] = ()
    directory: Place = Place("source")
    variables: tuple[tuple[str, tuple[Part, ...]], ...] = ()
    secrets: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def main_source(record: Record, sources: list[Source]) -> Source | None:
    """Find the checkout that the command was run in."""
    return next((source for source in sources if source.name == record.invocation.source), None)


def _relocate(text: str, root: str | None) -> tuple[Part, ...]:
    """Point what lies in the original checkout to the new one: a whole path, or the value of `key=path`."""
    if not root:
        return (text,)
    before, separator, value = text.rpartition("=")
    plain = posixpath.normpath(value) if value.startswith("/") else value
    if plain == root or plain.startswith(root + "/"):
        return (*((before + separator,) if separator else ()), Place("source", plain[len(root) + 1 :]))
    return (text,)


def _output(output: Output, index: int) -> Place:
    name = PurePosixPath(output.path).name
    name = "outputs" if name in {"", ".", ".."} else name
    return Place("outputs", name if index == 0 else f"{index + 1}-{name}")


def _argument(argument: Argument, root: str | None) -> tuple[Part, ...]:
    if isinstance(argument, str):
        return _relocate(argument, root)
    return tuple(argument)


def _program(invocation: Invocation, first: Argument, root: str | None) -> tuple[Part, ...]:
    if invocation.program_in == "environment" and isinstance(invocation.program, str):
        return (Place("environment", f"bin/{PurePosixPath(invocation.program).name}"),)
    return _argument(first, root)


def outputs(invocation: Invocation) -> list[tuple[Output, Place]]:
    """Pair each output that the command line names with the place a re-run writes it to."""
    named = [output for output in invocation.outputs if output.argument is not None]
    return [(output, _output(output, index)) for index, output in enumerate(named)]


def _leaves_the_source(path: str, directory: str) -> bool:
    return path.startswith("/") or posixpath.normpath(posixpath.join(directory, path)).split("/")[0] == ".."


def _obstacles(invocation: Invocation, source: Source | None) -> list[str]:
    found = [
        f"it writes to `{output.path}`, which is not in its arguments and so cannot be redirected"
        for output in invocation.outputs
        if output.argument is None and _leaves_the_source(output.path, invocation.directory_in_source)
    ]
    if source is not None and source.dirty and source.patch is None:
        found.append(f"the uncommitted changes of `{source.name}` were kept out of the bundle: `left_out` says why")
    if isinstance(invocation.argv, Unknown):
        found.append(f"its command is not known: {invocation.argv.unknown}")
    elif not invocation.argv:
        found.append("its command is empty")
    return found


def _places_named(part: Part) -> list[str]:
    """List the absolute paths that a part of an argument names, as the whole of it or in `a=/b,c=/d`."""
    if not isinstance(part, str):
        return []
    values = [part, *(pair.rpartition("=")[2] for pair in part.split(","))]
    return [posixpath.normpath(value) for value in values if value.startswith("/")]


def _dangers(invocation: Invocation, argv: list[tuple[Part, ...]]) -> list[str]:
    """Find arguments through which a re-run would write to places of the original run.

    These are absolute paths, left after outputs were redirected, around an output or to what was not there before.
    """
    directory = invocation.working_directory
    root = directory if isinstance(directory, str) else "/"
    written = [posixpath.normpath(posixpath.join(root, output.path)) for output in invocation.outputs]
    inputs = {posixpath.normpath(each.path) for each in invocation.inputs}
    found: list[str] = []
    for part in (part for argument in argv[1:] for part in argument):
        for place in _places_named(part):
            if any(path == place or path.startswith(place.rstrip("/") + "/") for path in written):
                found.append(f"`{place}`, where the original's outputs are, is in its arguments")
            elif place not in inputs:
                found.append(f"`{place}` in its arguments was not there when the run began: it may be written to")
    return list(dict.fromkeys(found))


def _variables(record: Record, root: str | None) -> tuple[list[tuple[str, tuple[Part, ...]]], list[str]]:
    kept: list[tuple[str, tuple[Part, ...]]] = []
    dropped: list[str] = []
    observed = record.invocation.environment_variables
    for variable in [] if isinstance(observed, Unknown) else observed:
        if not isinstance(variable.value, str) or not _VARIABLE.match(variable.name):
            dropped.append(variable.name)
            continue
        pieces = [_relocate(piece, root) for piece in variable.value.split(":")]
        if any(piece[0].startswith("/") for piece in pieces if isinstance(piece[0], str)):
            dropped.append(variable.name)
            continue
        parts: list[Part] = []
        for piece in pieces:
            parts += [":", *piece] if parts else piece
        kept.append((variable.name, tuple(parts)))
    return kept, dropped


def plan(record: Record, sources: list[Source]) -> Rerun:
    """Work out the re-run of a recorded command."""
    invocation = record.invocation
    source = main_source(record, sources)
    obstacles = _obstacles(invocation, source)
    if record.harness.name == "python":
        obstacles.append("its program captures itself: run that, and compare the bundle that it makes")
    if isinstance(invocation.argv, Unknown) or not invocation.argv:
        return Rerun(obstacles=tuple(obstacles))
    root = source.root.rstrip("/") if source else None
    argv = [_program(invocation, invocation.argv[0], root)]
    argv += [_argument(argument, root) for argument in invocation.argv[1:]]
    for output, place in outputs(invocation):
        assert output.argument is not None  # noqa: S101 - `outputs` gives only those
        if not 0 < output.argument < len(argv):
            obstacles.append(f"its record places `{output.path}` where there is no argument")
            continue
        argv[output.argument] = (output.prefix, place) if output.prefix else (place,)
    directory = "" if invocation.directory_in_source == "." else invocation.directory_in_source
    if directory and not paths.is_safe(directory):
        obstacles.append("its record places the working directory outside of the source")
    obstacles += _dangers(invocation, argv)
    variables, dropped = _variables(record, root)
    secrets = {part.secret for argument in argv for part in argument if isinstance(part, SecretSlot)}
    return Rerun(
        argv=tuple(argv),
        directory=Place("source", directory),
        variables=tuple(variables),
        secrets=tuple(sorted(secrets)),
        dropped=tuple(dropped),
        obstacles=tuple(obstacles),
    )
