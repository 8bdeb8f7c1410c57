"""A sample of a script, as people write it by hand: one JSON object a line, or a JSON list of objects.

For each member the first of these keys that is there counts; the others, and every key not named here, go to `extra`.

- `id`: `id`, `sample_id`, `doc_id`, `index`, `idx`, `question_id`; without any, the place in the file, from 0
- `task`: `task`; without it, the only task of the results, else one called like the file
- `epoch`: `epoch`, `repeat`, from 1; without it, the same id again is the next epoch, and a finding tells of it
- `filter`: `filter`
- `document`: `document`, `doc`
- `prompt`: `prompt`, `input`, `question`, `messages`
- `target`: `target`, `answer_key`, `label`, `reference`, `expected`, `gold`
- `responses`: `responses`, `resps`, `response`, `output`, `prediction`, `completion`; what is no list is the only one
- `answer`: `answer`, `extracted`, `extracted_answer`, `parsed`
- `scores`: the tables `scores` and `metrics`, whose members are the marks; `score`, `acc`, `accuracy`, `correct`,
  `exact_match`, `passed`, `f1`; and every key that the results have a metric of. A structure stays in `extra`.

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
from reprokit.harnesses.sample_lines import Repeats, filter_of

_IDS = ("id", "sample_id", "doc_id", "index", "idx", "question_id")
_EPOCHS = ("epoch", "repeat")
_DOCUMENTS = ("document", "doc")
_PROMPTS = ("prompt", "input", "question", "messages")
_TARGETS = ("target", "answer_key", "label", "reference", "expected", "gold")
_RESPONSES = ("responses", "resps", "response", "output", "prediction", "completion")
_ANSWERS = ("answer", "extracted", "extracted_answer", "parsed")
_SCORE_TABLES = ("scores", "metrics")
_MARKS = frozenset({"score", "acc", "accuracy", "correct", "exact_match", "passed", "f1"})


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


def task_of(record: dict[str, Json], default: str) -> str:
    """Name the task of a record."""
    task = record.get("task")
    return str(task) if is_identifier(task) and task != "" else default


def sample_of(task: str, line: Line, metrics: frozenset[str], repeats: Repeats) -> Sample:
    """Turn a record into a sample.

    Args:
        task: its task.
        line: the record, and where in its file it stands.
        metrics: the metrics that the results know.
        repeats: what was seen of this file before.
    """
    left = dict(line.value)
    left.pop("task", None)
    extraction = filter_of(left)
    if extraction is not None:
        del left["filter"]
    key = _identifier(left, line.number - 1)
    document = _take(left, _DOCUMENTS)
    prompt = _take(left, _PROMPTS)
    target = _take(left, _TARGETS)
    responses = _take(left, _RESPONSES)
    return Sample(
        task=task,
        id=key,
        epoch=_epoch(left, line, key, extraction, repeats),
        filter=extraction,
        document=document,
        document_digest=_digest(document),
        prompt=prompt,
        prompt_digest=_digest(prompt),
        target=target,
        target_digest=_digest(target),
        responses=responses if isinstance(responses, list) else [] if responses is None else [responses],
        answer=_take(left, _ANSWERS),
        scores=_scores(left, metrics),
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


def _identifier(left: dict[str, Json], place: int) -> int | str:
    key = next((key for key in _IDS if is_identifier(left.get(key))), None)
    value: int | str = place if key is None else left.pop(key)
    return value


def _epoch(left: dict[str, Json], line: Line, key: int | str, extraction: str | None, repeats: Repeats) -> int:
    named = next((name for name in _EPOCHS if isinstance(left.get(name), int) and left[name] >= 1), None)
    if named is None or isinstance(left[named], bool):
        return repeats.epoch(line, key, extraction)
    epoch: int = left.pop(named)
    repeats.epoch(line, f"{key}, epoch {epoch}", extraction)
    return epoch


def _digest(value: Json) -> str | None:
    return None if value is None else digest(value)


def _scores(left: dict[str, Json], metrics: frozenset[str]) -> dict[str, Score]:
    """Move the marks out of what is left of a record; a structure stays there too."""
    scores: dict[str, Score] = {}
    for name in _SCORE_TABLES:
        if is_table(left.get(name)):
            table = left.pop(name)
            scores |= {key: mark(value) for key, value in table.items()}
            structures = {key: value for key, value in table.items() if scores[key] == STRUCTURE}
            if structures:
                left[name] = structures
    for name in sorted((metrics | _MARKS) & set(left)):
        if name not in scores:
            scores[name] = mark(left[name])
            if scores[name] != STRUCTURE:
                del left[name]
    return scores
