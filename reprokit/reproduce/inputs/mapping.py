"""Places that lie elsewhere here: `--map OLD=NEW`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from reprokit.errors import UsageError

_SPELT = re.compile(r"(?P<old>/.*?)=(?P<new>/.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """Whatever lay at or below the absolute POSIX path `old` when the run was captured lies at or below `new` here."""

    old: str
    new: str


def parse_mapping(spelt: str) -> Mapping:
    """Read `OLD=NEW`; where `OLD` itself holds a `=`, the first that a `/` follows divides the two.

    Raises:
        UsageError: they are not two absolute paths.
    """
    match = _SPELT.fullmatch(spelt)
    if match is None or "\0" in spelt:
        raise UsageError(f"`{spelt}` is no mapping of places", hint="say it as `/old/folder=/new/folder`")
    return Mapping(old=_plain(match["old"]), new=_plain(match["new"]))


def mapped(path: str, mappings: Iterable[Mapping]) -> str:
    """Tell where a path of the record lies here; by the longest `OLD` that it is at or below, each path as it is."""
    plain = _plain(path) if path.startswith("/") else path
    fitting = [each for each in mappings if _is_below(plain, each.old)]
    if not fitting:
        return path
    longest = max(fitting, key=lambda each: len(each.old))
    return posixpath.join(longest.new, plain[len(longest.old) :].lstrip("/")).rstrip("/") or "/"


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def _plain(path: str) -> str:
    # POSIX leaves the meaning of two leading slashes open, and `normpath` keeps them.
    return posixpath.normpath("/" + path.lstrip("/"))
