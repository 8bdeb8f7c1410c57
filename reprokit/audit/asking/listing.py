"""Reading what a place that serves packages lists: JSON (PEP 691), a page of links (PEP 503), or a folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from reprokit.audit.asking.heard import Listing, ServedFile
from reprokit.audit.asking.web import Page
from reprokit.bundle import canonical
from reprokit.bundle.bag import open_regular

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPTED = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_HTML = frozenset({"application/vnd.pypi.simple.v1+html", "text/html"})
_SHA256 = re.compile("[0-9a-f]{64}")
_IN_ADDRESS = re.compile(r"(?:^|&)sha256=([0-9a-f]{64})(?:&|$)")
_LONGEST_REASON = 300
_LARGEST_FILE = 64 << 20
_DISTRIBUTION = re.compile(r".*\.(whl|tar\.gz|tar\.bz2|zip|tgz)", re.DOTALL)


def read(page: Page) -> Listing | None:
    """Read an answer; `None` when it is no such list."""
    if page.kind == JSON:
        return _of_json(page.data)
    return _of_html(page.data) if page.kind in _HTML else None


def may_be_of(file: str, name: str) -> bool:
    """Tell whether a file may be one of a package's, by the beginning of its name."""
    return _DISTRIBUTION.fullmatch(file) is not None and canonicalize_name(file).startswith(f"{name}-")


def of_folder(folder: Path, name: str) -> Listing:
    """List the files of a package in a folder, each read whole for its digest.

    Raises:
        OSError: the folder, or one of these files, cannot be read.
    """
    found = [each for each in sorted(folder.iterdir()) if may_be_of(each.name, name)]
    return Listing(files=[ServedFile(name=each.name, digest=_digest(each)) for each in found])


def of_file(file: Path) -> Listing | None:
    """Read a page of links in a file; `None` when it is no such list.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(file) as stream:
        return _of_html(stream.read(_LARGEST_FILE))


def _digest(file: Path) -> str:
    with open_regular(file) as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _of_json(data: bytes) -> Listing | None:
    try:
        document = canonical.decode_loosely(data)
    except (ValueError, RecursionError):
        return None
    match document:
        case {"meta": {"api-version": str(version)}, "files": [*files]} if version.partition(".")[0] == "1":
            return Listing(files=list(_files(files)))
        case _:
            return None


def _files(listed: list[Any]) -> Iterator[ServedFile]:
    for each in listed:
        match each:
            case {"filename": str(name), "hashes": {**hashes}}:
                yanked = each.get("yanked")
                yield ServedFile(name=name, digest=_sha256(hashes.get("sha256")), yanked=_yanked(yanked))
            case _:
                pass


def _yanked(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return _legible(value)
    return "" if value is True else None


def _legible(reason: str) -> str:
    told = " ".join("".join(each if each.isprintable() else " " for each in reason).split())
    return told[:_LONGEST_REASON]


def _sha256(value: Any) -> str | None:
    return f"sha256:{value}" if isinstance(value, str) and _SHA256.fullmatch(value) else None


def _of_html(data: bytes) -> Listing | None:
    links = _Links()
    links.feed(data.decode("utf-8", errors="replace"))
    links.close()
    return Listing(files=links.files) if links.is_html else None


class _Links(HTMLParser):
    """Collects the links of a page. `is_html` once it has any tag at all: an error in plain text is no list."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[ServedFile] = []
        self.is_html = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read one link."""
        self.is_html = True
        given = dict(attrs)
        address = given.get("href")
        if tag != "a" or not address:
            return
        try:
            parts = urlsplit(address)
        except ValueError:
            return
        name = unquote(parts.path).rpartition("/")[2]
        digest = _IN_ADDRESS.search(parts.fragment)
        yanked = _legible(given["data-yanked"] or "") if "data-yanked" in given else None
        if _DISTRIBUTION.fullmatch(name):
            self.files.append(ServedFile(name=name, digest=_sha256(digest[1]) if digest else None, yanked=yanked))
