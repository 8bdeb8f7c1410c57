"""Where in a text secrets stand: known values, values under a telling name, URLs with a password, services' keys."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol, TypeVar

from reprokit.probes.secrets import vendors
from reprokit.probes.secrets.glance import Glance
from reprokit.probes.secrets.likeness import (
    ENOUGH_TO_JUDGE,
    SHORTEST,
    holds_a_secret,
    is_placeholder,
    names_a_secret,
    random_enough,
    slot_name,
)

LONGEST_CONTEXT = 256
"""How many characters before a secret can decide whether it is one: the name it stands under."""

_LONGEST_VALUE = 4096
_REMEMBERED = 256
"""How many judgements are remembered while one text is searched: logs repeat themselves."""
_GIVEN = r"""[=:][ \t]{0,2}(?P<quote>\\{0,8}["'])?(?:(?i:bearer|basic|token|digest)[ \t]{1,2})?"""
_GIVEN_ANYTHING = re.compile(_GIVEN)
_GIVEN_SOMETHING_LONG = re.compile(rf"{_GIVEN}(?=[^\s]{{{SHORTEST}}})")
_NAME_BACKWARDS = re.compile(r"""[ \t]{0,2}(?:["']\\{0,8})?([A-Za-z0-9_.-]{0,80}[A-Za-z])(?![A-Za-z0-9_.])""")
_LONGEST_NAME = 100
_SLOT = re.compile(r'{"secret": "[A-Z][A-Z0-9_]*"}')
_PLAIN = r"""[^\s,;&"'\\{}()\[\]|]*"""
_BARE = re.compile(rf"{_PLAIN}(?:&(?![\w.-]{{1,80}}=){_PLAIN})*")
_LINE = re.compile(r"[^\r\n]*")
_USER_INFORMATION = re.compile(
    r"""://(?P<user>[^/\s:@?#"'\\]{0,256})(?::(?P<password>[^/\s@?#"'\\]{1,1024}))?@(?=[\w.\[-])"""
)


_Question = TypeVar("_Question", bound=Hashable)


class Rank(IntEnum):
    """How much is known of a hit; where two overlap, the lower one names the slot."""

    KNOWN = 0
    NAMED = 1
    FORM = 2


@dataclass(frozen=True, kw_only=True, order=True)
class Hit:
    """A secret from `start` to before `end`, and the name of its slot or, where it is not known, what to call it."""

    start: int
    end: int
    rank: Rank
    name: str


class Judge(Protocol):
    """Decides whether a value under a name is a secret."""

    def __call__(self, name: str, value: str, /) -> bool:
        """Tell whether it is."""
        ...


def strictly(name: str, value: str, /) -> bool:
    """Judge for free text, where a telling name is followed by anything: only a random value is a secret."""
    return names_a_secret(name) and random_enough(value)


def known(text: str, forms: Iterable[tuple[str, str]], glance: Glance) -> Iterator[Hit]:
    """Find known values in any of their forms."""
    for form, name in forms:
        if not glance.may_hold(form):
            continue
        position = text.find(form)
        while position >= 0:
            yield Hit(start=position, end=position + len(form), rank=Rank.KNOWN, name=name)
            position = text.find(form, position + len(form))


def of_form(text: str, glance: Glance) -> Iterator[Hit]:
    """Find services' keys, and random passwords in URLs."""
    for start, end, name in vendors.find(text, glance):
        yield Hit(start=start, end=end, rank=Rank.FORM, name=name)
    yield from in_urls(text, strictly)


def named(text: str, judge: Judge = holds_a_secret) -> Iterator[Hit]:
    """Find values that stand under a telling name: `key=value`, `"key": "value"`, `Key: value`."""
    given = _GIVEN_SOMETHING_LONG if judge is strictly else _GIVEN_ANYTHING
    covered = 0
    judged: dict[tuple[str, str], bool] = {}
    telling: dict[str, bool] = {}
    for match in given.finditer(text):
        if match.start() < covered:
            continue
        name = _name_before(text, match.start())
        if not name or not _remembered(telling, name, names_a_secret):
            continue
        start, end = _value(text, match, ENOUGH_TO_JUDGE)
        if end == start or not _remembered(judged, (name, text[start:end]), lambda key: judge(*key)):
            continue
        if end - start == ENOUGH_TO_JUDGE:
            start, end = _value(text, match, _LONGEST_VALUE)
        if end > start:
            yield Hit(start=start, end=end, rank=Rank.NAMED, name=slot_name(name))
            covered = end


def _name_before(text: str, position: int) -> str:
    """Give the name that stands before a position, quoted or not; empty when there is none."""
    backwards = _NAME_BACKWARDS.match(text[max(0, position - _LONGEST_NAME) : position][::-1])
    return backwards[1][::-1] if backwards else ""


def _remembered(answers: dict[_Question, bool], question: _Question, decide: Callable[[_Question], bool]) -> bool:
    """Decide, or give the answer that was given to the same question not long ago."""
    if question not in answers:
        if len(answers) >= _REMEMBERED:
            answers.clear()
        answers[question] = decide(question)
    return answers[question]


def _value(text: str, match: re.Match[str], longest: int) -> tuple[int, int]:
    """Find where the value ends: at the quote that opened it, or at what cannot stand in a bare one."""
    start = match.end()
    if match["quote"]:
        line = _LINE.match(text, start, start + longest)
        line_end = line.end() if line else start
        end = text.find(match["quote"], start, line_end)
        if end >= 0:
            return start, end
        if longest < _LONGEST_VALUE and line_end - start == longest:
            return start, line_end  # the quote may stand further on
    bare = _BARE.match(text, start, start + longest)
    return start, bare.end() if bare else start


def in_urls(text: str, judge: Judge = holds_a_secret) -> Iterator[Hit]:
    """Find the passwords of URLs, and tokens in the place of a user name."""
    if "@" not in text or "://" not in text:
        return
    for match in _USER_INFORMATION.finditer(text):
        group, name = ("password", "URL_PASSWORD") if match["password"] else ("user", "URL_TOKEN")
        value = match[group]
        if judge("password" if group == "password" else "key", value) and not is_placeholder(value):
            yield Hit(start=match.start(group), end=match.end(group), rank=Rank.NAMED, name=name)


def disjoint(text: str, hits: Iterable[Hit]) -> list[Hit]:
    """Choose among overlapping hits the best known and then the longest, in the order of the text.

    What a better one leaves of another is kept when it is random enough to be a secret by itself. The slots of an
    earlier redaction stay as they are.
    """
    slots = [Hit(start=match.start(), end=match.end(), rank=Rank.KNOWN, name="") for match in _SLOT.finditer(text)]
    chosen: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.rank, hit.start - hit.end, hit.start)):
        if hit.rank is not Rank.KNOWN and _overlapping(slots, hit):
            continue
        overlapping = _overlapping(chosen, hit)
        edges = [hit.start, *(edge for other in overlapping for edge in (other.start, other.end)), hit.end]
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end > start and (not overlapping or random_enough(text[start:end])):
                insort(chosen, replace(hit, start=start, end=end), key=_start)
    return chosen


def _overlapping(sorted_hits: list[Hit], hit: Hit) -> list[Hit]:
    """Give those of disjoint hits, sorted, that overlap another."""
    return sorted_hits[bisect_right(sorted_hits, hit.start, key=_end) : bisect_left(sorted_hits, hit.end, key=_start)]


def _start(hit: Hit) -> int:
    return hit.start


def _end(hit: Hit) -> int:
    return hit.end
