"""Working out a plan: from the records of a bundle, what the user said, and what is on this machine.

Nothing is run, written or fetched for it.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit import clock
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import Record
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.harnesses.interface import SampleId
from reprokit.package_indexes import find_uv
from reprokit.reproduce.checkouts import standing_in
from reprokit.reproduce.checkouts.planning import PlannedCheckout, planned_checkouts
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment.machine import machine_deltas, present_machine
from reprokit.reproduce.inputs import guarantees, local, preparing, repositories, whereabouts
from reprokit.reproduce.inputs.local import FoundInput
from reprokit.reproduce.inputs.repositories import Repository
from reprokit.reproduce.inputs.whereabouts import Whereabouts
from reprokit.reproduce.plan import reaching_out
from reprokit.reproduce.plan.rebuilt import Rebuilt, invocation_of
from reprokit.reproduce.plan.values import Plan, PlannedEnvironment, PlannedSamples, PlannedSecret
from reprokit.reproduce.proof import missing_secret
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.tiers import RUNNING
from reprokit.reproduce.verdict.choosing import choose
from reprokit.rerun import command
from reprokit.rerun.command import own_program
from reprokit.rerun.left_behind import left_behind
from reprokit.rerun.parts import Part, Place
from reprokit.rerun.values import Rerun, Wishes
from reprokit.rerun.wanted import WantedEnvironment, wanted
from reprokit.sources import layout

_PLAIN = re.compile(r"[\w@%+=:,./-]*", re.ASCII)
_INCOMPLETE = frozenset({"W313", "W333", "W337", "W338", "W339", "W340", "W341"})
"""Findings of a capture by which a re-run may lack something, or have it otherwise."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """A plan, with what it was made from: carrying it out needs that again.

    `record` is the bundle's, its command worked out where nobody had seen it.
    """

    plan: Plan
    record: Record
    again: Rerun
    found: tuple[Whereabouts, ...] = ()


def runs_code(plan: Plan) -> bool:
    """Tell whether a plan comes to running the bundle's code."""
    return plan.tier in RUNNING


def design(bundle: Bundle, terms: Terms) -> Design:
    """Work out how a bundle's run would be reproduced here.

    Raises:
        UsageError: what the user said does not go with this bundle.
        InvalidRecordError: its records contradict each other, or lead out of the workspace.
    """
    if terms.tier not in RUNNING:
        nothing = PlannedEnvironment(mode="current", python=None)
        plan = Plan(bundle=bundle.info.bundle_id, identity=bundle.identity, tier=terms.tier, environment=nothing)
        return Design(plan=plan, record=bundle.record, again=Rerun())
    rebuilt = invocation_of(bundle)
    found = repositories.repositories(rebuilt.record, bundle.environment)
    samples = _samples(bundle, terms)
    wishes = Wishes(
        mapped={each.old: each.new for each in terms.mapped},
        moved=_moved(rebuilt.record) if "caches" not in terms.shared else {},
        revisions=repositories.pins(found),
        samples=samples,
    )
    again = command.plan(rebuilt.record, bundle.sources, wishes)
    caches = whereabouts.own_caches(terms.environ, terms.home)
    located = tuple(whereabouts.locate(found, caches, offline=whereabouts.is_offline(terms.environ)))
    return Design(plan=_plan(bundle, terms, rebuilt, again, located), record=rebuilt.record, again=again, found=located)


def _moved(record: Record) -> dict[str, Place]:
    """Say where the folders of a cache are that the command line names."""
    moved = preparing.moved_snapshots(record)
    return {old: Place("huggingface", "/".join(path.parts[1:])) for old, path in moved.items()}


def _samples(bundle: Bundle, terms: Terms) -> Mapping[str, Sequence[SampleId]] | None:
    if terms.tier != "smoke":
        return None
    return choose(bundle, terms.samples, terms.seed)


