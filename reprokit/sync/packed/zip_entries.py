"""Reading a ZIP file entry by entry, by the directory at its end, which each entry's own header must agree with.

Format: PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3 (Zip64). Stored and deflated files are read; what overlaps,
is encrypted, or lies before the first or behind the last byte of the file's own parts is refused.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

from reprokit.sync.packed.entries import DAMAGED, Entry, Limits, Packed, UnusableError, named, shown

MAGIC = b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_LONGEST_END = _END.size + 0xFFFF
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LISTED = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_ZIP_64 = 1
_FULL_32, _FULL_16 = 0xFFFFFFFF, 0xFFFF
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UNIX = 3
_LARGEST_DIRECTORY = 1 << 29  # bytes
_CHUNK = 1 << 18
_WRONG = "its directory is damaged"


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What the directory says of an entry: sizes and the offset of its header in bytes."""

    name: bytes
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    unix_mode: int


def walk(file: BufferedReader, limits: Limits) -> Iterator[Packed]:
    """Yield the entries of a ZIP file, in the order of their bytes.

    Raises:
        UnusableError: it is no ZIP file, is damaged, or holds what no bundle has.
    """
    directory, amount, begins = _directory(file)
    if amount > limits.entries:
        raise UnusableError(f"it has {amount} entries, more than any bundle")
    rows = sorted(_rows(directory, amount), key=lambda row: row.offset)
    if rows and rows[0].offset != 0:
        raise UnusableError("there is something before its first entry")
    ends = [row.offset for row in rows[1:]] + [begins]
    for row, end in zip(rows, ends, strict=True):
        start = _content_start(file, row)
        if start + row.packed > end:
            raise UnusableError(f"the entry `{_shown(row)}` lies over another")
        yield _entry(row), _content(file, row, start)


def _shown(row: _Row) -> str:
    return shown(row.name.decode(errors="replace"))


def _exactly(file: BufferedReader, offset: int, amount: int) -> bytes:
    file.seek(offset)
    data = file.read(amount)
    if len(data) != amount:
        raise UnusableError("it is cut short", hint=DAMAGED)
    return data


def _directory(file: BufferedReader) -> tuple[bytes, int, int]:
    """Find the directory: its bytes, how many entries it lists, and where it begins."""
    whole = os.fstat(file.fileno()).st_size
    tail = _exactly(file, max(0, whole - _LONGEST_END), min(whole, _LONGEST_END))
    at = tail.rfind(_END_MAGIC)
    # What stands behind it is a remark as long as it says, and nothing else.
    if at < 0 or len(tail) - at < _END.size or _END.unpack_from(tail, at)[-1] != len(tail) - at - _END.size:
        raise UnusableError("it does not end as a ZIP file does: it is cut short, or more follows", hint=DAMAGED)
    end = whole - len(tail) + at
    _, disk, first, here, amount, size, offset, _ = _END.unpack_from(tail, at)
    if _FULL_32 in {size, offset} or _FULL_16 in {here, amount}:
        end, disk, first, here, amount, size, offset = _directory_64(file, end)
    if (disk, first) != (0, 0) or here != amount:
        raise UnusableError("it is one of several parts")
    if offset + size != end or size > _LARGEST_DIRECTORY:
        raise UnusableError(_WRONG, hint=DAMAGED)
    return _exactly(file, offset, size), amount, offset


def _directory_64(file: BufferedReader, end: int) -> tuple[int, int, int, int, int, int, int]:
    at = end - _LOCATOR.size
    magic, _, offset, disks = _LOCATOR.unpack(_exactly(file, max(0, at), _LOCATOR.size))
    if magic != b"PK\x06\x07" or disks > 1 or offset + _END_64.size != at:
        raise UnusableError(_WRONG, hint=DAMAGED)
    magic, _, _, _, disk, first, here, amount, size, begins = _END_64.unpack(_exactly(file, offset, _END_64.size))
    if magic != b"PK\x06\x06":
        raise UnusableError(_WRONG, hint=DAMAGED)
    return offset, disk, first, here, amount, size, begins


