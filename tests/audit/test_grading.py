"""Grades: a level counts when those below it are reached, and nothing unknown is counted."""

from __future__ import annotations

import pytest

from reprokit.audit import grading
from reprokit.audit.grading import Evidence, levels
from reprokit.audit.policy import Place, Policy
from reprokit.audit.statements import FAMILIES, Fact, NotKnown, outcome
from reprokit.audit.values import AREAS
from reprokit.bundle.finding import finding

PLACES = {
    "here": Place(location="Berlin", medium="disk", threat="flood"),
    "nas": Place(location="Zurich", medium="tape", threat="fire"),
    "wandb": Place(location="Oregon", medium="cloud", threat="the service ends"),
}
BEST = Evidence(
    places=["here", "remote nas", "mirror wandb"],
    proven=["here", "remote nas"],
    noted=frozenset(),
    read_in_time=True,
    reproduced=True,
    ledger_whole=True,
    guarded=True,
    audited_before=True,
    actions=True,
)


def outcomes(**changed):
    signed = [Fact(where="a.sig", told="signed by ada with key SHA256:x")]
    return {
        family: outcome(family, changed.get(family, signed if family == "signatures" else [])) for family in FAMILIES
    }


POLICY = Policy(places=PLACES)


def grade(evidence=BEST, policy=POLICY, **changed):
    from dataclasses import replace

    of_evidence = {key: value for key, value in changed.items() if key not in FAMILIES}
    told = {key: value for key, value in changed.items() if key in FAMILIES}
    return {each.area: each for each in levels(outcomes(**told), replace(evidence, **of_evidence), policy)}


def test_a_bundle_with_all_that_is_asked_has_four_levels_everywhere():
    assert {area: each.level for area, each in grade().items()} == dict.fromkeys(AREAS, 4)


@pytest.mark.parametrize(
    ("area", "level", "changed"),
    [
        ("storage", 0, {"places": ["here"]}),
        ("storage", 1, {"places": ["here", "remote nas"]}),
        ("storage", 0, {"policy": Policy()}),
        ("storage", 0, {"policy": Policy(places={"here": Place(location="Berlin"), "nas": Place(location="Berlin")})}),
        (
            "storage",
            2,
            {"policy": Policy(places={key: Place(location=key, medium="disk", threat=key) for key in PLACES})},
        ),
        ("integrity", 0, {"fixity": [finding("E101", "data/x")]}),
        ("integrity", 2, {"read_in_time": None}),
        ("integrity", 2, {"read_in_time": False}),
        ("integrity", 3, {"proven": ["here"]}),
        ("control", 0, {"guarded": False}),
        ("control", 1, {"signatures": []}),
        ("control", 1, {"signatures": [NotKnown(where="a.sig", because="no ssh-keygen")]}),
        ("control", 2, {"ledger_whole": False}),
        ("control", 3, {"audited_before": False}),
        ("metadata", 0, {"fixity": [finding("E108", "catalog/x.json")]}),
        ("metadata", 1, {"format": [finding("E202", "bundle.json")]}),
        ("metadata", 2, {"noted": frozenset({"W330", "W306"})}),
        ("metadata", 2, {"noted": frozenset({"W316"})}),
        ("metadata", 2, {"noted": frozenset({"W310"})}),
        ("metadata", 2, {"identifiers": [NotKnown(where="toy-org/tiny-gpt2", because="its revision is not known")]}),
        ("metadata", 3, {"actions": False}),
        ("content", 1, {"consistency": [finding("W318", "toy")]}),
        ("content", 2, {"recoverability": [NotKnown(where="numpy", because="the index did not answer")]}),
        ("content", 2, {"obsolescence": [finding("W431", "toy")]}),
        ("content", 3, {"reproduced": False}),
    ],
)
def test_each_level_is_lost_by_what_it_asks_for(area, level, changed):
    found = grade(**changed)

    assert found[area].level == level
    assert found[area].reason != "all four levels"


def test_what_was_not_looked_at_gives_no_level():
    found = {each.area: each for each in levels({}, BEST, Policy(places=PLACES))}

    assert found["integrity"].level == 0
    assert "was not looked at" in found["integrity"].reason
    assert found["content"].level == 0


def test_an_archive_is_as_good_as_its_weakest_bundle_and_says_how_many_those_are():
    archive = grading.Archive()
    archive.add(list(grade().values()))
    archive.add(list(grade(places=["here"]).values()))

    found = {each.area: each for each in archive.levels()}

    assert found["storage"].level == 0
    assert found["storage"].reason.startswith("1 of 2 bundles: ")
    assert found["metadata"].level == 4


def test_an_archive_without_a_bundle_has_no_grade():
    assert grading.Archive().levels() == []
