"""What this process and the one that holds W&B's client say to each other: a line of JSON each.

One thing is asked of one process; it answers with how far it is, and at last with the outcome or a failure.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from reprokit import talk
from reprokit.mirrors.interface import Copy, Exported, Receipt
from reprokit.mirrors.wandb.settings import Options

# What stands in the way: it cannot be done now; W&B refuses us, or what we ask; there is no such thing there; what lies
# here or there is not what it should be; W&B's client is not what it should be.
Trouble: TypeAlias = Literal["away", "refused", "missing", "fixity", "client"]


class Sent(Struct, frozen=True, kw_only=True):
    """A file of a bundle: its MD5 in hexadecimal, and its size in bytes."""

    md5: str
    size: int


class Parcel(Struct, frozen=True, kw_only=True):
    """A bundle and what is to be said of it; see `Consignment`."""

    bundle: str
    files: dict[str, Sent]
    name: str | None
    tags: list[str]
    note: str | None
    before: list[str]
    original: str | None


class Push(Struct, frozen=True, kw_only=True, tag=True):
    """Send a bundle, or what of it is not there yet, and see that all of it is."""

    parcel: Parcel
    address: str
    options: Options
    seconds: float


class Export(Struct, frozen=True, kw_only=True, tag=True):
    """Write into a folder what is to be sent later."""

    parcel: Parcel
    address: str
    options: Options
    folder: str
    seconds: float


class Look(Struct, frozen=True, kw_only=True, tag=True):
    """Tell what a reference means."""

    reference: str
    address: str
    options: Options
    seconds: float


class Fetch(Struct, frozen=True, kw_only=True, tag=True):
    """Bring the files of a version into an empty folder; see `Room` for what `piecemeal` means."""

    reference: str
    address: str
    options: Options
    folder: str
    seconds: float
    piecemeal: bool


class Doing(Struct, frozen=True, kw_only=True, tag=True):
    """How far it is."""

    doing: str
    octets: int = 0
    of: int = 0


class Pushed(Struct, frozen=True, kw_only=True, tag=True):
    """All of the bundle is there."""

    receipt: Receipt


class Written(Struct, frozen=True, kw_only=True, tag=True):
    """It is written, to be sent later."""

    exported: Exported


class Found(Struct, frozen=True, kw_only=True, tag=True):
    """What a reference means; for `Fetch`, what arrived."""

    copy: Copy


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """It was not done."""

    trouble: Trouble
    reason: str
    hint: str | None = None


Request: TypeAlias = Push | Export | Look | Fetch
Outcome: TypeAlias = Pushed | Written | Found
Answer: TypeAlias = Doing | Outcome | Failed

_lines: talk.Lines[Request, Answer] = talk.Lines(Request, Answer)
encode, request, answer = _lines.encode, _lines.request, _lines.answer
