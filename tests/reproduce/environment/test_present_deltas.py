"""Where the environment was not rebuilt, the result says how the present one differs."""

from __future__ import annotations

import msgspec

from reprokit.bundle.values import Unknown
from reprokit.reproduce.environment.present import present_deltas


def told(recorded, here):
    return [(each.what, each.recorded, each.here) for each in present_deltas(recorded, here)]


def test_every_package_that_differs_is_named_and_no_other(environment_of):
    recorded = environment_of("Alpha_x==1.0", "beta==2", "gone==3")
    here = environment_of("alpha-x==1.1", "beta==2", "new==4")

    assert told(recorded, here) == [
        ("alpha-x", "1.0", "1.1"),
        ("gone", "3", "not installed"),
        ("new", "not installed", "4"),
    ]
    assert told(recorded, recorded) == []


def test_another_python_is_named(environment_of):
    assert told(environment_of(version="3.11.7"), environment_of(version="3.12.1")) == [("Python", "3.11.7", "3.12.1")]


def test_what_only_one_side_knows_is_unknown_on_the_other(environment_of):
    recorded = environment_of("alpha==1.0")
    nothing = msgspec.structs.replace(recorded, packages=Unknown(unknown="no probe"), interpreter=None)

    assert told(nothing, recorded) == [
        ("Python", "unknown", recorded.interpreter.version),
        ("packages", "unknown", "known"),
    ]
    assert told(nothing, nothing) == told(None, None) == []
