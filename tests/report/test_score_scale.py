"""The units of a plot, whatever numbers a record holds."""

from __future__ import annotations

import math

import pytest

from reprokit.report import score_scale


@pytest.mark.parametrize(("value", "expected"), [(10**400, math.inf), (-(10**400), -math.inf), (2, 2.0)])
def test_a_whole_number_beyond_a_float_is_without_bound(value, expected):
    assert score_scale._float(value) == expected
