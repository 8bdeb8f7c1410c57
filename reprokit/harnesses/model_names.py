"""What a command line or a harness calls a model: `pretrained=org/name,dtype=float32`, a folder, a cache snapshot."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reprokit.bundle.record import SubjectPart
from reprokit.bundle.values import Json, Unknown, full_commit

_NOTED = ("model", "model_args", "model_backend", "model_revision", "model_dtype", "model_num_parameters")
_SNAPSHOT = re.compile(r"models--(?P<name>[^/\\]+)[/\\]snapshots[/\\](?P<commit>[0-9a-f]{40})")


def arguments(written: Json) -> dict[str, Json]:
    """Read `model_args`, a table or text like `a=1,b=2`; parts of the text without a `=` belong to the part before."""
    if isinstance(written, dict):
        return written
    parts: dict[str, Json] = {}
    last = ""
    for part in written.split(",") if isinstance(written, str) else ():
        name, equals, value = part.partition("=")
        if equals:
            last = name.strip()
            parts[last] = value
        elif last:
            parts[last] = f"{parts[last]},{part}"
    return parts


def models(config: dict[str, Json], keys: Sequence[str], tasks: list[str]) -> list[SubjectPart]:
    """List the models that a results file's `config` names: the model, then adapters put on it.

    Args:
        config: the table; `model` is the kind of model, `model_args` its arguments.
        keys: the arguments that name the model, the first that is there counts.
        tasks: the tasks that used it.
    """
    given = arguments(config.get("model_args"))
    kind = config.get("model")
    name = next((given[key] for key in keys if isinstance(given.get(key), str) and given[key]), kind)
    if not isinstance(name, str) or not name:
        return []
    extra = {key: config[key] for key in _NOTED if key in config}
    pinned = _revision(name, config, "model_sha", given.get("revision"))
    found = [SubjectPart(name=name, revision=pinned, learnt_from="claim", tasks=tasks, extra=extra)]
    for role in ("peft", "delta"):
        adapter = given.get(role)
        if isinstance(adapter, str) and adapter:
            revision = _revision(adapter, config, f"{role}_sha", None)
            part = SubjectPart(name=adapter, revision=revision, learnt_from="claim", tasks=tasks, extra={"role": role})
            found.append(part)
    return found


def short(name: str) -> str:
    """Shorten a model's name for people: `../models/tiny-gpt2/` and `toy-org/tiny-gpt2` are both `tiny-gpt2`."""
    snapshot = _SNAPSHOT.search(name)
    if snapshot:
        return snapshot["name"].rpartition("--")[2]
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] or "unknown"


def _revision(name: str, config: dict[str, Json], claim: str, asked: Json) -> str | Unknown:
    snapshot = _SNAPSHOT.search(name)
    commit = full_commit(config.get(claim)) or full_commit(asked) or (snapshot["commit"] if snapshot else None)
    if commit:
        return commit
    if claim in config:
        return Unknown(unknown="the harness could not learn the commit: the model is local or it was offline")
    return Unknown(unknown="the harness does not record the model's commit")
