"""From where in the file system an evaluation's processes took code, as far as it is no installed package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from reprokit.bundle import canonical
from reprokit.bundle.bag import open_regular
from reprokit.bundle.environment import Environment
from reprokit.bundle.source import Use
from reprokit.bundle.values import Json, Unknown
from reprokit.probes.interpreter import LARGEST_RECORD, ProcessFacts, process
from reprokit.probes.packages import INSTALLED_FOLDERS

_MAIN = ("__main__", "__mp_main__")
_ENDS_OPTIONS = "mc"
_TAKES_A_VALUE = "WX"
_LONGEST_METADATA = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CodePlace:
    """A file or folder that code came from, and how it was used. Nothing need be there any more."""

    path: Path
    use: Use


def read_record(file: Path) -> ProcessFacts | None:
    """Read the record that the probe wrote in one process; `None` when it is no such record."""
    try:
        with open_regular(file) as stream:
            return process(canonical.decode_loosely(stream.read(LARGEST_RECORD)))
    except (OSError, ValueError, RecursionError):
        return None


def known_at_start(facts: ProcessFacts) -> Iterator[CodePlace]:
    """Tell what can be told of a process before it has imported anything, the likeliest places first."""
    yield from script(facts)
    yield from search_path(facts)
    yield from editable_installs(facts)


def known_at_end(environment: Environment, processes: Sequence[ProcessFacts]) -> list[CodePlace]:
    """Tell from where code really came.

    An editable install of which nothing can have been imported is none of it. Where a process did not live to tell what
    it imported, that is not known, and everything it could have imported from counts.
    """
    silent = [each for each in processes if each.ended is None]
    imported = {name.partition(" ")[0] for name in environment.modules}
    imported.update(name for each in processes for name in each.installed_modules)
    files = [Path(file).resolve() for file in environment.modules.values()]
    places = [place for each in processes for place in script(each)]
    installs = [place for each in processes for place in editable_installs(each)] or list(_of_packages(environment))
    path = {place.path for each in processes for place in search_path(each)}
    knows_all = bool(processes) and not silent
    places += [each for each in installs if not knows_all or _may_be_imported(each.path, path, imported, files)]
    places += [place for each in silent for place in search_path(each)]
    places += modules(environment)
    return places


def modules(environment: Environment) -> Iterator[CodePlace]:
    """List the top-level modules that were imported from outside of the installed packages."""
    for name, file in environment.modules.items():
        path, plain = Path(file), name.partition(" ")[0]
        use = Use(kind="script", name=path.name) if plain in _MAIN else Use(kind="module", name=plain)
        yield CodePlace(path=path, use=use)


def script(facts: ProcessFacts) -> Iterator[CodePlace]:
    """Find the file that a Python was told to run; a program that an installer made is none."""
    operand = _operand(facts.argv[1:])
    if operand is None:
        return
    path = Path(facts.directory) / operand
    if path.is_absolute() and not path.is_relative_to(Path(facts.prefix) / "bin"):
        yield CodePlace(path=path, use=Use(kind="script", name=path.name))


def _operand(arguments: Sequence[str]) -> str | None:
    """Find the script among the arguments of `python`; `None` when it was given a module, a command, or nothing."""
    waiting = iter(arguments)
    for word in waiting:
        if not word.startswith("-"):
            return word
        if word == "--check-hash-based-pycs":
            next(waiting, None)
        elif not word.startswith("--"):
            # One dash may stand before several letters; what follows one that takes a value is that value.
            letter = next((each for each in word[1:] if each in _ENDS_OPTIONS + _TAKES_A_VALUE), "")
            if word == "-" or (letter and letter in _ENDS_OPTIONS):
                return None
            if letter and word.index(letter) == len(word) - 1:
                next(waiting, None)
    return None


def editable_installs(facts: ProcessFacts) -> Iterator[CodePlace]:
    """Find the checkouts that are installed in place, on the `sys.path` of a process."""
    for folder, names in facts.distributions.items():
        in_place = Path(folder).name not in INSTALLED_FOLDERS
        for name in names:
            use = Use(kind="editable install", name=name.rpartition(".")[0].partition("-")[0])
            if name.endswith(".egg-info") and in_place:
                yield CodePlace(path=Path(folder), use=use)
            elif name.endswith(".dist-info") and (project := _project(_direct_url(Path(folder, name)))):
                yield CodePlace(path=project, use=use)


def _of_packages(environment: Environment) -> Iterator[CodePlace]:
    for package in () if isinstance(environment.packages, Unknown) else environment.packages:
        if package.editable and (project := _project(package.direct_url)):
            yield CodePlace(path=project, use=Use(kind="editable install", name=package.name))


def _direct_url(metadata: Path) -> Any:
    try:
        with open_regular(metadata / "direct_url.json") as stream:
            return canonical.decode_loosely(stream.read(_LONGEST_METADATA))
    except (OSError, ValueError, RecursionError):
        return None


def _project(direct_url: Json) -> Path | None:
    """Give the folder that an editable install leads to, by its `direct_url.json`."""
    match direct_url:
        case {"url": str(url), "dir_info": {"editable": True}} if url.startswith("file://"):
            try:
                path = unquote(urlsplit(url).path, errors="surrogateescape")
            except ValueError:
                return None
            return Path(path) if path.startswith("/") and "\0" not in path else None
        case _:
            return None


def search_path(facts: ProcessFacts) -> Iterator[CodePlace]:
    """List the folders where a process looked for modules, without the standard library and the installed packages."""
    libraries = tuple(f"{prefix}/{name}/" for prefix in (facts.prefix, facts.base_prefix) for name in ("lib", "lib64"))
    for entry in facts.path:
        if Path(entry).name not in INSTALLED_FOLDERS and not f"{entry}/".startswith(libraries):
            yield CodePlace(path=Path(entry), use=Use(kind="module path"))


def _may_be_imported(project: Path, path: Iterable[Path], imported: set[str], files: Sequence[Path]) -> bool:
    """Tell whether one of the imported modules may have come from a project.

    A namespace package is spread over several folders, of which the first alone is known: so it counts when a project
    has a folder of that name where modules are looked for.
    """
    real = project.resolve()
    if any(file.is_relative_to(real) for file in files):
        return True
    within = [entry for entry in path if entry.resolve().is_relative_to(real)]
    return any(
        not imported.isdisjoint(_folders(folder)) for folder in dict.fromkeys([project, project / "src", *within])
    )


def _folders(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_dir())
    except OSError:
        return
