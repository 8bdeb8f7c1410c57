"""The files of a model or a dataset: what they are for, their size, and their digest as far as reading is worth it.

Nothing but regular files is opened. A link is followed when it leads to a blob of a Hugging Face cache, and when it is
the very place that the run was told of.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from reprokit import clock
from reprokit.bundle.bag import open_regular
from reprokit.bundle.record import SubjectFile
from reprokit.bundle.values import SHA256
from reprokit.probes.source.credential_files import REASON as HOLDS_CREDENTIALS
from reprokit.probes.source.credential_files import may_hold_credentials
from reprokit.probes.subject.clues import Limits
from reprokit.probes.subject.hub_cache import blob

Role: TypeAlias = Literal["weights", "adapter", "tokenizer", "template", "configuration", "code", "data", "other"]

_CHUNK = 1 << 20
_LARGEST_DEPTH = 8
_MOST_ENTRIES = 100_000
_ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"adapter_(model|config)\b.*"), "adapter"),
    (re.compile(r"chat_template.*|.*\.jinja2?"), "template"),
    (re.compile(r"(tokenizer|vocab|merges|special_tokens|added_tokens|spiece).*|.*\.(tiktoken|model)"), "tokenizer"),
    (re.compile(r".*\.index\.json"), "configuration"),
    (re.compile(r".*\.(safetensors|bin|pt|pth|ckpt|gguf|ggml|h5|msgpack|onnx|npz|nemo|pdparams)"), "weights"),
    (re.compile(r".*\.(json|ya?ml|toml)"), "configuration"),
    (re.compile(r".*\.py"), "code"),
)
_OF_TRAINING = re.compile(r"(optimizer|scheduler|rng_state|scaler|training_args|trainer_state|global_step).*")
_PARTS_IN_FOLDERS = ("model_index.json", "modules.json")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Some files, by path, and how many more there are."""

    files: tuple[SubjectFile, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A file before it is read. `cached` when it is known by its blob in a cache."""

    path: str
    file: Path
    size: int
    modified: float
    cached: bool


class Digester:
    """Digests files one after the other, until as many bytes or seconds are spent as all parts together may take.

    A file that has not changed since is not read twice: the runs of one command share a digester, and often a model.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now = now
        self._bytes_left = limits.bytes_read
        self._seconds_left = limits.seconds_reading
        self._known: dict[tuple[Path, int, float], str] = {}

    def digest(self, file: Path, size: int, modified: float) -> tuple[str | None, str | None]:
        """Digest a file of `size` bytes, `modified` at that time: the digest, or why there is none."""
        known = self._known.get((file, size, modified))
        if known:
            return known, None
        if size > self._bytes_left:
            return None, f"too large: {self._limits.bytes_read} bytes are read of all models and datasets together"
        began = self._now()
        try:
            read, reason = self._read(file, began + self._seconds_left)
        except OSError as error:
            return None, f"it could not be read: {error.strerror or 'no reason given'}"
        finally:
            self._seconds_left -= self._now() - began
        if read:
            self._known[file, size, modified] = read
        return read, reason

    def _read(self, file: Path, deadline: float) -> tuple[str | None, str | None]:
        digest = hashlib.sha256()
        with open_regular(file) as stream:
            while True:
                if self._now() >= deadline:
                    return None, f"reading took longer than the {self._limits.seconds_reading:g} s that it may take"
                chunk = stream.read(_CHUNK)
                if not chunk:
                    return f"sha256:{digest.hexdigest()}", None
                digest.update(chunk)
                self._bytes_left -= len(chunk)
                if self._bytes_left < 0:
                    return None, "it grew while it was read"


def role_of(path: str) -> Role:
    """Tell by its name what a file of a model is for."""
    name = path.rpartition("/")[2].lower()
    return next((role for pattern, role in _ROLES if pattern.fullmatch(name)), "other")


def model_files(folder: Path, digester: Digester, limits: Limits) -> Listing:
    """List what a model is loaded from: the files in its folder, without those that only training uses.

    Subfolders count where they are parts of the model: of a pipeline, and templates beside the one that is used.
    """
    within = any((folder / name).is_file() for name in _PARTS_IN_FOLDERS)
    paths, more = _walk(folder, 2 if within else 1, limits.files)
    templates, _ = _walk(folder / "additional_chat_templates", 1, limits.files)
    paths += [f"additional_chat_templates/{path}" for path in templates if not within]
    wanted = [path for path in paths if not _OF_TRAINING.fullmatch(path.rpartition("/")[2].lower())]
    return listing({path: folder / path for path in wanted}, role_of, digester, left_out=more)


def all_files(folder: Path, role: Callable[[str], Role], digester: Digester, limits: Limits) -> Listing:
    """List every file below a folder."""
    paths, more = _walk(folder, _LARGEST_DEPTH, limits.files)
    return listing({path: folder / path for path in paths}, role, digester, left_out=more)


def listing(
    files: dict[str, Path], role: Callable[[str], Role], digester: Digester, *, left_out: int = 0, named: bool = False
) -> Listing:
    """Look at files and digest them, small ones first.

    Args:
        files: what each is called in the record, and where it lies.
        role: what a file of that name is for.
        digester: what may be read.
        left_out: how many more there are.
        named: the run was told of each file itself, so that a link is followed.
    """
    found = [_look(path, file, named=named) for path, file in files.items()]
    found.sort(key=lambda each: (each.size or 0, each.path) if isinstance(each, _Found) else (0, each.path))
    done = [each if isinstance(each, SubjectFile) else _digested(each, digester) for each in found]
    ordered = sorted(done, key=lambda each: each.path)
    with_roles = (msgspec.structs.replace(each, role=role(each.path)) for each in ordered)
    return Listing(files=tuple(with_roles), left_out=left_out)


def elsewhere(path: str) -> SubjectFile:
    """Note a data file that is named by an address."""
    return SubjectFile(path=path, role="data", reason="it does not lie on this machine")


def joined(listings: Iterable[Listing]) -> Listing:
    """Join listings into one."""
    every = tuple(listings)
    return Listing(files=tuple(file for each in every for file in each.files), left_out=sum(e.left_out for e in every))


def _look(path: str, file: Path, *, named: bool) -> _Found | SubjectFile:
    """Look at a file without opening it; what cannot be digested is in its final form."""
    if may_hold_credentials(path):
        return SubjectFile(path=path, role="other", reason=HOLDS_CREDENTIALS)
    try:
        file = Path(os.path.realpath(file)) if named else file
        is_link = stat.S_ISLNK(os.lstat(file).st_mode)
        target = blob(file) if is_link else file
        if target is None:
            reason = "it is a link that leads to no blob of a Hugging Face cache, and is not followed"
            return SubjectFile(path=path, role="other", reason=reason)
        status = os.lstat(target)
    except FileNotFoundError:
        return SubjectFile(path=path, role="other", reason="it is not there")
    except (OSError, ValueError) as error:
        return SubjectFile(path=path, role="other", reason=f"it could not be looked at: {_why(error)}")
    if not stat.S_ISREG(status.st_mode):
        return SubjectFile(path=path, role="other", reason="it is no regular file")
    return _Found(path=path, file=target, size=status.st_size, modified=status.st_mtime, cached=is_link)


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "its name is none"


def _digested(found: _Found, digester: Digester) -> SubjectFile:
    if found.cached and SHA256.fullmatch(found.file.name):
        digest = f"sha256:{found.file.name}"
        return SubjectFile(path=found.path, role="other", size=found.size, digest=digest, digest_from="cache name")
    read, reason = digester.digest(found.file, found.size, found.modified)
    return SubjectFile(
        path=found.path,
        role="other",
        size=found.size,
        modified=None if found.cached else _time(found.modified),
        digest=read,
        digest_from="bytes" if read else "nothing",
        reason=reason,
    )


def _time(seconds: float) -> str | None:
    try:
        return clock.from_epoch(seconds)
    except (OverflowError, OSError, ValueError):
        return None


def _walk(folder: Path, depth: int, most: int) -> tuple[list[str], int]:
    """List files below a folder by relative path, hidden folders aside; tells how many more there are.

    Folders are entered nearest first, links to folders never.
    """
    found: list[str] = []
    more = 0
    waiting = [("", depth)]
    while waiting:
        prefix, left = waiting.pop(0)
        for entry in _entries(folder / prefix):
            if entry.is_dir(follow_symlinks=False):
                if left > 1 and not entry.name.startswith(".") and len(waiting) < most:
                    waiting.append((f"{prefix}{entry.name}/", left - 1))
            elif len(found) < most:
                found.append(prefix + entry.name)
            else:
                more += 1
    return found, more


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, _MOST_ENTRIES), key=lambda entry: entry.name)
    except (OSError, ValueError):
        return []
