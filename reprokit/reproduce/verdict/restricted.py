"""A run of which only some samples count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.results import Results
from reprokit.bundle.source import Source
from reprokit.diff.side import Named, Side
from reprokit.reproduce.verdict.choosing import Identifier, identifier

Wanted: TypeAlias = Mapping[str, frozenset[Identifier]]


@dataclass(frozen=True)
class Restricted:
    """A side with the samples of these ids and the scores that are given for them; all else is as in the whole run."""

    whole: Side
    wanted: Wanted
    results: Results

    @property
    def info(self) -> Named:
        """Says which bundle it is of."""
        return self.whole.info

    @cached_property
    def identity(self) -> str:
        """A digest that is not the bundle's: equal for the same samples of the same bundle."""
        ids = {task: sorted(canonical.line(each).decode() for each in chosen) for task, chosen in self.wanted.items()}
        return canonical.digest([self.whole.identity, ids])

    @property
    def record(self) -> Record:
        """What happened."""
        return self.whole.record

    @property
    def environment(self) -> Environment | None:
        """Software and machine."""
        return self.whole.environment

    @property
    def sources(self) -> list[Source]:
        """The checkouts that code was read from."""
        return self.whole.sources

    def tasks(self) -> list[str]:
        """Name the tasks that have samples among those that count."""
        return [task for task in self.whole.tasks() if task in self.wanted]

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the lines of the samples that count; one that cannot be read is left for its reader to refuse."""
        wanted = self.wanted[task]
        for line in self.whole.lines(task):
            each = identifier(line)
            if each is None or each in wanted:
                yield line
