"""Finding the bundle that a command is about: in the archive, in a folder, in a packed file, on a remote or a mirror.

One that a mirror's reference names is the archive's own, if it is there and whole. Otherwise, and always of a packed
file and of `dvc:ADDRESS#BUNDLE`, it is fetched and proven before anybody reads it, and lies in a folder that is gone
when the command ends.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from reprokit.archive.layout import Archive
from reprokit.archive.references import resolve
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.cli.messages import say
from reprokit.cli.options import find_archive, find_archive_if_any, find_archive_to_ask
from reprokit.cli.transfers import watched_steps
from reprokit.errors import FixityError, NotFoundError
from reprokit.mirrors.interface import Copy
from reprokit.sync.foreign import elsewhere
from reprokit.sync.foreign import references as foreign
from reprokit.sync.foreign.references import Foreign
from reprokit.sync.foreign.spelling import near, run_page
from reprokit.sync.packed.opening import is_named_packed


@dataclass(frozen=True, kw_only=True)
class Found:
    """The bundle that a reference means.

    `fetched` is the reference, with its version, of one that was fetched or unpacked for this command alone, and
    `kept_by` the command that would keep it. `packed` is the file that it was packed in.
    """

    bundle: Bundle
    fetched: str | None = None
    kept_by: str | None = None
    packed: Path | None = None


def find_bundle(reference: str, named: Path | None) -> Found:
    """Open the bundle that a reference means: an id, a prefix, a path, `latest`, or one of a bundle elsewhere.

    Elsewhere is a mirror (`wandb:entity/project/name:alias`), a DVC remote (`dvc:ADDRESS#BUNDLE`), or a packed file.

    Raises:
        NotFoundError: there is none, or no archive.
        UsageError: it may mean several, or is no such reference as it begins like.
        UnreadableError: it is malformed, or newer than this version reads.
        FixityError: what is there is not what was captured.
        RemoteError: the mirror or the remote cannot be reached, or refuses us.
        InputMissingError: there is no key for it, or its client is not installed.
    """
    if elsewhere.is_elsewhere(reference):
        return _find_elsewhere(reference, find_archive_to_ask(named))
    if foreign.is_foreign(reference):
        return _find_foreign(reference, find_archive_if_any(named))
    with meant_for_a_mirror(reference):
        return Found(bundle=open_bundle(resolve(reference, _archive(reference, named))))


def fetch_bundle(reference: str, archive: Archive | None) -> Found:
    """Fetch the bundle of a reference to elsewhere, also when the archive has it, and prove it; see `find_bundle`."""
    if elsewhere.is_elsewhere(reference):
        return _find_elsewhere(reference, archive)
    wanted = _asked(reference, archive)
    return _fetch(wanted, foreign.look(wanted))


@contextmanager
def meant_for_a_mirror(reference: str) -> Iterator[None]:
    """Say of a reference that leads nowhere how it would be a mirror's, if it looks like one."""
    try:
        yield
    except NotFoundError as error:
        if (named := run_page(reference)) is not None:
            hint = f"that is the page of a run: its bundle is `{named}`, NAME as under Artifacts there"
            raise NotFoundError(error.message, hint=hint) from error
        if is_named_packed(reference) and not Path(reference).exists():
            raise NotFoundError(error.message, hint=f"nor is there a file `{reference}`") from error
        if (meant := near(reference)) is None:
            raise
        raise NotFoundError(error.message, hint=f"did you mean `{meant}`?") from error


def _archive(reference: str, named: Path | None) -> Archive | None:
    try:
        return find_archive(named)
    except NotFoundError:
        # A path to a bundle needs no archive.
        if not Path(reference).exists():
            raise
        return None


def _find_foreign(reference: str, archive: Archive | None) -> Found:
    wanted = _asked(reference, archive)
    copy = foreign.look(wanted)
    if archive is not None and (bundle_id := foreign.held(archive, copy)) is not None:
        try:
            return Found(bundle=foreign.from_archive(archive, bundle_id, copy))
        except FixityError as error:
            say(f"reprokit: {error.message}; so `{copy.reference}` is fetched")
    return _fetch(wanted, copy)


def _asked(reference: str, archive: Archive | None) -> Foreign:
    end_in_order()
    wanted = foreign.understand(reference, archive, environment=os.environ, directory=Path.cwd())
    # That it cannot be reached is told at once, and not after the start of the service's own client.
    wanted.mirror.probe(wanted.to, wanted.environment)
    return wanted


def _fetch(wanted: Foreign, copy: Copy) -> Found:
    with watched_steps() as watching:
        bundle = foreign.fetch_for_now(wanted, copy, _folder_of_the_command(), watch=watching(copy.reference))
    return Found(bundle=bundle, fetched=copy.reference, kept_by=f"reprokit pull {shlex.quote(copy.reference)}")


def _find_elsewhere(reference: str, archive: Archive | None) -> Found:
    end_in_order()
    patience = foreign.patience(os.environ)
    with watched_steps() as watching:
        fetched = elsewhere.fetch(
            reference,
            archive,
            _folder_of_the_command(),
            directory=Path.cwd(),
            patience=patience,
            watch=watching(reference),
        )
    unpack = None
    if fetched.packed is not None:
        unpack = "unzip" if fetched.packed.suffix.lower() == ".zip" else "tar -xf"
        unpack = f"{unpack} {shlex.quote(str(fetched.packed))}"
    return Found(bundle=fetched.bundle, fetched=fetched.reference, kept_by=unpack, packed=fetched.packed)


def end_in_order() -> None:
    """Let the command clear up, whatever ends it but a kill."""
    # By default these end the process at once, and would leave folders behind: a reader such as `head` that has read
    # enough becomes an error instead, and a wish to stop an exit.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) is signal.SIG_DFL:
            signal.signal(each, _exit)


def _folder_of_the_command() -> Path:
    """Make a folder that is gone when the command ends."""
    folder = tempfile.TemporaryDirectory(prefix="reprokit-", ignore_cleanup_errors=True)
    return Path(click.get_current_context().with_resource(folder))


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
