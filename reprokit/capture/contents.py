"""What goes into the payload besides the records, and what is kept out of it: files, samples, patches, logs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Withheld
from reprokit.bundle.results import Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.source import LeftOut, Source
from reprokit.bundle.writing import Payload, Readable
from reprokit.capture import private
from reprokit.consistency import Consistency
from reprokit.git import GitError
from reprokit.harnesses.interface import FoundRun, Harness, Reading
from reprokit.probes import binary_patch, credential_files, history, secrets, untracked
from reprokit.probes.interpreter import media
from reprokit.probes.interpreter.media import SeenMedia
from reprokit.probes.secrets import Secrets
from reprokit.probes.source import ObservedSource
from reprokit.probes.working_tree import OUTPUT

Value = TypeVar("Value")
_BATCH = 1 << 18
"""Bytes of sample lines that are searched for secrets at once."""


@dataclass(kw_only=True)
class Contents:
    """The payload of one bundle in the making, and what there is to say about it.

    With `private`, the content of samples stays out.
    """

    payload: Payload
    secrets: Secrets
    private: bool
    media: SeenMedia | None
    findings: list[Finding]
    withheld: list[Withheld]

    def withhold(self, path: str, names: set[str]) -> None:
        """Note what is kept out because of the secrets it holds."""
        listed = ", ".join(sorted(names))
        self.withheld.append(Withheld(path=path, reason=f"holds the secret {listed}"))
        self.findings.append(finding("W312", path, listed))

    def keep_private(self, path: str) -> None:
        """Note what is kept out because it may hold what a sample says."""
        self.withheld.append(Withheld(path=path, reason=private.REASON))


@dataclass(kw_only=True)
class _Seen:
    """What goes by while a task's samples are written."""

    consistency: Consistency
    count: int = 0


def redacted(value: Value, kind: type[Value], known: Secrets) -> Value:
    """Copy a record without its secrets."""
    return msgspec.convert(secrets.redact_json(msgspec.to_builtins(value), known), kind)


def add_harness_files(contents: Contents, run: FoundRun, reading: Reading) -> set[PurePosixPath]:
    """Copy the harness's files; returns those that could not be taken and are not to be read either."""
    unusable: set[PurePosixPath] = set()
    # Beside the results, any file of a harness may hold what its samples say: caches, logs, tables.
    may_show = {*run.files} - {run.results} | {*reading.sample_files.values()}
    for file in run.files:
        path = f"harness/{file}"
        if contents.private and file in may_show:
            contents.keep_private(path)
            continue
        try:
            names = _add_harness_file(contents, run.root / file, file)
        except OSError as error:
            unusable.add(file)
            contents.withheld.append(Withheld(path=path, reason=f"cannot be read: {error.strerror}"))
            contents.findings.append(finding("W302", path, f"cannot be read: {error.strerror}"))
            continue
        if names:
            unusable.add(file)
            contents.withhold(path, names)
    return unusable


def _add_harness_file(contents: Contents, source: Path, file: PurePosixPath) -> set[str]:
    """Copy a file unless it, or its name, holds secrets; returns their names."""
    found = secrets.redact_text(str(file).encode(errors="replace"), contents.secrets)[1]
    if found:
        return found

    def holds_none(copying: Readable) -> bool:
        found.update(secrets.names_in_stream(copying, contents.secrets))
        return not found

    contents.payload.add_file(source, PurePosixPath("harness") / file, "harness", accept=holds_none)
    return found


def _lines(contents: Contents, rows: Iterator[Sample | Finding], seen: _Seen) -> Iterator[bytes]:
    """Write samples as lines, many at a time: to search them one by one would take most of a capture."""
    batch: list[tuple[Sample, bytes]] = []
    size = 0
    for row in rows:
        if isinstance(row, Finding):
            contents.findings.append(row)
            continue
        line = canonical.line(private.as_digests(row) if contents.private else row) + b"\n"
        batch.append((row, line))
        size += len(line)
        if size >= _BATCH:
            yield _without_secrets(contents, batch, seen)
            batch, size = [], 0
    yield _without_secrets(contents, batch, seen)


def _without_secrets(contents: Contents, batch: list[tuple[Sample, bytes]], seen: _Seen) -> bytes:
    """Join lines but for those that hold a secret, which stood in another form in the harness's file."""
    joined = b"".join(line for _, line in batch)
    if secrets.names_in_text(joined, contents.secrets):
        batch = [each for each in batch if not _withheld(contents, *each)]
        joined = b"".join(line for _, line in batch)
    for sample, _ in batch:
        seen.consistency.see(sample)
    seen.count += len(batch)
    return joined


