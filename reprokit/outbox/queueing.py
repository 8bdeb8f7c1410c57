"""Asking for bundles to be copied to a mirror as they are captured: a file each, and nobody is waited for.

Where they are to go is settled before the evaluation starts, since what follows may run elsewhere; what is wrong with
that is told, and never stands in the way of the run or its capture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reprokit.archive.layout import Archive
from reprokit.bundle.values import Json
from reprokit.errors import ReprokitError
from reprokit.mirrors.interface import Destination
from reprokit.outbox import waiting as outbox

DEFAULT = "wandb"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is wanted of a mirror, by name: where bundles are to go, or why that cannot be settled."""

    mirror: str
    destination: Destination | None = None
    failure: Exception | None = None

    @property
    def filed(self) -> dict[str, Json] | None:
        """The destination as JSON; `None` when there is none."""
        filed: dict[str, Json] | None = None if self.destination is None else msgspec.to_builtins(self.destination)
        return filed


@dataclass(frozen=True, kw_only=True)
class Queued:
    """What came of it: the bundles that wait now, or why none does. `disabled` says that it was wished so."""

    mirror: str
    bundles: tuple[str, ...] = ()
    destination: Destination | None = None
    disabled: bool = False
    failure: Exception | None = None


def settle(archive: Archive, mirror: str, *, environment: Mapping[str, str], directory: Path) -> Wanted:
    """Settle where the bundles of a capture are to go. Never raises."""
    try:
        from reprokit.outbox import destinations  # noqa: PLC0415 - who wants no mirror need not wait for its settings

        to = destinations.destination(archive, mirror, environment=environment, directory=directory)
    except Exception as error:  # noqa: BLE001 - a capture goes on without its mirror, whatever is wrong with that
        return Wanted(mirror=mirror, failure=error)
    return Wanted(mirror=mirror, destination=to)


def wanted_before(filed: Mapping[str, Json] | None) -> Wanted | None:
    """Read again what was settled when a capture began; `None` when nothing was wanted."""
    if filed is None:
        return None
    name = str(filed.get("mirror", DEFAULT))
    try:
        return Wanted(mirror=name, destination=msgspec.convert(filed, Destination))
    except msgspec.ValidationError as error:
        return Wanted(mirror=name, failure=ReprokitError(f"what was settled for `{name}` cannot be read: {error}"))


def queue(archive: Archive, wanted: Wanted | None, bundle_ids: Sequence[str]) -> Queued | None:
    """Put bundles into the outbox, whether they are new or not; `None` when nothing is wanted. Never raises."""
    if wanted is None:
        return None
    to = wanted.destination
    if to is None or wanted.filed is None:
        return Queued(mirror=wanted.mirror, failure=wanted.failure)
    if to.mode == "disabled":
        return Queued(mirror=wanted.mirror, destination=to, disabled=True)
    waiting: list[str] = []
    try:
        for bundle_id in bundle_ids:
            outbox.queue(archive, bundle_id, wanted.filed)
            waiting.append(bundle_id)
    except Exception as error:  # noqa: BLE001 - what is captured is captured
        return Queued(mirror=wanted.mirror, bundles=tuple(waiting), destination=to, failure=error)
    return Queued(mirror=wanted.mirror, bundles=tuple(waiting), destination=to)
