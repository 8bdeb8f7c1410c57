"""The catalog: one small record per bundle, derived from it alone, so that listing and comparing need no payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.bundle import canonical
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import SourceSummary
from reprokit.bundle.results import Metric
from reprokit.bundle.values import Digest, NotScored, Score, Time, Unknown
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


def read(archive: Archive, bundle_id: str) -> Entry:
    """Read the catalog entry of a bundle.

    Raises:
        NotFoundError: there is none.
        InvalidRecordError: it is damaged.
    """
    path = archive.entry(bundle_id)
    try:
        return canonical.decode(path.read_bytes(), Entry)
    except FileNotFoundError:
        raise NotFoundError(f"`{bundle_id}` is not in the catalog", hint="register it: `reprokit sync`") from None
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRecordError(
            f"`{path}` cannot be read: {error}", hint="restore it: `git checkout` in the archive"
        ) from error


def ids(archive: Archive) -> list[str]:
    """List the ids in the catalog, sorted."""
    names = (path.name.removesuffix(_SUFFIX) for path in archive.catalog.glob(f"*/*{_SUFFIX}"))
    return sorted(name for name in names if is_bundle_id(name))


def entries(archive: Archive) -> Iterator[Entry]:
    """Yield all entries, sorted by id: by start, then.

    Raises:
        InvalidRecordError: one is damaged.
    """
    for bundle_id in ids(archive):
        yield read(archive, bundle_id)
