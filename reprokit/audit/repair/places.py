"""Where good copies of a bundle may be, cheapest first; none is opened before something is missed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from reprokit.archive import cache, durable, ledger
from reprokit.archive.layout import Archive
from reprokit.audit.repair.copies import CachedCopy, Copy, Fetched, FetchedCopy, RemoteCopy
from reprokit.audit.repair.truth import Truth, truth_of
from reprokit.bundle import bag
from reprokit.errors import (
    FixityError,
    InputMissingError,
    InvalidRecordError,
    NotFoundError,
    RemoteError,
    ReprokitError,
    UsageError,
)
from reprokit.mirrors.interface import Environment, Receipt
from reprokit.sync.foreign import references as foreign
from reprokit.sync.mirroring.events import MIRRORED, Said
from reprokit.sync.packed.opening import SUFFIXES, is_named_packed, open_packed
from reprokit.sync.remotes.configuration import Remote, choose, configured
from reprokit.sync.remotes.objects import Objects
from reprokit.sync.remotes.opening import opened

_SLACK = 1 << 20  # bytes


@dataclass(frozen=True)
class Learnt:
    """What the search for copies has met so far: who did not answer, and which bundle a packed file holds."""

    away: dict[str, ReprokitError] = field(default_factory=dict)
    packed: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Search:
    archive: Archive
    bundle: str
    environment: Environment
    directory: Path
    patience: float
    offline: bool
    learnt: Learnt
    stack: ExitStack
    opened: dict[str, Objects] = field(default_factory=dict)


@contextmanager
def copies_of(
    archive: Archive,
    bundle_id: str,
    *,
    exports: Sequence[Path] = (),
    environ: Environment,
    patience: float,
    offline: bool = False,
    learnt: Learnt | None = None,
    directory: Path | None = None,
) -> Iterator[list[Copy]]:
    """Give the copies of a bundle, for the length of a block: DVC's cache, remotes, mirrors, and what the user names.

    Args:
        archive: the archive.
        bundle_id: the bundle.
        exports: folders of bundles, folders that hold such folders, archives, and packed files.
        environ: the environment variables, for mirrors.
        patience: seconds that a remote or a mirror has for an answer.
        offline: ask nobody: of remotes only those that are folders.
        learnt: what the search for other bundles has met; who did not answer once is not asked again.
        directory: the working directory, for the settings of mirrors; else the archive's folder.
    """
    with ExitStack() as stack:
        search = _Search(
            archive=archive,
            bundle=bundle_id,
            environment=environ,
            directory=directory or archive.root,
            patience=patience,
            offline=offline,
            learnt=learnt if learnt is not None else Learnt(),
            stack=stack,
        )
        named = [each for path in exports for each in _named(search, path)]
        # A folder or a file that a person names is nearer than what is behind a network.
        yield [*_cached(search), *_folders(search), *named, *_others(search), *_mirrors(search)]


def _cached(search: _Search) -> list[Copy]:
    try:
        return [CachedCopy(store=cache.of(search.archive))]
    except ReprokitError:
        return []  # which the repair itself is told


# --- remotes ---


def _remotes(search: _Search) -> list[Remote]:
    try:
        return configured(search.archive)
    except ReprokitError:
        return []  # which whoever pushes or pulls is told


def _folders(search: _Search) -> list[Copy]:
    return [_remote(search, each) for each in _remotes(search) if each.folder is not None]


def _others(search: _Search) -> list[Copy]:
    return [_remote(search, each) for each in _remotes(search) if each.folder is None]


def _remote(search: _Search, remote: Remote) -> Copy:
    key = f"remote {remote.name}"
    return RemoteCopy(
        name=f"the remote `{remote.name}`",
        reach=partial(_reach, search, remote, key),
        lose=partial(search.learnt.away.__setitem__, key),
    )


def _reach(search: _Search, remote: Remote, key: str) -> Objects:
    if search.offline and remote.folder is None:
        raise RemoteError("it is not asked, as wished")
    if remote.unasked is not None:
        raise RemoteError(remote.unasked)
    if key in search.learnt.away:
        raise search.learnt.away[key]
    if remote.name not in search.opened:
        try:
            search.opened[remote.name] = _open(search, remote.name)
        except (RemoteError, InputMissingError, UsageError) as error:
            search.learnt.away[key] = error
            raise
    return search.opened[remote.name]


def _open(search: _Search, name: str) -> Objects:
    chosen = choose(search.archive, name)
    objects = search.stack.enter_context(opened(search.archive, chosen, patience=search.patience))
    if not objects.present:
        raise RemoteError("there is nothing at its address")
    return objects


# --- mirrors ---


def _mirrors(search: _Search) -> list[Copy]:
    if search.offline:
        return []
    try:
        if not ledger.batches(search.archive, [MIRRORED]):
            return []
        truth = truth_of(search.archive, search.bundle)
        receipts = Said(archive=search.archive).copies(identity=truth.identity, bundle=search.bundle)
    except (ReprokitError, OSError):
        return []  # without an identity nothing is repaired
    return [
        FetchedCopy(name=f"the mirror `{each.reference}`", fetch=partial(_from_mirror, search, truth, each))
        for each in receipts
    ]


def _from_mirror(search: _Search, truth: Truth, receipt: Receipt) -> Fetched:
    wanted = foreign.understand(
        receipt.reference,
        search.archive,
        environment=search.environment,
        directory=search.directory,
        seconds=search.patience,
    )
    # A key goes where the settings say, and the ledger's word sends it nowhere else.
    if wanted.mirror.name != receipt.mirror or wanted.to.address != receipt.address:
        raise UsageError(f"it is on {receipt.address}, and `{receipt.mirror}` is set to {wanted.to.address}")
    key = f"mirror {receipt.mirror} {receipt.address}"
    if key in search.learnt.away:
        raise search.learnt.away[key]
    try:
        wanted.mirror.probe(wanted.to, wanted.environment)
    except (RemoteError, InputMissingError) as error:
        search.learnt.away[key] = error
        raise
    copy = foreign.look(wanted)
    if copy.octets > 2 * truth.most + _SLACK:
        raise FixityError(f"it has {copy.octets} bytes, more than the bundle can have")
    within = _room(search)
    for name in ("bag", "scratch"):
        (within / name).mkdir()
    trouble = None
    try:
        foreign.fetch(wanted, copy, within / "bag", within / "scratch", watch=lambda _: None, piecemeal=True)
    except FixityError as error:
        trouble = error  # what did arrive proves itself, file by file
    shutil.rmtree(within / "scratch", ignore_errors=True)
    return Fetched(folder=within / "bag", trouble=trouble)


def _room(search: _Search) -> Path:
    durable.prepare(search.archive)
    made = tempfile.TemporaryDirectory(prefix="copy-", dir=search.archive.scratch, ignore_cleanup_errors=True)
    return Path(search.stack.enter_context(made))


# --- what the user names ---


def _named(search: _Search, path: Path) -> list[Copy]:
    """Find the copies that a path may mean: it itself, or what lies in it under the bundle's id."""
    try:
        return _meant(search, path) or [_failing(path, NotFoundError("no bundle of this id is there"))]
    except OSError as error:
        return [_failing(path, error)]


