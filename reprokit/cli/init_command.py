"""`reprokit init`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from reprokit.archive.creation import create
from reprokit.cli.messages import say


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
def command(directory: Path) -> None:
    """Make an archive in DIRECTORY, or adopt the git or DVC repository there as one.

    An archive is a git repository with DVC in it: small records go to git, payload to DVC. `reprokit capture` makes a
    default one by itself; make your own to keep it where your lab keeps things.

    \b
    Example:
      reprokit init ~/evals/archive
      export REPROKIT_ARCHIVE=~/evals/archive
    """
    archive = create(directory)
    click.echo(f"{archive.root}")
    say(f"reprokit: the archive is ready; to use it: export REPROKIT_ARCHIVE={shlex.quote(str(archive.root))}")
