"""The files of a checkout that git neither tracks nor ignores: which are taken along, which are left out and named."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit.bundle.source import LeftOut
from reprokit.probes.source import credential_files
from reprokit.probes.source.caps import Caps, amount
from reprokit.probes.source.scratch_repository import ScratchRepository, items, listed, readable

OUTPUT = "an output of the evaluation"
NESTED = "a git repository of its own"
_NAMED_ONE_BY_ONE = 20
_FIRST = (
    frozenset({".py", ".pyi", ".pyx", ".sh", ".bash", ".ipynb", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp"})
    | frozenset({".rs", ".go", ".js", ".ts", ".jl", ".r", ".lua", ".pl", ".java", ".jinja", ".jinja2", ".j2"}),
    frozenset({".yaml", ".yml", ".toml", ".cfg", ".ini", ".json", ".jsonnet"}),
)
"""Endings of what is taken along before all else where there is too much: code, then settings."""
MARKS = {
    "pyvenv.cfg": "a virtual environment",
    "conda-meta/history": "a conda environment",
    "CACHEDIR.TAG": "a cache",
}
"""Files that mark a folder as one that tools make anew, and what it is then."""


@dataclass(frozen=True, kw_only=True)
class Untracked:
    """Paths, relative to the checkout, of the files that are taken along, and what is not.

    `left_out` names many files by their folder, `absent` each one, or the folder of which nothing is taken.
    """

    taken: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    absent: frozenset[str]


def sort_untracked(
    repository: ScratchRepository, *, outputs: Sequence[Path], ours: Sequence[Path], caps: Caps
) -> Untracked:
    """Sort the untracked files of a checkout; parameters are those of `working_tree.look`.

    A virtual environment or a cache is left out whole: its packages are in the environment record, and thousands of
    small files would be taken for code.
    """
    root = repository.root
    own, written = _below(root, ours), _below(root, outputs)
    paths = items(repository.read("ls-files", "-z", "--others", "--exclude-standard"))
    products = _products(paths)
    sizes: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for path in paths:
        repository.require_time()
        facts = facts_of(root / path)
        if facts is None or _under(path, own) or _is_compiled(path):
            continue
        if output := _under(path, written):
            reasons[output] = OUTPUT
        elif folder := products and _under(path, products):
            reasons[f"{folder}/"] = products[folder]
        elif reason := _unwanted(path, root / path, facts):
            reasons[path] = reason
        else:
            sizes[path] = facts.st_size
    encrypted = filtered(repository, [path for path, size in sizes.items() if size <= caps.untracked_file], caps)
    reasons |= encrypted
    taken, too_much = _within({path: size for path, size in sizes.items() if path not in encrypted}, caps)
    named = [LeftOut(path=readable(path), reason=reason) for path, reason in reasons.items()]
    return Untracked(
        taken=taken,
        left_out=(*named, *_name_large(too_much, caps)),
        absent=frozenset(readable(path).rstrip("/") for path in (*reasons, *(path for _, path in too_much))),
    )


def facts_of(path: Path) -> os.stat_result | None:
    """Look at what lies at a path, a link itself included; `None` when nothing does or it cannot be reached."""
    try:
        return path.lstat()
    except OSError:
        return None


def is_special(facts: os.stat_result) -> bool:
    """Tell whether something is no file, link or folder: a pipe, a socket, a device."""
    return not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode) or stat.S_ISDIR(facts.st_mode))


def unfit(path: Path, facts: os.stat_result) -> str | None:
    """Say why a file cannot be taken along; `None` when it can."""
    if is_special(facts):
        return "neither a file nor a link"
    if stat.S_ISREG(facts.st_mode) and not os.access(path, os.R_OK):
        return "not readable"
    return None


def filtered(repository: ScratchRepository, paths: list[str], caps: Caps) -> dict[str, str]:
    """Name the files that git keeps through a filter and that are not taken as they lie, and why.

    No filter is run, since it is a program that may write to the repository. What lies there may be what the filter was
    to keep out of git: something large, or something secret.
    """
    told = items(repository.read("check-attr", "-z", "--stdin", "filter", stdin=listed(paths))) if paths else []
    reasons: dict[str, str] = {}
    for path, name in zip(told[::3], told[2::3], strict=True):
        if name in {"unspecified", "unset"}:
            continue
        size = _size(repository.root / path)
        if "crypt" in name:
            reasons[path] = f"kept encrypted in git by the filter `{readable(name)}`"
        elif size > caps.untracked_file:
            reasons[path] = f"changed, {amount(size)} large, and kept in git through the filter `{readable(name)}`"
    return reasons


def by_folder(files: Iterable[tuple[int, str]]) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Group sizes and paths by folder where there are many in one, else one by one; a folder's name ends in a slash."""
    folders: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for size, path in files:
        folders[path.rpartition("/")[0] + "/"].append((size, path))
    for folder, members in folders.items():
        if len(members) > _NAMED_ONE_BY_ONE:
            yield "./" if folder == "/" else folder, members
        else:
            yield from ((path, [(size, path)]) for size, path in members)


