"""Watching for the checkouts that an evaluation takes code from, to look at each before the evaluation can change it.

Which they are is known only while it runs: every Python process leaves a record when it begins, and what it names is
looked at from a thread of our own.

The thread must never be noticed. It polls one small folder, at first after a tenth of a second, then ever more rarely,
up to twice a minute. It does not give up, since a script may start its last evaluation hours after the first. A look at
a checkout takes some tenths of a second, and writes into our own folder alone. It is not done at a lower priority: on a
machine that an evaluation keeps busy, it would then come too late.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reprokit.capture.running import signals
from reprokit.git import GitError
from reprokit.probes.source import code_places
from reprokit.probes.source.checkout import ObservedSource
from reprokit.probes.source.code_places import CodePlace
from reprokit.probes.source.scratch_repository import find

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0

Look = Callable[[Path, Callable[[], bool]], tuple[ObservedSource, ...]]
"""Looks at a checkout, its unsettled submodules behind it; cut short with a `GitError` once it may not go on."""


class Roots:
    """Finds the checkout that a file or folder lies in, and remembers it."""

    def __init__(self) -> None:
        self._known: dict[Path, Path | GitError | None] = {}

    def of(self, path: Path) -> list[Path]:
        """List the checkout that a path lies in, and the one that it leads to when it is a link.

        Raises:
            GitError: there is a checkout, but git refuses or cannot read it.
            OSError: the path cannot be followed.
        """
        folders = dict.fromkeys([_folder(path), _folder(path.resolve())])
        return list(dict.fromkeys(root for folder in folders if (root := self._root(folder)) is not None))

    def _root(self, folder: Path) -> Path | None:
        if folder not in self._known:
            self._known[folder] = _find(folder)
        match self._known[folder]:
            case GitError() as error:
                raise error
            case root:
                return root


def _find(folder: Path) -> Path | GitError | None:
    # Most folders lie in no checkout, which git need not be asked for.
    if repository_around(folder) is None:
        return None
    try:
        checkout = find(folder.resolve())
    except GitError as error:
        return error
    return checkout.root if checkout else None


def repository_around(path: Path) -> Path | None:
    """Find the nearest folder around a path that has a `.git`, whatever that is."""
    real = path.resolve()
    return next((each for each in (real, *real.parents) if os.path.lexists(each / ".git")), None)


def _folder(path: Path) -> Path:
    """Give the folder of a path, or the nearest one above that is still there: a module may lie in an archive."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


class CheckoutWatch:
    """A thread that looks at checkouts as soon as they are known.

    `first` are the places that are known already, `probes` is the folder that the processes write their records to.
    What is `seen` need not be looked at.
    """

    def __init__(
        self, *, first: Iterable[CodePlace], probes: Path, seen: Iterable[Path], roots: Roots, look: Look, most: int
    ) -> None:
        self._first, self._probes, self._roots, self._look, self._most = tuple(first), probes, roots, look, most
        self._tried = set(seen)
        self._read: set[str] = set()
        self._found: dict[Path, tuple[ObservedSource, ...]] = {}
        self._ended = threading.Event()
        self._wanted: frozenset[Path] = frozenset()
        self._looking_at: Path | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start watching. It never fails: without a thread, everything is looked at in the end."""
        thread = threading.Thread(target=self._run, name="reprokit-checkouts", daemon=True)
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def end(self, wanted: Iterable[Path], seconds: float) -> tuple[dict[Path, tuple[ObservedSource, ...]], Path | None]:
        """Stop watching, and give what was seen of the wanted checkouts.

        A look at one of them is waited for, as it would have to be taken now otherwise; any other is cut short. The
        second value is the checkout that was still being looked at after so many seconds, which is then given up.
        """
        self._wanted = frozenset(wanted)
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)
        stuck = self._looking_at if self._thread is not None and self._thread.is_alive() else None
        return {root: found for root, found in list(self._found.items()) if root in self._wanted}, stuck

    def _run(self) -> None:
        signals.hold()  # they belong to the main thread, which fetches them
        try:
            self._look_at(self._first)
            for pause in _pauses():
                if self._ended.wait(pause):
                    return
                self._look_at(self._new_places())
        except Exception:  # noqa: BLE001 - what was not seen now is looked at in the end, and told then
            return

    def _new_places(self) -> Iterator[CodePlace]:
        try:
            names = {name for name in os.listdir(self._probes) if name.endswith(".json")}  # noqa: PTH208 - names only
        except OSError:
            return
        for name in sorted(names - self._read):
            self._read.add(name)
            facts = code_places.read_record(self._probes / name)
            if facts is not None:
                yield from code_places.known_at_start(facts)

    def _look_at(self, places: Iterable[CodePlace]) -> None:
        for place in places:
            if self._ended.is_set() or len(self._found) >= self._most:
                return
            # What cannot be looked at now is tried again in the end, and told when it cannot be then either.
            with contextlib.suppress(GitError, OSError):
                for root in self._roots.of(place.path):
                    self._observe(root)

    def _observe(self, root: Path) -> None:
        if root in self._tried:
            return
        self._tried.add(root)
        self._looking_at = root
        try:
            self._found[root] = self._look(root, lambda: not self._ended.is_set() or root in self._wanted)
        finally:
            self._looking_at = None


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
