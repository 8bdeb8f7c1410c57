"""What a run was, in the shape in which people filter and compare runs in a tracker's table.

Few levels, `snake_case`, no `.` or `/` in any key (foreign keys are written as `keys.part` does), short values:

    harness.name, harness.version            model.name, model.revision, model.arguments.…
    tasks, n_shot, limit, seeds.torch        task_configs.<task>.{version, n_shot, samples, dataset, config.…}
    invocation.{command, directory, …}       harness_config.…, harness_arguments.…, harness_claims.…
    git.<source>.{commit, tree, dirty, …}    environment.{python, gpu, cuda, packages.…}
    run.{started, seconds, complete, …}      datasets, findings, samples, bundle.{id, identity, …}

What nobody knows is `None`, and the reason stands at the same place under `unknown`: `harness.version` is `None` and
`unknown.harness.version` says `its results do not say`. A `None` without a reason is a plain no: no limit, no signal.
A secret is the name of its slot in angle brackets. Nothing here is a label: these may change, a run's facts do not.

All of it stays below 256 KiB. Texts over 2,000 characters are cut. If it is still too large, the largest of the parts
that are copies of the harness's own words are left out, then the next, and a remark names each.
"""

from __future__ import annotations

from reprokit import clock
from reprokit.bundle.reading import Bundle
from reprokit.bundle.readme import written
from reprokit.bundle.record import Invocation, Record, Run, SubjectPart
from reprokit.bundle.results import Task
from reprokit.bundle.values import Json, SecretSlot, Unknown
from reprokit.git_address import without_credentials
from reprokit.mirrors.portrait import asked
from reprokit.mirrors.portrait.keys import distinct, part
from reprokit.mirrors.portrait.plain import plain
from reprokit.mirrors.portrait.room import fitting
from reprokit.mirrors.portrait.software import environment

MOST_OCTETS = 256 * 1024
"""Bytes of the whole configuration as JSON."""

_NO_CLAIM = "the harness does not say"
_LONGEST_CLAIM = 256
_SHOWN_ELSEWHERE = frozenset({"config", "results", "pretty_env_info", "chat_template", "system_instruction"})
_WHERE_ANY = frozenset({"models", "groups", "harness_config", "harness_arguments", "harness_claims"})
_DATASET_KEYS = ("dataset_path", "dataset_name")


def configuration(bundle: Bundle) -> tuple[dict[str, Json], list[str]]:
    """Give the configuration of a bundle's run, and remarks on what of it was left out."""
    record, results = bundle.record, bundle.results
    config = plain(asked.harness_config(record), "harness.claims.config")
    claims = {key: value for key, value in record.harness.claims.items() if _is_short(key, value)}
    used = {task: dataset for dataset in reversed(record.subject.datasets) for task in dataset.tasks}
    tree: dict[str, Json] = {
        "harness": {"name": record.harness.name, "version": record.harness.version},
        "model": _model(record.subject.models[0]) if record.subject.models else Unknown(unknown="no model is named"),
        "models": [_model(model) for model in record.subject.models] if len(record.subject.models) > 1 else None,
        "tasks": [task.name for task in results.tasks] or sorted({metric.task for metric in results.metrics}),
        "groups": list(results.groups) or None,
        "datasets": [_dataset(dataset) for dataset in record.subject.datasets],
        "n_shot": asked.shots(results),
        "limit": asked.limit(record),
        "seeds": asked.seeds(record),
        "task_configs": {task.name: _task(task, used.get(task.name)) for task in results.tasks},
        "harness_config": {key: value for key, value in config.items() if key != "resolved_cli_args"} or None,
        "harness_arguments": config.get("resolved_cli_args"),
        "harness_claims": plain(claims, "harness.claims") or None,
        "invocation": _invocation(record.invocation),
        "git": _git(bundle),
        "environment": environment(bundle.environment, record),
        "run": _run(record),
        "reproduces": record.reproduces,
        "samples": record.samples,
        "findings": sorted({finding.code for finding in record.findings}),
        "bundle": _bundle(bundle),
    }
    known, reasons = _split(
        {name: value for name, value in tree.items() if value is not None or name not in _WHERE_ANY}
    )
    return fitting(plain(_with_keys(known), "configuration"), plain(_with_keys(reasons)), MOST_OCTETS)


def _split(value: Json) -> tuple[Json, Json]:
    """Part a tree into what is known, `None` where nothing is, and the reasons, each at its place; `None` for none."""
    if isinstance(value, Unknown):
        return None, value.unknown
    if isinstance(value, dict):
        parted = {key: _split(item) for key, item in value.items()}
    elif isinstance(value, list):
        parts = [_split(item) for item in value]
        reasons = {f"{number}": reason for number, (_, reason) in enumerate(parts) if reason is not None}
        return [known for known, _ in parts], reasons or None
    else:
        return value, None
    reasons = {key: reason for key, (_, reason) in parted.items() if reason is not None}
    return {key: known for key, (known, _) in parted.items()}, reasons or None


