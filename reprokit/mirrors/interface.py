"""What a mirror is: a service that shows a bundle to people and keeps a copy of it.

The archive is the truth, and a mirror is a copy of it. What every mirror owes, and `tests/contracts/test_mirror.py`
holds each one to:

- **It never lies.** `push` returns a receipt only after the service itself has said, in a fresh conversation, that it
  holds every file of the bundle with the digest and size it has here. Any doubt is an error.
- **It is idempotent.** The same bundle, pushed again, makes no second copy, no second version and no second run; what
  changed about it since, its labels, is brought up to date.
- **It is resumable.** A push that was killed at any point is finished by the next one.
- **It never hangs and never hurts.** The service's own client runs in another process, with a deadline, and is killed
  with all that it started. `probe` asks the service one short question, without that client.
- **It tells "not now" from "not so".** `AwayError` is for what time may heal: no network, a service that is down or
  overloaded. Any other `RemoteError` needs a person: a refused key, a project that is not there, a name it rejects.
- **It sends nothing else.** Neither the machine, the environment, the console nor the code around us.
- **A copy is foreign until proven.** `fetch` brings bytes into an empty folder and proves nothing; the bundle's own
  manifest does, before anybody reads them.
- **Where a copy goes is the user's word.** A key is sent to no host that only a file of an archive names: an archive
  may be a stranger's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct

from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Digest, Json
from reprokit.bundle.writing import Label
from reprokit.errors import RemoteError

Environment = Mapping[str, str]
"""Environment variables."""


class AwayError(RemoteError):
    """The service cannot do it now: it cannot be reached, is overloaded, or broke off. Later it may.

    `after` is how many seconds the service asked to be left alone, when it said so.
    """

    def __init__(self, message: str, *, hint: str | None = None, after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Destination(Struct, frozen=True, kw_only=True):
    """Where a bundle is to go, and how it is to be shown there; written into the outbox, so it holds no secret.

    `online` sends it; `offline` writes it for the service's own program to send later; `disabled` does nothing.
    """

    mirror: Annotated[str, Meta(examples=["wandb"])]
    mode: Literal["online", "offline", "disabled"] = "online"
    address: Annotated[str, Meta(description="of the service, without credentials")]
    trusted: Annotated[
        bool,
        Meta(description="whether the user named it; if not, only a key that is stored for this very host is used"),
    ] = True
    options: Annotated[
        dict[str, Json],
        Meta(description="what the mirror makes of its settings", examples=[{"entity": "lab", "project": "evals"}]),
    ] = {}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file of a bundle, tag files included: its MD5 in hexadecimal, as DVC names it, and its size in bytes."""

    md5: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Consignment:
    """A bundle that was proven and validated a moment ago, and what is to be said of it.

    `files` maps each path in the bundle (POSIX, tag files included) to what it holds. `label` is what the bundle is
    called now. `before` are the labels that an earlier push gave it there (so that what was taken away since can be
    taken away there too), and `original` is this mirror's own reference of the bundle that it reproduces, if that is
    known to be there.
    """

    bundle: Bundle
    files: Mapping[str, Member]
    label: Label
    before: tuple[str, ...] = ()
    original: str | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What the service holds, as it has just said itself; it becomes the detail of a `mirrored` event."""

    mirror: Annotated[str, Meta(examples=["wandb"])]
    address: Annotated[str, Meta(description="of the service, without credentials")]
    reference: Annotated[
        str, Meta(description="what `pull` takes to get it back", examples=["wandb:lab/evals/lm_eval-tiny-gpt2:v3"])
    ]
    page: Annotated[str | None, Meta(description="where a person looks at it")] = None
    outcome: Annotated[
        Literal["sent", "updated", "there"],
        Meta(description="`sent` now; `updated`: it was there and its labels were not; `there`: all of it was"),
    ]
    files: Annotated[int, Meta(description="files of the bundle that were compared with ours")]
    octets: Annotated[int, Meta(description="their bytes")]
    labels: Annotated[list[str], Meta(description="the tags and aliases that it has there for ours")] = []
    remarks: Annotated[
        list[str], Meta(description="what is not shown there in full, and why", examples=[["toy: 1000 of 5000 rows"]])
    ] = []


class Exported(Struct, frozen=True, kw_only=True):
    """What was written for the service's own program to send. Nothing is mirrored by it yet."""

    folder: str
    command: Annotated[str, Meta(description="what sends it", examples=["wandb sync FOLDER"])]
    remarks: list[str] = []


class Copy(Struct, frozen=True, kw_only=True):
    """A copy that a reference means, by what the service says of it; nothing of that is proven."""

    reference: Annotated[str, Meta(description="with the version that it means now")]
    identity: Annotated[Digest | None, Meta(description="of the bundle, by the service's word")] = None
    files: int
    octets: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far it is: what is being done (`sending`, `checking`, …), and bytes done of all, where that is known."""

    doing: str
    octets: int = 0
    of: int = 0


Watch = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a mirror may use: an empty folder for its files, gone afterwards, and the seconds it has for all of it.

    `piecemeal` says of what is fetched that each file is of use by itself: a wrong one does not end the fetching of the
    others.
    """

    scratch: Path
    seconds: float
    watch: Watch = lambda _: None
    piecemeal: bool = False


class Mirror(Protocol):
    """A service that keeps copies of bundles. All of it may raise `AwayError`, and `RemoteError` for what stays."""

    name: str
    """How people call it, and the part of a reference before the first colon."""

    def destination(self, settings: Mapping[str, Any], environment: Environment, *, own: bool) -> Destination:
        """Settle where bundles go, from the mirror's table of the settings, above which the environment stands.

        `own` says that the settings are the user's own, and no file of an archive or a checkout.

        Raises:
            UsageError: a setting is misspelt or cannot be followed; it is named.
        """
        ...

    def ready(self, to: Destination, environment: Environment) -> None:
        """See whether this machine has what it takes, the client and the key; nobody is asked.

        Raises:
            InputMissingError: something is missing.
        """
        ...

    def probe(self, to: Destination, environment: Environment) -> None:
        """Ask the service whether it is there and knows our key: one question, a few seconds, no client.

        Raises:
            AwayError: it does not answer, or is overloaded.
            RemoteError: it refuses us.
            InputMissingError: there is no key, or the service's client is not installed.
        """
        ...

    def push(self, consignment: Consignment, to: Destination, environment: Environment, room: Room) -> Receipt:
        """Show a bundle and keep a copy of it there; see the obligations above.

        Raises:
            FixityError: what lies here changed while it was sent, or what lies there is not what was sent.
        """
        ...

    def export(
        self, consignment: Consignment, to: Destination, environment: Environment, folder: Path, room: Room
    ) -> Exported:
        """Write what `push` would send into a folder, for the service's own program; nothing is sent."""
        ...

    def look(self, reference: str, to: Destination, environment: Environment, room: Room) -> Copy:
        """Tell what a reference means there.

        Raises:
            NotFoundError: nothing.
            UsageError: it is no reference of this mirror.
        """
        ...

    def fetch(self, reference: str, to: Destination, environment: Environment, folder: Path, room: Room) -> Copy:
        """Bring a copy into an empty folder, as the service has it: no file of it from any cache, and none is proven.

        Raises:
            NotFoundError: there is none.
            FixityError: what arrived is not what the service's own list says. Asked for piecemeal, all files that are
                as they are listed are in the folder.
        """
        ...
