"""Foreign text in a script for bash: as a word, and as what a person is to read of it.

Nothing that a terminal would obey, and nothing that turns the order of what is read, is written as it is.
"""

from __future__ import annotations

import shlex

_ESCAPES = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", "'": "\\'"}


def quoted(text: str) -> str:
    r"""Write a text as one word, with the bytes of what cannot be printed as escapes (`$'a\x1b'`)."""
    return shlex.quote(text) if text.isprintable() else f"$'{''.join(map(_byte_escapes, text))}'"


def visible(text: str) -> str:
    r"""Write a text on one line for people, with what cannot be printed as escapes (`\x9b`, `\u202e`)."""
    # A line break would end a comment, and what follows would be run.
    flat = " ".join(text.split())
    return flat if flat.isprintable() else "".join(map(_name_of_sign, flat))


def _byte_escapes(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    # A byte of a file's name that is no UTF-8 stands for itself; any other lone surrogate has no bytes of its own.
    is_byte = "\udc80" <= sign <= "\udcff"
    return "".join(f"\\x{each:02x}" for each in sign.encode(errors="surrogateescape" if is_byte else "surrogatepass"))


def _name_of_sign(sign: str) -> str:
    return sign if sign.isprintable() else ascii(sign)[1:-1]
