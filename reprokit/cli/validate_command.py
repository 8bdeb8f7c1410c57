"""`reprokit validate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from reprokit.archive import validation as archive_validation
from reprokit.archive.location import Archive
from reprokit.archive.references import bundle_ids, resolve
from reprokit.archive.registration import fold
from reprokit.bundle.finding import Finding, hint
from reprokit.bundle.validation import validate
from reprokit.cli.messages import visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json
from reprokit.errors import ExitCode, NotFoundError, UsageError

_RECORD_CODES = ("E2",)


class Checked(Struct, frozen=True, kw_only=True):
    """The findings on one bundle; none means that it is whole."""

    bundle: str
    path: str
    findings: list[Finding]


def _check(path: Path, archive: Archive | None) -> Checked:
    findings = list(validate(path))
    if archive is not None and path.resolve().is_relative_to(archive.bundles.resolve()):
        findings += archive_validation.check(archive, path.name)
    return Checked(bundle=path.name, path=str(path), findings=sorted(set(findings)))


def _archive(named: Path | None, references: tuple[str, ...]) -> Archive | None:
    try:
        return find_archive(named)
    except NotFoundError:
        if references and all(Path(reference).exists() for reference in references):
            return None
        raise


def _lines(checked: Checked) -> Iterator[str]:
    if not checked.findings:
        yield f"{checked.bundle}: whole"
        return
    yield f"{checked.bundle}: {counted(len(checked.findings), 'finding')}"
    for found in checked.findings:
        yield f"  {found.code} {visible(found.where)}: {visible(found.message)}"
    for code in sorted({found.code for found in checked.findings}):
        yield f"  {code}: {hint(code)}"


def _exit_code(results: list[Checked]) -> ExitCode:
    codes = {found.code for checked in results for found in checked.findings}
    if not codes:
        return ExitCode.FINE
    return ExitCode.INVALID_RECORD if all(code.startswith(_RECORD_CODES) for code in codes) else ExitCode.FIXITY


@click.command("validate", short_help="Prove that bundles are whole: every byte, every record.")
@click.argument("references", nargs=-1, metavar="REF...")
@click.option("--all", "everything", is_flag=True, help="Check every bundle whose payload is here.")
@archive_option
@json_option
def command(references: tuple[str, ...], everything: bool, archive: Path | None, as_json: bool) -> int:
    """Read every byte of the bundles REF... and check it against manifest, schemas, DVC pointer, cache and catalog.

    Exits with 12 when a byte is not what was captured, 13 when only a record breaks its schema.

    \b
    Examples:
      reprokit validate latest
      reprokit validate --all --json
    """
    if everything == bool(references):
        raise UsageError("name bundles, or use `--all`", hint="`reprokit list` names them")
    place = _archive(archive, references)
    if place is not None:
        fold(place)
    if everything and place is not None:
        paths = [path for each in bundle_ids(place) if (path := place.payload(each)).is_dir()]
    else:
        paths = [resolve(reference, place) for reference in references]
    results: list[Checked] = []
    for path in paths:
        results.append(_check(path, place))
        for line in [] if as_json else _lines(results[-1]):
            click.echo(line)
    if as_json:
        print_json(results)
    return _exit_code(results)
