"""The portrait of every recorded run: it can be made, and a tracker can take all of it."""

import json
import re
from pathlib import Path

import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.finished.runs import assemble_run, find_runs, observed_nothing
from reprokit.errors import NotFoundError
from reprokit.mirrors.portrait.artifact import description
from reprokit.mirrors.portrait.plain import octets
from reprokit.mirrors.portrait.portrait import portray
from reprokit.mirrors.portrait.table import Picture
from reprokit.probes.secrets import Secrets

RECORDED = Path(__file__).parents[1] / "recorded"
EXPECTED = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
SCRIPTS = {case: each for case, each in EXPECTED.items() if each.get("harness") == "script"}
LABEL = Label(tags=("paper", "v3", "a/b"), note="a note")


def runs(case):
    place = RECORDED / case
    if case in SCRIPTS:
        named = SCRIPTS[case]
        return find_runs(place, results=Path(named["results"]), samples=tuple(map(Path, named["samples_named"])))
    try:
        return find_runs(place)
    except NotFoundError:
        return []


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Capture every recorded run, by its case."""
    made = {}
    for case in EXPECTED:
        for number, (harness, run) in enumerate(runs(case)):
            staged = tmp_path_factory.mktemp("bundle")
            assemble_run(staged, observed_nothing(Secrets()), harness, run, Label())
            made[f"{case}#{number}"] = open_bundle(staged / "bag")
    return made


@pytest.fixture(scope="module")
def portraits(bundles):
    return {case: portray(bundle, LABEL) for case, bundle in bundles.items()}


def one(made, case):
    return made[f"{case}#0"]


def test_there_is_a_portrait_of_every_recorded_run(portraits):
    expected = sum(len(each.get("runs", [each])) for each in EXPECTED.values())
    assert len(portraits) == expected > 20


def test_all_of_it_is_json_and_small(portraits):
    for portrait in portraits.values():
        whole = [portrait.configuration, portrait.scalars, portrait.summary, portrait.stored.metadata, portrait.remarks]
        assert json.loads(json.dumps(whole, allow_nan=False)) == [*whole[:-1], list(portrait.remarks)]
        assert octets(portrait.configuration) < 64 * 1024
        assert len(portrait.stored.metadata) <= 100


def test_no_two_things_are_logged_under_one_name(portraits):
    for portrait in portraits.values():
        tables = [table.key for table in (*portrait.tables, *portrait.samples)]
        chart = [portrait.chart.key] if portrait.chart else []
        names = [*portrait.scalars, *portrait.summary, *tables, *chart]
        assert len(set(names)) == len(names)
        assert not any("." in name or name.startswith("_") for name in names)
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+", key) and len(key) <= 80 for key in tables)


def test_no_key_of_a_configuration_is_taken_apart_by_a_tracker(portraits):
    def keys(value):
        if isinstance(value, dict):
            yield from value
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from keys(item)

    for portrait in portraits.values():
        assert not [key for key in keys(portrait.configuration) if set("./") & set(key) or key.startswith("_")]


def test_every_metric_is_a_number_or_says_why_it_is_none(bundles, portraits):
    for case, portrait in portraits.items():
        metrics = bundles[case].results.metrics
        numbers = [name for name in portrait.scalars if "_stderr" not in name]
        reasons = [value for value in portrait.summary.values() if isinstance(value, str)]
        assert len(numbers) + len(reasons) == len(metrics)
        assert all(reason.startswith("not scored: ") for reason in reasons)
        assert sum(table.there for table in portrait.tables) == len(metrics)


def test_every_saved_sample_is_a_row_of_cells_of_one_type(bundles, portraits):
    for case, portrait in portraits.items():
        saved = {task.name: task.samples_saved for task in bundles[case].results.tasks if task.samples_file}
        tables = list(portrait.samples)
        assert [len(table.rows) for table in tables] == list(saved.values()) == [table.there for table in tables]
        for table in (*portrait.tables, *tables):
            for column, cells in zip(table.columns, zip(*table.rows, strict=True), strict=False):
                kinds = {type(cell) for cell in cells} - {type(None)}
                assert len(kinds) <= 1 or kinds == {int, float}, (case, table.key, column, kinds)
                assert kinds <= {str, int, float, bool, Picture}


def test_the_tables_are_the_same_when_they_are_read_again(portraits):
    for portrait in portraits.values():
        assert list(portrait.samples) == list(portrait.samples)


def test_every_name_and_description_fits(bundles, portraits):
    for case, portrait in portraits.items():
        stored = portrait.stored
        assert 0 < len(portrait.title) <= 128
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", stored.name)
        assert stored.name not in {".", ".."}
        assert stored.aliases == (bundles[case].identity[7:15], "paper", "tag-v3", "a-b")
        told = description(bundles[case], LABEL, reference=f"wandb:lab/evals/{stored.name}:{stored.aliases[0]}")
        assert f"\n    reprokit reproduce wandb:lab/evals/{stored.name}:{stored.aliases[0]}\n" in told
        assert bundles[case].identity[7:] in told
        assert len(told) < 10_000


def test_an_lm_eval_run_reads_as_a_person_expects(portraits):
    portrait = one(portraits, "lm_eval/0.4.13/hf_all_samples")

    assert portrait.title == "tiny-gpt2: toy_group, toy_gen"
    assert portrait.scalars["toy_mc/acc"] == 0.6
    assert portrait.scalars["toy_gen/exact_match,strict-match"] == 0.0
    assert portrait.scalars["groups/toy_group/acc_stderr"] == pytest.approx(0.1155, abs=1e-4)
    assert portrait.summary["toy_mc/n"] == 10
    assert [table.key for table in portrait.tables] == ["results/tasks", "results/groups"]
    assert portrait.configuration["model"]["arguments"]["dtype"] == "float32"
    assert portrait.configuration["seeds"] == {"fewshot": 42, "numpy": 42, "random": 42, "torch": 42}
    assert portrait.configuration["harness"] == {"name": "lm_eval", "version": "0.4.13"}
    assert portrait.configuration["task_configs"]["toy_mc"]["n_shot"] == 1


def test_a_multiple_choice_answer_can_be_read(portraits):
    tables = {table.key: table for table in one(portraits, "lm_eval/0.4.13/hf_all_samples").samples}
    table = tables["samples/toy_mc"]
    row = dict(zip(table.columns, table.rows[1], strict=True))

    assert row["target"] == "1: four"
    assert row["response"] == (
        "  three  log p -34.2329\n→ four  log p -29.2228\n  twenty-two  log p -63.5607\n  none of these  log p -63.8546"
    )
    assert row["answer"] == "likeliest: 1: four"
    assert row["acc"] == 1.0


def test_where_no_log_probability_is_a_number_no_choice_is_the_likeliest(portraits):
    tables = list(one(portraits, "lm_eval/0.4.13/undefined_likelihoods").samples)
    rows = [dict(zip(table.columns, row, strict=True)) for table in tables for row in table.rows]

    assert {row["answer"] for row in rows} == {"none is likeliest"}
    assert all("log p nan" in row["response"] and "→" not in row["response"] for row in rows)


def test_what_is_no_score_says_so(portraits):
    portrait = one(portraits, "lm_eval/0.4.13/odd_metrics")

    assert portrait.summary["toy_odd/nothing"] == "not scored: nan"
    assert portrait.summary["toy_odd/pair"] == "not scored: a structure [1.0,3]"
    assert portrait.scalars["toy%2Fslash/acc"] == 0.0
    assert "toy_odd/nothing" not in portrait.scalars
    assert "limit 3, incomplete" in portrait.title
    odd = next(table for table in portrait.samples if table.key == "samples/toy_odd")
    assert odd.rows[0][odd.columns.index("pair (as saved)")] == "[1.0,3]"
    assert "`toy_odd`: 3 marks of `nothing` are no numbers: nan" in odd.remarks


def test_what_nobody_knows_is_none_and_says_why(portraits):
    configuration = one(portraits, "lmms_eval/0.7.3/two_tasks").configuration

    assert configuration["harness"] == {"name": "lmms_eval", "version": None}
    assert configuration["unknown"]["harness"]["version"] == "its results do not say"
    assert configuration["invocation"]["command"] is None
    assert configuration["unknown"]["invocation"]["command"] == "captured from finished outputs"
    assert configuration["git"] is None
    assert configuration["harness_arguments"]["tasks"] == "toy_vqa,toy_text"
    assert "limit" not in configuration["unknown"]
