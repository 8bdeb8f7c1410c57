"""`reprokit push`."""

from __future__ import annotations

from pathlib import Path

import click

from reprokit.archive.registration import fold
from reprokit.cli.options import archive_option, find_archive, json_option, require_writable
from reprokit.cli.transfers import chosen, remote_option, show, timeout_option, watched
from reprokit.sync.push import push
from reprokit.sync.remotes import choose


@click.command("push", short_help="Send bundles to a DVC remote, and check that they arrived.")
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option("--all", "everything", is_flag=True, help="Send every bundle whose payload is here.")
@remote_option
@click.option("--verify", is_flag=True, help="Read every object on the remote again, and replace what is damaged.")
@timeout_option
@archive_option
@json_option
def command(
    references: tuple[str, ...],
    everything: bool,
    remote: str | None,
    verify: bool,
    timeout: float,
    archive: Path | None,
    as_json: bool,
) -> int:
    """Send the bundles REF... to a DVC remote of the archive: a folder, or ssh://, s3://, webdav:// and so on.

    A bundle is read and proven first, and a damaged one is not sent. Only what the remote lacks is sent. Then every
    object of the bundle is looked up there, its presence and size; with --verify it is read back, too, which costs as
    much as a pull. What is known to be there is noted in the ledger. The records of the archive travel with git.

    \b
    Examples:
      reprokit push latest
      reprokit push --all --remote store --verify
    """
    place = find_archive(archive)
    require_writable(place, "a push is noted in its ledger")
    fold(place)
    bundles = chosen(place, references, everything=everything)
    to = choose(place, remote)
    with watched() as watch:
        transfer = push(place, bundles, to, patience=timeout, verify=verify, watch=watch)
    return show(transfer, as_json=as_json)
