"""Which repositories of a hub a record names, and where they can be had."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Server, SubjectFile
from reprokit.bundle.values import Unknown
from reprokit.errors import InvalidRecordError
from reprokit.reproduce.inputs.repositories import Loading, pins, repositories
from reprokit.reproduce.inputs.whereabouts import is_offline, locate, missing, own_caches, planned

OLD, NEW = "a" * 40, "b" * 40
TINY = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def located(tmp_path):
    """Look for what a record names in the caches of a home."""

    def look(record, *, offline=False):
        places = own_caches({}, tmp_path / "home")
        return locate(repositories(record, None), places, offline=offline)

    return look


def opened(*paths):
    return Environment(learnt_from="probe", packages=[], loaded_from_cache=list(paths))


# --- what a record names -------------------------------------------------------------------------------------------------


def test_models_and_datasets_are_named_with_their_commits(recorded):
    record = recorded.subject(
        models=[recorded.cached("models", "org/tiny", TINY)],
        datasets=[recorded.part("org/sums", NEW, extra={"dataset_name": "hard"}, tasks=["sums"])],
    )

    model, dataset = repositories(record, None)

    assert (model.kind, model.name, model.revision, model.branches) == ("model", "org/tiny", OLD, ("main",))
    assert model.all_listed
    assert [file.path for file in model.files] == ["config.json", "model.safetensors"]
    assert (dataset.kind, dataset.revision, dataset.tasks) == ("dataset", NEW, ("sums",))
    assert dataset.loadings == (Loading(configuration="hard"),)
    assert pins([model, dataset]) == {"org/tiny": OLD, "org/sums": NEW}


def test_two_tasks_that_read_one_dataset_make_one_repository(recorded):
    record = recorded.subject(
        datasets=[
            recorded.part("org/sums", extra={"dataset_name": name}, tasks=[f"sums_{name}"]) for name in ("easy", "hard")
        ]
    )

    (dataset,) = repositories(record, None)

    assert dataset.loadings == (Loading(configuration="easy"), Loading(configuration="hard"))
    assert dataset.tasks == ("sums_easy", "sums_hard")


def test_a_branch_is_known_by_the_name_that_the_run_asked_for(recorded):
    part = recorded.part("org/tiny", revisions={"argv": ["v2", OLD, "../../up", "/etc", "a/./b"], "cache refs": [OLD]})

    (model,) = repositories(recorded.subject(models=[part]), None)

    assert model.branches == ("v2",)


def test_a_name_of_several_commits_is_not_pinned(recorded):
    record = recorded.subject(datasets=[recorded.part("org/sums", OLD), recorded.part("org/sums", NEW)])

    assert pins(repositories(record, None)) == {}


@pytest.mark.parametrize("name", ["../../etc", "org/../..", "/models/tiny", "org/name/more", "", "a--b/c", "org/x\n"])
def test_what_is_no_name_of_a_hub_is_none_of_its_repositories(recorded, name):
    record = recorded.subject(models=[recorded.part(name)], datasets=[recorded.part(name)])

    assert repositories(record, None) == []


def test_a_revision_that_can_move_is_not_known(recorded):
    (model,) = repositories(recorded.subject(models=[recorded.part("org/tiny", "../main")]), None)

    assert model.revision == Unknown(unknown="`../main` is no full commit, and can move")
    assert pins([model]) == {}


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a//b", "a/../../b", "a\0b"])
def test_a_file_outside_of_its_repository_is_refused(recorded, path):
    part = recorded.cached("models", "org/tiny", {path: b""})

    with pytest.raises(InvalidRecordError, match="outside of its folder"):
        repositories(recorded.subject(models=[part]), None)


def test_a_file_that_was_only_a_name_is_not_asked_for(recorded):
    broken = SubjectFile(path="gone.bin", role="weights", reason="it is not there")
    part = recorded.cached("models", "org/tiny", TINY)
    part = msgspec.structs.replace(part, files=[*part.files, broken])

    (model,) = repositories(recorded.subject(models=[part]), None)

    assert [file.path for file in model.files] == sorted(TINY)


def test_files_of_one_s_own_are_none_of_a_hub_s(recorded):
    local = recorded.part("models/tiny-gpt2", None, place="models/tiny-gpt2", files=recorded.files(TINY))
    reader = recorded.part("json", None, files=recorded.files({"data/test.jsonl": b""}))

    assert repositories(recorded.subject(models=[local], datasets=[reader]), None) == []


def test_a_model_behind_a_server_is_not_loaded_here(recorded):
    server = Server(
        endpoint="http://127.0.0.1:8000/v1",
        learnt_from="argv",
        asked=Unknown(unknown="x"),
        version=Unknown(unknown="x"),
        models=[],
    )
    tokenizer = recorded.part("org/words", extra={"role": "tokenizer"})
    asked = recorded.subject(models=[recorded.part("org/tiny", server=server), tokenizer])
    api = recorded.subject(models=[recorded.part("org/tiny", extra={"model": "local-chat-completions"}), tokenizer])

    assert [each.name for each in repositories(asked, None)] == ["org/words"]
    assert [each.name for each in repositories(api, None)] == ["org/words"]


def test_what_a_harness_calls_its_model_is_no_model(recorded):
    record = recorded.subject(models=[recorded.part("dummy", None, extra={"model": "dummy"})])

    assert repositories(record, None) == []


def test_what_was_opened_and_nobody_named_is_loaded_too(recorded):
    folder = "/home/ada/.cache/huggingface/hub"
    environment = opened(
        f"{folder}/models--org--judge/snapshots/{OLD}/config.json",
        f"{folder}/models--org--tiny/snapshots/{NEW}/config.json",
        f"{folder}/datasets--org--sums/snapshots/{OLD}/README.md",
        f"{folder}/datasets--org--sums/snapshots/{NEW}/README.md",
        f"{folder}/models--..--etc/snapshots/{OLD}/config.json",
        f"{folder}/models--org--x\0/snapshots/{OLD}/config.json",
    )

    found = repositories(recorded.subject(models=[recorded.part("org/tiny")]), environment)

    assert [(each.name, each.revision) for each in found] == [
        ("org/tiny", OLD),
        ("org/sums", Unknown(unknown=f"the run opened files of several: `{OLD}`, `{NEW}`")),
        ("org/judge", OLD),
    ]


# --- where they can be had -----------------------------------------------------------------------------------------------


def test_a_cache_with_all_that_the_record_lists_is_where_it_comes_from(recorded, cached, located):
    repository = cached("models--org--tiny", {OLD: {**TINY, "more.bin": b"x"}})

    (found,) = located(recorded.subject(models=[recorded.cached("models", "org/tiny", TINY)]))

    assert found.snapshot == repository / "snapshots" / OLD
    assert planned(found).comes_from == "cache"
    assert planned(found).download == 0


@pytest.mark.parametrize(
    ("here", "told"),
    [
        ({"config.json": b"{}"}, "`model.safetensors` is missing"),
        ({**TINY, "config.json": b"[]"}, "`config.json` is another than the run read"),
        ({**TINY, "model.safetensors": b"others!"}, "`model.safetensors` is another than the run read"),
    ],
)
def test_a_cache_that_lacks_a_file_or_has_another_does_not_count(recorded, cached, located, here, told):
    cached("models--org--tiny", {OLD: here})
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", TINY)])

    (online,), (offline,) = located(record), located(record, offline=True)

    assert planned(online).comes_from == "hub"
    assert planned(online).download == sum(len(data) for data in TINY.values())
    assert missing([online]) == []
    assert missing([offline]) == [f"the model `org/tiny`: this machine is set to be offline, and in its cache {told}"]


def test_another_revision_in_the_cache_does_not_count(recorded, cached, located):
    cached("models--org--tiny", {NEW: TINY}, main=NEW)

    (found,) = located(recorded.subject(models=[recorded.cached("models", "org/tiny", TINY)]), offline=True)

    assert missing([found]) == [
        f"the model `org/tiny`: this machine is set to be offline, and no cache holds it at `{OLD}`"
    ]


def test_a_link_that_leads_out_of_the_cache_is_no_file_of_it(recorded, cached, located, tmp_path):
    repository = cached("models--org--tiny", {OLD: TINY})
    (tmp_path / "elsewhere").write_bytes(TINY["config.json"])
    link = repository / "snapshots" / OLD / "config.json"
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere")

    (found,) = located(recorded.subject(models=[recorded.cached("models", "org/tiny", TINY)]))

    assert found.comes_from == "hub"


def test_without_a_list_of_files_the_hub_is_asked_and_offline_the_cache_is_believed(recorded, cached, located):
    cached("models--org--tiny", {OLD: {"config.json": b"{}"}})
    record = recorded.subject(models=[recorded.part("org/tiny")])

    (online,), (offline,) = located(record), located(record, offline=True)

    assert (online.comes_from, planned(online).download) == ("hub", None)
    assert offline.comes_from == "cache"


def test_an_unknown_revision_is_missing_only_offline(recorded, located):
    record = recorded.subject(models=[recorded.part("org/tiny", None)])

    assert missing(located(record)) == []
    (told,) = missing(located(record, offline=True))
    assert told.endswith("and its revision is not known: no Hugging Face cache of the run holds it")


@pytest.mark.parametrize(
    ("environ", "expected"), [({}, False), ({"HF_HUB_OFFLINE": "0"}, False), ({"TRANSFORMERS_OFFLINE": "YES"}, True)]
)
def test_being_offline_is_what_the_libraries_take_for_it(environ, expected):
    assert is_offline(environ) is expected


def test_a_plan_of_inputs_can_be_written_as_json(recorded, located):
    record = recorded.subject(models=[recorded.part("org/tiny", None)])

    (written,) = msgspec.to_builtins([planned(each) for each in located(record)])

    assert written == {
        "name": "org/tiny",
        "kind": "model",
        "revision": {"unknown": "no Hugging Face cache of the run holds it"},
        "comes_from": "hub",
        "download": None,
    }
