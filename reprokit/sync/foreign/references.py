"""Bundles of a mirror, by the mirror's own reference: what it means there, and how the bundle comes here.

What the service says of a bundle is looked up first, for it may be here already; what comes from it is believed by
nobody before `admission_proof` has seen it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import references
from reprokit.archive.layout import Archive
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.values import DIGEST_PATTERN
from reprokit.errors import FixityError, NotFoundError, UnreadableError, UsageError
from reprokit.mirrors import table
from reprokit.mirrors.interface import AwayError, Copy, Destination, Environment, Mirror, Room, Watch
from reprokit.outbox import destinations as mirror_settings
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.admission import taking_in as admission
from reprokit.sync.foreign import elsewhere
from reprokit.sync.foreign import spelling as foreign_spelling

PATIENCE = 300.0
"""Seconds that a service has for an answer, and for a bundle beyond what its bytes may take."""
VARIABLE = "REPROKIT_REMOTE_TIMEOUT"
_SLOWEST = 1_000_000  # bytes a second that any connection should manage
_LONGEST = 6 * 3600.0  # seconds that the size which a service claims can add up to: nobody has proven it
_HEADROOM = 64 << 20  # bytes that a disk should have left
_NEARLY = 0.9  # of its time: who fails later than that was stopped by it
_DIGEST = re.compile(DIGEST_PATTERN)


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A mirror's reference, with all that is needed to ask the mirror for it. `patience` is in seconds."""

    reference: str
    mirror: Mirror
    to: Destination
    environment: Environment
    patience: float = PATIENCE


def patience(environment: Environment) -> float:
    """Tell how many seconds a service is waited for, where no option says so.

    Raises:
        UsageError: the variable for it holds no such number.
    """
    written = environment.get(VARIABLE) or str(PATIENCE)
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"`{VARIABLE}` is `{written}`, and no number of seconds", hint=f"`{VARIABLE}=300`")
    return seconds


def is_foreign(text: str) -> bool:
    """Tell whether a person has named a bundle that must be brought here first.

    By a mirror's reference or the address of its page there, by `dvc:ADDRESS#BUNDLE`, or by the path of a packed file.
    What begins with the name of a mirror, or `dvc`, and a colon is one, also where there is a file of that name: such a
    file is meant by `./` before it.
    """
    if elsewhere.is_elsewhere(text):
        return True
    return foreign_spelling.page(text) is not None or table.of_reference(text) is not None


def understand(
    text: str,
    archive: Archive | None,
    *,
    environment: Environment,
    directory: Path,
    seconds: float | None = None,
) -> Foreign:
    """Understand a mirror's reference, or the address of a page, by the settings of an archive or else of a directory.

    Raises:
        UsageError: it is none; or a page of another service; or the settings of the mirror cannot be followed.
        UnreadableError: a settings file cannot be read.
    """
    if elsewhere.is_elsewhere(text):
        raise UsageError(
            f"`{text}` is no reference of a mirror, and only by one is a bundle taken into an archive",
            hint="`reprokit show`, `validate`, `diff` and `reproduce` read it from where it is",
        )
    page = foreign_spelling.page(text)
    reference = page.reference if page else foreign_spelling.plain(text)
    mirror = table.of_reference(reference)
    if mirror is None:
        raise UsageError(f"`{text}` is no reference of a mirror", hint="as in `wandb:entity/project/name:alias`")
    # Without an archive the settings of the directory are the nearest.
    settings_of = archive or Archive(directory.absolute())
    to = mirror_settings.destination(
        settings_of, mirror.name, environment=environment, directory=directory, mirror=mirror
    )
    if page and not foreign_spelling.is_page_of(page, to.address):
        raise UsageError(
            f"`{text}` is a page of `{page.host}`, and `{mirror.name}` is set to {to.address}",
            hint=f"if that is where it should be got from, set the address of `{mirror.name}` to it: `{reference}`",
        )
    waited = patience(environment) if seconds is None else seconds
    return Foreign(reference=reference, mirror=mirror, to=to, environment=environment, patience=waited)


