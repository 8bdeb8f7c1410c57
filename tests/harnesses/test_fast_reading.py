"""The fast way of reading a harness's JSON gives what the careful way gives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.values import as_json
from reprokit.harnesses.loose_json import decode, lines
from reprokit.harnesses.sample_lines import survey

numbers = st.integers() | st.floats() | st.integers(min_value=2**62, max_value=2**65) | st.integers(max_value=-(2**62))
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_is_read_the_same_both_ways(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    assert decode(text.encode("utf-8", "surrogatepass")).value == as_json(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "18446744073709551616",
        "-9223372036854775809",
        "[12345678901234567890123]",
        '{"a":-99999999999999999999}',
        "[\n99999999999999999999]",
    ],
)
def test_a_number_beyond_64_bits_becomes_its_digits_wherever_it_stands(text):
    assert decode(text.encode()).value == as_json(json.loads(text))


LINES = st.lists(
    st.fixed_dictionaries({"doc_id": values}, optional={"filter": values, "doc_hash": values, "doc": values}).map(
        lambda record: json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    | st.binary(max_size=20).map(lambda data: b'{"doc_id": 1, "doc": "' + data.replace(b"\n", b"") + b'"}')
    | st.sampled_from([b"", b" \t", b"[1]", b'{"doc_id": 1', b'{"doc_id": 1, "doc": 1e999}', b'{"doc_id": null}'])
    | st.integers(4290, 4310).map(lambda digits: b'{"doc_id": 1, "doc": ' + b"9" * digits + b"}"),
    max_size=8,
)


@given(LINES)
def test_samples_are_counted_the_same_by_their_heads_as_by_all_they_hold(tmp_path_factory, written):
    path = tmp_path_factory.getbasetemp() / "samples.jsonl"
    path.write_bytes(b"\n".join(written))

    counted = survey(lines(path, "it", key="doc_id", heads=True))

    assert counted == survey(lines(path, "it", key="doc_id"))