def _withheld(contents: Contents, sample: Sample, line: bytes) -> bool:
    names = secrets.names_in_text(line, contents.secrets)
    if names:
        contents.withhold(f"sample {sample.id!r} of {sample.task}", names)
    return bool(names)


def add_samples(
    contents: Contents, harness: Harness, run: FoundRun, reading: Reading, unusable: set[PurePosixPath]
) -> list[Task]:
    """Write each task's samples and hold the results against them; returns the tasks with what was really written."""
    tasks: list[Task] = []
    consistency = Consistency(reading.results)
    # A task's samples may come from several files: those that were kept out are not read either.
    readable = dataclasses.replace(run, samples=tuple(file for file in run.samples if file not in unusable))
    for task in reading.results.tasks:
        file = reading.sample_files.get(task.name)
        if file is None or file in unusable or task.samples_file is None:
            tasks.append(msgspec.structs.replace(task, samples_saved=0, samples_file=None))
            continue
        seen = _Seen(consistency=consistency)
        path = contents.payload.free_name(task.samples_file)
        contents.payload.add(path, "samples", _lines(contents, _samples(contents, harness, readable, task.name), seen))
        tasks.append(msgspec.structs.replace(task, samples_saved=seen.count, samples_file=path))
    contents.findings += consistency.findings()
    contents.findings += media.findings(contents.media) if contents.media else []
    return tasks


def _samples(contents: Contents, harness: Harness, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
    """Stream a task's samples, each with its media."""
    for row in harness.samples(run, task):
        yield row if contents.media is None or isinstance(row, Finding) else media.with_media(row, contents.media)


def _add_patch(contents: Contents, source: Source, file: Path, path: str) -> Source:
    """Add the patch of a checkout, unless it holds a secret; returns the source as it then is."""
    names = secrets.names_in_file(file, contents.secrets)
    for data in binary_patch.contents(file):
        names |= secrets.names_in_text(data, contents.secrets)
    if not names:
        contents.payload.add_file(file, PurePosixPath(path), "source")
        return source
    return msgspec.structs.replace(source, patch=None, left_out=[*source.left_out, _withhold(contents, path, names)])


def _add_history(contents: Contents, source: Source, seen: history.History | None, file: Path, path: str) -> Source:
    """Add the commits that are on no remote, unless they hold a secret; returns the source as it then is."""
    names: set[str] = set()
    try:
        for text in history.texts(seen) if seen else ():
            names |= secrets.names_in_text(text, contents.secrets)
    except GitError as error:
        names.add(f"that was not looked for: {error.message}")
    if not names:
        contents.payload.add_file(file, PurePosixPath(path), "source")
        return source
    left = _withhold(contents, path, names)
    return msgspec.structs.replace(source, git_bundle=None, left_out=[*source.left_out, left])


def _withhold(contents: Contents, path: str, names: set[str]) -> LeftOut:
    contents.withhold(path, names)
    return LeftOut(path=path, reason=f"holds the secret {', '.join(sorted(names))}")


def add_sources(contents: Contents, observed: tuple[ObservedSource, ...]) -> list[Source]:
    """Add each checkout's record, patch and history; returns the records as added."""
    sources: list[Source] = []
    for each in observed:
        source = each.source
        if each.patch is not None and source.patch is not None:
            source = _add_patch(contents, source, each.patch, source.patch)
        if each.git_bundle is not None and source.git_bundle is not None:
            source = _add_history(contents, source, each.history, each.git_bundle, source.git_bundle)
        if missed := [left.path for left in source.left_out if _is_missed(source, left)]:
            more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
            contents.findings.append(finding("W313", f"source/{source.name}.json", f"`{missed[0]}`{more}"))
        if source.tree_after is not None and source.tree_after != source.tree:
            contents.findings.append(finding("W311", f"source/{source.name}.json"))
        source = redacted(source, Source, contents.secrets)
        contents.payload.add(f"source/{source.name}.json", "source", canonical.record(source))
        sources.append(source)
    return sources


def _is_missed(source: Source, left: LeftOut) -> bool:
    """Tell whether a re-run would miss what was left out, and no finding of its own tells so."""
    expected = {OUTPUT, credential_files.REASON, *untracked.MARKS.values()}
    return left.reason not in expected and left.path not in source.submodules


def add_logs(contents: Contents, logs: dict[str, Path], scratch: Path) -> None:
    """Add what the run printed, its secrets replaced by slots; `scratch` is a folder for what does not stay."""
    for name, path in sorted(logs.items()):
        if not path.exists():
            continue
        if contents.private:
            contents.keep_private(f"process/{name}.log")
            continue
        clean = scratch / f"{name}.redacted"
        secrets.redact_file(path, clean, contents.secrets)
        contents.payload.add_file(clean, PurePosixPath(f"process/{name}.log"), "process")
        clean.unlink()
