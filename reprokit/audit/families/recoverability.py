"""Recoverability: whether the Python environment of a run could be put together again."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from reprokit.archive import locks
from reprokit.archive.locks import CompletedLock
from reprokit.audit.asking import fitting, tables
from reprokit.audit.asking.asking import Asking, Release
from reprokit.audit.asking.heard import ServedFile
from reprokit.audit.held import Held
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import finding
from reprokit.bundle.reading import ENVIRONMENT, LOCK, Bundle
from reprokit.bundle.values import Unknown
from reprokit.capture.wheels import FOLDER as WHEELS
from reprokit.errors import ReprokitError

_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_OF_SYSTEM = "belongs to the operating system"
_NO_WHEELS = "W359"


@dataclass(frozen=True, kw_only=True)
class _Pin:
    """A package that an index would be asked for. `digests` are of its files, empty where none are known."""

    name: str
    version: str
    digests: frozenset[str] = frozenset()
    unknown: str = ""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """What the run's Python accepts: `tags`, or those for every machine where `unknown` says why not all are known."""

    tags: frozenset[Tag]
    unknown: str = ""


def check(held: Held, asking: Asking, now: dt.datetime) -> Iterator[Statement]:
    """Ask for every package of a run where packages are to be had; and tell whether its Python is still looked after.

    A package whose wheel is in the bundle is not asked for. A bundle that cannot be read is told as not known.
    """
    bundle = held.bundle
    if bundle is None:
        because = "its records cannot be read" if held.here else "it is not in this copy of the archive"
        yield NotKnown(where=held.id, because=because)
        return
    yield from (each for each in bundle.record.findings if each.code == _NO_WHEELS)
    try:
        environment = bundle.environment
        data = bundle.read_payload(LOCK)
    except ReprokitError as error:
        yield NotKnown(where="environment/", because=error.message)
        return
    yield _python(environment, now.date())
    if environment is None or isinstance(environment.packages, Unknown):
        reason = (
            environment.packages.unknown if environment and isinstance(environment.packages, Unknown) else "nothing"
        )
        yield NotKnown(where=LOCK, because=f"the packages of the run are not recorded: {reason}")
        return
    yield from _packages(held, bundle, environment, data, asking)


def _python(environment: Environment | None, today: dt.date) -> Statement:
    version = fitting.python_version(environment)
    if environment is None or environment.interpreter is None or version is None:
        return NotKnown(where=ENVIRONMENT, because="the Python of the run is not recorded")
    series, table = f"{version[0]}.{version[1]}", tables.python_ends()
    implementation = environment.interpreter.implementation
    if implementation != "cpython":
        return NotKnown(where=ENVIRONMENT, because=f"how long `{implementation}` is looked after is not known")
    end = table.ends.get(series)
    if end is None:
        because = f"when Python {series} ends was not known on {table.as_of.isoformat()}"
        return NotKnown(where=ENVIRONMENT, because=because)
    if end < today:
        return finding("W423", ENVIRONMENT, f"Python {series}, since {end.isoformat()}")
    return Fact(where=ENVIRONMENT, told=f"Python {series} gets security fixes until {end.isoformat()}")


def _packages(held: Held, bundle: Bundle, environment: Environment, data: bytes, asking: Asking) -> Iterator[Statement]:
    completed: CompletedLock | None = None
    try:
        completed = locks.newest(held.archive, locks.digest_of(data))
    except ReprokitError as error:
        yield NotKnown(where=LOCK, because=error.message)
    pins, elsewhere = _read(data, completed)
    carried = _carried(bundle)
    asked = [pin for pin in pins if not _is_carried(pin, carried)]
    if len(asked) < len(pins):
        told = f"{len(pins) - len(asked)} of {len(pins)} packages can be installed from the wheels in the bundle"
        yield Fact(where=WHEELS, told=told)
    yield from _from_elsewhere(bundle, elsewhere)
    if asked and completed is None:
        unknown = "the digests of its packages are not known (`reprokit sync` asks for them): looked only for versions"
        yield NotKnown(where=LOCK, because=unknown)
    yield from _all_asked(asked, _machine(environment), asking)


def _read(data: bytes, completed: CompletedLock | None) -> tuple[list[_Pin], dict[str, str]]:
    """Read the pins of a lock, sorted, with what is known of them; and why others are not from an index."""
    digests = {(each.name, each.version): each.digests for each in completed.hashed} if completed else {}
    reasons = {(each.name, each.version): each.reason for each in completed.unhashed} if completed else {}
    pins: list[_Pin] = []
    elsewhere: dict[str, str] = {}
    for line in data.decode("utf-8", errors="replace").splitlines():
        if match := _PIN.fullmatch(line.strip()):
            key = match["name"], match["version"]
            known = frozenset(digests.get(key, ()))
            pins.append(_Pin(name=key[0], version=key[1], digests=known, unknown=reasons.get(key, "")))
        elif match := locks.NOT_FROM_AN_INDEX.fullmatch(line.strip()):
            elsewhere[match["name"]] = f"`{match['version']}` {match['reason']}"
    return sorted(pins, key=str), dict(sorted(elsewhere.items()))


