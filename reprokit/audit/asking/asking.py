"""Asking the world what is still there: each question once, to whoever can know, and what was answered is kept."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from packaging.version import InvalidVersion, Version

from reprokit.archive import own_folders
from reprokit.archive.layout import Archive
from reprokit.audit.asking import hub, index, listing, remotes, web
from reprokit.audit.asking.answers import Answers
from reprokit.audit.asking.fitting import is_of
from reprokit.audit.asking.heard import (
    Heard,
    Heritage,
    Hub,
    Index,
    Kind,
    Listing,
    Presence,
    Remotes,
    ServedFile,
    Silence,
)
from reprokit.audit.asking.index import Places
from reprokit.audit.asking.web import Page, Question

T = TypeVar("T")

FRESH_FOR = 7 * 24 * 3600.0
"""Seconds for which an answer counts, unless it is said otherwise."""

_RELEASES = 1024


@dataclass(frozen=True, kw_only=True)
class Release:
    """What all places together serve of one version of a package.

    `known` tells whether any of them knows the package at all, `silent` why some did not answer; `as_of` says how old
    the oldest answer is, to stand behind a statement.
    """

    files: tuple[ServedFile, ...] = ()
    known: bool = False
    silent: tuple[str, ...] = ()
    as_of: str = ""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Whom to ask, and what is known already.

    When `offline`, nobody is asked, and a kept answer of any age is used. `timeout` is in seconds for each question,
    `fresh_for` for how long an answer counts.
    """

    remotes: Remotes
    hub: Hub
    heritage: Heritage
    find_places: Callable[[], Places]
    answers: Answers
    offline: bool
    timeout: float
    fresh_for: dt.timedelta
    _releases: OrderedDict[tuple[str, str], Release] = field(default_factory=OrderedDict)

    def commit(self, address: str, commit: str) -> Heard[Presence] | Silence:
        """Ask whether a git remote has a commit."""
        if remotes.is_local(address):
            return self._here(self.remotes.has(address, commit))
        host = remotes.host(address)
        question = ("commit", address, commit)
        return self.answers.learn(question, Presence, host, lambda: self.remotes.has(address, commit))

    def revision(self, kind: Kind, name: str, revision: str) -> Heard[Presence] | Silence:
        """Ask whether the hub serves a model or a dataset at a full commit."""
        question = ("hub", self.hub.address, kind, name, revision)
        host = web.host(self.hub.address)
        return self.answers.learn(question, Presence, host, lambda: self.hub.serves(kind, name, revision))

    def held_by_heritage(self, commit: str) -> Heard[Presence] | Silence:
        """Ask whether Software Heritage holds a commit."""
        question = ("heritage", self.heritage.address, commit)
        host = web.host(self.heritage.address)
        return self.answers.learn(question, Presence, host, lambda: self.heritage.knows(commit))

    @cached_property
    def places(self) -> Places:
        """Where packages are asked for."""
        return self.find_places()

    def release(self, name: str, version: str) -> Release:
        """Ask all places that serve packages for the files of one version; `name` is normalised."""
        known = self._releases.get((name, version))
        if known is None:
            known = self._release(name, version)
            self._releases[name, version] = known
            if len(self._releases) > _RELEASES:
                self._releases.popitem(last=False)
        return known

    def _release(self, name: str, version: str) -> Release:
        missing = self.places.missing
        silent = [missing] if missing is not None else []
        found: list[ServedFile] = []
        known, oldest, as_of = False, dt.timedelta(), ""
        for place in self.places.found:
            heard = self._listing(place, name)
            if isinstance(heard, Silence):
                silent.append(heard.because)
                continue
            known = known or any(listing.may_be_of(each.name, name) for each in heard.answer.files)
            found += (each for each in heard.answer.files if _is_of(each.name, name, version))
            if heard.age > oldest:
                oldest, as_of = heard.age, heard.as_of
        return Release(files=tuple(found), known=known, silent=tuple(silent), as_of=as_of)

    def _listing(self, place: Index, name: str) -> Heard[Listing] | Silence:
        if place.local:
            return self._here(place.files(name))
        host = web.host(place.address)
        return self.answers.learn(place.question(name), Listing, host, lambda: place.files(name))

    def _here(self, found: T | Silence) -> Heard[T] | Silence:
        """Take what was seen on this machine, which is asked nobody, and looked at each time."""
        if isinstance(found, Silence):
            return found
        return Heard(answer=found, at=self.answers.now, age=dt.timedelta())


def _is_of(file: str, name: str, version: str) -> bool:
    try:
        return is_of(file, name, Version(version))
    except InvalidVersion:
        return False


def asking(
    archive: Archive,
    environ: Mapping[str, str],
    *,
    offline: bool,
    timeout: float,
    now: dt.datetime,
    fresh_for: float = FRESH_FOR,
) -> Asking:
    """Make what an audit asks with.

    Args:
        archive: the archive that is audited; the answers are kept in its private folder.
        environ: the person's variables, which say where packages and models come from.
        offline: ask nobody.
        timeout: seconds that each question may take.
        now: when the audit began.
        fresh_for: seconds for which a kept answer counts; 0 asks anew, once in this audit.

    Raises:
        UsageError: the private folder came with the archive's commits, or is reached by a link: its answers are not
            this copy's own.
    """
    own_folders.require_private(archive)
    own_folders.require_untracked(archive)
    lasting = dt.timedelta(seconds=fresh_for)

    def ask(question: Question) -> Page | Silence:
        return web.ask(question, environ, timeout)

    return Asking(
        remotes=remotes.GitRemotes(timeout=timeout),
        hub=hub.hugging_face(environ, ask),
        heritage=hub.software_heritage(environ, ask),
        find_places=lambda: index.places(environ, ask, timeout=timeout),
        answers=Answers(archive=archive, now=now, fresh_for=lasting, offline=offline),
        offline=offline,
        timeout=timeout,
        fresh_for=lasting,
    )
