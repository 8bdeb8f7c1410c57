"""What reproducing a bundle would do, before anything is done: shown to the user, who then agrees or not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive import locks
from reprokit.archive.layout import Archive
from reprokit.archive.locks import CompletedLock
from reprokit.bundle import rerun
from reprokit.bundle.bag import sha256_of
from reprokit.bundle.reading import LOCK, Bundle
from reprokit.bundle.record import Input
from reprokit.bundle.rerun import Part, Place, Rerun
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.errors import InvalidRecordError
from reprokit.reproduce.environment import has_uv
from reprokit.reproduce.requirements import Pin, pins, with_digests
from reprokit.sources.restoring import whence

SCHEMA = "https://w3id.org/reprokit/v1/plan.schema.json"
Mode = Literal["rebuild", "current"]


class PlannedSource(Struct, frozen=True, kw_only=True):
    """The checkout that will be restored, and where its commit comes from."""

    name: str
    commit: str | None
    tree: str
    patched: bool
    comes_from: str | Unknown


class PlannedEnvironment(Struct, frozen=True, kw_only=True):
    """The Python that will run the evaluation."""

    mode: Mode
    python: str | None
    packages: int = 0
    checked: Annotated[int, Meta(description="of how many packages an index gave the digests of their files")] = 0
    not_pinned: list[str] = []


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that a reproduction would do.

    `command` is for people: places of the workspace in braces, secrets in angle brackets. `not_restored` names the
    other checkouts that code came from, which are not put in place. `missing` keeps the run from starting, `obstacles`
    make it impossible.
    """

    schema: str = SCHEMA
    bundle: str
    identity: str
    command: list[str]
    directory: str
    source: PlannedSource | None
    not_restored: list[str] = []
    environment: PlannedEnvironment
    variables: list[str] = []
    not_carried_over: list[str] = []
    secrets: list[str] = []
    took_seconds: float | None = None
    missing: list[str] = []
    obstacles: list[str] = []


def _shown(part: Part) -> str:
    match part:
        case Place(folder=folder, path=path):
            return f"{{{folder}}}" + (f"/{path}" if path else "")
        case SecretSlot(secret=name):
            return f"<{name}>"
        case _:
            return part


def _missing_inputs(inputs: list[Input], source: Source | None) -> list[str]:
    missing: list[str] = []
    for each in inputs:
        if each.inside and source is not None:
            continue
        path = Path(each.path)
        if not path.is_absolute():
            missing.append(f"`{each.path}` is not in the bundle: git ignored it, or it lay outside of the checkout")
        elif not path.exists():
            missing.append(f"`{each.path}` is not on this machine")
        elif each.digest and path.is_file() and "sha256:" + sha256_of(path.resolve()) != each.digest:
            missing.append(f"`{each.path}` is here, but with other content than the run read")
    return missing


def _missing(
    bundle: Bundle, again: Rerun, source: PlannedSource | None, mode: Mode, environ: Mapping[str, str]
) -> list[str]:
    main = rerun.main_source(bundle.record, bundle.sources)
    missing = _missing_inputs(bundle.record.invocation.inputs, main)
    if source is not None and isinstance(source.comes_from, Unknown):
        missing.append(f"the source `{source.name}`: {source.comes_from.unknown}")
    if mode == "rebuild" and bundle.environment and bundle.environment.interpreter and not has_uv(environ):
        missing.append("the program uv, to rebuild the environment: install it, or use `--env current`")
    missing += [
        f"the secret `{name}`: set it as an environment variable" for name in again.secrets if not environ.get(name)
    ]
    return missing


def carried(bundle: Bundle, path: str | None) -> Path | None:
    """Tell where the bundle stores a file that a source record names."""
    return bundle.stored(path) if path and bundle.has(path) else None


def _planned_source(bundle: Bundle, source: Source | None, origin: str | None) -> PlannedSource | None:
    if source is None:
        return None
    comes_from = whence(source, git_bundle=carried(bundle, source.git_bundle), origin=origin)
    return PlannedSource(
        name=source.name,
        commit=source.commit,
        tree=source.tree,
        patched=source.patch is not None,
        comes_from=comes_from,
    )


def _not_restored(sources: list[Source], main: Source | None) -> Iterator[str]:
    """Name the checkouts and submodules that the run had and a re-run does not have."""
    others = [each for each in sources if each is not main]
    recorded = {each.root for each in others}
    for path, commit in main.submodules.items() if main else ():
        if main and f"{main.root}/{path}" not in recorded:
            yield f"the submodule `{path}` of `{main.name}` at {commit[:12]}"
    for each in others:
        uses = ", ".join(f"{use.kind} `{use.name}`" if use.name else use.kind for use in each.used_as)
        used = f", used as {uses}" if uses else ""
        yield f"`{each.name}` at {(each.commit or 'no commit')[:12]}, see `source/{each.name}.json`{used}"