def _size(path: Path) -> int:
    facts = facts_of(path)
    return facts.st_size if facts and stat.S_ISREG(facts.st_mode) else 0


def _unwanted(path: str, file: Path, facts: os.stat_result) -> str | None:
    if credential_files.may_hold_credentials(path):
        return credential_files.REASON
    if path.endswith("/"):
        return NESTED
    reason = unfit(file, facts)
    return f"untracked and {reason}" if reason else None


def _products(paths: Iterable[str]) -> dict[str, str]:
    """Find the folders that a tool made, by the file that it marks them with; the checkout itself is none of them."""
    found: dict[str, str] = {}
    for path in paths:
        for mark, reason in MARKS.items():
            if path.endswith("/" + mark):
                found[path.removesuffix("/" + mark)] = reason
    return found


def _is_compiled(path: str) -> bool:
    """Tell whether Python wrote a file by running: it says nothing that the source beside it does not."""
    return "__pycache__/" in path or path.endswith(".pyc")


def _below(root: Path, places: Iterable[Path]) -> tuple[str, ...]:
    """Write those places that lie below the checkout relative to it; the checkout itself is none of them.

    Were the checkout itself an output, all its new code would be left out.
    """
    found: set[str] = set()
    for place in places:
        for real in (place.resolve(), place.parent.resolve() / place.name):
            if real != root and real.is_relative_to(root):
                found.add(str(real.relative_to(root)))
    return tuple(sorted(found))


def _under(path: str, places: Iterable[str]) -> str | None:
    return next((place for place in places if path.rstrip("/") == place or path.startswith(f"{place}/")), None)


def _within(sizes: Mapping[str, int], caps: Caps) -> tuple[tuple[str, ...], list[tuple[int, str]]]:
    """Take code first, then settings, then the rest, the smallest of each first, until it is too much together."""
    ordered = sorted((_rank(path), size, path) for path, size in sizes.items())
    taken: list[str] = []
    left: list[tuple[int, str]] = []
    together = 0
    for _, size, path in ordered:
        fits = size <= caps.untracked_file and together + size <= caps.untracked_together
        if fits and len(taken) < caps.untracked_files:
            together += size
            taken.append(path)
        else:
            left.append((size, path))
    return tuple(taken), left


def _rank(path: str) -> int:
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a text, of which there may be very many
    return next((rank for rank, endings in enumerate(_FIRST) if ending in endings), len(_FIRST))


def _name_large(files: Iterable[tuple[int, str]], caps: Caps) -> Iterator[LeftOut]:
    """Name what was too much: one by one, or by folder where there are many."""
    for where, members in by_folder(files):
        together = sum(size for size, _ in members)
        if where.endswith("/"):
            reason = f"{len(members)} untracked files here, {amount(together)} large together"
        else:
            why = "" if together > caps.untracked_file else ", beyond what is taken along in all"
            reason = f"untracked and {amount(together)} large{why}"
        yield LeftOut(path=readable(where), reason=reason)
