"""Where a page finds the pictures that samples are about: in the bundles, or in folders that the person names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from reprokit.bundle.bag import open_regular
from reprokit.bundle.reading import Bundle
from reprokit.bundle.sample import Medium
from reprokit.errors import ReprokitError
from reprokit.report.embedded_pictures import MOST_OF_ONE


class FoundPictures:
    """Gives the bytes of a picture, whose digest the bytes must have.

    A sample's picture is known by its file's digest, and named by where the run found it: a name is only ever looked
    for below the folders that were named, and what else lies there is not read.
    """

    def __init__(self, bundles: Sequence[Bundle], folders: Sequence[Path]) -> None:
        self._carried = {file.digest: (bundle, file.path) for bundle in bundles for file in bundle.record.files}
        self._folders = [folder.resolve() for folder in folders]

    def __call__(self, medium: Medium) -> bytes | None:
        """Give the bytes of a picture; `None` when they are not to be had."""
        if medium.digest_of != "file" or not isinstance(medium.digest, str):
            return None
        for data in self._candidates(medium, medium.digest):
            if f"sha256:{hashlib.sha256(data).hexdigest()}" == medium.digest:
                return data
        return None

    def _candidates(self, medium: Medium, digest: str) -> Iterator[bytes]:
        if digest in self._carried:
            bundle, carried = self._carried[digest]
            # A page is shown without what is damaged; `validate` is there to tell of it.
            with suppress(ReprokitError):
                yield bundle.read_payload(carried)
        name = PurePosixPath(medium.name or "")
        for folder in self._folders if name.name else ():
            for path in (folder / name.relative_to(name.anchor), folder / name.name):
                yield from _read(path, within=folder)


def _read(path: Path, *, within: Path) -> Iterator[bytes]:
    # A name may hold what no file system takes, and lead through links that never end.
    with suppress(OSError, ValueError, RuntimeError):
        if path.resolve().is_relative_to(within):
            with open_regular(path) as stream:
                yield stream.read(MOST_OF_ONE + 1)
