"""The portrait of a bundle: everything that a tracking service shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Json
from reprokit.bundle.writing import Label
from reprokit.mirrors.portrait import names
from reprokit.mirrors.portrait.artifact import metadata
from reprokit.mirrors.portrait.chart import chart
from reprokit.mirrors.portrait.configuration import configuration
from reprokit.mirrors.portrait.headline import headlines
from reprokit.mirrors.portrait.plain import text
from reprokit.mirrors.portrait.results_tables import results_tables
from reprokit.mirrors.portrait.sample_tables import sample_keys, sample_tables
from reprokit.mirrors.portrait.scalars import measure
from reprokit.mirrors.portrait.table import Table

CHART = "results/headline"
"""The name of the chart of the headline scores."""

MOST_ROWS = 1000
"""How many rows a task's table of samples has at most, unless asked otherwise."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture of the headline scores: a whole HTML page that loads nothing, and the name it is logged under."""

    key: str
    html: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The tables of samples, one task after another, each read from the bundle when it is its turn.

    Going through them again reads them again, and gives the same.
    """

    bundle: Bundle
    most_rows: int

    def __iter__(self) -> Iterator[Table]:
        return sample_tables(self.bundle, most_rows=self.most_rows)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How the copy of the bundle is filed: its name, further names of this version, and facts to find it by.

    `aliases` begins with the short identity; `latest` is the service's to give and is not among them.
    """

    name: str
    aliases: tuple[str, ...]
    metadata: dict[str, Json]


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """What is shown of one bundle. All of it is plain JSON, and no two of the names it is logged under are equal.

    `scalars` are numbers by name, such as `gsm8k/exact_match`; `summary` is what is said once and is no point of a
    curve: counts, texts and why a metric was not scored. `tags` are the label's, as trackers accept them. `remarks` say
    what is not shown in full; each table of samples brings its own.
    """

    title: str
    note: str | None
    tags: tuple[str, ...]
    configuration: dict[str, Json]
    scalars: dict[str, int | float]
    summary: dict[str, Json]
    tables: tuple[Table, ...]
    chart: Chart | None
    samples: Samples
    stored: Stored
    remarks: tuple[str, ...]


def portray(bundle: Bundle, label: Label, *, most_rows: int = MOST_ROWS) -> Portrait:
    """Make the portrait of a bundle that was validated.

    Raises:
        InvalidRecordError: a record or a sample is not what the schema says; samples are read when they are asked for.
    """
    record, results = bundle.record, bundle.results
    title = names.title(record, results, label)
    tables = results_tables(results)
    # Names of tables are never those of numbers: `samples` alone is a section that any number of names may stand in.
    measured = measure(results.metrics, taken={CHART, *(table.key for table in tables), *sample_keys(results).values()})
    shown, said_of_configuration = configuration(bundle)
    aliases, said_of_aliases = names.aliases(label.tags)
    tags, said_of_tags = names.run_tags(label.tags)
    said_of_tables = [remark for table in tables for remark in table.remarks]
    scores = headlines(results.metrics)
    return Portrait(
        title=title,
        note=text(label.note) if label.note else None,
        tags=tuple(tags.values()),
        configuration=shown,
        scalars=measured.scalars,
        summary=measured.summary,
        tables=tuple(tables),
        chart=Chart(key=CHART, html=chart(title, scores)) if scores else None,
        samples=Samples(bundle=bundle, most_rows=most_rows),
        stored=Stored(
            name=names.artifact_name(record),
            aliases=tuple(dict.fromkeys([names.short_identity(bundle.identity), *aliases.values()])),
            metadata=metadata(bundle),
        ),
        remarks=(*said_of_configuration, *measured.remarks, *said_of_tables, *said_of_aliases, *said_of_tags),
    )
