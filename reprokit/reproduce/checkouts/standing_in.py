"""A clone that the user names stands in for a checkout of which nothing was recorded.

A run that was captured from finished outputs has no source. What its command names relative to where it was started,
only its user knows to be in a clone of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.bundle.reading import Bundle
from reprokit.errors import UsageError
from reprokit.git import GitError
from reprokit.reproduce.checkouts.origins import Origins
from reprokit.reproduce.checkouts.planning import PlannedCheckout
from reprokit.sources import layout
from reprokit.sources.restoring import restore_commit


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A clone on this machine, and the commit that it is at; what is not committed there does not count."""

    folder: Path
    commit: str
    dirty: bool = False


def stand_in(bundle: Bundle, origins: Origins) -> StandIn | None:
    """Find what stands in for the checkout of a bundle; `None` when it has records of its own, or the user names none.

    Raises:
        UsageError: what the user names is no clone on this machine.
    """
    if bundle.sources or not origins.others:
        return None
    place = origins.others[0]
    hint = "clone it here first, at the commit that the run had, and name that folder"
    if place.transport != "file":
        raise UsageError(f"the bundle records no commit to fetch from `{place.address}`", hint=hint)
    folder = Path(place.address)
    try:
        commit = git.run(["rev-parse", "--verify", "HEAD^{commit}"], directory=folder).decode("ascii").strip()
    except GitError as error:
        raise UsageError(f"`{folder}` has no commit: {error.message}", hint=hint) from error
    asked = ["status", "--porcelain", "--ignore-submodules=none"]
    changed = git.answer(asked, directory=folder, environment={"GIT_OPTIONAL_LOCKS": "0"})
    return StandIn(folder=folder, commit=commit, dirty=bool(changed))


def planned(found: StandIn) -> PlannedCheckout:
    """Show it in a plan."""
    return PlannedCheckout(
        name=found.folder.name,
        place=str(layout.MAIN),
        commit=found.commit,
        tree=None,
        used_as=["your word: nothing was recorded"],
        comes_from=f"`{found.folder}`" + (", without its uncommitted changes" if found.dirty else ""),
    )


def put_in_place(found: StandIn, workspace: Path) -> None:
    """Make an isolated clone of it, where the command will be run.

    Raises:
        ReprokitError: as for `sources.restoring.restore`.
    """
    restore_commit(
        found.folder.name,
        found.commit,
        origins=[str(found.folder)],
        remotes={},
        destination=workspace / layout.MAIN,
    )
