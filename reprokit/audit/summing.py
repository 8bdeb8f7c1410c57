"""The head of an audit: what all results come to, and how a program is told."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from reprokit import clock
from reprokit.archive import cache, validation
from reprokit.archive.layout import Archive
from reprokit.archive.months import listed
from reprokit.audit import committed, grading
from reprokit.audit.journal import Journal
from reprokit.audit.policy import Policy
from reprokit.audit.values import Audited, Counts, Summary
from reprokit.bundle.finding import Finding
from reprokit.errors import ExitCode

_BYTES = ("E1", "E403")
_RECORDS = ("E2",)


def about_archive(archive: Archive, policy: Policy) -> list[Finding]:
    """Find what is wrong with the archive itself and no bundle there: strays, files of the ledger, bundles gone."""
    found = [each for check in (validation.check_strays, validation.check_ledger) for _, each in check(archive)]
    return sorted({*found, *committed.gone(archive, policy.removed)})


def is_guarded(archive: Archive) -> bool:
    """Tell whether nobody but its owner and, where it is shared with one, a group can write to an archive's folders."""
    kept = (archive.bundles, archive.catalog, archive.ledger, archive.signatures)
    places = [archive.root, archive.root / ".git", cache.of(archive).directory, *kept]
    try:
        months = [Path(each.path) for folder in kept for each in listed(folder) if each.is_dir(follow_symlinks=False)]
        return not any(each.stat().st_mode & stat.S_IWOTH for each in (*places, *months) if each.exists())
    except OSError:
        return False


def summary_of(
    archive: Archive, journal: Journal, *, not_reached: int, findings: Sequence[Finding], remarks: Sequence[str]
) -> Summary:
    """Make the head of an audit from its results, which are read again one by one."""
    counts = dict.fromkeys(Counts.__struct_fields__, 0)
    whole = files = octets = 0
    grade = grading.Archive()
    for each in journal.results():
        counts["good" if each.state == "not asked" else each.state] += 1
        whole, files, octets = whole + (each.read == "whole"), files + each.files, octets + each.octets
        grade.add(each.grade)
    return Summary(
        archive=str(archive.root),
        started=journal.started,
        ended=clock.text(clock.now()),
        counts=Counts(**counts),
        read_whole=whole,
        files=files,
        octets=octets,
        resumed=journal.earlier,
        not_reached=not_reached,
        findings=list(findings),
        grade=grade.levels(),
        remarks=list(remarks),
    )


def exit_code(summary: Summary, results: Callable[[], Iterator[Audited]], *, strict: bool) -> ExitCode:
    """Give the exit code of an audit: 12 when bytes are not what they were, 13 for records, 1 for any other finding.

    What is not known changes nothing, unless it is asked for to the letter (`strict`): then it counts as a finding, and
    so does a bundle that was not reached.
    """
    codes = {each.code for each in summary.findings}
    for result in results():
        codes |= {each.code for told in result.outcomes for each in told.findings}
    if any(code.startswith(_BYTES) for code in codes):
        return ExitCode.FIXITY
    if any(code.startswith(_RECORDS) for code in codes):
        return ExitCode.INVALID_RECORD
    unknown = summary.counts.unknown + summary.not_reached
    return ExitCode.DIFFERENCES if codes or (strict and unknown) else ExitCode.FINE
