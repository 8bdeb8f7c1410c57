"""Weighing what several sources say of a revision: the strongest observation counts, and who differs is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reprokit.bundle.values import Unknown, full_commit

STRENGTH = ("cache read", "argv", "server", "cache refs", "prepared cache", "claim")
"""The sources, strongest first.

What was read was read. A full commit in the command leaves the libraries no choice. A server speaks of itself, but
after the run. A branch of the cache is what the libraries follow, but may have moved since. A claim is nobody's
observation.
"""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What one source says of a revision: a full commit, or a branch or tag."""

    source: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What came of it. `disagreement` names the sources and their commits, when they name more than one."""

    revision: str | Unknown
    learnt_from: str
    revisions: dict[str, list[str]] = field(default_factory=dict)
    disagreement: str | None = None


def weigh(statements: Iterable[Statement], otherwise: str) -> Weighed:
    """Weigh statements; `otherwise` is the reason why the revision is unknown when there is no commit among them."""
    said: dict[str, set[str]] = {}
    for statement in statements:
        said.setdefault(statement.source, set()).add(statement.says)
    commits = {
        source: found for source in STRENGTH if (found := {each for each in said.get(source, ()) if full_commit(each)})
    }
    revisions = {source: sorted(said[source]) for source in STRENGTH if source in said}
    every = set().union(*commits.values())
    disagreement = None
    if len(every) > 1:
        disagreement = ", ".join(f"{source} says `{'` and `'.join(sorted(commits[source]))}`" for source in commits)
    for source, found in commits.items():
        chosen = _one_of(found, [others for other, others in commits.items() if other != source])
        if chosen is None:
            break
        return Weighed(revision=chosen, learnt_from=source, revisions=revisions, disagreement=disagreement)
    reason = f"several are possible: {disagreement}" if disagreement else otherwise
    return Weighed(
        revision=Unknown(unknown=reason), learnt_from="nothing", revisions=revisions, disagreement=disagreement
    )


def _one_of(found: set[str], others: Iterable[set[str]]) -> str | None:
    """Choose the commit a source means; of several, the only one that any other source names too."""
    if len(found) == 1:
        return next(iter(found))
    confirmed = {each for each in found if any(each in other for other in others)}
    return confirmed.pop() if len(confirmed) == 1 else None