def _plan(bundle: Bundle, terms: Terms, rebuilt: Rebuilt, again: Rerun, located: Sequence[Whereabouts]) -> Plan:
    checkouts = planned_checkouts(bundle, terms.origins, without=terms.without)
    if (own := standing_in.stand_in(bundle, terms.origins)) is not None:
        checkouts = [standing_in.planned(own)]
    environment = _environment(bundle, terms)
    inputs = [whereabouts.planned(each) for each in located]
    files = _local(bundle, rebuilt.record, terms)
    found: list[Repository] = [each.repository for each in located]
    doubts = guarantees.not_guaranteed(rebuilt.record, bundle.environment, found, pinned=again.pinned)
    secrets = list(_secrets(again, {**terms.environ, **terms.secrets}))
    doubts += reaching_out.run_in_place(again, terms.mapped)
    doubts += reaching_out.hosts(again.variables, terms.environ, secrets, terms.shared)
    missing = [
        *_missing_checkouts(checkouts, terms.without),
        *whereabouts.missing(located),
        *(f"{each}; `--map OLD=NEW` says where it is here" for each in local.missing(files)),
        *_missing_tools(environment, again, terms),
        *(missing_secret(each.name) for each in secrets if _is_missing(each)),
    ]
    return Plan(
        bundle=bundle.info.bundle_id,
        identity=bundle.identity,
        tier=terms.tier,
        command=["".join(map(_shown, argument)) or "''" for argument in again.argv],
        command_from=rebuilt.come_from,
        lost=list(rebuilt.lost),
        directory=f"{{{again.directory}}}",
        checkouts=checkouts,
        environment=environment,
        machine=_machine(bundle, terms),
        inputs=inputs,
        pinned=sorted(again.pinned),
        local_inputs=files,
        samples=_planned_samples(again, terms),
        repeats=terms.repeats,
        variables=[f"{name}={''.join(map(_shown, parts))}" for name, parts in again.variables if not _is_slot(parts)],
        not_carried_over=list(again.dropped),
        not_done_again=list(again.left_out),
        secrets=secrets,
        shared=sorted(terms.shared),
        downloads=list(_downloads(environment, located, checkouts)),
        took_seconds=_took(rebuilt.record),
        not_guaranteed=[*_failure(rebuilt.record), *_found_out(rebuilt.record), *doubts],
        missing=missing,
        obstacles=[*again.obstacles, *rebuilt.obstacles],
    )


def _shown(part: Part) -> str:
    match part:
        case Place():
            return f"{{{part}}}"
        case SecretSlot(secret=name):
            return f"<{name}>"
        case _:
            # What the record says itself must not look like a place, a slot or two words.
            return part if _PLAIN.fullmatch(part) else shlex.quote(part)


def _is_slot(parts: Sequence[Part]) -> bool:
    return any(isinstance(part, SecretSlot) for part in parts)


def _secrets(again: Rerun, environ: Mapping[str, str]) -> Iterator[PlannedSecret]:
    for name in again.secrets:
        yield PlannedSecret(name=name, needed=True, here=bool(environ.get(name)))
    for name in again.wished:
        if name not in again.secrets:
            yield PlannedSecret(name=name, needed=False, here=bool(environ.get(name)))


def _is_missing(secret: PlannedSecret) -> bool:
    return secret.needed and not secret.here


def _missing_checkouts(checkouts: Sequence[PlannedCheckout], without: Collection[str]) -> Iterator[str]:
    for each in checkouts:
        if each.needed and each.name not in without and isinstance(each.comes_from, Unknown):
            hint = f"`--source {each.name}=DIR` names one that has it, `--without {each.name}` leaves it out"
            yield f"the source `{each.name}`: {each.comes_from.unknown}; {hint}"


def _found_out(record: Record) -> Iterator[str]:
    """Repeat what the capture found missing of the run's code and data."""
    for each in record.findings:
        if each.code in _INCOMPLETE:
            yield f"{each.message} ({each.code}, {each.where})"


