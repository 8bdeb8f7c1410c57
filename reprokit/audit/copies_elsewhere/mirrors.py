"""The mirrors that an audit asks about bundle after bundle, each found to be there once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reprokit import git
from reprokit.archive import durable
from reprokit.archive.layout import Archive
from reprokit.audit.copies_elsewhere.told import Sent, Told
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.finding import finding
from reprokit.errors import FixityError, InvalidRecordError, NotFoundError, ReprokitError
from reprokit.mirrors import table
from reprokit.mirrors.interface import AwayError, Copy, Destination, Environment, Mirror
from reprokit.outbox import destinations as mirror_settings
from reprokit.sync.foreign import references as foreign
from reprokit.sync.foreign.references import Foreign
from reprokit.sync.transfer import RecordsError

_OFFLINE = "nobody was asked, as the audit is offline"


@dataclass(kw_only=True)
class Service:
    """A service as it is reached from here; `own` when the settings name it; not asked any more with `trouble`."""

    mirror: Mirror | None = None
    to: Destination | None = None
    own: bool = True
    trouble: str | None = None


@dataclass(kw_only=True)
class AskedMirrors:
    """All services that the ledger or the policy names. `patience` is in seconds that each question may take."""

    archive: Archive
    environment: Environment = field(repr=False)
    directory: Path
    told: Told
    named: tuple[str, ...]
    offline: bool = False
    deep: bool = False
    patience: float
    services: dict[tuple[str, str], Service] = field(default_factory=dict)


def look(asked: AskedMirrors, bundle: str, identity: str, files: int, octets: int) -> Iterator[list[Statement]]:
    """Yield, for each mirror that is said or asked to hold a bundle, what there is to say.

    Args:
        asked: the mirrors.
        bundle: its id.
        identity: its identity.
        files: how many files it has, tag files included.
        octets: their bytes.
    """
    sent = asked.told.mirrored(identity)
    expected = Copy(reference=bundle, identity=identity, files=files, octets=octets)
    for each in sent:
        yield _look(asked, each, expected)
    for name in dict.fromkeys(asked.named):
        if name not in {each.mirror for each in sent}:
            yield [finding("W402", f"mirror {name}", "the ledger has no receipt of it for this bundle")]


def unknown(asked: AskedMirrors, because: str) -> Iterator[list[Statement]]:
    """Yield that nothing is known of the mirrors that the policy names."""
    for name in dict.fromkeys(asked.named):
        yield [NotKnown(where=f"mirror {name}", because=because)]


def _look(asked: AskedMirrors, sent: Sent, expected: Copy) -> list[Statement]:
    service = _service(asked, sent)
    place = f"mirror {sent.mirror}"
    if not service.own:
        place += f" at {git.without_credentials(sent.address)}"
    if service.trouble is not None or service.mirror is None or service.to is None:
        return [NotKnown(where=place, because=service.trouble or "it is not set up here")]
    wanted = Foreign(
        reference=sent.reference,
        mirror=service.mirror,
        to=service.to,
        environment=asked.environment,
        patience=asked.patience,
    )
    try:
        return [_compared(asked, wanted, place, expected)]
    except NotFoundError:
        return [finding("W402", place, f"it was mirrored on {sent.day}, and is not there")]
    except AwayError as error:
        service.trouble = error.message
        return [NotKnown(where=place, because=error.message)]
    except Exception as error:  # noqa: BLE001 - a mirror may be another package's, and what it answers a stranger's
        return [NotKnown(where=place, because=_reason(error))]


def _service(asked: AskedMirrors, sent: Sent) -> Service:
    key = (sent.mirror, sent.address)
    if key not in asked.services:
        asked.services[key] = Service(trouble=_OFFLINE) if asked.offline else _reached(asked, sent)
    return asked.services[key]


def _reached(asked: AskedMirrors, sent: Sent) -> Service:
    """Settle how a service is reached, and ask whether it is there and knows us.

    Its address is the ledger's word, which may be a stranger's: where the settings here name another, only a key that
    the user keeps for that very host goes there.
    """
    service = Service()
    try:
        mirror = service.mirror = table.mirror(sent.mirror)
        to = mirror_settings.destination(
            asked.archive, sent.mirror, environment=asked.environment, directory=asked.directory, mirror=mirror
        )
        service.own = to.address == sent.address
        if not service.own:
            to = msgspec.structs.replace(to, address=sent.address, trusted=False)
        service.to = to
        if to.mode != "online":
            service.trouble = f"it is set to `{to.mode}`"
        else:
            mirror.probe(to, asked.environment)
    except Exception as error:  # noqa: BLE001 - a mirror may be another package's
        service.trouble = _reason(error)
    return service


def _compared(asked: AskedMirrors, wanted: Foreign, place: str, expected: Copy) -> Statement:
    copy = foreign.look(wanted)
    said = foreign.identity(copy)
    if said not in {None, expected.identity}:
        return finding("E403", place, f"it is `{said}`, by the service's word")
    if (copy.files, copy.octets) != (expected.files, expected.octets):
        there = f"{copy.files} files of {copy.octets} bytes"
        return finding("E403", place, f"it has {there} instead of {expected.files} of {expected.octets}")
    if asked.deep:
        return _proven(asked, wanted, place, msgspec.structs.replace(copy, identity=expected.identity))
    if said is None:
        return NotKnown(where=place, because="the service does not say which bundle it is")
    return Fact(where=place, told=f"all {copy.files} files, by the service's word")


def _proven(asked: AskedMirrors, wanted: Foreign, place: str, copy: Copy) -> Statement:
    """Fetch a copy, prove every byte by its manifest and the identity, and throw it away."""
    durable.prepare(asked.archive)
    with tempfile.TemporaryDirectory(prefix="audit-", dir=asked.archive.scratch) as scratch:
        try:
            foreign.fetch_for_now(wanted, copy, Path(scratch), watch=lambda _: None)
        except RecordsError:
            pass  # its bytes are those that were captured, and what their records lack is told of the bundle here
        except (FixityError, InvalidRecordError) as error:
            return finding("E403", place, error.message)
    return Fact(where=place, told=f"all {copy.files} files, every byte fetched")


def _reason(error: Exception) -> str:
    if isinstance(error, ReprokitError):
        return error.message
    if isinstance(error, OSError):
        return f"it could not be looked at here: {error.strerror or error}"
    return f"a fault of the mirror's own: {type(error).__name__}"
