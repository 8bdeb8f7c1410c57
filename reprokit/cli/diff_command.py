"""`reprokit diff`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.cli.bundles import find_bundle
from reprokit.cli.margins import margin_option, read_margins
from reprokit.cli.options import archive_option, json_option, print_json
from reprokit.cli.pages import write_page
from reprokit.diff.code import code_changes
from reprokit.diff.difference import Asked
from reprokit.diff.samples.choosing import CHOICES
from reprokit.diff.shown.markdown import markdown
from reprokit.diff.shown.text import lines
from reprokit.diff.verdict import FailOn, exit_code
from reprokit.errors import FixityError, UsageError


def _require_unchanged(bundle: Bundle) -> None:
    """Refuse to compare what is not what was captured: every file that a comparison reads is proven first.

    Raises:
        FixityError: a file was changed.
    """
    others = ("data/harness/", "data/process/")
    changed = next(bag.changed_files(bundle.path, lambda path: not path.startswith(others)), None)
    if changed is not None:
        raise FixityError(
            f"`{bundle.path / changed}` is not what was captured", hint="`reprokit validate` lists all that is wrong"
        )


def _same_tasks(given: Sequence[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in given:
        one, equals, other = text.partition("=")
        if not (one and equals and other) or one in renamed:
            raise UsageError(f"`--same-task {text}` does not name two tasks", hint="write `--same-task toy_mc=toy`")
        renamed[one] = other
    return renamed


def _same_filters(given: Sequence[str]) -> dict[str, str | None]:
    named: dict[str, str | None] = {}
    for text in given:
        one, equals, other = text.partition("=")
        if not (one and equals) or one in named:
            hint = "write `--same-filter strict-match=none`"
            raise UsageError(f"`--same-filter {text}` does not name two filters", hint=hint)
        named[one] = other or None
    return named


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--all", "everything", is_flag=True, help="Show noise, patches and whole texts, too.")
@click.option("--task", "tasks", metavar="TASK", multiple=True, help="Compare this task only; may be repeated.")
@click.option(
    "--where",
    metavar="WHICH",
    multiple=True,
    help=f"Show the samples that are {', '.join(CHOICES)}; all that are given must hold.",
)
@click.option(
    "--samples",
    "shown",
    type=click.IntRange(0),
    metavar="N",
    help=f"Show up to N samples of each task. Default: a few here, {Asked().shown} in a page and in JSON.",
)
@margin_option
@click.option("--cluster", metavar="KEY", help="Samples with the same KEY of the document are not independent.")
@click.option(
    "--match",
    type=click.Choice(["auto", "id", "document"]),
    default="auto",
    show_default=True,
    help="How samples are paired; `auto`: by id, of two harnesses by document first.",
)
@click.option(
    "--same-task", "same_tasks", metavar="A=B", multiple=True, help="The first bundle's task A is the second's B."
)
@click.option(
    "--same-filter",
    "same_filters",
    metavar="A=B",
    multiple=True,
    help="The first bundle's answer extraction A is the second's B; an empty B: the one without a name.",
)
@click.option(
    "--source",
    "clones",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A clone that has the commits, to show what changed in the code.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["difference", "regression"]),
    default="difference",
    show_default=True,
    help="Exit with 1 for any difference of scores, or only for one that is worse and not by chance.",
)
@click.option(
    "--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page into this file, too."
)
@click.option(
    "--pictures",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Where the page finds pictures that the bundles name and do not hold.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a comment for a pull request.")
@archive_option
@json_option
def command(
    first: str,
    second: str,
    everything: bool,
    tasks: tuple[str, ...],
    where: tuple[str, ...],
    shown: int | None,
    margins: tuple[str, ...],
    cluster: str | None,
    match: Literal["auto", "id", "document"],
    same_tasks: tuple[str, ...],
    same_filters: tuple[str, ...],
    clones: tuple[Path, ...],
    fail_on: FailOn,
    page: Path | None,
    folders: tuple[Path, ...],
    as_markdown: bool,
    archive: Path | None,
    as_json: bool,
) -> int:
    """Compare the bundles A and B: are they comparable, what changed, does it matter, and where does it begin.

    Exits with 0 when the scores are the same or equivalent, and with 1 when they are not, or not comparable. Dates,
    addresses and output paths are noise. Either may be a mirror's reference: what the archive does not have is fetched
    and proven, and not kept.

    \b
    Examples:
      reprokit diff 20261124T10 latest
      reprokit diff A B --where right-to-wrong --samples 50
      reprokit diff A B --margin acc=0.01 --html difference.html
      reprokit diff main-run pr-run --markdown --fail-on regression
      reprokit diff latest wandb:lab/evals/lm_eval-tiny-gpt2:v3 --json
    """
    from reprokit.diff.compare import compare  # noqa: PLC0415 - numpy is loaded only to compare

    if as_json and as_markdown:
        raise UsageError("`--json` and `--markdown` are two forms of one output", hint="ask for one of them")
    margin, by_metric = read_margins(margins)
    asked = Asked(
        margin=margin,
        margins=by_metric,
        cluster=cluster,
        match=match,
        tasks=list(tasks),
        renamed=_same_tasks(same_tasks),
        filters=_same_filters(same_filters),
        where=list(where),
        shown=Asked().shown if shown is None else shown,
    )
    a, b = (find_bundle(reference, archive).bundle for reference in (first, second))
    for bundle in (a, b):
        _require_unchanged(bundle)
    difference = compare(a, b, asked, code=code_changes(a, b, clones=[*clones, Path.cwd()]))
    if page is not None:
        write_page(page, difference, [a, b], folders)
    if as_json:
        print_json(difference)
    elif as_markdown:
        click.echo(markdown(difference), nl=False)
    else:
        for line in lines(difference, all=everything, samples=shown):
            click.echo(line)
    return exit_code(difference, fail_on)
