"""`reprokit pull`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from reprokit.archive.location import Archive
from reprokit.archive.registration import fold
from reprokit.cli.bundles import meant_for_a_mirror
from reprokit.cli.options import archive_option, find_archive, json_option, require_some_or_all
from reprokit.cli.transfers import chosen, remote_option, show, timeout_option, watched, watched_steps
from reprokit.errors import ReprokitError, UsageError
from reprokit.sync.foreign import pull as foreign_pull
from reprokit.sync.foreign import references as foreign
from reprokit.sync.foreign.references import Foreign
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.pull import pull
from reprokit.sync.transfer import Transfer, failed


@click.command("pull")
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option("--all", "everything", is_flag=True, help="Get every bundle whose payload is not here, from the remote.")
@remote_option
@timeout_option
@archive_option
@json_option
def command(
    references: tuple[str, ...],
    everything: bool,
    remote: str | None,
    timeout: float,
    archive: Path | None,
    as_json: bool,
) -> int:
    """Get the payload of bundles REF... into this copy of the archive.

    A bundle that this copy knows from git comes from a DVC remote. One that is named by a mirror's reference, such as
    wandb:entity/project/name:alias or the address of its page, comes from that mirror; it need not be known here, and
    if there is no archive yet, a default one is made.

    Every byte is proven against the bundle's own manifest, and against the identity that git holds or the mirror has
    named, before the bundle is put in its place. What is damaged is named, and nothing of it is kept; the exit code is
    then 12. A bundle that is here already is proven where it is; with --all it is left alone.

    \b
    Examples:
      reprokit pull 20261124T10
      reprokit pull --all --remote store
      reprokit pull wandb:lab/evals/lm_eval-tiny-gpt2:v3
    """
    require_some_or_all(references, everything=everything)
    abroad = [each for each in dict.fromkeys(references) if foreign.is_foreign(each)]
    known = tuple(each for each in references if each not in abroad)
    if remote is not None and not (known or everything):
        raise UsageError("`--remote` names a DVC remote, and all that is named is on a mirror", hint="leave it out")
    place = find_archive(archive, create=bool(abroad))
    fold(place)
    wanted = [_understood(each, place, timeout) for each in abroad]
    bundles = _known(place, known, everything=everything)
    # What a mirror does not have is no reason not to ask the remote, and the other way round.
    parts = [_from_mirrors(place, wanted)] if wanted else []
    if known or everything:
        parts.append(_from_remote(place, bundles, remote, timeout, alone=not abroad))
    return show(_together(parts), as_json=as_json)


def _understood(reference: str, archive: Archive, timeout: float) -> Foreign:
    return foreign.understand(reference, archive, environment=os.environ, directory=Path.cwd(), seconds=timeout)


def _known(archive: Archive, references: tuple[str, ...], *, everything: bool) -> list[str] | None:
    """Find the bundles to get from a remote; `None` for all."""
    if everything:
        return None
    found: list[str] = []
    for reference in references:
        with meant_for_a_mirror(reference):
            found += chosen(archive, (reference,), everything=False) or []
    return list(dict.fromkeys(found))


def _from_mirrors(archive: Archive, wanted: Sequence[Foreign]) -> Transfer:
    with watched_steps() as watching:
        carried = list(foreign_pull.pull(archive, wanted, watching=lambda each: watching(each.reference)))
    services = list(dict.fromkeys((each.mirror.name, each.to.address) for each in wanted))
    return Transfer(
        action="pull",
        remote=", ".join(name for name, _ in services),
        address=", ".join(address for _, address in services),
        bundles=carried,
    )


def _from_remote(
    archive: Archive, bundles: list[str] | None, remote: str | None, timeout: float, *, alone: bool
) -> Transfer:
    try:
        source = choose(archive, remote)
        with watched() as watch:
            return pull(archive, bundles, source, patience=timeout, watch=watch)
    except ReprokitError as error:
        if alone or bundles is None:
            raise
        told = [failed(each, error) for each in bundles]
        return Transfer(action="pull", remote=remote or "", address="", bundles=told)


def _together(parts: Sequence[Transfer]) -> Transfer:
    """Make one of what came from mirrors and what came from a remote."""
    if len(parts) == 1:
        return parts[0]
    return Transfer(
        action="pull",
        remote=", ".join(each.remote for each in parts if each.remote),
        address=", ".join(each.address for each in parts if each.address),
        bundles=[carried for each in parts for carried in each.bundles],
        remarks=[remark for each in parts for remark in each.remarks],
    )
