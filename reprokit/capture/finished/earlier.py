"""Whether a finished run was captured before, told without making its bundle again.

Two ways lead there. A note beside the archive, in none of its copies, says which bundle came of files of that place,
size, inode and time of change: it costs a look at each file. Failing that, the files' digests are looked for in the
bundles of the time around the run, those captured while they ran too: it costs reading the files. A note only hastens:
it counts as long as the archive holds the bundle that it names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from reprokit import clock
from reprokit.archive import durable, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.publication import Publication, content_of
from reprokit.bundle import bag, canonical, naming
from reprokit.bundle.compression import SUFFIX
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.values import Unknown, as_json
from reprokit.errors import ReprokitError
from reprokit.harnesses.interface import FoundRun, Reader
from reprokit.harnesses.script import Script

Stamp = tuple[int, int, int]
"""Size, time of change in nanoseconds, inode."""

Stamps = dict[PurePosixPath, Stamp | None]
"""The stamps of a run's files; `None` for one that is gone."""

_HARNESS = f"{bag.PAYLOAD}/harness/"


class Note(Struct, frozen=True, kw_only=True):
    """Which bundle came of which files. `files` holds path, size, time of change and inode of each."""

    harness: str
    root: str
    files: list[tuple[str, int, int, int]]
    private: bool
    bundle: str
    content_digest: str


def stamps(run: FoundRun) -> Stamps:
    """Look at the files of a run, without opening them."""
    found: Stamps = {}
    for file in run.files:
        try:
            status = os.lstat(run.root / file)
            found[file] = (status.st_size, status.st_mtime_ns, status.st_ino)
        except OSError:
            found[file] = None
    return found


def remember(
    archive: Archive, harness: Reader, run: FoundRun, seen: Stamps, published: Publication, *, private: bool
) -> None:
    """Note which bundle a run became; a note that cannot be written only makes the next look slower."""
    content = content_of(archive, published.bundle_id)
    files = [(str(path), *stamp) for path, stamp in sorted(seen.items()) if stamp is not None]
    if content is None or len(files) < len(seen):
        return
    note = Note(
        harness=harness.name,
        root=os.path.realpath(run.root),
        files=files,
        private=private,
        bundle=published.bundle_id,
        content_digest=content,
    )
    try:
        durable.write(_place(archive, harness, run, private=private), canonical.record(note), archive=archive)
    except (OSError, ReprokitError):
        return


def recall(archive: Archive, harness: Reader, run: FoundRun, *, private: bool) -> str | None:
    """Name the bundle that a run became, when its files are as they were and the archive holds the bundle still."""
    try:
        note = canonical.decode(small_file.read(_place(archive, harness, run, private=private)), Note)
    except (OSError, msgspec.DecodeError):
        return None
    seen = [(str(path), *stamp) for path, stamp in sorted(stamps(run).items()) if stamp is not None]
    # A name that is no Unicode is written down mended, and so never found equal: such a run is read again.
    if note.files != seen or not is_bundle_id(note.bundle):
        return None
    return note.bundle if content_of(archive, note.bundle) == note.content_digest else None


def _place(archive: Archive, harness: Reader, run: FoundRun, *, private: bool) -> Path:
    mapped = map("=".join, harness.fields.expected()) if isinstance(harness, Script) else ()
    key = "\0".join((harness.name, *mapped, str(private), os.path.realpath(run.root), *map(str, run.files)))
    name = hashlib.sha256(os.fsencode(key)).hexdigest()
    return archive.private / "finished" / f"{name}.json"


@dataclass(kw_only=True)
class Held:
    """The harness files that the bundles of an archive hold, learnt month by month when they are asked for."""

    archive: Archive
    _months: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def holder(self, harness: Reader, run: FoundRun, started: str | None, *, private: bool) -> str | None:
        """Name a bundle that holds every file of a run, byte for byte, when one does.

        `started` is the run's claim of its start; only bundles of that time are looked at, and of the time at which the
        results were written. For samples that are to be kept as digests only, the results alone count: such a bundle
        holds no other file. Equal files of a program of one's own may be another run's when they have another path.
        """
        if run.results is None:
            return None
        try:
            results = bag.sha256_of(run.root / run.results)
            written = clock.from_epoch((run.root / run.results).stat().st_mtime)
            months = dict.fromkeys([*_months(started or written), *_months(written), naming.UNDATED])
            candidates = [each for month in months for each in self._of(month).get(results, ())]
            others = run.files if candidates and not private else ()
            files = {run.results: results} | {file: bag.sha256_of(run.root / file) for file in others}
            own = run.root if isinstance(harness, Script) else None
            return next((each for each in candidates if self._holds(each, files, own, private=private)), None)
        except (OSError, ReprokitError):
            return None

    def _holds(self, bundle_id: str, files: Mapping[PurePosixPath, str], own: Path | None, *, private: bool) -> bool:
        """Tell whether a bundle holds files, by path and digest; `own` is the root of a script's run."""
        bundle = open_bundle(self.archive.payload(bundle_id))
        # Of a bundle made with a mistaken mapping another one is wanted.
        mistaken = any(each.code == "W350" for each in bundle.record.findings)
        if mistaken or not (private or bundle.record.samples == "full"):
            return False
        return set(files.values()) <= _digests(bundle) and (own is None or _is_of(bundle, own, files))

    def _of(self, month: str) -> dict[str, list[str]]:
        if month not in self._months:
            found: dict[str, list[str]] = {}
            for path in sorted((self.archive.bundles / month).glob("*/")):
                for digest in _digests_there(path):
                    found.setdefault(digest, []).append(path.name)
            self._months[month] = found
        return self._months[month]


def _is_of(bundle: Bundle, root: Path, files: Mapping[PurePosixPath, str]) -> bool:
    """Tell whether a bundle that holds the digests of a script's files is of these files, and not of equal ones.

    One made of finished files holds them under the same paths; one made while they were written says where they lay.
    """
    record = bundle.record
    if record.origin == "finished":
        named = {(each.name or each.path.removeprefix("harness/")): each.digest for each in record.files}
        return all(named.get(str(as_json(str(path)))) == f"sha256:{digest}" for path, digest in files.items())
    directory = record.invocation.working_directory
    if isinstance(directory, Unknown):
        return False
    written = [Path(os.path.realpath(Path(directory) / output.path)) for output in record.invocation.outputs]
    real = (Path(os.path.realpath(root / path)) for path in files)
    return any(path.is_relative_to(place) for path in real for place in written)


def _months(moment: str) -> list[str]:
    """Name the months of bundles that may have been captured at a moment, whatever the zone of its clock."""
    days = (clock.parse(moment) + timedelta(days=days) for days in (-1, 0, 1))
    return [day.strftime("%Y-%m") for day in days]


def _digests_there(path: Path) -> set[str]:
    """List the digests of a bundle's harness files; empty for what is no bundle."""
    try:
        digests = {name: digest for name, digest in bag.read_manifest(path).items() if name.startswith(_HARNESS)}
        if any(name.endswith(SUFFIX) for name in digests):
            return _digests(open_bundle(path))
    except ReprokitError:
        return set()
    return set(digests.values())


def _digests(bundle: Bundle) -> set[str]:
    return {file.digest.removeprefix("sha256:") for file in bundle.record.files if file.role == "harness"}
