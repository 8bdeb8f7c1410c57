"""A run in the making: the block of a program that is running, and what it records of itself.

The block is the user's. Whatever fails in here is told by a warning and kept as `Run.failure`, and never reaches it,
unless it asks for that with `strict`. An exception of its own passes through unchanged. Nothing stays in the process:
no handler of signals, no hook, no thread, and what it prints is its own.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

import msgspec

from reprokit import clock
from reprokit.archive import durable
from reprokit.archive.location import locate
from reprokit.archive.owner import Owner
from reprokit.archive.publication import BAG, OWNER, SPOOL, Publication, publish, remove, stage
from reprokit.archive.registration import fold
from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.values import Json, Unknown
from reprokit.bundle.writing import Label
from reprokit.capture.assembly import Observed, assemble
from reprokit.capture.in_python import plain_values, this_process, warned
from reprokit.capture.in_python.spool import Spool, Spooled
from reprokit.capture.interrupted import unfinished
from reprokit.capture.interrupted.unfinished import BlockEnd
from reprokit.capture.preparation import Prepared, prepare
from reprokit.capture.request import Request, home
from reprokit.capture.wishes import DIGEST, read_wishes
from reprokit.errors import CaptureError, ReprokitError
from reprokit.outbox import queueing
from reprokit.probes import secrets

Place: TypeAlias = str | os.PathLike[str]
About: TypeAlias = str | Mapping[str, object]

_NAMED = 5


class _Block:
    """What an open block works with."""

    def __init__(self, request: Request, prepared: Prepared) -> None:
        self.request = request
        self.prepared = prepared
        self.process = os.getpid()
        self.started = clock.text(clock.now())
        self.spool = Spool(folder=prepared.staging / SPOOL, started=self.started)
        self.end_record: Callable[[], None] = this_process.begin(prepared.probes)
        with contextlib.suppress(Exception):  # it is for a case that may never come
            unfinished.note_block(request, prepared, this_process.not_to_be_run_again())
        self.spool.open()


class Run:
    """A run in the making: made by `reprokit.capture(...)`, and to be used in a `with` statement.

    After the block, `bundle_id` and `path` name its bundle and `findings` are what is worth knowing of it; where it
    could not be captured they are empty, and `failure` says why.
    """

    def __init__(
        self,
        *,
        label: Label,
        archive: Place | None,
        task: str,
        strict: bool,
        samples: Literal["full", "digest"] | None,
        defer: bool | None,
        mirror: bool | None,
    ) -> None:
        self.bundle_id: str | None = None
        self.path: Path | None = None
        self.findings: tuple[Finding, ...] = ()
        self.failure: Exception | None = None
        self._label, self._archive, self._task, self._strict = label, archive, task, strict
        self._samples, self._defer, self._mirror = samples, defer, mirror
        self._block: _Block | None = None
        self._warned = False
        self._unrecorded: list[str] = []
        self._lost = 0

    def __enter__(self) -> Self:
        """Look at the checkout and the interpreter, and make room for what is recorded."""
        try:
            self._block = self._begin()
        except Exception as error:
            self.failure = error
            if self._strict:
                raise
            self._warn(f"this block will not be captured: {_told(error)}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make the bundle. An exception of the block marks it as incomplete, and goes on its way."""
        del kind, trace
        block, self._block = self._block, None
        if block is None or block.process != os.getpid():
            return
        try:
            self._finish(block, error)
        except Exception as failure:
            self.failure = failure
            if self._strict and error is None:
                raise
            left = f"what it recorded is in `{block.spool.folder}`"
            later = "when this process has ended, `reprokit sync` tries again"
            self._warn(f"this block was NOT captured: {_told(failure)}; {left}: {later}", again=True)
        except KeyboardInterrupt:
            # What the block itself was ended by goes first.
            if error is None:
                raise

    def sample(  # noqa: PLR0913 - one for each member of a sample
        self,
        *,
        id: int | str,  # noqa: A002 - the member's name
        prompt: object = None,
        target: object = None,
        response: object = None,
        responses: Sequence[object] | None = None,
        answer: object = None,
        scores: Mapping[str, object] | None = None,
        document: object = None,
        task: str | None = None,
        epoch: int | None = None,
        filter: str | None = None,  # noqa: A002 - the member's name
        **extra: object,
    ) -> None:
        """Record one sample: it is on disk when this returns. May be called from any thread.

        Args:
            id: its key within the task.
            prompt: what the model was asked: text, or a list of messages.
            target: the reference answer.
            response: what the model answered; or, of several answers, `responses`.
            responses: the answers.
            answer: what was extracted from them.
            scores: marks by metric: numbers, or truth values.
            document: the dataset's row.
            task: its task; that of the block when not given.
            epoch: which repeat of it this is, from 1; when not given, the same `id` again is the next.
            filter: the name of the extraction.
            **extra: anything else worth keeping.

        Raises:
            TypeError: with `strict`, a value has no JSON form; nothing was written of the sample.
            OSError: with `strict`, it cannot be written.
        """
        with self._apart_from_the_block():
            block = self._writable()
            if block is None:
                return
            answers = responses if responses is not None else [] if response is None else [response]
            values = {
                "document": document,
                "prompt": prompt,
                "target": target,
                "responses": list(answers),
                "answer": answer,
                "extra": extra,
            }
            odd = self._odd(f"sample {id!r}")
            members = {key: plain_values.plain(value, key, odd) for key, value in values.items()}
            members = {key: value for key, value in members.items() if value not in (None, [], {})}
            members |= {key: value for key, value in (("epoch", epoch), ("filter", filter)) if value is not None}
            marks = {str(key): plain_values.score(value, f"scores.{key}", odd) for key, value in (scores or {}).items()}
            block.spool.add(task or self._task, {"id": _key(id, odd), **members}, marks)

    def metric(
        self,
        name: str,
        value: object,
        *,
        task: str | None = None,
        stderr: float | None = None,
        n: int | None = None,
        higher_is_better: bool | None = None,
        filter: str | None = None,  # noqa: A002 - the member's name
    ) -> None:
        """Record a metric that the program computed itself; without it, it is the mean of the samples' scores.

        Args:
            name: the metric, as in the samples' scores.
            value: a number; a structure is kept, and is no score.
            task: its task; that of the block when not given.
            stderr: its standard error.
            n: how many samples it is over.
            higher_is_better: whether it is.
            filter: the name of the extraction.

        Raises:
            TypeError: with `strict`, the value has no JSON form.
            OSError: with `strict`, it cannot be written.
        """
        with self._apart_from_the_block():
            block = self._writable()
            if block is None:
                return
            row: dict[str, object] = {"task": task or self._task, "metric": name, "value": value, "stderr": stderr}
            row |= {"n": n, "higher_is_better": higher_is_better, "filter": filter}
            odd = self._odd(f"metric {name!r}")
            kept = {"value", "task", "metric"}
            block.spool.give(
                {
                    key: plain_values.plain(each, key, odd)
                    for key, each in row.items()
                    if each is not None or key in kept
                }
            )

    def subject(self, *, model: About | None = None, dataset: About | Sequence[About] | None = None) -> None:
        """Say what is evaluated, and on what.

        Args:
            model: its name, or a table with `name`, `revision` and whatever else is worth saying.
            dataset: the same of the data, or a list for several.

        Raises:
            TypeError: with `strict`, a value has no JSON form.
            OSError: with `strict`, it cannot be written.
        """
        with self._apart_from_the_block():
            block = self._writable()
            if block is not None:
                about = {key: value for key, value in (("model", model), ("datasets", dataset)) if value is not None}
                block.spool.say({key: plain_values.plain(each, key, self._odd(key)) for key, each in about.items()})

    def file(self, path: Place) -> None:
        """Take a file along, as it is when the block ends: a plot, a log, the notebook itself.

        Raises:
            UsageError: with `strict`, the block is over, or another process opened it.
        """
        with self._apart_from_the_block():
            block = self._writable()
            if block is not None:
                block.spool.want(block.request.directory / Path(path))

    def _begin(self) -> _Block:
        directory, environment = Path.cwd(), dict(os.environ)
        wishes = read_wishes(directory, environment)
        if wishes.unheeded is not None and self._mirror is None:
            self._warn(f"`mirror` in `{wishes.unheeded}` is not followed: say `mirror=True`, or REPROKIT_MIRROR=1")
        request = Request(
            argv=this_process.command_line(),
            directory=directory,
            environment=environment,
            home=home(),
            label=self._label,
            harness="script",
            private=wishes.private if self._samples is None else self._samples == DIGEST,
            defer=wishes.defer if self._defer is None else self._defer,
            mirror=wishes.mirror_if(self._mirror),
        )
        named = None if self._archive is None else Path(self._archive)
        prepared = prepare(request, lambda: locate(named, environment=environment, directory=directory, create=True))
        block = _Block(request, prepared)
        _describe(block)
        return block

    def _finish(self, block: _Block, error: BaseException | None) -> None:
        ended = clock.text(clock.now())
        block.end_record()
        block.spool.close()
        missed = block.spool.take_wanted(block.request.directory)
        self._unrecorded += missed
        if missed:
            self._warn(f"not recorded: {'; '.join(missed)}")
        end = BlockEnd(
            ended=ended,
            left=_how_left(error),
            whole=_ended_well(error) and not self._lost,
            remarks=(*_about_exception(error), *self._about_unrecorded()),
        )
        with contextlib.suppress(Exception):
            unfinished.note_block_over(block.prepared, end)
        observed = this_process.observe(
            block.request, block.prepared, started=block.started, ended=ended, left=end.left, remarks=end.remarks
        )
        published = _publish(block, observed, Spooled(block.spool, whole=end.whole))
        queued = queueing.queue(block.prepared.archive, block.prepared.wanted, [published.bundle_id])
        if not block.request.defer:
            fold(block.prepared.archive)
        if queued is not None and queued.failure is not None:
            self._warn(f"captured, and not queued for `{queued.mirror}`: {_told(queued.failure)}", again=True)
        self.bundle_id, self.path = published.bundle_id, published.path
        self.findings = tuple(open_bundle(published.path).record.findings)

    def _writable(self) -> _Block | None:
        """Give the block; none when it is not captured, which was told then."""
        block = self._block
        if block is None:
            if self.failure is None:
                raise CaptureError("nothing can be recorded outside of the `with` block")
            return None
        if block.process != os.getpid():
            raise CaptureError("only the process that opened the block can record; give the results back to it")
        return block

    @contextlib.contextmanager
    def _apart_from_the_block(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if self._strict:
                raise
            self._lost += 1
            self._unrecorded.append(_told(error))
            self._warn(f"not recorded: {_told(error)}")

    def _odd(self, whose: str) -> plain_values.Odd:
        def leave_out(where: str, value: object) -> Json:
            text = f"{whose}, `{where}`: {plain_values.type_name(value)} has no JSON form"
            if self._strict:
                raise TypeError(text)
            self._unrecorded.append(text)
            self._warn(f"not recorded: {text}")
            return {"not_recorded": plain_values.type_name(value)}

        return leave_out

    def _about_unrecorded(self) -> Iterator[Finding]:
        if self._unrecorded:
            more = len(self._unrecorded) - _NAMED
            named = "; ".join(self._unrecorded[:_NAMED])
            yield finding("W351", "harness", named + (f"; and {more} more" if more > 0 else ""))

    def _warn(self, text: str, *, again: bool = False) -> None:
        """Warn once a run, unless the warning is worth a second one."""
        if self._warned and not again:
            return
        self._warned = True
        warned.warn(text)


def _publish(block: _Block, observed: Observed, adapter: Spooled) -> Publication:
    """Make the bundle in a folder of its own: until it is published, all that it is made of stays as it is."""
    staging, archive = block.prepared.staging, block.prepared.archive
    (run,) = adapter.find([])
    staged = stage(archive, {"description": "bundle of a `reprokit.capture()` block"})
    try:
        made = assemble(staged / BAG, observed, adapter, run, block.request.label, scratch=staging / "scratch")
        with contextlib.suppress(Exception):
            unfinished.note_sealed(archive, staging, {unfinished.run_key(None): made.bundle_id})
        published = publish(archive, staged)
    except BaseException:
        remove(staged)
        raise
    unfinished.let_go(staging)
    return published


def _how_left(error: BaseException | None) -> Unknown:
    if error is None:
        return Unknown(unknown="the block ended, and the process went on")
    return Unknown(unknown=f"the block ended by `{type(error).__name__}`; what the process did afterwards is not known")


def _key(value: object, odd: plain_values.Odd) -> int | str:
    key = plain_values.plain(value, "id", odd)
    return key if isinstance(key, int | str) and not isinstance(key, bool) else str(key)


def _ended_well(error: BaseException | None) -> bool:
    return error is None or (isinstance(error, SystemExit) and error.code in {None, 0})


def _about_exception(error: BaseException | None) -> Iterator[Finding]:
    if error is not None and not _ended_well(error):
        told = "".join(traceback.format_exception_only(error)).strip()
        yield finding("W310", "bundle.json", told)


def _told(error: Exception) -> str:
    if isinstance(error, ReprokitError):
        return f"{error.message} (hint: {error.hint})" if error.hint else error.message
    return str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"


def _describe(block: _Block) -> None:
    """Say in the staging folder what it is, for whoever finds it after the process was killed."""
    staging, archive = block.prepared.staging, block.prepared.archive
    described = canonical.decode((staging / OWNER).read_bytes(), Owner)
    name = block.request.label.name
    named = f" named `{secrets.redact_string(name, block.prepared.secrets)}`" if name else ""
    described = msgspec.structs.replace(described, description=f"a `reprokit.capture()` block{named}")
    durable.write(staging / OWNER, canonical.record(described), archive=archive)
