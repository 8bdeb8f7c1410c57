"""What a run really evaluated, learnt from caches, folders, claims and the command."""

import hashlib
import json
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Subject, SubjectPart
from reprokit.bundle.results import Results, Task
from reprokit.bundle.values import Unknown
from reprokit.harnesses.interface import FoundRun
from reprokit.harnesses.lm_eval import LmEval
from reprokit.probes.subject import Clues, Digester, Limits, resolve
from reprokit.probes.subject.hub_cache import caches

RECORDED = Path(__file__).parents[1] / "recorded/lm_eval/0.4.13"
A, B, C = "a" * 40, "b" * 40, "c" * 40
LM_EVAL = ("lm_eval", "--model", "hf", "--model_args")


def sha256(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def directory(tmp_path):
    folder = tmp_path / "lab/evals/work"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def hub(home):
    """Make repositories in a Hugging Face cache, as the library lays them out."""

    def make(kind, name, *, snapshots, refs=None, cache=home / ".cache/huggingface/hub"):
        repository = cache / f"{kind}--{name.replace('/', '--')}"
        for commit, files in snapshots.items():
            for path, data in files.items():
                # Files in LFS are known by their SHA-256, the others by git's SHA-1.
                large = path.endswith((".safetensors", ".parquet"))
                identity = hashlib.sha256(data) if large else hashlib.sha1(b"blob %d\0" % len(data) + data)
                blob = repository / "blobs" / identity.hexdigest()
                blob.parent.mkdir(parents=True, exist_ok=True)
                blob.write_bytes(data)
                link = repository / "snapshots" / commit / path
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(os.path.relpath(blob, link.parent))
        for branch, commit in (refs or {}).items():
            file = repository / "refs" / branch
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(commit)
        return repository

    return make


@pytest.fixture
def learn(home, directory):
    """Resolve a subject from what is given, in a home and a working directory of its own."""

    def run(
        argv=(), *, claimed=None, opened=(), environ=None, claims=None, tasks=(), limits=None, digester=None, **more
    ):
        environment = Environment(
            learnt_from="probe", packages=[], loaded_from_cache=[str(path) for path in opened], **more.pop("seen", {})
        )
        clues = Clues(
            argv=tuple(argv),
            directory=directory,
            environ=environ or {},
            home=home,
            environment=environment,
            results=Results(tasks=list(tasks)),
            claims=claims or {},
            **more,
        )
        subject, findings = resolve(
            claimed or Subject(), clues, **({"limits": limits} if limits else {}), digester=digester
        )
        written = canonical.record(subject)
        assert canonical.record(canonical.decode(written, Subject)) == written
        codes = [finding.code for finding in findings]
        parts = len(subject.models) + len(subject.datasets)
        assert all(codes.count(code) <= parts for code in codes)
        return subject, {finding.code: finding.message for finding in findings}

    return run


def claim(name, revision=None, **extra):
    unknown = Unknown(unknown="the harness does not say")
    return SubjectPart(name=name, revision=revision or unknown, learnt_from="claim", extra=extra)


MODEL = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "tokenizer_config.json": json.dumps({"chat_template": "{{ messages }}"}).encode(),
}


# --- revisions of models ------------------------------------------------------------------------------------------------


def test_the_snapshot_that_was_opened_is_the_revision(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL, B: MODEL}, refs={"main": A})
    subject, findings = learn(
        (*LM_EVAL, "pretrained=toy-org/tiny"), opened=[repository / "snapshots" / A / "config.json"]
    )
    (model,) = subject.models

    assert (model.name, model.revision, model.learnt_from) == ("toy-org/tiny", A, "cache read")
    assert model.revisions == {"cache read": [A], "cache refs": [A]}
    assert model.place == f"cache:models--toy-org--tiny/snapshots/{A}"
    assert set(findings) == {"W330"}
    assert A in findings["W330"]


