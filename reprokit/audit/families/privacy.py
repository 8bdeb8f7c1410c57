"""Privacy: whether patterns that are known today find a secret that those of the capture did not."""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from reprokit.audit.held import Held
from reprokit.audit.statements import NotKnown, Statement
from reprokit.bundle import bag
from reprokit.bundle.compression import open_stored
from reprokit.bundle.finding import finding
from reprokit.bundle.writing import Readable
from reprokit.errors import ReprokitError
from reprokit.probes.secrets.known import Secrets
from reprokit.probes.secrets.redaction import names_in_stream

_NOBODY = Secrets()
_LARGEST = 1 << 30  # bytes of a file whose size the record does not tell


class _Bounded:
    """A stream that ends where the record says that the file does: a bomb is not unpacked."""

    def __init__(self, stream: Readable, left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int = -1, /) -> bytes:
        """Read on, as a file does."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        self._left -= len(data)
        return data


def check(held: Held) -> Iterator[Statement]:
    """Search every file, unpacked, for keys in the forms that services give them, and for private keys.

    What is found is named by its kind and never shown.
    """
    if held.bundle is None:
        return
    try:
        paths = bag.read_manifest(held.folder)
    except ReprokitError:
        return
    sizes = {f"{bag.PAYLOAD}/{file.stored}": file.size for file in held.bundle.record.files}
    for path in paths:
        try:
            with open_stored(held.folder / path) as stream:
                names = names_in_stream(_Bounded(stream, sizes.get(path, _LARGEST)), _NOBODY)
        except (OSError, zstandard.ZstdError) as error:
            yield NotKnown(where=path, because=f"it cannot be read: {error}")
            continue
        for name in sorted(names):
            yield finding("E441", path, f"it has the form of a {name}")
