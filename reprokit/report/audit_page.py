"""An audit as one HTML file, which needs nothing else and runs nothing.

It is written as it is made, and holds of all bundles only the worst few at a time: memory does not grow with the
archive. All that comes from a bundle is data: templates escape it, no attribute holds it, and the page's own policy
allows neither programs nor requests, only the one style sheet whose digest it names.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from itertools import islice
from typing import TextIO

from jinja2 import Environment
from markupsafe import Markup, escape
from msgspec import Struct

from reprokit.audit.shown import words
from reprokit.audit.shown.answer import answer
from reprokit.audit.shown.survey import Results, Survey, survey
from reprokit.audit.shown.told import Told, by_code, name, sentence, told
from reprokit.audit.statements import FAMILIES, State
from reprokit.audit.values import Past, Summary
from reprokit.bundle.finding import CATALOGUE, hint
from reprokit.report import page_templates
from reprokit.report.audit_trend import HEIGHT, trend

MOST_IN_FULL = 200
MOST_ROWS = 10_000
_LITERAL = re.compile(r"`([^`]+)`")
_CODE = Markup("<code>{}</code>")
_STYLES = ("style.css", "audit.css")


class Rest(Struct, frozen=True, kw_only=True):
    """The bundles of a state that are not told in full, of which so many are rows. `bundles` can be read once."""

    state: State
    number: int
    rows: int
    bundles: Iterator[Told]


def write(
    stream: TextIO,
    summary: Summary,
    results: Results,
    past: list[Past],
    *,
    most_in_full: int = MOST_IN_FULL,
    most_rows: int = MOST_ROWS,
) -> None:
    """Write an audit as HTML. The same audit is the same text.

    Args:
        stream: takes the text, which is to be stored as UTF-8.
        summary: the head of the audit.
        results: what was found of each bundle; asked for once, and then once for each state that has rows.
        past: earlier audits, oldest first.
        most_in_full: how many bundles, worst first, are told with all that was found.
        most_rows: how many more there may be as rows.
    """
    found = survey(results, most=most_in_full, good=True)
    style = _style()
    pieces = (
        _environment()
        .get_template("audit.html.j2")
        .generate(
            summary=summary,
            answer=answer(summary, found),
            survey=found,
            codes=by_code(summary.findings),
            trend=trend(past, Past(time=summary.ended, counts=summary.counts, read_whole=summary.read_whole)),
            rest=list(_rest(results, found, most_rows)),
            style=Markup(style),  # noqa: S704 - our own files, and rules of our own words
            style_digest=base64.b64encode(sha256(style.encode()).digest()).decode(),
        )
    )
    stream.writelines(pieces)


def _style() -> str:
    """Give the rules; a narrow window shows no head of a table, and names the family in each cell instead."""
    files = [(resources.files("reprokit.report") / each).read_text(encoding="utf-8") for each in _STYLES]
    named = [
        f'.matrix td:nth-of-type({place}) {{ --family: "{family} "; }}\n' for place, family in enumerate(FAMILIES, 1)
    ]
    return "".join([*files, *named])


def _rest(results: Results, found: Survey, room: int) -> Iterator[Rest]:
    shown = Counter(each.state for each in found.worst)
    for state in words.STATES:
        if number := found.states[state] - shown[state]:
            rows = min(number, room)
            room -= rows
            yield Rest(
                state=state,
                number=number,
                rows=rows,
                bundles=islice(_after(results, state, found.worst[-1] if found.worst else None), rows),
            )


def _after(results: Results, state: State, last: Told | None) -> Iterator[Told]:
    """Give the bundles of a state that are not among the worst, of which `last` is the least bad."""
    for audited in results():
        if audited.state == state:
            each = told(audited)
            if last is None or each.worst_first > last.worst_first:
                yield each


def marked(text: str) -> Markup:
    """Write what stands between backticks as code."""
    pieces = (
        escape(piece) if place % 2 == 0 else _CODE.format(piece) for place, piece in enumerate(_LITERAL.split(text))
    )
    return Markup().join(pieces)


def _environment() -> Environment:
    environment = page_templates.environment()
    environment.filters |= {"name": name, "sentence": sentence, "marked": marked}
    environment.filters |= {"number": words.number, "size": words.size}
    environment.globals |= {
        "catalogue": CATALOGUE,
        "count": words.count,
        "families": FAMILIES,
        "hint": hint,
        "sign": words.SIGN,
        "states": words.STATES,
        "read_words": words.READ,
        "what_was_read": words.what_was_read,
        "chart_height": HEIGHT,
    }
    return environment