def test_of_a_cached_model_large_files_are_known_by_name_and_small_ones_are_read(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL})
    (model,) = learn(
        (*LM_EVAL, f"pretrained=toy-org/tiny,revision={A}"), opened=[repository / "snapshots" / A / "config.json"]
    )[0].models
    found = {file.path: (file.role, file.digest, file.digest_from) for file in model.files}

    assert found == {
        "config.json": ("configuration", sha256(b"{}"), "bytes"),
        "model.safetensors": ("weights", sha256(b"weights"), "cache name"),
        "tokenizer_config.json": ("tokenizer", sha256(MODEL["tokenizer_config.json"]), "bytes"),
    }
    assert [(each.digest, each.file) for each in model.texts] == [(sha256(b"{{ messages }}"), "tokenizer_config.json")]


@pytest.mark.parametrize(
    ("arguments", "branch"), [("", "main"), (",revision=v1.0", "v1.0"), (",revision=refs/pr/1", "refs/pr/1")]
)
def test_where_nothing_was_seen_the_branch_in_the_cache_tells(hub, learn, arguments, branch):
    hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": B, branch: A})
    (model,) = learn((*LM_EVAL, f"pretrained=toy-org/tiny{arguments}"))[0].models

    assert (model.revision, model.learnt_from) == (A, "cache refs")


def test_a_full_commit_in_the_command_is_a_pin_and_no_finding(hub, learn):
    hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": B})
    subject, findings = learn((*LM_EVAL, f"pretrained=toy-org/tiny,revision={A}"))

    assert (subject.models[0].revision, subject.models[0].learnt_from) == (A, "argv")
    assert findings == {}


def test_sources_that_disagree_are_both_named_and_the_observation_is_kept(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={B: MODEL})
    subject, findings = learn(
        (*LM_EVAL, f"pretrained=toy-org/tiny,revision={A}"),
        claimed=Subject(models=[claim("toy-org/tiny", C)]),
        opened=[repository / "snapshots" / B / "config.json"],
    )

    assert (subject.models[0].revision, subject.models[0].learnt_from) == (B, "cache read")
    assert subject.models[0].revisions == {"cache read": [B], "argv": [A], "claim": [C]}
    assert all(commit in findings["W332"] for commit in (A, B, C))
    assert findings["W332"].index(B) < findings["W332"].index(A) < findings["W332"].index(C)


def test_two_snapshots_opened_are_an_unknown_unless_one_was_asked_for(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL, B: MODEL})
    opened = [repository / "snapshots" / commit / "config.json" for commit in (A, B)]
    unsure, findings = learn((*LM_EVAL, "pretrained=toy-org/tiny"), opened=opened)
    sure, _ = learn((*LM_EVAL, f"pretrained=toy-org/tiny,revision={B}"), opened=opened)

    assert A in unsure.models[0].revision.unknown
    assert B in unsure.models[0].revision.unknown
    assert {"W330", "W332"} <= set(findings)
    assert (sure.models[0].revision, sure.models[0].learnt_from) == (B, "cache read")


