"""What a bundle is called elsewhere.

A tag becomes an alias of the stored copy: what is no letter, digit, `_`, `.`, `+`, `=` or `-` becomes `-`, and what is
over 128 characters is cut. `latest`, `v3` and the like are the service's own and eight hexadecimal digits are an
identity, so that such a tag gets `tag-` before it. A tag that holds nothing else, or becomes what another one became,
is no alias. As a tag of a run it stays as it is, as far as 64 printable characters go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from reprokit.bundle import naming
from reprokit.bundle.record import Record
from reprokit.bundle.results import Results
from reprokit.bundle.writing import Label
from reprokit.mirrors.portrait.asked import limit, shots
from reprokit.mirrors.portrait.brevity import cut, cut_inside, one_line
from reprokit.mirrors.portrait.plain import text

LONGEST = 128
LONGEST_TAG = 64
_LONGEST_HARNESS = 24
_TASKS_NAMED = 3
_LONGEST_TASK = 28
_RESERVED = re.compile(r"latest|v\d+|[0-9a-f]{8}", re.IGNORECASE)


def short_identity(identity: str) -> str:
    """Give the first 8 hexadecimal digits of an identity (`sha256:…`), as the bundle's id ends with."""
    return identity.removeprefix("sha256:")[:8]


def artifact_name(record: Record) -> str:
    """Name the collection that copies of such bundles go to: `<harness>-<model>`, 1 to 128 of `[A-Za-z0-9_.-]`."""
    harness = naming.slug(record.harness.name, _LONGEST_HARNESS).replace("-", "_") or "unknown"
    return f"{harness}-{naming.model_name(record)}"


def title(record: Record, results: Results, label: Label) -> str:
    """Name a run for people, in at most 128 characters.

    It is the name it was given; else the model, what it was evaluated on, and what sets such runs apart:
    `tiny-gpt2: mmlu, gsm8k (5-shot, limit 100)`.
    """
    if label.name and (named := one_line(label.name)):
        return cut(named, LONGEST)
    return cut(f"{_models(record)}: {_tasks(results)}{_particulars(record, results)}", LONGEST)


def aliases(tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Map tags to the aliases they become, and say of each that changes or becomes none why."""
    made: dict[str, str] = {}
    remarks = []
    for tag in dict.fromkeys(tags):
        alias = _alias(tag)
        if not alias:
            remarks.append(f"tag `{one_line(tag)}`: no alias, for it holds no letter or digit")
        elif alias in made.values():
            remarks.append(f"tag `{one_line(tag)}`: no alias of its own, for another tag became `{alias}`")
        else:
            made[tag] = alias
            if alias != tag:
                remarks.append(f"tag `{one_line(tag)}`: its alias is `{alias}`")
    return made, remarks


def run_tags(tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Map tags to the run's tags they become (1 to 64 characters), and say of each that changes why."""
    made: dict[str, str] = {}
    remarks = []
    for tag in dict.fromkeys(tags):
        shown = cut(one_line(tag), LONGEST_TAG)
        if not shown or shown in made.values():
            remarks.append(f"tag `{shown}`: not shown, for nothing sets it apart")
            continue
        made[tag] = shown
        if shown != tag:
            remarks.append(f"tag `{one_line(tag)}`: shown as `{shown}`")
    return made, remarks


def _alias(tag: str) -> str:
    alias = re.sub(r"[^\w.+=-]+", "-", text(tag)).strip("-.")
    if _RESERVED.fullmatch(alias):
        alias = f"tag-{alias}"
    return alias[:LONGEST].rstrip("-.") if re.search(r"\w", alias) else ""


def _models(record: Record) -> str:
    first = naming.model_name(record)
    more = len(record.subject.models) - 1
    return f"{first} and {more} more" if more > 0 else first


def _tasks(results: Results) -> str:
    """Name the groups that are in no group, and the tasks that are in none."""
    inside = {member for members in results.groups.values() for member in members}
    every = dict.fromkeys([*results.groups, *(task.name for task in results.tasks), *(m.task for m in results.metrics)])
    outermost = [name for name in every if name not in inside] or list(every)
    if not outermost:
        return "no task"
    named = [cut_inside(one_line(name), _LONGEST_TASK) for name in outermost[:_TASKS_NAMED]]
    more = len(outermost) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _particulars(record: Record, results: Results) -> str:
    said = []
    number = shots(results)
    if isinstance(number, int):
        said.append(f"{number}-shot")
    most = limit(record)
    if isinstance(most, int | float) and not isinstance(most, bool):
        said.append(f"limit {most:g}")
    if not record.run.complete:
        said.append("incomplete")
    return f" ({', '.join(said)})" if said else ""
