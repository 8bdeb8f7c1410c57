"""Conducting an audit from its beginning to its end: journal, world, reading, summary, ledger."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reprokit import clock
from reprokit.archive import durable, own_folders
from reprokit.archive.layout import Archive
from reprokit.audit import history, reading, spreading, summing
from reprokit.audit.asking.asking import FRESH_FOR, asking
from reprokit.audit.copies_elsewhere.opening import opened_copies
from reprokit.audit.examining import World
from reprokit.audit.held import Held
from reprokit.audit.journal import Journal, open_journal
from reprokit.audit.own_word import own_word
from reprokit.audit.policy import Policy, policy_of
from reprokit.audit.reading import Work
from reprokit.audit.running import Mend, Spread, Watch, Wishes, run
from reprokit.audit.spreading import Executors
from reprokit.audit.values import Audited, Past, Summary
from reprokit.bundle.finding import Finding


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How an audit is carried out.

    `timeout` is in seconds for each question that is asked of the world; `fresh_for` in seconds for how long an answer
    counts. Through `executors`, bundles are read `most` at a time; without, one after another in this process.
    """

    environ: Mapping[str, str]
    offline: bool = False
    timeout: float = 20.0
    fresh_for: float = FRESH_FOR
    executors: Executors | None = None
    most: int = 1
    afresh: bool = False
    repair: bool = False


@dataclass(frozen=True, kw_only=True)
class Conducted:
    """An audit that is over; its results are on disk, and are there until it is let go of."""

    summary: Summary
    results: Callable[[], Iterator[Audited]]
    past: Sequence[Past]


def unmended(_: Audited) -> None:
    """Leave a bundle as it is."""


def _unwatched(done: int, of: int, bundle: str) -> None:
    """Tell nobody."""


@contextmanager
def conducted(
    archive: Archive,
    wishes: Wishes,
    ways: Ways,
    *,
    mend: Mend = unmended,
    watch: Watch = _unwatched,
    drilled: Sequence[Finding] = (),
) -> Iterator[Conducted]:
    """Conduct an audit, and note what came of each bundle in the ledger.

    It is over when the block is entered. An audit that is interrupted goes on where it was when it is called again.

    Args:
        archive: the archive.
        wishes: what is looked at.
        ways: how it is carried out.
        mend: restores what is damaged of a bundle.
        watch: told how far it is.
        drilled: what there is to say of the drill before it.

    Raises:
        UsageError: the archive's policy cannot be followed, or the same audit is under way.
        ReprokitError: git, the catalog or a remote's settings cannot be read.
    """
    policy = policy_of(archive)
    with ExitStack() as stack:
        folder = _folder(archive, stack)
        question = [*wishes.question(), *_circumstances(archive, ways, policy)]
        holds = partial(_holds, archive)
        journal = stack.enter_context(open_journal(folder, question, afresh=ways.afresh, holds=holds))
        about = summing.about_archive(archive, policy)
        now = clock.now()
        past = history.past(archive)
        world = World(
            archive=archive,
            families=wishes.families,
            policy=policy,
            asking=asking(
                archive,
                ways.environ,
                offline=ways.offline,
                timeout=ways.timeout,
                now=now,
                fresh_for=ways.fresh_for,
            ),
            copies=stack.enter_context(
                opened_copies(
                    archive, policy, ways.environ, offline=ways.offline, deep=wishes.deep, timeout=ways.timeout
                )
            ),
            history=history.read(archive),
            environ=ways.environ,
            now=now,
            ledger_whole=not any(each.code == "E116" for each in about),
            guarded=summing.is_guarded(archive),
        )
        left = run(wishes, world, journal, _spread(ways), mend=mend, watch=watch)
        remarks = _noted(archive, journal, folder)
        if ways.repair:
            about = summing.about_archive(archive, policy)
        about = sorted({*about, *drilled})
        summary = summing.summary_of(archive, journal, not_reached=left, findings=about, remarks=remarks)
        yield Conducted(summary=summary, results=journal.results, past=past)
        journal.finish()


def _noted(archive: Archive, journal: Journal, folder: Path) -> list[str]:
    if not folder.is_relative_to(archive.root):
        return ["the archive cannot be written: its ledger holds nothing of this audit"]
    try:
        trouble = history.note(archive, journal.results(), journal.started)
    except OSError as error:
        return [f"what came of it could not be written into the ledger: {error.strerror or error}"]
    return [f"the ledger is yet to be committed: {trouble}"] if trouble else []


def _circumstances(archive: Archive, ways: Ways, policy: Policy) -> list[str]:
    """Tell one audit from another that asks for the same under other circumstances, or of another copy."""
    return [own_word(archive), reading.rules(), repr(policy), *map(repr, (ways.offline, ways.fresh_for, ways.repair))]


def _holds(archive: Archive, result: Audited) -> bool:
    """Tell whether what an earlier call found still holds, as far as it can be told without reading all of it again."""
    held = Held(archive, result.bundle)
    if held.here != (result.read != "nothing"):
        return False
    found = reading.read(Work(archive=str(archive.root), bundle=result.bundle, read="names"))
    return found.identity == result.identity and all(each.state != "error" for each in found.outcomes)


def _spread(ways: Ways) -> Spread:
    executors = ways.executors
    if executors is None:
        return spreading.here
    return lambda work: spreading.spread(work, executors, most=2 * ways.most)


def _folder(archive: Archive, stack: ExitStack) -> Path:
    """Tell where the journal is kept: in the archive or, where that cannot be written, in a folder for this audit."""
    if os.access(next(each for each in (archive.private, archive.root) if each.is_dir()), os.W_OK):
        durable.prepare(archive)
        own_folders.require_folders(archive, archive.private / "audit")
        return archive.private / "audit"
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reprokit-audit-")))
