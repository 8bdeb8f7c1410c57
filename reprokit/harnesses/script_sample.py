"""A sample of a script, as people write it by hand: one JSON object a line, or a JSON list of objects.

For each member the first of these keys that is there counts; the others, and every key not named here, go to `extra`.

- `id`: `id`, `sample_id`, `doc_id`, `index`, `idx`, `question_id`; without any, the place in the file, from 0
- `task`: `task`; without it, the only task of the results, else one called like the file
- `epoch`: `epoch`, `repeat`, from 1; without it, the same id again is the next epoch, and a finding tells of it. One
  that is named stays as it is, even when it comes twice.
- `filter`: `filter`
- `document`: `document`, `doc`
- `prompt`: `prompt`, `input`, `question`, `messages`
- `target`: `target`, `answer_key`, `label`, `reference`, `expected`, `gold`
- `responses`: `responses`, `resps`, `response`, `output`, `prediction`, `completion`; what is no list is the only one
- `answer`: `answer`, `extracted`, `extracted_answer`, `parsed`
- `scores`: the tables `scores` and `metrics`, whose members are the marks; `score`, `acc`, `accuracy`, `correct`,
  `exact_match`, `passed`, `f1`; and every key that the results have a metric of. A structure stays in `extra`.

A mapping in `reprokit.toml` may name other keys (see `script_fields`): then only those count for that member.

A `.jsonl` file is read line by line. A list is read whole, so keep it for small runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reprokit.bundle.canonical import digest
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, Score
from reprokit.harnesses.loose_json import DamagedError, Line, decode, is_identifier, lines
from reprokit.harnesses.metric_table import STRUCTURE, is_table, mark
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.script_fields import STANDARD, Fields

_SCORE_TABLES = ("scores", "metrics")


def records(path: Path, where: str) -> Iterator[Line | Finding]:
    """Stream the objects of a sample file, and a finding for whatever in it is none."""
    if not _begins_a_list(path):
        yield from lines(path, where)
        return
    try:
        decoded = decode(path.read_bytes())
    except OSError as error:
        yield finding("W302", where, f"cannot be opened: {error.strerror}")
        return
    except DamagedError as error:
        yield finding("W302", where, str(error))
        return
    if decoded.mended:
        yield finding("W302", where, "not valid UTF-8; U+FFFD stands for the bytes")
    for number, item in enumerate(decoded.value, start=1):
        if isinstance(item, dict):
            yield Line(number=number, value=item)
        else:
            yield finding("W302", where, f"item {number}: not a JSON object")


def task_of(record: dict[str, Json], default: str, fields: Fields = STANDARD) -> str:
    """Name the task of a record."""
    task = next((record[key] for key in fields.task if key in record), None)
    return str(task) if is_identifier(task) and task != "" else default


def sample_of(task: str, line: Line, metrics: frozenset[str], repeats: Repeats, fields: Fields = STANDARD) -> Sample:
    """Turn a record into a sample.

    Args:
        task: its task.
        line: the record, and where in its file it stands.
        metrics: the metrics that the results know.
        repeats: what was seen of this file before.
        fields: the keys to look for.
    """
    left = dict(line.value)
    _take(left, fields.task)
    extraction = _filter(left, fields)
    key = _identifier(left, line.number - 1, fields)
    document = _take(left, fields.document)
    prompt = _take(left, fields.prompt)
    target = _take(left, fields.target)
    responses = _take(left, fields.response)
    return Sample(
        task=task,
        id=key,
        epoch=_epoch(left, line, key, extraction, repeats, fields),
        filter=extraction,
        document=document,
        document_digest=_digest(document),
        prompt=prompt,
        prompt_digest=_digest(prompt),
        target=target,
        target_digest=_digest(target),
        responses=responses if isinstance(responses, list) else [] if responses is None else [responses],
        answer=_take(left, fields.answer),
        scores=_scores(left, metrics, fields),
        extra=left,
    )


def _begins_a_list(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    except OSError:
        return False


def _take(left: dict[str, Json], keys: Sequence[str]) -> Json:
    key = next((key for key in keys if key in left), None)
    return None if key is None else left.pop(key)


def _filter(left: dict[str, Json], fields: Fields) -> str | None:
    key = next((key for key in fields.filter if isinstance(left.get(key), str)), None)
    extraction: str | None = None if key is None else left.pop(key)
    return extraction


def _identifier(left: dict[str, Json], place: int, fields: Fields) -> int | str:
    key = next((key for key in fields.id if is_identifier(left.get(key))), None)
    value: int | str = place if key is None else left.pop(key)
    return value


def _epoch(
    left: dict[str, Json], line: Line, key: int | str, extraction: str | None, repeats: Repeats, fields: Fields
) -> int:
    named = next((name for name in fields.epoch if isinstance(left.get(name), int) and left[name] >= 1), None)
    if named is None or isinstance(left[named], bool):
        return repeats.epoch(line, key, extraction)
    epoch: int = left.pop(named)
    return epoch


def _digest(value: Json) -> str | None:
    return None if value is None else digest(value)


def _scores(left: dict[str, Json], metrics: frozenset[str], fields: Fields) -> dict[str, Score]:
    """Move the marks out of what is left of a record; a structure stays there too."""
    scores: dict[str, Score] = {}
    chosen = fields.scores if "scores" in fields.chosen else ()
    for name in dict.fromkeys((*_SCORE_TABLES, *chosen)):
        if is_table(left.get(name)):
            table = left.pop(name)
            scores |= {key: mark(value) for key, value in table.items()}
            structures = {key: value for key, value in table.items() if scores[key] == STRUCTURE}
            if structures:
                left[name] = structures
    for name in sorted((metrics | set(fields.scores)) & set(left)):
        if name not in scores:
            scores[name] = mark(left[name])
            if scores[name] != STRUCTURE:
                del left[name]
    return scores
