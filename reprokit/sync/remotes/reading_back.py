"""Reading objects of a remote again, every byte, to see whether they are what they are named for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reprokit.archive.cache import md5_of
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.wire import Finished

_BATCH = 1 << 28  # bytes that are here at one time, unless a single object has more


def damaged(objects: Objects, sizes: Mapping[str, int], scratch: Path) -> Iterator[str]:
    """Yield the names of those objects on a remote whose bytes are not what their names say.

    Args:
        objects: the remote.
        sizes: what to read, and how many bytes of each there should be.
        scratch: a folder here to bring them into, a batch at a time.

    Raises:
        RemoteError: the remote cannot be read.
    """
    for batch in _batches(sizes):
        wanted = {name: Destination(path=scratch / name, most=sizes[name]) for name in batch}
        for step in objects.fetch(wanted):
            if isinstance(step, Finished):
                path = scratch / step.object
                if step.size != sizes[step.object] or not is_sound(path, step.object):
                    yield step.object
                path.unlink(missing_ok=True)


def is_sound(path: Path, name: str) -> bool:
    """Tell whether a file here holds the bytes that an object's name stands for."""
    try:
        return md5_of(path) == name.removesuffix(".dir")
    except OSError:
        return False


def _batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    batch: list[str] = []
    octets = 0
    for name, size in sizes.items():
        if batch and octets + size > _BATCH:
            yield batch
            batch, octets = [], 0
        batch.append(name)
        octets += size
    if batch:
        yield batch
