"""Every oddity of real harnesses has a recorded case that really shows it; the table stands in `tests/recorded/README.md` too.

What a case must become is in `tests/recorded/expected.json`, and held in `test_recorded_runs.py`.
"""

import json
import re
import sqlite3
from pathlib import Path

import pytest

RECORDED = Path(__file__).parents[1] / "recorded"
EXPECTED = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
LM = "lm_eval/0.4.13"
LMMS = "lmms_eval/0.7.3"


class Case:
    """The files of a recorded case, as the harness left them."""

    def __init__(self, name):
        self.folder = RECORDED / name
        self.files = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != ".gitkeep")
        self.runs = EXPECTED[name].get("runs", [EXPECTED[name]])

    def findings(self):
        return {code for run in self.runs for code, _ in [*run["findings"], *run["consistency"]]}

    def metrics(self):
        return [metric for run in self.runs for metric in run["metrics"]]

    def values(self):
        return [value["not_scored"] for *_, value, _ in self.metrics() if isinstance(value, dict)]

    def names(self):
        return [path.name for path in self.files]

    def results(self):
        """Decode the results file of the first run."""
        (path,) = [path for path in self.files if re.search(r"results_.*\.json$|_results\.json$", path.name)][:1]
        return json.loads(path.read_text(encoding="utf-8"))

    def records(self):
        """Decode every line of samples, those that are damaged left out."""
        for path in self.files:
            for line in path.read_bytes().splitlines() if "samples_" in path.name else ():
                try:
                    yield json.loads(line)
                except ValueError:
                    continue

    def raw(self):
        return b"\n".join(path.read_bytes() for path in self.files)


def claimed_and_saved(case):
    counts = case.results()["n-samples"]
    saved = {task: len({record["doc_id"] for record in case.records()}) for task in counts}
    return {task: (counts[task]["effective"], saved[task]) for task in counts}


def holds_cache(case):
    (path,) = [path for path in case.files if path.suffix == ".db"]
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        return bool(database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall())


