"""The bag: a directory that proves its own content, BagIt 1.0 (RFC 8493).

```text
bagit.txt                two fixed lines
bag-info.txt             what the bag is, one `Name: value` line each, in fixed order
manifest-sha256.txt      `<sha256>  data/<path>`, sorted by path: its own SHA-256 is the identity of the bundle
tagmanifest-sha256.txt   the same for the three files above
data/                    the payload
```

Tag files have exactly one spelling. Reading compares them with it byte by byte, so that any change to them is found.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from reprokit.bundle import paths
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import NewerFormatError, NotFoundError, UnreadableError

PAYLOAD = "data"
DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
TAG_FILES = (DECLARATION, INFO, MANIFEST, TAG_MANIFEST)
FORMAT = 1
NO_LINK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)

_THREADS = min(8, os.cpu_count() or 1)
_SHARE = (
    64  # files that a thread digests in one go: to hand it a small file at a time would take longer than to read it
)

_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LINE = re.compile(r"^([0-9a-f]{64})  (.+)$")


@dataclass(frozen=True, kw_only=True)
class BagInfo:
    """What `bag-info.txt` says. Nothing in it takes part in the identity.

    `bagging_date` is a UTC time, `payload_octets` counts bytes as stored.
    """

    bundle_id: str
    bagging_date: str
    payload_octets: int
    payload_files: int
    content_digest: str
    name: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()
    agent: str | None = None
    format: int = FORMAT


def _one_line(text: str) -> str:
    """Flatten a text; what is no Unicode, such as an argument of other bytes, becomes U+FFFD."""
    return " ".join("".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text).split())


def render_info(info: BagInfo) -> bytes:
    """Write `bag-info.txt` in its one spelling."""
    rows: list[tuple[str, str | None]] = [
        ("Bag-Software-Agent", info.agent),
        ("Bagging-Date", info.bagging_date),
        ("External-Description", info.note),
        ("External-Identifier", info.bundle_id),
        ("Payload-Oxum", f"{info.payload_octets}.{info.payload_files}"),
        ("Reprokit-Content-Digest", info.content_digest),
        ("Reprokit-Format", str(info.format)),
        ("Reprokit-Name", info.name),
        # Flattened before they are compared: what is one tag when read must have been one when written.
        *(("Reprokit-Tag", tag) for tag in sorted({_one_line(tag) for tag in info.tags})),
    ]
    lines = ((key, _one_line(value or "")) for key, value in rows)
    return "".join(f"{key}: {value}\n" for key, value in lines if value).encode()


def parse_info(data: bytes) -> BagInfo:
    """Read `bag-info.txt`.

    Raises:
        ValueError: a line or a field that every bag has is missing or malformed.
    """
    fields: dict[str, list[str]] = {}
    for line in data.decode("utf-8").splitlines():
        key, separator, value = line.partition(": ")
        if not separator:
            message = f"`{line}` is no `Name: value` line"
            raise ValueError(message)
        fields.setdefault(key, []).append(value)

    def first(key: str) -> str | None:
        return fields.get(key, [None])[0]

    def required(key: str) -> str:
        value = first(key)
        if value is None:
            message = f"`{key}` is missing"
            raise ValueError(message)
        return value

    octets, _, files = required("Payload-Oxum").partition(".")
    return BagInfo(
        bundle_id=required("External-Identifier"),
        bagging_date=required("Bagging-Date"),
        payload_octets=int(octets),
        payload_files=int(files),
        content_digest=required("Reprokit-Content-Digest"),
        format=int(required("Reprokit-Format")),
        name=first("Reprokit-Name"),
        note=first("External-Description"),
        tags=tuple(fields.get("Reprokit-Tag", ())),
        agent=first("Bag-Software-Agent"),
    )


def render_manifest(digests: Mapping[str, str]) -> bytes:
    """Write a manifest of path → hexadecimal SHA-256 in its one spelling: sorted by the bytes of the path."""
    rows = sorted(digests.items(), key=lambda row: row[0].encode())
    return "".join(f"{digest}  {path}\n" for path, digest in rows).encode()


def parse_manifest(data: bytes) -> dict[str, str]:
    """Read a manifest into path → hexadecimal SHA-256.

    Raises:
        ValueError: a line is malformed, a path leads out of the bundle or stands twice.
    """
    digests: dict[str, str] = {}
    for line in data.decode("utf-8").split("\n")[:-1]:
        match = _LINE.match(line)
        if match is None:
            message = f"`{line[:100]}` is no line of a manifest"
            raise ValueError(message)
        digest, path = match.groups()
        if not paths.is_safe(path) or path in digests:
            message = f"`{path}` leads out of the bundle or stands twice"
            raise ValueError(message)
        digests[path] = digest
    return digests


def content_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """Digest the uncompressed payload: SHA-256 over sorted `<sha256> <size> <path>` lines.

    `files` gives (path without `.zst`, size in bytes, `sha256:…`), so that equal content is recognised although it was
    compressed by another version of zstd.
    """
    rows = sorted(files, key=lambda row: row[0].encode())
    text = "".join(f"{digest.removeprefix('sha256:')} {size} {path}\n" for path, size, digest in rows)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def identity_of(manifest: bytes) -> str:
    """Give the identity that a manifest stands for."""
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def _tag_manifest(tags: Mapping[str, bytes]) -> bytes:
    return render_manifest({name: hashlib.sha256(data).hexdigest() for name, data in tags.items()})


def seal(bag: Path, digests: Mapping[str, str], info: BagInfo) -> str:
    """Write the tag files around a finished payload, and return the identity.

    `digests` maps every payload path (`data/…`) to its hexadecimal SHA-256.
    """
    manifest = render_manifest(digests)
    tags = {DECLARATION: _DECLARATION, INFO: render_info(info), MANIFEST: manifest}
    tags[TAG_MANIFEST] = _tag_manifest(tags)
    for name, data in tags.items():
        (bag / name).write_bytes(data)
    return identity_of(manifest)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes, without waiting for anybody to write.

    Raises:
        OSError: it is missing, cannot be read, or is no regular file: a link, a folder, a named pipe, a device.
    """
    descriptor = os.open(path, NO_LINK | _NO_WAIT)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def _tag(bag: Path, name: str) -> bytes:
    try:
        with open_regular(bag / name) as stream:
            return stream.read()
    except FileNotFoundError:
        raise NotFoundError(
            f"`{bag}` is not a bundle: it has no `{name}`", hint="name a bundle's folder, or an id from `reprokit list`"
        ) from None
    except OSError as error:
        raise UnreadableError(f"`{bag / name}` cannot be read: {error.strerror}") from error


