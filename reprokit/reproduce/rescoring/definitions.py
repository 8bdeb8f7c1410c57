"""Which scores of a task are known by definition, so that they can be computed again from what the model answered.

A metric that a function of the task's own computes is never known, nor one with an option that is not known here. What
lm-eval's own functions make of the marks of all samples is in `lm_eval/api/metrics.py`: `mean`, `perplexity`,
`weighted_perplexity` and `bits_per_byte`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from reprokit.bundle.record import Record
from reprokit.bundle.results import Task
from reprokit.bundle.values import Json
from reprokit.reproduce.rescoring import marks
from reprokit.reproduce.rescoring.marks import Marker

Aggregation = Callable[[float, float, int], float]
"""Makes a score of the sum of marks, the sum of weights and the number of samples."""

_EXACT_MATCH = frozenset({"ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"})
_ENTRY = frozenset({"metric", "aggregation", "higher_is_better"})


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How a metric is computed again. `is_structure` tells that its samples are saved with mark and weight."""

    mark: Marker
    aggregate: Aggregation
    is_structure: bool = False


def _mean(total: float, weight: float, count: int) -> float:
    del weight
    return total / count


def _perplexity(total: float, weight: float, count: int) -> float:
    del weight
    return math.exp(-total / count)


def _weighted_perplexity(total: float, weight: float, count: int) -> float:
    del count
    return math.exp(-total / weight)


def _bits(total: float, weight: float, count: int) -> float:
    del count
    return -total / weight / math.log(2)


_AGGREGATIONS: dict[str, Aggregation] = {
    "mean": _mean,
    "perplexity": _perplexity,
    "weighted_perplexity": _weighted_perplexity,
    "bits_per_byte": _bits,
}
_OF_ROLLING = {
    "word_perplexity": (marks.words, "weighted_perplexity"),
    "byte_perplexity": (marks.octets, "weighted_perplexity"),
    "bits_per_byte": (marks.octets, "bits_per_byte"),
}


def definitions(task: Task, record: Record) -> tuple[dict[str, Definition], str]:
    """List the metrics of a task whose definition is known, and say why others are not."""
    config: Json = task.config
    if record.harness.name != "lm_eval" or not isinstance(config, dict):
        return {}, "how the marks follow from the answers is known of lm-eval's own metrics only"
    if config.get("process_results") is not None or config.get("class") is not None:
        return {}, "a function of the task's own computes the marks"
    listed = config.get("metric_list")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    names = [entry.get("metric") for entry in entries]
    if "acc_mutual_info" in names:
        return {}, "how mutual information is computed differs between versions of lm-eval"
    found: dict[str, Definition] = {}
    for entry in entries:
        name = entry.get("metric")
        known = _known(entry, config, record) if isinstance(name, str) and names.count(name) == 1 else None
        if known is not None:
            found[str(name)] = known
    return found, "its definition is not one of lm-eval's that are known here"


def _known(entry: dict[str, Json], config: dict[str, Json], record: Record) -> Definition | None:
    name = entry["metric"]
    options = set(entry) - _ENTRY
    kind = config.get("output_type")
    if kind == "generate_until":
        fits = name == "exact_match" and _are_known(entry, options) and config.get("doc_to_choice") is None
        return _definition(entry, marks.exact_match(entry), "mean") if fits else None
    if options or not isinstance(kind, str):
        return None
    if kind == "multiple_choice":
        delimiters = _delimiters(config, record)
        markers = {
            "acc": marks.choice(None, delimiters),
            "acc_norm": marks.choice(len, delimiters),
            "acc_bytes": marks.choice(marks.octets, delimiters),
            "exact_match": marks.greedy_choice(delimiters),
        }
        return _definition(entry, markers[name], "mean") if name in markers else None
    if kind == "loglikelihood" and name in {"acc", "perplexity"}:
        is_acc = name == "acc"
        return _definition(entry, marks.greedy if is_acc else marks.likelihood, "mean" if is_acc else "perplexity")
    if kind == "loglikelihood_rolling" and name in _OF_ROLLING:
        sizes, usual = _OF_ROLLING[name]
        return _definition(entry, marks.rolling(sizes), usual, is_structure=True)
    return None


def _definition(entry: dict[str, Json], mark: Marker, usual: str, *, is_structure: bool = False) -> Definition | None:
    asked = entry.get("aggregation", usual)
    aggregate = _AGGREGATIONS.get(asked) if isinstance(asked, str) else None
    if aggregate is None or (aggregate is not _AGGREGATIONS[usual]):
        return None
    return Definition(mark=mark, aggregate=aggregate, is_structure=is_structure)


def _are_known(entry: dict[str, Json], options: set[str]) -> bool:
    ignored = entry.get("regexes_to_ignore") or []
    flags = [entry.get(name, False) for name in _EXACT_MATCH - {"regexes_to_ignore"}]
    return (
        options <= _EXACT_MATCH
        and isinstance(ignored, list)
        and all(isinstance(pattern, str) for pattern in ignored)
        and all(isinstance(flag, bool) for flag in flags)
    )


def _delimiters(config: dict[str, Json], record: Record) -> tuple[str, ...]:
    """List what may stand before a choice: with a chat template nothing, unless a prefix begins the answer."""
    said = config.get("target_delimiter", " ")
    delimiter = said if isinstance(said, str) else " "
    if not record.harness.claims.get("chat_template"):
        return (delimiter,)
    return (delimiter,) if config.get("gen_prefix") else ("",)
