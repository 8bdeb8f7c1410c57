"""Repairing the ledger: its files are named for their bytes, and git's HEAD holds them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from reprokit.archive import durable, ledger
from reprokit.archive.layout import Archive
from reprokit.audit.repair import aside as putting_aside
from reprokit.audit.repair.aside import Aside
from reprokit.audit.repair.committed import committed
from reprokit.audit.repair.outcome import Repaired, Report, told
from reprokit.errors import ReprokitError

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z_]+-(?P<digits>[0-9a-f]{8})\.jsonl")
_LARGEST = 64 << 20  # bytes of a batch


def repair_archive(archive: Archive, *, set_aside: Path | None = None) -> Repaired:
    """Restore the ledger files that are damaged or gone, where those in git's HEAD are what they are named for.

    Args:
        archive: the archive.
        set_aside: a folder below `.reprokit/set-aside` of the archive for what is damaged; else a new one.

    Returns:
        What came of it; what is wrong is told in it and never raised.
    """
    report = Report()
    aside = Aside(archive, set_aside or putting_aside.new_folder(archive))
    whole = False
    try:
        held = committed(archive, [archive.ledger.name], most=_LARGEST)
        wrong = {each.where for each in ledger.check(archive)}
        gone = {
            path for path in held.files if _NAME.fullmatch(PurePosixPath(path).name) and not _is_there(archive, path)
        }
        for path in sorted(wrong | gone):
            _mend(archive, path, held.files.get(path), held.trouble, aside, report)
        whole = not report.refused and not any(ledger.check(archive))
    except (ReprokitError, OSError) as error:
        report.refuse(archive.ledger.name, told(error))
    return Repaired(restored=report.restored, refused=report.refused, whole=whole)


def _is_there(archive: Archive, path: str) -> bool:
    return (archive.root / path).is_file()


def _mend(archive: Archive, path: str, held: bytes | None, trouble: str | None, aside: Aside, report: Report) -> None:
    match = _NAME.fullmatch(PurePosixPath(path).name)
    if held is None or match is None or not hashlib.sha256(held).hexdigest().startswith(match["digits"]):
        report.refuse(path, trouble or "git's HEAD holds no file of this name that is what its name says")
        return
    try:
        where = aside.keep(archive.root / path, path)
        durable.write(archive.root / path, held, archive=archive)
    except (ReprokitError, OSError) as error:
        report.refuse(path, told(error))
        return
    report.restore(path, "ledger", "git's HEAD", where)
