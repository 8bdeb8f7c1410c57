"""What lies between two texts: nothing is lost, and no text can make it slow."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.diff.text_difference import Piece, pieces

words = st.sampled_from(
    ["the", "answer", "is", "4", "5", " ", " ", "\n", ".", "é", "\N{COMBINING ACUTE ACCENT}", "\u202e", "答", "案"]
)
written = st.lists(words, max_size=60).map("".join)
texts = written | st.text(max_size=40)
MEGABYTES = 10_000_000


def mirrored(found):
    """Swap the sides, and put what was removed in front again."""
    turned = [
        Piece(kind={"removed": "added", "added": "removed"}.get(piece.kind, "same"), text=piece.text) for piece in found
    ]
    for at in range(len(turned) - 1):
        if (turned[at].kind, turned[at + 1].kind) == ("added", "removed"):
            turned[at], turned[at + 1] = turned[at + 1], turned[at]
    return turned


def side(found, kind):
    return "".join(piece.text for piece in found if piece.kind in {"same", kind})


def shown(one, other):
    signs = {"same": "{}", "removed": "[-{}-]", "added": "[+{}+]"}
    return "".join(signs[piece.kind].format(piece.text) for piece in pieces(one, other))


@given(texts, texts)
def test_the_pieces_of_each_side_are_that_text(one, other):
    found = pieces(one, other)

    assert side(found, "removed") == one
    assert side(found, "added") == other


@given(texts, texts)
def test_swapping_the_texts_mirrors_removed_and_added_and_nothing_else(one, other):
    assert pieces(other, one) == mirrored(pieces(one, other))


@given(texts, texts)
def test_no_piece_is_empty_and_no_two_neighbours_are_alike(one, other):
    found = pieces(one, other)

    assert all(piece.text for piece in found)
    assert all(piece.kind != after.kind for piece, after in pairwise(found))
    assert not any((piece.kind, after.kind) == ("added", "removed") for piece, after in pairwise(found))


@given(texts)
def test_equal_texts_have_nothing_removed_or_added(text):
    assert [piece.kind for piece in pieces(text, text)] == (["same"] if text else [])


@given(written, st.integers(0, 60), written)
def test_an_insertion_into_a_text_removes_nothing(text, at, more):
    assert not [
        piece
        for piece in pieces(text, f"{text[:at]}{more}\n{text[at:]}" if text[:at].endswith("\n") else f"{text}\n{more}")
        if piece.kind == "removed"
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The answer is 4.", "The answer is 5.", "The answer is [-4-][+5+]."),
        ("(A)", "(B)", "([-A-][+B+])"),
        ("first\nsecond\nthird\n", "first\nthird\n", "first\n[-second\n-]third\n"),
        ("a red apple\nb\nc\n", "x\na green apple\nb\nc\n", "[+x\n+]a [-red-][+green+] apple\nb\nc\n"),
        ("one two three four five six", "one 2 3 four five six", "one [-two three-][+2 3+] four five six"),
        ("答案是四。", "答案是五。", "答案是[-四-][+五+]。"),
        ("Paris", "I do not know, sorry", "[-Paris-][+I do not know, sorry+]"),
        ("", "new", "[+new+]"),
        ("same", "same", "same"),
    ],
)
def test_what_differs_is_told_word_by_word(one, other, expected):
    assert shown(one, other) == expected


def noise(size, letters="ab \n", seed=7):
    generator = np.random.default_rng(seed)
    return "".join(generator.choice(list(letters), size))


HOSTILE = {
    "two lines of ten megabytes": lambda: ("x" * MEGABYTES, "x" * (MEGABYTES // 2) + "y" + "x" * (MEGABYTES // 2)),
    "two lines of words of ten megabytes": lambda: ("ab " * (MEGABYTES // 3), "xy " * (MEGABYTES // 3)),
    "ten megabytes of line ends": lambda: ("\n" * MEGABYTES, "\n" * (MEGABYTES - 1) + "x"),
    "equal lines": lambda: ("line\n" * 100_000, "line\n" * 100_001),
    "equal lines between others": lambda: ("line\nx\n" * 50_000, "line\ny\n" * 50_000),
    "unique lines in reverse": lambda: (
        "".join(f"{n}\n" for n in range(90_000)),
        "".join(f"{n}\n" for n in reversed(range(90_000))),
    ),
    "noise": lambda: (noise(200_000, seed=1), noise(200_000, seed=2)),
    "noise on one line": lambda: (noise(90_000, "ab .", seed=1), noise(90_000, "ab .", seed=2)),
    "signs": lambda: (noise(90_000, ".,;", seed=1), noise(90_000, ".,;", seed=2)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pair_is_taken_apart_whole_and_mirrored(name):
    one, other = HOSTILE[name]()

    found = pieces(one, other)

    assert side(found, "removed") == one
    assert side(found, "added") == other
    assert pieces(other, one) == mirrored(found)


def test_memory_stays_in_proportion_to_the_texts():
    one, other = HOSTILE["two lines of words of ten megabytes"]()
    tracemalloc.start()
    try:
        pieces(one, other)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 12 * len(one)