def _carried(bundle: Bundle) -> set[tuple[str, Version]]:
    """List the wheels in the bundle, by package and version."""
    found: set[tuple[str, Version]] = set()
    for file in bundle.record.files:
        folder, _, name = file.path.rpartition("/")
        if folder == WHEELS and fitting.is_wheel(name):
            try:
                found.add(parse_wheel_filename(name)[:2])
            except (InvalidWheelFilename, InvalidVersion):
                continue
    return found


def _is_carried(pin: _Pin, carried: set[tuple[str, Version]]) -> bool:
    try:
        return (pin.name, Version(pin.version)) in carried
    except InvalidVersion:
        return False


def _from_elsewhere(bundle: Bundle, elsewhere: dict[str, str]) -> Iterator[Statement]:
    """Say of packages that no index has that nobody was asked, but for those whose checkout is in the bundle."""
    try:
        used = {canonicalize_name(use.name) for each in bundle.sources for use in each.used_as if use.name}
    except ReprokitError:
        used = set()
    of_system = [name for name, reason in elsewhere.items() if reason.endswith(_OF_SYSTEM)]
    if of_system:
        because = f"{len(of_system)} packages, `{of_system[0]}` for one, came with the operating system"
        yield NotKnown(where=LOCK, because=f"{because}: no index is asked for them")
    for name, reason in elsewhere.items():
        if name not in of_system and not (name in used and "is editable" in reason):
            yield NotKnown(where=name, because=f"{reason}: no index is asked for it")


def _machine(environment: Environment) -> _Machine:
    found = fitting.accepted(environment)
    if isinstance(found, str):
        return _Machine(tags=fitting.any_machine(environment), unknown=found)
    return _Machine(tags=found)


def _all_asked(pins: list[_Pin], machine: _Machine, asking: Asking) -> Iterator[Statement]:
    """Ask for packages one by one, and count those that are as they were."""
    well, ages = 0, set()
    for pin in pins:
        release = asking.release(pin.name, pin.version)
        statement = _judged(pin, release, machine)
        if statement is not None:
            yield statement
            continue
        well += 1
        ages.add(release.as_of)
    if well:
        told = f"{well} of {len(pins)} packages that were asked for are served, with a wheel for the run's machine"
        yield Fact(where=LOCK, told=told + min(ages - {""}, default=""))


def _judged(pin: _Pin, release: Release, machine: _Machine) -> Statement | None:
    """Say what is wrong with a package, or not known of it; `None` when it can be installed as it was."""
    files = release.files
    if pin.digests:
        files = tuple(each for each in files if each.digest in pin.digests)
    if not files:
        return _absent(pin, release)
    fitting_here = [each for each in files if fitting.fits(each.name, machine.tags)]
    if not fitting_here:
        return _without_wheel(pin, files, release, machine)
    if all(each.yanked is not None for each in fitting_here):
        return finding("W422", str(pin), _why_yanked(fitting_here) + release.as_of)
    if pin.unknown:
        return NotKnown(where=str(pin), because=f"it is served, and whether as it was is not known: {pin.unknown}")
    return None


def _absent(pin: _Pin, release: Release) -> Statement:
    if release.silent:
        return NotKnown(where=str(pin), because="; ".join(release.silent))
    if pin.digests and any(each.digest is None for each in release.files):
        return NotKnown(where=str(pin), because=f"the index tells no digest of its files{release.as_of}")
    if pin.digests:
        others = "files of other content are served as that version" if release.files else "no file of it is served"
        return finding("W421", str(pin), others + release.as_of)
    if pin.unknown or not release.known or "+" in pin.version:
        reason = pin.unknown or "it may come from an index that is not configured here"
        return NotKnown(where=str(pin), because=f"no file of it is served, and none was known: {reason}")
    return finding("W421", str(pin), f"the index has other versions of it only{release.as_of}")


def _without_wheel(pin: _Pin, files: tuple[ServedFile, ...], release: Release, machine: _Machine) -> Statement:
    wheels = [each for each in files if fitting.is_wheel(each.name)]
    if wheels and machine.unknown:
        return NotKnown(
            where=str(pin), because=f"it is served, and whether a wheel fits is not known: {machine.unknown}"
        )
    if release.silent:
        because = f"a source or wheels for other machines are served; {'; '.join(release.silent)}"
        return NotKnown(where=str(pin), because=because)
    if not wheels:  # its makers never built one: that is as it was on the day of the run
        told = f"the index has only its source{release.as_of}: `reproduce --allow-sdist` builds it"
        return Fact(where=str(pin), told=told)
    return finding("W424", str(pin), f"{len(wheels)} for others{release.as_of}")


def _why_yanked(files: list[ServedFile]) -> str:
    reason = next((each.yanked for each in files if each.yanked), None)
    return f"they say “{reason}”" if reason else "they gave no reason"