def test_a_file_that_was_tried_and_is_not_there_was_not_read(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": B})
    (model,) = learn(
        (*LM_EVAL, "pretrained=toy-org/tiny"), opened=[repository / "snapshots" / A / "adapter_config.json"]
    )[0].models

    assert model.learnt_from == "cache refs"


def test_a_cache_that_was_cleared_since_still_tells_by_the_path(tmp_path, learn):
    gone = tmp_path / "scratch/models--toy-org--tiny/snapshots" / A / "config.json"
    (model,) = learn((*LM_EVAL, "pretrained=toy-org/tiny"), opened=[gone])[0].models

    assert (model.revision, model.learnt_from, model.files) == (A, "cache read", [])


def test_a_snapshot_s_own_folder_given_as_model_tells_its_commit(hub, learn):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": B})
    subject, findings = learn((*LM_EVAL, f"pretrained={repository / 'snapshots' / A}"))
    (model,) = subject.models

    assert (model.revision, model.learnt_from) == (A, "argv")
    assert model.place == f"cache:models--toy-org--tiny/snapshots/{A}"
    assert findings == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda repository: (repository / "refs/main").write_text("not a commit"),
        lambda repository: (repository / "refs/main").write_bytes(b"\xff" * 5000),
        lambda repository: ((repository / "refs/main").unlink(), os.mkfifo(repository / "refs/main")),
        lambda repository: ((repository / "refs/main").unlink(), (repository / "refs/main").mkdir()),
        lambda repository: ((repository / "refs/main").unlink(), (repository / "refs/main").symlink_to("main")),
    ],
)
def test_a_broken_cache_is_an_unknown_with_a_reason(hub, learn, damage):
    damage(hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": A}))
    subject, findings = learn((*LM_EVAL, "pretrained=toy-org/tiny"))

    assert "does not say what `main` was" in subject.models[0].revision.unknown
    assert subject.models[0].learnt_from == "nothing"
    assert "W330" in findings


def test_links_out_of_a_cache_are_not_followed(hub, learn, tmp_path):
    repository = hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": A})
    (tmp_path / "secret").write_text("mine")
    (repository / "snapshots" / A / "vocab.json").symlink_to(tmp_path / "secret")
    (repository / "snapshots" / A / "merges.txt").symlink_to("../../blobs/gone")
    subject, findings = learn((*LM_EVAL, "pretrained=toy-org/tiny"))
    found = {file.path: file for file in subject.models[0].files}

    assert found["vocab.json"].digest is None
    assert found["vocab.json"].size is None
    assert "not followed" in found["vocab.json"].reason
    assert found["merges.txt"].digest is None
    assert sha256(b"mine") not in repr(subject)
    assert "vocab.json" in findings["W335"]


# --- where the caches are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "hub_place", "prepared"),
    [
        ({}, "home/.cache/huggingface/hub", "home/.cache/huggingface/datasets"),
        ({"XDG_CACHE_HOME": "{}/x"}, "x/huggingface/hub", "x/huggingface/datasets"),
        ({"HF_HOME": "{}/h", "XDG_CACHE_HOME": "{}/x"}, "h/hub", "h/datasets"),
        ({"HF_HOME": "~/h"}, "home/h/hub", "home/h/datasets"),
        ({"HF_HOME": "$SCRATCH/h", "SCRATCH": "{}/s"}, "s/h/hub", "s/h/datasets"),
        ({"HF_HOME": "h"}, "lab/evals/work/h/hub", "lab/evals/work/h/datasets"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/c", "HF_HOME": "{}/h"}, "c", "h/datasets"),
        ({"HF_HUB_CACHE": "{}/c", "HUGGINGFACE_HUB_CACHE": "{}/d"}, "c", "home/.cache/huggingface/datasets"),
        ({"HF_DATASETS_CACHE": "{}/d"}, "home/.cache/huggingface/hub", "d"),
    ],
)
def test_the_caches_are_where_the_libraries_look(tmp_path, home, directory, variables, hub_place, prepared):
    environ = {name: value.format(tmp_path) for name, value in variables.items()}
    found = caches(environ, home, directory, [])

    assert found.hub == (tmp_path / hub_place,)
    assert found.prepared == (tmp_path / prepared,)


def test_the_cache_of_transformers_comes_first(tmp_path, home, directory):
    found = caches({"TRANSFORMERS_CACHE": str(tmp_path / "t")}, home, directory, [])

    assert found.hub == (tmp_path / "t", home / ".cache/huggingface/hub")


def test_a_model_in_the_cache_of_the_variables_is_found(hub, learn, tmp_path):
    hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": A}, cache=tmp_path / "c")
    (model,) = learn((*LM_EVAL, "pretrained=toy-org/tiny"), environ={"HF_HUB_CACHE": str(tmp_path / "c")})[0].models

    assert model.revision == A


# --- local models ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def local(directory):
    folder = directory / "models/tiny"
    folder.mkdir(parents=True)
    for name, data in MODEL.items():
        (folder / name).write_bytes(data)
    (folder / "optimizer.pt").write_bytes(b"of training")
    (folder / "checkpoint-1").mkdir()
    (folder / "checkpoint-1/model.safetensors").write_bytes(b"another model")
    return folder


def test_a_local_model_is_known_by_the_digests_of_its_files(local, learn):
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"))
    (model,) = subject.models
    found = {file.path: (file.role, file.size, file.digest) for file in model.files}

    assert found == {
        "config.json": ("configuration", 2, sha256(b"{}")),
        "model.safetensors": ("weights", 7, sha256(b"weights")),
        "tokenizer_config.json": (
            "tokenizer",
            len(MODEL["tokenizer_config.json"]),
            sha256(MODEL["tokenizer_config.json"]),
        ),
    }
    assert model.place == "models/tiny"
    assert "digests" in model.revision.unknown
    assert all(file.modified.endswith("Z") for file in model.files)
    assert findings == {}


def test_a_folder_is_preferred_to_a_name_on_the_hub(local, hub, learn):
    hub("models", "models/tiny", snapshots={A: MODEL}, refs={"main": A})

    assert learn((*LM_EVAL, "pretrained=models/tiny"))[0].models[0].place == "models/tiny"


def test_the_folder_may_be_a_link_and_the_model_a_single_file(local, directory, learn):
    (directory / "current").symlink_to(local)
    (directory / "tiny.gguf").write_bytes(b"gguf")
    linked, _ = learn((*LM_EVAL, "pretrained=current"))
    single, _ = learn((*LM_EVAL, "pretrained=tiny.gguf"))

    assert {file.path for file in linked.models[0].files} == set(MODEL)
    assert [(file.path, file.role, file.digest) for file in single.models[0].files] == [
        ("tiny.gguf", "weights", sha256(b"gguf"))
    ]


def test_adapters_and_tokenizers_lie_in_places_of_their_own(local, directory, hub, learn):
    (directory / "lora").mkdir()
    (directory / "lora/adapter_model.safetensors").write_bytes(b"lora")
    hub("models", "toy-org/tok", snapshots={A: {"tokenizer.json": b"{}"}}, refs={"main": A})
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny,peft=lora,tokenizer=toy-org/tok"))
    base, adapter, tokenizer = subject.models

    assert base.extra == {}
    assert (adapter.extra, adapter.files[0].role, adapter.files[0].digest) == (
        {"role": "peft"},
        "adapter",
        sha256(b"lora"),
    )
    assert (tokenizer.extra, tokenizer.revision, tokenizer.files[0].role) == ({"role": "tokenizer"}, A, "tokenizer")
    assert "toy-org/tok" in findings["W330"]


def test_what_changed_after_the_run_began_is_told(local, learn):
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"), started="2001-01-01T00:00:00Z")
    for file in local.iterdir():
        os.utime(file, (900_000_000, 900_000_000))
    earlier, silent = learn((*LM_EVAL, "pretrained=models/tiny"), started="2001-01-01T00:00:00Z")

    assert set(findings) == {"W333"}
    assert "config.json" in findings["W333"]
    assert silent == {}
    assert {file.digest for file in subject.models[0].files} == {file.digest for file in earlier.models[0].files}


def test_beyond_the_limits_size_and_time_are_kept_and_the_reason(local, learn):
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"), limits=Limits(bytes_read=5))
    found = {file.path: file for file in subject.models[0].files}

    assert found["config.json"].digest == sha256(b"{}")
    assert (found["model.safetensors"].digest, found["model.safetensors"].size) == (None, 7)
    assert found["model.safetensors"].modified
    assert "too large" in found["model.safetensors"].reason
    assert "model.safetensors" in findings["W335"]


def test_runs_of_one_command_read_a_file_once_unless_it_changes(local, learn):
    digester = Digester(Limits(bytes_read=sum(len(data) for data in MODEL.values())))
    first, _ = learn((*LM_EVAL, "pretrained=models/tiny"), digester=digester)
    second, _ = learn((*LM_EVAL, "pretrained=models/tiny"), digester=digester)
    (local / "config.json").write_text("{} ")
    third, findings = learn((*LM_EVAL, "pretrained=models/tiny"), digester=digester)

    assert first == second
    assert "config.json" in findings["W335"]
    assert third.models[0].files[1:] == first.models[0].files[1:]


def test_no_time_to_read_and_too_many_files_are_said(local, learn):
    slow, findings = learn((*LM_EVAL, "pretrained=models/tiny"), limits=Limits(seconds_reading=0))
    short, left_out = learn((*LM_EVAL, "pretrained=models/tiny"), limits=Limits(files=1))

    assert all("longer than" in file.reason for file in slow.models[0].files)
    assert "W335" in findings
    assert (len(short.models[0].files), short.models[0].files_left_out) == (1, 3)
    assert "W335" in left_out


def test_pipes_links_and_credentials_in_a_model_s_folder_are_not_read(local, learn, tmp_path):
    os.mkfifo(local / "model.bin")
    (tmp_path / "secret").write_text("mine")
    (local / "vocab.json").symlink_to(tmp_path / "secret")
    (local / ".env").write_text("TOKEN=1")
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"))
    found = {file.path: file for file in subject.models[0].files}

    assert {found[name].digest for name in ("model.bin", "vocab.json", ".env")} == {None}
    assert {found[name].size for name in ("model.bin", "vocab.json", ".env")} == {None}
    assert ".env" not in findings["W335"]


# --- chat templates and prompts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("chat_template.jinja", "{{ t }}", None),
        ("chat_template.json", json.dumps({"chat_template": "{{ t }}"}), None),
        ("tokenizer_config.json", json.dumps({"chat_template": [{"name": "rag", "template": "{{ t }}"}]}), "rag"),
        ("additional_chat_templates/tool_use.jinja", "{{ t }}", "tool_use"),
    ],
)
def test_a_chat_template_is_found_wherever_the_libraries_keep_it(local, learn, file, content, name):
    (local / "tokenizer_config.json").unlink()
    (local / file).parent.mkdir(exist_ok=True)
    (local / file).write_text(content)
    (model,) = learn((*LM_EVAL, "pretrained=models/tiny"))[0].models

    assert [(each.kind, each.digest, each.file, each.name, each.learnt_from) for each in model.texts] == [
        ("chat template", sha256(b"{{ t }}"), file, name, "file")
    ]


