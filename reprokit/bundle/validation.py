"""Checking a bundle by itself: every byte, every record, every sample line, and that they agree with each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from reprokit.bundle import bag, checking, naming
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import ENVIRONMENT, LOCK, RECORD, RESULTS, Bundle, open_bundle
from reprokit.bundle.record import File
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import README, SCRIPT, uncompressed
from reprokit.errors import InvalidRecordError, NewerFormatError, NotFoundError, ReprokitError, UnreadableError

_CHUNK = 1 << 20
_MOST_LINE_FINDINGS = 20
_LONGEST_LINE = 1 << 26
_LARGEST_RECORD = 1 << 28
_UNINDEXED = {RECORD, README, SCRIPT}


def _record_findings(bundle: Bundle, path: str, schema: str) -> Iterator[Finding]:
    try:
        value = msgspec.json.decode(bundle.read_payload(path) if path != RECORD else _raw_record(bundle))
    except NotFoundError:
        yield finding("E204", path)
        return
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ReprokitError) as error:
        yield finding("E201", path, str(error))
        return
    for wrong in checking.errors(schema, value):
        yield finding("E202", path, wrong)


def _raw_record(bundle: Bundle) -> bytes:
    try:
        with bag.open_regular(bundle.path / bag.PAYLOAD / RECORD) as stream:
            return stream.read(_LARGEST_RECORD)
    except OSError as error:
        raise NotFoundError(str(error)) from error


def _line_error(line: bytes) -> str | None:
    try:
        value: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return checking.first_line_error(value)


def _lines(bundle: Bundle, file: File) -> Iterator[bytes]:
    """Yield the lines of a stored file, stopping one byte past the recorded size, as `_content` does."""
    left = file.size + 1
    with bundle.open(file.path) as stream:
        while line := stream.readline(min(_LONGEST_LINE, left)):
            left -= len(line)
            yield line


def _sample_findings(bundle: Bundle, file: File) -> Iterator[Finding]:
    count, path = 0, file.path
    try:
        for number, line in enumerate(_lines(bundle, file), start=1):
            wrong = _line_error(line)
            if wrong is None:
                continue
            count += 1
            if count <= _MOST_LINE_FINDINGS:
                yield finding("E203", path, f"line {number}, {wrong}")
    except (NotFoundError, zstandard.ZstdError, OSError) as error:
        yield finding("E205", path, str(error))
    if count > _MOST_LINE_FINDINGS:
        yield finding("E203", path, f"and {count - _MOST_LINE_FINDINGS} more lines")


def _content(bundle: Bundle, file: File) -> tuple[int, str]:
    """Read a stored file's uncompressed bytes, stopping one past the recorded size: a bomb is not unpacked."""
    sha256, size = hashlib.sha256(), 0
    with bundle.open(file.path) as stream:
        while size <= file.size and (chunk := stream.read(min(_CHUNK, file.size + 1 - size))):
            sha256.update(chunk)
            size += len(chunk)
    return size, "sha256:" + sha256.hexdigest()


def _compressed_findings(bundle: Bundle, file: File) -> Iterator[Finding]:
    try:
        if _content(bundle, file) != (file.size, file.digest):
            yield finding("E205", file.path)
    except (ReprokitError, zstandard.ZstdError, OSError) as error:
        yield finding("E205", file.path, str(error))


def _index_findings(bundle: Bundle, digests: dict[str, str]) -> Iterator[Finding]:
    stored = {path.removeprefix(bag.PAYLOAD + "/"): digest for path, digest in digests.items()}
    for file in bundle.record.files:
        if file.stored not in stored:
            yield finding("E206", file.path, "the payload does not hold it")
        elif file.stored != file.path:
            yield from _compressed_findings(bundle, file)
        elif file.digest != "sha256:" + stored[file.stored]:
            yield finding("E206", file.path, "it has another digest")
    indexed = {file.stored for file in bundle.record.files}
    for path in sorted(set(stored) - indexed - _UNINDEXED):
        if not path.startswith("schemas/"):
            yield finding("E206", path, "the record does not list it")


def check_named(bundle: Bundle) -> Iterator[Finding]:
    """Yield what of `bag-info.txt` is not as the records say, since no digest stands for what it says of itself.

    Raises:
        InvalidRecordError: the record cannot be read.
    """
    digests = bag.read_manifest(bundle.path)
    expected = naming.bundle_id(bundle.record, bundle.identity)
    if bundle.info.bundle_id != expected:
        yield finding("E106", bag.INFO, f"its records make it `{expected}`")
    present = {path: digest for path, digest in digests.items() if (bundle.path / path).is_file()}
    if len(present) < len(digests):
        return
    if bundle.info.content_digest != bag.content_digest(uncompressed(bundle.record, digests, bundle.path)):
        yield finding("E106", bag.INFO, "the content digest is not that of the payload")
    octets = sum((bundle.path / path).stat().st_size for path in digests)
    if (bundle.info.payload_octets, bundle.info.payload_files) != (octets, len(digests)):
        yield finding("E106", bag.INFO, "`Payload-Oxum` is not that of the payload")


def _records(bundle: Bundle) -> Iterator[Finding]:
    for path, schema in ((RESULTS, "results"), (ENVIRONMENT, "environment")):
        yield from _record_findings(bundle, path, schema)
    for path in (README, SCRIPT, LOCK):
        if not bundle.has(path):
            yield finding("E204", path)
    sources = bundle.record.sources
    for summary in [] if isinstance(sources, Unknown) else sources:
        yield from _record_findings(bundle, summary.record, "source")


def _samples(bundle: Bundle) -> Iterator[Finding]:
    for file in bundle.record.files:
        if file.role == "samples":
            yield from _sample_findings(bundle, file)


def validate(path: Path) -> Iterator[Finding]:
    """Check the bundle in a folder, and yield everything that is wrong with it.

    Raises:
        NotFoundError: there is no bundle.
        NewerFormatError: its format is newer than this version reads.
    """
    yield from bag.verify(path)
    yield from validate_records(path)


def validate_records(path: Path) -> Iterator[Finding]:
    """Check the records of the bundle in a folder, whose bytes `bag.verify` has looked at, as `validate` does.

    Raises:
        NotFoundError: there is no bundle.
        NewerFormatError: its format is newer than this version reads.
    """
    try:
        bundle = open_bundle(path)
        digests = bag.read_manifest(path)
    except NewerFormatError:
        raise
    except (NotFoundError, UnreadableError):
        # `bag.verify` has said what is wrong with the tag files.
        return
    wrong = list(_record_findings(bundle, RECORD, "bundle"))
    yield from wrong
    try:
        _ = bundle.record
    except (InvalidRecordError, NotFoundError) as error:
        if not wrong:
            yield finding("E202", RECORD, error.message)
        return
    # The index comes first: whoever stops at what is wrong with it has read no more than it says there is.
    yield from _index_findings(bundle, digests)
    yield from _records(bundle)
    yield from _samples(bundle)
    yield from check_named(bundle)