def identity(bag: Path) -> str:
    """Tell the identity of a bundle: the SHA-256 of its manifest's bytes.

    Raises:
        NotFoundError: there is no bundle.
    """
    return identity_of(_tag(bag, MANIFEST))


def read_info(bag: Path) -> BagInfo:
    """Read `bag-info.txt` of a bundle.

    Raises:
        NotFoundError: there is no bundle.
        UnreadableError: it is malformed, or (`NewerFormatError`) of a format newer than this version reads.
    """
    try:
        info = parse_info(_tag(bag, INFO))
    except ValueError as error:
        raise UnreadableError(
            f"`{bag / INFO}` cannot be read: {error}", hint="restore the bundle from another copy"
        ) from error
    if info.format > FORMAT:
        raise NewerFormatError(
            f"`{bag.name}` has format {info.format}, this version reads up to {FORMAT}", hint="install a newer reprokit"
        )
    return info


def read_manifest(bag: Path) -> dict[str, str]:
    """Read the manifest of a bundle: payload path → hexadecimal SHA-256.

    Raises:
        NotFoundError: there is no bundle.
        UnreadableError: it is malformed.
    """
    try:
        return parse_manifest(_tag(bag, MANIFEST))
    except ValueError as error:
        raise UnreadableError(
            f"`{bag / MANIFEST}` cannot be read: {error}", hint="restore the bundle from another copy"
        ) from error


