"""Local files of a run: the same here, of other content or absent, wherever they are said to lie."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.record import Input, SubjectFile
from reprokit.bundle.values import Unknown
from reprokit.errors import UsageError
from reprokit.reproduce.inputs.local import compare, local_inputs, missing
from reprokit.reproduce.inputs.mapping import Mapping, mapped, parse_mapping
from reprokit.reproduce.inputs.preparing import moved_snapshots
from reprokit.reproduce.inputs.repositories import repositories

HOME = "/home/ada/evals"
TINY = {"config.json": b"{}", "weights.bin": b"weights"}
NAMES = st.text(alphabet="ab=.", min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda names: "/" + "/".join(names))


def named(path, data=None, *, kind="file", inside=False):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}" if data is not None else None
    return Input(path=path, argument=1, kind=kind, inside=inside, digest=digest)


@pytest.fixture
def run_with(recorded):
    """Make a record whose command names inputs."""

    def make(*inputs, **subject):
        record = recorded.subject(**subject)
        return msgspec.structs.replace(record, invocation=msgspec.structs.replace(record.invocation, inputs=[*inputs]))

    return make


# --- mappings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelt", ["", "/data", "data=/mnt", "/data=mnt", "=/mnt", "/data=", "/a\0=/b"])
def test_nonsense_is_no_mapping(spelt):
    with pytest.raises(UsageError, match="is no mapping of places"):
        parse_mapping(spelt)


def test_an_equals_sign_within_a_path_does_not_divide_it():
    assert parse_mapping("/data/lr=0.1/x=/mnt/x") == Mapping(old="/data/lr=0.1/x", new="/mnt/x")


def test_the_longest_prefix_counts_and_only_whole_names():
    mappings = [parse_mapping(each) for each in ("/data=/mnt", "/data/big/=/disk", "/=/all")]

    assert mapped("/data/x", mappings) == "/mnt/x"
    assert mapped("/data/big", mappings) == "/disk"
    assert mapped("/data/big/../small", mappings) == "/mnt/small"
    assert mapped("/database", mappings) == "/all/database"
    assert mapped("data/x", mappings) == "data/x"


@given(PATHS, PATHS, PATHS)
def test_what_is_below_the_old_place_is_as_far_below_the_new(old, new, below):
    assert mapped(old + below, [Mapping(old=old, new=new)]) == new + below


@given(PATHS.filter(lambda path: "=/" not in f"{path}/"), PATHS)
def test_what_a_mapping_says_is_what_was_spelt(old, new):
    read = parse_mapping(f"{old}={new}")

    assert f"{read.old}={read.new}" == f"{old}={new}"


# --- what the command names ----------------------------------------------------------------------------------------------


def test_a_file_of_the_same_bytes_is_the_same_wherever_it_lies(run_with, tmp_path, written):
    written(tmp_path / "mnt", {"words.txt": b"words"})
    record = run_with(named("/data/words.txt", b"words"))

    (here,) = compare(local_inputs(record, []), [parse_mapping(f"/data={tmp_path}/mnt")])

    assert (here.state, here.here) == ("same", f"{tmp_path}/mnt/words.txt")
    assert missing([here]) == []


def test_other_content_is_told_and_so_is_where_it_was_looked_for(run_with, tmp_path, written):
    written(tmp_path, {"words.txt": b"other"})
    record = run_with(named("/data/words.txt", b"words"))

    found = compare(local_inputs(record, []), [parse_mapping(f"/data={tmp_path}")])

    assert missing(found) == [
        f"`/data/words.txt` is here, but with other content than the run read, looked for at `{tmp_path}/words.txt`"
    ]


def test_what_is_absent_is_told(run_with, tmp_path):
    found = compare(local_inputs(run_with(named(f"{tmp_path}/words.txt", b"words")), []), [])

    assert missing(found) == [f"`{tmp_path}/words.txt` is not on this machine"]


def test_a_folder_without_digests_is_only_there(run_with, tmp_path):
    (here,) = compare(local_inputs(run_with(named(str(tmp_path), kind="folder")), []), [])

    assert here.state == "not compared"


def test_what_lay_in_a_restored_checkout_is_told_apart(run_with):
    record = run_with(named("tasks", kind="folder"), named("../data/x", b"x"), named("/home/ada/evals-2/y", b"y"))

    found = local_inputs(record, [HOME])

    assert [(each.path, each.inside) for each in found] == [
        (f"{HOME}/tasks", True),
        ("/home/ada/data/x", False),
        ("/home/ada/evals-2/y", False),
    ]


def test_an_input_of_a_checkout_is_compared_where_that_was_restored(run_with, tmp_path, written):
    written(tmp_path / "source", {"words.txt": b"words"})

    (here,) = compare(
        local_inputs(run_with(named("words.txt", b"words")), [HOME]), [Mapping(old=HOME, new=f"{tmp_path}/source")]
    )

    assert here.state == "same"


def test_what_is_no_regular_file_is_not_read(run_with, tmp_path):
    (tmp_path / "folder").mkdir()
    record = run_with(named("/dev/zero", b"x"), named(f"{tmp_path}/folder", b"x"), named("/a\0b", b"x"))

    assert [each.state for each in compare(local_inputs(record, []), [])] == [
        "other content",
        "other content",
        "absent",
    ]


@pytest.mark.parametrize(
    "path", ["/proc/version", "/proc/kmsg", "/proc/self/pagemap", "/sys/kernel/notes", "/dev/null"]
)
def test_what_belongs_to_the_machine_is_never_opened(run_with, recorded, tmp_path, path):
    (tmp_path / "link").symlink_to(path)
    content = Path("/proc/version").read_bytes() if path == "/proc/version" else b""
    up = "../" * len(tmp_path.parts) + path[1:]
    file = SubjectFile(path=up, role="other", digest=f"sha256:{hashlib.sha256(content).hexdigest()}")
    record = run_with(
        named(path, content),
        named(f"{tmp_path}/link", content),
        named("/proc", kind="folder"),
        models=[recorded.part(str(tmp_path), None, place=str(tmp_path), files=[file])],
    )

    found = compare(local_inputs(record, []), [])

    assert {each.state for each in found} == {"other content"}


def test_without_a_known_directory_nothing_can_be_looked_for(run_with):
    record = run_with(named("/data/x"))
    unknown = msgspec.structs.replace(record.invocation, working_directory=Unknown(unknown="captured from outputs"))

    assert local_inputs(msgspec.structs.replace(record, invocation=unknown), []) == []


# --- models and data of one's own ----------------------------------------------------------------------------------------


def test_a_model_s_files_are_compared_and_named(run_with, recorded, tmp_path, written):
    model = recorded.part("models/tiny", None, place="models/tiny", files=recorded.files(TINY))
    record = run_with(named("models/tiny", kind="folder"), models=[model])
    folder = written(tmp_path / "tiny", {**TINY, "weights.bin": b"WEIGHTS", "more.bin": b""})
    mappings = [Mapping(old=f"{HOME}/models", new=str(tmp_path))]

    (before,) = compare(local_inputs(record, []), mappings)
    (folder / "weights.bin").write_bytes(b"weights")
    (after,) = compare(local_inputs(record, []), mappings)

    (told,) = missing([before])
    assert told.startswith(f"`{HOME}/models/tiny` is here, but with other content")
    assert told.endswith(f": `weights.bin`, looked for at `{folder}`")
    assert after.state == "same"


def test_data_files_are_looked_for_where_the_task_did(run_with, recorded, tmp_path, written):
    written(tmp_path, {"data/test.jsonl": b"1", "folder/inner/x.csv": b"2", "one.gguf": b"3"})
    parts = [
        recorded.part("json", None, files=recorded.files({"data/test.jsonl": b"1", "https://example.invalid/x": b""})),
        recorded.part(
            "folder",
            None,
            place="folder",
            extra={"data_dir": "inner", "data_files": "x.csv"},
            files=recorded.files({"x.csv": b"2"}),
        ),
        recorded.part("one.gguf", None, place="one.gguf", files=recorded.files({"one.gguf": b"3"})),
    ]

    found = compare(local_inputs(run_with(datasets=parts), []), [Mapping(old=HOME, new=str(tmp_path))])

    assert [(each.path, each.state) for each in found] == [
        (f"{HOME}/data/test.jsonl", "same"),
        (f"{HOME}/folder", "same"),
        (f"{HOME}/one.gguf", "same"),
    ]


def test_a_snapshot_of_a_cache_that_the_command_names_lies_in_the_workspace(run_with, recorded):
    folder = f"/home/ada/.cache/huggingface/hub/models--org--tiny/snapshots/{'a' * 40}"
    part = recorded.part(folder, place=f"cache:models--org--tiny/snapshots/{'a' * 40}")
    record = run_with(named(folder, kind="folder"), models=[part])

    assert moved_snapshots(record) == {
        "/home/ada/.cache/huggingface/hub/models--org--tiny": PurePosixPath("huggingface/hub/models--org--tiny")
    }
    assert local_inputs(record, []) == []
    assert [each.name for each in repositories(record, None)] == ["org/tiny"]


def test_many_differing_files_are_counted(run_with, recorded, tmp_path):
    files = recorded.files({f"{number}.bin": b"x" for number in range(5)})
    part = recorded.part(str(tmp_path), None, place=str(tmp_path), files=files)

    (told,) = missing(compare(local_inputs(run_with(models=[part]), []), []))

    assert told.endswith("than the run read: `0.bin`, `1.bin`, `2.bin` and 2 more")
