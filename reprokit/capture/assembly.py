"""From what was found and observed to a sealed bundle in a staging folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

import reprokit
from reprokit import clock
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import ENVIRONMENT, LOCK, RESULTS
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Invocation, Record, Run, SourceSummary, Subject, SubjectPart, Withheld
from reprokit.bundle.results import Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.source import LeftOut, Source
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed
from reprokit.harnesses.interface import FoundRun, Harness, Reading
from reprokit.probes import environment as environments
from reprokit.probes import packages, secrets
from reprokit.probes.secrets import Secrets
from reprokit.probes.source import ObservedSource
from reprokit.probes.working_tree import OUTPUT


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is known of a run besides its result files.

    `logs` maps `stdout` and `stderr` to files. `sources` is a reason when the checkouts were not looked at.
    """

    origin: Literal["live", "finished"]
    invocation: Invocation
    run: Run
    environment: Environment
    sources: tuple[ObservedSource, ...] | Unknown
    secrets: Secrets
    logs: dict[str, Path]
    findings: tuple[Finding, ...] = ()
    reproduces: str | None = None


@dataclass(kw_only=True)
class _Assembly:
    """The state of one bundle in the making."""

    payload: Payload
    secrets: Secrets
    findings: list[Finding]
    withheld: list[Withheld]

    def withhold(self, path: str, names: set[str]) -> None:
        listed = ", ".join(sorted(names))
        self.withheld.append(Withheld(path=path, reason=f"holds the secret {listed}"))
        self.findings.append(finding("W312", path, listed))


def _redacted(value: Any, kind: type[Any], known: Secrets) -> Any:
    return msgspec.convert(secrets.redact_json(msgspec.to_builtins(value), known), kind)


def _add_harness_files(assembly: _Assembly, run: FoundRun) -> set[PurePosixPath]:
    """Copy the harness's files; returns those that were kept out."""
    kept_out: set[PurePosixPath] = set()
    for file in run.files:
        source = run.root / file
        try:
            names = secrets.names_in_file(source, assembly.secrets)
            names |= secrets.redact_text(str(file).encode(errors="replace"), assembly.secrets)[1]
            if names:
                kept_out.add(file)
                assembly.withhold(f"harness/{file}", names)
                continue
            assembly.payload.add_file(source, PurePosixPath("harness") / file, "harness")
        except OSError as error:
            kept_out.add(file)
            assembly.withheld.append(Withheld(path=f"harness/{file}", reason=f"cannot be read: {error.strerror}"))
            assembly.findings.append(finding("W302", f"harness/{file}", f"cannot be read: {error.strerror}"))
    return kept_out


def _lines(assembly: _Assembly, rows: Iterator[Sample | Finding], counted: list[int]) -> Iterator[bytes]:
    for row in rows:
        if isinstance(row, Finding):
            assembly.findings.append(row)
            continue
        line = canonical.line(row)
        names = secrets.names_in_text(line, assembly.secrets)
        if names:
            # Written in another way in the harness's file, it was not seen there.
            assembly.withhold(f"sample {row.id!r} of {row.task}", names)
            continue
        counted[0] += 1
        yield line + b"\n"


def _add_samples(
    assembly: _Assembly, harness: Harness, run: FoundRun, reading: Reading, kept_out: set[PurePosixPath]
) -> list[Task]:
    """Write each task's samples; returns the tasks with what was really written."""
    tasks: list[Task] = []
    # A task's samples may come from several files: those that were kept out are not read either.
    readable = dataclasses.replace(run, samples=tuple(file for file in run.samples if file not in kept_out))
    for task in reading.results.tasks:
        file = reading.sample_files.get(task.name)
        if file is None or file in kept_out or task.samples_file is None:
            tasks.append(msgspec.structs.replace(task, samples_saved=0, samples_file=None))
            continue
        counted = [0]
        path = assembly.payload.free_name(task.samples_file)
        assembly.payload.add(path, "samples", _lines(assembly, harness.samples(readable, task.name), counted))
        tasks.append(msgspec.structs.replace(task, samples_saved=counted[0], samples_file=path))
    return tasks


def _add_patch(assembly: _Assembly, source: Source, file: Path, path: str, changed: tuple[Path, ...]) -> Source:
    """Add the patch of a checkout, unless it holds a secret; returns the source as it then is."""
    # What git writes as binary, its patch does not show: the files themselves are searched.
    names = secrets.names_in_file(file, assembly.secrets)
    for each in changed:
        try:
            names |= secrets.names_in_file(each, assembly.secrets)
        except OSError:
            names.add(f"{each.name}, which could not be searched")
    if not names:
        assembly.payload.add_file(file, PurePosixPath(path), "source")
        return source
    assembly.withhold(path, names)
    left = LeftOut(path=path, reason=f"holds the secret {', '.join(sorted(names))}")
    return msgspec.structs.replace(source, patch=None, left_out=[*source.left_out, left])


def _add_sources(assembly: _Assembly, observed: tuple[ObservedSource, ...]) -> list[Source]:
    sources: list[Source] = []
    for each in observed:
        source = each.source
        if each.patch is not None and source.patch is not None:
            source = _add_patch(assembly, source, each.patch, source.patch, each.changed)
        if each.git_bundle is not None and source.git_bundle is not None:
            assembly.payload.add_file(each.git_bundle, PurePosixPath(source.git_bundle), "source")
        missed = [left.path for left in source.left_out if left.reason != OUTPUT]
        if missed:
            more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
            assembly.findings.append(finding("W313", f"source/{source.name}.json", f"`{missed[0]}`{more}"))
        if source.tree_after is not None and source.tree_after != source.tree:
            assembly.findings.append(finding("W311", f"source/{source.name}.json"))
        source = _redacted(source, Source, assembly.secrets)
        assembly.payload.add(f"source/{source.name}.json", "source", canonical.record(source))
        sources.append(source)
    return sources


