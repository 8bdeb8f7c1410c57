"""The catalog: one small record per bundle, derived from it alone, so that listing and comparing need no payload."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from reprokit.archive import months, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.bundle import canonical
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import SourceSummary
from reprokit.bundle.results import Metric
from reprokit.bundle.values import Digest, Json, NotScored, Score, Time, Unknown
from reprokit.errors import InvalidRecordError, NotFoundError

SCHEMA = "https://w3id.org/reprokit/v1/catalog.schema.json"
_SUFFIX = ".json"


class ModelSummary(Struct, frozen=True, kw_only=True):
    """A model that was evaluated."""

    name: Annotated[str, Meta(examples=["toy-org/tiny-gpt2"])]
    revision: Annotated[str | Unknown, Meta(description="full commit")]


class MetricSummary(Struct, frozen=True, kw_only=True):
    """One score of the run."""

    task: Annotated[str, Meta(description="task or group, as the harness spells it", examples=["toy_mc"])]
    metric: Annotated[str, Meta(examples=["exact_match"])]
    filter: Annotated[str | None, Meta(description="answer extraction", examples=["strict-match"])]
    value: Annotated[Score, Meta(examples=[0.5, {"not_scored": "nan"}])]
    stderr: Annotated[float | NotScored | None, Meta(description="standard error of the value")]
    n: Annotated[int | None, Meta(description="how many samples it is over")]
    group: Annotated[bool, Meta(description="an aggregate over tasks, not over the samples of one")]


class Entry(Struct, frozen=True, kw_only=True):
    """What one wants to know of a bundle without having it."""

    schema: str = SCHEMA
    id: Annotated[str, Meta(description="bundle id", examples=["20261123T031547Z-lm_eval-tiny-gpt2-1f3a9c20"])]
    identity: Annotated[Digest, Meta(description="digest of its manifest")]
    content_digest: Annotated[Digest, Meta(description="digest of its payload before compression")]
    captured: Time
    name: Annotated[str | None, Meta(description="given by a person")]
    tags: Annotated[list[str], Meta(description="given by a person")]
    note: Annotated[str | None, Meta(description="given by a person")]
    origin: Annotated[
        Literal["live", "finished"], Meta(description="watched while it ran, or captured from finished outputs")
    ]
    harness: Annotated[str, Meta(examples=["lm_eval"])]
    harness_version: str | Unknown
    models: list[ModelSummary]
    started: Time | Unknown
    exit_code: Annotated[int | Unknown | None, Meta(description="null when a signal ended it")]
    complete: Annotated[bool, Meta(description="it ended well and left complete result files")]
    metrics: list[MetricSummary]
    samples: Annotated[int, Meta(description="how many sample lines the bundle holds, over all tasks and filters")]
    findings: Annotated[list[str], Meta(description="codes of what was found at the capture", examples=[["W303"]])]
    sources: Annotated[list[SourceSummary] | Unknown, Meta(description="checkouts that code was loaded from")]
    reproduces: Annotated[Digest | None, Meta(description="identity of the bundle that this run reproduced")]
    payload_octets: Annotated[int, Meta(description="bytes of the payload, as stored")]
    payload_files: int


def _metric(metric: Metric) -> MetricSummary:
    return MetricSummary(
        task=metric.task,
        metric=metric.metric,
        filter=metric.filter,
        value=metric.value,
        stderr=metric.stderr,
        n=metric.n,
        group=metric.group,
    )


def derive(bundle: Bundle) -> Entry:
    """Derive the catalog entry of a bundle: the same bundle gives the same entry, anywhere.

    Raises:
        NotFoundError: a record is missing.
        InvalidRecordError: a record cannot be read.
    """
    info, record, results = bundle.info, bundle.record, bundle.results
    return Entry(
        id=info.bundle_id,
        identity=bundle.identity,
        content_digest=info.content_digest,
        captured=info.bagging_date,
        name=info.name,
        tags=list(info.tags),
        note=info.note,
        origin=record.origin,
        harness=record.harness.name,
        harness_version=record.harness.version,
        models=[ModelSummary(name=model.name, revision=model.revision) for model in record.subject.models],
        started=record.run.started,
        exit_code=record.run.exit_code,
        complete=record.run.complete,
        metrics=[_metric(metric) for metric in results.metrics],
        samples=sum(task.samples_saved for task in results.tasks),
        findings=sorted({finding.code for finding in record.findings}),
        sources=record.sources,
        reproduces=record.reproduces,
        payload_octets=info.payload_octets,
        payload_files=info.payload_files,
    )


def encode(entry: Entry) -> bytes:
    """Write an entry in its one spelling."""
    return canonical.record(entry)


def difference(written: bytes, expected: Entry) -> str | None:
    """Say how a written entry is not what its bundle gives; `None` when it is.

    Another version of reprokit may have derived it. What fields have been added since is not there, and what fields are
    added later is not known here; either is fair, as long as the entry has its one spelling and the rest is equal. To
    lack a field and to have a strange one is to be of no version.
    """
    if written == encode(expected):
        return None
    try:
        canonical.decode(written, Entry)  # fields that every version has
        value = json.loads(written)
        if canonical.record(value) != written:
            return "it is not in its one spelling"
    except (ValueError, RecursionError) as error:
        return str(error)
    older: set[str] = set()
    newer: set[str] = set()
    if (where := _first_difference(value, msgspec.to_builtins(expected), "", older, newer)) is not None:
        return f"`{where}` differs"
    if older and newer:
        return f"it has no `{min(older)}`, but a `{min(newer)[:60]}`"
    return None


def _first_difference(written: Json, expected: Json, where: str, older: set[str], newer: set[str]) -> str | None:
    """Name the first place where two values differ; the keys that only one of them has are collected."""
    if isinstance(written, dict) and isinstance(expected, dict):
        older |= expected.keys() - written.keys()
        newer |= written.keys() - expected.keys()
        pairs = [
            (f"{where}/{key}".lstrip("/"), written[key], expected[key]) for key in written.keys() & expected.keys()
        ]
    elif isinstance(written, list) and isinstance(expected, list) and len(written) == len(expected):
        pairs = [(f"{where}/{place}", a, b) for place, (a, b) in enumerate(zip(written, expected, strict=True))]
    else:
        return None if type(written) is type(expected) and written == expected else where
    found = (_first_difference(a, b, place, older, newer) for place, a, b in sorted(pairs, key=lambda pair: pair[0]))
    return next((place for place in found if place is not None), None)


def read(archive: Archive, bundle_id: str) -> Entry:
    """Read the catalog entry of a bundle.

    Raises:
        NotFoundError: there is none.
        InvalidRecordError: it is damaged.
    """
    path = archive.entry(bundle_id)
    try:
        return canonical.decode(small_file.read(path), Entry)
    except FileNotFoundError:
        raise NotFoundError(f"`{bundle_id}` is not in the catalog", hint="register it: `reprokit sync`") from None
    except (OSError, msgspec.DecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidRecordError(
            f"`{path}` cannot be read: {reason}", hint="restore it: `git checkout` in the archive"
        ) from error


def files(archive: Archive) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the ids in the catalog, month by month, with the files of their entries; none is read."""
    for entry in months.inside(archive.catalog):
        bundle_id = entry.name.removesuffix(_SUFFIX)
        if bundle_id != entry.name and is_bundle_id(bundle_id):
            yield bundle_id, entry


def ids(archive: Archive) -> list[str]:
    """List the ids in the catalog, sorted."""
    return sorted(bundle_id for bundle_id, _ in files(archive))


def entries(archive: Archive) -> Iterator[Entry]:
    """Yield all entries, sorted by id: by start, then.

    Raises:
        InvalidRecordError: one is damaged.
    """
    for bundle_id in ids(archive):
        yield read(archive, bundle_id)
