"""The tables of samples: what was asked, what was answered, and the marks, one task after another.

What is shown of a task are its first samples, as many of each filter. Long texts keep their beginning and their end:
a prompt's question stands at its end and an answer's conclusion too. All tables together are kept below a number of
bytes; every task has an equal share of what the ones before it left. What is not shown is told in the table's remarks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reprokit.bundle.reading import Bundle
from reprokit.bundle.results import Results, Task
from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import NotScored, Score, Unknown, as_number
from reprokit.mirrors.portrait import texts
from reprokit.mirrors.portrait.brevity import cut
from reprokit.mirrors.portrait.keys import distinct, file_part, short_name
from reprokit.mirrors.portrait.plain import text
from reprokit.mirrors.portrait.table import Cell, Picture, Table, of_one_type

MOST_OCTETS = 50_000_000
"""Bytes of all tables of samples of a bundle together, their pictures included."""

LONGEST_TEXT = 4000
"""Characters of a cell."""

MOST_PICTURES = 4
"""Columns of pictures; a sample with more names the others only."""

_SECTION = "samples"
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"})
_FIXED = ("id", "epoch", "filter", "prompt", "target", "response", "answer")
_DOCUMENT, _MEDIA, _IMAGE = "document", "media", "image"
_OTHERS = frozenset({*_FIXED, _DOCUMENT, _MEDIA, _IMAGE})
_SCORE, _SAVED = " (score)", " (as saved)"
_MOST_MARKS = 64
_LONGEST_COLUMN = 100
_ROOM_OF_A_ROW = 64


@dataclass(kw_only=True)
class _Shown:
    """What was gathered of a task so far."""

    rows: list[dict[str, Cell]] = field(default_factory=list)
    octets: int = 0
    cut: int = 0
    not_scored: Counter[tuple[str, str]] = field(default_factory=Counter)
    full: bool = False


def sample_keys(results: Results) -> dict[str, str]:
    """Name the table of each task that has samples."""
    keys: dict[str, str] = {}
    for task in results.tasks:
        if task.samples_file is not None:
            keys[task.name] = distinct(f"{_SECTION}/{file_part(task.name)}", set(keys.values()))
    return keys


def sample_tables(bundle: Bundle, *, most_rows: int, most_octets: int = MOST_OCTETS) -> Iterator[Table]:
    """Give a table for each task that has samples, one at a time.

    Raises:
        InvalidRecordError: a line does not follow the schema.
    """
    pictures = _pictures(bundle)
    tasks = {task.name: task for task in bundle.results.tasks if task.samples_file is not None}
    keys, left = sample_keys(bundle.results), most_octets
    for done, task in enumerate(tasks.values()):
        shown = _gather(bundle, task, pictures, most_rows, left // (len(tasks) - done))
        left -= shown.octets
        yield _table(bundle, task, keys[task.name], shown)


def _pictures(bundle: Bundle) -> dict[str, Picture]:
    """Find the pictures that the payload holds, by the digest of their bytes."""
    return {
        file.digest: Picture(path=file.path, size=file.size)
        for file in reversed(bundle.record.files)
        if PurePosixPath(file.path).suffix.lower() in _PICTURES
    }


def _gather(bundle: Bundle, task: Task, pictures: dict[str, Picture], most_rows: int, most_octets: int) -> _Shown:
    filters = {metric.filter for metric in bundle.results.metrics if metric.task == task.name and not metric.group}
    quota = max(1, most_rows // max(1, len(filters)))
    shown, by_filter = _Shown(), Counter[str | None]()
    for sample in bundle.samples(task.name):
        if len(shown.rows) >= most_rows:
            break
        if by_filter[sample.filter] >= (quota if sample.filter in filters else most_rows):
            continue
        by_filter[sample.filter] += 1
        _add(shown, sample, pictures, most_octets)
        if shown.full:
            break
    return shown


def _add(shown: _Shown, sample: Sample, pictures: dict[str, Picture], most_octets: int) -> None:
    row = _row(sample, pictures, shown)
    octets = _ROOM_OF_A_ROW + sum(_size(cell) for cell in row.values())
    if shown.octets + octets > most_octets:
        shown.full = True
        return
    shown.octets += octets
    shown.rows.append(row)


def _size(cell: Cell) -> int:
    match cell:
        case str():
            return len(cell.encode())
        case Picture():
            return cell.size + len(cell.path)
        case _:
            return 24


def _row(sample: Sample, pictures: dict[str, Picture], shown: _Shown) -> dict[str, Cell]:
    row: dict[str, Cell] = {
        "id": text(sample.id) if isinstance(sample.id, str) else sample.id,
        "epoch": sample.epoch,
        "filter": sample.filter if sample.filter is None else text(sample.filter),
        "prompt": _fitting(texts.prompt(sample), shown),
        "target": _fitting(texts.target(sample), shown),
        "response": _fitting(texts.response(sample), shown),
        "answer": _fitting(texts.answer(sample), shown),
    }
    if sample.prompt is None and sample.document is not None:
        row[_DOCUMENT] = _fitting(texts.readable(sample.document), shown)
    for name, mark in list(sample.scores.items())[:_MOST_MARKS]:
        row[_mark_column(name)] = _number(mark)
        if isinstance(mark, NotScored) and name in sample.extra:
            # A structure that a metric is computed from: it is shown as it is.
            row[_mark_column(name) + _SAVED] = _fitting(texts.readable(sample.extra[name]), shown)
        elif isinstance(mark, NotScored):
            shown.not_scored[name, cut(text(mark.not_scored), _LONGEST_COLUMN)] += 1
    return row | _media(sample.media, pictures)


def _mark_column(name: str) -> str:
    """Name the column of a mark, apart from that of any other mark and from the columns that are no marks."""
    column = short_name(name)
    others = column in _OTHERS or column.startswith(f"{_IMAGE} ") or column.endswith((_SCORE, _SAVED))
    return column + _SCORE if others else column


def _number(mark: Score) -> Cell:
    return None if isinstance(mark, NotScored) or as_number(mark) is None else mark


def _media(media: list[Medium], pictures: dict[str, Picture]) -> dict[str, Cell]:
    """Give the pictures that the bundle holds, and name all media."""
    digests = [each.digest for each in media if each.digest_of == "file" and isinstance(each.digest, str)]
    held = [pictures[digest] for digest in digests if digest in pictures]
    cells: dict[str, Cell] = {
        _IMAGE if index == 0 else f"{_IMAGE} {index + 1}": picture for index, picture in enumerate(held[:MOST_PICTURES])
    }
    if media:
        cells[_MEDIA] = cut("\n".join(_medium(each) for each in media), LONGEST_TEXT)
    return cells


def _medium(medium: Medium) -> str:
    size = f" {medium.width}x{medium.height}" if medium.width and medium.height else ""
    name = f" {text(medium.name)}" if medium.name else ""
    known = f"no digest: {medium.digest.unknown}" if isinstance(medium.digest, Unknown) else medium.digest[:19]
    of = "" if medium.digest_of == "file" else f" of its {medium.digest_of}"
    return f"{medium.kind}{size}{name} ({text(known)}{of})"


def _fitting(written: str | None, shown: _Shown) -> str | None:
    if written is None or len(written) <= LONGEST_TEXT:
        return written
    shown.cut += 1
    half = LONGEST_TEXT // 2
    left_out = len(written) - 2 * half
    return f"{written[:half]} … [{left_out:,} characters left out] … {written[-half:]}"


def _table(bundle: Bundle, task: Task, key: str, shown: _Shown) -> Table:
    columns = _columns(shown)
    rows = of_one_type([[row.get(column) for column in columns] for row in shown.rows], len(columns))
    return Table(
        key=key,
        columns=columns,
        rows=rows,
        there=max(task.samples_saved, len(rows)),
        remarks=tuple(_remarks(bundle, task, shown)),
    )


def _columns(shown: _Shown) -> tuple[str, ...]:
    """Order the columns: those that every table has, the marks in their order, pictures and media last."""
    found = list(dict.fromkeys(name for row in shown.rows for name in row))
    last = [name for name in found if name in {_MEDIA, _IMAGE} or name.startswith(f"{_IMAGE} ")]
    document = [name for name in found if name == _DOCUMENT]
    marks = [name for name in found if name not in (*_FIXED, *last, *document)]
    return (*_FIXED, *document, *marks, *sorted(last))


def _remarks(bundle: Bundle, task: Task, shown: _Shown) -> Iterator[str]:
    name = cut(text(task.name), _LONGEST_COLUMN)
    there = max(task.samples_saved, len(shown.rows))
    if len(shown.rows) < there:
        why = ": the tables may have no more bytes" if shown.full else ""
        yield f"`{name}`: {len(shown.rows):,} of {there:,} samples are shown{why}"
    if shown.cut:
        yield f"`{name}`: {shown.cut:,} texts are longer than {LONGEST_TEXT:,} characters; their middle is left out"
    for (mark, reason), count in sorted(shown.not_scored.items()):
        yield f"`{name}`: {count:,} marks of `{cut(text(mark), _LONGEST_COLUMN)}` are no numbers: {reason}"
    if bundle.record.samples == "digest":
        yield f"`{name}`: the bundle holds digests of its samples and no texts, for their content is private"
