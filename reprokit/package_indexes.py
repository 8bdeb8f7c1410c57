"""Where a person's packages come from: what pip's variables say in uv's words, and what uv's say in pip's.

A name within a lab is no business of other indexes: so whoever told only one of the two programs where to look is not
taken to mean the default index by the other.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_SAME = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
}
"""What pip calls it, and how uv does: its present name first."""
_OF_PIP = (*_SAME, "PIP_NO_INDEX")
_OF_UV = tuple(name for names in _SAME.values() for name in names)
NO_ANSWER = 2
"""The status of uv when it could not ask, rather than had no solution."""
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)
"""A line of what uv compiled that pins a package."""
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
"""An address in what uv or pip says: it may be a lab's own, and hold a password."""
_LINKS_OF_PIP, _LINKS_OF_UV = "PIP_FIND_LINKS", "UV_FIND_LINKS"


def how_to_install(extra: str, *, beside: str | None = None) -> str:
    """Say how to install reprokit with one of its extras: from its checkout, for it is on no index yet.

    Args:
        extra: the extra, as pyproject.toml names it.
        beside: a further package, which is to be beside reprokit.
    """
    more = f" --with '{beside}'" if beside else ""
    return f"`uv tool install '.[{extra}]'{more}` in reprokit's checkout"


def find_uv(environ: Mapping[str, str]) -> Path | None:
    """Find the uv program: on PATH, or beside the Python that runs reprokit."""
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv", path=environ.get("PATH")) or (str(beside) if beside.exists() else None)
    return Path(found).absolute() if found else None


def in_words_of_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables, with indexes and links as uv takes them; pip's count where uv's name no index.

    Links are separated by spaces for pip, by commas for uv.
    """
    own = dict(environ)
    if any(own.get(name) for name in _OF_UV):
        return own
    own |= {names[0]: own[of_pip] for of_pip, names in _SAME.items() if own.get(of_pip)}
    if (links := own.get(_LINKS_OF_PIP)) and not own.get(_LINKS_OF_UV):
        own[_LINKS_OF_UV] = ",".join(links.split())
    return own


def in_words_of_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables, with indexes and links as pip takes them; uv's count where pip's name no index."""
    own = dict(environ)
    if any(own.get(name) for name in _OF_PIP):
        return own
    own |= {of_pip: given for of_pip, names in _SAME.items() if (given := own.get(names[0]) or own.get(names[1]))}
    if (links := own.get(_LINKS_OF_UV)) and not own.get(_LINKS_OF_PIP):
        own[_LINKS_OF_PIP] = links.replace(",", " ")
    return own
