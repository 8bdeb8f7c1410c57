"""Where the user says that checkouts can be had: `--source PLACE` for all of them, `--source NAME=PLACE` for one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reprokit.errors import UsageError
from reprokit.sources import clones
from reprokit.sources.fetch_places import FetchPlace, is_folder, is_in, named_place

_NAMED = re.compile(r"([A-Za-z0-9_][^=:]*)=(.+)")
_HINT = "`--source DIR`, `--source ADDRESS`, or for one checkout `--source NAME=DIR`"


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Folders of clones, and https or ssh addresses: those for one checkout, by its name, and those for any.

    A submodule is named by its checkout and its path: `evals/vendored/library`.
    """

    named: Mapping[str, tuple[FetchPlace, ...]] = field(default_factory=dict)
    others: tuple[FetchPlace, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A checkout to be found: its own names, and the checkouts around it with its path in each, innermost first."""

    names: tuple[str, ...]
    around: tuple[tuple[str, PurePosixPath], ...] = ()
    commit: str | None


def parse(values: Iterable[str]) -> Origins:
    """Understand what the user said, in the order of saying.

    What could be read both ways is a place when that folder is there, and a name and a place otherwise.

    Raises:
        UsageError: there is no such folder, or it is no address that may be fetched from.
    """
    named: dict[str, tuple[FetchPlace, ...]] = {}
    others: list[FetchPlace] = []
    for value in values:
        match = _NAMED.fullmatch(value)
        if match is None or is_folder(Path(value)):
            others.append(_place(value))
        else:
            named[match[1]] = (*named.get(match[1], ()), _place(match[2]))
    return Origins(named=named, others=tuple(others))


def refuse_unknown(origins: Origins, names: Collection[str]) -> None:
    """Let no place pass that is for a checkout that a bundle does not have.

    Raises:
        UsageError: there is one; the hint names those that the bundle has.
    """
    for name in origins.named:
        if not any(name == known or name.startswith(f"{known}/") for known in names):
            known = ", ".join(f"`{each}`" for each in sorted(names)) or "none"
            raise UsageError(f"the run used no checkout called `{name}`", hint=f"those that it used: {known}")


def places_for(wanted: Wanted, origins: Origins) -> list[str]:
    """List where a checkout may be had, what the user named for it first; for `sources.restoring.restore`.

    A clone also stands for the submodules that it holds: those in its folders, and those that it keeps in `.git`.
    """
    own = [place for name in wanted.names for place in origins.named.get(name, ())]
    around = [place for name, _ in wanted.around for place in origins.named.get(name, ()) if place.transport == "file"]
    paths = [path for _, path in wanted.around]
    found: dict[str, None] = {}
    for place in (*own, *around, *origins.others):
        inner = _inside(Path(place.address), paths, wanted.commit) if place.transport == "file" else ()
        found |= dict.fromkeys((*inner, place.address))
    return list(found)


def _place(value: str) -> FetchPlace:
    message = f"`--source {value}` is neither a folder nor an https or ssh address"
    if not value:  # it would be the present folder
        raise UsageError(message, hint=_HINT)
    try:
        return named_place(Path(value).expanduser() if value.startswith("~") else value)
    except (UsageError, RuntimeError) as error:
        raise UsageError(message, hint=_HINT) from error


def _inside(clone: Path, paths: Iterable[PurePosixPath], commit: str | None) -> Iterator[str]:
    """Yield those repositories within a clone that have a commit; none when the clone itself has it."""
    if commit is None or is_in(clone, commit):
        return
    folders = (clone / path for path in paths)
    checked_out = (folder for folder in folders if (folder / ".git").exists())
    yield from (str(each) for each in (*checked_out, *clones.repositories(clone)) if is_in(each, commit))
