"""Asking the places that serve packages: the indexes, pages and folders that the person's own settings name.

Which those are is told as uv understands it: by its variables, its settings of the person, and pip's variables where
its own name none. No index has a name here: which one uv uses when nobody names any, uv is asked.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from reprokit import child_process
from reprokit.audit.asking import listing
from reprokit.audit.asking.heard import Index, Listing, Silence
from reprokit.audit.asking.web import Asked, Question, host
from reprokit.child_process import TookTooLongError
from reprokit.package_indexes import find_uv
from reprokit.reproduce.environment.uv import Uv, variables

_MOST = 64 << 20
_NAMED = re.compile(r"[A-Za-z0-9._-]+=(?=[A-Za-z][A-Za-z0-9+.-]*:)")
_DEFAULT = re.compile(r"--default-index <[A-Z_]+>[^\[]*?<([a-z]+://[^<>\s]+)>")
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_SCHEMES = ("http", "https")


@dataclass(frozen=True, kw_only=True)
class OnTheWeb:
    """An index, whose packages have a page each; or, when `flat`, one page of links to files of many."""

    address: str
    ask: Asked
    flat: bool = False
    secret: str | None = field(default=None, repr=False)
    local = False

    def files(self, name: str) -> Listing | Silence:
        """Ask for the files of a package."""
        address = self.address if self.flat else f"{self.address.rstrip('/')}/{name}/"
        headers = {"Accept": listing.ACCEPTED}
        page = self.ask(Question(address=address, headers=headers, secret=self.secret, most=_MOST))
        if isinstance(page, Silence):
            return page
        if page.status == http.client.NOT_FOUND:
            return Silence(because=f"`{host(address)}` has no such page") if self.flat else Listing()
        found = listing.read(page)
        if found is None:
            return Silence(because=f"the answer of `{host(address)}` is no list of files")
        return found

    def question(self, name: str) -> tuple[str, ...]:
        """Tell what is asked for a package: of one page for all, the same."""
        return ("links", self.address) if self.flat else ("package", self.address, name)


@dataclass(frozen=True, kw_only=True)
class InFolder:
    """A folder of this machine: of files, or, when it is an index, of a folder for each package."""

    folder: Path
    index: bool = False
    local = True

    @property
    def address(self) -> str:
        """Where it is."""
        return str(self.folder)

    def question(self, name: str) -> tuple[str, ...]:
        """Tell what is looked for."""
        return ("folder", self.address, name)

    def files(self, name: str) -> Listing | Silence:
        """List the files of a package."""
        folder = self.folder / name if self.index else self.folder
        try:
            if self.index and not folder.is_dir() and self.folder.is_dir():
                return Listing()
            page = folder / "index.html"
            if self.index and page.is_file():
                found = listing.of_file(page)
                return found if found is not None else Silence(because=f"`{page}` is no list of files")
            return listing.of_folder(folder, name)
        except OSError as error:
            return Silence(because=f"`{folder}` cannot be read: {error.strerror}")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where packages are asked for. `missing` says why no index is among them, when none is."""

    found: tuple[Index, ...] = ()
    missing: str | None = None


def places(environ: Mapping[str, str], ask: Asked, *, timeout: float) -> Places:
    """Find where the person's packages come from.

    Args:
        environ: their variables.
        ask: asks over HTTP.
        timeout: seconds that uv has to say which index it uses when none is named.
    """
    known = variables(environ)
    settings = _settings(environ)
    links = list(_links(known, settings))
    found = [each for each in (_opened(link, ask, index=False) for link in links) if each is not None]
    if settings.get("no-index") is True:
        missing = None if found else "no index is configured: uv's settings say `no-index`"
        return Places(found=tuple(found), missing=missing)
    named = list(_indexes(known, settings))
    main = next((address for address, default in named if default), None)
    missing = None
    if main is None:
        told = _default(environ, timeout)
        main, missing = (told, None) if "://" in told else (None, f"no index is configured: {told}")
    wanted = [*(address for address, default in named if not default), *([main] if main else [])]
    opened = [_opened(address, ask, index=True) for address in dict.fromkeys(wanted)]
    return Places(found=(*(each for each in opened if each is not None), *found), missing=missing)


def _indexes(known: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the indexes that are named, and whether each takes the place of the default one."""
    default = known.get("UV_DEFAULT_INDEX") or known.get("UV_INDEX_URL")
    if default:
        yield _unnamed(default.strip()), True
    for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL"):
        yield from ((_unnamed(each), False) for each in known.get(name, "").split())
    for each in _listed(settings.get("index")):
        if isinstance(each, dict) and isinstance(each.get("url"), str):
            yield each["url"], each.get("default") is True
    if isinstance(settings.get("index-url"), str):
        yield settings["index-url"], True
    yield from ((each, False) for each in _listed(settings.get("extra-index-url")) if isinstance(each, str))


def _links(known: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    yield from known.get("UV_FIND_LINKS", "").split(",")
    yield from (each for each in _listed(settings.get("find-links")) if isinstance(each, str))


def _unnamed(address: str) -> str:
    return _NAMED.sub("", address, count=1)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_true(value: str | None) -> bool:
    return value is not None and value.lower() in _TRUE


def _settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read uv's settings of the person; what cannot be read names no index."""
    if _is_true(environ.get("UV_NO_CONFIG")):
        return {}
    own = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME') or Path.home()}/.config"
    try:
        found = tomllib.loads(Path(environ.get("UV_CONFIG_FILE") or f"{own}/uv/uv.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    of_pip = found.get("pip")
    return {**(of_pip if isinstance(of_pip, dict) else {}), **found}


def _default(environ: Mapping[str, str], timeout: float) -> str:
    """Ask uv which index it uses when nobody names one; why it does not tell, when it does not."""
    program = find_uv(environ)
    if program is None:
        return "no variable names one, and uv is not installed"
    try:
        uv = Uv(program=program, environ=variables(environ))
        with child_process.within(timeout):
            told = uv.run(["pip", "compile", "--help"])
    except (OSError, TookTooLongError) as error:
        return f"no variable names one, and uv does not say which it uses: {error}"
    match = _DEFAULT.search(" ".join(told.out.decode("utf-8", errors="replace").split()))
    return match[1] if match else "no variable names one, and uv does not say which it uses"


def _opened(address: str, ask: Asked, *, index: bool) -> Index | None:
    """Make sense of an address; `None` when there is none."""
    address = address.strip()
    if not address:
        return None
    if address.startswith("file://"):
        path = unquote(urlsplit(address).path, errors="surrogateescape")
        return InFolder(folder=Path(path), index=index)
    if "://" not in address:
        return InFolder(folder=Path(os.path.expanduser(address)), index=index)  # noqa: PTH111 - as uv does: no error
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES:
        return None
    user, _, place = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=place))
    return OnTheWeb(address=plain, ask=ask, flat=not index, secret=_basic(user))


def _basic(user: str) -> str | None:
    if not user:
        return None
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")