def look(foreign: Foreign) -> Copy:
    """Ask the service what the reference means there; nothing of its answer is proven.

    Raises:
        NotFoundError: nothing.
        UsageError: it is no reference of that mirror.
        RemoteError: the service refuses us, or (`AwayError`) cannot be reached.
        InputMissingError: there is no key, or the service's client is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="reprokit-") as scratch, _patiently(foreign, foreign.patience):
        room = Room(scratch=Path(scratch), seconds=foreign.patience)
        return foreign.mirror.look(foreign.reference, foreign.to, foreign.environment, room)


def identity(copy: Copy) -> str | None:
    """Give the identity that a service says a copy has, if it says one."""
    return copy.identity if copy.identity is not None and _DIGEST.fullmatch(copy.identity) else None


def held(archive: Archive | None, copy: Copy) -> str | None:
    """Find the bundle that the service speaks of in an archive, unproven; `None` when its files are not there."""
    named = identity(copy)
    if archive is None or named is None:
        return None
    try:
        bundle_id = references.identify(named, archive)
    except NotFoundError:
        return None
    return bundle_id if archive.payload(bundle_id).is_dir() else None


def fetch(
    foreign: Foreign,
    copy: Copy,
    folder: Path,
    scratch: Path,
    *,
    watch: Watch,
    copies: int = 1,
    piecemeal: bool = False,
) -> None:
    """Bring a copy into an empty folder; nothing of it is proven.

    Args:
        foreign: what it was asked for by.
        copy: what the service said it means.
        folder: where its files are to be.
        scratch: an empty folder on the same disk, for the mirror's use.
        watch: told how far it is.
        copies: how many times there will be its bytes on that disk.
        piecemeal: whether its good files are of use when others are not good.

    Raises:
        UnreadableError: the disk has no room for it.
        FixityError: what arrived is not what the service's own list says.
        NotFoundError: there is none.
        RemoteError: the service refuses us, or (`AwayError`) cannot be reached, or was too slow.
    """
    _require_space(folder, copy, copies)
    seconds = _seconds(foreign, copy)
    room = Room(scratch=scratch, seconds=seconds, watch=watch, piecemeal=piecemeal)
    try:
        with _patiently(foreign, seconds):
            foreign.mirror.fetch(copy.reference, foreign.to, foreign.environment, folder, room)
    except FixityError as error:
        raise FixityError(error.message, hint=admission_proof.UNWANTED) from error


def _seconds(foreign: Foreign, copy: Copy) -> float:
    """Tell how long a copy may take; beyond a limit only the user can give it more, and no size that is claimed."""
    return max(foreign.patience, min(foreign.patience + max(copy.octets, 0) / _SLOWEST, _LONGEST))


def fetch_for_now(foreign: Foreign, copy: Copy, within: Path, *, watch: Watch) -> Bundle:
    """Bring a copy into a folder of no archive's, and prove it; it lies there in a folder that has its id.

    Raises:
        FixityError, InvalidRecordError, NewerFormatError: it is not what was captured, or not what the service said.
        Others: as `fetch` does.
    """
    folder, scratch = within / "bag", within / "scratch"
    folder.mkdir()
    scratch.mkdir()
    fetch(foreign, copy, folder, scratch, watch=watch)
    shutil.rmtree(scratch, ignore_errors=True)
    proven = admission_proof.prove(folder, expected=identity(copy), most=copy.octets)
    return open_bundle(folder.rename(within / proven.info.bundle_id))


def from_archive(archive: Archive, bundle_id: str, copy: Copy) -> Bundle:
    """Prove the bundle of an archive that a copy is of, and open it.

    Raises:
        FixityError: it is damaged.
    """
    admission.prove_in_place(archive, bundle_id, identity(copy))
    return open_bundle(archive.payload(bundle_id))


def _require_space(folder: Path, copy: Copy, copies: int) -> None:
    free, needed = shutil.disk_usage(folder).free, copies * copy.octets + _HEADROOM
    if free < needed:
        raise UnreadableError(
            f"`{copy.reference}` needs {needed / 1e9:.1f} GB, and the disk of `{folder.parent}` has {free / 1e9:.1f}",
            hint="make room; `TMPDIR` names another disk for what is not kept in an archive",
        )


@contextmanager
def _patiently(foreign: Foreign, seconds: float) -> Iterator[None]:
    """Say of a service that was given up for its slowness how it can have more time."""
    begun = time.monotonic()
    try:
        yield
    except AwayError as error:
        if time.monotonic() - begun < _NEARLY * seconds:
            raise
        raise AwayError(
            f"`{foreign.reference}` did not come within {seconds:.0f} seconds: {error.message}",
            hint=f"try again, or give it more time: `{VARIABLE}={2 * foreign.patience:.0f}`",
            after=error.after,
        ) from error
