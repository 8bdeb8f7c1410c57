"""What is to be there of one bundle, made of plain values and found fit, before W&B's client is even imported."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.values import Json
from reprokit.bundle.writing import Label
from reprokit.errors import FixityError, RemoteError
from reprokit.mirrors.portrait.portrait import MOST_ROWS, Portrait, portray
from reprokit.mirrors.portrait.table import Picture, Table
from reprokit.mirrors.wandb import digest, names
from reprokit.mirrors.wandb.settings import Options
from reprokit.mirrors.wandb.wire import Parcel, Sent

_RUN_PREFIX = "rk"
_RUN_DIGITS = 16
_MORE_RUNS = 2
_DEEPEST = 60
_MOST_METADATA = 100


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is to be there: files and the digest they make together, a run, and its names.

    `shown` maps the names that tables and pictures are logged under to the rows a table has (`None`: no table).
    """

    bundle: Bundle
    label: Label
    portrait: Portrait
    options: Options
    files: Mapping[str, Sent]
    digest: str
    shown: Mapping[str, int | None]
    remarks: tuple[str, ...]
    before: tuple[str, ...]
    original: str | None

    @property
    def octets(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files.values())

    @property
    def run_title(self) -> str:
        """What the run is called for people."""
        return self.options.name or self.portrait.title

    @property
    def notes(self) -> str | None:
        """What is said of the run: the bundle's own note before that of the settings."""
        return self.portrait.note or self.options.notes

    @property
    def run_tags(self) -> tuple[str, ...]:
        """The run's tags: those of the settings, then the bundle's own."""
        return tuple(dict.fromkeys((*self.options.tags, *self.portrait.tags)))

    @property
    def aliases(self) -> tuple[str, ...]:
        """What this version is called, the short identity first."""
        return self.portrait.stored.aliases

    @property
    def exit_code(self) -> int:
        """The run's exit status on W&B, so that an evaluation that failed is a failed run there."""
        run = self.bundle.record.run
        if run.complete:
            return 0
        return run.exit_code if isinstance(run.exit_code, int) and run.exit_code else 1

    def run_ids(self) -> Iterator[str]:
        """Yield ids for the run: always the same, and others for when one was deleted there, since it never returns."""
        own = _RUN_PREFIX + self.bundle.identity.removeprefix("sha256:")[:_RUN_DIGITS]
        yield own
        for attempt in range(2, 2 + _MORE_RUNS):
            yield f"{own}-{attempt}"

    def tables(self) -> Iterator[Table]:
        """Yield all tables, those of samples read one after another."""
        return _tables(self.portrait, self.options)


def prepare(parcel: Parcel, options: Options) -> Offer:
    """Read a bundle and make of it what is to be there.

    Raises:
        FixityError: the files that are to be sent are not there.
        RemoteError: something in it is nothing that W&B can be given.
    """
    bundle = open_bundle(Path(parcel.bundle))
    label = Label(name=parcel.name, tags=tuple(parcel.tags), note=parcel.note)
    rows = MOST_ROWS if options.sample_rows is None else options.sample_rows
    portrait = portray(bundle, label, most_rows=rows)
    shown: dict[str, int | None] = {}
    remarks = list(portrait.remarks)
    for table in _tables(portrait, options):
        shown[table.key] = len(table.rows)
        remarks += table.remarks
        if not can_draw() and any(isinstance(cell, Picture) for row in table.rows for cell in row):
            remarks.append(f"{table.key}: pictures are shown by name, since Pillow is not installed beside reprokit")
    if portrait.chart is not None:
        shown[portrait.chart.key] = None
    offer = Offer(
        bundle=bundle,
        label=label,
        portrait=portrait,
        options=options,
        files=parcel.files,
        digest=digest.artifact_digest({path: each.md5 for path, each in parcel.files.items()}),
        shown=shown,
        remarks=tuple(remarks),
        before=tuple(parcel.before),
        original=parcel.original,
    )
    _require_files(offer)
    _require_fit(offer)
    return offer


def can_draw() -> bool:
    """Tell whether W&B's client can be given pictures: it opens each."""
    return importlib.util.find_spec("PIL") is not None


def _tables(portrait: Portrait, options: Options) -> Iterator[Table]:
    return chain(portrait.tables, () if options.sample_rows == 0 else portrait.samples)


def _require_files(offer: Offer) -> None:
    """See that the bundle's folder holds the files that are to be sent, as long as they should be."""
    for path, file in offer.files.items():
        here = offer.bundle.path / path
        if here.is_symlink() or not here.is_file() or here.stat().st_size != file.size:
            raise FixityError(
                f"`{here}` is not what it was a moment ago", hint="`reprokit validate` tells what changed"
            )


def _require_fit(offer: Offer) -> None:
    """Refuse what W&B's client would choke on half-way, before anything is sent."""
    portrait = offer.portrait
    names.require_artifact(portrait.stored.name)
    for alias in offer.aliases:
        names.require_alias(alias)
    for tag in offer.run_tags:
        names.require_tag(tag)
    if len(portrait.stored.metadata) > _MOST_METADATA:
        raise _unfit("the artifact's metadata", f"W&B takes {_MOST_METADATA} entries")
    parts: dict[str, Json] = {
        "configuration": portrait.configuration,
        "metrics": portrait.scalars,
        "summary": portrait.summary,
        "metadata": portrait.stored.metadata,
    }
    for name, value in parts.items():
        if (wrong := _wrong(value, name, _DEEPEST)) is not None:
            raise _unfit(*wrong)
    for name, number in portrait.scalars.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _unfit(name, "it is no number")


def _unfit(what: str, why: str) -> RemoteError:
    return RemoteError(f"`{what}` cannot be given to W&B: {why}", hint="nothing was sent; please report this bundle")


def _wrong(value: object, where: str, depth: int) -> tuple[str, str] | None:
    """Find what is no plain JSON: where, and what is wrong with it."""
    if depth == 0:
        return where[:200], "it is nested too deeply"
    match value:
        case None | str() | bool() | int():
            return None
        case float():
            return None if math.isfinite(value) else (where, f"it is {value}")
        case list() | tuple():
            inner = ((each, f"{where}[{number}]") for number, each in enumerate(value))
        case dict():
            if odd := [key for key in value if not isinstance(key, str)]:
                return where, f"it has a key of type {type(odd[0]).__name__}"
            inner = ((each, f"{where}.{key}") for key, each in value.items())
        case _:
            return where, f"it is of type {type(value).__name__}"
    return next((found for each, place in inner if (found := _wrong(each, place, depth - 1)) is not None), None)
