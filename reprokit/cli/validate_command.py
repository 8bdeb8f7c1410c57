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
from reprokit.cli.bundles import fetch_bundle, meant_for_a_mirror
from reprokit.cli.messages import visible
from reprokit.cli.options import archive_option, counted, find_archive, json_option, print_json, require_some_or_all
from reprokit.errors import ExitCode, NotFoundError, ReprokitError
from reprokit.sync.foreign.references import is_foreign
from reprokit.sync.transfer import DamageError, RecordsError

_RECORD_CODES = ("E2",)


class Checked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The findings on one bundle; none means that it is whole.

    `absent` ones have no payload here: only pointer and catalog entry were looked at. `error` is why a check of `--all`
    could not be finished. A copy on a mirror has no `path`; `fetched` is the mirror's reference of it.
    """

    bundle: str
    path: str | None
    findings: list[Finding]
    absent: bool = False
    error: str | None = None
    fetched: str | None = None


def _check(path: Path, archive: Archive | None) -> Checked:
    findings = list(validate(path))
    if archive is not None:
        findings += archive_validation.check_placed(archive, path)
    return Checked(bundle=path.name, path=str(path), findings=sorted(set(findings)))


def _check_copy(reference: str, archive: Archive | None) -> Checked:
    """Fetch the copy that a mirror has and check it, also where the archive has the bundle."""
    try:
        found = fetch_bundle(reference, archive)
    except (DamageError, RecordsError) as error:
        return Checked(bundle=reference, path=None, findings=sorted(set(error.findings)), fetched=reference)
    return Checked(bundle=found.bundle.info.bundle_id, path=None, findings=[], fetched=found.fetched)


def _check_each(references: tuple[str, ...], archive: Archive | None) -> Iterator[Checked]:
    paths: dict[str, Path] = {}
    for reference in references:
        if not is_foreign(reference):
            with meant_for_a_mirror(reference):
                paths[reference] = resolve(reference, archive)
    for reference in references:
        path = paths.get(reference)
        yield _check_copy(reference, archive) if path is None else _check(path, archive)


def _check_all(archive: Archive) -> Iterator[Checked]:
    """Check all that the archive holds; what ends the check of one bundle does not end that of the rest."""
    absent: list[str] = []
    for each in bundle_ids(archive):
        path = archive.payload(each)
        if not path.is_dir():
            absent.append(each)
            continue
        try:
            yield _check(path, archive)
        except Exception as error:  # noqa: BLE001 - a foreign bundle that trips the check must not hide damage in others
            yield Checked(bundle=each, path=str(path), findings=[], error=_reason(error))
    for check in (archive_validation.check_strays, archive_validation.check_ledger):
        for path, found in check(archive):
            yield Checked(bundle=path.name, path=str(path), findings=[found])
    yield from _check_absent(archive, absent)


def _check_absent(archive: Archive, absent: list[str]) -> Iterator[Checked]:
    error = None
    try:
        found = archive_validation.check_committed(archive, absent)
    except ReprokitError as trouble:
        found, error = {}, trouble.message
    for each in absent:
        path = str(archive.payload(each))
        yield Checked(bundle=each, path=path, findings=found.get(each, []), absent=True, error=error)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, ReprokitError) else f"{type(error).__name__}: {error}"


def _archive(named: Path | None, references: tuple[str, ...]) -> Archive | None:
    try:
        return find_archive(named)
    except NotFoundError:
        if references and all(Path(reference).exists() or is_foreign(reference) for reference in references):
            return None
        raise


def _lines(checked: Checked) -> Iterator[str]:
    if checked.error is not None:
        yield f"{checked.bundle}: not checked to the end: {visible(checked.error)}"
    if not checked.findings:
        if checked.absent or checked.error is not None:
            return
        yield f"{checked.bundle}: whole{f', as {visible(checked.fetched)}' if checked.fetched else ''}"
        return
    yield f"{visible(checked.bundle)}: {counted(len(checked.findings), 'finding')}"
    for found in checked.findings:
        yield f"  {found.code} {visible(found.where)}: {visible(found.message)}"
    for code in sorted({found.code for found in checked.findings}):
        yield f"  {code}: {hint(code)}"


def _exit_code(results: list[Checked]) -> ExitCode:
    codes = {found.code for checked in results for found in checked.findings}
    if not codes:
        return ExitCode.UNREADABLE if any(checked.error is not None for checked in results) else ExitCode.FINE
    return ExitCode.INVALID_RECORD if all(code.startswith(_RECORD_CODES) for code in codes) else ExitCode.FIXITY


@click.command("validate")
@click.argument("references", nargs=-1, metavar="REF...")
@click.option("--all", "everything", is_flag=True, help="Check every bundle whose payload is here.")
@archive_option
@json_option
def command(references: tuple[str, ...], everything: bool, archive: Path | None, as_json: bool) -> int:
    """Read every byte of the bundles REF... and check it against manifest, schemas, DVC pointer, cache and catalog.

    Exits with 12 when a byte is not what was captured, 13 when only a record breaks its schema. Of a mirror's reference
    (wandb:entity/project/name:alias) the copy there is fetched and checked by itself, and not kept.

    \b
    Examples:
      reprokit validate latest
      reprokit validate wandb:lab/evals/lm_eval-tiny-gpt2:v3
      reprokit validate --all --json
    """
    require_some_or_all(references, everything=everything)
    place = _archive(archive, references)
    if place is not None:
        fold(place)
    checks = _check_all(place) if everything and place is not None else _check_each(references, place)
    results: list[Checked] = []
    for checked in checks:
        results.append(checked)
        if checked.absent:
            click.echo(f"not here: {visible(checked.bundle)}", err=True)
        for line in [] if as_json else _lines(checked):
            click.echo(line)
    if as_json:
        print_json(results)
    return _exit_code(results)