def sha256_of(path: Path) -> str:
    """Digest a regular file, never one behind a link, as hexadecimal SHA-256."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digests_of(files: Sequence[Path], digest: Callable[[Path], str] = sha256_of) -> Iterator[str | OSError]:
    """Digest files, side by side, in their order; what cannot be read gives its error in the place of a digest."""

    def tell(path: Path) -> str | OSError:
        try:
            return digest(path)
        except OSError as error:
            return error

    if len(files) <= 1 or _THREADS == 1:
        yield from map(tell, files)
        return
    share = max(1, min(_SHARE, len(files) // (_THREADS * 4)))
    shares = [files[start : start + share] for start in range(0, len(files), share)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for found in pool.map(lambda some: list(map(tell, some)), shares):
            yield from found


def walk(bag: Path) -> Iterator[tuple[str, bool]]:
    """Yield everything under a bundle's folder, as (path, is a regular file); links are not followed.

    Of folders only those with nothing in them are told, as `path/`: no listing of files speaks of them.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(bag / folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        if folder and not listed:
            yield folder, False
        for entry in listed:
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders.append(path + "/")
            else:
                yield path, entry.is_file(follow_symlinks=False)


def _verify_info(data: bytes, manifest: bytes) -> Iterator[Finding]:
    try:
        info = parse_info(data)
    except ValueError as error:
        yield finding("E104", INFO, str(error))
        return
    if render_info(info) != data:
        yield finding("E104", INFO, "not in its one spelling")
    if not info.bundle_id.endswith("-" + identity_of(manifest)[7:15]):
        yield finding("E106", MANIFEST, f"`{info.bundle_id}` has another identity")


def _verify_manifest(data: bytes) -> Iterator[Finding]:
    try:
        if render_manifest(parse_manifest(data)) != data:
            yield finding("E104", MANIFEST, "not in its one spelling")
    except ValueError as error:
        yield finding("E104", MANIFEST, str(error))


def verify_tags(bag: Path) -> Iterator[Finding]:
    """Yield a finding for each tag file that is not what was sealed; nothing of the payload is read."""
    tags: dict[str, bytes] = {}
    for name in TAG_FILES:
        try:
            tags[name] = _tag(bag, name)
        except (NotFoundError, UnreadableError) as error:
            yield finding("E104", name, error.message)
    if len(tags) < len(TAG_FILES):
        return
    if tags[DECLARATION] != _DECLARATION:
        yield finding("E104", DECLARATION)
    if tags.pop(TAG_MANIFEST) != _tag_manifest(tags):
        yield finding("E104", TAG_MANIFEST, "it does not list the tag files as they are")
    yield from _verify_info(tags[INFO], tags[MANIFEST])
    yield from _verify_manifest(tags[MANIFEST])


def verify_names(bag: Path, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for everything in a bundle's folder that is no regular file of its manifest, and for no byte."""
    for path, regular in walk(bag):
        if path.endswith("/"):
            yield finding("E103", path, "an empty folder")
        elif not regular:
            yield finding("E105", path)
        elif path not in digests and path not in TAG_FILES:
            yield finding("E103", path)


def _verify_payload(bag: Path, digests: Mapping[str, str]) -> Iterator[Finding]:
    yield from verify_names(bag, digests)
    listed = [path for path, regular in walk(bag) if regular and path in digests]
    for path, digest in zip(listed, digests_of([bag / path for path in listed]), strict=True):
        if digest != digests[path]:
            yield finding("E101", path, (digest.strerror or "") if isinstance(digest, OSError) else "")
    for path in sorted(set(digests) - set(listed)):
        yield finding("E102", path)


def changed_files(bag: Path, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Read some payload files, and name those that are not what the manifest says, or are gone.

    Args:
        bag: the bundle's folder.
        wanted: tells of a path below the bag whether to read it.

    Raises:
        NotFoundError: there is no manifest.
        UnreadableError: it is malformed.
    """
    for path, digest in read_manifest(bag).items():
        if wanted(path):
            try:
                if sha256_of(bag / path) != digest:
                    yield path
            except OSError:
                yield path


def verify(bag: Path) -> Iterator[Finding]:
    """Read every byte of a bundle and yield a finding for each that is not what was sealed.

    Raises:
        NotFoundError: there is nothing at `bag`.
    """
    if not bag.is_dir():
        raise NotFoundError(f"`{bag}` is not a bundle", hint="name a bundle's folder, or an id from `reprokit list`")
    yield from verify_tags(bag)
    try:
        digests = read_manifest(bag)
    except (NotFoundError, UnreadableError):
        return
    yield from _verify_payload(bag, digests)
