"""The services that bundles are copied to, as one drain of the outbox knows them: asked once each, then believed.

A service is asked again only when no patience with it is left, since then its earlier answer may be out of date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reprokit.archive.layout import Archive
from reprokit.errors import InputMissingError, RemoteError, ReprokitError, UsageError
from reprokit.mirrors import table
from reprokit.mirrors.interface import AwayError, Destination, Environment, Mirror, Step
from reprokit.outbox import destinations as mirror_settings
from reprokit.outbox.waiting import Waiting
from reprokit.sync.mirroring.backoff import Patience

TIMEOUT = 300.0
"""Seconds that the copying of one bundle may take, and more for its bytes."""
BUDGET = 120.0
"""Seconds that may go into tries that failed at one service, and into waiting to try again."""

Watch = Callable[[str, Step], None]
_Key = tuple[str, str, bool]


def unwatched(_: str, __: Step) -> None:
    """Watch nothing."""


def _patience(budget: float) -> Patience:
    return Patience(left=budget)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Under which conditions bundles are copied.

    `environment` and `directory` are those of whoever asks for it. `timeout` and `budget` are in seconds. With
    `sparing`, bundles behind a service that was found to be away are left as they are, untouched and unmentioned, so
    that a drain in vain costs the same however many wait. `patience` makes the patience of a budget.
    """

    environment: Environment
    directory: Path
    timeout: float = TIMEOUT
    budget: float = BUDGET
    sparing: bool = False
    patience: Callable[[float], Patience] = _patience
    watch: Watch = unwatched


@dataclass(kw_only=True)
class Service:
    """One service: the mirror that speaks to it, what patience is left with it, and its answer, if that was trouble."""

    mirror: Mirror
    patience: Patience
    asked: bool = False
    trouble: ReprokitError | None = None


@dataclass(kw_only=True)
class Services:
    """All that bundles of an archive are to go to."""

    archive: Archive
    terms: Terms
    _known: dict[_Key, Service] = field(default_factory=dict)
    _mirrors: dict[str, Mirror] = field(default_factory=dict)
    _wished_now: dict[str, Destination | ReprokitError] = field(default_factory=dict)

    def now(self, queued: Destination) -> Destination:
        """Give a destination as it counts here and now.

        What was asked for stays: where it goes, and how it is shown. Whether anything is sent at all is for this moment
        to say, as whoever works offline does so now. And a key is sent only where the user, here and now, would send
        it: the outbox is a file, and may have come with a copy of somebody else's archive.

        Raises:
            UsageError: there is no such mirror, or what is set for it here and now cannot be followed.
            UnreadableError: a settings file cannot be read.
        """
        now = self._wish_now(queued.mirror)
        if isinstance(now, ReprokitError):
            raise now
        trusted = queued.trusted and now.trusted and now.address == queued.address
        return msgspec.structs.replace(queued, mode=now.mode, trusted=trusted)

    def of(self, to: Destination) -> Service:
        """Give the service of a destination."""
        key = (to.mirror, to.address, to.trusted)
        if key not in self._known:
            self._known[key] = Service(mirror=self._mirror(to.mirror), patience=self.terms.patience(self.terms.budget))
        return self._known[key]

    def require(self, to: Destination) -> Service:
        """Give a service that is there and knows us: it is asked once, and its answer holds for all bundles.

        Raises:
            AwayError: it is not there.
            RemoteError: it refuses us.
            InputMissingError: there is no key, or the service's client is not installed.
        """
        service = self.of(to)
        if not service.asked:
            ask(service, to, self.terms.environment)
            # Any other failure is about this one bundle.
            service.asked = True
        if service.trouble is not None:
            raise service.trouble
        return service

    def is_away(self, wish: Waiting) -> bool:
        """Tell whether a bundle waits for a service that was found to be away; nobody is asked."""
        try:
            return isinstance(self.of(self.now(destination_of(wish))).trouble, AwayError)
        except Exception:  # noqa: BLE001 - to carry the wish out says what is wrong
            return False

    def _wish_now(self, name: str) -> Destination | ReprokitError:
        if name not in self._wished_now:
            terms = self.terms
            try:
                self._wished_now[name] = mirror_settings.destination(
                    self.archive,
                    name,
                    environment=terms.environment,
                    directory=terms.directory,
                    mirror=self._mirror(name),
                )
            except ReprokitError as error:
                self._wished_now[name] = error
        return self._wished_now[name]

    def _mirror(self, name: str) -> Mirror:
        if name not in self._mirrors:
            self._mirrors[name] = table.mirror(name)
        return self._mirrors[name]


def ask(service: Service, to: Destination, environment: Environment) -> None:
    """Ask a service whether it is there and knows us; trouble holds for all bundles that are to go there."""
    try:
        service.mirror.probe(to, environment)
    except (RemoteError, InputMissingError) as error:
        service.trouble = error


def destination_of(wish: Waiting) -> Destination:
    """Read where a bundle is to go.

    Raises:
        UsageError: what the outbox holds is no destination.
    """
    again = f"ask for it again: `reprokit push --mirror {wish.mirror} {wish.bundle}`"
    try:
        queued = msgspec.convert(wish.destination, Destination)
    except msgspec.ValidationError as error:
        raise UsageError(f"its file in the outbox names no destination: {error}", hint=again) from error
    if queued.mirror != wish.mirror:
        raise UsageError("its file in the outbox names two mirrors", hint=again)
    return queued
