"""What is written down while an evaluation runs, so that its capture can be finished when reprokit is killed.

    begun.json     in the staging folder, before the command starts: all that cannot be learnt afterwards
    over.json      when it has ended: its status and its times
    sealed.json    which run became which bundle, each noted before it is published

Of a block of a program, `over.json` is a `BlockEnd`, and what it recorded of itself lies in `spool/` besides.

No secret is in them: of each that was known, they hold a salted digest, which tells later whether it is known again.
`finishing` reads them.
"""

from __future__ import annotations

import hashlib
import hmac
import platform
import secrets as chance
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from reprokit import clock
from reprokit.archive import durable, publication
from reprokit.archive.layout import Archive
from reprokit.archive.publication import BEGUN, SPOOL
from reprokit.bundle import bag, canonical
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Input, Output, Variable
from reprokit.bundle.values import Argument, Json, Unknown
from reprokit.bundle.writing import Label
from reprokit.capture import arguments, outputs
from reprokit.capture.arguments import Program
from reprokit.capture.in_python import spool
from reprokit.capture.preparation import Prepared
from reprokit.capture.request import Request
from reprokit.capture.running.process import Ended
from reprokit.harnesses.interface import FoundRun
from reprokit.harnesses.script import Script
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.probes import launcher, secrets, variables
from reprokit.probes.secrets import Secrets
from reprokit.probes.source.checkout import ObservedSource

OVER, SEALED = "over.json", "sealed.json"
_FORMAT = 1
_LARGEST = 256 << 20

Value = TypeVar("Value")


class Begun(Struct, frozen=True, kw_only=True):
    """What is known before the command starts. Paths are absolute; `before` is what lay at `places` then."""

    format: int = _FORMAT
    argv: list[Argument] | Unknown
    program: Program
    directory: str
    variables: list[Variable]
    launcher: dict[str, str]
    inputs: list[Input]
    named: list[Output]
    places: list[Path]
    before: outputs.Snapshot
    sources: list[ObservedSource]
    no_source: Unknown | None
    harness: str
    results: Path | None = None
    samples: list[Path] = []
    fields: Fields = STANDARD
    findings: list[Finding]
    label: Label
    private: bool
    reproduces: str | None
    mirror: dict[str, Json] | None = None
    noted: str
    host: str
    salt: str
    secrets: dict[str, str]


class BlockEnd(Struct, frozen=True, kw_only=True):
    """How a block of a program ended: when (UTC), what is known of its process, and whether all of it is there."""

    ended: str
    left: Unknown
    whole: bool
    remarks: tuple[Finding, ...] = ()


def note_begun(request: Request, prepared: Prepared) -> None:
    """Note what is known before the command starts.

    Raises:
        OSError: the archive cannot be written.
    """
    known = prepared.secrets
    _write(prepared.archive, prepared.staging / BEGUN, _without_secrets(_begun(request, prepared), known))


def note_block(request: Request, prepared: Prepared, no_command: str | None) -> None:
    """Note what is known when a block of a program begins; `no_command` says why no command would run it again.

    Raises:
        OSError: the archive cannot be written.
    """
    begun = msgspec.structs.replace(_begun(request, prepared), harness=spool.NAME)
    if no_command is not None:
        begun = msgspec.structs.replace(begun, argv=Unknown(unknown=no_command))
    _write(prepared.archive, prepared.staging / BEGUN, _without_secrets(begun, prepared.secrets))


def _begun(request: Request, prepared: Prepared) -> Begun:
    known = prepared.secrets
    argv = secrets.redact_argv(request.argv, known)
    salt = chance.token_hex(16)
    script = prepared.harness if isinstance(prepared.harness, Script) else Script()
    return Begun(
        argv=argv,
        program=arguments.program(
            request.argv[0],
            directory=request.directory,
            environment=request.environment,
            interpreter=None,
            source=prepared.root,
        ),
        directory=str(request.directory),
        variables=variables.observe(request.environment, known),
        launcher=launcher.observe(request.environment, known),
        inputs=prepared.inputs,
        named=[without_secret(output, argv) for output in prepared.named],
        places=prepared.places,
        before=prepared.before,
        sources=list(prepared.checkouts.known),
        no_source=prepared.source if isinstance(prepared.source, Unknown) else None,
        harness=prepared.harness.name,
        results=script.results,
        samples=list(script.samples_named),
        fields=script.fields,
        findings=list(prepared.findings),
        label=request.label,
        private=request.private,
        reproduces=request.reproduces,
        mirror=prepared.wanted.filed if prepared.wanted else None,
        noted=clock.text(clock.now()),
        host=platform.node(),
        salt=salt,
        secrets={name: _digest(salt, value) for name, value in known.values.items()},
    )


