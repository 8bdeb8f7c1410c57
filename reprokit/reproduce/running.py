"""Starting a command in its workspace, captured as a bundle that names the one it reproduces."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reprokit.archive.location import Archive
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.record import Record
from reprokit.capture.live import capture_command
from reprokit.capture.request import Outcome, Request
from reprokit.capture.running import stopping
from reprokit.errors import CaptureError, EvaluationFailedError, StoppedError
from reprokit.harnesses.script_fields import MEMBERS, choose
from reprokit.reproduce.setting_up import Stage
from reprokit.reproduce.siblings import the_original_s
from reprokit.reproduce.terms import Terms
from reprokit.reproduce.workspace import Workspace
from reprokit.rerun import redirection


def run(bundle: Bundle, record: Record, stage: Stage, terms: Terms, archive: Archive) -> tuple[Bundle, list[str]]:
    """Run the command of a stage to its end and capture it; gives the new bundle, and what is to be said of it.

    Raises:
        EvaluationFailedError: the evaluation failed.
        CaptureError: the new run could not be captured.
        StoppedError: the run, or this program, was asked to stop.
    """
    with talk_on_stderr():
        outcome = capture_command(_request(bundle, record, stage, terms), lambda: archive)
    return _reproduced(outcome, bundle)


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


def _named_files(record: Record, workspace: Workspace) -> tuple[Path | None, tuple[Path, ...]]:
    """Tell where the re-run of a program of one's own writes its results and its samples."""
    if record.harness.name != "script":
        return None, ()
    places = {output.path: place for output, place in redirection.outputs(record.invocation)}
    named: dict[Path, str] = {}
    for at, output in enumerate(record.invocation.outputs):
        place = places.get(output.path)
        path = workspace.path(place) if place else Path(output.path)
        # Older records do not say what a file holds: the results came first.
        named.setdefault(path, output.holds or ("samples" if at else "results"))
    results = next((path for path, holds in named.items() if holds == "results"), None)
    return results, tuple(path for path, holds in named.items() if holds == "samples")


def _request(bundle: Bundle, record: Record, stage: Stage, terms: Terms) -> Request:
    results, samples = _named_files(record, stage.workspace)
    return Request(
        argv=stage.argv,
        directory=stage.directory,
        environment=stage.variables,
        home=terms.home,
        label=terms.label,
        harness=record.harness.name,
        results=results,
        samples=samples,
        fields=choose({member: keys for member, keys in record.harness.fields.items() if member in MEMBERS}),
        private=record.samples == "digest",
        reproduces=bundle.identity,
        given=stage.secrets,
    )


def _reproduced(outcome: Outcome, original: Bundle) -> tuple[Bundle, list[str]]:
    """Open what the re-run became; of several evaluations that one command started, the one that is the original's.

    Gives also what is to be said of the choice.
    """
    if outcome.failure is not None:
        raise CaptureError(
            f"the evaluation ran again, but could not be captured: {outcome.failure}"
        ) from outcome.failure
    every = [open_bundle(each.path) for each in outcome.published]
    if stopping.was_stopped(outcome.ended):
        raise StoppedError(
            "the reproduction was stopped", hint=f"what it had done is kept as `{every[0].info.bundle_id}`"
        )
    if outcome.ended.exit_code != 0:
        how = f"signal {outcome.ended.signal}" if outcome.ended.signal else f"exit status {outcome.ended.exit_code}"
        raise EvaluationFailedError(
            f"the evaluation ended with {how}",
            hint=f"`reprokit show {every[0].info.bundle_id}` and its `process/stderr.log`",
        )
    return the_original_s(every, original)
