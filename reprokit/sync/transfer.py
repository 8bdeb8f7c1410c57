"""What came of carrying bundles to a remote or from it, as a value: what `push --json` and `pull --json` print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.finding import Finding
from reprokit.bundle.values import Digest
from reprokit.errors import (
    ExitCode,
    FixityError,
    InvalidRecordError,
    RemoteError,
    ReprokitError,
    UnreadableError,
)

SCHEMA = "https://w3id.org/reprokit/v1/transfer.schema.json"

Outcome = Literal["sent", "there", "fetched", "here", "absent", "failed"]
Checked = Literal["content", "size", "nothing"]


class Carried(Struct, frozen=True, kw_only=True):
    """What came of one bundle."""

    bundle: Annotated[
        str, Meta(description="bundle id; while that is not known, the mirror's reference that it was asked for by")
    ]
    identity: Annotated[Digest | None, Meta(description="identity of the bundle; null when it is not known")] = None
    reference: Annotated[
        str | None,
        Meta(
            description="the mirror's reference of the bundle, with its version; null when a DVC remote was asked",
            examples=["wandb:lab/evals/lm_eval-tiny-gpt2:v3"],
        ),
    ] = None
    outcome: Annotated[
        Outcome,
        Meta(
            description="`sent`, or `there` already, on the remote; `fetched`, or `here` already, in this copy of the "
            "archive; `absent`: a push had nothing to send, for the bundle's files are not in this copy; `failed`"
        ),
    ]
    checked: Annotated[
        Checked,
        Meta(
            description="how all objects of the bundle were checked in the end, on the remote after a push and here "
            "after a pull: every byte (`content`), presence and size (`size`), or not at all (`nothing`)"
        ),
    ] = "nothing"
    objects: Annotated[
        int, Meta(description="objects of the bundle, its listing included; of one of a mirror, its files")
    ] = 0
    moved: Annotated[int, Meta(description="objects that were sent or fetched")] = 0
    octets: Annotated[int, Meta(description="bytes that were sent or fetched")] = 0
    findings: list[Finding] = []
    remarks: Annotated[list[str], Meta(description="what there is to say though it did not fail")] = []
    reason: Annotated[str | None, Meta(description="why it failed")] = None
    hint: Annotated[str | None, Meta(description="what to do about it")] = None
    exit_code: Annotated[int, Meta(description="the exit code that the failure stands for; 0 when there was none")] = 0


class Transfer(Struct, frozen=True, kw_only=True):
    """What came of a push or a pull."""

    schema: str = SCHEMA
    action: Literal["push", "pull"]
    remote: Annotated[
        str, Meta(description="name of the DVC remote or the mirror; of several, all, with commas between them")
    ]
    address: Annotated[str, Meta(description="where it is, without credentials", examples=["ssh://server/evals"])]
    bundles: list[Carried]
    remarks: Annotated[list[str], Meta(description="what was left undone, such as a commit")] = []


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the transfer of a bundle is: objects done, of how many, and bytes moved."""

    bundle: str
    done: int
    objects: int
    octets: int


Watch = Callable[[Progress], None]


def unwatched(_: Progress) -> None:
    """Watch nothing."""


class _FoundError(ReprokitError):
    """Something that `findings` name in full."""

    def __init__(self, message: str, *, hint: str, findings: Sequence[Finding]) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class DamageError(_FoundError, FixityError):
    """What a remote holds, or what came from it, is not what was captured."""


class RecordsError(_FoundError, InvalidRecordError):
    """Every byte of what came is what was sealed, but its records cannot be accepted."""


def damage(findings: Sequence[Finding], *, remote: str, hint: str) -> DamageError:
    """Make the error that some findings on a bundle amount to; it names the first."""
    first, *more = findings
    rest = f" and {len(more)} more" if more else ""
    return DamageError(f"it is not whole on the remote `{remote}`: `{first.where}`{rest}", hint=hint, findings=findings)


def failed(bundle: str, error: ReprokitError) -> Carried:
    """Say that the transfer of a bundle failed, and why."""
    return Carried(
        bundle=bundle,
        outcome="failed",
        findings=list(error.findings) if isinstance(error, DamageError | RecordsError) else [],
        reason=error.message,
        hint=error.hint,
        exit_code=error.exit_code,
    )


def each(bundles: Iterable[str], carry: Callable[[str], Carried]) -> Iterator[Carried]:
    """Carry bundle after bundle; what fails for one does not stop the rest, unless it is the remote itself."""
    gone: RemoteError | None = None
    for bundle in bundles:
        if gone is not None:
            yield failed(bundle, RemoteError(f"not tried: {gone.message}", hint=gone.hint))
            continue
        try:
            yield carry(bundle)
        except RemoteError as error:
            gone = error
            yield failed(bundle, error)
        except ReprokitError as error:
            yield failed(bundle, error)
        except OSError as error:
            yield failed(bundle, unwritable(error))


def unwritable(error: OSError) -> UnreadableError:
    """Tell what the file system here said."""
    where = f"`{error.filename}`" if error.filename else "the archive"
    return UnreadableError(
        f"{where} cannot be read or written: {error.strerror or error}", hint="make room, or mend its permissions"
    )


def exit_code(transfer: Transfer) -> int:
    """Give the exit code of a transfer: that of a damaged bundle before that of any other failure."""
    codes = [carried.exit_code for carried in transfer.bundles if carried.exit_code]
    return ExitCode.FIXITY if ExitCode.FIXITY in codes else next(iter(codes), ExitCode.FINE)