def _without_secrets(begun: Begun, known: Secrets) -> dict[str, object]:
    plain: dict[str, object] = _plain(begun)
    # The digests are no secrets, though they stand under that name; and there may be many thousand files.
    kept = {name: plain.pop(name) for name in ("secrets", "salt", "before")}
    return {**secrets.redact_json(plain, known), **kept}


def without_secret(output: Output, argv: list[Argument] | Unknown) -> Output:
    """Forget where an output stands in an argument that holds a secret too: what is before it would tell it."""
    if output.argument is None or isinstance(argv, Unknown) or isinstance(argv[output.argument], str):
        return output
    return msgspec.structs.replace(output, argument=None, prefix="")


def note_over(prepared: Prepared, ended: Ended) -> None:
    """Note how the evaluation ended.

    Raises:
        OSError: the archive cannot be written.
    """
    _write(prepared.archive, prepared.staging / OVER, _plain(ended))


def note_block_over(prepared: Prepared, end: BlockEnd) -> None:
    """Note how a block of a program ended.

    Raises:
        OSError: the archive cannot be written.
    """
    _write(prepared.archive, prepared.staging / OVER, secrets.redact_json(_plain(end), prepared.secrets))


def note_sealed(archive: Archive, staging: Path, sealed: dict[str, str]) -> None:
    """Note which runs (as `run_key` names them) have become which bundles, or are about to.

    Raises:
        OSError: the archive cannot be written.
    """
    _write(archive, staging / SEALED, sealed)


def run_key(run: FoundRun | None) -> str:
    """Name one of the runs that a command left."""
    return "" if run is None else f"{run.root}:{run.key}:{','.join(map(str, run.files))}"


def read_begun(staging: Path) -> Begun | None:
    """Read what was known before the command started; `None` when that was not noted, or not by this version."""
    begun = _read(staging / BEGUN, Begun)
    return begun if begun is not None and begun.format == _FORMAT else None


def read_over(staging: Path) -> Ended | None:
    """Read how the evaluation ended; `None` when nobody saw it."""
    return _read(staging / OVER, Ended)


def read_block_over(staging: Path) -> BlockEnd | None:
    """Read how a block of a program ended; `None` when nobody saw it."""
    return _read(staging / OVER, BlockEnd)


def read_sealed(staging: Path) -> dict[str, str]:
    """Read which runs have become bundles, or were about to."""
    return _read(staging / SEALED, dict[str, str]) or {}


def let_go(staging: Path) -> None:
    """Remove a staging folder whose bundles are published; whoever is killed here leaves nothing that looks unfinished.

    So the spool of a block goes aside first: without its notes, it would be one that cannot be finished.
    """
    with suppress(OSError):
        (staging / SPOOL).rename(staging / "scratch" / SPOOL)
    publication.remove(staging)


def forgotten(begun: Begun, known: Secrets) -> list[str]:
    """Name the secrets that were known when the run began and are not known now."""
    here = {_digest(begun.salt, value) for value in known.values.values()}
    return sorted(name for name, digest in begun.secrets.items() if digest not in here)


def _digest(salt: str, secret: str) -> str:
    return hmac.new(salt.encode(), secret.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value, enc_hook=_written)


def _written(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    message = f"{type(value).__name__} cannot be noted"
    raise TypeError(message)


def _revived(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    message = f"{kind.__name__} cannot be read"
    raise TypeError(message)


def _write(archive: Archive, path: Path, value: object) -> None:
    durable.write(path, canonical.line(value), archive=archive)


def _read(path: Path, kind: type[Value]) -> Value | None:
    try:
        with bag.open_regular(path) as stream:
            return msgspec.json.decode(stream.read(_LARGEST), type=kind, dec_hook=_revived)
    except (OSError, ValueError, TypeError):
        return None