@pytest.mark.parametrize(
    "content", ["", "{", "[" * 100_000, "[]", '{"chat_template": [{"name": 3}, 4]}', '{"chat_template": 3}']
)
def test_a_damaged_tokenizer_holds_no_template(local, learn, content):
    (local / "tokenizer_config.json").write_text(content)

    assert learn((*LM_EVAL, "pretrained=models/tiny"))[0].models[0].texts == []


def test_the_harness_s_template_and_prompt_are_claims_and_a_different_template_is_found(local, learn):
    claims = {"chat_template": "{{ other }}", "system_instruction": "Be brief.", "config": {"model": "hf"}}
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"), claims=claims)
    claimed = {(each.kind, each.learnt_from): each.digest for each in subject.models[0].texts}

    assert claimed["chat template", "claim"] == sha256(b"{{ other }}")
    assert claimed["system prompt", "claim"] == sha256(b"Be brief.")
    assert sha256(b"{{ other }}") in findings["W332"]
    assert sha256(b"{{ messages }}") in findings["W332"]


def test_the_same_template_in_folder_and_claim_is_no_finding(local, learn):
    assert learn((*LM_EVAL, "pretrained=models/tiny"), claims={"chat_template": "{{ messages }}"})[1] == {}


# --- datasets ---------------------------------------------------------------------------------------------------------------


