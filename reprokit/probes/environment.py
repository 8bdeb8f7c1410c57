"""The environment record: what the probe saw inside the evaluation's processes, joined with the machine's facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from reprokit.bundle.environment import Environment, Interpreter
from reprokit.bundle.values import Unknown
from reprokit.probes import hardware
from reprokit.probes.interpreter import ProcessFacts, Survey, survey
from reprokit.probes.interpreter.command import ask
from reprokit.probes.packages import installed

MOST_RECORDS = 4096
"""How many processes the probe writes a record for."""

MOST_ENTRIES = 1024
"""How many files, hosts and lookups the probe notes in one process."""

SUMMARISED = ("torch", "transformers", "datasets", "vllm")
"""The packages a person asks for first."""

NATIVE = "files that native code opens (safetensors, parquet, memory maps) are not seen"


def observe(probes: Path, argv: Sequence[str], environ: Mapping[str, str], directory: Path) -> Environment:
    """Record the environment of an evaluation that has just ended on this machine.

    `probes` is the folder the injected probe wrote into; `argv`, `environ` and `directory` are the evaluation's
    command, environment and working directory. When no probe ran, the interpreter behind the command is asked; when
    there is none, the record says so. Never raises for what it finds.
    """
    watched = survey(probes)
    if watched.processes:
        found = _from_probe(watched)
    else:
        answer = ask(argv, environ, directory)
        found = unknown(answer.unknown) if isinstance(answer, Unknown) else _from_command(answer)
    unread = f"what the probe wrote into files that could not be read: {watched.passed_over}"
    return msgspec.structs.replace(
        found,
        platform=hardware.operating_system(),
        hardware=hardware.machine(environ),
        container=hardware.container(environ),
        missing=[*found.missing, unread] if watched.passed_over else found.missing,
    )


def unknown(reason: str) -> Environment:
    """Make the record of an environment that nobody observed."""
    return Environment(learnt_from="nothing", packages=Unknown(unknown=reason), missing=[f"everything: {reason}"])


def summary(environment: Environment) -> dict[str, str]:
    """Tell the environment in a few words: `python`, `os`, `cpu`, `gpu` and the packages asked for first."""
    facts: dict[str, str] = {}
    if environment.interpreter:
        facts["python"] = environment.interpreter.version
    system = environment.platform or {}
    facts["os"] = system.get("release") or " ".join(system[key] for key in ("system", "kernel") if key in system)
    facts["cpu"] = str((environment.hardware or {}).get("cpu", ""))
    facts["gpu"] = ", ".join(_counted(_gpu_names(environment)))
    if not isinstance(environment.packages, Unknown):
        versions = {str(canonicalize_name(package.name)): package.version for package in environment.packages}
        facts |= {name: versions[name] for name in SUMMARISED if name in versions}
    return {name: value for name, value in facts.items() if value}


def main_process(processes: Sequence[ProcessFacts]) -> ProcessFacts:
    """Choose the process that ran the evaluation.

    A launcher, a workflow tool or a helper imports less than an evaluation does: the process that imported the most
    installed modules is chosen; among equals the one whose `sys.path` holds the most distributions, then the one
    nearest to the root of the process tree, then the earliest. What was imported is told at the end of a process, so
    when all were killed the later rules decide.
    """
    by_identity = {(each.host, each.pid): each for each in processes}

    def depth(process: ProcessFacts) -> int:
        seen = {process.pid}
        while (parent := by_identity.get((process.host, process.ppid))) and parent.pid not in seen:
            seen.add(parent.pid)
            process = parent
        return len(seen)

    def rank(process: ProcessFacts) -> tuple[int, int, int, float]:
        distributions = sum(len(names) for names in process.distributions.values())
        return (-len(process.installed_modules), -distributions, depth(process), process.started)

    return min(processes, key=rank)


def _from_probe(watched: Survey) -> Environment:
    main = main_process(watched.processes)
    in_order = [main, *(each for each in watched.processes if each is not main)]
    interpreters = _interpreters(in_order)
    inventory = installed(main.path, main.distributions)
    nowhere = Unknown(unknown="the process that ran the evaluation left no `sys.path`")
    return Environment(
        learnt_from="probe",
        interpreter=interpreters[0],
        other_interpreters=interpreters[1:],
        packages=list(inventory.packages) if main.path else nowhere,
        modules=_modules(in_order),
        loaded_from_cache=_all(in_order, lambda each: each.cache_files),
        hosts=_all(in_order, lambda each: each.hosts),
        lookups=_all(in_order, lambda each: each.lookups),
        determinism=dict(sorted(main.variables.items())),
        torch=next((each.torch for each in in_order if each.torch), {}),
        missing=[NATIVE, *_gaps(in_order), *inventory.missing],
    )


def _from_command(answer: ProcessFacts) -> Environment:
    inventory = installed(answer.path, {})
    reason = "no probe ran in the evaluation (an isolated or cleared environment, a container, `-I`, `-E` or `-S`)"
    return Environment(
        learnt_from="command",
        interpreter=_interpreter(answer, processes=1),
        packages=list(inventory.packages),
        missing=[f"modules, files, hosts and torch: {reason}", *inventory.missing],
    )


def _interpreters(processes: Iterable[ProcessFacts]) -> list[Interpreter]:
    """Count the processes of each interpreter, in the order in which they first appear."""
    counts: dict[Interpreter, int] = {}
    for process in processes:
        one = _interpreter(process, processes=1)
        counts[one] = counts.get(one, 0) + 1
    return [msgspec.structs.replace(one, processes=count) for one, count in counts.items()]


def _interpreter(process: ProcessFacts, *, processes: int) -> Interpreter:
    return Interpreter(
        executable=process.executable,
        prefix=process.prefix,
        base_prefix=process.base_prefix,
        version=process.version,
        implementation=process.implementation,
        processes=processes,
    )


def _modules(processes: Iterable[ProcessFacts]) -> dict[str, str]:
    """Join the modules of all processes; another file under a name that is taken stands as `name (2)`."""
    files: dict[str, list[str]] = {}
    for process in processes:
        for name, file in process.modules.items():
            known = files.setdefault(name, [])
            if file not in known:
                known.append(file)
    named = {name if at == 1 else f"{name} ({at})": file for name in files for at, file in enumerate(files[name], 1)}
    return dict(sorted(named.items()))


def _all(processes: Iterable[ProcessFacts], facts: Callable[[ProcessFacts], Iterable[str]]) -> list[str]:
    return sorted({fact for process in processes for fact in facts(process)})


def _gaps(processes: Sequence[ProcessFacts]) -> Iterator[str]:
    """Say what the probe may not have seen."""
    silent = sum(1 for each in processes if each.ended is None)
    if silent:
        yield (
            f"what {silent} of {len(processes)} processes imported and opened, and whom they connected to: they were "
            "killed, ended by `os._exit`, replaced by another program, or are still running"
        )
    if len(processes) >= MOST_RECORDS - 1:
        yield f"processes: only {MOST_RECORDS} are recorded"
    for title, facts in (("files", "cache_files"), ("hosts", "hosts"), ("lookups", "lookups")):
        if any(len(getattr(each, facts)) >= MOST_ENTRIES for each in processes):
            yield f"{title}: only {MOST_ENTRIES} are noted in one process"
    elsewhere = sorted({each.host for each in processes} - {os.uname().nodename})
    if elsewhere:
        yield f"platform and hardware of `{'`, `'.join(elsewhere)}`: only this machine was looked at"


def _gpu_names(environment: Environment) -> list[str]:
    listed = (environment.hardware or {}).get("gpus")
    if isinstance(listed, list):
        return [str(each.get("name", "")) for each in listed if isinstance(each, dict)]
    devices = environment.torch.get("devices")
    return [str(each) for each in devices] if isinstance(devices, list) else []


def _counted(names: Sequence[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        count = names.count(name)
        yield name if count == 1 else f"{count} x {name}"
