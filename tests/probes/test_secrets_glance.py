"""A glance at a text never hides a word that is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.probes.secrets import Secrets, names_in_text, vendors
from reprokit.probes.secrets.glance import Glance

LONG = "the quick brown fox, 0123456789; " * 200
BEGINNINGS = sorted({beginning for form in vendors.OTHERS for beginning in form.beginnings})


@given(st.text(max_size=40), st.text(min_size=1, max_size=60), st.text(max_size=40))
def test_a_word_of_any_characters_may_be_held_by_a_text_that_holds_it(before, word, after):
    assert Glance(LONG + before + word + after + LONG).may_hold(word)


@pytest.mark.parametrize("word", BEGINNINGS)
def test_every_beginning_of_a_key_is_seen_in_a_long_text(word):
    assert Glance(LONG + word + LONG).may_hold(word)
    assert word in LONG or Glance("x" + word).may_hold(word)


def test_what_hardly_any_text_holds_is_ruled_out_in_most():
    ruled_out = [word for word in BEGINNINGS if not Glance(LONG).may_hold(word)]

    assert len(ruled_out) >= len(BEGINNINGS) - 4


@given(st.text(st.characters(codec="utf-8"), min_size=0, max_size=30))
def test_a_known_secret_of_any_alphabet_is_found_far_within_a_long_text(around):
    secret = "Grüße-7f3K9zQ1xw-ключ-5Tz"

    found = names_in_text((LONG + around + secret + around + LONG).encode(), Secrets(values={"PASSWORD": secret}))

    assert found == {"PASSWORD"}
