"""From a plan to a workspace in which the command can be started: checkouts, Python, inputs, variables."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import Record
from reprokit.bundle.values import SecretSlot
from reprokit.errors import InputMissingError
from reprokit.package_indexes import find_uv
from reprokit.reproduce.checkouts import standing_in
from reprokit.reproduce.checkouts.restoring import restore_all
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment.rebuilding import rebuild
from reprokit.reproduce.environment.uv import activated
from reprokit.reproduce.inputs.preparing import Prepared, Tools, prepare
from reprokit.reproduce.inputs.preparing import variables as hub_variables
from reprokit.reproduce.isolation import home_variables, machine_variables
from reprokit.reproduce.own_copy import own_copy
from reprokit.reproduce.plan.making import Design
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.workspace import Workspace
from reprokit.reproduce.writing_out import links_out, require_harmless_settings, require_outputs_inside
from reprokit.rerun.command import own_program
from reprokit.rerun.values import Rerun
from reprokit.rerun.wanted import wanted


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A workspace in which a command is ready to be started, what in it is not as recorded, and what may not be."""

    workspace: Workspace
    argv: tuple[str, ...]
    directory: Path
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    deltas: tuple[Delta, ...] = ()
    doubts: tuple[str, ...] = ()


def set_up(bundle: Bundle, design: Design, terms: Terms, workspace: Workspace) -> Stage:
    """Fill a new workspace.

    Consent is the caller's duty: rebuilding an environment may run the bundle's code.

    Raises:
        InputMissingError: something that the run needs is not to be had.
        FixityError: a restored source is not the tree that was captured.
        InvalidRecordError: a record leads out of the workspace, or results would be written out of it.
        RemoteError: the hub does not answer.
    """
    bundle = own_copy(bundle, workspace.root / "bundle")
    restored = restore_all(bundle, workspace.root, terms.origins, without=terms.without)
    if (own := standing_in.stand_in(bundle, terms.origins)) is not None:
        standing_in.put_in_place(own, workspace.root)
    directory = workspace.path(design.again.directory)
    _require_inputs(design.record, directory)
    _require_inside(directory, workspace)
    require_outputs_inside(design.record, directory, workspace)
    require_harmless_settings(design.again, directory, workspace)
    deltas = list(restored.deltas)
    rebuilt = design.plan.environment.mode == "rebuild"
    if rebuilt:
        needs = wanted(bundle, terms.completed, restored.directory_of)
        made = rebuild(needs, workspace.environment, environ=terms.environ, allowed=terms.allowed)
        deltas += made.deltas
    doubts: tuple[str, ...] = ()
    values = machine_variables(terms.environ)
    values |= _recorded(design.again, workspace, terms)
    values |= home_variables(workspace.root, terms.environ, terms.shared, current=not rebuilt)
    if "caches" not in terms.shared:
        prepared = _prepared(design, workspace, terms, rebuilt=rebuilt)
        values |= hub_variables(prepared, design.found, design.record)
        doubts = prepared.online
    return Stage(
        workspace=workspace,
        argv=_command(design.again, workspace, terms, rebuilt=rebuilt),
        directory=directory,
        variables=values | activated(terms.environ, workspace.environment if rebuilt else None),
        secrets=_used(design.again, terms),
        deltas=tuple(deltas),
        doubts=(*(f"the run could ask the hub: {each}" for each in doubts), *links_out(workspace)),
    )


def _require_inside(directory: Path, workspace: Workspace) -> None:
    meant = directory.resolve()
    if not meant.is_relative_to(workspace.root.resolve()):
        raise InputMissingError(
            f"the run's folder is a link that leads out of the workspace, to `{meant}`", hint="nothing is run there"
        )


def _require_inputs(record: Record, directory: Path) -> None:
    if not directory.is_dir():
        raise InputMissingError(f"the source has no folder `{record.invocation.directory_in_source}`")
    for each in record.invocation.inputs:
        if each.inside and not each.path.startswith("/") and not (directory / each.path).exists():
            raise InputMissingError(
                f"`{each.path}` was there when the run began, but is neither in its commit nor in its patch",
                hint="was it ignored by git, or too large? `left_out` in the bundle's `source/` says so",
            )


def _used(again: Rerun, terms: Terms) -> dict[str, str]:
    """Give the secrets that go into the command or its variables, by the names of their slots."""
    every = {**terms.environ, **terms.secrets}
    return {name: every[name] for name in (*again.secrets, *again.wished) if every.get(name)}


def _recorded(again: Rerun, workspace: Workspace, terms: Terms) -> dict[str, str]:
    """Give the recorded variables, without those of secrets that nobody has here."""
    secrets = {**terms.environ, **terms.secrets}
    return {
        name: workspace.text(parts, secrets)
        for name, parts in again.variables
        if all(secrets.get(part.secret) for part in parts if isinstance(part, SecretSlot))
    }


def _prepared(design: Design, workspace: Workspace, terms: Terms, *, rebuilt: bool) -> Prepared:
    present = shutil.which("python", path=terms.environ.get("PATH"))
    tools = Tools(
        python=workspace.environment / "bin" / "python" if rebuilt else Path(present) if present else None,
        uv=find_uv(terms.environ),
        environ=terms.environ,
    )
    return prepare(design.found, workspace.root, tools)


def _command(again: Rerun, workspace: Workspace, terms: Terms, *, rebuilt: bool) -> tuple[str, ...]:
    secrets = {**terms.environ, **terms.secrets}
    argv = tuple(workspace.text(argument, secrets) for argument in again.argv)
    # Without a rebuilt environment the program is the one of that name on PATH.
    name = None if rebuilt else own_program(again)
    return argv if name is None else (name, *argv[1:])
