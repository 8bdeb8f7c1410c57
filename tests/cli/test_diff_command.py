"""`reprokit diff` as a person meets it: what it prints, what it writes, what it returns."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path

import jsonschema
import pytest

SCRIPT = """
import json, sys
wrong = {int(number) for number in sys.argv[1].split(",") if number}
rows = []
for number in range(int(sys.argv[2]) if len(sys.argv) > 2 else 200):
    right = number not in wrong
    rows.append({"id": number, "passage": number // 10, "prompt": f"{number} + 1 =", "target": str(number + 1),
                 "response": f"It is {number + 1 if right else 'many'}.", "answer": str(number + 1) if right else "many",
                 "exact_match": float(right)})
with open("samples.jsonl", "w") as stream:
    stream.writelines(json.dumps(row) + "\\n" for row in rows)
with open("metrics.json", "w") as stream:
    json.dump({"sums": {"exact_match": sum(row["exact_match"] for row in rows) / len(rows)}}, stream)
"""


@pytest.fixture(scope="module")
def reprokit(tmp_path_factory, move_in):
    """The command line with an archive that all of these tests read, and none of them changes."""
    return move_in(tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture(scope="module")
def wrong(reprokit, tmp_path_factory):
    """Captures a run in which these samples come out wrong, once, and gives its id."""
    folder = tmp_path_factory.mktemp("sums")
    (folder / "sums.py").write_text(SCRIPT)
    files = ["--results", "metrics.json", "--samples", "samples.jsonl"]

    @cache
    def capture(numbers, *more):
        told = ",".join(map(str, numbers))
        reprokit("capture", *files, "--", "python", "sums.py", told, *more, directory=folder)
        return reprokit.json("list")[-1]["id"]

    return capture


@pytest.fixture(scope="module")
def pair(wrong):
    return wrong(()), wrong(range(20))


def test_a_loss_is_told_in_the_first_lines(reprokit, pair):
    text = reprokit("diff", *pair, check=1).stdout.splitlines()

    assert text[0] == ("different: 1 of 1 scores differ, 1 by more than chance explains, 20 of 200 samples differ")
    assert any("exact_match" in line and "-10.0 points" in line and "<0.0001" in line for line in text)
    assert "  sums exact_match: of -10.0 points, -10.0 from the response (20 samples)" in text


def test_the_json_form_follows_the_published_schema(reprokit, pair):
    document = reprokit.json("diff", *pair, "--margin", "0.05", "--where", "right-to-wrong", "--samples", "3", check=1)
    schema = json.loads(Path("schemas/v1/diff.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)

    (task,) = document["samples"]
    assert (task["chosen"], len(task["shown"])) == (20, 3)
    assert document["asked"]["margin"] == 0.05
    assert document["scores"][0]["inference"]["equivalence"]["equivalent"] is False


@pytest.mark.parametrize(
    ("numbers", "options", "code"),
    [
        ((), [], 0),
        ((7,), [], 1),
        ((7,), ["--margin", "0.05"], 0),
        ((7,), ["--fail-on", "regression"], 0),
        (range(20), ["--fail-on", "regression"], 1),
        (range(20), ["--fail-on", "regression", "--margin", "0.2"], 0),
    ],
)
def test_the_exit_code_is_what_was_asked_for(reprokit, wrong, numbers, options, code):
    reprokit("diff", wrong((), "200"), wrong(numbers), *options, check=code)


def test_a_gain_is_no_regression(reprokit, pair):
    before, after = pair

    reprokit("diff", after, before, check=1)
    # A program of one's own does not say which way is better: then any change beyond chance counts.
    reprokit("diff", after, before, "--fail-on", "regression", check=1)


def test_samples_of_a_passage_are_grouped_when_asked_for(reprokit, pair):
    plain = reprokit.json("diff", *pair, check=1)["scores"][0]["inference"]
    grouped = reprokit.json("diff", *pair, "--cluster", "passage", check=1)["scores"][0]["inference"]

    assert (grouped["clusters"], grouped["clustered_by"]) == (20, "passage")
    assert grouped["stderr"] > 2 * plain["stderr"]
    refused = reprokit("diff", *pair, "--cluster", "speaker", check=2)
    assert "no sample has `speaker`" in refused.stderr


def test_a_comment_for_a_pull_request_is_printed(reprokit, pair):
    text = reprokit("diff", *pair, "--markdown", check=1).stdout

    assert text.startswith("**different: 1 of 1 scores differ")
    assert "| `sums` | `exact_match` |" in text
    assert "two forms of one output" in reprokit("diff", *pair, "--markdown", "--json", check=2).stderr


def test_a_page_is_written_and_replaced_but_nothing_else_is(reprokit, pair, tmp_path):
    page, other = tmp_path / "difference.html", tmp_path / "notes.html"
    other.write_text("<p>mine</p>")

    done = reprokit("diff", *pair, "--html", page, check=1)
    first = page.read_text(encoding="utf-8")
    reprokit("diff", *pair, "--html", page, check=1)

    assert done.stdout.startswith("different: ")
    assert first == page.read_text(encoding="utf-8")
    assert "Content-Security-Policy" in first
    assert sorted(path.name for path in tmp_path.glob("*difference*")) == ["difference.html"]
    refused = reprokit("diff", *pair, "--html", other, check=2)
    assert "was not written by reprokit" in refused.stderr
    assert other.read_text() == "<p>mine</p>"
    assert "cannot be written" in reprokit("diff", *pair, "--html", tmp_path / "none" / "x.html", check=2).stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--margin", "0"], "is no margin"),
        (["--margin", "acc"], "is no margin"),
        (["--margin", "nan"], "is no margin"),
        (["--margin", "=0.1"], "is no margin"),
        (["--margin", "0.1", "--margin", "0.2"], "more than one margin"),
        (["--same-task", "sums"], "does not name two tasks"),
        (["--same-task", "none=sums"], "there is no task `none`"),
        (["--task", "none"], "there is no task `none` in either"),
        (["--where", "lost"], "is no condition"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_a_way_out(reprokit, pair, options, message):
    refused = reprokit("diff", pair[0], pair[0], *options, check=2)

    assert re.search(message, refused.stderr)
    assert "hint: " in refused.stderr


@pytest.mark.parametrize("place", ["data/samples/sums.jsonl", "data/results.json", "data/bundle.json"])
def test_a_bundle_that_was_changed_is_not_compared(reprokit, pair, place, move_in, tmp_path):
    mine = move_in(tmp_path / "home", reprokit.archive)
    path = Path(mine.json("show", pair[1])["path"]) / place
    assert path.is_relative_to(tmp_path)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))

    for arguments in (pair, (pair[1], pair[1])):
        refused = mine("diff", *arguments, check=12)
        assert "is not what was captured" in refused.stderr
        assert refused.stdout == ""


def test_as_many_samples_are_shown_as_are_asked_for(reprokit, pair):
    def shown(*options):
        lines = reprokit("diff", *pair, *options, check=1).stdout.splitlines()
        return sum(line.startswith("    id ") for line in lines)

    assert [shown("--samples", number) for number in ("0", "7", "20")] == [0, 7, 20]
    assert 0 < shown() < 20


def test_a_page_is_not_written_into_what_is_no_file(reprokit, pair, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    for place in (tmp_path / "pipe", tmp_path, "/dev/null"):
        reprokit("diff", *pair, "--html", place, check=2)


def test_a_filter_or_a_clone_that_is_not_there_is_refused(reprokit, pair, tmp_path):
    unknown = reprokit("diff", *pair, "--same-filter", "strict=", check=2).stderr

    assert "there is no answer extraction `strict` in the first bundle" in unknown
    assert "hint: there are none with a name" in unknown
    assert "does not name two filters" in reprokit("diff", *pair, "--same-filter", "strict", check=2).stderr
    assert reprokit("diff", *pair, "--source", tmp_path / "none", check=2).stdout == ""
