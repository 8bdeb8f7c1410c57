"""Writing a bundle: each payload byte is written, hashed and, where it is long text, compressed in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

import msgspec

from reprokit.bundle import bag, canonical, compression, naming, paths, readme, schemas
from reprokit.bundle.bag import BagInfo
from reprokit.bundle.compression import Sink
from reprokit.bundle.reading import RECORD
from reprokit.bundle.record import File, Record, Role
from reprokit.bundle.results import Results

_CHUNK = 1 << 20
README = "README.md"
SCRIPT = "reproduce.sh"


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a person calls a bundle; none of it takes part in its identity."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sealed:
    """A finished bundle, not yet in its place."""

    path: Path
    bundle_id: str
    identity: str
    content_digest: str


class _Hashing:
    """Passes bytes on and remembers their digest and number."""

    def __init__(self, target: Sink) -> None:
        self.target = target
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self.target.write(data)
        self.sha256.update(data)
        self.size += len(data)
        return len(data)


class _Deferring:
    """Holds the first MiB back until it is known whether the file is to be compressed."""

    def __init__(self, target: Path, stack: ExitStack, *, may_compress: bool) -> None:
        self.may_compress = may_compress
        self.plain = target
        self.stored = target
        self.stack = stack
        self.held = bytearray()
        self.sink: Sink | None = None
        self.bytes_stored: _Hashing | None = None

    def _open(self, *, compress: bool) -> Sink:
        self.stored = self.plain.with_name(self.plain.name + compression.SUFFIX) if compress else self.plain
        # Never over a file that is there: two payload files of one name are a mistake in the caller.
        stream: BinaryIO = self.stack.enter_context(self.stored.open("xb"))
        self.bytes_stored = _Hashing(stream)
        if not compress:
            return self.bytes_stored
        writer = compression.compressor(self.bytes_stored)
        return self.stack.enter_context(writer)

    def write(self, data: bytes, /) -> int:
        if self.sink is None:
            self.held += data
            if len(self.held) <= compression.THRESHOLD:
                return len(data)
            self.sink = self._open(compress=self.may_compress and compression.is_text(bytes(self.held[:_CHUNK])))
            data, self.held = bytes(self.held), bytearray()
        self.sink.write(data)
        return len(data)

    def discard(self) -> None:
        """Leave nothing behind of a file that is not finished."""
        opened = self.sink is not None
        self.stack.close()
        if opened:
            self.stored.unlink(missing_ok=True)

    def finish(self) -> str:
        """Flush all and return the hexadecimal digest of the bytes as stored."""
        if self.sink is None:
            self.sink = self._open(compress=False)
            self.sink.write(bytes(self.held))
        self.stack.close()
        assert self.bytes_stored is not None  # noqa: S101 - `_open` has set it
        return self.bytes_stored.sha256.hexdigest()


class Readable(Protocol):
    """Bytes to be read from beginning to end."""

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes; none at the end."""
        ...


Examination = Callable[[Readable], bool]


class _Copying:
    """Hands bytes on to whoever reads them, and writes them where they are copied to."""

    def __init__(self, source: BinaryIO, target: Sink) -> None:
        self.source = source
        self.target = target

    def read(self, size: int, /) -> bytes:
        data = self.source.read(size)
        self.target.write(data)
        return data


class _Refused(Exception):  # noqa: N818 - no error: it leaves the writing of a file that is not wanted
    pass


def _whatever(_: Readable) -> bool:
    return True


