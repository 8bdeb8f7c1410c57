"""`reprokit audit`."""

from __future__ import annotations

from pathlib import Path

import click

from reprokit.cli.options import archive_option, json_option


@click.command("audit")
@click.argument("references", nargs=-1, metavar="[REF...]")
@click.option("--since", metavar="AGE", help="Read no bundle again that was read whole in that time: `90d`, `12h`.")
@click.option("--sample", metavar="SHARE", help="Look at some bundles only, chosen at random: `5%`.")
@click.option("--budget", metavar="TIME", help="Begin no further bundle after that time: `10m`, `2h`.")
@click.option("--only", metavar="FAMILY,…", help="Make these checks only.")
@click.option("--skip", metavar="FAMILY,…", help="Leave these checks out.")
@click.option("--deep", is_flag=True, help="Read copies on remotes and mirrors whole, too, and compute every digest.")
@click.option("--offline", is_flag=True, help="Ask nobody: what only others know is unknown.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each answer.",
)
@click.option("--ask-again", is_flag=True, help="Use no answer of the last seven days.")
@click.option("--afresh", is_flag=True, help="Begin anew, where an interrupted audit would go on.")
@click.option("--strict", is_flag=True, help="Exit with 1 also when something is unknown.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, metavar="N", help="Read bundles in N processes.")
@click.option("--dask", metavar="ADDRESS", help="Read bundles on the workers of a Dask cluster.")
@click.option("--repair", is_flag=True, help="Restore what is damaged or missing from any copy that is good.")
@click.option(
    "--from",
    "exports",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="COPY",
    help="With --repair: a further copy of a bundle, a folder or a packed file. May be repeated.",
)
@click.option("--drill", type=click.IntRange(min=1), metavar="N", help="Reproduce N bundles, chosen at random.")
@click.option(
    "--drill-tier",
    type=click.Choice(["verify", "rescore", "smoke", "rerun"]),
    default="rescore",
    show_default=True,
    help="How far to go; `smoke` and `rerun` run the bundles' code.",
)
@click.option("--seed", type=click.IntRange(min=0), help="With --drill: choose the same bundles again.")
@click.option("--yes", is_flag=True, help="With --drill: agree to run the bundles' code.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, with past audits.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit report.")
@archive_option
@json_option
def command(**given: object) -> int:
    """Audit the bundles REF..., or all: read every byte, check every record, ask for every copy and every part.

    What is found is told worst first, with what to do. What could not be found out is unknown, and says why: it is
    neither good nor bad. The ledger keeps what came of each bundle. An audit that is interrupted goes on where it was
    when it is called again.

    The checks, by family: fixity, format, consistency, privacy, signatures, copies, identifiers, recoverability,
    obsolescence, freshness. What is asked of copies, ages and signatures stands in `[audit]` of the archive's
    `reprokit.toml`.

    With --repair, what is damaged or missing is restored from a copy that verifies: DVC's cache, a remote, a mirror, or
    one that --from names. The damaged bytes are kept aside.

    Exits with 12 when a byte is not what was captured, 13 when only a record breaks its schema, 1 for any other
    finding, 0 when there is none.

    \b
    Examples:
      reprokit audit
      reprokit audit --since 90d --budget 2h --html audit.html
      reprokit audit latest --repair
      reprokit audit --offline --only fixity,format --jobs 8
    """
    from reprokit.cli.auditing import audit  # noqa: PLC0415 - `--help` must not load what checks bundles

    return audit(**given)
