"""What came of a repair, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from reprokit.bundle.values import Digest
from reprokit.errors import ReprokitError

Kind: TypeAlias = Literal["file", "object", "listing", "pointer", "entry", "ledger", "remote object", "stray"]


class Restored(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """One thing that is as it should be again."""

    path: Annotated[
        str,
        Meta(
            description="of a file, in the bundle; of an object in DVC's cache, its name; else, in the archive; of one "
            "on a remote, its file with the remote's name before it"
        ),
    ]
    kind: Annotated[Kind, Meta(description="`stray`: it did not belong there, and was moved aside")]
    from_: Annotated[str, Meta(description="the copy that it came from")]
    set_aside: Annotated[
        str | None, Meta(description="where the damaged bytes lie now, in the archive; null when there were none")
    ] = None


class Refused(Struct, frozen=True, kw_only=True):
    """One thing that was left as it is, and why: where a good copy was looked for, and what was wrong with each."""

    path: str
    reason: str


class Repaired(Struct, frozen=True, kw_only=True):
    """What came of the repair of a bundle, or of the archive's own files."""

    bundle: Annotated[str | None, Meta(description="bundle id; null for the archive's own files")] = None
    identity: Annotated[Digest | None, Meta(description="of the bundle; null when it is not clear")] = None
    restored: list[Restored] = []
    refused: list[Refused] = []
    whole: Annotated[bool, Meta(description="every byte of it, read again afterwards, is as it should be")]
    remarks: Annotated[list[str], Meta(description="what was left undone, such as a commit")] = []


@dataclass(frozen=True)
class Report:
    """What a repair has come to so far."""

    restored: list[Restored] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        """Say that something is left as it is."""
        self.refused.append(Refused(path=shown(path), reason=shown(reason)))

    def restore(self, path: str, kind: Kind, from_: str, set_aside: str | None = None) -> None:
        """Say that something is as it should be again."""
        where = None if set_aside is None else shown(set_aside)
        self.restored.append(Restored(path=shown(path), kind=kind, from_=shown(from_), set_aside=where))


def shown(text: str) -> str:
    """Write a text that may hold a file name of any bytes: what is no Unicode becomes `?`."""
    return text.encode(errors="replace").decode()


def told(error: OSError | ReprokitError) -> str:
    """Write an error in one line."""
    return error.message if isinstance(error, ReprokitError) else error.strerror or str(error)