ODDITIES = {
    "a hidden model directory": (
        [f"{LM}/hf_chat_hidden_folder"],
        lambda case: case.files[0].parent.name.startswith("."),
    ),
    "a model directory with a random name": (
        [f"{LM}/dummy_unnamed"],
        lambda case: re.fullmatch("[a-z0-9]{8}", case.files[0].parent.name),
    ),
    "a time stamp with a fraction": (
        [f"{LM}/dummy_in_git", f"{LM}/json_output_path"],
        lambda case: re.search(r"T\d\d-\d\d-\d\d\.\d{6}\.", case.names()[0]),
    ),
    "a time stamp without a fraction": (
        [f"{LM}/whole_second"],
        lambda case: re.search(r"T\d\d-\d\d-\d\d\.json", case.names()[0]),
    ),
    "local time": (
        [f"{LM}/local_time"],
        lambda case: case.runs[0]["key"][11:13] != case.runs[0]["started"][11:13],
    ),
    "Singapore time": (
        [f"{LMMS}/dummy_group", f"{LMMS}/two_tasks"],
        lambda case: int(case.runs[0]["key"][9:11]) - int(case.runs[0]["started"][11:13]) == 8,
    ),
    "several runs in one folder": (
        [f"{LM}/several_runs", f"{LMMS}/several_runs"],
        lambda case: len(case.runs) > 1 and len({path.parent for path in case.files}) == 1,
    ),
    "two runs in the same second, with appended samples": (
        [f"{LMMS}/appended_samples"],
        lambda case: case.findings() >= {"W304", "W315"},
    ),
    "JSON and JSONL cut short by a full disk": (
        [f"{LM}/full_disk", f"{LM}/cut_results", f"{LM}/cut_samples"],
        lambda case: "W302" in case.findings() and any(path.read_bytes()[-1:] != b"\n" for path in case.files),
    ),
    "samples lost for a task name with a slash": (
        [f"{LM}/odd_metrics"],
        lambda case: case.runs[0]["samples"]["toy/slash"] == 0 and ["W303", "toy/slash"] in case.runs[0]["findings"],
    ),
    "`bypass: 999`": (
        [f"{LM}/predict_only"],
        lambda case: b'"bypass,strict-match": 999' in case.raw() and "bypass" in case.values(),
    ),
    "a constant `doc_hash`": (
        [f"{LMMS}/two_tasks"],
        lambda case: len({record["doc_hash"] for record in case.records()}) == 1 and "W305" in case.findings(),
    ),
    "function addresses in configurations": (
        [f"{LMMS}/two_tasks"],
        lambda case: re.search(rb"<function \w+ at 0x[0-9a-f]+>", case.raw()) and "W309" in case.findings(),
    ),
    "a failure with exit status 0 that leaves nothing": (
        [f"{LMMS}/failed_with_nothing"],
        lambda case: case.files == [] and case.runs == [],
    ),
    "a failure with exit status 0 that leaves a cache": (
        [f"{LMMS}/crashed_with_cache"],
        lambda case: case.runs == [] and b'"cache_key"' in case.raw(),
    ),
    "versions that are numbers or text": (
        [f"{LM}/nested_groups", f"{LM}/dummy_in_git", f"{LMMS}/two_tasks"],
        lambda case: len({type(version) for version in case.results()["versions"].values()}) > 1,
    ),
    'a key that is `" "`': (
        [f"{LMMS}/dummy_group"],
        lambda case: case.results()["results"]["toy_lmms_group"][" "] == " ",
    ),
    "filters": (
        [f"{LM}/dummy_in_git", f"{LM}/hf_all_samples"],
        lambda case: len({record["filter"] for record in case.records()}) > 2,
    ),
    "groups and subtasks": (
        [f"{LM}/dummy_in_git", f"{LM}/nested_groups", f"{LMMS}/dummy_group"],
        lambda case: any(case.results()["group_subtasks"].values()),
    ),
    "repeats": (
        [f"{LM}/odd_metrics", f"{LMMS}/repeats"],
        lambda case: any(config.get("repeats", 1) > 1 for config in case.results()["configs"].values()),
    ),
    "`N/A`": (
        [f"{LM}/odd_metrics", f"{LMMS}/dummy_group"],
        lambda case: b'"N/A"' in case.raw() and {"not_scored": "N/A"} in [error for *_, error in case.metrics()],
    ),
    "NaN and Infinity": (
        [f"{LM}/odd_metrics"],
        lambda case: re.search(rb": NaN[,\n]", case.raw()) and set(case.values()) >= {"nan", "infinity"},
    ),
    "metrics that are lists or tables": (
        [f"{LM}/odd_metrics", f"{LMMS}/odd_metrics"],
        lambda case: "a structure" in case.values(),
    ),
    "empty generations": (
        [f"{LM}/empty_generations", f"{LM}/hf_all_samples"],
        lambda case: any(record["resps"] == [[""]] for record in case.records()) and "W322" in case.findings(),
    ),
    "log-probabilities of NaN under finite scores": (
        [f"{LM}/undefined_likelihoods"],
        lambda case: b'["nan", "False"]' in case.raw() and "W321" in case.findings(),
    ),
    "a limit that leaks from task to task": (
        [f"{LMMS}/limit_leak"],
        lambda case: (
            case.results()["n-samples"]["toy_text"] == {"original": 4, "effective": 4}
            and case.results()["config"]["limit"] == 0.5
            and "W325" in case.findings()
        ),
    ),
    "a claimed number of samples that is wrong": (
        [f"{LMMS}/offset"],
        lambda case: claimed_and_saved(case) == {"toy_vqa": (8, 6)} and "W304" in case.findings(),
    ),
    "a cache left by a crash": (
        [f"{LM}/crashed_with_cache", f"{LMMS}/crashed_with_cache"],
        lambda case: case.runs == [] and holds_cache(case),
    ),
    "a cache beside a whole run": (
        [f"{LMMS}/with_cache"],
        lambda case: case.runs[0]["complete"] and any(path.suffix == ".db" for path in case.files),
    ),
    "invalid UTF-8": (
        [f"{LM}/damaged_samples"],
        lambda case: b"\xff" in case.raw() and "W302" in case.findings(),
    ),
}
"""Oddity → the cases that show it, and a look at their files that tells whether they do."""

ASKED = """
hidden model director|random name|with a fraction|without a fraction|local time|Singapore time|several runs in one folder
same second, with appended|JSON and JSONL cut short|task name with a slash|bypass: 999|constant `doc_hash`
function addresses|exit status 0 that leaves nothing|exit status 0 that leaves a cache|versions that are numbers or text
key that is `" "`|filters|groups and subtasks|repeats|`N/A`|NaN and Infinity|lists or tables|empty generations
limit that leaks|claimed number of samples|cache left by a crash|invalid UTF-8
"""
SHOWN = [(oddity, case) for oddity, (cases, _) in ODDITIES.items() for case in cases]


@pytest.mark.parametrize("words", ASKED.strip().replace("\n", "|").split("|"))
def test_every_oddity_that_harnesses_are_known_for_has_a_case(words):
    assert [cases for oddity, (cases, _) in ODDITIES.items() if words in oddity if cases]


@pytest.mark.parametrize(("oddity", "case"), SHOWN)
def test_a_case_shows_its_oddity(oddity, case):
    assert ODDITIES[oddity][1](Case(case))


def test_the_table_of_oddities_is_in_the_readme():
    text = (RECORDED / "README.md").read_text(encoding="utf-8")
    for oddity, (cases, _) in ODDITIES.items():
        assert f"| {oddity} | {', '.join(f'`{case}`' for case in cases)} |" in text


def test_every_case_is_explained_in_the_readme():
    text = (RECORDED / "README.md").read_text(encoding="utf-8")
    for case in EXPECTED:
        section = text.partition(f"## {case.rpartition('/')[0]}\n")[2].partition("\n## ")[0]
        assert re.search(rf"\b{case.rpartition('/')[2]}\b", section), case
