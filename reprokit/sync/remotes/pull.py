"""Getting bundles from a remote: those that git knows and whose files are not in this copy of the archive."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from reprokit.archive import references
from reprokit.archive.dvc import Listing
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import FixityError, RemoteError
from reprokit.sync import transfer
from reprokit.sync.remotes import arrival
from reprokit.sync.remotes.arrival import Arrival
from reprokit.sync.remotes.configuration import Remote, configured
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.opening import opened
from reprokit.sync.remotes.push import proven, pushes
from reprokit.sync.remotes.reading_back import is_sound
from reprokit.sync.remotes.wire import Finished, Moved
from reprokit.sync.transfer import Carried, DamageError, Progress, Transfer, Watch, unwatched

_SLACK = 1 << 20  # bytes


def pull(
    archive: Archive, bundle_ids: Sequence[str] | None, remote: Remote, *, patience: float, watch: Watch = unwatched
) -> Transfer:
    """Get bundles from a remote, and prove every byte of them before they are in their place.

    Args:
        archive: where they belong.
        bundle_ids: which; `None` for all whose files are not in this copy of the archive.
        remote: where to get them.
        patience: seconds of the remote's silence after which it is given up.
        watch: told how far it is.

    Returns:
        What came of each. Of one that is not what was captured nothing is kept.

    Raises:
        RemoteError: the remote cannot be reached at all.
        InputMissingError: what reaches it is not installed.
        UsageError: its configuration is wrong.
    """
    names = references.bundle_ids(archive) if bundle_ids is None else list(dict.fromkeys(bundle_ids))
    here = [name for name in names if archive.payload(name).is_dir()]
    look = partial(_look, archive) if bundle_ids is not None else _assume
    results = {carried.bundle: carried for carried in transfer.each(here, look)}
    if wanted := [name for name in names if name not in results]:
        with opened(archive, remote, patience=patience) as objects:
            if not objects.present:
                raise RemoteError(
                    f"there is nothing at the remote `{remote.name}` ({remote.address})",
                    hint="check its address, and that somebody has pushed to it",
                )
            pull_one = partial(_pull_one, archive, objects, remote, watch=watch)
            results |= {carried.bundle: carried for carried in transfer.each(wanted, pull_one)}
    arrival.tidy(archive, [name for name, carried in results.items() if carried.outcome in {"here", "fetched"}])
    return Transfer(
        action="pull", remote=remote.name, address=remote.address, bundles=[results[name] for name in names]
    )


def _assume(bundle_id: str) -> Carried:
    return Carried(bundle=bundle_id, outcome="here")


def _look(archive: Archive, bundle_id: str) -> Carried:
    """Prove a bundle that is here already."""
    folder = archive.payload(bundle_id)
    if folder.is_symlink():
        raise FixityError(f"a link stands for the folder of `{bundle_id}`", hint="remove it, then pull again")
    try:
        pointer, listing = proven(archive, bundle_id)
    except FixityError as error:
        hint = f"to get it anew, move `{shlex.quote(str(folder))}` away and pull again"
        raise FixityError(f"it is here, and damaged: {error.message}", hint=hint) from error
    objects = len(set(listing.files.values())) + 1
    return Carried(bundle=bundle_id, identity=pointer.identity, outcome="here", checked="content", objects=objects)


def _pull_one(archive: Archive, objects: Objects, remote: Remote, bundle_id: str, *, watch: Watch) -> Carried:
    arriving = arrival.begin(archive, bundle_id)
    try:
        return _receive(arriving, objects, remote, watch)
    except (RemoteError, KeyboardInterrupt):
        arrival.abandon(arriving, keep=True)
        raise
    except BaseException:
        arrival.abandon(arriving, keep=False)
        raise


def _receive(arriving: Arrival, objects: Objects, remote: Remote, watch: Watch) -> Carried:
    pointer = arriving.pointer
    watch(Progress(bundle=arriving.bundle, done=0, objects=pointer.nfiles + 1, octets=0))
    listing, octets = _receive_listing(arriving, objects, remote)
    moved = int(octets > 0)
    paths = {md5: path for path, md5 in sorted(listing.files.items(), reverse=True)}
    at_hand = arrival.reuse(arriving, paths)
    lacking = {md5: path for md5, path in paths.items() if md5 not in at_hand}
    if lacking:
        octets += _receive_files(arriving, objects, remote, lacking, watch)
    if wrong := arrival.settle(arriving, listing):
        raise _damage(arriving, remote, wrong)
    return Carried(
        bundle=arriving.bundle,
        identity=pointer.identity,
        outcome="fetched",
        checked="content",
        objects=len(paths) + 1,
        moved=moved + len(lacking),
        octets=octets,
    )


def _receive_listing(arriving: Arrival, objects: Objects, remote: Remote) -> tuple[Listing, int]:
    """Get and read the listing of the bundle; returns it and how many bytes were fetched."""
    oid = arriving.pointer.oid
    octets = 0
    if oid not in arrival.reuse(arriving, [oid]):
        wanted = Destination(path=arrival.place(arriving, oid), most=arrival.most_of_listing(arriving.pointer))
        # To the end: what is left unheard would be taken for the answer to the next question.
        steps = list(objects.fetch({oid: wanted}))
        if any(isinstance(step, Finished) and step.size is None for step in steps):
            raise _damage(arriving, remote, [finding("E111", oid, "the list of the bundle's files")])
        octets = sum(step.octets for step in steps if isinstance(step, Moved))
    listing = arrival.read_listing(arriving)
    if isinstance(listing, Finding):
        raise _damage(arriving, remote, [listing])
    return listing, octets


def _receive_files(
    arriving: Arrival, objects: Objects, remote: Remote, lacking: Mapping[str, str], watch: Watch
) -> int:
    """Get files, each held against its name as it arrives; returns how many bytes were fetched.

    All that is missing or damaged is told, not only the first.
    """
    found = objects.sizes(list(lacking))
    if absurd := _absurd(arriving, lacking, found):
        raise _damage(arriving, remote, absurd)
    wanted = {
        md5: Destination(path=arrival.place(arriving, md5), most=size)
        for md5 in lacking
        if (size := found.get(md5)) is not None
    }
    wrong = [finding("E111", path, md5) for md5, path in lacking.items() if md5 not in wanted]
    octets = done = 0
    for step in objects.fetch(wanted):
        match step:
            case Moved(octets=more):
                octets += more
            case Finished(object=name, size=None):
                wrong.append(finding("E111", lacking[name], name))
            case Finished(object=name):
                done += 1
                if not is_sound(arriving.objects.place(name), name):
                    wrong.append(finding("E110", lacking[name], name))
        watch(Progress(bundle=arriving.bundle, done=done, objects=len(lacking), octets=octets))
    if wrong:
        raise _damage(arriving, remote, sorted(wrong, key=lambda each: each.where))
    return octets


def _absurd(arriving: Arrival, lacking: Mapping[str, str], found: Mapping[str, int | None]) -> list[Finding]:
    """Find what would fill the disk: much more than the bundle has, by its pointer. A few bytes more are looked at."""
    whole = arriving.pointer.size
    sizes = {md5: size for md5, size in found.items() if size is not None}
    if sum(sizes.values()) <= 2 * whole + _SLACK:
        return []
    largest = max(sizes, key=lambda md5: sizes[md5])
    told = f"{largest} has {sizes[largest]} bytes, the whole bundle should have {whole}"
    return [finding("E110", lacking[largest], told)]


def _damage(arriving: Arrival, remote: Remote, findings: Collection[Finding]) -> DamageError:
    hint = _elsewhere(arriving.archive, remote, arriving.bundle)
    return transfer.damage(list(findings), remote=remote.name, hint=hint)


def _elsewhere(archive: Archive, remote: Remote, bundle_id: str) -> str:
    """Say where a whole copy may be had: first from remotes that the ledger says it was pushed to."""
    told = {event.detail.get("remote") for event in pushes(archive) if event.bundle == bundle_id}
    names = (each.name for each in configured(archive) if each.name != remote.name)
    others = sorted(names, key=lambda name: name not in told)
    mend = "`reprokit push --verify` from a copy of the archive that has the bundle mends the remote"
    if not others:
        return mend
    return f"`reprokit pull {bundle_id} --remote {others[0]}`; {mend}"
