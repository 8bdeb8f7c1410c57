"""What running a captured evaluation again comes to: its command with every place named by role.

`script` writes it down for a shell, `reprokit reproduce` carries it out.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from reprokit.bundle import paths
from reprokit.bundle.record import Invocation, Record
from reprokit.bundle.source import Source
from reprokit.bundle.values import Argument, SecretSlot, Unknown
from reprokit.harnesses.table import HARNESSES
from reprokit.probes.variables import matters
from reprokit.rerun import redirection
from reprokit.rerun.adapting import adapted, harness_of
from reprokit.rerun.left_behind import absolute, left_behind
from reprokit.rerun.parts import Part, Parts, Place
from reprokit.rerun.relocation import Relocation, list_of_paths
from reprokit.rerun.values import Rerun, Wishes
from reprokit.sources.layout import places

_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\Z")
_SLOT = re.compile(r"[A-Za-z0-9_]{1,64}")
_OURS = frozenset(
    {"HOME", "HF_TOKEN_PATH", "LD_PRELOAD", "PATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "TMPDIR"}
)
"""Variables that a re-run has from us, or not at all."""
_MODULES = "PYTHONPATH"
_NOBODY_S_SECRET = frozenset({"HOME", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "USER"})


def relocation_of(record: Record, sources: Sequence[Source], wishes: Wishes) -> Relocation:
    """Tell where the folders of the original machine are in a re-run.

    Raises:
        InvalidRecordError: the records of the checkouts contradict each other.
    """
    laid = places(sources, record.invocation.source)
    roots = tuple((source.root, _place(laid[source.name])) for source in sources if source.root.startswith("/"))
    # What git ignored did not come back with its checkout: it is where it was, unless the user says otherwise.
    said = Relocation(mapped=wishes.mapped)
    stay = {path: str(said.path(path)) for path in left_behind(record.invocation, sources).values()}
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
        # A capture records no others: what else a record may name is not set.
        allowed = bool(_VARIABLE.match(variable.name)) and matters(variable.name) and variable.name not in _OURS
        match value:
            case [SecretSlot(secret=name)] if allowed and _is_slot(name):
                found.kept.append((variable.name, (SecretSlot(secret=name),)))
                found.wished.append(name)
            case [str(text)] if allowed and variable.name == _MODULES:
                _modules(found, text, record, relocation)
            case [str(text)] if allowed and not _leads_out(
                parts := list_of_paths(text, relocation), record, relocation
            ):
                found.kept.append((variable.name, parts))
            case _:
                found.dropped.append(variable.name)
    return found


def _modules(found: _Variables, text: str, record: Record, relocation: Relocation) -> None:
    """Keep those folders of a module path that are in the workspace: without them other code would be imported."""
    directory = record.invocation.working_directory
    root = directory if isinstance(directory, str) else "/"
    kept: list[Part] = []
    for piece in text.split(":"):
        moved = relocation.path(posixpath.normpath(posixpath.join(root, piece)))
        parts: Parts = (moved,) if isinstance(moved, Place) and piece else relocation.text(piece)
        if _leads_out(parts, record, relocation):
            found.dropped.append(f"{_MODULES}, its folder {piece}")
        else:
            kept += [":", *parts] if kept else parts
    if kept:
        found.kept.append((_MODULES, tuple(kept)))


def _leads_out(parts: Parts, record: Record, relocation: Relocation) -> bool:
    """Tell whether the value of a variable names a place that is neither in the workspace nor the user's word."""
    outside = redirection.places_outside(parts, record.invocation.directory_in_source)
    return any(not redirection.is_mapped(place, relocation.mapped.values()) for place in outside)


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


def _is_slot(name: str) -> bool:
    return _SLOT.fullmatch(name) is not None and name not in _NOBODY_S_SECRET


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
    obstacles += [f"it asks for a secret that is none: `{name[:64]}`" for name in slots(argv) if not _is_slot(name)]
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
    harness = harness_of(again, record)
    dangers = redirection.dangers(
        record, again.argv, harness_reads=harness in HARNESSES, allowed=wishes.mapped.values()
    )
    return replace(again, secrets=slots(again.argv), obstacles=(*again.obstacles, *dangers))
