"""From what was found and observed to a sealed bundle in a staging folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

import reprokit
from reprokit import clock
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import ENVIRONMENT, LOCK, RESULTS
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Invocation, Record, Run, SourceSummary, Subject, SubjectPart, Withheld
from reprokit.bundle.results import Results
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed
from reprokit.capture import private
from reprokit.capture.contents import Contents, add_logs, add_sources, add_wheels, redacted
from reprokit.capture.run_files import add_outputs
from reprokit.harnesses.interface import FoundRun, Reader, Reading
from reprokit.probes import environment as environments
from reprokit.probes import packages, secrets, subject
from reprokit.probes.interpreter.media import SeenMedia
from reprokit.probes.secrets import Secrets
from reprokit.probes.source.checkout import ObservedSource
from reprokit.probes.subject import Digester, Limits
from reprokit.rerun import script

_CALLED_WITH = ("model_args", "gen_kwargs", "metadata", "wandb_args")
"""Members of a harness's `config` that hold arguments as they were given."""


@dataclass(frozen=True, kw_only=True)
class Called:
    """How a run was really called, for learning from it what was evaluated: it may hold secrets, and is not stored.

    `environ` and `directory` are the evaluation's; `home` is where `~` leads. `digester` reads local files, each once
    for all the runs of a command.
    """

    argv: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str] = field(repr=False)
    home: Path
    digester: Digester = field(default_factory=lambda: Digester(Limits()))


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What is known of a run besides its result files.

    `called` is `None` when nobody saw the call. `logs` maps `stdout` and `stderr` to files. `sources` is a reason when
    the checkouts were not looked at. With `private`, the content of samples stays out of the bundle. With `doubtful`,
    nobody can tell whether the run ended well, so that it does not count as complete. `wheels` are those of its
    environment, where they were wanted.
    """

    origin: Literal["live", "finished"]
    invocation: Invocation
    run: Run
    environment: Environment
    sources: tuple[ObservedSource, ...] | Unknown
    secrets: Secrets
    logs: dict[str, Path]
    findings: tuple[Finding, ...] = ()
    called: Called | None = None
    private: bool = False
    media: Callable[[str], SeenMedia] | None = None
    doubtful: bool = False
    reproduces: str | None = None
    wheels: tuple[Path, ...] = ()


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


def _claimed(reading: Reading) -> Subject:
    if reading.subject.models or reading.model in {"", "unknown"}:
        return reading.subject
    model = SubjectPart(name=reading.model, revision=Unknown(unknown="the harness does not say"), learnt_from="claim")
    return msgspec.structs.replace(reading.subject, models=[model])


def _subject(contents: Contents, observed: Observed, reading: Reading) -> Subject:
    """Tell what was evaluated: as the harness claims, and as it was seen where the run was watched."""
    claimed, called = _claimed(reading), observed.called
    if called is None:
        return claimed
    clues = subject.Clues(
        argv=called.argv,
        directory=called.directory,
        environ=called.environ,
        home=called.home,
        environment=observed.environment,
        results=reading.results,
        claims=reading.harness.claims,
        model=reading.model,
        started=observed.run.started,
    )
    resolved, remarks = subject.resolve(claimed, clues, digester=called.digester)
    contents.findings += remarks
    return resolved


def assemble(
    bag: Path, observed: Observed, harness: Reader, run: FoundRun | None, label: Label, *, scratch: Path
) -> Sealed:
    """Build and seal a bundle in the empty folder `bag`.

    `run` is what the harness left, if anything; `scratch` a folder for files that do not stay.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    bag.mkdir(parents=True, exist_ok=True)
    contents = Contents(
        payload=Payload(bag=bag),
        secrets=observed.secrets,
        private=observed.private,
        media=observed.media(harness.name) if observed.media else None,
        findings=[],
        withheld=[],
    )
    reading = _read(contents, observed, harness, run)
    contents.secrets = _with_claimed(contents.secrets, reading)
    tasks = add_outputs(contents, harness, run, reading) if run is not None else []
    if contents.private:
        reading = private.without_structures(reading)
    results = redacted(msgspec.structs.replace(reading.results, tasks=tasks), Results, contents.secrets)
    contents.payload.add(RESULTS, "results", canonical.record(results))
    sources = observed.sources if isinstance(observed.sources, Unknown) else add_sources(contents, observed.sources)
    add_logs(contents, observed.logs, scratch)
    environment = redacted(observed.environment, Environment, contents.secrets)
    contents.payload.add(ENVIRONMENT, "environment", canonical.record(environment))
    contents.payload.add(LOCK, "environment", packages.lock(environment))
    add_wheels(contents, observed.wheels)
    record = _record(contents, observed, reading, environment, sources, _subject(contents, observed, reading))
    return contents.payload.seal(
        record,
        results=results,
        script=partial(script.text, environment=environment, sources=[] if isinstance(sources, Unknown) else sources),
        label=_redacted_label(label, contents.secrets),
        captured=clock.text(clock.now()),
        agent=f"reprokit-eval {reprokit.__version__}",
    )


def _read(contents: Contents, observed: Observed, harness: Reader, run: FoundRun | None) -> Reading:
    """Read what the harness left, and note what was found so far."""
    left_results = run is not None and (run.results is not None or bool(run.samples))
    reading = harness.read(run) if run is not None and left_results else nothing_read(harness.name)
    contents.findings += [*observed.findings, *reading.findings]
    if run is not None and run.stale:
        contents.findings += [finding("W347", f"harness/{file}") for file in run.stale]
        reading = dataclasses.replace(reading, complete=False)
    if not left_results:
        expected = ", ".join(f"`{output.path}`" for output in observed.invocation.outputs)
        detail = f"nothing new at {expected}" if expected else "the command names no output path"
        contents.findings.append(finding("W301", "harness", detail))
    return reading


def _with_claimed(known: Secrets, reading: Reading) -> Secrets:
    """Add the secrets that stand in what the harness says it was called with: nobody may have seen that call."""
    config = reading.harness.claims.get("config")
    given = [(name, config.get(name)) for name in _CALLED_WITH] if isinstance(config, dict) else []
    words: list[str] = []
    for name, value in given:
        if isinstance(value, str):
            words += [f"--{name}", value]
        elif isinstance(value, dict):
            words += [f"--{key}={each}" for key, each in value.items() if isinstance(each, str)]
    return secrets.with_argv(known, words)


def _record(
    contents: Contents,
    observed: Observed,
    reading: Reading,
    environment: Environment,
    sources: list[Source] | Unknown,
    evaluated: Subject,
) -> Record:
    known = contents.secrets
    return Record(
        origin=observed.origin,
        invocation=redacted(observed.invocation, Invocation, known),
        run=redacted(_run(observed, reading), Run, known),
        harness=redacted(_harness_record(reading.harness, environment), HarnessRecord, known),
        subject=redacted(evaluated, Subject, known),
        environment_summary=environments.summary(environment),
        sources=sources if isinstance(sources, Unknown) else _summaries(sources),
        findings=redacted(sorted(set(contents.findings)), list[Finding], known),
        withheld=redacted(contents.withheld, list[Withheld], known),
        samples="digest" if observed.private else "full",
        reproduces=observed.reproduces,
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
    # A block of a program has no exit status; whether it ended well, its adapter knows.
    ended_well = run.exit_code == 0 or isinstance(run.exit_code, Unknown)
    return msgspec.structs.replace(run, complete=reading.complete and ended_well and not observed.doubtful)
