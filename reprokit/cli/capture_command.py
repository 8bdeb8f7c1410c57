"""`reprokit capture`."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reprokit.archive import location, settings
from reprokit.archive.location import Archive
from reprokit.archive.tags.events import require_tag
from reprokit.bundle.writing import Label
from reprokit.capture.live import capture_command
from reprokit.capture.mapping import Mapping, known_names, read_mappings
from reprokit.capture.request import Outcome, Request, home
from reprokit.capture.running import process
from reprokit.capture.wishes import (
    DIGEST,
    MIRROR_VARIABLE,
    Evaluator,
    Wishes,
    check_harness,
    evaluator,
    read_wishes,
    split_samples,
)
from reprokit.cli.after_capture import follow
from reprokit.cli.finished_runs import Finished, capture_finished, tell_folding, tell_publication
from reprokit.cli.messages import explain_failure, say
from reprokit.cli.options import archive_option, find_archive, json_option
from reprokit.errors import ExitCode, ReprokitError, UsageError


@click.command(
    "capture",
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False},
)
@click.option("--from", "finished", type=click.Path(path_type=Path), help="Capture outputs that already exist instead.")
@click.option("--recursive", is_flag=True, help="With --from: a table of all runs; refuse bad ones, resume, go on.")
@click.option("--dry-run", is_flag=True, help="With --from: say what would be captured, and write nothing.")
@click.option("--name", help="What to call the bundle.")
@click.option("--tag", "tags", multiple=True, help="A label to find it by. May be given more than once.")
@click.option("--note", help="A line about it.")
@click.option(
    "--harness",
    metavar="NAME",
    help=f"Who evaluates, when it cannot be seen: {', '.join(known_names(()))}, or a mapping of reprokit.toml.",
)
@click.option("--results", type=click.Path(path_type=Path), help="The metrics file that your own program writes.")
@click.option(
    "--samples",
    multiple=True,
    metavar="FILE|digest|full",
    help="A samples file that it writes; or `digest`: keep samples, of any harness, as digests only.",
)
@click.option("--defer/--no-defer", default=None, help="Publish the bundle, and leave registering to `reprokit sync`.")
@click.option("--mirror/--no-mirror", default=None, help="Copy the bundle to W&B, in the background, when all is over.")
@click.option("--wait", is_flag=True, help="With --mirror: stay until the bundle is there, or has to wait.")
@click.option("--with-wheels", is_flag=True, help="Keep the environment's wheels: it can be rebuilt without a network.")
@click.option("--strict", is_flag=True, help="Exit with 23 when the evaluation succeeds and its capture does not.")
@archive_option
@json_option
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(
    finished: Path | None,
    recursive: bool,
    dry_run: bool,
    name: str | None,
    tags: tuple[str, ...],
    note: str | None,
    harness: str | None,
    results: Path | None,
    samples: tuple[str, ...],
    defer: bool | None,
    mirror: bool | None,
    wait: bool,
    with_wheels: bool,
    strict: bool,
    archive: Path | None,
    as_json: bool,
    argv: tuple[str, ...],
) -> int:
    """Run COMMAND and keep the run as a sealed bundle: results, samples, environment, git state, invocation.

    The command's input, output, signals and exit status are its own, whatever happens to the capture: reprokit exits
    with the command's status, or 125 when it could not be started. lm-eval and lmms-eval are recognised; for a program
    of your own, name the files it writes, or let a `reprokit.toml` name them.

    With --from nothing runs: every finished run below the folder is captured as it is, and nothing of today's machine
    goes into it. --recursive is for trees of old folders: a run that is damaged, has no results, holds a secret or
    changed within the last minute is refused and told, none stops the others, a second call goes on where the first
    ended, and all is committed at once. It exits with 1 when a run was refused.

    With --mirror the bundle is copied to Weights & Biases once the command's status is settled, by another process that
    nobody waits for; what cannot be sent waits, and `reprokit sync` sends it.

    \b
    Examples:
      reprokit capture -- lm_eval run --model hf --model_args pretrained=org/model --tasks gsm8k \\
          --output_path out --log_samples
      reprokit capture --results metrics.json --samples predictions.jsonl -- python evaluate.py
      reprokit capture --mirror --from out --tag paper
      reprokit capture --from /data/old --recursive --dry-run
    """
    _check_usage(finished, argv, only_finished=recursive or dry_run or as_json, only_live=with_wheels)
    files, kept = split_samples(samples, _directory())
    for tag in tags:
        require_tag(tag)
    label = Label(name=name, tags=tags, note=note)
    flags = _Flags(
        harness=harness,
        results=results,
        samples=files,
        kept=kept,
        defer=defer,
        mirror=mirror,
        wait=wait,
        wheels=with_wheels,
    )
    if finished is not None:
        wished = read_wishes(_directory(), os.environ, place=finished)
        _tell_unheeded(wished, flags)
        wishes = flags.over(wished)
        _check_wait(flags, wishes.mirror)
        mappings = read_mappings(_directory(), place=finished)
        check_harness(harness, mappings)
        return capture_finished(
            Finished(
                place=finished,
                recursive=recursive,
                dry=dry_run,
                harness=harness,
                results=results,
                samples=files,
                mappings=mappings,
                wishes=wishes,
                label=label,
                wait=wait,
            ),
            archive,
            home=home(),
            as_json=as_json,
        )
    return _run(argv, flags, label, archive, strict=strict)


@dataclass(frozen=True, kw_only=True)
class _Flags:
    """What was said of the capture on the command line."""

    harness: str | None
    results: Path | None
    samples: tuple[Path, ...]
    kept: str | None
    defer: bool | None
    mirror: bool | None
    wait: bool
    wheels: bool

    def over(self, wishes: Wishes) -> Wishes:
        """Put the flags above what the environment and the settings wish."""
        return replace(
            wishes,
            private=wishes.private if self.kept is None else self.kept == DIGEST,
            defer=wishes.defer if self.defer is None else self.defer,
            mirror=wishes.mirror_if(self.mirror),
        )


def _check_usage(finished: Path | None, argv: tuple[str, ...], *, only_finished: bool, only_live: bool) -> None:
    if finished is not None and argv:
        raise UsageError("capture takes a command or `--from`, not both", hint="see `reprokit capture --help`")
    if finished is not None and only_live:
        raise UsageError("`--with-wheels` goes with a command", hint="nothing of today's machine goes in with `--from`")
    if finished is None and not argv:
        raise UsageError("capture needs a command after `--`, or `--from`", hint="see `reprokit capture --help`")
    if finished is None and only_finished:
        raise UsageError(
            "`--recursive`, `--dry-run` and `--json` go with `--from`", hint="see `reprokit capture --help`"
        )


def _check_wait(flags: _Flags, mirror: str | None) -> None:
    if flags.wait and mirror is None:
        raise UsageError("`--wait` waits for a mirror, and none is wanted", hint="add `--mirror`, or leave it out")


def _run(argv: tuple[str, ...], flags: _Flags, label: Label, archive: Path | None, *, strict: bool) -> int:
    request, mistake = _request(argv, flags, label)
    _check_wait(flags, request.mirror if mistake is None else "")
    found: list[Archive] = []

    def found_archive() -> Archive:
        # Settings that cannot be followed must not keep the evaluation from running.
        if mistake is not None:
            raise mistake
        found.append(find_archive(archive, create=True))
        return found[0]

    outcome = capture_command(request, found_archive, _warn, last=True, warn_of_mirror=_warn_of_mirror)
    # Its status is settled: nothing that happens while it is told may change it.
    with suppress(Exception, KeyboardInterrupt):
        _tell(outcome, request)
        follow(next(iter(found), None), outcome.queued, wait=flags.wait, defer=request.defer)
    if not strict or outcome.failure is None or outcome.ended.exit_code != 0:
        process.exit_like(outcome.ended)
    return ExitCode.CAPTURE_FAILED


def _request(argv: tuple[str, ...], flags: _Flags, label: Label) -> tuple[Request, ReprokitError | None]:
    """Make the request, and tell what is wrong with the settings, if anything is."""
    mistake: ReprokitError | None = None
    try:
        mappings = read_mappings(_directory())
        wishes = read_wishes(_directory(), os.environ)
        chosen = _evaluator(argv, flags, wishes, mappings)
    except ReprokitError as error:
        # A flag is the caller's, and a mistake in it is told before anything runs.
        if flags.harness is not None:
            raise
        mistake, wishes = error, Wishes()
        chosen = _evaluator(argv, flags, wishes, ())
    _tell_unheeded(wishes, flags)
    wishes = flags.over(wishes)
    request = Request(
        argv=argv,
        directory=_directory(),
        environment=dict(os.environ),
        home=home(),
        label=label,
        harness=chosen.harness,
        results=chosen.results,
        samples=chosen.samples,
        fields=chosen.fields,
        private=wishes.private,
        defer=wishes.defer,
        mirror=wishes.mirror,
        wheels=flags.wheels,
    )
    return request, mistake


def _evaluator(argv: tuple[str, ...], flags: _Flags, wishes: Wishes, mappings: tuple[Mapping, ...]) -> Evaluator:
    return evaluator(
        argv,
        harness=flags.harness,
        results=flags.results,
        samples=flags.samples,
        wishes=wishes,
        mappings=mappings,
    )


def _directory() -> Path:
    try:
        return Path.cwd()
    except OSError:
        # It was deleted; the evaluation starts in it all the same.
        return Path(os.environ.get("PWD", "/"))


def _warn(failure: Exception | None) -> None:
    reason = failure.message if isinstance(failure, ReprokitError) else failure
    say(f"reprokit: WARNING: this run will not be captured: {reason}")


def _warn_of_mirror(failure: Exception) -> None:
    reason = failure.message if isinstance(failure, ReprokitError) else failure
    say(f"reprokit: WARNING: this run will be captured, and not queued for its mirror: {reason}")


def _tell_unheeded(wishes: Wishes, flags: _Flags) -> None:
    """Tell of a wish for a mirror that is not the user's."""
    if wishes.unheeded is not None and flags.mirror is None:
        say(
            f"reprokit: nothing is copied to a mirror: `{wishes.unheeded}` asks for it, and it is neither an archive's "
            f"file nor your own; if you want it, add `--mirror`, or set `{MIRROR_VARIABLE}=1`"
        )


def _later(outcome: Outcome, request: Request) -> str:
    """Write the command that captures the outputs later."""
    words = ["reprokit", "capture", *(["--samples", DIGEST] if request.private else []), "--from"]
    if request.results is None and not request.samples:
        return shlex.join([*words, str(outcome.places[0]) if outcome.places else "DIR"])
    words.append(".")
    if request.results is not None:
        words += ["--results", str(request.results)]
    for path in request.samples:
        words += ["--samples", str(path)]
    return shlex.join(words)


def _tell(outcome: Outcome, request: Request) -> None:
    for path in location.settings_files(request.directory):
        for each in settings.unknown_keys(path):
            say(f"reprokit: {each.code} {each.where}: {each.message}")
    for publication in outcome.published:
        tell_publication(publication)
    tell_folding(outcome.folding)
    if outcome.failure is None:
        return
    say("reprokit: the evaluation ran and its outputs are where it wrote them, but it was NOT captured")
    explain_failure(outcome.failure)
    command = "reprokit sync" if outcome.unfinished else _later(outcome, request)
    say(f"hint: once that is mended, capture it with `{command}`")
