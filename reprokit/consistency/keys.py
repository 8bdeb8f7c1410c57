"""Which samples were seen, remembered in little memory."""

from __future__ import annotations

import hashlib


class Keys:
    """The keys of the samples of one task and filter.

    Whole numbers that count up in the first epoch, as most harnesses write them, take no memory. Any other key costs
    one entry of a set, about 100 bytes: the number itself, or for text and for later epochs a digest of 15 bytes, as
    Python takes a third more for one of 16.
    """

    __slots__ = ("_first", "_following", "_others", "distinct", "example", "repeated")

    def __init__(self) -> None:
        self._first: int | None = None
        self._following = 0
        self._others: set[int | bytes] = set()
        self.distinct = 0
        """How many different samples there are in the first epoch."""
        self.repeated = 0
        """How many times a key that was there already came again."""
        self.example: int | str | None = None
        """The first sample that came again."""

    def add(self, key: int | str, epoch: int) -> None:
        """Take in the key of a sample."""
        if epoch == 1 and type(key) is int:
            if key == self._following and self._first is not None and key not in self._others:
                self._following += 1
                self.distinct += 1
                return
            if self._first is None and not self._others:
                self._first, self._following, self.distinct = key, key + 1, 1
                return
            inside = self._first is not None and self._first <= key < self._following
            self._note(key, key, inside=inside, first=True)
        else:
            kind = "n" if type(key) is int else "t"
            written = f"{epoch}{kind}{key}".encode(errors="surrogatepass")
            self._note(key, hashlib.blake2b(written, digest_size=15).digest(), inside=False, first=epoch == 1)

    def _note(self, key: int | str, held: int | bytes, *, inside: bool, first: bool) -> None:
        if inside or held in self._others:
            self.repeated += 1
            if self.example is None:
                self.example = key
            return
        self._others.add(held)
        if first:
            self.distinct += 1
