"""Finishing the captures of which reprokit was killed, from what they had noted (see `unfinished`).

So are those of blocks of a program that was killed, from what it had recorded of itself (see `spool`).

What the evaluation wrote is taken as it lies there now. What only the living can see, and what may have changed since,
is recorded as unknown: how the run ended when nobody noted it, the machine, and the working tree after the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from reprokit.archive import durable, publication
from reprokit.archive.layout import Archive
from reprokit.archive.publication import BAG, SPOOL, Abandoned, Publication
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Invocation, Output, Run
from reprokit.bundle.source import LeftOut
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label
from reprokit.capture import arguments, outputs, whose, written_since
from reprokit.capture.assembly import Observed, assemble
from reprokit.capture.in_python import spool, this_process
from reprokit.capture.in_python.spool import Spool, Spooled
from reprokit.capture.interrupted import unfinished
from reprokit.capture.interrupted.unfinished import Begun, BlockEnd
from reprokit.capture.launched import Left, evaluations, left_by
from reprokit.capture.preparation import PROBES
from reprokit.capture.running import stopping
from reprokit.capture.running.process import Ended
from reprokit.errors import ReprokitError
from reprokit.harnesses import table
from reprokit.harnesses.interface import FoundRun, Reader
from reprokit.harnesses.script import Script
from reprokit.outbox import queueing
from reprokit.probes import environment as environments
from reprokit.probes.interpreter import survey
from reprokit.probes.secrets import Secrets
from reprokit.probes.source.checkout import ObservedSource, with_facts

_OBJECTS = "objects"
_KILLED = "reprokit was killed while the evaluation ran"
_LATER = "the capture was finished later, when it could have changed"
_BLOCK_KILLED = "the process ended before the block did, and nobody saw how"
_BUSY = "another process is at it"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What became of one interrupted capture: its bundles, or why there are none.

    `started` is when the capture began (UTC). Where the evaluation never began there is neither a bundle nor a reason.
    `mirror` is what its bundles wait for now, `not_queued` why they do not.
    """

    description: str
    started: str
    bundles: tuple[str, ...] = ()
    reason: str | None = None
    mirror: str | None = None
    not_queued: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What lies where the command, or what it started, wrote: runs with their harness, and the places.

    It is `doubtful` when only some files of a run could be taken.
    """

    harness: Reader
    runs: tuple[tuple[Reader, FoundRun], ...]
    outputs: tuple[Output, ...] = ()
    findings: tuple[Finding, ...] = ()
    doubtful: bool = False


def interrupted(archive: Archive, ended: Collection[str] = ()) -> list[Abandoned]:
    """List the captures that were cut short and hold what exists nowhere else. `ended` names hosts, as for `abandoned`.

    Not all of them can be finished.
    """
    return [each for each in publication.abandoned(archive, ended) if publication.may_become_a_bundle(each.path)]


def can_be_finished(each: Abandoned) -> bool:
    """Tell whether a capture that was cut short had noted what it takes to finish it."""
    return (each.path / publication.BEGUN).is_file()


def finish_all(archive: Archive, secrets: Secrets, ended: Collection[str] = ()) -> list[Finished]:
    """Finish every interrupted capture whose evaluation is over, one process at a time.

    `secrets` are those that are known here. Never raises for what stands in the way of one: that is its `reason`, and
    what it had noted stays where it is.
    """
    found = interrupted(archive, ended)
    if not found:
        return []
    durable.prepare(archive)
    lock = FileLock(archive.private / "finishing", timeout=0)
    try:
        with lock:
            return [_finish(archive, each, secrets) for each in found]
    except Timeout:
        return [_left(each, _BUSY) for each in found]


def clear(archive: Archive) -> list[Path]:
    """Remove abandoned staging folders that hold nothing which anybody could want; returns those removed.

    Raises:
        CaptureError: the archive cannot be written.
    """
    return publication.clear(archive, but=_is_wanted)


def _is_wanted(staging: Path) -> bool:
    return publication.may_become_a_bundle(staging) or (staging / _OBJECTS).exists()


def _left(each: Abandoned, reason: str) -> Finished:
    return Finished(description=each.owner.description, started=each.owner.created, reason=reason)


def _finish(archive: Archive, each: Abandoned, secrets: Secrets) -> Finished:
    if not each.gone:
        return _left(each, "its evaluation still runs")
    begun = unfinished.read_begun(each.path)
    if begun is None:
        return _left(each, f"what it noted cannot be read by this version; it lies in `{each.path}`")
    try:
        publication.take_over(archive, each.path)
        bundles = _bundles(archive, each, begun, secrets)
        unfinished.let_go(each.path)
    except ReprokitError as error:
        return _left(each, error.message)
    except Exception as error:  # noqa: BLE001 - the next one may go well
        return _left(each, f"{type(error).__name__}: {error}")
    queued = queueing.queue(archive, queueing.wanted_before(begun.mirror), bundles)
    return Finished(
        description=each.owner.description,
        started=each.owner.created,
        bundles=tuple(bundles),
        mirror=queued.mirror if queued and queued.bundles else None,
        not_queued=str(queued.failure) if queued and queued.failure else None,
    )


def _bundles(archive: Archive, each: Abandoned, begun: Begun, secrets: Secrets) -> list[str]:
    if begun.harness == spool.NAME:
        return _bundle_of_block(archive, each, begun, secrets)
    over = unfinished.read_over(each.path)
    found = _found(archive, each.path, begun, over)
    if over is None and not found.runs and not _has_started(each):
        return []
    (each.path / "scratch").mkdir(exist_ok=True)
    observed = _observed(each.path, begun, found, over, secrets)
    sealed = unfinished.read_sealed(each.path)
    bundles: list[str] = []
    wanted: list[tuple[Reader, FoundRun | None]] = [*found.runs] or [(found.harness, None)]
    for harness, run in wanted:
        known = sealed.get(unfinished.run_key(run))
        if known is None or not _is_here(archive, known):
            known = _publish(archive, each, begun.label, observed, harness, run)
        bundles.append(known)
    return bundles


def _bundle_of_block(archive: Archive, each: Abandoned, begun: Begun, secrets: Secrets) -> list[str]:
    known = unfinished.read_sealed(each.path).get(unfinished.run_key(None))
    if known is not None and _is_here(archive, known):
        return [known]
    recorded = Spool(folder=each.path / SPOOL, started=begun.noted)
    if not recorded.folder.is_dir():
        return []
    (each.path / "scratch").mkdir(exist_ok=True)
    end = unfinished.read_block_over(each.path)
    lost = recorded.read_again()
    missed = [] if end else recorded.take_wanted(Path(begun.directory))
    lost += [finding("W351", "harness", path) for path in missed]
    adapter = Spooled(recorded, whole=end is not None and end.whole)
    (run,) = adapter.find([])
    observed = _observed_block(each.path, begun, _Found(harness=adapter, runs=()), end, secrets)
    observed = dataclasses.replace(observed, findings=(*observed.findings, *lost))
    return [_publish(archive, each, begun.label, observed, adapter, run)]


def _observed_block(staging: Path, begun: Begun, found: _Found, end: BlockEnd | None, secrets: Secrets) -> Observed:
    observed = _observed(staging, begun, found, None, secrets)
    killed = Unknown(unknown=_BLOCK_KILLED)
    run = msgspec.structs.replace(
        observed.run, ended=end.ended if end else killed, exit_code=end.left if end else killed
    )
    environment = observed.environment
    missing = [*environment.missing, this_process.UNSEEN]
    return dataclasses.replace(
        observed,
        run=run,
        environment=msgspec.structs.replace(environment, missing=missing),
        findings=(*begun.findings, *_about_block(end, unfinished.forgotten(begun, secrets))),
        doubtful=end is None,
    )


def _about_block(end: BlockEnd | None, lost: list[str]) -> Iterator[Finding]:
    told = [] if end else ["how the process ended is not known"]
    if lost:
        names = ", ".join(f"`{name}`" for name in lost)
        told.append(
            f"its changed files were left out, and its samples not searched for what is not known here: {names}"
        )
    yield finding("W346", "bundle.json", "; ".join(told))
    if end is None:
        yield finding("W310", "bundle.json", "the process ended before the block did")
    else:
        yield from end.remarks


def _has_started(each: Abandoned) -> bool:
    noted = [*(each.path / PROBES).glob("*"), *(log for log in (each.path / "logs").glob("*") if log.stat().st_size)]
    return each.owner.evaluation is not None or bool(noted)


def _is_here(archive: Archive, bundle_id: str) -> bool:
    return archive.payload(bundle_id).is_dir() or archive.entry(bundle_id).is_file()


def _publish(
    archive: Archive, each: Abandoned, label: Label, observed: Observed, harness: Reader, run: FoundRun | None
) -> str:
    staged = publication.stage(archive, {"description": f"bundle of an interrupted {each.owner.description}"})
    try:
        assemble(staged / BAG, observed, harness, run, label, scratch=each.path / "scratch")
        made: Publication = publication.publish(archive, staged)
    except BaseException:
        publication.remove(staged)
        raise
    return made.bundle_id


def _harness(begun: Begun) -> Reader:
    known = table.by_name(begun.harness)
    if known is None or isinstance(known, Script):
        return Script(results=begun.results, samples=begun.samples, fields=begun.fields)
    return known


def _found(archive: Archive, staging: Path, begun: Begun, over: Ended | None) -> _Found:
    """Find what the command left; where it named no place, what the evaluations left that it started."""
    harness, directory = _harness(begun), Path(begun.directory)
    processes = survey(staging / PROBES).processes
    new = tuple((harness, run) for run in outputs.new_runs(harness, begun.places, begun.before))
    told = whose.tell_apart(new, [] if isinstance(harness, Script) else processes)
    launched = [] if new or begun.places else evaluations(processes)
    left = Left(runs=told.ours, outputs=(), findings=whose.not_taken(told.others, directory))
    if launched:
        harness, left = launched[0].harness, left_by(launched, directory, processes)
    sealed = unfinished.read_sealed(staging)
    bundled = frozenset(key for key, known in sealed.items() if _is_here(archive, known))
    kept = written_since.without_later(archive, begun, over, left.runs, bundled)
    found = _Found(
        harness=harness,
        runs=kept.runs,
        outputs=left.outputs,
        findings=(*left.findings, *kept.findings),
        doubtful=kept.cut,
    )
    if found.runs or launched or (over is None and kept.findings):
        return found

    def may_be_ours(path: str) -> bool:
        return told.may_be_ours(path) and (over is None or whose.was_there(Path(path), over.ended))

    remains, _ = outputs.left_behind(begun.places, begun.before, may_be_ours)
    return dataclasses.replace(found, runs=((harness, remains),) if remains is not None else ())


def _observed(staging: Path, begun: Begun, found: _Found, over: Ended | None, secrets: Secrets) -> Observed:
    environment = _environment(staging, begun)
    lost = unfinished.forgotten(begun, secrets)
    killed = Unknown(unknown=_KILLED)
    return Observed(
        origin="live",
        invocation=_invocation(begun, found, environment),
        run=Run(
            started=over.started if over else begun.noted,
            ended=over.ended if over else killed,
            exit_code=over.exit_code if over else killed,
            signal=over.signal if over else None,
            complete=False,
            host=begun.host,
            launcher=begun.launcher,
            resources=over.resources if over else {},
            streams=over.streams if over else {},
        ),
        environment=environment,
        sources=begun.no_source or tuple(_unsearched(each, lost) for each in begun.sources),
        secrets=secrets,
        logs={} if lost else _logs(staging, over),
        findings=(*begun.findings, *found.findings, *_about(begun, over, lost)),
        private=begun.private,
        doubtful=found.doubtful or over is None or (stopping.was_stopped(over) and isinstance(found.harness, Script)),
        reproduces=begun.reproduces,
    )


def _about(begun: Begun, over: Ended | None, lost: list[str]) -> Iterator[Finding]:
    told = ["how the evaluation ended is not known"] if over is None else []
    if lost:
        names = ", ".join(f"`{name}`" for name in lost)
        told.append(
            f"its output and changed files were left out: {names}, to be searched for in them, is not known here"
        )
    yield finding("W346", "bundle.json", "; ".join(told))
    if over is not None:
        yield from stopping.ending(over, begun.launcher)


def _logs(staging: Path, over: Ended | None) -> dict[str, Path]:
    if over is not None:
        logs = {"stdout": over.stdout, "stderr": over.stderr}
    else:
        logs = {name: staging / "logs" / f"{name}.log" for name in ("stdout", "stderr")}
    return {name: path for name, path in logs.items() if path is not None and path.is_file()}


def _unsearched(observed: ObservedSource, lost: list[str]) -> ObservedSource:
    """Leave out of a source what would have to be searched for secrets that nobody here knows."""
    record = observed.source
    paths = [path for path in (record.patch, record.git_bundle) if path]
    if not lost or not paths:
        return observed
    left = [LeftOut(path=path, reason="it could not be searched for the secrets of the run") for path in paths]
    without = dataclasses.replace(observed, patch=None, git_bundle=None, history=None, changed=())
    return with_facts(without, patch=None, git_bundle=None, left_out=[*record.left_out, *left])


def _environment(staging: Path, begun: Begun) -> Environment:
    if not survey(staging / PROBES).processes:
        return environments.unknown(f"{_KILLED}, and no Python of it told what it was")
    # The machine is asked nothing: it may be another one than the evaluation's.
    seen = environments.observe(staging / PROBES, [], {"PATH": ""}, Path(begun.directory))
    missing = f"platform and hardware: {_LATER}"
    return msgspec.structs.replace(seen, platform=None, hardware=None, container=None, missing=[*seen.missing, missing])


def _invocation(begun: Begun, found: _Found, environment: Environment) -> Invocation:
    first = begun.sources[0] if begun.sources else None
    directory = Path(begun.directory).resolve()
    inside = first is not None and directory.is_relative_to(first.root.resolve())
    program = begun.program
    if isinstance(program.path, str) and environment.interpreter is not None:
        again = arguments.program(
            program.path,
            directory=directory,
            environment={},
            interpreter=environment.interpreter,
            source=first.root if first else None,
        )
        program = program if isinstance(again.path, Unknown) else again
    return Invocation(
        argv=begun.argv,
        program=program.path,
        program_in=program.lies_in,
        working_directory=begun.directory,
        source=first.source.name if first and inside else None,
        directory_in_source=directory.relative_to(first.root.resolve()).as_posix() if first and inside else ".",
        environment_variables=begun.variables,
        inputs=begun.inputs,
        outputs=[*begun.named, *found.outputs],
    )
