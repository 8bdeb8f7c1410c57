"""The configuration, and the text and facts that the stored copy is described with."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.finding import finding
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.record import (
    Harness,
    Invocation,
    ServedModel,
    Server,
    SourceSummary,
    Subject,
    SubjectPart,
    SubjectText,
    Variable,
)  # fmt: skip
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.bundle.writing import Label
from reprokit.mirrors.portrait.artifact import description, metadata
from reprokit.mirrors.portrait.configuration import MOST_OCTETS, configuration
from reprokit.mirrors.portrait.plain import octets
from reprokit.mirrors.portrait.portrait import portray
from reprokit.mirrors.portrait.room import fitting
from reprokit.mirrors.portrait.software import environment

UNKNOWN = Unknown(unknown="made by a test")


@pytest.fixture
def bundle(make_bundle, record):
    """Give a function that opens a bundle whose records are changed as asked, without sealing them anew."""

    def opened(*, results=None, sources=None, software=None, **changes):
        made = open_bundle(make_bundle(record=record(**changes)).path)
        if results is not None:
            vars(made)["results"] = results
        if sources is not None:
            vars(made)["sources"] = sources
        if software is not None:
            vars(made)["environment"] = software
        return made

    return opened


def claiming(**config):
    return Harness(name="lm_eval", version="0.4.13", version_from="claim", claims={"config": config})


def a_source(**changes):
    return Source(**{
        "name": "my.evals", "root": "/home/ada/my.evals", "commit": "c" * 40, "tree": "t" * 40, "swhid": "swh:1:dir:t",
        "dirty": True, "remotes": {"origin": "https://ada:hunter2@example.org/e.git?token=x"},
    } | changes)  # fmt: skip


# --- what people filter by ---------------------------------------------------------------------------------------------


def test_a_run_is_told_as_it_was(bundle):
    shown, remarks = configuration(bundle())

    assert remarks == []
    assert shown["run"]["seconds"] == 60.0
    assert shown["run"]["started"] == "2026-11-23T03:15:47Z"
    assert shown["invocation"]["command"] == "lm_eval --model dummy --output_path out"
    assert shown["model"]["name"] == "toy-org/tiny-gpt2"
    assert shown["model"]["revision"] is None
    assert shown["unknown"]["model"]["revision"] == "local"
    assert shown["bundle"]["identity"].startswith("sha256:")
    assert "models" not in shown


def test_a_secret_is_shown_by_the_name_of_its_slot(bundle):
    slot = SecretSlot(secret="OPENAI_API_KEY")
    invocation = Invocation(
        argv=["lm_eval", "--model_args", ["model=x,api_key=", slot]],
        program="/home/ada/venv/bin/lm_eval",
        program_in="environment",
        working_directory="/home/ada/evals/sub",
        source="evals",
        directory_in_source="sub",
        environment_variables=[Variable(name="OPENAI_API_KEY", value=[slot]), Variable(name="A.B", value="1")],
    )

    shown, _ = configuration(bundle(invocation=invocation, harness=claiming(model_args={"api_key": {"secret": "KEY"}})))

    assert shown["invocation"] == {
        "command": "lm_eval --model_args 'model=x,api_key=<OPENAI_API_KEY>'",
        "program": "lm_eval",
        "program_in": "environment",
        "source": "evals",
        "directory": "sub",
        "inputs": [],
        "environment_variables": {"OPENAI_API_KEY": "<OPENAI_API_KEY>", "A%2EB": "1"},
    }
    assert shown["harness_config"]["model_args"]["api_key"] == "<KEY>"
    assert "/home/ada" not in json.dumps(shown)


def test_git_is_told_without_credentials_or_places(bundle):
    summary = SourceSummary(name="my.evals", record="source/my.evals.json", commit="c" * 40, tree="t" * 40, dirty=True)

    shown, _ = configuration(bundle(sources=[a_source()]))

    assert summary.dirty
    assert shown["git"] == {
        "my%2Eevals": {
            "commit": "c" * 40,
            "branch": None,
            "tree": "t" * 40,
            "dirty": True,
            "remotes": {"origin": "https://example.org/e.git"},
            "on_remote": False,
        }
    }


def test_shots_limit_and_seeds_are_there_to_filter_by(bundle):
    results = Results(tasks=[Task(name="a", n_shot=5), Task(name="b", n_shot=5)])
    harness = claiming(limit=10.0, seed=7, torch_seed=8, not_seeds=1, seeded=2)

    shown, _ = configuration(bundle(results=results, harness=harness))

    assert (shown["n_shot"], shown["limit"], shown["seeds"]) == (5, 10.0, {"all": 7, "torch": 8})
    assert shown["tasks"] == ["a", "b"]


def test_no_limit_is_no_unknown_limit(bundle):
    without, _ = configuration(bundle(harness=claiming(limit=None)))
    silent, _ = configuration(bundle(harness=claiming()))

    assert without["limit"] is silent["limit"] is None
    assert "limit" not in without["unknown"]
    assert silent["unknown"]["limit"] == "the harness does not say"


def test_shots_that_differ_are_told_task_by_task(bundle):
    shown, _ = configuration(bundle(results=Results(tasks=[Task(name="a", n_shot=5), Task(name="b.c", n_shot=0)])))

    assert shown["n_shot"] is None
    assert "not the same" in shown["unknown"]["n_shot"]
    assert (shown["task_configs"]["a"]["n_shot"], shown["task_configs"]["b%2Ec"]["n_shot"]) == (5, 0)


def test_models_and_datasets_are_told_with_what_is_known_of_them(bundle):
    server = Server(
        endpoint="http://127.0.0.1:8000/v1", learnt_from="argv", asked=UNKNOWN, software="vllm", version="0.11",
        models=[ServedModel(name="m")],
    )  # fmt: skip
    template = SubjectText(kind="chat template", digest="sha256:" + "a" * 64, size=3, learnt_from="file")
    models = [
        SubjectPart(name="m", revision="r" * 40, learnt_from="argv", server=server, texts=[template],
                    extra={"model_args": "a=1", "model_dtype": "bf16"}),
        SubjectPart(name="n", revision=UNKNOWN, learnt_from="nothing"),
    ]  # fmt: skip
    datasets = [SubjectPart(name="cais/mmlu", revision="d" * 40, learnt_from="cache read", tasks=["a"])]

    results = Results(tasks=[Task(name="a", config={"dataset_path": "cais/mmlu"}), Task(name="b", config={
        "dataset_path": "json", "dataset_name": "x"})])  # fmt: skip
    shown, _ = configuration(bundle(subject=Subject(models=models, datasets=datasets), results=results))

    assert shown["model"] == shown["models"][0]
    assert shown["model"]["server"] == {"software": "vllm", "version": "0.11", "endpoint": "http://127.0.0.1:8000/v1"}
    assert shown["model"]["chat_template"] == template.digest
    assert (shown["model"]["arguments"], shown["model"]["details"]) == ("a=1", {"model_dtype": "bf16"})
    assert shown["unknown"]["models"] == {"1": {"revision": "made by a test"}}
    assert shown["datasets"][0]["revision"] == "d" * 40
    assert shown["task_configs"]["a"]["dataset_revision"] == "d" * 40
    assert shown["task_configs"]["b"]["dataset"] == "json x"


def test_the_environment_is_told_in_a_few_words(record):
    found = Environment(
        learnt_from="probe",
        interpreter=Interpreter(
            executable="/p", prefix="/", base_prefix="/", version="3.11.7", implementation="cpython"
        ),
        packages=[
            Package(name=name, version="1") for name in ("torch", "lm_eval", "flash_attn", "requests", "own-harness")
        ],
        torch={"cuda": "12.4"},
        hardware={"cpu": "c", "cpu_cores": 8, "gpus": [{"name": "H100", "driver": "550"}] * 2},
        container={"engine": "docker", "image": "img"},
    )
    named = record(
        harness=Harness(name="own_harness", version="1", version_from="claim"),
        environment_summary={"gpu": "2 x H100", "os": "Debian"},
    )

    shown = environment(found, named)

    assert shown["packages"] == {"flash_attn": "1", "lm_eval": "1", "own_harness": "1", "torch": "1"}
    assert (shown["python"], shown["cuda"], shown["gpu"], shown["gpu_count"]) == ("3.11.7", "12.4", "2 x H100", 2)
    assert (shown["gpu_driver"], shown["container"], shown["cpu_cores"]) == ("550", "img", 8)
    assert shown["memory_bytes"] == Unknown(unknown="nobody saw it")


def test_a_machine_without_a_gpu_is_not_one_that_nobody_looked_at(record):
    none = Environment(learnt_from="probe", packages=[], hardware={"gpus": []})
    unseen = Environment(learnt_from="nothing", packages=UNKNOWN)
    untold = Environment(learnt_from="probe", packages=[], hardware={"gpus": {"unknown": "no `nvidia-smi`"}})

    assert (environment(none, record())["gpu"], environment(none, record())["gpu_count"]) == (None, 0)
    assert environment(unseen, record())["gpu"] == UNKNOWN
    assert environment(untold, record())["gpu_count"] == Unknown(unknown="no `nvidia-smi`")
    assert environment(None, record())["python"] == Unknown(unknown="the bundle has no record of it")


# --- how large it may be -----------------------------------------------------------------------------------------------


def test_a_long_text_is_cut_and_that_is_said(bundle):
    shown, remarks = configuration(bundle(harness=claiming(prompt="p" * 3000)))

    assert len(shown["harness_config"]["prompt"]) == 2000
    assert remarks == ["configuration: 1 texts are cut to 2,000 characters, as `harness_config.prompt`"]


def test_of_a_configuration_that_is_too_large_the_largest_task_configs_go_first(bundle):
    tasks = [Task(name=f"t{n}", config={"steps": ["x" * 50] * (4000 if n == 7 else 20)}) for n in range(50)]

    shown, remarks = configuration(bundle(results=Results(tasks=tasks), harness=claiming(limit=1)))

    assert octets(shown) <= MOST_OCTETS
    assert remarks == [
        "configuration: `task_configs.t7.config` left out, for all of it would be too large",
    ] or remarks[0].startswith("configuration: `task_configs.t7.config` and")
    assert shown["task_configs"]["t7"]["config"] is None
    assert "large" in shown["unknown"]["task_configs"]["t7"]["config"]
    assert shown["task_configs"]["t7"]["samples_saved"] == 0
    assert shown["limit"] == 1


def test_a_run_of_very_many_tasks_still_fits(bundle):
    tasks = [Task(name=f"task number {n}", config={"a": "b" * 100}) for n in range(20_000)]

    shown, remarks = configuration(bundle(results=Results(tasks=tasks)))

    assert octets(shown) <= MOST_OCTETS
    assert shown["bundle"]["identity"]
    assert len(remarks) == 1


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(["harness_config", "task_configs", "model", "tasks", "run", "invocation"]),
                       st.recursive(st.text(max_size=400), lambda inner: st.dictionaries(st.text(max_size=20), inner)),
                       max_size=6))  # fmt: skip
def test_it_never_grows_beyond_its_room(known):
    shown, _ = fitting(known, None, 2000)

    assert octets(shown) <= 2000


# --- the stored copy ---------------------------------------------------------------------------------------------------


def scored(count=1, **more):
    return Results(
        metrics=[Metric(task=f"t{n}", metric="acc", value=0.5, stderr=0.1, n=4, **more) for n in range(count)],
        tasks=[Task(name=f"t{n}") for n in range(count)],
    )


def test_a_copy_is_found_by_its_facts(bundle):
    facts = metadata(bundle(results=scored()))

    assert facts["scores"] == {"t0/acc": {"value": 0.5, "stderr": 0.1, "n": 4, "filter": None}}
    assert facts["models"] == ["toy-org/tiny-gpt2"]
    assert facts["model_revisions"] == [None]
    assert {"identity", "content_digest", "bundle_id", "harness", "reproduces"} <= facts.keys()


def test_facts_of_very_many_scores_stay_few(bundle):
    facts = metadata(bundle(results=scored(500)))

    assert len(facts) <= 100
    assert (len(facts["scores"]), facts["scores_left_out"]) == (60, 440)
    assert octets(facts) < 16_000


def test_a_description_says_what_it_is_how_to_check_it_and_how_to_repeat_it(bundle):
    made = bundle(results=scored(30), findings=[finding("W306", "t0", "4 of 8"), finding("W306", "t1", "5 of 8")])

    told = description(made, Label(note="for *the* paper"), reference="wandb:lab/my evals/lm_eval-tiny-gpt2:v3")

    assert told.startswith("**tiny-gpt2: t0, t1, t2 and 27 more**\n")
    assert "| t0 | acc | 0.5 | 0.1 | 4 |" in told
    assert "and 10 more: see `results.json`." in told
    assert "- W306: only part of the dataset was evaluated: 4 of 8" in told
    assert "Note: for \\*the\\* paper" in told
    assert "\n    reprokit reproduce 'wandb:lab/my evals/lm_eval-tiny-gpt2:v3'\n" in told
    assert f"\n    # {made.identity[7:]}  manifest-sha256.txt\n" in told


def test_a_description_claims_nothing_that_is_not_there(bundle):
    bare = description(bundle(results=Results()), Label(), reference="wandb:a/b/c:d")
    private = description(bundle(samples="digest"), Label(), reference="wandb:a/b/c:d")
    whole = description(
        bundle(sources=[a_source()], software=Environment(learnt_from="probe", packages=[])), Label(), reference="w:a"
    )

    assert "sealed with reprokit: its record and results.\n" in bare
    assert "It holds no scores." in bare
    assert "its record and results, digests of its samples.\n" in private
    assert "its record and results, samples, code, list of packages.\n" in whole


def test_no_foreign_text_of_a_description_is_markup(bundle):
    results = Results(metrics=[Metric(task="a|b\n# c", metric="<img>`x`", value=1.0)])

    told = description(bundle(results=results), Label(note="[a](b)"), reference="wandb:a/b/c:d")

    assert "| a\\|b # c | \\<img\\>'x' | 1 |" in told
    assert "Note: \\[a\\](b)" in told


def test_a_run_that_failed_is_described_so(bundle, record):
    failed = bundle(run=msgspec.structs.replace(record().run, complete=False))

    assert "**incomplete**" in description(failed, Label(), reference="w:a")


# --- all together ------------------------------------------------------------------------------------------------------


def test_tags_that_change_are_told(bundle):
    portrait = portray(bundle(), Label(name="first", tags=("paper", "v3"), note="n\x00te"))

    assert portrait.title == "first"
    assert portrait.tags == ("paper", "v3")
    assert portrait.stored.aliases[1:] == ("paper", "tag-v3")
    assert portrait.note == "n\ufffdte"
    assert portrait.remarks == ("tag `v3`: its alias is `tag-v3`",)


def test_a_task_that_is_called_like_a_table_keeps_out_of_its_way(bundle):
    results = Results(
        metrics=[Metric(task="results", metric="tasks", value=1.0), Metric(task="samples", metric="t", value=2.0)],
        tasks=[Task(name="t", samples_file="samples/toy.jsonl")],
    )

    portrait = portray(bundle(results=results), Label())

    assert portrait.scalars == {"results/tasks-2": 1.0, "samples/t-2": 2.0}
    assert [table.key for table in (*portrait.tables, *portrait.samples)] == ["results/tasks", "samples/t"]


def test_without_scores_there_is_no_chart(bundle):
    assert portray(bundle(results=Results()), Label()).chart is None
    assert portray(bundle(), Label()).chart.key == "results/headline"


def test_rows_are_as_many_as_asked(bundle):
    portrait = portray(bundle(), Label(), most_rows=2)

    assert [len(table.rows) for table in portrait.samples] == [2]
