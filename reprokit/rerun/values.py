"""A command to be run again, and what is wished to be otherwise in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reprokit.harnesses.interface import SampleId, Subset
from reprokit.rerun.parts import Parts, Place

_SOURCE = Place("source")


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A captured command, ready to be placed in a workspace.

    `directory` is where to run it, below the `source` folder. `secrets` names what its arguments need, `wished` what it
    had in variables, needed or not. `dropped` names variables that pointed to places of the original machine,
    `left_out` what the command asked for and a re-run must not do. `pinned` are the names on the hub for which it asks
    for the exact revision, `subset` the samples that it is confined to, `settings` the files that it takes more options
    from. `obstacles` say why it must not be run as it is.
    """

    argv: tuple[Parts, ...] = ()
    directory: Place = _SOURCE
    variables: tuple[tuple[str, Parts], ...] = ()
    secrets: tuple[str, ...] = ()
    wished: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    subset: Subset | None = None
    settings: tuple[Parts, ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is to be otherwise in a re-run than in the recorded command.

    `mapped` are folders of the original machine, and what the user says they are now, `moved` such as are at a place of
    the workspace; `revisions` names on the hub, and
    the commit that was loaded of each; `samples` those to evaluate of each task, all when it is `None`.
    """

    mapped: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, Place] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, Sequence[SampleId]] | None = None
