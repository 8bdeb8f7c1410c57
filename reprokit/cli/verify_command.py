"""`reprokit verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct

from reprokit import clock
from reprokit.archive import ledger
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding
from reprokit.bundle.reading import Bundle
from reprokit.bundle.validation import validate_records
from reprokit.bundle.values import Digest
from reprokit.cli.bundles import Found
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, find_archive_to_ask, json_option, print_json
from reprokit.cli.proving import Damaged, prove
from reprokit.errors import ExitCode, UsageError
from reprokit.signatures import statement as statements
from reprokit.signatures.places import candidates, home
from reprokit.signatures.signers import allowed_signers
from reprokit.signatures.trust import Judged, Trusted, Untrusted, judge

_TOLD = {
    "not of this bundle": "not of this bundle",
    "unknown key": "good, but the key is not trusted",
    "revoked": "good, but the key is revoked",
    "expired": "good, but the key is out of its time",
    "cannot be checked": "not checked",
}


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one signature is worth: `trusted`, or why it is not."""

    signature: str
    verdict: str
    by: str | None = None
    key: str | None = None
    reason: str | None = None


class Verified(Struct, frozen=True, kw_only=True):
    """What `reprokit verify --json` prints a list of: whether a bundle is whole, and by whom it is signed.

    Of one that is not whole no signature is looked at. `identity` is null where it cannot be told.
    """

    bundle: str
    identity: Digest | None
    whole: bool
    trusted: bool
    findings: list[Finding]
    signatures: list[Verdict]


def _verdict(judged: Judged) -> Verdict:
    match judged:
        case Trusted(by=by, key=key, signature=signature):
            return Verdict(signature=signature, verdict="trusted", by=by, key=key)
        case Untrusted(kind=kind, key=key, reason=reason, signature=signature):
            return Verdict(signature=signature or "", verdict=kind or "", key=key, reason=reason)


def _verify(found: Found | Damaged, archive: Archive | None, signature: Path | None) -> Verified:
    if isinstance(found, Damaged):
        return Verified(
            bundle=found.name, identity=None, whole=False, trusted=False, findings=[*found.findings], signatures=[]
        )
    files = candidates(found.bundle, archive=archive, packed=found.packed, named=signature)
    own = home(found.bundle)
    if signature is None and own is not None and own != archive:
        files += [path for path in candidates(found.bundle, archive=own) if path not in files]
    judged = list(judge(found.bundle, files, environment=os.environ))
    return Verified(
        bundle=found.bundle.info.bundle_id,
        identity=found.bundle.identity,
        whole=True,
        trusted=any(isinstance(each, Trusted) for each in judged),
        findings=[],
        signatures=[_verdict(each) for each in judged],
    )


def _lines(verified: Verified) -> Iterator[str]:
    name = visible(verified.bundle)
    if not verified.whole:
        yield f"{name}: not what was captured"
        for wrong in verified.findings:
            yield f"  {wrong.code} {visible(wrong.where)}: {visible(wrong.message)}"
        return
    signers = sorted({each.by for each in verified.signatures if each.by is not None})
    known = f"signed by {', '.join(signers)}" if signers else "signed by nobody whom you trust"
    yield f"{name}: whole; {visible(known)}"
    for each in verified.signatures:
        yield f"  {visible(_line(each))}"


def _line(each: Verdict) -> str:
    key = f", key {each.key}" if each.key else ""
    if each.by is not None:
        return f"good and trusted: {each.by}{key} (`{each.signature}`)"
    return f"{_TOLD[each.verdict]}{key}: {each.reason} (`{each.signature}`)"


def _exit_code(results: list[Verified]) -> ExitCode:
    if not all(each.whole for each in results):
        return ExitCode.FIXITY
    return ExitCode.FINE if all(each.trusted for each in results) else ExitCode.DIFFERENCES


def _state(bundle: Bundle, verified: Verified, archive: Archive | None) -> bytes:
    """Write the statement: what this call has proven, and what the ledger has of the bundle."""
    proven = [statements.FIXITY]
    if not list(validate_records(bundle.path)):
        proven.append(statements.RECORDS)
    if verified.trusted:
        proven.append(statements.SIGNED)
    made = statements.statement(
        bundle,
        proven,
        events=[] if archive is None else ledger.events(archive, [statements.REPRODUCED]),
        signers=allowed_signers(os.environ) if verified.trusted else None,
        now=clock.text(clock.now()),
    )
    return canonical.record(made)


def _require_sense(references: tuple[str, ...], signature: Path | None, out: str | None, *, as_json: bool) -> None:
    if len(references) > 1 and (signature is not None or out is not None):
        option = "--statement" if signature is None else "--signature"
        raise UsageError(f"`{option}` is about one bundle, and several are named", hint="verify them one by one")
    if out == "-" and as_json:
        raise UsageError("`--json` and `--statement -` both print a document", hint="write the statement to a file")


@click.command("verify")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Look at this signature, and at no other.",
)
@click.option(
    "--statement",
    "out",
    metavar="OUT",
    help="Write what was verified as an in-toto Statement to this file; - is stdout.",
)
@archive_option
@json_option
def command(
    references: tuple[str, ...], signature: Path | None, out: str | None, archive: Path | None, as_json: bool
) -> int:
    """Read every byte of the bundles REF..., and say of each signature whose it is and whether you trust its key.

    Whom you trust stands in the file of allowed signers that `[trust]` in your own reprokit.toml names, or
    REPROKIT_ALLOWED_SIGNERS.

    Exits with 0 only when every byte is proven and somebody whom you trust has signed; with 12 when a byte is not what
    was captured; with 1 when nobody whom you trust has signed.

    \b
    Examples:
      reprokit verify latest
      reprokit verify run.tar --signature ada.sig
      reprokit verify paper --statement statement.json
    """
    _require_sense(references, signature, out, as_json=as_json)
    place = find_archive_to_ask(archive)
    results: list[Verified] = []
    for reference in references:
        found = prove(reference, archive)
        verified = _verify(found, place, signature)
        results.append(verified)
        for line in [] if as_json else _lines(verified):
            click.echo(line, err=out == "-")
        if out is not None:
            _write(found, verified, place, out)
    if as_json:
        print_json(results)
    return _exit_code(results)


def _write(found: Found | Damaged, verified: Verified, place: Archive | None, out: str) -> None:
    if isinstance(found, Damaged):
        say("reprokit: no statement was written: nothing holds of what is damaged")
        return
    data = _state(found.bundle, verified, home(found.bundle) or place)
    if out == "-":
        click.echo(data.decode(), nl=False)
        return
    try:
        Path(out).write_bytes(data)
    except OSError as error:
        raise UsageError(f"the statement cannot be written: {error}", hint="name another file") from error
