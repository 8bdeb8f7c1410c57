"""Opening a bundle: its records as values, its files as streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec
import zstandard

from reprokit.bundle import bag, canonical, paths
from reprokit.bundle.bag import BagInfo
from reprokit.bundle.compression import open_stored
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import File, Record
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.errors import InvalidRecordError, NotFoundError

T = TypeVar("T")

RECORD = "bundle.json"
RESULTS = "results.json"
ENVIRONMENT = "environment/environment.json"
LOCK = "environment/requirements.lock"
_RESTORE = "`reprokit validate` lists all that is wrong; restore the bundle from another copy"
_LONGEST_LINE = 1 << 26
_LARGEST_RECORD = 1 << 28

_samples = msgspec.json.Decoder(Sample)


@dataclass(frozen=True)
class Bundle:
    """One bundle on disk. Records are read when they are first asked for."""

    path: Path
    info: BagInfo
    identity: str

    @cached_property
    def record(self) -> Record:
        """What happened: `bundle.json`."""
        return self._record(RECORD, Record)

    @cached_property
    def results(self) -> Results:
        """The metrics: `results.json`."""
        return self._record(RESULTS, Results)

    @cached_property
    def environment(self) -> Environment | None:
        """Software and machine; `None` when the bundle holds no such record."""
        return self._record(ENVIRONMENT, Environment) if self.has(ENVIRONMENT) else None

    @cached_property
    def sources(self) -> list[Source]:
        """The checkouts that code was read from."""
        if isinstance(self.record.sources, Unknown):
            return []
        return [self._record(summary.record, Source) for summary in self.record.sources]

    def tasks(self) -> list[str]:
        """Name the tasks that have samples, in the order of the results."""
        return [task.name for task in self.results.tasks if task.samples_file is not None]

    def samples(self, task: str) -> Iterator[Sample]:
        """Stream the samples of a task, in the order they were saved.

        Raises:
            NotFoundError: the bundle has no samples of that task.
            InvalidRecordError: a line does not follow the schema.
        """
        for number, line in enumerate(self.lines(task), start=1):
            try:
                yield _samples.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise InvalidRecordError(
                    f"`{self.path / bag.PAYLOAD / self._samples_file(task)}`, line {number}: {error}", hint=_RESTORE
                ) from error

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the lines of samples of a task, as they are stored.

        Raises:
            NotFoundError: the bundle has no samples of that task.
            InvalidRecordError: the file is damaged.
        """
        name = self._samples_file(task)
        with self.open(name) as stream:
            try:
                yield from iter(lambda: stream.readline(_LONGEST_LINE), b"")
            except (zstandard.ZstdError, OSError) as error:
                raise InvalidRecordError(f"`{self.stored(name)}` is damaged: {error}", hint=_RESTORE) from error

    def _samples_file(self, task: str) -> str:
        name = next((each.samples_file for each in self.results.tasks if each.name == task), None)
        if name is None:
            there = ", ".join(f"`{each}`" for each in self.tasks()) or "no task"
            raise NotFoundError(f"`{self.info.bundle_id}` has no samples of `{task}`", hint=f"it has those of {there}")
        return name

    def file(self, path: str) -> File | None:
        """Look up a payload path (without `.zst`) in the record's index of files."""
        return self._index.get(path)

    def stored(self, path: str) -> Path:
        """Tell where the payload file of that name (without `.zst`) is stored."""
        file = self.file(path)
        stored = file.stored if file else path
        if not paths.is_safe(stored):
            raise InvalidRecordError(f"`{self.path.name}` names a file outside of itself: `{stored}`", hint=_RESTORE)
        return self.path / bag.PAYLOAD / stored

    def has(self, path: str) -> bool:
        """Tell whether the payload holds a file of that name (without `.zst`)."""
        return self.stored(path).is_file()

    def open(self, path: str) -> BinaryIO:
        """Open a payload file for reading its uncompressed bytes.

        Raises:
            NotFoundError: the payload has no such file.
        """
        try:
            return open_stored(self.stored(path))
        except OSError as error:
            raise NotFoundError(
                f"`{self.path.name}` has no readable `{path}`: {error.strerror}", hint=_RESTORE
            ) from error

    def read_payload(self, path: str) -> bytes:
        """Read a whole payload file of up to 256 MiB, never more of it than the record says there is.

        Raises:
            NotFoundError: the payload has no such file.
            InvalidRecordError: it holds more than the record says, or is damaged.
        """
        file = self.file(path)
        with self.open(path) as stream:
            try:
                data = stream.read(_LARGEST_RECORD if file is None else min(file.size, _LARGEST_RECORD) + 1)
            except zstandard.ZstdError as error:
                raise InvalidRecordError(f"`{self.stored(path)}` is damaged: {error}", hint=_RESTORE) from error
        if file is not None and len(data) != file.size:
            raise InvalidRecordError(f"`{self.stored(path)}` is not as long as the record says", hint=_RESTORE)
        return data

    @cached_property
    def _index(self) -> dict[str, File]:
        return {file.path: file for file in self.record.files}

    def _record(self, path: str, kind: type[T]) -> T:
        where = self.path / bag.PAYLOAD / path if path == RECORD else self.stored(path)
        try:
            with open_stored(where) as stream:
                data = stream.read(_LARGEST_RECORD + 1)
            if len(data) > _LARGEST_RECORD:
                raise InvalidRecordError(f"`{where}` is larger than any record", hint=_RESTORE)
            return canonical.decode(data, kind)
        except OSError as error:
            raise NotFoundError(f"`{where}` cannot be read: {error.strerror}", hint=_RESTORE) from error
        except (msgspec.DecodeError, UnicodeDecodeError, zstandard.ZstdError) as error:
            raise InvalidRecordError(f"`{where}` is no valid record: {error}", hint=_RESTORE) from error


def open_bundle(path: Path) -> Bundle:
    """Open the bundle in a folder.

    Raises:
        NotFoundError: there is none.
        UnreadableError: its tag files are malformed, or its format is newer than this version reads.
    """
    return Bundle(path=path, info=bag.read_info(path), identity=bag.identity(path))