def _add_logs(assembly: _Assembly, logs: dict[str, Path], scratch: Path) -> None:
    for name, path in sorted(logs.items()):
        if not path.exists():
            continue
        clean = scratch / f"{name}.redacted"
        secrets.redact_file(path, clean, assembly.secrets)
        assembly.payload.add_file(clean, PurePosixPath(f"process/{name}.log"), "process")
        clean.unlink()


def _summaries(sources: list[Source]) -> list[SourceSummary]:
    return [
        SourceSummary(
            name=source.name,
            record=f"source/{source.name}.json",
            commit=source.commit,
            tree=source.tree,
            dirty=source.dirty,
        )
        for source in sources
    ]


def nothing_read(harness: str) -> Reading:
    """Stand in for the reading of a run that left no results."""
    return Reading(
        harness=HarnessRecord(
            name=harness, version=Unknown(unknown="the run left no result file"), version_from="nothing"
        ),
        subject=Subject(),
        results=Results(),
        model="unknown",
        started=None,
        complete=False,
    )


def _harness_record(claimed: HarnessRecord, environment: Environment) -> HarnessRecord:
    """Prefer the version seen among the packages to the one the harness claims."""
    if isinstance(environment.packages, Unknown):
        return claimed
    wanted = claimed.name.replace("_", "-").lower()
    for package in environment.packages:
        if package.name.replace("_", "-").lower() == wanted:
            return msgspec.structs.replace(claimed, version=package.version, version_from="environment")
    return claimed


def _subject(reading: Reading) -> Subject:
    if reading.subject.models or reading.model in {"", "unknown"}:
        return reading.subject
    model = SubjectPart(name=reading.model, revision=Unknown(unknown="the harness does not say"), learnt_from="claim")
    return msgspec.structs.replace(reading.subject, models=[model])


def assemble(
    bag: Path, observed: Observed, harness: Harness, run: FoundRun | None, label: Label, *, scratch: Path
) -> Sealed:
    """Build and seal a bundle in the empty folder `bag`.

    `run` is what the harness left, if anything; `scratch` a folder for files that do not stay.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    bag.mkdir(parents=True, exist_ok=True)
    assembly = _Assembly(payload=Payload(bag=bag), secrets=observed.secrets, findings=[], withheld=[])
    left_results = run is not None and (run.results is not None or bool(run.samples))
    reading = harness.read(run) if run is not None and left_results else nothing_read(harness.name)
    assembly.findings += [*observed.findings, *reading.findings]
    if not left_results:
        expected = ", ".join(f"`{output.path}`" for output in observed.invocation.outputs)
        detail = f"nothing new at {expected}" if expected else "the command names no output path"
        assembly.findings.append(finding("W301", "harness", detail))
    kept_out = _add_harness_files(assembly, run) if run is not None else set()
    tasks = _add_samples(assembly, harness, run, reading, kept_out) if run is not None else []
    results = _redacted(msgspec.structs.replace(reading.results, tasks=tasks), Results, observed.secrets)
    unlooked = observed.sources if isinstance(observed.sources, Unknown) else None
    sources = [] if isinstance(observed.sources, Unknown) else _add_sources(assembly, observed.sources)
    _add_logs(assembly, observed.logs, scratch)
    environment = _redacted(observed.environment, Environment, observed.secrets)
    assembly.payload.add(RESULTS, "results", canonical.record(results))
    assembly.payload.add(ENVIRONMENT, "environment", canonical.record(environment))
    assembly.payload.add(LOCK, "environment", packages.lock(environment))
    record = Record(
        origin=observed.origin,
        invocation=_redacted(observed.invocation, Invocation, observed.secrets),
        run=_redacted(_run(observed, reading), Run, observed.secrets),
        harness=_redacted(_harness_record(reading.harness, environment), HarnessRecord, observed.secrets),
        subject=_redacted(_subject(reading), Subject, observed.secrets),
        environment_summary=environments.summary(environment),
        sources=unlooked or _summaries(sources),
        findings=_redacted(sorted(set(assembly.findings)), list[Finding], observed.secrets),
        withheld=_redacted(assembly.withheld, list[Withheld], observed.secrets),
        reproduces=observed.reproduces,
    )
    return assembly.payload.seal(
        record,
        results=results,
        environment=environment,
        sources=sources,
        label=_redacted_label(label, observed.secrets),
        captured=clock.text(clock.now()),
        agent=f"reprokit-eval {reprokit.__version__}",
    )


def _redacted_label(label: Label, known: Secrets) -> Label:
    def clean(text: str) -> str:
        return secrets.redact_text(text.encode(errors="replace"), known)[0].decode()

    return Label(
        name=clean(label.name) if label.name else None,
        tags=tuple(clean(tag) for tag in label.tags),
        note=clean(label.note) if label.note else None,
    )


def _run(observed: Observed, reading: Reading) -> Run:
    run = observed.run
    if observed.origin == "finished":
        started = reading.started or Unknown(unknown="the harness does not say")
        return msgspec.structs.replace(run, started=started, complete=reading.complete)
    return msgspec.structs.replace(run, complete=reading.complete and run.exit_code == 0)


def with_tree_after(source: ObservedSource, tree: str | None) -> ObservedSource:
    """Note the tree that the checkout had when the run ended."""
    return dataclasses.replace(source, source=msgspec.structs.replace(source.source, tree_after=tree))
