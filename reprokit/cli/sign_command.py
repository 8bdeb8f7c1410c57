"""`reprokit sign`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from msgspec import Struct

from reprokit.archive.registration import fold
from reprokit.bundle.values import Digest
from reprokit.cli.agreeing import is_somebody_here
from reprokit.cli.bundles import Found
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, json_option, print_json, require_writable
from reprokit.cli.proving import Damaged, prove
from reprokit.errors import UsageError
from reprokit.signatures.keeping import Kept, keep, kept_before, record
from reprokit.signatures.keys import find_key
from reprokit.signatures.places import home
from reprokit.signatures.signing import Signer, signer


class Signed(Struct, frozen=True, kw_only=True):
    """What `reprokit sign --json` prints a list of: a signature and where it lies.

    `key` is the fingerprint of the key; `new` is false when its signature was there already.
    """

    bundle: str
    identity: Digest
    key: str
    signature: str
    new: bool


def _proven(references: Iterable[str], named: Path | None) -> Iterator[Found]:
    """Find and prove bundles, each once."""
    seen: set[Path] = set()
    for reference in references:
        found = prove(reference, named)
        if isinstance(found, Damaged):
            raise found.error()
        if found.fetched is not None and found.packed is None:
            raise UsageError(
                f"`{found.fetched}` was fetched for this command alone: its signature would have no place",
                hint=f"keep it first: `{found.kept_by}`" if found.kept_by else "keep it in a folder first",
            )
        if (place := found.packed or found.bundle.path.resolve()) not in seen:
            seen.add(place)
            yield found


def _sign(found: Found, ready: Signer) -> Kept:
    """Sign one bundle, unless the key has signed it before."""
    bundle, archive = found.bundle, home(found.bundle) if found.packed is None else None
    if archive is not None:
        require_writable(archive, "a signature is kept there")
    before = None
    if ready.fingerprint is not None:
        before = kept_before(bundle, ready.fingerprint, ready.keygen, archive=archive, packed=found.packed)
    if before is not None:
        return before
    made = ready.sign(bundle)
    if made.key != ready.fingerprint:
        before = kept_before(bundle, made.key, ready.keygen, archive=archive, packed=found.packed)
    try:
        return before or keep(bundle, made, archive=archive, packed=found.packed)
    except OSError as error:
        raise _unwritten(error) from error


def _unwritten(error: OSError) -> UsageError:
    return UsageError(f"the signature cannot be written: {error}", hint="make room, or mend the permissions there")


def _record(kept: Sequence[Kept]) -> None:
    """Note what was signed in the archives that the bundles lie in, a commit in each."""
    for archive in sorted({each.archive for each in kept if each.archive is not None}):
        fold(archive)
        here = [each for each in kept if each.archive == archive]
        try:
            postponed = record(archive, here)
        except OSError as error:
            raise _unwritten(error) from error
        if postponed is not None:
            say(f"reprokit: not yet committed: {postponed}; signing again does it")


def _tell(kept: Sequence[Kept]) -> None:
    new = [each for each in kept if each.new]
    for each in kept:
        if not each.new:
            say(f"reprokit: {each.bundle.info.bundle_id} is signed with that key already; nothing was changed")
    if new:
        noted = "; noted in the ledger" if any(each.archive is not None for each in new) else ""
        say(f"reprokit: signed {counted(len(new), 'bundle')} with {new[0].key}{noted}")


def _shown(kept: Kept) -> Signed:
    info = kept.bundle.info
    return Signed(
        bundle=info.bundle_id, identity=kept.bundle.identity, key=kept.key, signature=str(kept.path), new=kept.new
    )


@click.command("sign")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The OpenSSH key. Default: git's, or the only one in ~/.ssh. A .pub file is signed with by the agent.",
)
@archive_option
@json_option
def command(references: tuple[str, ...], key: Path | None, archive: Path | None, as_json: bool) -> None:
    """Sign the bundles REF... with an OpenSSH key of yours, after every byte of all of them was proven.

    ssh-keygen makes the signature, over the manifest; passphrases and hardware keys are its to ask for. It lies in the
    archive, under signatures/, with an event in the ledger, both committed; that of a bundle elsewhere beside its
    folder or packed file. The bundle itself is never written to.

    Exits with 12, and signs nothing, when a bundle is not what was captured; with 21 when the key cannot be had.

    \b
    Examples:
      reprokit sign latest
      reprokit sign paper --key ~/.ssh/id_ed25519_sk
      reprokit verify paper
    """
    chosen = find_key(key, home=Path.home())
    found = list(_proven(references, archive))
    kept: list[Kept] = []
    with signer(chosen, environment=os.environ, terminal=is_somebody_here()) as ready:
        try:
            for each in found:
                kept.append(_sign(each, ready))  # noqa: PERF401 - those before one that fails are to be noted
        finally:
            # What is signed is signed, though a later one could not be.
            _record(kept)
    _tell(kept)
    if as_json:
        print_json([_shown(each) for each in kept])
    else:
        for signature in kept:
            click.echo(visible(str(signature.path)))
