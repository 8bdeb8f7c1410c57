"""Reading a bundle's lock as data: pinned names and nothing else, so that a foreign lock can command nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from reprokit.archive.locks import CompletedLock
from reprokit.errors import InvalidRecordError


@dataclass(frozen=True, order=True)
class Pin:
    """One distribution at one version, and the digests that its files may have, where they are known."""

    name: str
    version: str
    digests: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as a requirement."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={digest}" for digest in self.digests)])


def with_digests(found: Sequence[Pin], completed: CompletedLock | None) -> list[Pin]:
    """Add what an index said of the files of each distribution, when it was asked."""
    known = {(each.name, each.version): tuple(each.digests) for each in completed.hashed} if completed else {}
    return [replace(pin, digests=known.get((pin.name, pin.version), ())) for pin in found]


def _pin(line: str) -> Pin:
    try:
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        Version(specifier.version)
    except (InvalidRequirement, InvalidVersion, ValueError) as error:
        raise InvalidRecordError(
            f"`requirements.lock` holds `{line[:80]}`, which is no pinned name",
            hint="do not install this bundle's lock",
        ) from error
    if specifier.operator != "==" or requirement.url or requirement.extras or requirement.marker:
        raise InvalidRecordError(
            f"`requirements.lock` holds `{line[:80]}`, which is more than a pinned name",
            hint="do not install this bundle's lock",
        )
    return Pin(requirement.name, specifier.version)


def pins(lock: bytes) -> tuple[list[Pin], list[str]]:
    """Read `requirements.lock` into its pins, and the remarks on what it could not pin.

    Raises:
        InvalidRecordError: a line is anything but `name==version` or a comment.
    """
    found: list[Pin] = []
    remarks: list[str] = []
    heading = True
    for line in lock.decode("utf-8", errors="replace").splitlines():
        text = line.strip()
        if text.startswith("#"):
            if not heading:
                remarks.append(text.lstrip("# "))
        elif text:
            heading = False
            found.append(_pin(text))
        else:
            heading = False
    return found, remarks
