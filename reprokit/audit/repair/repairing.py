"""Repairing a bundle: what is damaged or missing comes back from a copy that proves itself, and nothing is lost.

Everything is brought to a scratch folder and proven there before anything is changed. What is damaged is put aside, in
`.reprokit/set-aside/<UTC>-<hex>/`, and then replaced by one rename; whoever is killed meanwhile leaves each file either
old or new, and the next repair does the rest. What no copy proves is left as it is.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from reprokit import clock, git
from reprokit.archive import cache, durable, notes, own_folders, validation
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.audit.repair import aside as putting_aside
from reprokit.audit.repair.aside import Aside
from reprokit.audit.repair.collecting import collect
from reprokit.audit.repair.copies import Copy
from reprokit.audit.repair.gathering import HERE, Gathering
from reprokit.audit.repair.outcome import Repaired, Report, Restored, told
from reprokit.audit.repair.putting import Putting
from reprokit.audit.repair.truth import Truth, truth_of
from reprokit.bundle import bag
from reprokit.errors import NotFoundError, ReprokitError
from reprokit.sync.remotes import push
from reprokit.sync.remotes.configuration import Remote

REPAIRED = "repaired"
_PATIENCE = 300.0  # seconds
_TOLD = 1000  # things in an event of the ledger


def repair(
    archive: Archive,
    bundle_id: str,
    *,
    copies: Sequence[Copy],
    set_aside: Path | None = None,
    remotes: Sequence[Remote] = (),
    patience: float = _PATIENCE,
) -> Repaired:
    """Mend what is damaged or missing of a bundle that is here, wherever a copy proves to be good.

    Args:
        archive: the archive.
        bundle_id: the bundle.
        copies: where a good copy may be, in the order in which they are asked; see `places.copies_of`.
        set_aside: a folder below `.reprokit/set-aside` of the archive for what is damaged; else a new one.
        remotes: those that are to hold the bundle whole: when it is whole here, each is read and mended.
        patience: seconds of a remote's silence after which it is given up.

    Returns:
        What came of it. What is wrong with the bundle, a copy or the disk is told in it and never raised.
    """
    report = Report()
    truth: Truth | None = None
    whole = False
    remarks: list[str] = []
    folder = set_aside or putting_aside.new_folder(archive)
    try:
        _require_here(archive, bundle_id)
        truth = truth_of(archive, bundle_id)
        _mend(archive, bundle_id, truth, copies, Aside(archive, folder), report)
        whole = _is_whole(archive, bundle_id)
        if whole:
            _mend_remotes(archive, bundle_id, remotes, patience, report)
    except (ReprokitError, OSError) as error:
        report.refuse(bundle_id, told(error))
    finally:
        # Also what was done before somebody broke it off.
        if truth is not None and report.restored:
            remarks = _note(archive, bundle_id, truth, report.restored, whole=whole)
    return Repaired(
        bundle=bundle_id,
        identity=truth.identity if truth is not None else None,
        restored=report.restored,
        refused=report.refused,
        whole=whole,
        remarks=remarks,
    )


def _require_here(archive: Archive, bundle_id: str) -> None:
    folder = archive.payload(bundle_id)
    if not folder.is_dir():
        raise NotFoundError("its files are not in this copy of the archive, so there is nothing to repair")
    own_folders.require_folders(archive, folder)


def _mend(archive: Archive, bundle_id: str, truth: Truth, copies: Sequence[Copy], aside: Aside, report: Report) -> None:
    durable.prepare(archive)
    with tempfile.TemporaryDirectory(prefix="repair-", dir=archive.scratch, ignore_cleanup_errors=True) as scratch:
        gathering = Gathering(
            folder=archive.payload(bundle_id),
            truth=truth,
            store=cache.of(archive),
            copies=copies,
            scratch=Path(scratch),
        )
        gathering.look()
        collected = collect(gathering, bundle_id)
        Putting(
            archive=archive,
            bundle=bundle_id,
            gathering=gathering,
            collected=collected,
            aside=aside,
            report=report,
        ).put()


def _is_whole(archive: Archive, bundle_id: str) -> bool:
    """Read every byte again."""
    try:
        found = [*bag.verify(archive.payload(bundle_id)), *validation.check(archive, bundle_id)]
    except (ReprokitError, OSError):
        return False
    return not any(each.severity == "error" for each in found)


def _mend_remotes(archive: Archive, bundle_id: str, remotes: Sequence[Remote], patience: float, report: Report) -> None:
    """Send what remotes lack of the bundle, or hold damaged."""
    for remote in remotes:
        try:
            (carried,) = push.push(archive, [bundle_id], remote, patience=patience, verify=True).bundles
        except (ReprokitError, OSError) as error:
            report.refuse(remote.name, f"the remote cannot be mended: {told(error)}")
            continue
        if carried.outcome == "failed":
            report.refuse(remote.name, f"the remote is not whole: {carried.reason}")
            continue
        damaged = [each.where for each in carried.findings if each.code == "W342"]
        missing = carried.moved - len(damaged)
        paths = damaged + ([f"{missing} missing {'object' if missing == 1 else 'objects'}"] if missing else [])
        for path in paths:
            report.restore(f"{remote.name}: {path}", "remote object", HERE)


def _note(archive: Archive, bundle_id: str, truth: Truth, restored: Sequence[Restored], *, whole: bool) -> list[str]:
    """Write into the ledger what was repaired; returns what is left undone."""
    now = clock.text(clock.now())
    shown = [msgspec.to_builtins(each) for each in restored[:_TOLD]]
    detail = {"restored": shown, "count": len(restored)}
    event = Event(event=REPAIRED, time=now, bundle=bundle_id, identity=truth.identity, detail=detail)
    written = [archive.pointer(bundle_id), archive.entry(bundle_id)]
    new = [path for path in written if whole and _is_new(archive, truth, path)]
    with contextlib.suppress(ReprokitError):
        # What no commit has yet, and the whole bundle proves.
        git.commit_paths(archive.root, [archive.relative(path) for path in new], f"register {bundle_id}")
    try:
        trouble = notes.note(archive, event, f"repair {bundle_id}")
    except (OSError, ReprokitError) as error:
        return [f"the repair could not be noted in the ledger: {told(error)}"]
    return [f"the ledger is written and not committed yet: {trouble}"] if trouble else []


def _is_new(archive: Archive, truth: Truth, path: Path) -> bool:
    held = truth.committed
    return held.trouble is None and str(archive.relative(path)) not in held.files and path.is_file()