def asking_for(**extra):
    return Subject(datasets=[claim("json", **extra)])


@pytest.mark.parametrize(
    ("data_files", "expected"),
    [
        ("data/a.jsonl", ["data/a.jsonl"]),
        ({"test": "data/a.jsonl", "train": ["data/b.jsonl"]}, ["data/a.jsonl", "data/b.jsonl"]),
        ({"test": "data/*.jsonl"}, ["data/a.jsonl", "data/b.jsonl"]),
    ],
)
def test_data_files_of_one_s_own_are_known_by_their_digests(directory, learn, data_files, expected):
    (directory / "data").mkdir()
    for name in ("a", "b"):
        (directory / f"data/{name}.jsonl").write_text(name)
    subject, findings = learn(claimed=asking_for(data_files=data_files))
    (dataset,) = subject.datasets

    assert [(file.path, file.digest) for file in dataset.files] == [
        (path, sha256(Path(path).stem.encode())) for path in expected
    ]
    assert {file.role for file in dataset.files} == {"data"}
    assert findings == {}


def test_data_files_may_be_links_absolute_missing_or_elsewhere(directory, tmp_path, learn):
    (tmp_path / "far.jsonl").write_text("far")
    (directory / "near.jsonl").symlink_to(tmp_path / "far.jsonl")
    files = [
        str(tmp_path / "far.jsonl"),
        "near.jsonl",
        "gone.jsonl",
        "https://ada:word@h.example/x.jsonl?token=t",
        "a\0b",
    ]
    subject, findings = learn(claimed=asking_for(data_files=files))
    found = {file.path: file for file in subject.datasets[0].files}

    assert found[str(tmp_path / "far.jsonl")].digest == found["near.jsonl"].digest == sha256(b"far")
    assert found["gone.jsonl"].reason == "it is not there"
    assert found["https://h.example/x.jsonl"].reason == "it does not lie on this machine"
    assert "word" not in repr(subject.datasets[0].files)
    assert "gone.jsonl" in findings["W335"]


