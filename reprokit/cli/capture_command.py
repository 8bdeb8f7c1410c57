"""`reprokit capture`."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

import click

from reprokit.archive.publication import Publication
from reprokit.archive.registration import Folding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture import process
from reprokit.capture.finished import capture_finished, find_runs
from reprokit.capture.live import capture_command
from reprokit.capture.request import Outcome, Request
from reprokit.cli.messages import explain_failure, say
from reprokit.cli.options import archive_option, counted, find_archive
from reprokit.errors import ExitCode, ReprokitError, UsageError
from reprokit.harnesses import table
from reprokit.probes import secrets

HARNESSES = [*(harness.name for harness in table.HARNESSES), "script"]


@click.command(
    "capture",
    short_help="Run an evaluation and keep it as a bundle.",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
)
@click.option("--from", "finished", type=click.Path(path_type=Path), help="Capture outputs that already exist instead.")
@click.option("--name", help="What to call the bundle.")
@click.option("--tag", "tags", multiple=True, help="A label to find it by. May be given more than once.")
@click.option("--note", help="A line about it.")
@click.option("--harness", type=click.Choice(HARNESSES), help="Who evaluates, when it cannot be seen.")
@click.option("--results", type=click.Path(path_type=Path), help="The metrics file that your own program writes.")
@click.option("--samples", multiple=True, type=click.Path(path_type=Path), help="A samples file that it writes.")
@click.option("--strict", is_flag=True, help="Exit with 23 when the evaluation succeeds and its capture does not.")
@archive_option
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(
    finished: Path | None,
    name: str | None,
    tags: tuple[str, ...],
    note: str | None,
    harness: str | None,
    results: Path | None,
    samples: tuple[Path, ...],
    strict: bool,
    archive: Path | None,
    argv: tuple[str, ...],
) -> int:
    """Run COMMAND and keep the run as a sealed bundle: results, samples, environment, git state, invocation.

    The command's input, output, signals and exit status are its own, whatever happens to the capture: reprokit exits
    with the command's status, or 125 when it could not be started. lm-eval and lmms-eval are recognised; for a program
    of your own, name the files it writes.

    \b
    Examples:
      reprokit capture -- lm_eval run --model hf --model_args pretrained=org/model --tasks gsm8k \\
          --output_path out --log_samples
      reprokit capture --results metrics.json --samples predictions.jsonl -- python evaluate.py
      reprokit capture --from out --tag paper
    """
    label = Label(name=name, tags=tags, note=note)
    if finished is not None and argv:
        raise UsageError("capture takes a command or `--from`, not both", hint="see `reprokit capture --help`")
    if finished is None and not argv:
        raise UsageError("capture needs a command after `--`, or `--from`", hint="see `reprokit capture --help`")
    if finished is not None:
        return _from(finished, harness, results, samples, label, archive)
    request = Request(
        argv=argv,
        directory=_directory(),
        environment=dict(os.environ),
        home=_home(),
        label=label,
        harness=harness,
        results=results,
        samples=samples,
    )
    outcome = capture_command(request, lambda: find_archive(archive, create=True), _warn, last=True)
    # Its status is settled: nothing that happens while it is told may change it.
    with suppress(Exception, KeyboardInterrupt):
        _tell(outcome, request)
    if not strict or outcome.failure is None or outcome.ended.exit_code != 0:
        process.exit_like(outcome.ended)
    return ExitCode.CAPTURE_FAILED


def _directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        # It was deleted; the evaluation starts in it all the same.
        return Path(os.environ.get("PWD", "/"))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A user without a name, as in containers.
        return Path("/")


def _from(
    place: Path,
    harness: str | None,
    results: Path | None,
    samples: tuple[Path, ...],
    label: Label,
    archive: Path | None,
) -> int:
    runs = find_runs(place, harness=harness, results=results, samples=samples)
    known = secrets.collect(os.environ, _home())
    folding = capture_finished(
        find_archive(archive, create=True), runs, secrets=known, label=label, told=_tell_publication
    )
    _tell_folding(folding)
    return ExitCode.FINE


def _tell_publication(publication: Publication) -> None:
    if not publication.new:
        say(f"reprokit: already captured as {publication.bundle_id}; its name, tags and note stay as they are")
        return
    bundle = open_bundle(publication.path)
    tasks = [task for task in bundle.results.tasks if task.samples_file]
    count = sum(task.samples_saved for task in tasks)
    say(f"reprokit: captured {publication.bundle_id}")
    say(f"  {counted(len(bundle.results.metrics), 'metric')}, {counted(count, 'sample')}, in {publication.path}")
    for each in bundle.record.findings:
        say(f"  {each.code} {each.where}: {each.message}")


def _tell_folding(folding: Folding | None) -> None:
    if folding is not None and folding.left:
        say(f"reprokit: published, not yet committed: {folding.reason}; the next command does it")


def _warn(failure: Exception | None) -> None:
    reason = failure.message if isinstance(failure, ReprokitError) else failure
    say(f"reprokit: WARNING: this run will not be captured: {reason}")


def _later(outcome: Outcome, request: Request) -> str:
    """Write the command that captures the outputs later."""
    words = ["reprokit", "capture", "--from"]
    if request.results is None and not request.samples:
        return shlex.join([*words, str(outcome.places[0]) if outcome.places else "DIR"])
    words.append(".")
    if request.results is not None:
        words += ["--results", str(request.results)]
    for path in request.samples:
        words += ["--samples", str(path)]
    return shlex.join(words)


def _tell(outcome: Outcome, request: Request) -> None:
    for publication in outcome.published:
        _tell_publication(publication)
    _tell_folding(outcome.folding)
    if outcome.failure is None:
        return
    say("reprokit: the evaluation ran and its outputs are where it wrote them, but it was NOT captured")
    explain_failure(outcome.failure)
    say(f"hint: once that is mended, capture it with `{_later(outcome, request)}`")
