"""Keeping the files of an offer as a version of an artifact, and the names of that version up to date."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import wandb

from reprokit.errors import FixityError
from reprokit.mirrors.portrait.artifact import description
from reprokit.mirrors.wandb import names
from reprokit.mirrors.wandb.client.offer import Offer
from reprokit.mirrors.wandb.client.session import Session
from reprokit.mirrors.wandb.client.voice import Voice

_LATEST = "latest"
_RESERVE = 0.8
"""The part of the time that is left which an upload may take: what arrived has to be checked too."""


def artifact(
    offer: Offer, *, entity: str | None, policy: Literal["immutable", "mutable"], link: Path = Path("bundle")
) -> Any:
    """Make the artifact of the files of a bundle; `mutable` ones are copied to `WANDB_DATA_DIR` at once.

    The client writes the path of every file that it does not copy into what it uploads. So they are named by way of a
    link, which is made, in the working directory: no path of this machine goes along.

    Raises:
        FixityError: the files are not what they should be.
    """
    owner = f"{entity}/" if entity else ""
    reference = f"wandb:{owner}{offer.options.project}/{offer.portrait.stored.name}:{offer.aliases[0]}"
    made = wandb.Artifact(
        offer.portrait.stored.name,
        type=names.ARTIFACT_TYPE,
        description=description(offer.bundle, offer.label, reference=reference),
        metadata=dict(offer.portrait.stored.metadata),
    )
    link.symlink_to(offer.bundle.path)
    try:
        for path in sorted(offer.files):
            made.add_file(str(link / path), name=path, policy=policy, skip_cache=True)
    except (OSError, ValueError) as error:
        raise FixityError(f"a file of `{offer.bundle.path}` cannot be read any more: {error}") from error
    if made.digest != offer.digest:
        raise FixityError(
            f"the files of `{offer.bundle.path}` are not what they were a moment ago",
            hint="nothing was sent; `reprokit validate` tells what changed",
        )
    return made


def store(offer: Offer, session: Session, run: Any, voice: Voice) -> None:
    """Send the files of a bundle, and wait until W&B's client says that they are there."""
    made = artifact(offer, entity=session.entity, policy="immutable")
    voice.doing("sending", of=offer.octets)
    run.log_artifact(made, aliases=aliases(offer)).wait(timeout=max(1, int(voice.left() * _RESERVE)))


def aliases(offer: Offer) -> list[str]:
    """Name what a new version is called, the latest one among it."""
    return [_LATEST, *offer.aliases]


def required(offer: Offer) -> set[str]:
    """Tell which aliases a version must have: its own, and those that no earlier push gave it.

    An alias that it had and has no longer was given to another version since: to take it back each time would never
    come to rest.
    """
    return {*offer.aliases} - ({*offer.before} - {offer.aliases[0]})


def relabel(offer: Offer, version: Any) -> bool:
    """Give a version the aliases that it should have, and take those away that an earlier push gave; tell if any."""
    there = set(version.aliases)
    wanted = (there - withdrawn(offer, there)) | required(offer)
    if wanted == there:
        return False
    version.aliases = sorted(wanted)
    version.save()
    return True


def retag(offer: Offer, run: Any, there: Iterable[str]) -> bool:
    """Do the same for the tags of a run, and for the name and note that a person gave the bundle."""
    changed = False
    tags = wanted_tags(offer, there)
    if set(tags) != set(there):
        run.tags = list(tags)
        changed = True
    title, notes = offer.options.name or offer.label.name, offer.notes
    if title and run.display_name != offer.run_title:
        run.display_name = offer.run_title
        changed = True
    if notes and run.notes != notes:
        run.notes = notes
        changed = True
    if changed:
        run.update()
    return changed


def wanted_tags(offer: Offer, there: Iterable[str]) -> tuple[str, ...]:
    """Give the tags that a run should have: those that others gave it too."""
    there = list(there)
    kept = [each for each in there if each not in withdrawn(offer, set(there))]
    return tuple(dict.fromkeys((*kept, *offer.run_tags)))


def withdrawn(offer: Offer, there: set[str]) -> set[str]:
    """Tell which of these labels an earlier push of ours gave, and are not wanted any more."""
    return (there & set(offer.before)) - set(offer.aliases) - set(offer.run_tags) - {_LATEST}