def test_a_local_dataset_is_known_by_all_its_files(directory, learn):
    (directory / "toy/data").mkdir(parents=True)
    (directory / "toy/data/test.parquet").write_bytes(b"p")
    (directory / "toy/toy.py").write_text("code")
    (directory / "toy/README.md").write_text("toy")
    (dataset,) = learn(claimed=Subject(datasets=[claim("toy")]))[0].datasets

    assert {file.path: file.role for file in dataset.files} == {
        "README.md": "other",
        "data/test.parquet": "data",
        "toy.py": "code",
    }
    assert dataset.place == "toy"


def test_a_dataset_of_the_hub_has_the_commit_whose_files_were_opened(hub, learn):
    repository = hub(
        "datasets", "toy-org/qa", snapshots={A: {"README.md": b"", "test.parquet": b"p"}}, refs={"main": A}
    )
    subject, findings = learn(
        claimed=Subject(datasets=[claim("qa")]), opened=[repository / "snapshots" / A / "README.md"]
    )
    (dataset,) = subject.datasets

    assert (dataset.name, dataset.revision, dataset.learnt_from) == ("qa", A, "cache read")
    assert set(findings) == {"W331"}


def test_a_revision_that_the_task_pins_is_a_claim_and_confirmed_by_the_cache(hub, learn):
    hub("datasets", "toy-org/qa", snapshots={A: {"test.parquet": b"p"}}, refs={"main": B})
    task = Task(name="qa", config={"dataset_path": "toy-org/qa", "dataset_kwargs": {"revision": A}})
    subject, findings = learn(tasks=[task])
    (dataset,) = subject.datasets

    assert (dataset.revision, dataset.learnt_from, dataset.tasks) == (A, "claim", ["qa"])
    assert dataset.files[0].digest == sha256(b"p")
    assert findings == {}


@pytest.fixture
def prepare(home):
    """Make prepared copies as `datasets` 5.2 lays them out."""

    def make(name, configuration, commit, info="{}"):
        folder = home / ".cache/huggingface/datasets" / name / configuration / "0.0.0" / commit
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").write_text(info)
        (folder / "open_book_qa-test.arrow").write_bytes(b"arrow")
        (folder.parent / f"{commit}.incomplete_info.lock").write_text("")
        (folder.parent / f"{commit}_builder.lock").write_text("")

    return make


def test_the_only_prepared_copy_tells_its_commit_and_the_digests_of_what_was_read(prepare, learn):
    prepare("toy-org___open_book_qa", "default", A)
    prepare("other-org___open_book_qa", "default", B)
    (dataset,) = learn(claimed=Subject(datasets=[claim("toy-org/OpenBookQA")]))[0].datasets

    assert (dataset.revision, dataset.learnt_from) == (A, "prepared cache")
    assert dataset.place == f"cache:toy-org___open_book_qa/default/0.0.0/{A}"
    assert {file.path: file.role for file in dataset.files} == {
        "dataset_info.json": "other",
        "open_book_qa-test.arrow": "data",
    }


