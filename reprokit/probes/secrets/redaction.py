"""Putting named slots where secrets stand: in command lines, in records, in logs; and telling which files hold one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from reprokit.bundle.values import Argument, Json, SecretSlot
from reprokit.bundle.writing import Readable
from reprokit.errors import InputMissingError
from reprokit.probes.secrets import search, vendors
from reprokit.probes.secrets.glance import Glance
from reprokit.probes.secrets.known import Secrets, free_name, is_to_be_found
from reprokit.probes.secrets.likeness import holds_a_secret, names_a_secret, slot_name
from reprokit.probes.secrets.search import Hit, Rank

_WINDOW = 1 << 20
_FLAG = re.compile(r"-{1,2}[A-Za-z][A-Za-z0-9_.-]*")
_SLOT_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_ESCAPE = re.compile(r"\\+u00([2-9a-fA-F][0-9a-fA-F])")
_KEYED_BY_OTHERS = frozenset({"remotes", "submodules"})
"""Fields whose keys are names that people gave to something else than a secret: `auth` may be a submodule's folder."""
_FIELD_NAME = re.compile(r"[\w .:/-]{1,100}")


def redact_argv(argv: Sequence[str], secrets: Secrets) -> list[Argument]:
    """Replace the secrets of a command line by slots: `fill` is the inverse.

    A slot has the name of the known secret that stood there, or a name derived from its flag (`--api-key` gives
    `API_KEY`). Different secrets get different names.
    """
    return _redact_argv(argv, secrets)[0]


def with_argv(secrets: Secrets, argv: Sequence[str]) -> Secrets:
    """Add the secrets of a command line to the known ones, so that they are found wherever the run wrote them."""
    found = {name: value for name, value in _redact_argv(argv, secrets)[1].items() if is_to_be_found(name, value)}
    return Secrets(values={**secrets.values, **found})


def _redact_argv(argv: Sequence[str], secrets: Secrets) -> tuple[list[Argument], dict[str, str]]:
    slots = Slots(secrets)
    redacted: list[Argument] = []
    before = ""
    for argument in argv:
        hits = search.disjoint(argument, hits_in_argument(argument, secrets, before=before))
        redacted.append(slots.parts(argument, hits))
        before = argument
    return redacted, slots.values


def hits_in_argument(argument: str, secrets: Secrets, *, before: str = "") -> Iterator[Hit]:
    """Find what may be a secret in an argument, given the one before, or in a variable's value."""
    yield from _hits_in_text(argument, secrets.in_text)
    yield from search.in_urls(argument)
    yield from search.named(argument)
    flag, equals, value = argument.partition("=")
    if equals and _FLAG.fullmatch(flag) and holds_a_secret(flag, value):
        yield Hit(start=len(flag) + 1, end=len(argument), rank=Rank.NAMED, name=slot_name(flag))
    elif _FLAG.fullmatch(before) and not argument.startswith("--") and holds_a_secret(before, argument):
        yield Hit(start=0, end=len(argument), rank=Rank.NAMED, name=slot_name(before))


class Slots:
    """Names for the secrets of one command line or environment: one name a value, one value a name."""

    def __init__(self, secrets: Secrets) -> None:
        self._known = secrets.values
        self._names = {value: name for name, value in reversed(list(secrets.values.items()))}

    def parts(self, argument: str, hits: Sequence[Hit]) -> Argument:
        """Split a text at its hits, which are disjoint and sorted, and put slots in their place."""
        if not hits:
            return argument
        parts: list[str | SecretSlot] = []
        position = 0
        for hit in hits:
            if hit.start > position:
                parts.append(argument[position : hit.start])
            parts.append(SecretSlot(secret=self._name(argument[hit.start : hit.end], hit)))
            position = hit.end
        if position < len(argument):
            parts.append(argument[position:])
        return parts

    def _name(self, value: str, hit: Hit) -> str:
        if value not in self._names:
            wanted = f"{hit.name}_ENCODED" if hit.rank is Rank.KNOWN else hit.name
            self._names[value] = free_name(wanted, {*self._known, *self._names.values()})
        return self._names[value]

    @property
    def values(self) -> dict[str, str]:
        """Every value met so far and every known one, by name."""
        return {name: value for value, name in self._names.items()}


