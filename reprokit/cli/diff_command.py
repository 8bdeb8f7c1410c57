"""`reprokit diff`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from reprokit.bundle.compression import SUFFIX
from reprokit.bundle.reading import Bundle
from reprokit.bundle.source import Source
from reprokit.cli.bundles import Found, find_bundle
from reprokit.cli.messages import visible
from reprokit.cli.options import archive_option, json_option, print_json
from reprokit.diff.compare import compare
from reprokit.diff.difference import exit_code
from reprokit.diff.shown.text import lines


def _patch(bundle: Bundle, source: Source) -> str:
    """Give a word for a shell that stands for a checkout's patch, which may be compressed or not be there."""
    if source.patch is None:
        return "/dev/null"
    path = bundle.stored(source.patch)
    return f"<(zstd -dc {shlex.quote(str(path))})" if path.suffix == SUFFIX else shlex.quote(str(path))


def _code(first: Found, second: Found) -> Iterator[str]:
    """Say with which commands one sees what changed in the code of checkouts that both have."""
    a, b = first.bundle, second.bundle
    fetched = [each.fetched for each in (first, second) if each.fetched is not None]
    others = {source.name: source for source in b.sources}
    for source in a.sources:
        other = others.get(source.name)
        if other is None or other.tree == source.tree:
            continue
        yield ""
        yield f"code: what changed in `{source.name}` is shown by"
        if source.commit != other.commit and source.commit and other.commit:
            yield f"  git diff {source.commit[:12]} {other.commit[:12]}   # what was committed, in a checkout of it"
        if (source.patch or other.patch) and fetched:
            yield f"  reprokit pull {' '.join(shlex.quote(each) for each in fetched)}   # then ask again"
        elif source.patch or other.patch:
            yield f"  diff {_patch(a, source)} {_patch(b, other)}   # what was not committed"


@click.command("diff", short_help="Say what differs between two bundles.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--all", "everything", is_flag=True, help="Show the set-up differences that are noise, too.")
@archive_option
@json_option
def command(first: str, second: str, everything: bool, archive: Path | None, as_json: bool) -> int:
    """Compare the bundles A and B: are they comparable, what changed in the set-up, in the scores, in which samples.

    Exits with 0 when the results are the same and 1 when they differ. Dates, addresses and output paths are noise.
    Either may be a mirror's reference: what the archive does not have is fetched and proven, and not kept.

    \b
    Examples:
      reprokit diff 20261124T10 latest
      reprokit diff A B --json | jq .verdict
      reprokit diff latest wandb:lab/evals/lm_eval-tiny-gpt2:v3
    """
    a, b = find_bundle(first, archive), find_bundle(second, archive)
    difference = compare(a.bundle, b.bundle)
    if as_json:
        print_json(difference)
    else:
        for line in lines(difference, all=everything):
            click.echo(line)
        for line in _code(a, b):
            click.echo(visible(line))
    return exit_code(difference)
