"""`--samples digest`: the content of samples stays on the machine, and two runs can still be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from reprokit.bundle import canonical

RECORDED = Path(__file__).parents[1] / "recorded"
RUN = RECORDED / "lm_eval/0.4.13/hf_all_samples"


def everything(archive):
    for path in archive.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data


@pytest.fixture
def private(reprokit, evaluation):
    """Capture the small evaluation twice, once with its samples as digests; give both ids."""
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)
    reprokit("capture", *reprokit.files, "--samples", "digest", "--", "python", "evaluate.py", directory=evaluation)
    full, digests = (each["id"] for each in reprokit.json("list"))
    return full, digests


def test_nothing_that_a_sample_says_is_in_the_bundle(reprokit, evaluation):
    asked = "what is the airspeed of an unladen swallow"
    source = (evaluation / "evaluate.py").read_text().replace('f"{number}+{number}="', 'os.environ["ASKED"]')
    (evaluation / "evaluate.py").write_text("import os\n" + source + "\nprint(os.environ['ASKED'])\n")

    reprokit(
        "capture", *reprokit.files, "--samples", "digest", "--", "python", "evaluate.py",
        directory=evaluation, ASKED=asked,
    )  # fmt: skip

    assert asked in (evaluation / "predictions.jsonl").read_text()
    assert not [data for data in everything(reprokit.archive) if asked.encode() in data]


def test_what_is_left_of_a_sample_are_its_id_its_marks_and_digests(reprokit, private):
    _, digests = private
    (task,) = reprokit.json("show", digests)["results"]["tasks"]
    shown = reprokit("show", digests, "--samples", task["name"], "--all").stdout
    lines = [json.loads(line) for line in shown.splitlines()]

    assert len(lines) == 6
    for number, line in enumerate(lines):
        assert (line["id"], line["document"], line["prompt"], line["target"]) == (number, None, None, None)
        assert (line["responses"], line["answer"], line["extra"]) == ([], None, {})
        assert line["target_digest"] == canonical.digest(str(2 * number))
        assert line["responses_digest"].startswith("sha256:")
        assert set(line["scores"]) == {"exact_match"}
    record = reprokit.json("show", digests)["record"]
    assert record["samples"] == "digest"
    assert {each["path"] for each in record["withheld"]} == {
        "harness/metrics.json", "harness/predictions.jsonl", "process/stdout.log", "process/stderr.log",
    }  # fmt: skip
    assert reprokit("validate", digests).returncode == 0


def test_a_full_bundle_and_one_of_digests_have_the_same_samples(reprokit, private):
    full, digests = private
    difference = reprokit.json("diff", full, digests, check=None)
    (samples,) = difference["samples"]

    assert (samples["compared"], samples["identical"], samples["differing"]) == (6, 6, 0)


def test_another_answer_is_seen_through_its_digest(reprokit, private, evaluation):
    _, digests = private
    reprokit(
        "capture", *reprokit.files, "--samples", "digest", "--", "python", "evaluate.py", "1", directory=evaluation
    )
    difference = reprokit.json("diff", digests, "latest", check=0)
    (samples,) = difference["samples"]

    assert samples["differing"] > 0
    assert samples["changed"]["response"] == samples["differing"]


def test_finished_outputs_are_reduced_too(reprokit):
    reprokit("capture", "--from", RUN, "--samples", "digest")
    shown = reprokit.json("show", "latest")
    files = {each["path"] for each in shown["record"]["files"]}
    raw = list(RUN.rglob("samples_*.jsonl"))
    documents = [json.loads(line)["doc"] for path in raw for line in path.read_text().splitlines()]
    said = [
        value for document in documents for value in document.values() if isinstance(value, str) and len(value) > 15
    ]

    assert said
    assert not [path for path in files if path.startswith("harness/") and "samples_" in path]
    kept = list(everything(reprokit.archive))
    assert not [value for value in said for data in kept if value.encode() in data]
    assert reprokit("validate", "latest").returncode == 0


def test_what_a_metrics_file_says_of_single_samples_stays_out(reprokit, evaluation):
    source = (evaluation / "evaluate.py").read_text()
    more = '"detail": {"PRIVATE-ONE": "PRIVATE-TWO"}}, "per_sample": [{"q": "PRIVATE-THREE"}], "note": "PRIVATE-FOUR"'
    source = source.replace('{"sums": {"exact_match": score}}', '{"sums": {"exact_match": score, ' + more + "}")
    source = source.replace('"scores": {', '"scores": {"why": "N/A PRIVATE-FIVE", ')
    (evaluation / "evaluate.py").write_text(source)
    (evaluation / ".gitignore").write_text("*\n")

    reprokit("capture", *reprokit.files, "--samples", "digest", "--", "python", "evaluate.py", directory=evaluation)

    assert "PRIVATE-THREE" in (evaluation / "metrics.json").read_text()
    assert "PRIVATE-FIVE" in (evaluation / "predictions.jsonl").read_text()
    shown = reprokit.json("show", "latest")
    assert [metric["metric"] for metric in shown["results"]["metrics"]] != []
    held = [path for path in Path(shown["path"]).rglob("*") if path.is_file() and "source" not in path.parts]
    assert not [path for path in held if b"PRIVATE-" in path.read_bytes()]
