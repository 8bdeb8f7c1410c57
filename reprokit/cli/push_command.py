"""`reprokit push`."""

from __future__ import annotations

from pathlib import Path

import click

from reprokit.archive.registration import fold
from reprokit.cli.mirroring import push_to_mirror
from reprokit.cli.options import archive_option, find_archive, json_option, require_writable
from reprokit.cli.transfers import chosen, remote_option, show, timeout_option, watched
from reprokit.errors import UsageError
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.push import push


@click.command("push")
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option("--all", "everything", is_flag=True, help="Send every bundle whose payload is here.")
@remote_option
@click.option("--verify", is_flag=True, help="Read every object on the remote again, and replace what is damaged.")
@click.option("--mirror", "mirror", metavar="NAME", help="Send them to a mirror instead: `wandb`.")
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help="With --mirror: show the bundle there with this tag, besides its own. May be given more than once.",
)
@timeout_option
@archive_option
@json_option
def command(
    references: tuple[str, ...],
    everything: bool,
    remote: str | None,
    verify: bool,
    mirror: str | None,
    tags: tuple[str, ...],
    timeout: float,
    archive: Path | None,
    as_json: bool,
) -> int:
    """Send the bundles REF... to a DVC remote of the archive, or with --mirror to a service that shows them to people.

    A remote is a folder, or ssh://, s3://, webdav:// and so on. A bundle is read and proven first, and a damaged one is
    not sent. Only what the remote lacks is sent. Then every object of the bundle is looked up there, its presence and
    size; with --verify it is read back, too, which costs as much as a pull. What is known to be there is noted in the
    ledger. The records of the archive travel with git.

    On the mirror `wandb` a bundle becomes a run and an artifact of Weights & Biases, where `[mirror.wandb]` in
    reprokit.toml and the WANDB_... variables say. It counts as mirrored when the service says that it holds every file
    of it. What cannot be sent now waits in the archive's outbox, and `reprokit sync` sends it.

    Exits with 30 when something could not be sent, with 12 when a bundle is damaged.

    \b
    Examples:
      reprokit push latest
      reprokit push --all --remote store --verify
      reprokit push --mirror wandb latest --tag baseline
    """
    _refuse_mixtures(remote=remote, verify=verify, mirror=mirror, tags=tags)
    place = find_archive(archive)
    require_writable(place, "a push is noted in its ledger")
    fold(place)
    bundles = chosen(place, references, everything=everything)
    if mirror is not None:
        return push_to_mirror(place, bundles, mirror, tags=tags, timeout=timeout, as_json=as_json)
    to = choose(place, remote)
    with watched() as watch:
        transfer = push(place, bundles, to, patience=timeout, verify=verify, watch=watch)
    return show(transfer, as_json=as_json)


def _refuse_mixtures(*, remote: str | None, verify: bool, mirror: str | None, tags: tuple[str, ...]) -> None:
    if mirror is None and tags:
        raise UsageError(
            "`--tag` goes with `--mirror`", hint="`reprokit tag REF TAG` gives the bundle itself a tag, for good"
        )
    if mirror is not None and remote is not None:
        raise UsageError("`--mirror` and `--remote` are two places", hint="push twice, once to each")
    if mirror is not None and verify:
        raise UsageError(
            "`--verify` goes with a remote",
            hint="what a mirror lists is compared anyway; `reprokit audit --deep` reads what it holds",
        )
