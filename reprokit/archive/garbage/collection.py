"""Garbage: what lies in a copy of an archive and is of use to nobody any more.

That is objects of DVC's cache that nothing names, staging folders of captures that were interrupted, and files that
were in the making when their writer was killed. Nothing young is garbage, and nothing at all where it cannot be told
what is still needed. Only this copy is looked at, never a remote.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout
from msgspec import Meta, Struct

from reprokit import clock, git
from reprokit.archive import cache, durable, months, own_folders, pending, publication
from reprokit.archive.garbage import needed as garbage_needed
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import UsageError

GRACE = dt.timedelta(days=14)
_UNFINISHED = dt.timedelta(days=1)
"""For that long a file in the making may belong to a process that runs, however short a grace is wished."""

_SHELF = re.compile(r"[0-9a-f]{2}")
_OBJECT = re.compile(r"[0-9a-f]{30}(\.dir)?")
_TEMPORARY = re.compile(r"\..+\.tmp")


class Amount(Struct, frozen=True, kw_only=True):
    """How much of one kind: files, the bytes in them, and the bytes that are free once they are gone."""

    files: int = 0
    octets: int = 0
    freed: Annotated[
        int, Meta(description="less than `octets` where a file has links that stay: they are one copy")
    ] = 0


class Collection(Struct, frozen=True, kw_only=True):
    """What `reprokit gc --json` prints: what is garbage, and whether it was removed."""

    archive: str
    removed: Annotated[bool, Meta(description="false: it is only told")]
    before: Annotated[str, Meta(description="garbage is what has not been touched since then, in UTC")]
    objects: Annotated[Amount, Meta(description="objects of DVC's cache that nothing names")]
    stagings: Annotated[Amount, Meta(description="what interrupted captures left")]
    leftovers: Annotated[Amount, Meta(description="files in the making whose writer was killed")]
    young: Annotated[Amount, Meta(description="would be garbage, were it old enough")]
    absent: Annotated[
        list[str], Meta(description="bundles of which nobody here knows what objects they consist of")
    ] = []
    findings: Annotated[list[Finding], Meta(description="why nothing may be removed")] = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.objects.files or self.stagings.files or self.leftovers.files)


@dataclass(frozen=True, kw_only=True)
class _File:
    path: Path
    state: os.stat_result

    @property
    def touched(self) -> float:
        """Seconds since the epoch; a link made to a file, or taken away, counts."""
        return max(self.state.st_mtime, self.state.st_ctime)


@dataclass(kw_only=True)
class _Found:
    objects: list[_File] = field(default_factory=list)
    stagings: list[Path] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    young: list[_File] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def collect(
    archive: Archive, *, grace: dt.timedelta = GRACE, remove: bool = False, partial: bool = False
) -> Collection:
    """Find the garbage of this copy of an archive and, with `remove`, remove it.

    Registering waits meanwhile. Whoever is killed here leaves less garbage and no damage.

    Args:
        archive: where.
        grace: how long a thing must have been left untouched.
        remove: remove it, unless there is a finding: then nothing is.
        partial: objects that bundles absent from this copy may consist of are garbage too.

    Raises:
        UsageError: the cache is shared with others, another process is at work, the archive cannot be written, or its
            private folder is a link, has one in it, or came with its commits.
        GitError: git cannot tell what is needed.
    """
    now = clock.now()
    with _alone(archive):
        found = _find(archive, now - grace, now - max(grace, _UNFINISHED), partial=partial)
        before = clock.text(now - grace)
        removed = remove and not found.findings
        return _carry_out(archive, found, before) if removed else _tell(archive, found, before)


@contextmanager
def _alone(archive: Archive) -> Iterator[None]:
    """Hold off whoever registers bundles, and DVC."""
    dvc_folder = archive.root / ".dvc" / "tmp"
    try:
        durable.prepare(archive)
        own_folders.require_untracked(archive)
        own_folders.require_folders(archive, dvc_folder)
        with ExitStack() as held:
            held.enter_context(FileLock(archive.lock, timeout=0))
            if dvc_folder.is_dir():
                held.enter_context(FileLock(dvc_folder / "lock", timeout=0))
            yield
    except Timeout:
        raise UsageError("another process is registering bundles, or DVC is at work", hint="try again later") from None
    except (OSError, NotImplementedError) as error:
        raise UsageError(
            f"the archive `{archive.root}` cannot be written: {error}",
            hint="mend its permissions, or use your own copy",
        ) from error


def _find(archive: Archive, before: dt.datetime, unfinished: dt.datetime, *, partial: bool) -> _Found:
    _refuse_shared(archive)
    found = _Found(findings=list(_unfinished_operation(archive)))
    # Git knows whole seconds: with no grace at all, what was dropped in this one is not needed either.
    since = before.replace(microsecond=0) + dt.timedelta(seconds=1)
    needed = garbage_needed.needed(archive, clock.text(since))
    found.findings += needed.findings
    found.absent = sorted(needed.absent)
    if needed.absent and not partial:
        found.findings.append(_absence(found.absent))
    for file, temporary in _in_cache(cache.of(archive).directory):
        limit = unfinished if temporary else before
        if not temporary and _name(file) in needed.objects:
            continue
        if file.touched > limit.timestamp():
            found.young.append(file)
        elif temporary:
            found.leftovers.append(file.path)
        else:
            found.objects.append(file)
    found.leftovers += [path for path in _in_scratch(archive) if _touched(path) <= unfinished.timestamp()]
    found.stagings = [
        each.path
        for each in publication.abandoned(archive)
        if each.gone and not publication.may_become_a_bundle(each.path) and _touched(each.path) <= before.timestamp()
    ]
    return found


def _absence(absent: list[str]) -> Finding:
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    detail = (
        "its files are not in this copy, nor the list of them: pull it, "
        "or let go of what may belong to it with `--partial`"
    )
    return finding("E117", f"{absent[0]}{more}", detail)


def _refuse_shared(archive: Archive) -> None:
    place = cache.of(archive).directory
    if not place.resolve().is_relative_to(archive.root.resolve()):
        raise UsageError(
            f"the cache `{place}` lies outside of the archive: others may use it",
            hint="their objects cannot be told from garbage; give the archive a cache of its own",
        )


def _unfinished_operation(archive: Archive) -> Iterator[Finding]:
    told = git.run(["rev-parse", "--absolute-git-dir"], directory=archive.root)
    if under_way := git.operation(Path(os.fsdecode(told[:-1]))):
        yield finding("E117", ".git", f"git is in the middle of a {under_way}")


def _in_cache(directory: Path) -> Iterator[tuple[_File, bool]]:
    """Yield the objects of a cache, and (true) those that were in the making; nothing else in it is ours."""
    for shelf in months.listed(directory):
        if _SHELF.fullmatch(shelf.name) is None or not shelf.is_dir(follow_symlinks=False):
            continue
        for entry in months.listed(shelf.path):
            temporary = _TEMPORARY.fullmatch(entry.name) is not None
            if (temporary or _OBJECT.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                yield _File(path=Path(entry.path), state=entry.stat(follow_symlinks=False)), temporary


def _name(file: _File) -> str:
    return file.path.parent.name + file.path.name


def _in_scratch(archive: Archive) -> list[Path]:
    return [Path(entry.path) for entry in months.listed(archive.scratch)]


def _files(path: Path) -> Iterator[_File]:
    """Yield the file at a path, or all those below a folder; no link is followed, and what vanishes is left out."""
    with suppress(FileNotFoundError):
        state = path.lstat()
        if not stat.S_ISDIR(state.st_mode):
            yield _File(path=path, state=state)
            return
        for entry in months.listed(path):
            yield from _files(Path(entry.path))


def _touched(path: Path) -> float:
    """Tell when something was last touched, in seconds since the epoch; what has just vanished is in use."""
    try:
        state = path.lstat()
    except FileNotFoundError:
        return float("inf")
    return max([state.st_mtime, state.st_ctime, *(file.touched for file in _files(path))])


def _amount(files: Iterable[_File], gone: Counter[tuple[int, int]]) -> Amount:
    """Add some files up. `gone` counts the links to each file that go; with its last one its bytes are free."""
    number = octets = freed = 0
    for file in files:
        which = (file.state.st_dev, file.state.st_ino)
        gone[which] += 1
        number += 1
        octets += file.state.st_size
        freed += file.state.st_size if gone[which] == file.state.st_nlink else 0
    return Amount(files=number, octets=octets, freed=freed)


def _tell(archive: Archive, found: _Found, before: str) -> Collection:
    gone: Counter[tuple[int, int]] = Counter()
    return Collection(
        archive=str(archive.root),
        removed=False,
        before=before,
        objects=_amount(found.objects, gone),
        stagings=_amount((file for path in found.stagings for file in _files(path)), gone),
        leftovers=_amount((file for path in found.leftovers for file in _files(path)), gone),
        young=_amount(found.young, Counter()),
        absent=found.absent,
        findings=found.findings,
    )


def _carry_out(archive: Archive, found: _Found, before: str) -> Collection:
    # First the lists: what is left of a bundle whose removal was cut short must not look like a bundle.
    lists = [file for file in found.objects if file.path.suffix == ".dir"]
    rest = [file for file in found.objects if file.path.suffix != ".dir"]
    removed = [_unlink(file) for file in lists]
    durable.flush_folders({file.path.parent for file in lists})
    removed += [_unlink(file) for file in rest]
    markers = pending.markers(archive)
    stagings = [_discard(archive, path, markers) for path in found.stagings]
    leftovers = [_remove(path) for path in found.leftovers]
    return Collection(
        archive=str(archive.root),
        removed=True,
        before=before,
        objects=_sum(removed),
        stagings=_sum(stagings),
        leftovers=_sum(leftovers),
        young=_amount(found.young, Counter()),
        absent=found.absent,
    )


def _sum(amounts: Iterable[Amount]) -> Amount:
    listed = list(amounts)
    return Amount(
        files=sum(each.files for each in listed),
        octets=sum(each.octets for each in listed),
        freed=sum(each.freed for each in listed),
    )


def _unlink(file: _File) -> Amount:
    """Remove a file as it was found; what somebody has since replaced, written to or linked is in use, and stays."""
    try:
        state = file.path.lstat()
    except FileNotFoundError:
        return Amount()
    before = file.state
    same = (state.st_ino, state.st_mtime_ns, state.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)
    if not same or state.st_nlink > before.st_nlink:
        return Amount()
    file.path.unlink()
    return Amount(files=1, octets=state.st_size, freed=state.st_size if state.st_nlink == 1 else 0)


def _remove(path: Path) -> Amount:
    removed = _sum([_unlink(file) for file in list(_files(path))])
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    return removed


def _discard(archive: Archive, staging: Path, markers: Iterable[pending.Marker]) -> Amount:
    # First the markers: with the folder gone they would count as those of a published bundle.
    for marker in markers:
        if marker.staged.partition("/")[0] == staging.name and (archive.staging / marker.staged).exists():
            pending.unmark(archive, marker)
    # Out of the way at once: half a staging folder, without its owner's name, could never be judged again.
    aside = archive.scratch / f"discarded-{staging.name}"
    staging.rename(aside)
    return _remove(aside)