@dataclass(kw_only=True)
class Payload:
    """A payload in the making, below `bag/data`. Every path given is relative to `data/`.

    While it is `shared`, other payloads in the making write below the same `bag`, and folders that hold nothing stay.
    """

    bag: Path
    shared: bool = False
    files: list[File] = field(default_factory=list)
    _digests: dict[str, str] = field(default_factory=dict)
    _taken: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def writer(self, path: str, role: Role | None, *, name: str | None = None) -> Iterator[Sink]:
        """Open a payload file for writing; it is indexed when the block ends without an error."""
        target = self.bag / bag.PAYLOAD / path
        folder = target.parent
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # What the record does not index is found by its name alone.
            deferring = _Deferring(target, stack, may_compress=role is not None)
            content = _Hashing(deferring)
            try:
                yield content
            except BaseException:
                deferring.discard()
                self._prune(folder)
                raise
            stored_digest = deferring.finish()
        stored = path + deferring.stored.name.removeprefix(target.name)
        self._digests[f"{bag.PAYLOAD}/{stored}"] = stored_digest
        paths.take(path, self._taken)
        paths.take(stored, self._taken)
        if role is not None:
            digest = "sha256:" + content.sha256.hexdigest()
            self.files.append(File(path=path, role=role, size=content.size, digest=digest, stored=stored, name=name))

    def _prune(self, folder: Path) -> None:
        """Remove a folder, and those above it, that hold nothing: a bag has no empty ones."""
        with suppress(OSError):
            while not self.shared and folder != self.bag / bag.PAYLOAD:
                folder.rmdir()
                folder = folder.parent

    def add(self, path: str, role: Role | None, data: bytes | Iterable[bytes]) -> None:
        """Write a payload file from bytes, or from pieces of it."""
        with self.writer(path, role) as sink:
            for piece in (data,) if isinstance(data, bytes) else data:
                sink.write(piece)

    def add_file(self, source: Path, path: PurePosixPath, role: Role, *, accept: Examination = _whatever) -> bool:
        """Copy a file byte for byte, under a name that can be stored; tells whether it was accepted.

        `accept` is given the bytes as they are copied, and reads them to their end: what it judges is what is stored,
        however the file changes meanwhile. What it does not accept is not in the payload.

        Raises:
            OSError: it cannot be read, or is a link.
        """
        stored = paths.storable(path, self._taken)
        name = str(path) if stored != str(path) else None
        with (
            suppress(_Refused),
            bag.open_regular(source) as stream,
            self.writer(stored, role, name=name) as sink,
        ):
            copying = _Copying(stream, sink)
            if not accept(copying):
                raise _Refused
            while copying.read(_CHUNK):
                pass
            return True
        return False

    def free_name(self, path: str) -> str:
        """Find the storable name, not yet taken, that is nearest to `path`."""
        return paths.storable(PurePosixPath(path), self._taken)

    def are_apart(self, wanted: Iterable[PurePosixPath]) -> bool:
        """Tell whether files of these names would get the same names each alone, whichever of them are stored."""
        taken = dict(self._taken)
        for path in wanted:
            name = paths.storable(path, taken)
            if name != paths.storable(path, {}):
                return False
            paths.take(name, taken)
        return True

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Let other payloads write below the same `bag` for a while; see `part`."""
        self.shared = True
        try:
            yield
        finally:
            self.shared = False
            for path, _ in list(bag.walk(self.bag)):
                if path.endswith("/"):
                    self._prune(self.bag / path)

    def part(self) -> Payload:
        """Begin a payload below the same `bag`, to be absorbed or forgotten. Only its files' names must be apart."""
        return Payload(bag=self.bag, shared=True)

    def absorb(self, part: Payload) -> None:
        """Take over the files of a part."""
        self.files += part.files
        self._digests |= part._digests
        self._taken |= part._taken

    def forget(self, path: PurePosixPath) -> None:
        """Remove what a part may have written of a file."""
        target = self.bag / bag.PAYLOAD / paths.storable(path, {})
        for stored in (target, target.with_name(target.name + compression.SUFFIX)):
            stored.unlink(missing_ok=True)

    def seal(
        self,
        record: Record,
        *,
        results: Results,
        script: Callable[[Record], str],
        label: Label,
        captured: str,
        agent: str,
    ) -> Sealed:
        """Add what is derived from the record, write the tag files and make everything read-only.

        `script` writes `reproduce.sh` for the record; `captured` is the present time (UTC), `agent` the program that
        captures; both stay out of the identity.
        """
        record = msgspec.structs.replace(record, files=sorted(self.files, key=lambda file: file.path))
        # What is derived is derived from what is written, not from what could not be written as it was.
        written = canonical.record(record)
        record, results = canonical.decode(written, Record), canonical.decode(canonical.line(results), Results)
        self.add(README, None, readme.text(record, results).encode())
        self.add(SCRIPT, None, script(record).encode())
        for name in sorted(schemas.TYPES):
            self.add(f"schemas/{schemas.file_name(name)}", None, schemas.published(name))
        self.add(RECORD, None, written)
        content = bag.content_digest(uncompressed(record, self._digests, self.bag))
        octets = sum((self.bag / path).stat().st_size for path in self._digests)
        identity = bag.identity_of(bag.render_manifest(self._digests))
        info = BagInfo(
            bundle_id=naming.bundle_id(record, identity),
            bagging_date=captured,
            payload_octets=octets,
            payload_files=len(self._digests),
            content_digest=content,
            name=label.name,
            note=label.note,
            tags=label.tags,
            agent=agent,
        )
        bag.seal(self.bag, self._digests, info)
        for path in (*self._digests, *bag.TAG_FILES):
            (self.bag / path).chmod(0o444)
        return Sealed(path=self.bag, bundle_id=info.bundle_id, identity=identity, content_digest=content)


def uncompressed(record: Record, digests: dict[str, str], folder: Path) -> Iterator[tuple[str, int, str]]:
    """Yield (path, size, digest) of every payload file as it is before compression, for the content digest.

    `digests` is the manifest; files that the record does not index are stored as they are.
    """
    indexed = {file.stored: file for file in record.files}
    for stored, digest in digests.items():
        path = stored.removeprefix(bag.PAYLOAD + "/")
        file = indexed.get(path)
        if file is None:
            yield path, (folder / stored).stat().st_size, "sha256:" + digest
        else:
            yield file.path, file.size, file.digest
