"""One record of lm-eval's `samples_<task>_<time>.jsonl` in our terms.

- `prompt`: the first argument of the requests, given once when all requests share it (multiple choice: the context);
  otherwise the list of them. What else was asked stands in `extra`: `choices` when every request has just one more
  argument and it is text, else `arguments`, one list for each request. `prompt_digest` is over all arguments.
- `responses`: lm-eval saves a list of repeats for each request. With one request it is the repeats, with one repeat of
  several requests the answer to each, with both the list of lists.
- `answer`: the filtered responses; a list of one is taken off its only answer.
- `target` and the numbers in responses are text, as lm-eval saves them.
- `scores`: what `metrics` names. A structure stays in `extra` under its name and becomes the reason for no score.
- A metric that is called like another member has overwritten it: that member counts as not saved.
- lm-eval's own digests, and every member not named here, go to `extra`.
"""

from __future__ import annotations

from reprokit.bundle.canonical import digest
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, NotScored, Score
from reprokit.harnesses.metric_table import STRUCTURE, mark
from reprokit.harnesses.sample_lines import filter_of

NOT_SAVED = NotScored(not_scored="not saved")
_MEMBERS = frozenset({"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"})


def sample_of(task: str, record: dict[str, Json], epoch: int) -> Sample:
    """Turn a record with a usable `doc_id` into a sample."""
    names = _metrics(record)
    saved = record
    if not _MEMBERS.isdisjoint(names):
        saved = {key: value for key, value in record.items() if key not in names}
    scores = {name: mark(record[name]) if name in record else NOT_SAVED for name in names}
    extra = {key: value for key, value in saved.items() if key not in _MEMBERS and key not in scores}
    extra |= _structures(record, scores)
    requests = _requests(saved.get("arguments"))
    if requests is None and saved.get("arguments") is not None:
        extra["arguments"] = saved["arguments"]
    prompt, rest = _prompt(requests or [])
    return Sample(
        task=task,
        id=record["doc_id"],
        epoch=epoch,
        filter=filter_of(saved),
        document=saved.get("doc"),
        document_digest=_digest(saved, "doc"),
        prompt=prompt,
        prompt_digest=digest(requests) if requests else None,
        target=saved.get("target"),
        target_digest=_digest(saved, "target"),
        responses=_responses(saved.get("resps")),
        answer=without_list(saved.get("filtered_resps")),
        scores=scores,
        extra=extra | rest,
    )


def without_list(value: Json) -> Json:
    """Take the list off its only element; anything else stays as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _metrics(record: dict[str, Json]) -> list[str]:
    names = record.get("metrics")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _structures(record: dict[str, Json], scores: dict[str, Score]) -> dict[str, Json]:
    return {name: record[name] for name, score in scores.items() if score == STRUCTURE}


def _digest(saved: dict[str, Json], key: str) -> str | None:
    return digest(saved[key]) if key in saved else None


def _requests(written: Json) -> list[list[Json]] | None:
    """List the arguments of each request; `None` when they are not laid out as lm-eval does."""
    if isinstance(written, dict):
        written = [list(request.values()) if isinstance(request, dict) else request for request in written.values()]
    if isinstance(written, list) and all(isinstance(request, list) and request for request in written):
        return written
    return None


def _prompt(requests: list[list[Json]]) -> tuple[Json, dict[str, Json]]:
    if not requests:
        return None, {}
    firsts = [request[0] for request in requests]
    rests = [request[1:] for request in requests]
    prompt = firsts[0] if firsts.count(firsts[0]) == len(firsts) else firsts
    if all(len(rest) == 1 and isinstance(rest[0], str) for rest in rests):
        return prompt, {"choices": [rest[0] for rest in rests]}
    return prompt, {"arguments": rests} if any(rests) else {}


def _responses(written: Json) -> list[Json]:
    if not isinstance(written, list):
        return [] if written is None else [written]
    if len(written) == 1 and isinstance(written[0], list):
        return written[0]
    if all(isinstance(repeats, list) and len(repeats) == 1 for repeats in written):
        return [repeats[0] for repeats in written]
    return written
