"""What is asked of a live capture, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.archive.publication import Publication
from reprokit.archive.registration import Folding
from reprokit.bundle.writing import Label
from reprokit.capture.running.process import Ended
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.outbox.queueing import Queued


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be run and captured.

    `environment` and `home` are the caller's, `results` and `samples` name the files of a script and `fields` the keys
    of its samples, `harness` an adapter by name; `reproduces` is the identity of the bundle that this run reproduces.
    `given` are secrets that the caller put into the command or its variables, by name: wherever they turn up, they are
    kept out. With `private`, samples are kept as digests only. With `defer`, the bundle is published and left for
    another process to register. `mirror` names the mirror that the bundle is to be copied to. With `wheels`, those of
    the environment go into the bundle.
    """

    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    home: Path
    label: Label
    harness: str | None = None
    results: Path | None = None
    samples: tuple[Path, ...] = ()
    fields: Fields = STANDARD
    reproduces: str | None = None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    private: bool = False
    defer: bool = False
    mirror: str | None = None
    wheels: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the evaluation ended, and what became of its capture.

    `failure` is what went wrong on reprokit's side, if anything; `places` is where the evaluation wrote its outputs.
    With `unfinished`, what was observed is kept in the archive, and a later call can make the bundle of it. `queued` is
    what waits for a mirror, if one was wanted.
    """

    ended: Ended
    published: tuple[Publication, ...] = ()
    folding: Folding | None = None
    queued: Queued | None = None
    failure: Exception | None = None
    places: tuple[Path, ...] = ()
    unfinished: bool = False


def home() -> Path:
    """Give the home folder; the root where a user has none, as in containers."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
