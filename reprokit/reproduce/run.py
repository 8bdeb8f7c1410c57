"""Carrying out a plan: workspace, run, new bundle, comparison, verdict."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from reprokit import clock
from reprokit.archive.ledger import Event
from reprokit.archive.location import Archive
from reprokit.archive.locks import CompletedLock
from reprokit.archive.notes import note
from reprokit.bundle import bag, rerun
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.live import capture_command
from reprokit.capture.request import Outcome, Request
from reprokit.diff.agreement import Agreement, agreement
from reprokit.diff.difference import Difference
from reprokit.errors import CaptureError, EvaluationFailedError, FixityError, InputMissingError
from reprokit.harnesses.script_fields import MEMBERS, choose
from reprokit.reproduce.plan import Plan
from reprokit.reproduce.workspace import Workspace, command, prepare, variables

SCHEMA = "https://w3id.org/reprokit/v1/reproduction.schema.json"


class Reproduction(Struct, frozen=True, kw_only=True):
    """What came out of running a bundle again. `remarks` say what could not be had as recorded."""

    schema: str = SCHEMA
    original: str
    reproduced_as: str
    path: str
    verdict: Agreement
    reason: str
    remarks: list[str]
    difference: Difference


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a reproduction is to be carried out.

    `workspace` is a new or empty folder; `origin` a clone or an address to take the source from; `completed` what an
    index said of the packages.
    """

    workspace: Path
    origin: str | None
    allow_sdist: bool
    environ: Mapping[str, str]
    label: Label
    completed: CompletedLock | None = None


def require_intact(bundle: Bundle) -> None:
    """Read every byte of a bundle before anything in it is believed.

    Raises:
        FixityError: it is not what was captured.
    """
    damage = list(bag.verify(bundle.path))
    if damage:
        raise FixityError(
            f"`{bundle.info.bundle_id}` is not what was captured: {damage[0].where}: {damage[0].message}",
            hint="`reprokit validate` lists all that is wrong",
        )


def require_possible(plan: Plan) -> None:
    """Stop before anything runs when it is known that the run cannot be made again.

    Raises:
        InputMissingError: it says what is missing.
    """
    reasons = [*plan.obstacles, *plan.missing]
    if reasons:
        raise InputMissingError(f"`{plan.bundle}` cannot be reproduced here: {'; '.join(reasons)}")


@contextmanager
def talk_on_stderr() -> Iterator[None]:
    """Send what the evaluation prints to stderr: stdout is for the result."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _named_files(bundle: Bundle, workspace: Workspace) -> tuple[Path | None, tuple[Path, ...]]:
    """Tell where the re-run of a program of one's own writes its results and its samples."""
    record = bundle.record
    if record.harness.name != "script":
        return None, ()
    places = {output.path: place for output, place in rerun.outputs(record.invocation)}
    named: dict[Path, str] = {}
    for at, output in enumerate(record.invocation.outputs):
        place = places.get(output.path)
        path = workspace.root / place.folder / place.path if place else Path(output.path)
        # Older records do not say what a file holds: the results came first.
        named.setdefault(path, output.holds or ("samples" if at else "results"))
    results = next((path for path, holds in named.items() if holds == "results"), None)
    return results, tuple(path for path, holds in named.items() if holds == "samples")


def _request(bundle: Bundle, workspace: Workspace, terms: Terms, *, rebuilt: bool) -> Request:
    record = bundle.record
    again = rerun.plan(record, bundle.sources)
    results, samples = _named_files(bundle, workspace)
    return Request(
        argv=command(again, workspace, rebuilt=rebuilt, environ=terms.environ),
        directory=workspace.source / again.directory.path,
        environment=variables(again, workspace, rebuilt=rebuilt, environ=terms.environ),
        home=Path(terms.environ.get("HOME", "/")),
        label=terms.label,
        harness=record.harness.name,
        results=results,
        samples=samples,
        fields=choose({member: keys for member, keys in record.harness.fields.items() if member in MEMBERS}),
        private=record.samples == "digest",
        reproduces=bundle.identity,
    )


def _reproduced(outcome: Outcome, original: Bundle) -> Bundle:
    """Open what the re-run became: of several evaluations that one command started, the one most like the original."""
    if outcome.failure is not None:
        raise CaptureError(
            f"the evaluation ran again, but could not be captured: {outcome.failure}"
        ) from outcome.failure
    new = max((open_bundle(each.path) for each in outcome.published), key=lambda each: _likeness(each, original))
    if outcome.ended.exit_code != 0:
        how = f"signal {outcome.ended.signal}" if outcome.ended.signal else f"exit status {outcome.ended.exit_code}"
        raise EvaluationFailedError(
            f"the evaluation ended with {how}",
            hint=f"`reprokit show {new.info.bundle_id}` and its `process/stderr.log`",
        )
    return new


def _likeness(one: Bundle, other: Bundle) -> int:
    """Count the tasks and models that two runs have in common."""
    tasks = {task.name for task in one.results.tasks} & {task.name for task in other.results.tasks}
    models = {part.name for part in one.record.subject.models} & {part.name for part in other.record.subject.models}
    return len(tasks) + len(models)


def reproduce(bundle: Bundle, plan: Plan, archive: Archive, terms: Terms) -> Reproduction:
    """Run a bundle's evaluation again, capture it, and say how the two agree.

    Consent is the caller's duty: this runs the bundle's code.

    Raises:
        InputMissingError: something that the run needs is not to be had.
        FixityError: the restored source is not the tree that was captured.
        EvaluationFailedError: the evaluation failed.
        CaptureError: the new run could not be captured.
    """
    require_possible(plan)
    workspace = prepare(
        bundle,
        plan,
        terms.workspace,
        origin=terms.origin,
        environ=terms.environ,
        allow_sdist=terms.allow_sdist,
        completed=terms.completed,
    )
    request = _request(bundle, workspace, terms, rebuilt=plan.environment.mode == "rebuild")
    from reprokit.diff.compare import compare  # noqa: PLC0415 - numpy is loaded only to compare

    with talk_on_stderr():
        outcome = capture_command(request, lambda: archive)
    new = _reproduced(outcome, bundle)
    difference = compare(bundle, new)
    agreed = agreement(difference)
    event = Event(
        event="reproduced",
        time=clock.text(clock.now()),
        bundle=bundle.info.bundle_id,
        identity=bundle.identity,
        detail={"as": new.info.bundle_id, "verdict": agreed.agreement, "reason": agreed.reason},
    )
    postponed = note(archive, event, f"reproduce {bundle.info.bundle_id}")
    remarks = [*workspace.remarks, *([f"the ledger is yet to be committed: {postponed}"] if postponed else [])]
    return Reproduction(
        original=bundle.info.bundle_id,
        reproduced_as=new.info.bundle_id,
        path=str(new.path),
        verdict=agreed.agreement,
        reason=agreed.reason,
        remarks=remarks,
        difference=difference,
    )
