"""What a comparison needs of a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.results import Results
from reprokit.bundle.source import Source


class Named(Protocol):
    """What says which bundle it is."""

    @property
    def bundle_id(self) -> str:
        """The bundle id."""
        ...


class Side(Protocol):
    """One of the two things compared: an opened bundle, or anything that reads like one.

    Nothing here may change between two calls: samples are read once to compare them, and once more to quote the few
    that are shown. What is written into the lines is what `bundle.sample.Sample` says.
    """

    @property
    def info(self) -> Named:
        """Says which bundle it is, for people."""
        ...

    @property
    def identity(self) -> str:
        """The digest of the stored bytes: equal identity, equal bundle."""
        ...

    @property
    def record(self) -> Record:
        """What happened."""
        ...

    @property
    def results(self) -> Results:
        """The metrics and tasks."""
        ...

    @property
    def environment(self) -> Environment | None:
        """Software and machine; `None` when there is no such record."""
        ...

    @property
    def sources(self) -> list[Source]:
        """The checkouts that code was read from."""
        ...

    def tasks(self) -> list[str]:
        """Name the tasks that have samples."""
        ...

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the canonical lines of samples of one of these tasks, from the start each time it is called."""
        ...


def has_results(side: Side) -> bool:
    """Tell whether a run left anything that could be compared."""
    return bool(side.results.metrics) or bool(side.tasks())
