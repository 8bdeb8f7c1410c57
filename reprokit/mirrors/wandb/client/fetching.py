"""What a reference means on a server, and bringing its files here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reprokit.bundle import paths
from reprokit.bundle.values import DIGEST_PATTERN
from reprokit.errors import FixityError, RemoteError
from reprokit.mirrors.interface import Copy
from reprokit.mirrors.wandb import reference as references
from reprokit.mirrors.wandb.client import session
from reprokit.mirrors.wandb.client.download import Download
from reprokit.mirrors.wandb.client.session import Session
from reprokit.mirrors.wandb.client.voice import Voice
from reprokit.mirrors.wandb.settings import Options
from reprokit.mirrors.wandb.wire import Fetch, Look, Sent

_PAGE = 1000
_MOST_FILES = 1_000_000


def look(asked: Look) -> Copy:
    """Tell what a reference means.

    Raises:
        NotFoundError: nothing.
    """
    _, version = _find(asked.reference, asked.options)
    return Copy(
        reference=session.pinned(version),
        identity=_identity(version),
        files=version.file_count,
        octets=version.size,
    )


def fetch(asked: Fetch, voice: Voice) -> Copy:
    """Bring the files that a reference means into an empty folder.

    Raises:
        NotFoundError: it means nothing.
        FixityError: what arrives is not what the server lists, or what it lists is nothing to be brought here.
        AwayError: the server does not give it now.
    """
    _, version = _find(asked.reference, asked.options)
    files = session.listed(version)
    folder = Path(asked.folder)
    _require_fit(files, folder)
    octets = sum(each.size for each in files.values())
    voice.doing("fetching", of=octets)
    addresses = {file.name: file.direct_url for file in version.files(per_page=_PAGE)}
    if unlisted := sorted(addresses.keys() - files.keys()):
        raise FixityError(f"W&B gives `{unlisted[0]}`, which its own list of the version does not hold")
    download = Download(
        base=asked.address, version=version, folder=folder, octets=octets, voice=voice, piecemeal=asked.piecemeal
    )
    download.bring(files, addresses)
    return Copy(reference=session.pinned(version), identity=_identity(version), files=len(files), octets=octets)


def _find(reference: str, options: Options) -> tuple[Session, Any]:
    talk = session.begin(options)
    return talk, session.named(talk, references.parse(reference, entity=talk.entity, project=talk.project))


def _identity(version: Any) -> str | None:
    said = version.metadata.get("identity") if isinstance(version.metadata, dict) else None
    return said if isinstance(said, str) and re.fullmatch(DIGEST_PATTERN, said) else None


def _require_fit(files: Mapping[str, Sent], folder: Path) -> None:
    """Refuse a list of files that leads out of the folder, or that cannot lie in one beside each other."""
    if len(files) > _MOST_FILES:
        raise FixityError(f"W&B lists {len(files)} files, and a bundle has no more than {_MOST_FILES}")
    for path in files:
        if not paths.is_safe(path):
            raise FixityError(f"W&B lists a file that leads out of its folder, or has no possible name: {path[:200]!r}")
        if any(str(parent) in files for parent in PurePosixPath(path).parents):
            raise FixityError(f"W&B lists `{path}`, and a file in the place of its folder")
    octets, free = sum(each.size for each in files.values()), shutil.disk_usage(folder).free
    if octets > free:
        raise RemoteError(
            f"{octets} bytes are to be fetched, and {free} are free", hint=f"make room where `{folder.parent}` lies"
        )
