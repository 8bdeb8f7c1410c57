"""The media that samples are about: what the probe saw lmms-eval show its model, and files that a sample names.

`loaded_later/lmms_eval_media.py` writes a line for each sample into the probe's folder. Files are digested here, when
the run is captured: reading them in the evaluation would take its time.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from reprokit.bundle.bag import open_regular
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import Digest, Json, Unknown, as_json
from reprokit.probes.interpreter import MEDIA

MOST_KEPT = 1 << 29
"""Bytes of lines that are kept in memory; a sample takes 200 or so."""
LONGEST_LINE = 1 << 20
MOST_READ = 1 << 36
"""Bytes of media files that are read for one run."""
_PIECE = 1 << 20
_ENDINGS: dict[str, Literal["image", "audio", "video"]] = {
    **dict.fromkeys((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"), "image"),
    **dict.fromkeys((".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"), "audio"),
    **dict.fromkeys((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".webm"), "video"),
}


class _Item(Struct, frozen=True, kw_only=True):
    kind: Literal["image", "audio", "video", "file"]
    digest: Digest | None = None
    of: Literal["file", "pixels", "samples"] = "file"
    width: int | None = None
    height: int | None = None
    path: str | None = None
    address: str | None = None
    unknown: str = "it could not be digested"


class _Line(Struct, frozen=True, kw_only=True):
    task: str
    id: int
    media: list[_Item]
    left_out: int = 0


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(kw_only=True)
class SeenMedia:
    """What is known of the media of a run's samples, by task and sample, and how often nothing was.

    `directory` is where the evaluation ran, against which its relative paths are read; `watched` says that the probe
    was to see them; `may_read` bytes of files are still read. A line is empty where two processes say different things
    of one sample.
    """

    directory: Path
    watched: bool
    lines: dict[str, dict[int, bytes]] = field(default_factory=dict)
    samples: Counter[str] = field(default_factory=Counter)
    untold: Counter[str] = field(default_factory=Counter)
    digests: dict[tuple[int, int, int, int], Digest] = field(default_factory=dict)
    may_read: int = MOST_READ


def read(probes: Path, harness: str, directory: Path, *, may_read: int = MOST_READ) -> SeenMedia:
    """Read what the probe noted of a live run, into some 200 bytes a sample. Never raises for what it finds.

    Args:
        probes: the folder that the probe wrote into.
        harness: the adapter's name; media are watched in lmms-eval alone.
        directory: where the evaluation ran.
        may_read: how many bytes of media files may be read to digest them.
    """
    seen = SeenMedia(directory=directory, watched=harness == "lmms_eval", may_read=may_read)
    if not seen.watched:
        return seen
    kept = 0
    for raw in _raw_lines(probes):
        try:
            line = _DECODER.decode(raw)
        except (ValueError, RecursionError):
            continue
        kept += len(raw)
        if kept > MOST_KEPT:
            break
        known = seen.lines.setdefault(line.task, {})
        known[line.id] = raw if known.get(line.id, raw) == raw else b""
    return seen


def with_media(sample: Sample, seen: SeenMedia) -> Sample:
    """Add to a sample what it is about besides text: as the probe saw it, else the files that the sample names.

    Those are the files of lmms-eval's `input_media` and, whatever the harness, existing files that the document names
    by themselves in a member or a list, and whose ending is that of a picture, a sound or a film.
    """
    seen.samples[sample.task] += 1
    raw = seen.lines.get(sample.task, {}).get(sample.id) if isinstance(sample.id, int) else None
    if raw:
        line = _DECODER.decode(raw)
        media = [_medium(item, seen) for item in line.media]
        seen.untold[sample.task] += line.left_out > 0
    else:
        seen.untold[sample.task] += seen.watched
        media = list(_named_media(sample, seen))
    return msgspec.structs.replace(sample, media=media) if media else sample


def findings(seen: SeenMedia) -> list[Finding]:
    """Tell, after the last sample, for how many samples of each task nothing certain is known of their media."""
    return [
        finding("W353", task, f"{count} of {seen.samples[task]} samples")
        for task, count in sorted(seen.untold.items())
        if seen.watched and count
    ]


def _raw_lines(probes: Path) -> Iterator[bytes]:
    try:
        files = sorted(file for file in probes.iterdir() if file.name.endswith(MEDIA))
    except OSError:
        return
    for file in files:
        try:
            with open_regular(file) as stream:
                while line := stream.readline(LONGEST_LINE):
                    yield line.rstrip(b"\n")
        except OSError:
            continue


def _medium(item: _Item, seen: SeenMedia) -> Medium:
    digest: Digest | Unknown
    if item.digest is not None:
        digest = item.digest
    elif item.path is not None:
        digest = _digest_of_file(Path(item.path), seen)
    else:
        digest = Unknown(unknown="it lies elsewhere" if item.address is not None else item.unknown)
    return Medium(
        kind=item.kind,
        digest=digest,
        digest_of=item.of,
        width=item.width,
        height=item.height,
        name=_name(item, seen.directory),
    )


def _name(item: _Item, directory: Path) -> str | None:
    if item.address is not None:
        return _without_credentials(item.address)
    if item.path is None:
        return None
    path = Path(item.path)
    return str(as_json(path.relative_to(directory).as_posix() if path.is_relative_to(directory) else path.name))


def _without_credentials(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _digest_of_file(path: Path, seen: SeenMedia) -> Digest | Unknown:
    try:
        with open_regular(path.resolve()) as stream:
            status = os.fstat(stream.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if key in seen.digests:
                return seen.digests[key]
            if status.st_size > seen.may_read:
                return Unknown(unknown="there was no time to read it: the run has more media than are digested")
            seen.may_read -= status.st_size
            whole = hashlib.sha256()
            while piece := stream.read(_PIECE):
                whole.update(piece)
    except (OSError, ValueError) as error:
        return Unknown(unknown=f"the file cannot be read: {getattr(error, 'strerror', None) or 'it has no such name'}")
    seen.digests[key] = f"sha256:{whole.hexdigest()}"
    return seen.digests[key]


def _named_media(sample: Sample, seen: SeenMedia) -> Iterator[Medium]:
    """Find the files that a sample names, each once, in order."""
    listed = sample.extra.get("input_media")
    members = list(sample.document.values()) if isinstance(sample.document, dict) else []
    known: set[str] = set()
    for text in [*_texts([listed]), *_texts(members)]:
        kind = _ENDINGS.get(os.path.splitext(text.partition("?")[0])[1].lower())  # noqa: PTH122 - it may be an address
        if kind is None or text in known:
            continue
        known.add(text)
        if "://" in text:
            yield _medium(_Item(kind=kind, address=text), seen)
        elif os.path.isfile(seen.directory / text):  # noqa: PTH113 - it never raises, whatever the text is
            yield _medium(_Item(kind=kind, path=str(seen.directory / text)), seen)


def _texts(values: list[Json]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (each for each in value if isinstance(each, str))
