"""Reading a command line as Python's argparse does, word by word, so that single options can be changed or taken out.

What the harness would refuse is passed over: nothing here raises for a command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Takes = Literal["nothing", "one", "perhaps one", "several"]
_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a harness: how it may be spelled, the first way is its name, and how many words it takes."""

    spellings: tuple[str, ...]
    takes: Takes = "one"

    @property
    def name(self) -> str:
        """Its name without dashes."""
        return self.spellings[0].lstrip("-")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value, and where it stands: the word `argument` is `prefix` and `text`."""

    text: str
    argument: int
    prefix: str = ""


@dataclass(frozen=True, kw_only=True)
class Given:
    """An option as it stands on a command line: the words from `first` to before `end`."""

    name: str
    first: int
    end: int
    values: tuple[Value, ...] = ()

    @property
    def text(self) -> str:
        """Its first value, empty when it has none."""
        return self.values[0].text if self.values else ""


def option(*spellings: str, takes: Takes = "one") -> Option:
    """Describe an option."""
    return Option(spellings=spellings, takes=takes)


def spread(argv: Sequence[str], start: int, options: Sequence[Option]) -> tuple[str, ...]:
    """Take one-letter options apart that share a word: `-sx` becomes `-s -x`.

    Args:
        argv: a command line.
        start: the word that starts the harness; nothing before it is the harness's.
        options: what the harness knows.
    """
    flags = {name for each in options if each.takes == "nothing" for name in each.spellings}
    letters = {name for each in options for name in each.spellings if not name.startswith("--")}
    apart = list(argv[: start + 1])
    for word in argv[start + 1 :]:
        rest = word
        while len(rest) > 2 and rest[:2] in flags and f"-{rest[2]}" in letters:  # noqa: PLR2004 - a dash and a letter
            apart.append(rest[:2])
            rest = "-" + rest[2:]
        apart.append(rest)
    return tuple(apart)


def read(argv: Sequence[str], start: int, options: Sequence[Option]) -> list[Given]:
    """List the options of a command line in their order.

    Long options may be shortened to any beginning that is no other's, values may stand in the same word.

    Args:
        argv: a command line as `spread` leaves it.
        start: the word that starts the harness.
        options: what the harness knows.
    """
    found: list[Given] = []
    index = start + 1
    while index < len(argv) and argv[index] != "--":
        named = _named(argv[index], options)
        if named is None:
            index += 1
            continue
        known, prefix, attached = named
        values: tuple[Value, ...] = tuple(_values(argv, index + 1, known, options))
        if attached is not None:
            values = (Value(text=attached, argument=index, prefix=prefix),)
        end = index + 1 if attached is not None else index + 1 + len(values)
        found.append(Given(name=known.name, first=index, end=end, values=values))
        index = end
    return found


def last(given: Iterable[Given], name: str) -> Given | None:
    """Find an option where it counts: where it was given last."""
    return next((each for each in reversed(list(given)) if each.name == name), None)


def without(argv: Sequence[str], given: Iterable[Given]) -> tuple[str, ...]:
    """Take options out of a command line, or out of its beginning, with their values."""
    gone = {index for each in given for index in range(each.first, each.end)}
    return tuple(word for index, word in enumerate(argv) if index not in gone)


def words(name: str, text: str) -> list[str]:
    """Write an option with its value: in one word where the value would be taken for an option itself."""
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def with_option(argv: Sequence[str], start: int, options: Sequence[Option], name: str, text: str) -> tuple[str, ...]:
    """Give an option once, with this value: in the place of where it stood last, or after all options."""
    given = [each for each in read(argv, start, options) if each.name == name]
    end = argv.index("--", start + 1) if "--" in argv[start + 1 :] else len(argv)
    place = given[-1].end if given else end
    before = len(without(argv[:place], given))
    rest = without(argv, given)
    return (*rest[:before], *words(name, text), *rest[before:])


def _named(word: str, options: Sequence[Option]) -> tuple[Option, str, str | None] | None:
    """Tell which option a word is, with what stands before a value in the same word, and that value."""
    if not word.startswith("-"):
        return None
    before, equals, value = word.partition("=")
    exact = [each for each in options if before in each.spellings]
    if not exact and before.startswith("--"):
        exact = [each for each in options if any(spelling.startswith(before) for spelling in each.spellings)]
    if len(exact) == 1:
        return exact[0], before + equals, value if equals else None
    if word.startswith("--") or len(word) < 3:  # noqa: PLR2004 - a dash, a letter and a value
        return None
    short = next((each for each in options if word[:2] in each.spellings and each.takes != "nothing"), None)
    return (short, word[:2], word[2:]) if short is not None else None


def _values(argv: Sequence[str], index: int, known: Option, options: Sequence[Option]) -> Iterator[Value]:
    most = {"nothing": 0, "one": 1, "perhaps one": 1, "several": len(argv)}[known.takes]
    for place in range(index, min(index + most, len(argv))):
        if not _is_value(argv[place], options):
            return
        yield Value(text=argv[place], argument=place)


def _is_value(word: str, options: Sequence[Option]) -> bool:
    if not word.startswith("-") or word == "-":
        return True
    if word == "--" or _named(word, options) is not None:
        return False
    return _NEGATIVE.fullmatch(word) is not None or " " in word
