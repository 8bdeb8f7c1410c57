"""`README.md` in every bundle: for a person who has never heard of reprokit."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from reprokit.bundle.record import Record
from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import Argument, NotScored, SecretSlot, Unknown

_CHECK = """
## Check it

This folder's parent is a BagIt bag (RFC 8493). From there:

    sha256sum --quiet -c manifest-sha256.txt && sha256sum manifest-sha256.txt

No complaint means that every file here is as it was captured. The digest printed by the second command is the identity
of this bundle: compare it with the one you were given.

## Read it

- `bundle.json`: what was asked, what happened, with which code and model; `files` lists every file with its digest
- `results.json`: the metrics, one row each
- `samples/`: one line of JSON per sample: prompt, target, responses, extracted answer, scores
- `harness/`: the evaluation program's own files, byte for byte
- `environment/`, `source/`, `process/`: packages and machine; git state and patch; what the run printed
- `schemas/`: JSON Schemas of all of these

A name ending in `.zst` is compressed: `zstd -d` gives the file back.

## Run it again

    bash reproduce.sh

It needs git and uv, and runs code from this bundle: read it first.
"""


def _value(value: object) -> str:
    return f"not scored ({value.not_scored})" if isinstance(value, NotScored) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _row(metric: Metric) -> str:
    stderr = "" if metric.stderr is None else _value(metric.stderr)
    cells = (metric.task, metric.metric, metric.filter or "", _value(metric.value), stderr, str(metric.n or ""))
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def written(argument: Argument) -> str:
    """Write an argument for people, a secret by its name in angle brackets."""
    if isinstance(argument, str):
        return shlex.quote(argument)
    return shlex.quote("".join(f"<{part.secret}>" if isinstance(part, SecretSlot) else part for part in argument))


def _known(value: object) -> str:
    return f"unknown: {value.unknown}" if isinstance(value, Unknown) else str(value)


def _facts(record: Record) -> Iterator[str]:
    argv = record.invocation.argv
    command = _known(argv) if isinstance(argv, Unknown) else " ".join(written(argument) for argument in argv)
    yield f"- command: `{command}`"
    yield f"- evaluated by: {record.harness.name} {_known(record.harness.version)}"
    for model in record.subject.models:
        yield f"- model: {model.name}"
    yield f"- started: {_known(record.run.started)}"
    ended = f"signal {record.run.signal}" if record.run.signal else f"exit status {_known(record.run.exit_code)}"
    yield f"- ended: {_known(record.run.ended)}, {ended}"
    if not record.run.complete:
        yield "- **incomplete**: the run failed, was interrupted, or left no whole results"


def text(record: Record, results: Results) -> str:
    """Write the README of a bundle."""
    lines = ["# One evaluation run", "", *(_flat(fact) for fact in _facts(record)), ""]
    if results.metrics:
        lines += ["| task | metric | filter | value | stderr | n |", "|---|---|---|---|---|---|"]
        lines += [_row(metric) for metric in results.metrics]
    else:
        lines.append("It holds no metrics.")
    if record.findings:
        lines += [
            "",
            "Worth knowing:",
            "",
            *(f"- {each.code} {_flat(each.where)}: {_flat(each.message)}" for each in record.findings),
        ]
    return "\n".join(lines) + "\n" + _CHECK


def _flat(text: str) -> str:
    return " ".join(text.split())
