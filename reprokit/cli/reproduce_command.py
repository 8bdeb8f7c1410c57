"""`reprokit reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reprokit.archive.tags.events import require_tag
from reprokit.cli.margins import margin_option
from reprokit.cli.options import archive_option, json_option
from reprokit.errors import UsageError
from reprokit.reproduce.tiers import RUNNING, TIERS


@click.command("reproduce")
@click.argument("reference", metavar="[REF]", required=False)
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done, and stop.")
@click.option("--script", is_flag=True, help="Print a shell script that does it with git and uv, and stop.")
@click.option("--yes", is_flag=True, help="Agree to run the bundle's code.")
@click.option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Agree if this signature of the bundle is by a key that you trust.",
)
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default="rerun",
    show_default=True,
    help="How much: its bytes, its scores from its samples, some samples again, or all of it.",
)
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="With --tier smoke: of each task; 50.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="With --tier smoke: which samples; 0.")
@click.option(
    "--repeats", type=click.IntRange(min=1, max=100), default=1, show_default=True, help="Run it so many times."
)
@margin_option
@click.option(
    "--env",
    "mode",
    type=click.Choice(["rebuild", "current"]),
    default="rebuild",
    show_default=True,
    help="Rebuild the recorded packages, or run with what is on PATH.",
)
@click.option("--nearest", is_flag=True, help="Take the nearest version of a package that is not to be had.")
@click.option("--allow-sdist", is_flag=True, help="Build packages that have no wheel; that runs their code.")
@click.option(
    "--source",
    "sources",
    metavar="[NAME=]PLACE",
    multiple=True,
    help="A clone or an address that has the source; of one checkout by its name.",
)
@click.option("--without", metavar="NAME", multiple=True, help="Leave out this checkout or submodule, and say so.")
@click.option(
    "--map", "mapped", metavar="OLD=NEW", multiple=True, help="A folder of the other machine is this one here."
)
@click.option(
    "--share",
    "shared",
    type=click.Choice(["home", "caches"]),
    multiple=True,
    help="Let the run have your own home, or your own caches.",
)
@click.option(
    "--workspace", type=click.Path(path_type=Path, file_okay=False), help="Work in this new folder, and keep it."
)
@click.option("--label", "labels", metavar="TAG", multiple=True, help="A tag for the new bundles.")
@click.option("--all", "everything", is_flag=True, help="Reproduce every bundle; goes on where it was interrupted.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="With --all: only bundles with this tag.")
@click.option("--again", is_flag=True, help="With --all: begin anew.")
@archive_option
@json_option
def command(reference: str | None, **options: Any) -> int:
    """Reproduce the run of bundle REF: its source, its packages and its command, in a workspace of its own.

    The plan is shown first, and nothing runs until you agree. The new run becomes a bundle of its own, linked to the
    first. Exits with 0 when it is at least equivalent, 1 when it is not, 20 when the evaluation fails, 21 when
    something it needs is missing, 22 when nobody agreed.

    REF may also be a packed bundle (.tar, .tar.zst, .zip), a mirror's reference (wandb:entity/project/name:alias) or
    one on a DVC remote (dvc:URL#ID). It is fetched and proven, and kept only as long as the command runs.

    \b
    Examples:
      reprokit reproduce latest --plan
      reprokit reproduce 20261124T10 --yes --margin acc=0.01
      reprokit reproduce wandb:lab/evals/lm_eval-tiny-gpt2:v3 --tier smoke --samples 100
      reprokit reproduce latest --source ~/evals --map /data=/mnt/data --repeats 3
      reprokit reproduce --all --tag paper --yes
      reprokit reproduce latest --script > reproduce.sh
    """
    _require_sense(reference, options)
    from reprokit.cli import reproducing  # noqa: PLC0415 - it brings all that runs and compares

    call = reproducing.call_of(options)
    if options["everything"]:
        return reproducing.reproduce_all(call, tags=options["tags"], again=options["again"])
    assert reference is not None  # noqa: S101 - `_require_sense` has seen to it
    if options["script"]:
        return reproducing.print_script(reference, call)
    if options["only_plan"]:
        return reproducing.print_plan(reference, call)
    return reproducing.reproduce_one(reference, call)


def _require_sense(reference: str | None, options: dict[str, Any]) -> None:
    """Refuse options that do not go together: nothing that a user says is passed over."""
    tier, everything = options["tier"], options["everything"]
    alone = options["script"] or options["workspace"] or options["signature"]
    chosen = options["samples"] is not None or options["seed"] is not None
    besides = _of_no_script(options) if options["script"] else []
    refusals = (
        (
            bool(besides),
            f"`--script` writes down the run as it was recorded, and heeds nothing of {', '.join(besides)}",
            f"leave out {'it' if len(besides) == 1 else 'these'}, or `--script`: reprokit itself heeds all of it",
        ),
        (everything == (reference is not None), "name a bundle, or use `--all`", "`reprokit list` names them"),
        (
            options["tags"] and not everything,
            "`--tag` chooses bundles for `--all`",
            "a tag for the new bundle is `--label`",
        ),
        (everything and alone, "`--script`, `--workspace` and `--signature` are for one bundle", "leave out `--all`"),
        (options["again"] and not everything, "`--again` begins a batch anew", "add `--all`, or leave it out"),
        (
            options["repeats"] > 1 and tier not in RUNNING,
            f"`--repeats` is for runs, and `--tier {tier}` runs nothing",
            "leave it out",
        ),
        (
            options["margins"] and tier not in RUNNING,
            f"`--margin` is for runs, and `--tier {tier}` runs nothing",
            "leave it out",
        ),
        (chosen and tier != "smoke", "`--samples` and `--seed` choose samples for a smoke test", "add `--tier smoke`"),
        (options["script"] and options["only_plan"], "`--script` stands alone", "ask for one"),
    )
    for refused, message, hint in refusals:
        if refused:
            raise UsageError(message, hint=hint)
    for tag in options["labels"]:
        require_tag(tag)


def _of_no_script(options: dict[str, Any]) -> list[str]:
    """Name what was said that a script does not heed."""
    said = {
        f"--tier {options['tier']}": options["tier"] != "rerun",
        "--samples": options["samples"] is not None,
        "--seed": options["seed"] is not None,
        "--repeats": options["repeats"] > 1,
        "--margin": options["margins"],
        f"--env {options['mode']}": options["mode"] != "rebuild",
        "--nearest": options["nearest"],
        "--allow-sdist": options["allow_sdist"],
        "--source": options["sources"],
        "--without": options["without"],
        "--map": options["mapped"],
        "--share": options["shared"],
        "--workspace": options["workspace"],
        "--label": options["labels"],
        "--signature": options["signature"],
        "--json": options["as_json"],
    }
    return [f"`{name}`" for name, given in said.items() if given]
