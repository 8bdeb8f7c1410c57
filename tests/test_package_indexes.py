"""uv's variables and pip's say the same in other words, and whoever set one kind means the other program too."""

from __future__ import annotations

import pytest

from reprokit.package_indexes import find_uv, in_words_of_pip, in_words_of_uv

LAB, MORE = "https://lab.invalid/simple", "https://more.invalid/simple"


def test_what_pip_was_told_uv_is_told_in_its_own_words():
    told = {"PIP_INDEX_URL": LAB, "PIP_EXTRA_INDEX_URL": MORE, "PIP_FIND_LINKS": "/srv/a  /srv/b"}
    own = {"UV_DEFAULT_INDEX": LAB, "UV_INDEX": MORE, "UV_FIND_LINKS": "/srv/a,/srv/b"}
    assert in_words_of_uv(told) == told | own


@pytest.mark.parametrize(
    ("default", "more"), [("UV_DEFAULT_INDEX", "UV_INDEX"), ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL")]
)
def test_what_uv_was_told_pip_is_told_in_its_own_words(default, more):
    told = {default: LAB, more: MORE, "UV_FIND_LINKS": "/srv/a,/srv/b"}
    own = {"PIP_INDEX_URL": LAB, "PIP_EXTRA_INDEX_URL": MORE, "PIP_FIND_LINKS": "/srv/a /srv/b"}
    assert in_words_of_pip(told) == told | own


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"])
def test_where_uv_was_told_of_an_index_pip_s_count_for_nothing(name):
    told = {name: LAB, "PIP_INDEX_URL": MORE, "PIP_FIND_LINKS": "/srv/a"}
    assert in_words_of_uv(told) == told


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"])
def test_where_pip_was_told_of_an_index_uv_s_count_for_nothing(name):
    told = {name: "1", "UV_INDEX": MORE, "UV_FIND_LINKS": "/srv/a"}
    assert in_words_of_pip(told) == told


def test_empty_variables_say_nothing():
    told = {"UV_INDEX": "", "PIP_INDEX_URL": LAB, "PIP_EXTRA_INDEX_URL": ""}
    assert in_words_of_uv(told) == told | {"UV_DEFAULT_INDEX": LAB}


def test_uv_is_found_on_path_before_the_one_beside_our_python(tmp_path):
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_uv({"PATH": str(tmp_path)}) == program
    assert find_uv({"PATH": "/nowhere"}) != program
