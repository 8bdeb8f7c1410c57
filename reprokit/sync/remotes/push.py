"""Sending bundles to a remote.

A bundle is proven here before anything of it is sent. Then goes what the remote lacks: the files, and only when all of
them are there, the listing that names them; so a listing on a remote that reprokit alone writes to never lies. What
DVC's own `push` would believe because the listing is there is looked up object by object.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reprokit import clock
from reprokit.archive import durable, dvc, ledger, notes, references
from reprokit.archive.dvc import Listing, Pointer
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import FixityError, InvalidRecordError
from reprokit.sync import transfer
from reprokit.sync.remotes import reading_back
from reprokit.sync.remotes.configuration import Remote
from reprokit.sync.remotes.objects import Objects
from reprokit.sync.remotes.opening import opened
from reprokit.sync.remotes.wire import Finished, Moved
from reprokit.sync.transfer import Carried, Progress, Transfer, Watch, unwatched

PUSHED = "pushed"


@dataclass(frozen=True, kw_only=True)
class _Cargo:
    """A proven bundle as objects: name → file here, name → path in the bundle, name → bytes; its listing apart."""

    bundle: str
    pointer: Pointer
    files: Mapping[str, Path]
    paths: Mapping[str, str]
    sizes: Mapping[str, int]
    listing: Path


def push(
    archive: Archive,
    bundle_ids: Sequence[str] | None,
    remote: Remote,
    *,
    patience: float,
    verify: bool = False,
    watch: Watch = unwatched,
) -> Transfer:
    """Send bundles to a remote, check every object of them there, and note it in the ledger.

    Args:
        archive: where they are.
        bundle_ids: which; `None` for all whose files are in this copy of the archive.
        remote: where to send them.
        patience: seconds of the remote's silence after which it is given up.
        verify: read every object on the remote again, and replace what is damaged.
        watch: told how far it is.

    Returns:
        What came of each; a bundle that is damaged here, or not here, is told in it and is not sent.

    Raises:
        RemoteError: the remote cannot be reached at all.
        InputMissingError: what reaches it is not installed.
        UsageError: its configuration is wrong.
        UnreadableError: the ledger cannot be written.
    """
    remarks = [trouble] if (trouble := notes.settle(archive)) else []
    results: list[Carried] = []
    events: list[Event] = []

    names = references.bundle_ids(archive) if bundle_ids is None else bundle_ids
    try:
        with opened(archive, remote, patience=patience) as objects:
            push_one = partial(_push_one, archive, objects, remote, verify=verify, watch=watch)
            if bundle_ids is None:
                push_one = partial(_unless_absent, archive, push_one)
            for carried in transfer.each(names, push_one):
                results.append(carried)
                events += _event(carried, remote)
    finally:
        # Also of those that were there in time, when somebody breaks it off.
        trouble = _note(archive, results, events)
    remarks += [trouble] if trouble else []
    return Transfer(action="push", remote=remote.name, address=remote.address, bundles=results, remarks=remarks)


def _push_one(
    archive: Archive, objects: Objects, remote: Remote, bundle_id: str, *, verify: bool, watch: Watch
) -> Carried:
    folder = references.here(archive, bundle_id)
    pointer, listing = proven(archive, bundle_id)
    durable.prepare(archive)
    with tempfile.TemporaryDirectory(prefix="push-", dir=archive.scratch) as scratch:
        cargo = _load(folder, pointer, listing, Path(scratch))
        found = objects.sizes([*cargo.files, pointer.oid])
        lacking = {name for name, size in cargo.sizes.items() if found.get(name) != size}
        findings = list(_explain(cargo, found))
        if verify:
            there = {name: size for name, size in cargo.sizes.items() if name not in lacking}
            for name in reading_back.damaged(objects, there, Path(scratch)):
                findings.append(finding("W342", cargo.paths[name], name))
                lacking.add(name)
        moved = _send(objects, remote, cargo, lacking, watch)
        if verify and lacking:
            sent = {name: cargo.sizes[name] for name in lacking}
            _refuse(cargo, remote, damaged=list(reading_back.damaged(objects, sent, Path(scratch))))
    return Carried(
        bundle=bundle_id,
        identity=pointer.identity,
        outcome="sent" if lacking else "there",
        checked="content" if verify else "size",
        objects=len(cargo.sizes),
        moved=len(lacking),
        octets=moved,
        findings=findings,
    )


def _unless_absent(archive: Archive, push_one: Callable[[str], Carried], bundle_id: str) -> Carried:
    """Skip a bundle that is not here, where all were asked for."""
    return push_one(bundle_id) if archive.payload(bundle_id).is_dir() else Carried(bundle=bundle_id, outcome="absent")


def proven(archive: Archive, bundle_id: str) -> tuple[Pointer, Listing]:
    """Read every byte of a bundle that is here, and find it as it was sealed and registered.

    Raises:
        FixityError: it is not.
        NotFoundError: there is no bundle, or nobody has registered it yet.
        UnreadableError: it or its pointer cannot be read.
    """
    folder = archive.payload(bundle_id)
    pointer = dvc.read_pointer(archive.pointer(bundle_id))
    listing = dvc.survey(folder)
    if dvc.pointer_to(folder, listing) != pointer or not bundle_id.endswith("-" + pointer.identity[7:15]):
        raise FixityError(
            f"`{bundle_id}` is not the bundle that its pointer names", hint=f"see `reprokit validate {bundle_id}`"
        )
    return pointer, listing


def _load(folder: Path, pointer: Pointer, listing: Listing, scratch: Path) -> _Cargo:
    encoded = listing.encode()
    place = scratch / "listing"
    place.write_bytes(encoded)
    # Of several files with the same bytes one stands for all: the first by name.
    paths = {md5: path for path, md5 in sorted(listing.files.items(), reverse=True)}
    files = {md5: folder / path for md5, path in paths.items()}
    sizes = {md5: path.stat().st_size for md5, path in files.items()}
    return _Cargo(
        bundle=folder.name,
        pointer=pointer,
        files=files,
        paths={**paths, pointer.oid: "its list of files"},
        sizes={**sizes, pointer.oid: len(encoded)},
        listing=place,
    )


def _explain(cargo: _Cargo, found: Mapping[str, int | None]) -> Iterator[Finding]:
    """Say what a remote that was pushed to before should not be like."""
    missing = [name for name in cargo.files if found.get(name) is None]
    if missing and found.get(cargo.pointer.oid) is not None:
        yield finding("W343", cargo.bundle, f"{len(missing)} of {len(cargo.files)}")
    for name, size in cargo.sizes.items():
        there = found.get(name)
        if there is not None and there != size:
            yield finding("W342", cargo.paths[name], f"it had {there} bytes instead of {size}")


def _send(objects: Objects, remote: Remote, cargo: _Cargo, lacking: set[str], watch: Watch) -> int:
    """Send what is lacking, the listing last, and look up what the remote then has; returns the bytes sent."""
    oid = cargo.pointer.oid
    files = {name: path for name, path in cargo.files.items() if name in lacking}
    octets = done = 0
    for batch in (files, {oid: cargo.listing} if oid in lacking else {}):
        if not batch:
            continue
        for step in objects.send(batch):
            match step:
                case Moved(octets=more):
                    octets += more
                case Finished():
                    done += 1
            watch(Progress(bundle=cargo.bundle, done=done, objects=len(lacking), octets=octets))
        # The listing goes when every file is known to be there, and is then looked up itself.
        expected = {name: size for name, size in cargo.sizes.items() if (name == oid) is (batch is not files)}
        found = objects.sizes(list(expected))
        missing = [name for name in expected if found.get(name) is None]
        damaged = [name for name, size in expected.items() if found.get(name) not in {None, size}]
        _refuse(cargo, remote, missing=missing, damaged=damaged)
    return sum(cargo.sizes[name] for name in lacking)


def _refuse(cargo: _Cargo, remote: Remote, *, missing: Sequence[str] = (), damaged: Sequence[str] = ()) -> None:
    """Give up when the remote does not hold what it was just sent."""
    findings = [finding("E111", cargo.paths[name], name) for name in missing]
    findings += [finding("E110", cargo.paths[name], name) for name in damaged]
    if findings:
        hint = "it does not keep what it is sent: check it, then push again"
        raise transfer.damage(findings, remote=remote.name, hint=hint)


def _event(carried: Carried, remote: Remote) -> list[Event]:
    """Make the event of a bundle that is on the remote."""
    if carried.outcome not in {"sent", "there"} or carried.identity is None:
        return []
    detail = {
        "remote": remote.name,
        "address": remote.address,
        "objects": carried.objects,
        "checked": carried.checked,
    }
    now = clock.text(clock.now())
    return [Event(event=PUSHED, time=now, bundle=carried.bundle, identity=carried.identity, detail=detail)]


def _note(archive: Archive, results: Sequence[Carried], events: Sequence[Event]) -> str | None:
    """Write down what is news: what was sent or read again, and what nobody has noted before."""
    news = {carried.bundle for carried in results if carried.outcome == "sent" or carried.checked == "content"}
    known = set() if all(event.bundle in news for event in events) else {_key(event) for event in pushes(archive)}
    new = [event for event in events if event.bundle in news or _key(event) not in known]
    if not new:
        return None
    place = f"to `{new[0].detail['remote']}`"
    message = f"push {new[0].bundle} {place}" if len(new) == 1 else f"push {len(new)} bundles {place}"
    try:
        return notes.note_all(archive, new, message)
    except OSError as error:
        raise transfer.unwritable(error) from error


def _key(event: Event) -> tuple[str, str, str, str]:
    return event.bundle, event.identity, str(event.detail.get("remote")), str(event.detail.get("address"))


def pushes(archive: Archive) -> Iterator[Event]:
    """Yield what the ledger says of pushes, in no order."""
    for path in archive.ledger.glob(f"*/*-{PUSHED}-*.jsonl"):
        # What cannot be read says nothing; that it cannot is for `validate` and `audit` to tell.
        with contextlib.suppress(InvalidRecordError):
            yield from ledger.read(path)