def test_of_several_prepared_copies_none_is_guessed(prepare, learn):
    prepare("toy-org___open_book_qa", "default", A)
    prepare("toy-org___open_book_qa", "default", B)
    prepare("toy-org___open_book_qa", "hard", C)
    several, findings = learn(claimed=Subject(datasets=[claim("toy-org/OpenBookQA", dataset_name="default")]))
    one, _ = learn(claimed=Subject(datasets=[claim("toy-org/OpenBookQA", dataset_name="hard")]))

    assert A in several.datasets[0].revision.unknown
    assert B in several.datasets[0].revision.unknown
    assert "W331" in findings
    assert one.datasets[0].revision == C


def test_an_older_prepared_copy_tells_by_what_it_downloaded(prepare, learn):
    info = json.dumps({"download_checksums": {f"hf://datasets/toy-org/qa@{A}/test.parquet": {"num_bytes": 1}}})
    prepare("toy-org___qa", "default", "f" * 64, info)
    (dataset,) = learn(claimed=Subject(datasets=[claim("toy-org/qa")]))[0].datasets

    assert (dataset.revision, dataset.learnt_from) == (A, "prepared cache")


# --- what is named where ------------------------------------------------------------------------------------------------------


def test_what_nobody_named_but_the_run_opened_is_in_the_record(hub, learn):
    model = hub("models", "toy-org/judge", snapshots={A: MODEL})
    data = hub("datasets", "toy-org/extra", snapshots={B: {"README.md": b""}})
    opened = [model / "snapshots" / A / "config.json", data / "snapshots" / B / "README.md"]
    subject, _ = learn(claimed=Subject(models=[claim("mine")]), opened=opened)

    assert [(part.name, part.revision) for part in subject.models[1:]] == [("toy-org/judge", A)]
    assert [(part.name, part.revision, part.extra) for part in subject.datasets] == [
        ("toy-org/extra", B, {"role": "opened here"})
    ]


def test_a_run_that_left_no_results_still_tells_its_model(local, learn):
    subject, _ = learn((*LM_EVAL, "pretrained=models/tiny"))

    assert [part.name for part in subject.models] == ["models/tiny"]


def test_another_model_in_the_command_is_not_put_into_this_run(learn):
    subject, _ = learn(("python", "sweep.py", "--model", "org/a"), claimed=Subject(models=[claim("org/b")]))

    assert [part.name for part in subject.models] == ["org/b"]


def test_the_short_name_of_a_folder_gives_way_to_the_name_that_was_asked_for(local, learn):
    subject, _ = learn((*LM_EVAL, "pretrained=models/tiny"), claimed=Subject(models=[claim("tiny")]), model="tiny")

    assert [part.name for part in subject.models] == ["models/tiny"]


def test_a_script_s_flags_name_model_and_data(local, directory, learn):
    (directory / "qa.jsonl").write_text("q")
    argv = ("python", "e.py", "--model", "models/tiny", "--data", "qa.jsonl", "--dataset", "word")
    subject, _ = learn(argv)

    assert subject.models[0].files
    assert subject.datasets == []

    subject, _ = learn(argv[:-2])
    assert subject.datasets[0].files[0].digest == sha256(b"q")


def test_a_model_without_a_name_is_not_the_working_directory(directory, learn):
    (directory / "config.json").write_text("{}")
    (model,) = learn(claimed=Subject(models=[claim("")]))[0].models

    assert model.files == []


def test_dummy_is_no_model_and_no_finding(directory, learn):
    (directory / "dummy").mkdir()
    (directory / "dummy/config.json").write_text("{}")
    claimed = Subject(models=[claim("dummy")])
    subject, findings = learn(("lm_eval", "--model", "dummy"), claimed=claimed, claims={"config": {"model": "dummy"}})

    assert subject == claimed
    assert findings == {}


