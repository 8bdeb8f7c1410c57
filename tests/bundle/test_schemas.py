"""The published schemas are the record types, and every record that is written follows them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle import canonical, checking, schemas
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored, as_json, as_score

ROOT = Path(__file__).parents[2]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


PUBLISHED = runpy.run_path(str(ROOT / "schemas/generate.py"))["PUBLISHED"]


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_schema_is_what_the_type_says(name):
    published = (ROOT / "schemas/v1" / schemas.file_name(name)).read_bytes()

    assert published == schemas.generate(*PUBLISHED[name]), "run `make schemas`"


def test_nothing_else_is_published():
    assert {path.name for path in (ROOT / "schemas/v1").iterdir()} == {schemas.file_name(name) for name in PUBLISHED}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_schema_is_valid_and_described(name):
    schema = msgspec.json.decode(schemas.published(name))

    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(each["description"] for each in (schema, *schema["$defs"].values()))


def test_other_peoples_checker_accepts_every_record_of_a_bundle(make_bundle):
    data = make_bundle().path / "data"

    for record, schema in (
        ("bundle.json", "bundle"),
        ("results.json", "results"),
        ("environment/environment.json", "environment"),
    ):
        check = subprocess.run(
            [
                Path(sys.executable).with_name("check-jsonschema"),
                "--schemafile",
                ROOT / f"schemas/v1/{schema}.schema.json",
                data / record,
            ],
            check=False,
            capture_output=True,
            text=True,
        )

        assert check.returncode == 0, check.stdout


samples = st.builds(
    Sample,
    task=st.text(),
    id=st.integers(-(2**63), 2**63 - 1) | st.text(),
    epoch=st.integers(1, 99),
    document=json_values.map(as_json),
    scores=st.dictionaries(st.text(), st.floats() | st.booleans() | st.text(), max_size=3).map(
        lambda scores: {name: as_score(value) for name, value in scores.items()}
    ),
)


@given(samples)
def test_a_written_sample_follows_the_schema_and_reads_back_equal(sample):
    line = canonical.line(sample)

    assert checking.first_line_error(msgspec.json.decode(line)) is None
    assert canonical.decode(line, Sample) == sample
    assert canonical.line(canonical.decode(line, Sample)) == line


wrong_or_right = st.fixed_dictionaries(
    {},
    optional={
        "task": st.text() | st.integers(),
        "id": st.integers() | st.text() | st.none() | st.lists(st.integers(), max_size=1),
        "epoch": st.integers(-1, 2) | st.text(max_size=1),
        "scores": st.dictionaries(
            st.text(max_size=2), st.integers() | st.text(max_size=2) | st.just({"not_scored": "nan"}), max_size=2
        ),
        "document_digest": st.none() | st.just("sha256:" + "0" * 64) | st.text(max_size=3),
        "responses": st.lists(st.text(max_size=2), max_size=2) | st.text(max_size=2),
        "unheard_of": st.integers(),
    },
)


@given(wrong_or_right)
def test_the_fast_checker_and_the_thorough_one_agree(value):
    thorough = list(checking.errors("sample", value))

    assert (checking.first_line_error(value) is None) == (thorough == [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "nan"), (float("inf"), "infinity"), (float("-inf"), "-infinity"), ("N/A", "N/A"), (None, "null")],
)
def test_what_is_no_number_becomes_a_reason_and_stays_valid_json(value, reason):
    score = as_score(value)

    assert score == NotScored(not_scored=reason)
    assert msgspec.json.decode(canonical.line(score)) == {"not_scored": reason}


@given(json_values)
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(value):
    def reversed_keys(each):
        if isinstance(each, dict):
            return {key: reversed_keys(each[key]) for key in reversed(each)}
        return [reversed_keys(item) for item in each] if isinstance(each, list) else each

    plain = as_json(value)

    assert canonical.line(plain) == canonical.line(reversed_keys(plain))
    assert canonical.digest(plain) == canonical.digest(msgspec.json.decode(canonical.record(plain)))
