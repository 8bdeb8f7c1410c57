"""Whether two runs measured the same thing: asked before anything is said about their scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reprokit.bundle.results import Task
from reprokit.diff.difference import Comparability, Stage, Status, TaskComparability, TaskSamples
from reprokit.diff.setup.comparing import definition_prefix
from reprokit.diff.setup.facts import Weighed
from reprokit.diff.side import Side
from reprokit.diff.tasks import PairedTask

# What was asked, and what the answer was held against: the stages before the model's own.
_PARTS: dict[Stage, str] = {"document": "documents", "prompt": "prompts", "target": "targets"}
# lm-eval notes the model's arguments in a task's `metadata`: another model is no other task.
_NOT_THE_TASK = "metadata"
# A prompt may be the words alone of a question about an image: without the document too, the question is not known.
_ESSENTIAL = {"documents", "prompts"}
_ALONE = "only one of them evaluated it"
_WAYS_TO_MATCH = "`--match document` looks for the same documents, `--same-filter A=B` names the same answer extraction"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What both sides say of one task.

    `definition` is what weighing the two definitions gave, `samples` what pairing the samples gave.
    """

    task: PairedTask
    before: Task | None
    after: Task | None
    definition: Weighed | None
    samples: TaskSamples | None


def _definition_changes(known: Known) -> list[str]:
    """Name the fields of the task's definition that changed."""
    prefix = definition_prefix(known.task.a)
    changes = known.definition.changes if known.definition else ()
    fields = {change.name.removeprefix(prefix).split(".")[0] for change in changes if change.name.startswith(prefix)}
    return sorted(fields - {_NOT_THE_TASK})


def _set_apart(known: Known) -> Iterator[str]:
    """Name the parts that differ by what the two tasks say of themselves."""
    if known.before is None or known.after is None:
        return
    if known.before.version != known.after.version:
        yield "version"
    if known.before.n_shot != known.after.n_shot:
        yield "shots"
    if known.before.samples_available != known.after.samples_available:
        yield "samples available"
    claimed = (known.before.samples_claimed, known.after.samples_claimed)
    if not _both_saved(known) and None not in claimed and claimed[0] != claimed[1]:
        yield "number of samples"
    fields = _definition_changes(known)
    if fields:
        yield f"definition ({', '.join(fields)})"


def _both_saved(known: Known) -> bool:
    return known.samples is not None and known.samples.saved_in == "both"


def _sample_parts(samples: TaskSamples) -> Iterator[str]:
    if samples.only_in_a or samples.only_in_b:
        yield "samples"
    for stage, part in _PARTS.items():
        if samples.changed.get(stage):
            yield part


def _unknown_parts(samples: TaskSamples) -> list[str]:
    return [part for stage, part in _PARTS.items() if samples.unknown.get(stage)]


def _in_words(samples: TaskSamples) -> str:
    words = [f"{samples.compared} {'sample' if samples.compared == 1 else 'samples'} in common{_matched(samples)}"]
    if not samples.compared and samples.only_in_a and samples.only_in_b:
        words[0] += f" ({_WAYS_TO_MATCH})"
    alone = samples.only_in_a + samples.only_in_b
    if alone:
        words.append(f"{alone} in only one of them")
    for stage, part in _PARTS.items():
        if samples.changed.get(stage):
            words.append(f"{part} differ in {samples.changed[stage]}")
    return ", ".join(words)


def _matched(samples: TaskSamples) -> str:
    """Say how partners were found, and how many were, where that was not by id alone."""
    if not samples.compared or (not samples.matched_by.get("document") and samples.task_in_b is None):
        return ""
    most = samples.compared + max(samples.only_in_a, samples.only_in_b)
    by = " and ".join(f"{count} by {kind}" for kind, count in samples.matched_by.items())
    return f" ({samples.compared / most:.0%} matched: {by})" if most else ""


