"""A glance at a long text that shows which words are not in it, before it is searched for each of them.

Take the same characters out of a text and out of a word: if the word is in the text, then what is left of it is in what
is left of the text. Taken out is what evaluations write most (small letters, digits, blanks, quotes), so that little is
left to search, and of the words that begin keys nearly all have something left that hardly any text has.
"""

from __future__ import annotations

_TELLING = b"ABCDEFGHIJKLMNOPQRSTUVWXYZkvyz9_.=/-"
_COMMON = bytes(set(range(256)) - set(_TELLING))
_LONG = 4096
"""From how many characters on a glance is worth while."""


class Glance:
    """What is left of a text, unless it is short."""

    def __init__(self, text: str) -> None:
        self._left = _left(text) if len(text) >= _LONG else None

    def may_hold(self, word: str) -> bool:
        """Tell whether a word may be in the text; when it is not said to, it is not."""
        return self._left is None or _left(word) in self._left


def _left(text: str) -> bytes:
    # What is not Latin-1 becomes `?`, which is taken out too.
    return text.encode("latin-1", "replace").translate(None, _COMMON)
