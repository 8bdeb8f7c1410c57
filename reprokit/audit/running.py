"""Running an audit: every bundle is read, examined and written down, one after another or many at a time."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from reprokit.archive.layout import Archive
from reprokit.audit import choosing, committed, content, history, reading
from reprokit.audit.examining import World, examine
from reprokit.audit.journal import Journal
from reprokit.audit.reading import CONTENT, Read, Work
from reprokit.audit.statements import FAMILIES, Fact, Family, Statement, outcome
from reprokit.audit.values import Audited
from reprokit.bundle import bag
from reprokit.errors import ReprokitError

Spread = Callable[[Iterable[Work]], Iterator[Read]]
Watch = Callable[[int, int, str], None]
"""Told after each bundle how many are done, of how many, and which it was."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is asked of an audit.

    `bundles` are ids, `None` for all. `since` is how long ago a bundle may have been read whole without being read
    again; `share` (0 to 1) how many are looked at; `budget` how many seconds may pass until no more is begun. `deep`
    reads copies on remotes whole, computes every digest, and uses nothing that was found of a content before.
    """

    bundles: Sequence[str] | None = None
    families: frozenset[Family] = frozenset(FAMILIES)
    deep: bool = False
    since: dt.timedelta | None = None
    share: float | None = None
    budget: float | None = None

    def question(self) -> list[str]:
        """Give what makes it the same audit when it is called again after it was interrupted."""
        named = ["*"] if self.bundles is None else sorted(self.bundles)
        told = (sorted(self.families), self.deep, self.since, self.share)
        return [*named, *map(str, told)]


Mend = Callable[[Audited], list[Fact] | None]
"""Is given what was found of a bundle; gives what was done about it, or `None` when nothing was."""


def run(wishes: Wishes, world: World, journal: Journal, spread: Spread, *, mend: Mend, watch: Watch) -> int:
    """Audit what is not in the journal yet, and write each bundle's result into it.

    Args:
        wishes: what is asked.
        world: what else is asked, and whom.
        journal: where results go.
        spread: does the reading.
        mend: repairs what was found of a bundle; then that is read and examined again.
        watch: told how far it is.

    Returns:
        How many bundles were left out, by the sample or the budget.

    Raises:
        OSError: the journal cannot be written.
        GitError: git cannot tell what it holds.
    """
    archive = world.archive
    named = committed.every_bundle(archive) if wishes.bundles is None else list(dict.fromkeys(wishes.bundles))
    last = {each: history.last_read(world.history, each, None, world.now) or "" for each in named}
    ids = choosing.in_order(named, last)
    if wishes.share is not None:
        ids = choosing.sample(ids, wishes.share, journal.done)
    told = committed.differing(archive, ids) if "fixity" in world.families else {}
    for found in spread(_work(ids, wishes, world, journal)):
        read = _with(content.completed(archive, found, world.families), committed.of(told, found.bundle))
        result = examine(read, world)
        if (done := mend(result)) is not None:
            again = [*committed.of(committed.differing(archive, [read.bundle]), read.bundle), *done]
            work = Work(archive=str(archive.root), bundle=read.bundle, read="whole", deep=wishes.deep)
            result = examine(_with(content.completed(archive, reading.read(work), world.families), again), world)
        journal.add(result)
        watch(len(journal.done), len(ids), read.bundle)
    return len(named) - len(journal.done & set(named))


def _work(ids: Sequence[str], wishes: Wishes, world: World, journal: Journal) -> Iterator[Work]:
    """Yield what is to be read, until the time is over."""
    begun = time.monotonic()
    for each in ids:
        if each in journal.done:
            continue
        if wishes.budget is not None and time.monotonic() - begun > wishes.budget:
            return
        identity = _identity(world.archive, each)
        last = history.last_read(world.history, each, identity, world.now)
        wanted = world.families & set(CONTENT)
        yield Work(
            archive=str(world.archive.root),
            bundle=each,
            read=choosing.how(last, wishes.since, world.now) if "fixity" in world.families else "nothing",
            deep=wishes.deep,
            content=tuple(each for each in CONTENT if each in wanted)
            if wishes.deep
            else content.missing(world.archive, each, identity, wanted),
        )


def _identity(archive: Archive, bundle: str) -> str | None:
    try:
        return bag.identity(archive.payload(bundle))
    except ReprokitError:
        return None


def _with(found: Read, more: Sequence[Statement]) -> Read:
    """Add statements to those of fixity."""
    if not more:
        return found
    said = [each for each in found.outcomes if each.family == "fixity"]
    before: list[Statement] = []
    for each in said:
        before += [*each.findings, *each.unknown, *each.facts]
    others = [each for each in found.outcomes if each.family != "fixity"]
    return replace(found, outcomes=[outcome("fixity", [*more, *before]), *others])
