"""What was set up: every fact of two runs but their results, weighed against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reprokit.bundle.record import Record
from reprokit.bundle.results import Task
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.diff.setup import noise
from reprokit.diff.setup.checkouts import source_facts
from reprokit.diff.setup.facts import WHOLE_AREA, Fact, Weighed, combine, flatten, table, weigh
from reprokit.diff.setup.invocation import ORDER, invocation_facts
from reprokit.diff.setup.places import Places, pair_sources, places
from reprokit.diff.setup.retold import without_retold
from reprokit.diff.setup.software import environment_facts
from reprokit.diff.setup.subject import subject_facts
from reprokit.diff.side import Side
from reprokit.diff.tasks import PairedTask

_OTHER_HARNESS = Unknown(unknown="the harnesses differ, and each has its own words")
_KEPT_OUT = Unknown(unknown="one of them keeps its samples as digests, and a program's own claims may tell of samples")
_SCRIPT = "script"
_GIT_CLAIMS = frozenset({"git_hash", "git_branch"})


@dataclass(frozen=True, kw_only=True)
class SetUps:
    """Two set-ups, compared: everything, and the definition of each task that both evaluated on its own."""

    whole: Weighed
    tasks: dict[str, Weighed]


@dataclass(frozen=True, kw_only=True)
class _Half:
    """One side with what had to be worked out for it.

    These are its checkouts by the name of their pair, its places, and for the tasks that are compared a's names.
    """

    side: Side
    checkouts: dict[str, Source]
    places: Places
    tasks: dict[str, str]


def compare_set_ups(a: Side, b: Side, tasks: Sequence[PairedTask]) -> SetUps:
    """Compare the set-ups of two runs, as far as they are about these tasks or about all."""
    pairs = pair_sources(a.sources, b.sources)
    one = {label: source for label, (source, _) in pairs.items() if source is not None}
    other = {label: source for label, (_, source) in pairs.items() if source is not None}
    first = _Half(side=a, checkouts=one, places=places(a, one), tasks={task.a: task.a for task in tasks})
    second = _Half(side=b, checkouts=other, places=places(b, other), tasks={task.b: task.a for task in tasks})
    where = (first.places, second.places)
    definitions = _definitions(a, b, tasks, where)
    whole = weigh(_facts(first, second), _facts(second, first), where)
    parts = [whole, *definitions.values()]
    return SetUps(whole=_without_mere_order(without_retold(combine(parts))), tasks=definitions)


def _facts(half: _Half, other: _Half) -> Iterator[Fact]:
    record, opposite = half.side.record, other.side.record
    yield from _run(record)
    own = record.invocation.source
    checkout = next((label for label, source in half.checkouts.items() if source.name == own), None)
    yield from invocation_facts(record.invocation, checkout, half.places)
    yield from table("launcher", record.run.launcher)
    yield Fact(area="harness", name="name", value=record.harness.name)
    yield Fact(area="harness", name="version", value=record.harness.version)
    yield from table("harness", record.harness.fields, "field ")
    yield from _claims(record, opposite, sources_known=bool(half.side.sources and other.side.sources))
    evaluated = (half.tasks[task.name] for task in half.side.results.tasks if task.name in half.tasks)
    yield from (Fact(area="tasks", name=name, value="evaluated") for name in evaluated)
    yield from subject_facts("models", record.subject.models, opposite.subject.models, (half.places, other.places))
    yield from subject_facts(
        "datasets", record.subject.datasets, opposite.subject.datasets, (half.places, other.places)
    )
    if isinstance(record.sources, Unknown):
        yield Fact(area="source", name=WHOLE_AREA, value=record.sources)
    else:
        yield from source_facts(half.checkouts)
    yield from environment_facts(half.side.environment, other.side.environment)


def _run(record: Record) -> Iterator[Fact]:
    run = record.run
    yield Fact(area="run", name="complete", value=run.complete)
    yield Fact(area="run", name="exit code", value=run.exit_code)
    yield Fact(area="run", name="signal", value=run.signal)
    yield Fact(area="run", name="origin", value=record.origin)
    for name, value in (("started", run.started), ("ended", run.ended), ("host", run.host)):
        yield Fact(area="run", name=name, value=value)
    yield from table("run", {"resources": run.resources, "streams": run.streams})


def _claims(record: Record, opposite: Record, *, sources_known: bool) -> Iterator[Fact]:
    if record.harness.name != opposite.harness.name:
        yield Fact(area="claims", name=WHOLE_AREA, value=_OTHER_HARNESS)
        return
    if record.samples != opposite.samples and record.harness.name == _SCRIPT:
        yield Fact(area="claims", name=WHOLE_AREA, value=_KEPT_OUT)
        return
    outputs = {output.path for output in record.invocation.outputs}
    for name, value in flatten(record.harness.claims):
        if isinstance(value, str) and value in outputs:
            yield Fact(area="claims", name=name, value=value, alike="<output>", rule=noise.OUTPUT)
        elif name in _GIT_CLAIMS and sources_known:
            yield Fact(area="claims", name=name, value=value, rule=noise.GIT_CLAIM, dispensable=True)
        elif name:
            yield Fact(area="claims", name=name, value=value)


def _definition(name: str, task: Task, *, other_harness: bool) -> Iterator[Fact]:
    yield Fact(area="tasks", name=f"{name}, version", value=task.version)
    yield Fact(area="tasks", name=f"{name}, shots", value=task.n_shot)
    yield Fact(area="tasks", name=f"{name}, samples available", value=task.samples_available)
    if other_harness:
        yield Fact(area="tasks", name=f"{name}, definition", value=_OTHER_HARNESS)
    else:
        yield from table("tasks", task.config, definition_prefix(name))


def definition_prefix(task: str) -> str:
    """Say how the names of facts from a task's definition begin."""
    return f"{task}, definition "


def _definitions(a: Side, b: Side, tasks: Sequence[PairedTask], where: tuple[Places, Places]) -> dict[str, Weighed]:
    one = {task.name: task for task in a.results.tasks}
    other = {task.name: task for task in b.results.tasks}
    differ = a.record.harness.name != b.record.harness.name
    return {
        task.a: weigh(
            _definition(task.a, one[task.a], other_harness=differ),
            _definition(task.a, other[task.b], other_harness=differ),
            where,
        )
        for task in tasks
        if task.a in one and task.b in other
    }


def _without_mere_order(weighed: Weighed) -> Weighed:
    """Drop the note on the options' order where they are not the same options anyway."""
    kept = tuple(
        item for item in weighed.ignored if item.name != ORDER or sorted(item.before or []) == sorted(item.after or [])
    )
    return Weighed(changes=weighed.changes, ignored=kept, not_compared=weighed.not_compared)