def _with_keys(value: Json) -> Json:
    """Write every key of a tree so that a tracker keeps it as one."""
    if isinstance(value, dict):
        if value.keys() == {"secret"} and isinstance(value["secret"], str):
            return f"<{value['secret']}>"
        made: dict[str, Json] = {}
        for name, item in value.items():
            made[distinct(part(name), made)] = _with_keys(item)
        return made
    return [_with_keys(item) for item in value] if isinstance(value, list) else value


def _model(model: SubjectPart) -> dict[str, Json]:
    extra = plain(model.extra, "model.extra")
    details = {key: value for key, value in extra.items() if key not in {"model_args", "model_revision"}}
    served: dict[str, Json] = {}
    if model.server is not None:
        served = {
            "server": {
                "software": model.server.software,
                "version": model.server.version,
                "endpoint": model.server.endpoint,
            }
        }
    templates = [text.digest for text in model.texts if text.kind == "chat template"]
    return {
        "name": model.name,
        "revision": model.revision,
        "revision_from": model.learnt_from,
        "arguments": extra.get("model_args"),
        **({"chat_template": templates[0]} if templates else {}),
        **served,
        **({"details": details} if details else {}),
    }


def _dataset(dataset: SubjectPart) -> dict[str, Json]:
    return {
        "name": dataset.name,
        "revision": dataset.revision,
        "revision_from": dataset.learnt_from,
        "tasks": dataset.tasks,
        **({"details": plain(dataset.extra, "dataset.extra")} if dataset.extra else {}),
    }


def _task(task: Task, used: SubjectPart | None) -> dict[str, Json]:
    config = task.config if isinstance(task.config, dict) else {}
    dataset: dict[str, Json] = {
        "dataset": " ".join(said for key in _DATASET_KEYS if isinstance(said := config.get(key), str)) or None,
        "dataset_revision": None,
    }
    if used is not None:
        dataset = {"dataset": used.name, "dataset_revision": used.revision}
    return {
        "version": Unknown(unknown=_NO_CLAIM) if task.version is None else task.version,
        "n_shot": Unknown(unknown=_NO_CLAIM) if task.n_shot is None else task.n_shot,
        "samples": Unknown(unknown=_NO_CLAIM) if task.samples_claimed is None else task.samples_claimed,
        "samples_available": task.samples_available,
        "samples_saved": task.samples_saved,
        **dataset,
        "config": plain(task.config, f"{task.name}.config"),
    }


def _is_short(key: str, value: Json) -> bool:
    if key in _SHOWN_ELSEWHERE:
        return False
    return len(value) <= _LONGEST_CLAIM if isinstance(value, str) else not isinstance(value, dict | list)


def _invocation(invocation: Invocation) -> dict[str, Json]:
    argv, variables = invocation.argv, invocation.environment_variables
    known: Json = variables
    if not isinstance(variables, Unknown):
        known = {variable.name: _value(variable.value) for variable in variables}
    program = invocation.program
    return {
        "command": argv if isinstance(argv, Unknown) else " ".join(written(argument) for argument in argv),
        "program": program if isinstance(program, Unknown) else program.rpartition("/")[2],
        "program_in": invocation.program_in,
        "source": invocation.source,
        "directory": _directory(invocation),
        "inputs": [each.path for each in invocation.inputs],
        "environment_variables": known,
    }


def _directory(invocation: Invocation) -> str | Unknown:
    """Name the working directory within its checkout: where that lay on somebody's machine sets no two runs apart."""
    if isinstance(invocation.working_directory, Unknown):
        return invocation.working_directory
    if invocation.source is None:
        return Unknown(unknown="it is in no checkout: see `invocation` in `bundle.json`")
    return invocation.directory_in_source


def _value(value: str | list[str | SecretSlot]) -> str:
    if isinstance(value, str):
        return value
    return "".join(f"<{piece.secret}>" if isinstance(piece, SecretSlot) else piece for piece in value)


def _git(bundle: Bundle) -> dict[str, Json] | Unknown:
    if isinstance(bundle.record.sources, Unknown):
        return bundle.record.sources
    return {
        source.name: {
            "commit": source.commit,
            "branch": source.branch,
            "tree": source.tree,
            "dirty": source.dirty,
            "remotes": {name: without_credentials(address) for name, address in source.remotes.items()},
            "on_remote": source.on_remote,
        }
        for source in bundle.sources
    }


def _run(record: Record) -> dict[str, Json]:
    run = record.run
    return {
        "started": run.started,
        "ended": run.ended,
        "seconds": _seconds(run),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "complete": run.complete,
        "host": run.host,
        "launcher": run.launcher or None,
        "resources": run.resources or None,
        "origin": record.origin,
    }


def _seconds(run: Run) -> float | Unknown:
    if isinstance(run.started, Unknown):
        return run.started
    if isinstance(run.ended, Unknown):
        return run.ended
    try:
        return (clock.parse(run.ended) - clock.parse(run.started)).total_seconds()
    except ValueError:
        return Unknown(unknown="its times are no times")


def _bundle(bundle: Bundle) -> dict[str, Json]:
    info = bundle.info
    return {
        "id": info.bundle_id,
        "identity": bundle.identity,
        "content_digest": info.content_digest,
        "format": info.format,
        "captured": info.bagging_date,
        "files": info.payload_files,
        "octets": info.payload_octets,
    }
