"""Mappings: what a `reprokit.toml` says of the files that programs of one's own write.

    [script]                          # for any program that is no known harness
    results = "metrics.json"
    samples = "predictions.jsonl"     # or several: ["a.jsonl", "b.jsonl"]
    response = "model_answer"         # optional: the keys of odd samples, for `id`, `task`, `epoch`, `filter`,
    scores = ["em", "f1"]             # `document`, `prompt`, `target`, `response`, `answer`, `scores`

    [script.vqa]                      # one of several: for a command with this word in it, or by `--harness vqa`
    command = "run_vqa.py"
    results = "vqa.json"

Paths are as `--results` and `--samples` take them: from where the program runs.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from reprokit.archive.layout import PRIVATE, SETTINGS
from reprokit.archive.settings import read_settings
from reprokit.errors import UsageError
from reprokit.harnesses import table
from reprokit.harnesses.found_files import is_regular
from reprokit.harnesses.interface import FoundRun, Harness
from reprokit.harnesses.script import Script
from reprokit.harnesses.script_fields import MEMBERS, STANDARD, Fields, choose

_SCRIPT = "script"
_KEYS = ("results", "samples", "command", *MEMBERS)
_SAME = {"responses": "response"}


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """The files that a program writes, from where it runs, and the keys of its samples.

    `name` is that of one of several, `commands` are patterns of a word in its command line, `origin` tells people where
    it is written.
    """

    origin: str
    name: str | None = None
    commands: tuple[str, ...] = ()
    results: Path | None = None
    samples: tuple[Path, ...] = ()
    fields: Fields = STANDARD


def read_mappings(directory: Path, *, place: Path | None = None) -> tuple[Mapping, ...]:
    """Read the mappings of the nearest `reprokit.toml`, in or above a directory, that has any.

    Where none has, the one nearest to `place` counts, where finished runs lie.

    Raises:
        UnreadableError: a settings file cannot be read.
        UsageError: a mapping is not as it has to be; file and key are named.
    """
    for start in (directory, place):
        for path, settings in settings_above(start) if start else ():
            if _SCRIPT in settings:
                return tuple(_mappings(path, settings[_SCRIPT]))
    return ()


def for_command(mappings: Sequence[Mapping], argv: Sequence[str]) -> Mapping | None:
    """Choose the mapping of a command: the one that names a word of it, else the one without a name.

    Raises:
        UsageError: several name a word of it.
    """
    found = [each for each in mappings if any(_is_word(pattern, argv) for pattern in each.commands)]
    if len(found) > 1:
        raise UsageError(
            f"{found[0].origin} and {found[1].origin} both match this command", hint="choose one: `--harness NAME`"
        )
    return found[0] if found else next((each for each in mappings if each.name is None and not each.commands), None)


def by_name(mappings: Sequence[Mapping], name: str) -> Mapping | None:
    """Find a mapping by its name; `script` is the name of the one without."""
    return next((each for each in mappings if name == (each.name or _SCRIPT)), None)


def known_names(mappings: Sequence[Mapping]) -> list[str]:
    """List what `--harness` may name: the harnesses that are known, `script`, and the mappings."""
    return [*(each.name for each in table.HARNESSES), _SCRIPT, *(each.name for each in mappings if each.name)]


def script_runs(mapping: Mapping, place: Path) -> Iterator[tuple[Harness, FoundRun]]:
    """Find the runs of a script below a place: in each folder, the files of the mapping that are there.

    A path with folders in it is looked for from above the place too: `out/metrics.json` is found in `out`. Links are
    not followed, and nothing outside of the place is taken: the mapping may be as foreign as the runs.
    """
    named = [path for path in (mapping.results, *mapping.samples) if path]
    for folder in _folders(place, max((len(path.parts) for path in named), default=1) - 1):
        there = [folder / path for path in named if is_regular(folder / path)]
        there = [path for path in there if _is_inside(path, place)]
        if not there:
            continue
        results = folder / mapping.results if mapping.results else None
        script = Script(
            results=results if results in there else None,
            samples=[folder / path for path in mapping.samples if folder / path in there],
            fields=mapping.fields,
        )
        for run in script.find([]):
            yield script, run


def _is_inside(path: Path, place: Path) -> bool:
    return path.is_relative_to(place) and (path.parent.resolve() / path.name).is_relative_to(place.resolve())


def _folders(place: Path, above: int) -> Iterator[Path]:
    """Yield some folders above a place, then the place and the folders below it; those that hold no outputs not."""
    start = place if place.is_dir() else place.parent
    yield from list(start.parents)[:above]
    for folder, subfolders, _ in os.walk(start):
        subfolders[:] = sorted(name for name in subfolders if name not in {".git", PRIVATE})
        yield Path(folder)


def settings_above(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Read each settings file in and above a directory, nearest first; empty where there is none.

    Raises:
        UnreadableError: one cannot be read.
    """
    for folder in (directory.absolute(), *directory.absolute().parents):
        yield folder / SETTINGS, read_settings(folder / SETTINGS)


