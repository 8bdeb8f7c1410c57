"""The repair of an audit: what was found damaged or missing is restored, and told as it happens."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.audit.repair.ledger_files import repair_archive
from reprokit.audit.repair.outcome import Repaired
from reprokit.audit.repair.places import Learnt, copies_of
from reprokit.audit.repair.repairing import repair
from reprokit.audit.statements import Fact
from reprokit.audit.values import Audited
from reprokit.bundle.finding import CATALOGUE, Finding
from reprokit.cli.messages import say
from reprokit.sync.remotes.configuration import Remote, configured

_HERE = ("E10",)
_REMOTE = ("E110", "E111", "W402")


@dataclass(frozen=True, kw_only=True)
class Mending:
    """How a repair is carried out: with which further copies, asking nobody or whom, and how patiently (seconds)."""

    archive: Archive
    exports: Sequence[Path]
    offline: bool
    patience: float
    learnt: Learnt = field(default_factory=Learnt)

    def ledger(self) -> None:
        """Restore damaged files of the ledger."""
        done = repair_archive(self.archive)
        _say("the ledger", list(_told(done)), done.remarks)

    def bundle(self, found: Audited) -> list[Fact] | None:
        """Restore what an audit found damaged of a bundle; gives what was done, `None` when there was nothing to do."""
        codes = {each.code for told in found.outcomes for each in told.findings}
        remotes = self._remotes(found)
        if not remotes and not any(code.startswith(_HERE) for code in codes):
            return None
        with copies_of(
            self.archive,
            found.bundle,
            exports=self.exports,
            environ=os.environ,
            patience=self.patience,
            offline=self.offline,
            learnt=self.learnt,
        ) as copies:
            done = repair(self.archive, found.bundle, copies=copies, remotes=remotes, patience=self.patience)
        facts = list(_told(done))
        _say(found.bundle, facts, done.remarks)
        return facts

    def _remotes(self, found: Audited) -> list[Remote]:
        """Find the remotes that lack the bundle, or hold damaged objects of it."""
        wrong = [each for told in found.outcomes for each in told.findings if each.code in _REMOTE]
        remotes = {f"remote {each.name}": each for each in (configured(self.archive) if wrong else [])}
        places = {_place(finding, remotes) for finding in wrong}
        return [remote for place, remote in remotes.items() if place in places]


def _place(found: Finding, places: Collection[str]) -> str | None:
    """Tell which place a finding is about. One name may begin as another does: the longest is meant."""
    about = found.message.removeprefix(f"{CATALOGUE[found.code][0]}: ")
    fitting = [each for each in places if each in {found.where, about} or about.startswith(f"{each}: ")]
    return max(fitting, key=len, default=None)


def _told(done: Repaired) -> Iterator[Fact]:
    for each in done.restored:
        aside = f"; the damaged bytes lie in `{each.set_aside}`" if each.set_aside else ""
        word = "moved aside" if each.kind == "stray" else f"restored from {each.from_}"
        yield Fact(where=each.path, told=f"{word}{aside}")
    for refused in done.refused:
        yield Fact(where=refused.path, told=f"not restored: {refused.reason}")


def _say(what: str, facts: Sequence[Fact], remarks: Sequence[str]) -> None:
    for each in facts:
        say(f"reprokit: {what}: {each.where}: {each.told}")
    for remark in remarks:
        say(f"reprokit: {what}: {remark}")
