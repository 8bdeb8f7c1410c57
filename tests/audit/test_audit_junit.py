"""An audit as JUnit XML: read by a checker as strict as the schemas of Ant and Jenkins together."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.audit.shown.junit import write
from reprokit.audit.statements import FAMILIES, Fact, NotKnown, Outcome, outcome
from reprokit.audit.values import Audited, Counts, Level, Summary
from reprokit.bundle.finding import Finding, finding

NUMBER = r"[0-9]+"
SECONDS = r"[0-9]+(\.[0-9]{1,3})?"
TEXT = r"(?s).+"
# Of each element: its attributes, all of which must be there, and what may follow each other inside of it.
GRAMMAR = {
    "testsuites": ({}, r"(testsuite )*"),
    "testsuite": (
        {
            "name": TEXT,
            "package": TEXT,
            "id": NUMBER,
            "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
            "hostname": TEXT,
            "tests": NUMBER,
            "failures": NUMBER,
            "errors": NUMBER,
            "skipped": NUMBER,
            "time": SECONDS,
        },
        r"properties (testcase )*system-out system-err ",
    ),
    "properties": ({}, r"(property )*"),
    "property": ({"name": TEXT, "value": r"(?s).*"}, ""),
    "testcase": ({"name": TEXT, "classname": TEXT, "time": SECONDS}, r"(failure |skipped )?"),
    "failure": ({"message": TEXT, "type": "error|warning"}, ""),
    "skipped": ({"message": TEXT}, ""),
    "system-out": ({}, ""),
    "system-err": ({}, ""),
}


def check(element):
    attributes, inside = GRAMMAR[element.tag]
    assert element.attrib.keys() == attributes.keys()
    assert [key for key, value in element.attrib.items() if not re.fullmatch(attributes[key], value)] == []
    assert re.fullmatch(inside, "".join(f"{child.tag} " for child in element))
    for child in element:
        check(child)
    if element.tag == "testsuite":
        assert int(element.get("tests")) == len(element.findall("testcase"))
        assert int(element.get("failures")) == len(element.findall("testcase/failure"))
        assert int(element.get("skipped")) == len(element.findall("testcase/skipped"))


def summary(**changes):
    given = {
        "archive": "/srv/evaluations",
        "started": "2026-11-23T03:00:00.5Z",
        "ended": "2026-11-23T03:02:04Z",
        "counts": Counts(good=1),
    }
    return Summary(**(given | changes))


def audited(name="bundle", **said):
    outcomes = [outcome(family, statements) for family, statements in said.items()]
    return Audited(
        bundle=name, identity=None, state="good", read="whole", at="2026-11-23T03:15:47.123Z", outcomes=outcomes
    )


def suites(*bundles, strict=False, **changes):
    stream = io.StringIO()
    write(stream, summary(**changes), lambda: iter(bundles), strict=strict)
    root = ET.fromstring(stream.getvalue().encode("utf-8"))
    check(root)
    assert root.tag == "testsuites"
    assert [int(suite.get("id")) for suite in root] == list(range(len(bundles) + 1))
    return list(root)


def case(suite, name):
    (found,) = [each for each in suite.findall("testcase") if each.get("name") == name]
    return found


def test_every_bundle_is_a_suite_with_a_case_for_each_family():
    _, one, two = suites(audited("one", fixity=[]), audited("two"))

    assert [one.get("name"), two.get("name")] == ["one", "two"]
    assert [each.get("name") for each in one.findall("testcase")] == list(FAMILIES)
    assert list(case(one, "fixity")) == []
    assert case(two, "fixity").find("skipped").get("message") == "not asked for"


def test_an_error_is_a_failure_that_tells_all():
    _, suite = suites(audited(copies=[finding("E403", "wandb", "no run"), finding("W401", "copies", "1 of 3")]))
    failure = case(suite, "copies").find("failure")

    assert failure.get("type") == "error"
    assert failure.get("message") == "E403 wandb: the copy on a mirror is not the bundle: no run"
    assert failure.text.splitlines() == [
        "E403 wandb: the copy on a mirror is not the bundle: no run",
        "W401 copies: there are fewer whole copies than there should be: 1 of 3",
    ]


def test_a_warning_passes_and_is_told_unless_it_is_to_be_strict():
    bundle = audited(copies=[finding("W401", "copies", "1 of 3")])
    _, mild = suites(bundle)
    _, strict = suites(bundle, strict=True)

    assert list(case(mild, "copies")) == []
    assert mild.find("system-out").text.startswith("copies: W401 copies: there are fewer whole copies")
    assert case(strict, "copies").find("failure").get("type") == "warning"


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_not_known_is_skipped_with_the_reason(strict):
    unknown = [NotKnown(where=f"numpy=={n}", because="the index did not answer") for n in range(300)]
    _, suite = suites(audited(recoverability=unknown), strict=strict)

    message = case(suite, "recoverability").find("skipped").get("message")
    assert message == "unknown: numpy==0 and 299 more: the index did not answer"


def test_what_was_not_asked_is_skipped_with_the_reason_where_there_is_one():
    bundle = audited()
    outcomes = [Outcome(family="freshness", state="not asked", unknown=[NotKnown(where="a", because="--offline")])]
    _, suite = suites(
        type(bundle)(**{key: getattr(bundle, key) for key in bundle.__struct_fields__} | {"outcomes": outcomes})
    )

    assert case(suite, "freshness").find("skipped").get("message") == "not asked for; unknown: a: --offline"


def test_the_archive_itself_is_the_first_suite():
    findings = [finding("E116", "ledger/2026.jsonl", "line 3")]
    (suite,) = suites(findings=findings, not_reached=12, remarks=["slow"])

    assert suite.get("name") == "archive /srv/evaluations"
    assert suite.get("time") == "123.500"
    assert case(suite, "the archive itself").find("failure").text.startswith("E116 ledger/2026.jsonl: ")
    skipped = case(suite, "every bundle was reached").find("skipped")
    assert skipped.get("message") == "12 bundles left out by the budget or the sample"
    assert suite.find("system-out").text == "every bundle was reached: slow"


def test_the_grade_and_the_identity_are_properties_of_the_suite():
    bundle = audited(fixity=[])
    graded = type(bundle)(
        **{key: getattr(bundle, key) for key in bundle.__struct_fields__}
        | {"grade": [Level(area="storage", level=2, reason="a third copy")]}
    )
    _, suite = suites(graded)

    found = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert found == {"identity": "not known", "read": "whole", "level of storage": "2: a third copy"}


@given(st.text(), st.text(), st.text())
def test_whatever_a_bundle_holds_the_document_is_well_formed(name, where, told):
    bundle = audited(
        name,
        fixity=[Finding(code="E103", severity="error", where=where, message=told)],
        copies=[Finding(code="W401", severity="warning", where=where, message=told)],
        identifiers=[NotKnown(where=where, because=told)],
        signatures=[Fact(where=where, told=told)],
    )

    assert len(suites(bundle, archive=name, remarks=[told])) == 2


def test_characters_that_xml_forbids_are_written_out():
    _, suite = suites(audited("a\x00\x0b\ud800\uffff<b>&\"'", fixity=[finding("E103", "]]>\x1b[31m")]))

    assert suite.get("name") == "a\\x00\\x0b\\ud800\\uffff<b>&\"'"
    assert "]]>\\e[31m" in case(suite, "fixity").find("failure").text


def test_many_findings_are_a_few_lines_and_a_count():
    _, suite = suites(audited(fixity=[finding("E103", f"{n:06}") for n in range(5_000)]))
    told = case(suite, "fixity").find("failure").text.splitlines()

    assert told[-1] == "E103 … and 4,990 more"
    assert len(told) == 11