def test_a_recorded_run_on_a_local_model_is_told_with_template_prompt_and_data(directory, learn):
    folder = RECORDED / "hf_chat_hidden_folder"
    (run,) = LmEval().find([folder])
    assert isinstance(run, FoundRun)
    reading = LmEval().read(run)
    model = directory.parent.parent / "models/tiny-gpt2"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (directory / "data").mkdir()
    for name in ("toy_gen", "toy_mc", "toy_fewshot"):
        (directory / f"data/{name}.jsonl").write_text(name)
    subject, findings = learn(
        (*LM_EVAL, "pretrained=../../models/tiny-gpt2,dtype=float32"),
        claimed=reading.subject,
        claims=reading.harness.claims,
        tasks=reading.results.tasks,
        model=reading.model,
    )
    (found,) = subject.models
    claims = reading.harness.claims

    assert (found.name, found.place) == ("../../models/tiny-gpt2", "../../models/tiny-gpt2")
    assert {(text.kind, text.learnt_from): text.digest for text in found.texts} == {
        ("chat template", "claim"): f"sha256:{claims['chat_template_sha']}",
        ("system prompt", "claim"): f"sha256:{claims['system_instruction_sha']}",
    }
    assert [[file.path for file in part.files] for part in subject.datasets] == [
        ["data/toy_gen.jsonl"],
        ["data/toy_fewshot.jsonl", "data/toy_mc.jsonl"],
    ]
    assert all(file.digest for part in subject.datasets for file in part.files)
    assert findings == {}


# --- served models ------------------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer_is_a_finding_and_local_caches_do_not_speak_for_it(hub, learn):
    hub("models", "toy-org/tiny", snapshots={A: MODEL}, refs={"main": A})
    argv = (
        "lm_eval",
        "--model",
        "local-completions",
        "--model_args",
        "model=toy-org/tiny,base_url=http://203.0.113.7/v1",
    )
    subject, findings = learn(argv)
    (model,) = subject.models

    assert isinstance(model.revision, Unknown)
    assert model.files == []
    assert model.server.endpoint == "http://203.0.113.7:80/v1"
    assert {"W330", "W334"} == set(findings)


def test_an_endpoint_in_the_environment_that_the_run_did_not_use_is_not_its_server(local, learn):
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    subject, findings = learn((*LM_EVAL, "pretrained=models/tiny"), environ=environ)

    assert subject.models[0].server is None
    assert findings == {}


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_endpoint_in_the_environment_that_the_run_used_is_asked(learn):
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    subject, findings = learn(("python", "e.py", "--model", "toy"), environ=environ, seen={"hosts": ["127.0.0.1:1"]})

    assert subject.models[0].server.learnt_from == "environment"
    assert subject.models[0].server.used is True
    assert "nobody listens there" in findings["W334"]


# --- laws ---------------------------------------------------------------------------------------------------------------------

texts = st.text(max_size=12) | st.sampled_from(
    ["..", "/", "~", "a/b", "--", "a\0b", "x" * 5000, "json", "\ud800", "refs/../x"]
)
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(name=texts, revision=texts, files=values, folder=values, argument=texts, opened=texts)
def test_nothing_that_a_stranger_claims_makes_it_fail(learn, name, revision, files, folder, argument, opened):
    extra = {"data_files": files, "data_dir": folder, "dataset_name": argument, "revision": revision}
    claimed = Subject(models=[claim(name, x=files)], datasets=[claim(name, **extra), claim("json", **extra)])
    learn(
        (*LM_EVAL, f"pretrained={name},revision={revision}", "--dataset", argument),
        claimed=claimed,
        opened=[f"/c/models--{opened}/snapshots/{A}/{argument}"],
        environ={"HF_HOME": argument.replace("\0", "")},
        claims={"config": files, "chat_template": folder},
        tasks=[Task(name="t", config={"dataset_path": name, "dataset_kwargs": files})],
        limits=Limits(bytes_read=1000, files=20, seconds_reading=5),
    )


def test_resolving_twice_gives_the_same(local, hub, learn):
    hub("models", "toy-org/tok", snapshots={A: MODEL}, refs={"main": A})
    argv = (*LM_EVAL, "pretrained=models/tiny,tokenizer=toy-org/tok")

    assert learn(argv) == learn(argv)
    assert msgspec.to_builtins(learn(argv)[0])
