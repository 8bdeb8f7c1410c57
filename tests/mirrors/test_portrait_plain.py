"""The one rule by which a value becomes JSON that a tracker takes."""

import datetime as dt
import decimal
import enum
import json
import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.values import NotScored, SecretSlot
from reprokit.mirrors.portrait.plain import DEEPEST, LARGEST_WHOLE, NotPlainError, dumps, octets, plain

KEYS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
TEXTS = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]), st.just("\x00")), max_size=8)
WHOLE = st.one_of(st.integers(), st.integers(min_value=2**53 - 3, max_value=2**53 + 3), st.integers(min_value=10**5000))
LEAVES = st.one_of(st.none(), st.booleans(), WHOLE, st.floats(), TEXTS, st.builds(NotScored, not_scored=TEXTS))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=3).map(tuple), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Loud(str):
    __slots__ = ()

    def __str__(self):
        return self.upper()


class Half(float):
    pass


def nested(levels, innermost):
    value = innermost
    for number in range(levels):
        value = [value] if number % 2 else {"k": value}
    return value


@given(VALUES)
def test_what_is_made_survives_json_and_comes_back_the_same(value):
    made = plain(value)

    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert json.loads(dumps(made).encode()) == made
    assert octets(made) == len(dumps(made).encode())


@given(VALUES)
def test_what_is_plain_stays_as_it_is(value):
    made = plain(value)

    assert dumps(plain(made)) == dumps(made)


@given(st.recursive(st.none() | st.booleans() | st.integers(-LARGEST_WHOLE, LARGEST_WHOLE) | st.floats(
    allow_nan=False, allow_infinity=False) | KEYS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    KEYS, inner, max_size=3), max_leaves=15))  # fmt: skip
def test_ordinary_json_is_not_touched(value):
    assert plain(value) == value
    assert dumps(plain(value)) == dumps(value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (math.nan, {"not_scored": "nan"}),
        (-math.inf, {"not_scored": "-infinity"}),
        (2**53, "9007199254740992"),
        (2**53 - 1, 2**53 - 1),
        (-(2**64), "-18446744073709551616"),
        ("a\ud800b\x00", "a\ufffdb\ufffd"),
        ((1, (2,)), [1, [2]]),
        (SecretSlot(secret="HF_TOKEN"), {"secret": "HF_TOKEN"}),
        (True, True),
    ],
)
def test_the_rule_is_followed(value, made):
    assert plain(value) == made
    assert type(plain(value)) is type(made)


def test_a_number_of_more_digits_than_python_writes_is_hexadecimal():
    assert plain(1 << 60_000) == hex(1 << 60_000)
    assert plain(10**3900 - 1) == "9" * 3900


@pytest.mark.parametrize(
    "refused",
    [
        b"bytes", object(), {1}, frozenset({1}), Path("a"), dt.datetime.min, decimal.Decimal(1), 1j, range(3), Colour.RED,
        Number.ONE, Loud("quiet"), Half(0.5), {1: 2}.keys(), print, Exception("x"), iter([1]), bytearray(b"x"),
    ],
)  # fmt: skip
def test_nothing_else_is_turned_into_text(refused):
    with pytest.raises(NotPlainError, match=r"`config\.task\[1\]` is a `\w+`, which no JSON stands for"):
        plain({"task": [0, refused]}, "config")


@pytest.mark.parametrize("key", [1, None, True, 1.5, (1,), b"k", Loud("quiet")])
def test_a_key_that_is_no_text_is_refused_with_its_place(key):
    with pytest.raises(NotPlainError, match=r"a key of `config\.a` is a `\w+` and no text"):
        plain({"a": {key: 1}}, "config")


def test_two_keys_that_become_the_same_are_refused():
    with pytest.raises(NotPlainError, match="two keys of `value` become the same"):
        plain({f"{half}": 1 for half in "\ud800\udfff"})


def test_what_lies_deep_becomes_one_text_that_holds_all_of_it():
    value = nested(DEEPEST + 8, math.inf)
    made = plain(value)

    for number in reversed(range(8, DEEPEST + 8)):
        made = made[0] if number % 2 else made["k"]
    assert json.loads(made) == nested(8, {"not_scored": "infinity"})


def test_what_is_nested_as_deep_as_a_record_can_be_is_held():
    written = "[" * 950 + "]" * 950
    made = plain(msgspec.json.decode(written))

    assert dumps(made) == dumps(plain(made))
    for _ in range(DEEPEST):
        (made,) = made
    assert made == "[" * 918 + "]" * 918


@pytest.mark.parametrize("again", [1, 3])
def test_what_holds_itself_is_refused(again):
    endless = []
    endless += [endless] * again
    with pytest.raises(NotPlainError, match=r"`value(\[\d\])+` is nested deeper than can be followed"):
        plain(endless)
