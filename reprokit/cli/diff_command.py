"""`reprokit diff`."""

from __future__ import annotations

from pathlib import Path

import click

from reprokit.cli.options import archive_option, find_bundle, json_option, print_json
from reprokit.diff.compare import compare
from reprokit.diff.difference import exit_code
from reprokit.diff.text import lines


@click.command("diff", short_help="Say what differs between two bundles.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--all", "everything", is_flag=True, help="Show the set-up differences that are noise, too.")
@archive_option
@json_option
def command(first: str, second: str, everything: bool, archive: Path | None, as_json: bool) -> int:
    """Compare the bundles A and B: are they comparable, what changed in the set-up, in the scores, in which samples.

    Exits with 0 when the results are the same and 1 when they differ. Dates, addresses and output paths are noise.

    \b
    Examples:
      reprokit diff 20261124T10 latest
      reprokit diff A B --json | jq .verdict
    """
    difference = compare(find_bundle(first, archive), find_bundle(second, archive))
    if as_json:
        print_json(difference)
    else:
        for line in lines(difference, all=everything):
            click.echo(line)
    return exit_code(difference)