def _meant(search: _Search, path: Path) -> list[Copy]:
    if is_named_packed(path.name) and not path.is_dir():
        return [_packed(search, path)]
    folders = (path, path / search.bundle, Archive(path).payload(search.bundle))
    found = [each for each in folders if any((each / name).is_file() for name in bag.TAG_FILES)]
    packed = [each for suffix in SUFFIXES if (each := path / f"{search.bundle}{suffix}").is_file()]
    copies = [FetchedCopy(name=f"`{each}`", fetch=partial(Fetched, folder=each)) for each in found]
    return [*copies, *(_packed(search, each) for each in packed)]


def _failing(path: Path, error: ReprokitError | OSError) -> Copy:
    def fail() -> Fetched:
        raise error

    return FetchedCopy(name=f"`{path}`", fetch=fail)


def _packed(search: _Search, path: Path) -> Copy:
    return FetchedCopy(name=f"`{path}`", fetch=partial(_unpacked, search, path))


def _unpacked(search: _Search, path: Path) -> Fetched:
    holds = search.learnt.packed.get(path, search.bundle)
    if holds != search.bundle:
        raise NotFoundError(f"it holds `{holds}`")
    within = _room(search)
    folder, trouble = within / "bag", None
    try:
        folder = open_packed(str(path), within).path
    except (FixityError, InvalidRecordError) as error:
        # What of it is whole proves itself, file by file; of what was refused unseen there is nothing.
        if not (folder / bag.INFO).is_file():
            raise
        trouble = error
    with suppress(ReprokitError):
        search.learnt.packed[path] = bag.read_info(folder).bundle_id
    return Fetched(folder=folder, trouble=trouble)
