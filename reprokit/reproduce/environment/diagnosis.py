"""Why an environment cannot be installed: which packages are not to be had, why, and what is nearest to them.

uv is asked for fewer and fewer packages together, until it is asked for one: what it says then is about that one.
Only what indexes list is read for this. Nothing is installed; what has no wheel is built only where that is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprokit.child_process import Ended
from reprokit.errors import InputMissingError
from reprokit.package_indexes import ADDRESS, NO_ANSWER, PINNED
from reprokit.reproduce.environment.uv import Uv, said
from reprokit.rerun.requirements import Pin

_ASK = ("pip", "compile", "--no-deps", "--no-annotate", "--no-header", "--no-python-downloads", "--no-sources")
_ASKED_AT_ONCE = 4

_ONLY_SOURCE = "it has no wheel, only source that would have to be built"
_REASONS = (
    (re.compile(r"network was disabled"), "it is not in uv's cache, and the network is off"),
    (re.compile(r"was not found in"), "no index knows it"),
    (re.compile(r"there (is|are) no versions? of"), "the index has no such version"),
    (re.compile(r"no usable wheels|Wheels are required"), _ONLY_SOURCE),
    (re.compile(r"no wheels with a matching"), "it has no wheel for this platform or Python"),
    (re.compile(r"Python version .* does not satisfy|requires-python", re.IGNORECASE), "it is not for this Python"),
)
_LONGEST = 200

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(frozen=True, kw_only=True, order=True)
class Unsatisfied:
    """A package that is not to be had: why, and the nearest version that is, if there is one."""

    name: str
    version: str
    reason: str
    nearest: str | None

    @property
    def only_source(self) -> bool:
        """Tell whether it could be had if it were built."""
        return self.reason == _ONLY_SOURCE


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """Where packages are looked for, and for which interpreter; `options` say which folders and indexes count."""

    uv: Uv
    interpreter: Path
    options: tuple[str, ...] = ()

    def ask(self, requirements: Sequence[str], *more: str) -> Ended:
        """Ask uv whether these requirements can be met."""
        words = [*_ASK, *self.options, *more, "--python", str(self.interpreter), "-"]
        return self.uv.run(words, stdin="".join(f"{each}\n" for each in requirements))


def unsatisfied(inquiry: Inquiry, pins: Sequence[Pin]) -> tuple[Unsatisfied, ...]:
    """Find out which pins cannot be had, and why; digests are not looked at.

    Raises:
        InputMissingError: no index answers.
    """
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        failing = list(_failing(inquiry, pins, pool))
        nearest = _in_turn(pool, lambda each: _nearest(inquiry, each[0], each[1]), failing)
        found = [
            Unsatisfied(name=pin.name, version=pin.version, reason=reason, nearest=version)
            for (pin, reason), version in zip(failing, nearest, strict=True)
        ]
    return tuple(sorted(found))


def _in_turn(pool: ThreadPoolExecutor, ask: Callable[[Asked], Answered], asked: Sequence[Asked]) -> list[Answered]:
    """Ask several things at once; an interrupt ends the asking with those that are under way."""
    try:
        return list(pool.map(ask, asked))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _failing(inquiry: Inquiry, pins: Sequence[Pin], pool: ThreadPoolExecutor) -> Iterator[tuple[Pin, str]]:
    """Halve the groups that cannot be had until each holds one package; yield these, and why."""
    groups: list[Sequence[Pin]] = [pins] if pins else []
    while groups:
        answers = _in_turn(pool, lambda group: inquiry.ask([_plain(pin) for pin in group]), groups)
        refused = [(group, ended) for group, ended in zip(groups, answers, strict=True) if ended.status != 0]
        if refused and all(ended.status == NO_ANSWER for _, ended in refused) and len(refused) == len(groups):
            _require_answer(inquiry, groups, refused[0][1])
        yield from ((group[0], _reason(ended)) for group, ended in refused if len(group) == 1)
        halves = [(group[: len(group) // 2], group[len(group) // 2 :]) for group, _ in refused if len(group) > 1]
        groups = [half for both in halves for half in both]


def _require_answer(inquiry: Inquiry, groups: Sequence[Sequence[Pin]], ended: Ended) -> None:
    """Tell an index that is out of reach from one that fails for some package, by asking for two of them."""
    ends = {_plain(groups[0][0]), _plain(groups[-1][-1])}
    if all(inquiry.ask([each]).status == NO_ANSWER for each in sorted(ends)):
        raise InputMissingError(
            f"no package index answers: {_scrubbed(ended)}",
            hint="a bundle of `capture --with-wheels` needs none; `--env current` runs in the present environment",
        )


def _plain(pin: Pin) -> str:
    return f"{pin.name}=={pin.version}"


def _reason(ended: Ended) -> str:
    text = " ".join(ended.said.decode("utf-8", errors="replace").split())
    return next((reason for pattern, reason in _REASONS if pattern.search(text)), _scrubbed(ended))


def _scrubbed(ended: Ended) -> str:
    """Give what uv said without addresses: they may be a lab's own, and hold a password."""
    return ADDRESS.sub("…", said(ended).removeprefix("error: "))[:_LONGEST]


def _nearest(inquiry: Inquiry, pin: Pin, reason: str) -> str | None:
    """Find the version that is nearest: the public one, then within the minor series, then any."""
    try:
        recorded = Version(pin.version)
    except InvalidVersion:
        return None
    if reason in {_REASONS[0][1], _REASONS[1][1]}:
        return None
    if recorded.local and (found := _version(inquiry, f"{pin.name}=={recorded.public}")):
        return found
    series = ".".join(str(part) for part in (*recorded.release, 0)[:2])
    epoch = f"{recorded.epoch}!" if recorded.epoch else ""
    for within in (f",=={epoch}{series}.*", ""):
        above = _version(inquiry, f"{pin.name}>{recorded.public}{within}", "--resolution", "lowest-direct")
        below = _version(inquiry, f"{pin.name}<{recorded.public}{within}")
        candidates = [each for each in (above, below) if each is not None]
        if candidates:
            return min(candidates, key=lambda each: _distance(Version(each), recorded))
    return None


def _version(inquiry: Inquiry, requirement: str, *more: str) -> str | None:
    ended = inquiry.ask([requirement], *more)
    match = PINNED.search(ended.out.decode("utf-8", errors="replace")) if ended.status == 0 else None
    try:
        return str(Version(match["version"])) if match else None
    except InvalidVersion:
        return None


def _distance(one: Version, other: Version) -> list[int]:
    """Say how far apart two versions are: the first number in which they differ weighs most."""
    pairs = zip_longest((one.epoch, *one.release), (other.epoch, *other.release), fillvalue=0)
    return [abs(mine - theirs) for mine, theirs in pairs]


def told(found: Sequence[Unsatisfied]) -> str:
    """Name each package that cannot be had, why, and what is nearest."""
    return "; ".join(
        f"`{each.name}=={each.version}`: {each.reason}" + (f" (nearest: {each.nearest})" if each.nearest else "")
        for each in found
    )


def replaced(pins: Sequence[Pin], found: Sequence[Unsatisfied]) -> tuple[Pin, ...]:
    """Put the nearest version in the place of each that is not to be had; its digests are not known."""
    nearest = {canonicalize_name(each.name): each.nearest for each in found if each.nearest is not None}
    return tuple(
        Pin(pin.name, nearest.get(canonicalize_name(pin.name), "")) if canonicalize_name(pin.name) in nearest else pin
        for pin in pins
    )
