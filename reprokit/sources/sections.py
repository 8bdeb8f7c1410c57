"""Patches as git writes them, file by file: what a section is about, how long it is, and the way back.

A section is reversed by rule rather than by asking git for the difference the other way round: git's search for common
lines and for renames depends on which side it is given first.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reprokit.errors import InvalidRecordError

Kind = Literal["added", "removed", "changed"]

_START = b"diff --git "
_BODY = (b"@@ ", b"GIT binary patch", b"Binary files ")
_NOTHING = b"/dev/null"
_NEW, _DELETED = b"new file mode ", b"deleted file mode "
_RENAMES = ((b"rename from ", b"rename to "), (b"copy from ", b"copy to "))
_OTHER_WAY = {
    one: other
    for pair in ((b"old mode ", b"new mode "), (_DELETED, _NEW), *_RENAMES, (b"--- ", b"+++ "))
    for one, other in (pair, pair[::-1])
}
_ORDER = (
    *(b"old mode ", b"new mode ", _DELETED, _NEW, b"similarity index ", b"dissimilarity index "),
    *(b"rename from ", b"rename to ", b"copy from ", b"copy to ", b"index ", b"--- ", b"+++ "),
)
_IDS = re.compile(rb"index ([0-9a-f]+)\.\.([0-9a-f]+)(.*\n?)", re.DOTALL)
_RANGES = re.compile(rb"@@ -([0-9,]+) \+([0-9,]+) @@(.*\n?)", re.DOTALL)
_ESCAPE = re.compile(rb'\\(?:([0-7]{3})|([abfnrtv"\\]))')
_LETTERS = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))


@dataclass(frozen=True, kw_only=True)
class Section:
    """What a patch says of one file. Lines keep their ends; the names are as git writes them, quoted where need be."""

    header: tuple[bytes, ...]
    body: tuple[bytes, ...]
    name_before: bytes
    name_after: bytes

    @property
    def kind(self) -> Kind:
        """What happens to the file."""
        if any(line.startswith(_NEW) for line in self.header):
            return "added"
        return "removed" if any(line.startswith(_DELETED) for line in self.header) else "changed"

    @property
    def binary(self) -> bool:
        """Tell whether its content is no text."""
        return bool(self.body) and not self.body[0].startswith(b"@@ ")


def sections(patch: bytes) -> list[Section]:
    """Take a patch apart.

    Raises:
        InvalidRecordError: it is not as git writes patches.
    """
    collected: list[list[bytes]] = []
    for line in io.BytesIO(patch):
        if line.startswith(_START):
            collected.append([])
        if collected:
            collected[-1].append(line)
    if patch.strip() and not collected:
        raise InvalidRecordError("a patch is not as git writes it: it names no file")
    return [_section(lines) for lines in collected]


def _section(lines: list[bytes]) -> Section:
    split = next((number for number, line in enumerate(lines) if line.startswith(_BODY)), len(lines))
    header = lines[:split]
    before, after = _renamed(header) or _twice(header[0][len(_START) :].rstrip(b"\n"))
    return Section(header=tuple(header), body=tuple(lines[split:]), name_before=before, name_after=after)


def _renamed(header: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    for start, end in _RENAMES:
        before, after = (
            next((line[len(word) :].rstrip(b"\n") for line in header if line.startswith(word)), None)
            for word in (start, end)
        )
        if before is not None and after is not None:
            return before, after
    return None


def _twice(names: bytes) -> tuple[bytes, bytes]:
    """Find the name in `a/NAME b/NAME`, which may hold spaces; either half may be quoted as a whole."""
    half = len(names) // 2
    left, space, right = names[:half], names[half : half + 1], names[half + 1 :]
    if space != b" " or (name := _bare(left, b"a/")) is None or name != _bare(right, b"b/"):
        raise InvalidRecordError("a patch is not as git writes it: a file has two names and is not renamed")
    return name, name


def _bare(word: bytes, prefix: bytes) -> bytes | None:
    quote = b'"' if word.startswith(b'"') else b""
    return quote + word[len(quote + prefix) :] if word.startswith(quote + prefix) else None


def _prefixed(prefix: bytes, name: bytes) -> bytes:
    return b'"' + prefix + name[1:] if name.startswith(b'"') else prefix + name


def path(name: bytes) -> str:
    """Write a name of a section as the path it stands for, odd bytes replaced."""
    if name.startswith(b'"'):
        name = _ESCAPE.sub(_unescaped, name[1:-1])
    return name.decode("utf-8", errors="replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8) & 0xFF if match[1] else _LETTERS[match[2][0]]])


def text(parts: Iterable[Section]) -> bytes:
    """Put sections together to a patch."""
    return b"".join(line for section in parts for line in (*section.header, *section.body))


def counts(section: Section) -> tuple[int, int] | None:
    """Count the lines that are added and removed; `None` for a binary file."""
    if section.binary:
        return None
    return tuple(sum(line.startswith(sign) for line in section.body) for sign in (b"+", b"-"))  # type: ignore[return-value]


def without_content(section: Section) -> Section:
    """Leave out the content of a binary file, and say that it differs."""
    if not section.binary:
        return section
    before = _NOTHING if section.kind == "added" else _prefixed(b"a/", section.name_before)
    after = _NOTHING if section.kind == "removed" else _prefixed(b"b/", section.name_after)
    line = b"Binary files " + before + b" and " + after + b" differ\n"
    return Section(header=section.header, body=(line,), name_before=section.name_before, name_after=section.name_after)


def reverse(section: Section) -> Section:
    """Give the section that leads back; the content of a binary file is left out."""
    before, after = section.name_after, section.name_before
    start = _START + _prefixed(b"a/", before) + b" " + _prefixed(b"b/", after) + b"\n"
    turned = sorted((_turn(line) for line in section.header[1:]), key=_rank)
    body = () if section.binary else tuple(_turn_hunks(section.body))
    back = Section(header=(start, *turned), body=body, name_before=before, name_after=after)
    if not section.binary:
        return back
    return without_content(Section(header=back.header, body=section.body[:1], name_before=before, name_after=after))


def reverse_all(parts: Sequence[Section]) -> Iterator[Section]:
    """Yield the sections that lead back, in the same order of files.

    A file that becomes a link, or was changed twice, has several sections; the way back takes these last to first.
    """
    together: list[Section] = []
    for section in parts:
        if together and together[-1].header[0] != section.header[0]:
            yield from map(reverse, reversed(together))
            together = []
        together.append(section)
    yield from map(reverse, reversed(together))


def _turn(line: bytes) -> bytes:
    if match := _IDS.fullmatch(line):
        return b"index " + match[2] + b".." + match[1] + match[3]
    for word, other in _OTHER_WAY.items():
        if line.startswith(word):
            return other + (_other_side(line[len(word) :]) if word in {b"--- ", b"+++ "} else line[len(word) :])
    return line


def _other_side(name: bytes) -> bytes:
    for prefix, other in ((b"a/", b"b/"), (b"b/", b"a/")):
        if (bare := _bare(name, prefix)) is not None:
            return _prefixed(other, bare)
    return name


def _rank(line: bytes) -> int:
    return next((number for number, word in enumerate(_ORDER) if line.startswith(word)), len(_ORDER))


def _turn_hunks(body: Iterable[bytes]) -> Iterator[bytes]:
    """Yield hunks the other way round; within one change, what is removed still stands before what is added."""
    removed: list[bytes] = []
    added: list[bytes] = []
    last: list[bytes] | None = None
    for line in body:
        if line.startswith(b"-"):
            last = added
            last.append(b"+" + line[1:])
        elif line.startswith(b"+"):
            last = removed
            last.append(b"-" + line[1:])
        elif line.startswith(b"\\") and last is not None:
            last.append(line)
        else:
            yield from (*removed, *added)
            removed, added, last = [], [], None
            match = _RANGES.fullmatch(line)
            yield b"@@ -" + match[2] + b" +" + match[1] + b" @@" + match[3] if match else line
    yield from (*removed, *added)
