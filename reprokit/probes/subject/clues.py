"""What is known of a run that has just ended, for finding out what it evaluated and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.bundle.environment import Environment
from reprokit.bundle.results import Results
from reprokit.bundle.values import Json, Unknown


@dataclass(frozen=True, kw_only=True)
class Clues:
    """Everything that may name a model or a dataset, or tell its revision.

    `directory` and `environ` are the evaluation's; `home` is where `~` leads. `environment` is the probe's record.
    `claims` is what the harness says of itself, `model` its short name for the model. `started` is when the run began
    (`…Z`); without it, nobody can tell whether a file was changed since.
    """

    argv: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str]
    home: Path
    environment: Environment
    results: Results
    claims: Mapping[str, Json] = field(default_factory=dict)
    model: str = "unknown"
    started: str | Unknown | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much looking is worth it, for all parts together unless it says otherwise.

    `bytes_read` and `seconds_reading` bound the digesting of local files, `files` how many of one part are listed.
    `seconds_asking` bounds all questions to a server, `seconds_each` one of them.
    """

    bytes_read: int = 20 << 30
    seconds_reading: float = 120.0
    files: int = 1000
    seconds_asking: float = 4.0
    seconds_each: float = 2.0


USUAL = Limits()
