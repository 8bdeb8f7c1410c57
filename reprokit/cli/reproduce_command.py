"""`reprokit reproduce`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import click

from reprokit.archive.location import Archive
from reprokit.archive.locks import CompletedLock
from reprokit.archive.tags.events import require_tag
from reprokit.bundle import reproduce_script, rerun
from reprokit.bundle.bag import PAYLOAD
from reprokit.bundle.environment import Environment
from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label
from reprokit.cli.bundles import Found, find_bundle
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, find_archive, json_option, print_json
from reprokit.diff.shown.text import lines as difference_lines
from reprokit.errors import ExitCode, NoConsentError, NotFoundError, UsageError
from reprokit.reproduce.plan import Mode, Plan, known_digests, lines, make_plan, recorded_pins
from reprokit.reproduce.run import Reproduction, Terms, reproduce, require_intact, require_possible


def _require_kept(found: Found) -> None:
    """Refuse to write a script that reads a bundle which is gone when the command ends."""
    if found.fetched is not None:
        raise UsageError(
            f"a script reads the bundle from where it lies, and `{found.fetched}` was fetched for this command alone",
            hint=f"`reprokit pull {shlex.quote(found.fetched)}`, then ask again",
        )


def _consent(plan: Plan, *, given: bool) -> None:
    for line in lines(plan):
        say(visible(line))
    require_possible(plan)
    if given:
        return
    if not sys.stdin.isatty():
        raise NoConsentError(
            "this would run the bundle's code, and nobody is here to agree", hint="read the plan, then add `--yes`"
        )
    if not click.confirm("This runs the bundle's code. Go on?", err=True):
        raise NoConsentError("nothing was run")


def _carry_out(bundle: Bundle, plan: Plan, archive: Archive, terms: Terms, *, keep: bool) -> Reproduction:
    try:
        result = reproduce(bundle, plan, archive, terms)
    except UsageError:
        raise
    except BaseException:
        say(f"reprokit: the workspace is left for you to look at: {terms.workspace}")
        raise
    if not keep:
        shutil.rmtree(terms.workspace, ignore_errors=True)
    return result


def _known_digests(bundle: Bundle, named: Path | None) -> CompletedLock | None:
    try:
        return known_digests(bundle, find_archive(named))
    except NotFoundError:
        # A bundle that came by itself, to a machine without an archive.
        return None


def _show(result: Reproduction) -> None:
    click.echo(f"{result.verdict}: {visible(result.reason)}")
    click.echo(f"  original    {result.original}")
    click.echo(f"  reproduced  {result.reproduced_as}")
    for remark in result.remarks:
        click.echo(f"  remark      {visible(remark)}")
    if result.verdict != "identical samples":
        for line in difference_lines(result.difference):
            click.echo(line)


@click.command("reproduce", short_help="Rebuild a bundle's run, run it again, and compare.")
@click.argument("reference", metavar="REF")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done, and stop.")
@click.option("--script", is_flag=True, help="Print a shell script that does it with git and uv, and stop.")
@click.option("--yes", is_flag=True, help="Agree to run the bundle's code.")
@click.option(
    "--env",
    "mode",
    type=click.Choice(["rebuild", "current"]),
    default="rebuild",
    show_default=True,
    help="Rebuild the recorded packages, or run with what is on PATH.",
)
@click.option("--source", "origin", help="Take the source from this clone or address, not the recorded one.")
@click.option("--allow-sdist", is_flag=True, help="Build packages that have no wheel; that runs their code.")
@click.option(
    "--workspace", type=click.Path(path_type=Path, file_okay=False), help="Work in this new folder, and keep it."
)
@click.option("--tag", "tags", multiple=True, help="A label for the new bundle.")
@archive_option
@json_option
def command(
    reference: str,
    only_plan: bool,
    script: bool,
    yes: bool,
    mode: Mode,
    origin: str | None,
    allow_sdist: bool,
    workspace: Path | None,
    tags: tuple[str, ...],
    archive: Path | None,
    as_json: bool,
) -> int:
    """Reproduce the run of bundle REF: its source, its packages and its command, in a workspace of its own.

    The plan is shown first, and nothing runs until you agree. The new run becomes a bundle of its own, linked to the
    first. Exits with 0 when samples or scores are identical, 1 when they differ, 20 when the evaluation fails, 21 when
    something it needs is missing.

    REF may be a mirror's reference (wandb:entity/project/name:alias): unless the archive has that bundle, it is fetched
    and proven, and kept only as long as the command runs.

    \b
    Examples:
      reprokit reproduce latest --plan
      reprokit reproduce 20261124T10 --yes
      reprokit reproduce wandb:lab/evals/lm_eval-tiny-gpt2:v3 --plan
      reprokit reproduce latest --script > reproduce.sh
    """
    for tag in tags:
        require_tag(tag)
    found = find_bundle(reference, archive)
    bundle = found.bundle
    require_intact(bundle)
    if script:
        _require_kept(found)
        recorded_pins(bundle)  # a lock that is more than pinned names is refused before uv reads it
        environment = bundle.environment or Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))
        payload = str((bundle.path / PAYLOAD).resolve())
        click.echo(reproduce_script.text(bundle.record, environment, bundle.sources, payload=payload), nl=False)
        return ExitCode.INPUT_MISSING if rerun.plan(bundle.record, bundle.sources).obstacles else ExitCode.FINE
    completed = _known_digests(bundle, archive)
    plan = make_plan(bundle, mode=mode, origin=origin, environ=os.environ, completed=completed)
    if only_plan:
        if as_json:
            print_json(plan)
        else:
            for line in lines(plan):
                click.echo(visible(line))
        return ExitCode.INPUT_MISSING if plan.missing or plan.obstacles else ExitCode.FINE
    _consent(plan, given=yes)
    terms = Terms(
        workspace=workspace or Path(tempfile.mkdtemp(prefix="reprokit-")),
        origin=origin,
        allow_sdist=allow_sdist,
        environ=dict(os.environ),
        label=Label(tags=tags),
        completed=completed,
    )
    result = _carry_out(bundle, plan, find_archive(archive, create=True), terms, keep=workspace is not None)
    if as_json:
        print_json(result)
    else:
        _show(result)
    return ExitCode.FINE if result.verdict in {"identical samples", "identical scores"} else ExitCode.DIFFERENCES
