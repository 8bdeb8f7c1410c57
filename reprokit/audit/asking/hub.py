"""Asking the hub of models and datasets that the person uses, and Software Heritage, for a commit."""

from __future__ import annotations

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from reprokit.audit.asking.heard import Kind, Presence, Silence
from reprokit.audit.asking.web import Asked, Page, Question, host
from reprokit.bundle import canonical
from reprokit.git_address import without_credentials

HUB = "https://huggingface.co"
HERITAGE = "https://archive.softwareheritage.org"
HERITAGE_VARIABLE = "REPROKIT_SOFTWARE_HERITAGE"
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_MOST = 16 << 20
_SHA1 = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class HuggingFace:
    """The hub that `HF_ENDPOINT` names, or the hosted one."""

    address: str
    ask: Asked
    token: str | None = field(default=None, repr=False)

    def serves(self, kind: Kind, name: str, revision: str) -> Presence | Silence:
        """Ask for a model or a dataset at a full commit; a redirect to its new name is followed."""
        path = f"api/{kind}s/{quote(name)}/revision/{quote(revision, safe='')}"
        secret = f"Bearer {self.token}" if self.token else None
        page = self.ask(Question(address=f"{self.address}/{path}?expand=sha", secret=secret, most=_MOST))
        if isinstance(page, Silence):
            return page
        if page.status == http.client.NOT_FOUND:
            return Presence(there=False)
        told = _document(page)
        if isinstance(told, dict) and told.get("sha") == revision:
            return Presence(there=True)
        return Silence(because=f"the answer of `{host(self.address)}` does not say at which commit it is")


def hugging_face(environ: Mapping[str, str], ask: Asked) -> HuggingFace:
    """Find the person's hub; their token is shown to it and to nobody else."""
    given = environ.get("HF_ENDPOINT") or HUB
    return HuggingFace(
        address=without_credentials(given).rstrip("/"),
        ask=ask,
        token=next((environ[name] for name in _TOKENS if environ.get(name)), None),
    )


@dataclass(frozen=True, kw_only=True)
class SoftwareHeritage:
    """Software Heritage, or whatever speaks its language at the address that a variable names."""

    address: str
    ask: Asked

    def knows(self, commit: str) -> Presence | Silence:
        """Ask whether it holds a commit."""
        if not _SHA1.fullmatch(commit):
            return Silence(because="Software Heritage names commits by SHA-1 only")
        identifier = f"swh:1:rev:{commit}"
        question = Question(
            address=f"{self.address}/api/1/known/",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=canonical.line([identifier]),
        )
        page = self.ask(question)
        if isinstance(page, Silence):
            return page
        match _document(page):
            case {**told} if isinstance(about := told.get(identifier), dict) and isinstance(about.get("known"), bool):
                return Presence(there=about["known"])
            case _:
                return Silence(because=f"the answer of `{host(self.address)}` does not say whether it holds it")


def software_heritage(environ: Mapping[str, str], ask: Asked) -> SoftwareHeritage:
    """Find Software Heritage."""
    return SoftwareHeritage(address=(environ.get(HERITAGE_VARIABLE) or HERITAGE).rstrip("/"), ask=ask)


def _document(page: Page) -> Any:
    """Decode what should be JSON; `None` when it is not."""
    try:
        return canonical.decode_loosely(page.data)
    except (ValueError, RecursionError):
        return None