def fill(argument: Argument, values: Mapping[str, str]) -> str:
    """Give an argument back with the secrets in their slots.

    Raises:
        InputMissingError: a slot's secret is not among the values.
    """
    if isinstance(argument, str):
        return argument
    return "".join(part if isinstance(part, str) else _value_of(part, values) for part in argument)


def _value_of(slot: SecretSlot, values: Mapping[str, str]) -> str:
    if slot.secret not in values:
        raise InputMissingError(
            f"the secret `{slot.secret}` is needed, and it is not given",
            hint=f"set it as an environment variable: `export {slot.secret}=…`",
        )
    return values[slot.secret]


def redact_json(value: Json, secrets: Secrets) -> Json:
    """Copy a JSON value without its secrets.

    A secret that is a whole text becomes `{"secret": NAME}`; one within a text becomes that as text. What is such a
    slot already stays as it is.
    """
    match value:
        case str():
            return _redact_string(value, secrets)
        case {"secret": str() as name} if len(value) == 1 and _SLOT_NAME.fullmatch(name):
            return value
        case dict():
            return {_redact_key(key, secrets): _redact_field(key, item, secrets) for key, item in value.items()}
        case list() | tuple():
            return [redact_json(item, secrets) for item in value]
        case _:
            return value


def _redact_key(key: str, secrets: Secrets) -> str:
    return _with_slots(key, search.disjoint(key, _hits_in_text(key, secrets.in_text)))


def _redact_field(key: str, item: Json, secrets: Secrets) -> Json:
    if not _FIELD_NAME.fullmatch(key):
        return redact_json(item, secrets)
    match item:
        case dict() if key in _KEYED_BY_OTHERS:
            return {_redact_key(name, secrets): redact_json(each, secrets) for name, each in item.items()}
        case str() if holds_a_secret(key, item):
            whole = _redact_string(item, secrets)
            return {"secret": slot_name(key)} if isinstance(whole, str) else whole
        case list() | tuple() if names_a_secret(key):
            return [_redact_field(key, each, secrets) for each in item]
        case _:
            return redact_json(item, secrets)


def redact_string(text: str, secrets: Secrets) -> str:
    """Replace the secrets in a text by `{"secret": "NAME"}`."""
    return _with_slots(text, _hits_in_string(text, secrets))


def _hits_in_string(text: str, secrets: Secrets) -> list[Hit]:
    found = (_hits_in_text(text, secrets.in_text), search.in_urls(text), search.named(text))
    return search.disjoint(text, chain.from_iterable(found))


def _redact_string(text: str, secrets: Secrets) -> Json:
    hits = _hits_in_string(text, secrets)
    if len(hits) == 1 and (hits[0].start, hits[0].end) == (0, len(text)):
        return {"secret": hits[0].name}
    return _with_slots(text, hits)


def _hits_in_text(text: str, forms: Sequence[tuple[str, str]]) -> Iterator[Hit]:
    glance = Glance(text)
    yield from search.known(text, forms, glance)
    yield from search.of_form(text, glance)


def _with_slots(text: str, hits: Sequence[Hit]) -> str:
    parts: list[str] = []
    position = 0
    for hit in hits:
        parts += [text[position : hit.start], f'{{"secret": "{hit.name}"}}']
        position = hit.end
    return "".join([*parts, text[position:]])


