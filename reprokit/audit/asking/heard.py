"""What a question to the world may come to: an answer and its age, or silence and its reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct

T = TypeVar("T")
Kind: TypeAlias = Literal["model", "dataset"]

_NEW = dt.timedelta(hours=1)
"""An answer that is no older needs no date."""


class Silence(Struct, frozen=True, kw_only=True):
    """Why there is no answer. A host that is `mute` need not be asked anything else."""

    because: str
    mute: bool = False


class Presence(Struct, frozen=True, kw_only=True):
    """Whether something can be had from where it was asked for; `told` says more, for people."""

    there: bool
    told: str = ""


class ServedFile(Struct, frozen=True, kw_only=True):
    """A file of a package as an index lists it.

    `digest` is `sha256:…` when it is told; `yanked` is why its makers took it back, empty when they gave no reason.
    """

    name: str
    digest: str | None = None
    yanked: str | None = None


class Listing(Struct, frozen=True, kw_only=True):
    """All files of a package that one place serves; none when it does not know the package."""

    files: list[ServedFile] = []


@dataclass(frozen=True, kw_only=True)
class Heard(Generic[T]):
    """An answer. `at` is when it was given, `age` how long before the audit that was."""

    answer: T
    at: dt.datetime
    age: dt.timedelta

    @property
    def as_of(self) -> str:
        """Say how old it is, to stand behind a statement; empty when it is as good as new."""
        return f" (as of {self.at.date().isoformat()})" if self.age > _NEW else ""


class Remotes(Protocol):
    """Git remotes."""

    def has(self, address: str, commit: str) -> Presence | Silence:
        """Ask a remote for a commit."""
        ...


class Hub(Protocol):
    """A hub of models and datasets, at `address`."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        ...

    def serves(self, kind: Kind, name: str, revision: str) -> Presence | Silence:
        """Ask for a model or a dataset at a full commit."""
        ...


class Index(Protocol):
    """One place that serves packages, at `address`; `local` when that is a folder of this machine."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        ...

    @property
    def local(self) -> bool:
        """Whether nobody is asked."""
        ...

    def question(self, name: str) -> tuple[str, ...]:
        """Tell what `files` asks, so that no answer is taken for another's."""
        ...

    def files(self, name: str) -> Listing | Silence:
        """Ask for the files of a package, by its normalised name; there may be others among them."""
        ...


class Heritage(Protocol):
    """An archive of the world's source code, at `address`."""

    @property
    def address(self) -> str:
        """Where it is."""
        ...

    def knows(self, commit: str) -> Presence | Silence:
        """Ask whether it holds a commit (40 digits)."""
        ...
