"""What running a captured evaluation again comes to: its command with every place named by role.

`script` writes it down for a shell, `reprokit reproduce` carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from reprokit.bundle import paths
from reprokit.bundle.record import Invocation, Record
from reprokit.bundle.source import Source
from reprokit.bundle.values import Argument, SecretSlot, Unknown
from reprokit.rerun import redirection
from reprokit.rerun.adapting import adapted
from reprokit.rerun.left_behind import absolute, left_behind
from reprokit.rerun.parts import Parts, Place
from reprokit.rerun.relocation import Relocation, is_moved, list_of_paths
from reprokit.rerun.values import Rerun, Wishes
from reprokit.sources.layout import places

_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\Z")


def main_source(record: Record, sources: Sequence[Source]) -> Source | None:
    """Find the checkout that the command was run in."""
    return next((source for source in sources if source.name == record.invocation.source), None)


def relocation_of(record: Record, sources: Sequence[Source], wishes: Wishes) -> Relocation:
    """Tell where the folders of the original machine are in a re-run.

    Raises:
        InvalidRecordError: the records of the checkouts contradict each other.
    """
    laid = places(sources, record.invocation.source)
    roots = tuple((source.root, _place(laid[source.name])) for source in sources if source.root.startswith("/"))
    # What git ignored did not come back with its checkout: it is where it was, unless the user says otherwise.
    said = Relocation(mapped=wishes.mapped)
    stay = {path: str(said.path(path)) for path in left_behind(record.invocation).values()}
    return Relocation(checkouts=(*roots, *wishes.moved.items()), mapped={**wishes.mapped, **stay})


def _place(path: PurePosixPath) -> Place:
    rest = "/".join(path.parts[1:])
    return Place("source", rest) if path.parts[0] == "source" else Place("sources", rest)


def _argument(argument: Argument, relocation: Relocation) -> Parts:
    if isinstance(argument, str):
        return relocation.text(argument)
    return tuple(part for each in argument for part in (relocation.text(each) if isinstance(each, str) else (each,)))


def _program(invocation: Invocation, first: Argument, relocation: Relocation) -> Parts:
    if invocation.program_in == "environment" and isinstance(invocation.program, str):
        return (Place("environment", f"bin/{PurePosixPath(invocation.program).name}"),)
    return _argument(first, relocation)


def _without_changes(sources: Sequence[Source]) -> list[str]:
    return [
        f"the uncommitted changes of `{source.name}` were kept out of the bundle: `left_out` says why"
        for source in sources
        if source.dirty and source.patch is None
    ]


@dataclass(kw_only=True)
class _Variables:
    kept: list[tuple[str, Parts]]
    wished: list[str]
    dropped: list[str]


def _variables(record: Record, relocation: Relocation) -> _Variables:
    found = _Variables(kept=[], wished=[], dropped=[])
    observed = record.invocation.environment_variables
    for variable in [] if isinstance(observed, Unknown) else observed:
        value = [variable.value] if isinstance(variable.value, str) else variable.value
        named = bool(_VARIABLE.match(variable.name))
        match value:
            case [SecretSlot(secret=name)] if named:
                found.kept.append((variable.name, (SecretSlot(secret=name),)))
                found.wished.append(name)
            case [str(text)] if named and all(is_moved(piece, relocation) for piece in text.split(":")):
                found.kept.append((variable.name, list_of_paths(text, relocation)))
            case _:
                found.dropped.append(variable.name)
    return found


def _not_to_be_run(record: Record) -> list[str]:
    argv = record.invocation.argv
    found: list[str] = []
    if isinstance(argv, Unknown):
        found.append(f"its command is not known: {argv.unknown}")
    elif not argv:
        found.append("its command is empty")
    if record.harness.name == "python":
        found.append("its program captures itself: run that, and compare the bundle that it makes")
    return found


def own_program(again: Rerun) -> str | None:
    """Name the program of a command as it would be found on PATH; `None` when it is named by a path."""
    match again.argv[0]:
        case (Place(folder="environment", path=path),):
            return path.rpartition("/")[2]
        case (str(name),) if "/" not in name:
            return name
        case _:
            return None


def slots(argv: Sequence[Parts]) -> tuple[str, ...]:
    """Name the secrets that a command line needs."""
    return tuple(sorted({part.secret for argument in argv for part in argument if isinstance(part, SecretSlot)}))


def plan(record: Record, sources: Sequence[Source], wishes: Wishes | None = None) -> Rerun:
    """Work out the re-run of a recorded command.

    Raises:
        InvalidRecordError: the records of the checkouts contradict each other.
    """
    invocation, wishes = record.invocation, wishes or Wishes()
    obstacles = [*_not_to_be_run(record), *_without_changes(sources)]
    if isinstance(invocation.argv, Unknown) or not invocation.argv:
        return Rerun(obstacles=tuple(obstacles))
    relocation = relocation_of(record, sources, wishes)
    argv = [_program(invocation, invocation.argv[0], relocation)]
    argv += [
        _argument(absolute(argument, at, invocation), relocation)
        for at, argument in enumerate(invocation.argv[1:], start=1)
    ]
    obstacles += redirection.redirect(argv, invocation)
    directory = "" if invocation.directory_in_source == "." else invocation.directory_in_source
    if directory and not paths.is_safe(directory):
        obstacles.append("its record places the working directory outside of the source")
    variables = _variables(record, relocation)
    again = Rerun(
        argv=tuple(argv),
        directory=Place("source", directory),
        variables=tuple(variables.kept),
        wished=tuple(sorted(set(variables.wished))),
        dropped=tuple(variables.dropped),
        obstacles=tuple(obstacles),
    )
    again = adapted(again, record, wishes)
    dangers = redirection.dangers(invocation, again.argv, allowed=wishes.mapped.values())
    return replace(again, secrets=slots(again.argv), obstacles=(*again.obstacles, *dangers))