def redact_text(data: bytes, secrets: Secrets) -> tuple[bytes, set[str]]:
    """Replace the secrets in the bytes of a log by `{"secret": "NAME"}`, and name those found. No byte else changes."""
    text = data.decode("latin-1")
    hits = _hits_in_log(text, secrets)
    return _with_slots(text, hits).encode("latin-1"), {hit.name for hit in hits}


def _hits_in_log(text: str, secrets: Secrets) -> list[Hit]:
    return search.disjoint(text, [*_hits_in_text(text, secrets.in_bytes), *search.named(text, search.strictly)])


def redact_file(source: Path, target: Path, secrets: Secrets) -> set[str]:
    """Copy a log without its secrets, as `redact_text` does, in bounded memory; name those found.

    Raises:
        OSError: the source cannot be read, or the target not written.
    """
    names: set[str] = set()
    with source.open("rb") as reading, target.open("wb") as writing:
        for window in _windows(reading, secrets):
            hits = window.new(_hits_in_log(window.text, secrets))
            window.done = max([window.sure, *(hit.end for hit in hits)])
            names |= {hit.name for hit in hits}
            shifted = [replace(hit, start=hit.start - window.start, end=hit.end - window.start) for hit in hits]
            writing.write(_with_slots(window.text[window.start : window.done], shifted).encode("latin-1"))
    return names


def names_in_file(path: Path, secrets: Secrets) -> set[str]:
    """Name the secrets that a file holds: known values in any form, and keys that have a service's form.

    Memory is bounded, whatever the size of the file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as reading:
        return names_in_stream(reading, secrets)


def names_in_stream(reading: Readable, secrets: Secrets) -> set[str]:
    """Name the secrets in bytes that are read to their end, as `names_in_file` does for a file."""
    names: set[str] = set()
    for window in _windows(reading, secrets):
        names |= {hit.name for hit in window.new(_hits_in_text(window.text, secrets.in_bytes))}
        names |= _known_when_unescaped(window.text, secrets)
    return names


def names_in_text(text: str | bytes, secrets: Secrets) -> set[str]:
    """Name the secrets that a text such as a line of JSON holds, as `names_in_file` does for a file.

    Meant for many short texts: a line of 1 KB takes some ten microseconds.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    line = data.decode("latin-1")
    return {hit.name for hit in _hits_in_text(line, secrets.in_bytes)} | _known_when_unescaped(line, secrets)


def _known_when_unescaped(text: str, secrets: Secrets) -> set[str]:
    r"""Name the known values in which JSON characters stand as `\u002B`, which any writer may do with any character."""
    if "\\" not in text or "\\u00" not in text:
        return set()
    plain, count = _ESCAPE.subn(_unescaped, text)
    return {name for form, name in secrets.in_bytes if form in plain} if count else set()


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)).encode("utf-8").decode("latin-1")


class _Window:
    """A part of a file as Latin-1 text.

    Before `start` stands what was dealt with already. A secret that begins before `sure` is in the text to its end. Who
    looks at it may set `done` to say up to where it has dealt with it, if that is further than `sure`.
    """

    def __init__(self, *, text: str, start: int, sure: int) -> None:
        self.text = text
        self.start = start
        self.sure = sure
        self.done = sure

    def new(self, hits: Iterable[Hit]) -> list[Hit]:
        """Give the hits that were not dealt with before and are sure to be whole."""
        return [hit for hit in hits if self.start <= hit.start < self.sure]


def _windows(reading: Readable, secrets: Secrets) -> Iterator[_Window]:
    """Slide over a file so that every secret lies whole in a window, with the context before it."""
    overlap = 2 * (vendors.LONGEST + secrets.longest)
    text, start = "", 0
    data = reading.read(_WINDOW)
    while data:
        text += data.decode("latin-1")
        data = reading.read(_WINDOW)
        window = _Window(text=text, start=start, sure=max(start, len(text) - overlap) if data else len(text))
        yield window
        kept = max(0, window.done - search.LONGEST_CONTEXT)
        text, start = text[kept:], window.done - kept
