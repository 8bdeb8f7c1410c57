"""How the copy of a bundle is described where it is kept."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from reprokit.bundle import naming
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import Record
from reprokit.bundle.values import Json, Unknown
from reprokit.bundle.writing import Label
from reprokit.mirrors.portrait.brevity import cut, one_line
from reprokit.mirrors.portrait.headline import Headline, headlines
from reprokit.mirrors.portrait.keys import distinct, part
from reprokit.mirrors.portrait.names import title
from reprokit.mirrors.portrait.plain import plain

MOST_TOLD = 20
"""Scores of a description, and models of the metadata."""

_LONGEST_NAME = 80
_MARKUP = re.compile(r"[\\*\[\]<>|~&]|(?<!\w)_|_(?!\w)")
_LONGEST_NOTE = 2000
_METADATA_SCORES = 60


def metadata(bundle: Bundle) -> dict[str, Json]:
    """Give the facts by which a copy is found and told from others, in at most 100 members.

    `identity` proves the copy: it is the digest of its `manifest-sha256.txt`. What is unknown is `None`.
    """
    record, scores = bundle.record, headlines(bundle.results.metrics)
    facts: dict[str, Json] = {
        "bundle_id": bundle.info.bundle_id,
        "identity": bundle.identity,
        "content_digest": bundle.info.content_digest,
        "format": bundle.info.format,
        "harness": record.harness.name,
        "harness_version": _known(record.harness.version),
        "models": [cut(one_line(model.name), _LONGEST_NAME) for model in record.subject.models[:MOST_TOLD]],
        "model_revisions": [_known(model.revision) for model in record.subject.models[:MOST_TOLD]],
        "started": _known(record.run.started),
        "complete": record.run.complete,
        "samples": record.samples,
        "findings": sorted({finding.code for finding in record.findings}),
        "reproduces": record.reproduces,
    }
    told: dict[str, Json] = {}
    for score in scores[:_METADATA_SCORES]:
        name = distinct(f"{part(score.task)}/{part(score.metric)}", told)
        told[name] = {"value": score.value, "stderr": score.stderr, "n": score.n, "filter": score.filter}
    more = {"scores_left_out": len(scores) - len(told)} if len(scores) > len(told) else {}
    made: dict[str, Json] = plain(facts | {"scores": told} | more, "metadata")
    return made


def description(bundle: Bundle, label: Label, *, reference: str) -> str:
    """Tell a person what the copy is, its scores, how to check it and how to run it again.

    `reference` is what `reprokit pull` takes.
    """
    record, scores = bundle.record, headlines(bundle.results.metrics)
    lines = [f"**{_shown(title(record, bundle.results, label))}**", ""]
    lines += _facts(bundle)
    lines += ["", *_scores(scores), "", *_worth_knowing(record)]
    if label.note:
        lines += ["Note: " + _shown(cut(one_line(label.note), _LONGEST_NOTE)), ""]
    lines += _how(reference, bundle.identity)
    return "\n".join(lines) + "\n"


def _known(value: object) -> Json:
    return None if isinstance(value, Unknown) else value


def _shown(written: str) -> str:
    """Keep a foreign text from being read as markup; a `_` inside a word is none."""
    return _MARKUP.sub(r"\\\g<0>", one_line(written).replace("`", "'"))


def _held(bundle: Bundle) -> Iterator[str]:
    """Name what the bundle holds, and nothing else."""
    yield "its record and results"
    if bundle.tasks():
        yield "samples" if bundle.record.samples == "full" else "digests of its samples"
    if bundle.sources:
        yield "code"
    if bundle.environment is not None and not isinstance(bundle.environment.packages, Unknown):
        yield "list of packages"


def _facts(bundle: Bundle) -> Iterator[str]:
    record = bundle.record
    version = "" if isinstance(record.harness.version, Unknown) else f" {record.harness.version}"
    harness = _shown(cut(record.harness.name + version, _LONGEST_NAME))
    yield f"One evaluation run by {harness}, sealed with reprokit: {', '.join(_held(bundle))}."
    yield ""
    yield f"- bundle: `{bundle.info.bundle_id}`"
    for model in record.subject.models[:MOST_TOLD]:
        revision = "" if isinstance(model.revision, Unknown) else f" at {model.revision}"
        yield f"- model: {_shown(cut(model.name + revision, 2 * _LONGEST_NAME))}"
    if not record.subject.models:
        yield f"- model: {naming.model_name(record)}"
    if not isinstance(record.run.started, Unknown):
        yield f"- started: {record.run.started}"
    if not record.run.complete:
        yield "- **incomplete**: the run failed, was interrupted, or left no whole results"


def _scores(scores: Sequence[Headline]) -> Iterator[str]:
    if not scores:
        yield "It holds no scores."
        return
    yield "| task | metric | score | standard error | samples |"
    yield "|---|---|---|---|---|"
    for score in scores[:MOST_TOLD]:
        metric = score.metric if score.filter in (None, "none") else f"{score.metric}, {score.filter}"
        task = f"{score.task} (group)" if score.group else score.task
        names = " | ".join(_shown(cut(name, _LONGEST_NAME)) for name in (task, metric))
        error = "" if score.stderr is None else f"{score.stderr:.4g}"
        yield f"| {names} | {score.value:.6g} | {error} | {'' if score.n is None else score.n} |"
    if len(scores) > MOST_TOLD:
        yield ""
        yield f"and {len(scores) - MOST_TOLD} more: see `results.json`."


def _worth_knowing(record: Record) -> list[str]:
    first = {finding.code: finding.message for finding in reversed(record.findings)}
    if not first:
        return []
    told = [f"- {code}: {_shown(cut(first[code], 3 * _LONGEST_NAME))}" for code in sorted(first)[:MOST_TOLD]]
    return ["Worth knowing:", "", *told, ""]


def _how(reference: str, identity: str) -> list[str]:
    where = shlex.quote(reference)
    return [
        "Get it back, every file proven by its own manifest:",
        "",
        f"    reprokit pull {where}",
        "",
        "Run it again and compare; it shows its plan, and asks, before anything runs:",
        "",
        f"    reprokit reproduce {where}",
        "",
        "Check it without reprokit, in the folder with `manifest-sha256.txt`; the second command prints its identity:",
        "",
        "    sha256sum --quiet -c manifest-sha256.txt && sha256sum manifest-sha256.txt",
        f"    # {identity.removeprefix('sha256:')}  manifest-sha256.txt",
    ]
