"""What the ledger says of where bundles were sent, read once for a whole audit, and kept small."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from reprokit import clock
from reprokit.archive import ledger
from reprokit.archive.layout import Archive
from reprokit.errors import InvalidRecordError
from reprokit.mirrors.interface import Receipt
from reprokit.sync.mirroring.events import MIRRORED
from reprokit.sync.remotes.push import pushes

_DAY = len("2026-11-23")


class Sent(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What is kept of the newest receipt of a mirror for a bundle."""

    mirror: str
    address: str
    reference: str
    files: int
    octets: int
    time: str

    @property
    def day(self) -> str:
        """When it was sent, as `2026-11-23`."""
        return self.time[:_DAY]


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where bundles were sent, by the ledger: the day by bundle and address, and receipts by identity."""

    pushed_on: dict[tuple[str, str], str] = field(default_factory=dict)
    sent: dict[str, tuple[Sent, ...]] = field(default_factory=dict)

    def pushed(self, bundle: str, address: str) -> str | None:
        """Tell the day of the newest push of a bundle to the remote at an address; `None` when there was none."""
        return self.pushed_on.get((bundle, address))

    def mirrored(self, identity: str) -> tuple[Sent, ...]:
        """Give the newest receipt of each mirror for the bundle of an identity."""
        return self.sent.get(identity, ())


def told(archive: Archive) -> Told:
    """Read the ledger. What cannot be read in it says nothing; another check finds it."""
    found = Told()
    for event in pushes(archive):
        key = sys.intern(event.bundle), sys.intern(str(event.detail.get("address")))
        found.pushed_on[key] = max(event.time[:_DAY], found.pushed_on.get(key, ""))
    for identity, sent in _receipts(archive):
        known = found.sent.get(identity, ())
        same = next((each for each in known if (each.mirror, each.address) == (sent.mirror, sent.address)), None)
        if same is None or clock.parse(same.time) <= clock.parse(sent.time):
            found.sent[identity] = (*(each for each in known if each is not same), sent)
    return found


def _receipts(archive: Archive) -> Iterator[tuple[str, Sent]]:
    for path in reversed(ledger.batches(archive, [MIRRORED])):
        with contextlib.suppress(InvalidRecordError):
            for event in ledger.read(path):
                with contextlib.suppress(msgspec.ValidationError):
                    receipt = msgspec.convert(event.detail, Receipt)
                    yield (
                        event.identity,
                        Sent(
                            mirror=sys.intern(receipt.mirror),
                            address=sys.intern(receipt.address),
                            reference=receipt.reference,
                            files=receipt.files,
                            octets=receipt.octets,
                            time=event.time,
                        ),
                    )
