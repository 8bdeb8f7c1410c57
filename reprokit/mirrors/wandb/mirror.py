"""Weights & Biases as a mirror: what the contract asks, done in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from reprokit.bundle.values import as_json
from reprokit.errors import NotFoundError
from reprokit.mirrors.interface import AwayError, Consignment, Copy, Destination, Environment, Exported, Receipt, Room
from reprokit.mirrors.wandb import key, wire, worker
from reprokit.mirrors.wandb import probe as probing
from reprokit.mirrors.wandb import reference as references
from reprokit.mirrors.wandb import settings as filing
from reprokit.mirrors.wandb.wire import Found, Parcel, Pushed, Request, Sent, Written
from reprokit.mirrors.wandb.worker import Call

_OWN_END = 0.9
"""The part of the time after which the process gives up by itself, while it can still say why."""


class WandbMirror:
    """Keeps copies of bundles on Weights & Biases: as a run for people, and as an artifact that holds every byte."""

    name: str = "wandb"

    def destination(self, settings: Mapping[str, Any], environment: Environment, *, own: bool) -> Destination:
        """Settle where bundles go."""
        return filing.destination(settings, environment, own=own)

    def ready(self, to: Destination, environment: Environment) -> None:
        """See whether W&B's client is here, and a key for the server."""
        probing.require_client()
        if to.mode == "online":
            key.find(to, environment)

    def probe(self, to: Destination, environment: Environment) -> None:
        """Ask the server whether it is there and knows our key."""
        filing.options(to)
        probing.probe(to, environment)

    def push(self, consignment: Consignment, to: Destination, environment: Environment, room: Room) -> Receipt:
        """Show a bundle and keep a copy of it on the server."""
        asked = wire.Push(
            parcel=_parcel(consignment),
            address=to.address,
            options=filing.options(to),
            seconds=room.seconds * _OWN_END,
        )
        outcome = _online(asked, to, environment, room)
        if isinstance(outcome, Pushed):
            return outcome.receipt
        raise _beside_the_point()

    def export(
        self, consignment: Consignment, to: Destination, environment: Environment, folder: Path, room: Room
    ) -> Exported:
        """Write what `push` would send into a folder, for `wandb sync`."""
        asked = wire.Export(
            parcel=_parcel(consignment),
            address=to.address,
            options=filing.options(to),
            folder=str(folder.absolute()),
            seconds=room.seconds * _OWN_END,
        )
        probing.require_client()
        outcome = worker.run(Call(request=asked, environment=environment, address=to.address, key=None, room=room))
        if isinstance(outcome, Written):
            return outcome.exported
        raise _beside_the_point()

    def look(self, reference: str, to: Destination, environment: Environment, room: Room) -> Copy:
        """Tell what a reference means on the server."""
        options = filing.options(to)
        references.parse(reference, entity=options.entity, project=options.project)
        asked = wire.Look(reference=reference, address=to.address, options=options, seconds=room.seconds * _OWN_END)
        outcome = _online(asked, to, environment, room)
        if isinstance(outcome, Found):
            return outcome.copy
        raise _beside_the_point()

    def fetch(self, reference: str, to: Destination, environment: Environment, folder: Path, room: Room) -> Copy:
        """Bring the files of a version from the server into an empty folder, each compared with the server's list."""
        options = filing.options(to)
        references.parse(reference, entity=options.entity, project=options.project)
        if any(folder.iterdir()):
            message = f"`{folder}` is not empty"
            raise ValueError(message)
        asked = wire.Fetch(
            reference=reference,
            address=to.address,
            options=options,
            folder=str(folder.absolute()),
            seconds=room.seconds * _OWN_END,
            piecemeal=room.piecemeal,
        )
        outcome = _online(asked, to, environment, room)
        if isinstance(outcome, Found):
            return outcome.copy
        raise _beside_the_point()


def _online(asked: Request, to: Destination, environment: Environment, room: Room) -> wire.Outcome:
    probing.require_client()
    secret = key.find(to, environment)
    return worker.run(Call(request=asked, environment=environment, address=to.address, key=secret, room=room))


def _beside_the_point() -> AwayError:
    return AwayError("W&B's client answered something else than it was asked", hint="try again")


def _parcel(consignment: Consignment) -> Parcel:
    if not consignment.bundle.path.is_dir():
        raise NotFoundError(f"`{consignment.bundle.path}` is not there", hint="`reprokit pull` brings it back")
    label = consignment.label
    parcel = Parcel(
        bundle=str(consignment.bundle.path.absolute()),
        files={path: Sent(md5=each.md5, size=each.size) for path, each in consignment.files.items()},
        name=label.name,
        tags=list(label.tags),
        note=label.note,
        before=list(consignment.before),
        original=consignment.original,
    )
    # What was typed on a command line may hold what UTF-8 has no bytes for.
    return msgspec.convert(as_json(msgspec.to_builtins(parcel)), Parcel)
