"""Reading a tar file entry by entry: POSIX (`ustar`, pax) and GNU headers, as GNU tar, bsdtar and Python write them.

Formats: POSIX.1-2024, `pax`, section "EXTENDED DESCRIPTION"; GNU tar manual, "Basic Tar Format". What means different
things to different programs is refused, as is all that is no regular file, folder or hard link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from reprokit.sync.packed.entries import DAMAGED, Entry, Packed, UnusableError, named, shown
from reprokit.sync.packed.streams import Stream

_BLOCK = 512
_END = bytes(_BLOCK)
_MAGIC = slice(257, 262)
_POSIX = b"ustar\x00"
_LARGEST_EXTENSION = 1 << 20  # bytes of an extended header: a name, times, attributes of other systems
_BINARY = 0x80
_OCTAL = re.compile(rb"[0-7]*")
_KINDS = {
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"S": "a sparse file",
    b"M": "part of a file that another tar file begins",
}
_SPARSE = b"GNU.sparse."
_MEANT = (b"path", b"linkpath", b"size")


@dataclass(frozen=True, kw_only=True)
class _Header:
    kind: bytes
    name: bytes
    target: bytes
    size: int


@dataclass(frozen=True, kw_only=True)
class _Extension:
    """What the headers before an entry's own say of it: pax fields, and GNU's long names by kind, `L` and `K`."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    long_names: dict[bytes, bytes] = field(default_factory=dict)

    def applied(self, header: _Header) -> _Header:
        """Give the header as it is meant."""
        fields, long_names = self.fields, self.long_names
        if fields and long_names:
            raise UnusableError(f"the entry `{_shown(header)}` is named in two ways")
        size = fields.get(b"size")
        return replace(
            header,
            name=fields.get(b"path", long_names.get(b"L", header.name)),
            target=fields.get(b"linkpath", long_names.get(b"K", header.target)),
            size=header.size if size is None else _decimal(size),
        )


def walk(stream: Stream) -> Iterator[Packed]:
    """Yield the entries of a tar file, in its order.

    Raises:
        UnusableError: it is no tar file, is damaged, or holds what no bundle has.
    """
    extension = _Extension()
    while (block := stream.exactly(_BLOCK)) != _END:
        header = _header(block)
        if header.kind in {b"x", b"g", b"L", b"K"}:
            extension = _extended(extension, header, _extension_bytes(stream, header))
            continue
        entry = _entry(extension.applied(header))
        extension = _Extension()
        begun = stream.octets
        yield entry, stream.chunks(entry.size)
        # What nobody has read of it, and what fills its last block.
        stream.skip(_filled(entry.size) - (stream.octets - begun))
    if extension != _Extension():
        raise UnusableError("its last entry is missing", hint=DAMAGED)
    _require_end(stream)


def _filled(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _header(block: bytes) -> _Header:
    if block[_MAGIC] != b"ustar":
        raise UnusableError("what stands where the header of an entry belongs is none", hint=DAMAGED)
    # The sum is made with blanks in its own place.
    if sum(block[:148]) + 8 * 32 + sum(block[156:]) != _number(block[148:156]):
        raise UnusableError("the header of an entry is damaged", hint=DAMAGED)
    name, prefix = _text(block[:100]), _text(block[345:500])
    if prefix and block[257:263] == _POSIX:
        name = prefix + b"/" + name
    return _Header(kind=block[156:157], name=name, target=_text(block[157:257]), size=_number(block[124:136]))


def _text(part: bytes) -> bytes:
    return part.partition(b"\0")[0]


def _number(part: bytes) -> int:
    if part[0] == _BINARY:
        return int.from_bytes(part[1:], "big")
    digits = part.strip(b" \0")
    if not _OCTAL.fullmatch(digits):
        raise UnusableError("the header of an entry is damaged", hint=DAMAGED)
    return int(digits or b"0", 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 20:  # noqa: PLR2004 - digits: more than any file system has bytes
        raise UnusableError(f"a pax header says `{shown(value.decode(errors='replace'))}` where a number belongs")
    return int(value)


def _shown(header: _Header) -> str:
    return shown(header.name.decode(errors="replace"))


def _extension_bytes(stream: Stream, header: _Header) -> bytes:
    if header.size > _LARGEST_EXTENSION:
        raise UnusableError(f"the header of an entry says {header.size} bytes about it, more than any needs")
    data = stream.exactly(_filled(header.size))
    return data[: header.size]


def _extended(extension: _Extension, header: _Header, data: bytes) -> _Extension:
    if header.kind in {b"L", b"K"}:
        if header.kind in extension.long_names:
            raise UnusableError("an entry is named in two ways")
        return replace(extension, long_names={**extension.long_names, header.kind: data.rstrip(b"\0")})
    fields = dict(_fields(data))
    if any(name.startswith(_SPARSE) for name in fields):
        raise UnusableError("it holds a sparse file")
    if header.kind == b"g":
        if any(name in fields for name in _MEANT):
            raise UnusableError("a pax header gives all entries one name or size")
        return extension
    if extension.fields:
        raise UnusableError("an entry is named in two ways")
    return replace(extension, fields=fields)


def _fields(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the `length key=value` fields of a pax header."""
    seen: set[bytes] = set()
    while data:
        length, _, _ = data[:20].partition(b" ")
        end = _decimal(length)
        key, separator, value = data[len(length) + 1 : end - 1].partition(b"=")
        if not separator or data[end - 1 : end] != b"\n" or key in seen:
            raise UnusableError("a pax header is damaged, or says a thing twice", hint=DAMAGED)
        seen.add(key)
        yield key, value
        data = data[end:]


def _entry(header: _Header) -> Entry:
    name = named(header.name)
    match header.kind:
        case b"0" | b"\0" if not header.name.endswith(b"/"):
            return Entry(name=name, size=header.size)
        case b"5" if header.size == 0:
            return Entry(name=name, kind="folder")
        case b"1" if header.size == 0:
            return Entry(name=name, kind="link", target=named(header.target))
    what = _KINDS.get(header.kind, "neither a regular file nor a folder")
    raise UnusableError(f"the entry `{_shown(header)}` is {what}, which no bundle holds")


def _require_end(stream: Stream) -> None:
    if stream.exactly(_BLOCK) != _END:
        raise UnusableError("its end stands in its midst", hint=DAMAGED)
    while data := stream.some(1 << 16):
        if data.strip(b"\0"):
            raise UnusableError("there is more behind its end", hint=DAMAGED)
