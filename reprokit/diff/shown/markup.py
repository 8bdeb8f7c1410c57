"""Foreign text in GitHub's Markdown, where none of it may act: no markup, no link, no mention, no reference.

GitHub looks for `@name`, `#12`, commits, addresses and `:emoji:` in what is left after Markdown was read, so that a
backslash does not hide them. In code it looks for nothing: whatever is not plainly words is shown as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reprokit.diff.shown.legible import printable, shorten

_BACKTICKS = re.compile(r"`+")
_FENCES = re.compile(r"`+|~+")
_PIPE = re.compile(r"(\\*)\|")
_LITERAL = re.compile(r"`([^`]+)`")
_WORD = re.compile(
    r"""[("']?[+±-]?(?:[^\W_]+(?:['’-][^\W_]+)*|\d+(?:\.\d+)+)%?[)"'.,;:?!]*|[-+=→…±–—]""",  # noqa: RUF001
)
# What GitHub may take for a commit, an issue or a ticket.
_REFERENCE = re.compile(r"[0-9a-f]{7}|[^\W\d_]-\d", re.IGNORECASE)
_SHORTEST_FENCE = 3
_LONGEST_LINE = 400
_ROOM_FOR_FENCES = 2 * _LONGEST_LINE + 20


def _longest(pattern: re.Pattern[str], text: str) -> int:
    return max((len(run) for run in pattern.findall(text)), default=0)


def code(text: str, *, width: int | None = None, in_table: bool = False) -> str:
    """Write a foreign text as code on one line, of at most `width` characters of it."""
    shown = printable(text)
    shown = shown if width is None else shorten(shown, width)
    if not shown:
        return "(empty)"
    if in_table:
        # A backslash before a pipe keeps it from ending the cell; readers disagree on two of them.
        shown = _PIPE.sub(lambda found: f"{found[1]}\\x7c" if found[1] else "\\|", shown)
    fence = "`" * (_longest(_BACKTICKS, shown) + 1)
    ends = {shown[0], shown[-1]}
    padding = " " if "`" in ends or (ends == {" "} and shown.strip()) else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def prose(text: str, *, width: int | None = None, in_table: bool = False) -> str:
    """Write a sentence that may hold foreign pieces: what stands in backticks, and what are no plain words, as code."""
    shown = printable(text).strip()
    shown = shown if width is None else shorten(shown, width)
    written = ""
    for number, piece in enumerate(_LITERAL.split(shown)):
        added = code(piece, in_table=in_table) if number % 2 else _words(piece, in_table=in_table)
        # Two pieces of code that touch would be read as other pieces.
        apart = " " if written.endswith("`") and added.startswith("`") else ""
        written = f"{written}{apart}{added}"
    return written


def _words(text: str, *, in_table: bool) -> str:
    return " ".join(word if not word or _is_plain(word) else code(word, in_table=in_table) for word in text.split(" "))


def _is_plain(word: str) -> bool:
    return _WORD.fullmatch(word) is not None and _REFERENCE.search(word) is None


def legible(line: str) -> str:
    """Write out what is not plainly visible in a line of a fenced text; tabs stay, and what is too long is cut."""
    return shorten("\t".join(map(printable, line.split("\t"))), _LONGEST_LINE)


def fitting(lines: Iterable[str], room: int) -> tuple[list[str], int]:
    """Take as many of the first lines as have room, between fences; also tell how many are left."""
    kept: list[str] = []
    waiting = iter(lines)
    room -= _ROOM_FOR_FENCES
    for line in waiting:
        room -= len(line) + 1
        if room < 0:
            return kept, 1 + sum(1 for _ in waiting)
        kept.append(line)
    return kept, 0


def fenced(lines: Iterable[str], language: str) -> str:
    """Put legible lines between fences that none of them can end."""
    body = "\n".join(lines)
    fence = "`" * max(_longest(_FENCES, body) + 1, _SHORTEST_FENCE)
    return f"{fence}{language}\n{body}\n{fence}"


def details(summary: str, body: str) -> str:
    """Fold a text away under a summary of our own words, in which nothing may be foreign."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
