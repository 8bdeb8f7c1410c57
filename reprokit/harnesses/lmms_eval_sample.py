"""One record of lmms-eval's `<time>_samples_<task>.jsonl` in our terms.

- `document`: the harness does not save it, and its `doc_hash` is the same for all; that stands in `extra`.
- `prompt`: `input`, the text part of what was asked. Images, audio and video are not saved; `prompt_digest` is over the
  text, with the names of the media when there are any (`input_media`).
- `responses`: `resps`, or the filtered answer where it is missing: it is left out when it is the same.
- `answer`: the filtered answer; a list of one is taken off its only element.
- `scores`: the members that the results file knows as metrics of the task. Of a table with a member `score` it is that
  member; the table itself stays in `extra`. Without a results file nothing tells a mark from other members, so all of
  them stay in `extra`.
- The filter is not recorded.
"""

from __future__ import annotations

from reprokit.bundle.canonical import digest
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, Score
from reprokit.harnesses.metric_table import STRUCTURE, mark, split_key
from reprokit.harnesses.task_tables import table

_MEMBERS = frozenset({"doc_id", "target", "filtered_resps", "resps", "input"})


def metric_names(document: dict[str, Json], task: str) -> frozenset[str]:
    """List the metrics that a results file knows of a task, those of its configuration included."""
    listed = table(table(document, "configs"), task).get("metric_list")
    configured = (
        [entry.get("metric") for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    )
    scored = [split_key(key)[0] for key in table(table(document, "results"), task) if "," in key]
    directed = table(table(document, "higher_is_better"), task)
    return frozenset(name for name in (*configured, *scored, *directed) if isinstance(name, str)) - _MEMBERS


def sample_of(task: str, record: dict[str, Json], epoch: int, metrics: frozenset[str]) -> Sample:
    """Turn a record with a usable `doc_id` into a sample."""
    scores = {name: _score(value) for name, value in record.items() if name in metrics}
    kept = {
        key: value
        for key, value in record.items()
        if key not in _MEMBERS and (key not in scores or mark(value) == STRUCTURE)
    }
    return Sample(
        task=task,
        id=record["doc_id"],
        epoch=epoch,
        prompt=record.get("input"),
        prompt_digest=_prompt_digest(record),
        target=record.get("target"),
        target_digest=digest(record["target"]) if "target" in record else None,
        responses=_responses(record),
        answer=_answer(record),
        scores=scores,
        extra=kept,
    )


def _score(value: Json) -> Score:
    return mark(value["score"] if isinstance(value, dict) and "score" in value else value)


def _prompt_digest(record: dict[str, Json]) -> str | None:
    if "input" not in record:
        return None
    media = record.get("input_media")
    return digest([record["input"], media] if media else record["input"])


def _responses(record: dict[str, Json]) -> list[Json]:
    responses = record.get("resps", record.get("filtered_resps"))
    if responses is None:
        return []
    return responses if isinstance(responses, list) else [responses]


def _answer(record: dict[str, Json]) -> Json:
    answer = record.get("filtered_resps")
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
