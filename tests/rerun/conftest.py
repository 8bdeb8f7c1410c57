"""The checkout that a command was run in."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from reprokit.bundle.source import Source


def source_of(**changes: object) -> Source:
    """A clean checkout of a commit, but for the changes."""
    source = Source(
        name="evals",
        root="/home/ada/evals",
        commit="a" * 40,
        tree="b" * 40,
        swhid="swh:1:dir:" + "b" * 40,
        dirty=False,
        patch=None,
        git_bundle=None,
    )
    return msgspec.structs.replace(source, **changes)


@pytest.fixture
def a_source() -> Callable[..., Source]:
    """Give a function that makes the record of a checkout."""
    return source_of
