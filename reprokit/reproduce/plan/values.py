"""A plan as a value: what `reprokit reproduce --plan --json` prints."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.reproduce.checkouts.planning import PlannedCheckout
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.inputs.local import FoundInput
from reprokit.reproduce.inputs.whereabouts import PlannedInput
from reprokit.reproduce.tiers import Tier

SCHEMA = "https://w3id.org/reprokit/v1/plan.schema.json"

Mode = Literal["rebuild", "current"]


class PlannedEnvironment(Struct, frozen=True, kw_only=True):
    """The Python that will run the evaluation."""

    mode: Mode
    python: str | None
    packages: int = 0
    checked: Annotated[int, Meta(description="of how many packages an index gave the digests of their files")] = 0
    vendored: Annotated[int, Meta(description="how many wheels the bundle carries")] = 0
    editable: Annotated[list[str], Meta(description="packages that are installed from a restored checkout")] = []
    from_git: Annotated[list[str], Meta(description="packages that are built from a commit, if that is allowed")] = []
    not_rebuilt: Annotated[list[str], Meta(description="packages that cannot be had as recorded, and why")] = []


class PlannedSecret(Struct, frozen=True, kw_only=True):
    """A secret that the run had; the bundle holds its name alone."""

    name: str
    needed: Annotated[bool, Meta(description="its command line holds it; false: it was in a variable")]
    here: Annotated[bool, Meta(description="the present environment has a variable of that name")]


class PlannedSamples(Struct, frozen=True, kw_only=True):
    """Which samples a smoke test evaluates."""

    tasks: Annotated[dict[str, int], Meta(description="how many of each task")]
    seed: int
    how: Annotated[str, Meta(description="how the harness is told", examples=["--samples"])]


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that a reproduction would do.

    `command` is for people: places of the workspace in braces, secrets in angle brackets, all else as a shell wants it.
    `missing` keeps the run from starting and can be mended here, `obstacles` make it impossible.
    """

    schema: str = SCHEMA
    bundle: str
    identity: str
    tier: Tier
    command: list[str] = []
    command_from: Annotated[
        Literal["record", "outputs"],
        Meta(description="`outputs`: nobody saw the command; it was worked out from what the harness wrote"),
    ] = "record"
    lost: Annotated[list[str], Meta(description="what the worked-out command cannot know")] = []
    directory: str = ""
    checkouts: list[PlannedCheckout] = []
    environment: PlannedEnvironment
    machine: Annotated[list[Delta], Meta(description="what this machine has otherwise")] = []
    inputs: Annotated[list[PlannedInput], Meta(description="models and datasets of a hub")] = []
    pinned: Annotated[list[str], Meta(description="those whose revision the command itself names")] = []
    local_inputs: Annotated[list[FoundInput], Meta(description="files of one's own, outside of the checkouts")] = []
    samples: PlannedSamples | None = None
    repeats: int = 1
    variables: list[str] = []
    not_carried_over: Annotated[list[str], Meta(description="variables that named a place of the other machine")] = []
    not_done_again: Annotated[
        list[str],
        Meta(description="what the command asked for and a re-run does not: uploads, trackers, old responses"),
    ] = []
    secrets: list[PlannedSecret] = []
    shared: Annotated[list[Literal["home", "caches"]], Meta(description="what the run sees of the user's own")] = []
    workspace: Annotated[str | None, Meta(description="where all is written; null: a new temporary folder")] = None
    downloads: Annotated[list[str], Meta(description="what is fetched from a network")] = []
    took_seconds: Annotated[float | None, Meta(description="the first time")] = None
    not_guaranteed: Annotated[list[str], Meta(description="what may be another even so, and why")] = []
    missing: list[str] = []
    obstacles: list[str] = []