def judge_task(known: Known) -> TaskComparability:
    """Judge one task. Never claims more than was saved: without samples, documents and prompts it stays unknown."""
    if known.before is None or known.after is None:
        return TaskComparability(task=known.task.a, task_in_b=known.task.in_b, status="not", reason=_ALONE)
    differs = list(_set_apart(known))
    if known.samples is None or not _both_saved(known):
        who = "neither" if known.samples is None else "only one of them"
        reason = f"{who} saved samples"
        reason = f"not the same: {', '.join(differs)}; {reason}" if differs else reason
        status: Status = "partly" if differs else "unknown"
        return TaskComparability(
            task=known.task.a,
            task_in_b=known.task.in_b,
            status=status,
            differs=differs,
            unknown=["samples"],
            reason=reason,
        )
    return _judge_by_samples(known.task, known.samples, differs)


def _judge_by_samples(task: PairedTask, samples: TaskSamples, differs: list[str]) -> TaskComparability:
    differs = [*_sample_parts(samples), *differs]
    unknown = _unknown_parts(samples)
    reason = _in_words(samples)
    apart = [part for part in differs if part not in {"samples", *_PARTS.values()}]
    if apart:
        reason = f"{reason}; not the same: {', '.join(apart)}"
    if unknown:
        reason = f"{reason}; not compared: {', '.join(unknown)}"
    status: Status = "comparable"
    if not samples.compared and not samples.only_in_a and not samples.only_in_b:
        status = "unknown"
    elif not samples.compared or samples.other_questions == samples.compared:
        status = "not"
    elif differs:
        status = "partly"
    elif _ESSENTIAL & set(unknown):
        status = "unknown"
    return TaskComparability(
        task=task.a,
        task_in_b=task.in_b,
        status=status,
        in_common=samples.compared,
        differs=differs,
        unknown=unknown,
        reason=reason,
    )


def overall(tasks: list[TaskComparability]) -> Comparability:
    """Sum up the tasks: `not` only when nothing can be held against anything."""
    statuses = {task.status for task in tasks}
    if not tasks:
        return Comparability(status="not", reason="there is no task")
    if statuses == {"not"}:
        shared = _shared(tasks)
        reason = "they have no task in common" if shared == _ALONE else shared or "no task can be compared"
        return Comparability(status="not", reason=reason, tasks=tasks)
    if statuses <= {"comparable", "unknown"}:
        status: Status = "unknown" if "unknown" in statuses else "comparable"
    else:
        status = "partly"
    counts = [(name, sum(task.status == name for task in tasks)) for name in ("comparable", "partly", "not", "unknown")]
    words = ", ".join(f"{count} {_WORDS[name]}" for name, count in counts if count)
    told = words if len(statuses) > 1 else f"all {len(tasks)} tasks"
    return Comparability(status=status, reason=_shared(tasks) or told, tasks=tasks)


_WORDS = {
    "comparable": "comparable",
    "partly": "partly comparable",
    "not": "not comparable",
    "unknown": "not known to be comparable",
}


def _shared(tasks: list[TaskComparability]) -> str | None:
    """Give the reason that all tasks have in common, if they have one."""
    reasons = {task.reason for task in tasks}
    return reasons.pop() if len(reasons) == 1 else None


def _known_tasks(side: Side) -> dict[str, Task]:
    """List a side's tasks by name; one that was not recorded is known by its samples or scores."""
    scored = (metric.task for metric in side.results.metrics if not metric.group)
    return {name: Task(name=name) for name in (*scored, *side.tasks())} | {
        task.name: task for task in side.results.tasks
    }


def compare_tasks(
    a: Side, b: Side, tasks: Sequence[PairedTask], definitions: dict[str, Weighed], samples: Iterable[TaskSamples]
) -> Comparability:
    """Judge every task that either side evaluated."""
    one, other = _known_tasks(a), _known_tasks(b)
    paired = {each.task: each for each in samples}
    return overall(
        [
            judge_task(
                Known(
                    task=task,
                    before=one.get(task.a),
                    after=other.get(task.b),
                    definition=definitions.get(task.a),
                    samples=paired.get(task.a),
                )
            )
            for task in tasks
            if task.a in one or task.b in other
        ]
    )
