"""Which sample of one run is which of the other."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from reprokit.bundle.canonical import digest

_PAGE = 6

Order: TypeAlias = tuple[bool, str, bool, int, str, int, int]


class Key(Struct, frozen=True, gc=False):
    """What says which sample it is within a task: the answer extraction, the id as typed, the repeat.

    `occurrence` is 1, and more for lines of the same file that say the same in all else. Of samples that are known by
    their document, `id` is the document's digest.
    """

    filter: str | None
    id: int | str
    epoch: int
    occurrence: int


def order(filter_: str | None, identifier: int | str, epoch: int, occurrence: int) -> Order:
    """Give a sample a place among all of its task, whatever the types of their ids."""
    number, text = (0, identifier) if isinstance(identifier, str) else (identifier, "")
    return filter_ is not None, filter_ or "", isinstance(identifier, str), number, text, epoch, occurrence


class Occurrences:
    """Numbers the lines of a file that have the same key, from 1.

    Whole-number ids, as most harnesses have, cost a few bits each when they are dense; text ids 16 bytes and their
    place in a set.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[str | None, int, int], int] = {}
        self._texts: set[bytes] = set()
        self._again: dict[tuple[str | None, int | str, int], int] = {}

    @property
    def repeated(self) -> int:
        """How many lines had the key of an earlier one."""
        return sum(number - 1 for number in self._again.values())

    def number(self, filter_: str | None, identifier: int | str, epoch: int) -> int:
        """Note a line and give its number among those of the same key."""
        if self._is_new(filter_, identifier, epoch):
            return 1
        key = (filter_, identifier, epoch)
        self._again[key] = self._again.get(key, 1) + 1
        return self._again[key]

    def _is_new(self, filter_: str | None, identifier: int | str, epoch: int) -> bool:
        if isinstance(identifier, str):
            shortened = bytes.fromhex(digest([filter_, identifier, epoch])[7:39])
            new = shortened not in self._texts
            self._texts.add(shortened)
            return new
        page, bit = (filter_, epoch, identifier >> _PAGE), 1 << (identifier & (1 << _PAGE) - 1)
        seen = self._pages.get(page, 0)
        self._pages[page] = seen | bit
        return not seen & bit
