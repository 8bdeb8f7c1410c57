"""Bundles on disk, compared."""

from __future__ import annotations

import msgspec

from reprokit.bundle.reading import open_bundle
from reprokit.diff.compare import compare


def test_a_bundle_on_disk_is_identical_to_itself_and_to_a_second_one_of_the_same_run(make_bundle, tmp_path):
    make_bundle(tmp_path / "one")
    make_bundle(tmp_path / "two", harness_files={"harness/results.json": b'{"acc":0.5}'})
    one, two = open_bundle(tmp_path / "one"), open_bundle(tmp_path / "two")

    assert compare(one, one).verdict == "identical"
    assert compare(one, two).verdict == "identical"
    assert one.identity != two.identity


def test_a_changed_answer_in_a_bundle_on_disk_is_quoted(make_bundle, samples, tmp_path):
    rows = samples("toy", 4)
    make_bundle(tmp_path / "one", samples=rows)
    rows[2] = msgspec.structs.replace(rows[2], responses=["something else"])
    make_bundle(tmp_path / "two", samples=rows)

    found = compare(open_bundle(tmp_path / "one"), open_bundle(tmp_path / "two"))

    assert found.headline == "same scores, 1 response differs"
    assert [(change.id, change.changed) for change in found.samples[0].shown] == [(2, ["response"])]
    assert found.samples[0].shown[0].b.responses == ["something else"]