def _failure(record: Record) -> Iterator[str]:
    run = record.run
    if not run.complete:
        how = run.signal or ("" if isinstance(run.exit_code, Unknown) else f"exit status {run.exit_code}")
        yield f"the original run was not complete ({how})" if how else "the original run was not complete"


def _missing_tools(environment: PlannedEnvironment, again: Rerun, terms: Terms) -> Iterator[str]:
    if environment.mode == "rebuild":
        if find_uv(terms.environ) is None:
            yield "the program uv, to rebuild the environment: install it, or use `--env current`"
    elif again.argv and (name := own_program(again)) and not shutil.which(name, path=terms.environ.get("PATH")):
        yield f"the program `{name}` is not on PATH: activate an environment that has it"


def _local(bundle: Bundle, record: Record, terms: Terms) -> list[FoundInput]:
    found = local.local_inputs(record, [source.root for source in bundle.sources])
    ignored = left_behind(record.invocation, bundle.sources)
    return local.compare([each for each in found if not each.inside or each.given in ignored], terms.mapped)


def _environment(bundle: Bundle, terms: Terms) -> PlannedEnvironment:
    placed = layout.places(bundle.sources, bundle.record.invocation.source)

    def directory_of(recorded: str) -> Path | None:
        place = layout.directory_of(recorded, bundle.sources, placed)
        return None if place is None else Path(place)

    needs = wanted(bundle, terms.completed, directory_of)
    interpreter = needs.interpreter
    if terms.mode == "current" or interpreter is None:
        return PlannedEnvironment(mode="current", python=interpreter.version if interpreter else None)
    return PlannedEnvironment(
        mode="rebuild",
        python=interpreter.version,
        packages=len(needs.pins),
        checked=sum(bool(pin.digests) for pin in needs.pins),
        vendored=_carried_wheels(bundle, needs),
        editable=[each.name for each in needs.editables],
        from_git=[f"{each.name} at {each.commit[:12]}" for each in needs.from_git],
        not_rebuilt=[f"{each.name} {each.version} {each.reason}" for each in needs.unobtainable],
    )


def _carried_wheels(bundle: Bundle, needs: WantedEnvironment) -> int:
    return 0 if needs.wheels is None else sum(file.path.endswith(".whl") for file in bundle.record.files)


def _machine(bundle: Bundle, terms: Terms) -> list[Delta]:
    if bundle.environment is None:
        return []
    return machine_deltas(bundle.environment, present_machine(terms.environ))


def _planned_samples(again: Rerun, terms: Terms) -> PlannedSamples | None:
    if again.subset is None:
        return None
    counts = {task: len(ids) for task, ids in again.subset.samples.items()}
    return PlannedSamples(tasks=counts, seed=terms.seed, how=again.subset.how)


def _downloads(
    environment: PlannedEnvironment, located: Sequence[Whereabouts], checkouts: Sequence[PlannedCheckout]
) -> Iterator[str]:
    if environment.mode == "rebuild":
        count = environment.packages - min(environment.vendored, environment.packages)
        if count:
            yield f"what uv does not have yet of {count} packages; whether all can be had is found out then"
    for each in located:
        if each.comes_from == "hub":
            size = whereabouts.planned(each).download
            yield f"{each.repository.kind} `{each.repository.name}` from the hub" + (f", {size} bytes" if size else "")
    for checkout in checkouts:
        if isinstance(checkout.comes_from, str) and "://" in checkout.comes_from:
            yield f"the source `{checkout.name}` from {checkout.comes_from}"


def _took(record: Record) -> float | None:
    started, ended = record.run.started, record.run.ended
    if isinstance(started, Unknown) or isinstance(ended, Unknown):
        return None
    try:
        return round((clock.parse(ended) - clock.parse(started)).total_seconds(), 1)
    except ValueError:
        return None
