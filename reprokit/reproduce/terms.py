"""What the user said of a reproduction: how much of it, with what, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.archive.locks import CompletedLock
from reprokit.bundle.writing import Label
from reprokit.diff.difference import Asked
from reprokit.reproduce.checkouts.origins import Origins
from reprokit.reproduce.environment.rebuilding import Allowed
from reprokit.reproduce.inputs.mapping import Mapping as PlaceMapping
from reprokit.reproduce.isolation import Shared
from reprokit.reproduce.plan.values import Mode
from reprokit.reproduce.tiers import Tier


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a reproduction is to be carried out.

    `environ` are the user's variables, `secrets` those that were given for the run besides, and `home` the user's home.
    `origins` say where checkouts can be had, `without` which of them the run can do without, and `mapped` where places
    of the other machine are here; `shared` is what the run sees of the user's own. `samples` is how many of each task a
    smoke test evaluates, chosen by `seed`. `asked` is how the runs are compared, `label` what the new bundles are
    called, `completed` what an index said of the packages.
    """

    environ: Mapping[str, str] = field(repr=False)
    home: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    tier: Tier = "rerun"
    mode: Mode = "rebuild"
    origins: Origins = field(default_factory=Origins)
    without: frozenset[str] = frozenset()
    mapped: tuple[PlaceMapping, ...] = ()
    shared: frozenset[Shared] = frozenset()
    allowed: Allowed = field(default_factory=Allowed)
    samples: int = 50
    seed: int = 0
    repeats: int = 1
    asked: Asked = field(default_factory=Asked)
    label: Label = field(default_factory=Label)
    completed: CompletedLock | None = None