def _rows(directory: bytes, amount: int) -> Iterator[_Row]:
    at = 0
    for _ in range(amount):
        if len(directory) - at < _LISTED.size:
            raise UnusableError(_WRONG, hint=DAMAGED)
        magic, made, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, outer, offset = _LISTED.unpack_from(
            directory, at
        )
        at += _LISTED.size
        parts = []
        for length in lengths:
            parts.append(directory[at : at + length])
            at += length
        name, extra, _ = parts
        if magic != b"PK\x01\x02" or at > len(directory) or disk:
            raise UnusableError(_WRONG, hint=DAMAGED)
        size, packed, offset = _wide(extra, [size, packed, offset])
        mode = outer >> 16 if made >> 8 == _UNIX else 0
        yield _Row(
            name=name, method=method, flags=flags, crc=crc, packed=packed, size=size, offset=offset, unix_mode=mode
        )
    if at != len(directory):
        raise UnusableError(_WRONG, hint=DAMAGED)


def _wide(extra: bytes, numbers: list[int]) -> list[int]:
    """Give sizes and offset as they are meant: those that did not fit stand in the Zip64 field."""
    if _FULL_32 not in numbers:
        return numbers
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        if kind == _ZIP_64 and length >= 8 * numbers.count(_FULL_32) and len(extra) >= _EXTRA.size + length:
            wide = iter(struct.unpack_from(f"<{numbers.count(_FULL_32)}Q", extra, _EXTRA.size))
            return [next(wide) if number == _FULL_32 else number for number in numbers]
        extra = extra[_EXTRA.size + length :]
    raise UnusableError(_WRONG, hint=DAMAGED)


def _content_start(file: BufferedReader, row: _Row) -> int:
    """Find where the bytes of an entry begin, behind a header that says the same of it as the directory."""
    name_length: int
    extra_length: int
    header = _LOCAL.unpack(_exactly(file, row.offset, _LOCAL.size))
    magic, _, flags, method, *_, name_length, extra_length = header
    name = _exactly(file, row.offset + _LOCAL.size, name_length)
    if magic != MAGIC or method != row.method or name != row.name:
        raise UnusableError(f"the entry `{_shown(row)}` is another than its directory says", hint=DAMAGED)
    if (flags | row.flags) & _ENCRYPTED:
        raise UnusableError(f"the entry `{_shown(row)}` is encrypted", hint="have it packed without a password")
    if method not in {_STORED, _DEFLATED}:
        raise UnusableError(f"the entry `{_shown(row)}` is compressed by another method than `deflate`")
    return row.offset + _LOCAL.size + name_length + extra_length


def _entry(row: _Row) -> Entry:
    name, kind = named(row.name), stat.S_IFMT(row.unix_mode)
    if row.name.endswith(b"/"):
        if row.size == 0 and kind in {0, stat.S_IFDIR}:
            return Entry(name=name, kind="folder")
    elif kind in {0, stat.S_IFREG}:
        return Entry(name=name, size=row.size)
    what = "a symbolic link" if kind == stat.S_IFLNK else "neither a regular file nor a folder"
    raise UnusableError(f"the entry `{_shown(row)}` is {what}, which no bundle holds")


def _content(file: BufferedReader, row: _Row, start: int) -> Iterator[bytes]:
    """Yield the bytes of an entry, never more than the directory says, and prove them by its CRC-32."""
    crc = size = 0
    for chunk in _unpacked(file, row, start) if row.method == _DEFLATED else _packed(file, row, start):
        crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        if size > row.size:
            raise UnusableError(f"the entry `{_shown(row)}` is longer than its directory says")
        yield chunk
    if (size, crc) != (row.size, row.crc):
        raise UnusableError(f"the entry `{_shown(row)}` is damaged", hint=DAMAGED)


def _packed(file: BufferedReader, row: _Row, start: int) -> Iterator[bytes]:
    for offset in range(0, row.packed, _CHUNK):
        yield _exactly(file, start + offset, min(_CHUNK, row.packed - offset))


def _unpacked(file: BufferedReader, row: _Row, start: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in _packed(file, row, start):
            left = chunk
            while left and not unpacker.eof:
                yield unpacker.decompress(left, _CHUNK)
                left = unpacker.unconsumed_tail
            if left or unpacker.unused_data:
                raise UnusableError(f"the entry `{_shown(row)}` has more bytes than its own", hint=DAMAGED)
    except zlib.error as error:
        raise UnusableError(f"the entry `{_shown(row)}` is damaged", hint=DAMAGED) from error
    # The last of it may wait inside.
    while not unpacker.eof and (rest := unpacker.decompress(b"", _CHUNK)):
        yield rest
