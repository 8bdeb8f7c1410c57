"""How people write a mirror's reference, and what they may have meant when they wrote another thing."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from reprokit.mirrors import table

_PAGE = re.compile(
    r"/(?P<entity>[^/:]+)/(?P<project>[^/:]+)/artifacts/[^/:]+/(?P<name>[^/:]+)(?:/(?P<version>[^/:]+)(?:/.*)?)?/?"
)
_RUN = re.compile(
    r"https?://[^/]+/(?P<entity>[^/:]+)/(?P<project>[^/:]+)/runs/rk(?P<digits>[0-9a-f]{8})[0-9a-f-]*(?:[/?#].*)?"
)
_PAGES_OF = "wandb"
_BARE = re.compile(r"[A-Za-z0-9_][\w.-]*/[^/:]+/[^/:]+:[^/:]+")
_PREFIX = re.compile(r"(?P<prefix>[A-Za-z][\w.-]*)(?::/*|/)(?P<rest>[^/].*)")
_FOR_PEOPLE = ("www.", "app.")
_ALIKE = 0.75


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page on which a person looks at a bundle, as a browser has its address: the reference, and whose page."""

    reference: str
    host: str


def page(text: str) -> Page | None:
    """Understand the address of a bundle's page; `None` when it is none."""
    if not text.startswith(("https://", "http://")):
        return None
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        return None
    match = _PAGE.fullmatch(parts.path)
    if match is None or not host:
        return None
    path = "/".join(match[each] for each in ("entity", "project", "name"))
    return Page(reference=f"{_PAGES_OF}:{path}:{match['version'] or 'latest'}", host=host)


def run_page(text: str) -> str | None:
    """Say how the bundle of a run is named whose page this is, as far as the address tells; `None` when it is none."""
    match = _RUN.fullmatch(text)
    if match is None:
        return None
    return f"{_PAGES_OF}:{match['entity']}/{match['project']}/NAME:{match['digits']}"


def is_page_of(found: Page, address: str) -> bool:
    """Tell whether a page belongs to the service of this address: its host is the same, or `api.` and the page's."""
    served = urlsplit(address).netloc.lower()
    shown = found.host
    for prefix in _FOR_PEOPLE:
        shown = shown.removeprefix(prefix)
    return served in {found.host, shown, f"api.{shown}"}


def plain(text: str) -> str:
    """Write a reference without the slashes that may stand behind its colon, as in `wandb://entity/project/name`."""
    name, colon, rest = text.partition("://")
    return f"{name}:{rest.lstrip('/')}" if colon and name in table.names() else text


def near(text: str) -> str | None:
    """Give the mirror's reference that a text, by which nothing was found, may have been meant to be."""
    if match := _PREFIX.fullmatch(text):
        names = {name.lower(): name for name in table.names()}
        prefix = match["prefix"].lower()
        found = [name for name in names if prefix.startswith(f"{name}-")]
        found = found or difflib.get_close_matches(prefix, names, n=1, cutoff=_ALIKE)
        # Without a path behind it, `name:alias` is rather something else that was misspelt.
        if found and "/" in match["rest"]:
            return f"{names[found[0]]}:{match['rest']}"
    return f"{table.names()[0]}:{text}" if _BARE.fullmatch(text) else None