def _is_word(pattern: str, argv: Sequence[str]) -> bool:
    return any(fnmatchcase(word, pattern) or fnmatchcase(PurePosixPath(word).name, pattern) for word in argv)


def _mappings(path: Path, written: Any) -> Iterator[Mapping]:
    if not isinstance(written, dict):
        raise UsageError(f"`{path}`: `{_SCRIPT}` is no table", hint='write `[script]`, then `results = "FILE"`')
    own = {key: value for key, value in written.items() if not isinstance(value, dict)}
    if own or not written:
        yield _mapping(path, None, own)
    for name, value in written.items():
        if isinstance(value, dict):
            yield _mapping(path, _name(path, name), value)


def _name(path: Path, name: str) -> str:
    taken = known_names(())
    if name in taken:
        raise UsageError(f"`{path}`: `[script.{name}]` has the name of a harness", hint="call it something else")
    if name in _KEYS:
        # A table where a value belongs is a slip, not the name of a mapping.
        raise UsageError(f"`{path}`: `{name}` in `[script]` is a table", hint=f'write `{name} = "…"`')
    return name


def _mapping(path: Path, name: str | None, written: dict[str, Any]) -> Mapping:
    section = f"[script.{name}]" if name else "[script]"
    where = f"`{path}`: `{section}`"
    values = _renamed(written)
    refuse_other_keys(where, values, _KEYS)
    results = _texts(where, "results", values.get("results"), one=True)
    samples = _texts(where, "samples", values.get("samples"))
    if not results and not samples:
        raise UsageError(f"{where} names no file", hint='write `results = "FILE"`, `samples = "FILE"`, or both')
    keys = {member: _texts(where, member, values[member]) for member in MEMBERS if member in values}
    _no_key_twice(where, keys)
    return Mapping(
        origin=where,
        name=name,
        commands=_texts(where, "command", values.get("command")),
        results=Path(results[0]) if results else None,
        samples=tuple(Path(each) for each in samples),
        fields=choose(keys) if keys else STANDARD,
    )


def _renamed(written: dict[str, Any]) -> dict[str, Any]:
    return {_SAME.get(key, key): value for key, value in written.items()}


def refuse_other_keys(where: str, written: Table[str, Any], known: Sequence[str]) -> None:
    """Refuse a table with a key that is not known.

    Raises:
        UsageError: it has one; the nearest known name is told.
    """
    for key in written:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"it may have {', '.join(f'`{each}`' for each in known)}"
            raise UsageError(f"{where} has no key `{key}`", hint=hint)


def _no_key_twice(where: str, keys: Table[str, Sequence[str]]) -> None:
    members: dict[str, str] = {}
    for member, names in keys.items():
        for name in names:
            if name in members:
                raise UsageError(
                    f"{where} takes `{name}` for `{members[name]}` and for `{member}`", hint="it can be only one"
                )
            members[name] = member


def _texts(where: str, key: str, value: Any, *, one: bool = False) -> tuple[str, ...]:
    """Read a text or, where there may be several, a list of texts."""
    if value is None:
        return ()
    listed = value if isinstance(value, list) and not one else [value]
    if not listed or not all(isinstance(each, str) and each and "\0" not in each for each in listed):
        wanted = "a text" if one else "a text, or a list of them"
        raise UsageError(f"{where}: `{key}` is not {wanted}", hint=f'write `{key} = "…"`')
    return tuple(listed)
