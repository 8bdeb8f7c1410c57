"""`reprokit pull`."""

from __future__ import annotations

from pathlib import Path

import click

from reprokit.archive.registration import fold
from reprokit.cli.options import archive_option, find_archive, json_option
from reprokit.cli.transfers import chosen, remote_option, show, timeout_option, watched
from reprokit.sync.pull import pull
from reprokit.sync.remotes import choose


@click.command("pull", short_help="Get bundles from a DVC remote, and prove them.")
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option("--all", "everything", is_flag=True, help="Get every bundle whose payload is not here.")
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
    """Get the payload of bundles REF... that this copy of the archive knows from git, from a DVC remote.

    Every byte is proven against the bundle's own manifest and the identity that git holds before the bundle is put in
    its place. What is damaged is named, and nothing of it is kept; the exit code is then 12. A bundle that is here
    already is proven where it is; with --all it is left alone.

    \b
    Examples:
      reprokit pull 20261124T10
      reprokit pull --all --remote store
    """
    place = find_archive(archive)
    fold(place)
    bundles = chosen(place, references, everything=everything)
    source = choose(place, remote)
    with watched() as watch:
        transfer = pull(place, bundles, source, patience=timeout, watch=watch)
    return show(transfer, as_json=as_json)