def recorded_pins(bundle: Bundle, completed: CompletedLock | None = None) -> tuple[list[Pin], list[str]]:
    """Read the bundle's lock: what can be installed, with the digests that are known, and what cannot.

    Raises:
        InvalidRecordError: it holds more than pinned names.
    """
    found, others = pins(bundle.read_payload(LOCK)) if bundle.has(LOCK) else ([], [])
    return with_digests(found, completed), others


def known_digests(bundle: Bundle, archive: Archive) -> CompletedLock | None:
    """Read what an index was heard to say of the packages of a bundle; a damaged record is as good as none."""
    if not bundle.has(LOCK):
        return None
    try:
        return locks.newest(archive, locks.digest_of(bundle.read_payload(LOCK)))
    except InvalidRecordError:
        return None


def _planned_environment(bundle: Bundle, mode: Mode, completed: CompletedLock | None) -> PlannedEnvironment:
    environment = bundle.environment
    interpreter = environment.interpreter if environment else None
    if mode == "current" or interpreter is None:
        return PlannedEnvironment(mode="current", python=interpreter.version if interpreter else None)
    installable, others = recorded_pins(bundle, completed)
    return PlannedEnvironment(
        mode="rebuild",
        python=interpreter.version,
        packages=len(installable),
        checked=sum(bool(pin.digests) for pin in installable),
        not_pinned=others,
    )


def _took(bundle: Bundle) -> float | None:
    started, ended = bundle.record.run.started, bundle.record.run.ended
    if isinstance(started, Unknown) or isinstance(ended, Unknown):
        return None
    try:
        return round((clock.parse(ended) - clock.parse(started)).total_seconds(), 1)
    except ValueError:
        return None


def make_plan(
    bundle: Bundle,
    *,
    mode: Mode,
    origin: str | None,
    environ: Mapping[str, str],
    completed: CompletedLock | None = None,
) -> Plan:
    """Work out how a bundle's run would be reproduced here. Nothing is run, written or fetched.

    `origin` is a clone or an address to take the source from instead of the recorded one; `completed` is what an index
    said of the packages.
    """
    again = rerun.plan(bundle.record, bundle.sources)
    sources = bundle.sources
    main = rerun.main_source(bundle.record, sources)
    source = _planned_source(bundle, main, origin)
    return Plan(
        bundle=bundle.info.bundle_id,
        identity=bundle.identity,
        command=["".join(_shown(part) for part in argument) for argument in again.argv],
        directory=_shown(again.directory),
        source=source,
        not_restored=list(_not_restored(sources, main)),
        environment=_planned_environment(bundle, mode, completed),
        variables=[f"{name}={''.join(_shown(part) for part in parts)}" for name, parts in again.variables],
        not_carried_over=list(again.dropped),
        secrets=list(again.secrets),
        took_seconds=_took(bundle),
        missing=_missing(bundle, again, source, mode, environ),
        obstacles=list(again.obstacles),
    )


def _source_line(source: PlannedSource | None) -> str:
    if source is None:
        return "none: the command was not run in a git checkout"
    comes_from = source.comes_from.unknown if isinstance(source.comes_from, Unknown) else f"from {source.comes_from}"
    patched = " + patch" if source.patched else ""
    return f"{source.name} at {(source.commit or 'no commit')[:12]}{patched}, {comes_from}"


def _environment_line(environment: PlannedEnvironment) -> str:
    if environment.mode == "current":
        recorded = f", where the run had {environment.python}" if environment.python else ""
        return f"the present one: what is on PATH{recorded}"
    checked = f" ({environment.checked} checked by digest)" if environment.checked else ""
    packages = f"{environment.packages} packages by uv{checked}"
    return f"Python {environment.python}, {packages}, from wheels unless --allow-sdist"


def _word(argument: str) -> str:
    return argument if argument and not set(argument) & set(" \t\n'\"\\$`") else shlex.quote(argument)


def lines(plan: Plan) -> list[str]:
    """Write a plan for people, one fact a line."""
    if not plan.command:
        return [f"reproduce {plan.bundle}", *(f"  impossible   {each}" for each in plan.obstacles)]
    rows = [
        ("command", " ".join(_word(each) for each in plan.command)),
        ("in", plan.directory),
        ("source", _source_line(plan.source)),
        *(("not restored", each) for each in plan.not_restored),
        ("environment", _environment_line(plan.environment)),
        *(("not rebuilt", each) for each in plan.environment.not_pinned),
        *(("variable", each) for each in plan.variables),
        *(
            ("not set", f"{each}: it named a place of the original machine, or a secret")
            for each in plan.not_carried_over
        ),
        *(("secret", f"{each}, from your environment") for each in plan.secrets),
        *(("missing", each) for each in plan.missing),
        *(("impossible", each) for each in plan.obstacles),
    ]
    if plan.took_seconds is not None:
        rows.append(("took", f"{plan.took_seconds:g} s the first time"))
    return [f"reproduce {plan.bundle}", *(f"  {name:<12} {text}" for name, text in rows)]
