"""Foreign texts made short: on one line, and no longer than there is room for."""

from __future__ import annotations

from reprokit.mirrors.portrait.plain import text


def one_line(written: str) -> str:
    """Put a text on one line, with nothing in it that is not visible."""
    return " ".join("".join(c if c.isprintable() else " " for c in text(written)).split())


def cut(written: str, longest: int) -> str:
    """Shorten a text to so many characters, with an ellipsis in place of its end."""
    return written if len(written) <= longest else written[: longest - 1].rstrip() + "…"


def cut_inside(written: str, longest: int) -> str:
    """Shorten a text to so many characters, with an ellipsis in its middle: names often differ at their end."""
    if len(written) <= longest:
        return written
    tail = (longest - 1) // 2
    return f"{written[: longest - 1 - tail]}…{written[len(written) - tail :]}"
