"""A Hugging Face folder with the recorded revisions: what the real libraries then load by a name without a revision."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.errors import InputMissingError, RemoteError
from reprokit.reproduce.inputs.preparing import Tools, prepare, variables
from reprokit.reproduce.inputs.repositories import repositories
from reprokit.reproduce.inputs.whereabouts import is_offline, locate, own_caches

pytestmark = pytest.mark.timeout(120)

OLD, NEW = "a" * 40, "b" * 40
SUMS = {
    "README.md": b"# sums\n",
    "test.jsonl": b'{"q": "1+1", "a": "old"}\n{"q": "2+1", "a": "3"}\n',
}
NEWER = {**SUMS, "test.jsonl": b'{"q": "1+1", "a": "new"}\n'}
CONFIGURED = {
    "README.md": b"---\nconfigs:\n- config_name: easy\n  data_files: easy.jsonl\n- config_name: hard\n"
    b"  data_files: hard.jsonl\n---\n",
    "hard.jsonl": b'{"q": "17*23", "a": "391"}\n',
}
DATA = "import datasets, json; print(json.dumps(datasets.load_dataset({})[{!r}][0]))"
WIDTH = "from transformers import AutoConfig; print(AutoConfig.from_pretrained('org/tiny').n_embd)"
UV = Path(sys.executable).with_name("uv")
OF_UV = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))}
OF_UV.setdefault("UV_CACHE_DIR", str(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"))
SPY = "import os, pathlib, sys; pathlib.Path({!r}).write_text(repr(dict(os.environ)))\n"
CONFIG = {"config.json": b'{"model_type": "gpt2", "n_embd": 8}', "model.safetensors": b"weights"}


def started(*words, **more):
    """Run a program to its end."""
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


class Machine:
    """A user's machine: a home with a Hugging Face cache, and a workspace."""

    def __init__(self, root: Path, python: Path) -> None:
        self.home, self.workspace, self.python = root / "home", root / "workspace", python
        self.home.mkdir(exist_ok=True)

    def prepare(self, record, *, python=True, uv=UV, **environ):
        """Prepare what a record names; gives the variables of the run."""
        self.workspace.mkdir(exist_ok=True)
        environ = {"HOME": str(self.home), "PATH": os.environ["PATH"], **OF_UV, **environ}
        found = locate(repositories(record, None), own_caches(environ, self.home), offline=is_offline(environ))
        tools = Tools(python=self.python if python else None, uv=uv, environ=environ)
        self.prepared = prepare(found, self.workspace, tools)
        return variables(self.prepared, found, record)

    def run(self, code: str, run_with: dict[str, str]):
        """Run a program as a re-run would."""
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.workspace), "HF_ENDPOINT": "http://127.0.0.1:9"}
        done = started(self.python, "-c", code, cwd=self.workspace, env=environ | run_with)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def machine(tmp_path, torch):
    return Machine(tmp_path, torch)


def files_of(*folders):
    """List the regular files below folders."""
    found = (file for folder in folders for file in folder.rglob("*"))
    return [file for file in found if file.is_file() and not file.is_symlink()]


@pytest.fixture
def sums():
    return DATA.format("'org/sums'", "test")


def test_a_dataset_without_a_revision_is_the_recorded_one_and_not_the_newest(hub, machine, recorded):
    hub.put("datasets", "org/sums", {OLD: SUMS, NEW: NEWER}, main=NEW)
    record = recorded.subject(datasets=[recorded.cached("datasets", "org/sums", SUMS)])

    run_with = machine.prepare(record, HF_ENDPOINT=hub.address)

    assert run_with["HF_HUB_OFFLINE"] == "1"
    assert machine.run(DATA.format("'org/sums'", "test"), run_with) == {"q": "1+1", "a": "old"}
    assert not any(NEW in each for each in hub.asked)


def test_a_configuration_is_found_by_its_name(hub, machine, recorded):
    hub.put("datasets", "org/sums", {OLD: {**CONFIGURED, "easy.jsonl": b'{"q": "1"}\n'}}, main=OLD)
    part = recorded.cached("datasets", "org/sums", CONFIGURED, extra={"dataset_name": "hard"})

    run_with = machine.prepare(recorded.subject(datasets=[part]), HF_ENDPOINT=hub.address)

    assert not machine.prepared.online
    assert machine.run(DATA.format("'org/sums', 'hard'", "train"), run_with)["a"] == "391"
    assert not any(each.endswith("easy.jsonl") for each in hub.asked), "the run had no need of it"


def test_each_way_in_which_tasks_name_a_dataset_finds_a_copy(hub, machine, recorded):
    hub.put("datasets", "org/sums", {OLD: SUMS}, main=OLD)
    ways = ({}, {"dataset_name": "default"}, {"data_files": {"fit": "test.jsonl"}})
    parts = [recorded.cached("datasets", "org/sums", SUMS, extra=way) for way in ways]

    run_with = machine.prepare(recorded.subject(datasets=parts), HF_ENDPOINT=hub.address)

    assert not machine.prepared.online
    by_name = "load('org/sums')['test'][0] == load('org/sums', 'default')['test'][0]"
    load = f"load('org/sums', data_files={{'fit': 'test.jsonl'}})['fit'][0] if {by_name} else None"
    code = f"import json; from datasets import load_dataset as load; print(json.dumps({load}))"
    assert machine.run(code, run_with)["a"] == "old"


def test_a_model_without_a_revision_is_the_recorded_one(hub, machine, recorded):
    newer = {**CONFIG, "config.json": CONFIG["config.json"].replace(b"8", b"16")}
    hub.put("models", "org/tiny", {OLD: CONFIG, NEW: newer}, main=NEW)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    run_with = machine.prepare(record, HF_ENDPOINT=hub.address)

    assert machine.run(WIDTH, run_with) == 8


def test_what_this_user_has_is_copied_and_nothing_is_asked(hub, machine, recorded, cached, sums):
    sums_here = cached("datasets--org--sums", {OLD: SUMS, NEW: NEWER}, main=NEW)
    model_here = cached("models--org--tiny", {OLD: CONFIG}, main=OLD)
    before = {file: (file.stat().st_ino, file.read_bytes()) for file in files_of(sums_here, model_here)}
    model = recorded.cached("models", "org/tiny", CONFIG)
    record = recorded.subject(models=[model], datasets=[recorded.cached("datasets", "org/sums", SUMS)])

    run_with = machine.prepare(record, HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="1")

    assert machine.run(sums, run_with)["a"] == "old"
    assert hub.asked == []
    copied = {file.stat().st_ino for file in files_of(machine.workspace)}
    assert copied.isdisjoint(inode for inode, _ in before.values()), "nothing that the run writes reaches the original"
    assert before == {file: (file.stat().st_ino, file.read_bytes()) for file in files_of(sums_here, model_here)}
    hub_folder = machine.workspace / "huggingface/hub"
    assert (hub_folder / "models--org--tiny/refs/main").read_text() == OLD
    assert not list(hub_folder.glob(f"*/snapshots/{NEW}"))


def test_a_copy_that_datasets_had_prepared_is_taken_when_the_run_had_only_that(machine, recorded, written, sums, hub):
    hub.put("datasets", "org/sums", {OLD: SUMS}, main=OLD)
    code = f"import datasets; datasets.load_dataset('org/sums', revision='{OLD}')"
    environ = {"HOME": str(machine.home), "HF_ENDPOINT": hub.address}
    assert started(machine.python, "-c", code, env=environ).returncode == 0
    caches = machine.home / ".cache/huggingface"
    shutil.rmtree(caches / "hub")
    (copy,) = (caches / "datasets/org___sums").glob("*/*/" + OLD)
    written(copy.with_name(NEW), {"dataset_info.json": b"{}"})
    files = {file.name: file.read_bytes() for file in copy.iterdir()}
    place = f"cache:{copy.relative_to(caches / 'datasets')}"
    part = recorded.part("org/sums", place=place, files=recorded.files({**files, "cache-1.arrow": b"mapped"}))

    run_with = machine.prepare(recorded.subject(datasets=[part]), HF_DATASETS_OFFLINE="1")

    assert machine.run(sums, run_with)["a"] == "old"
    assert not list(machine.workspace.rglob(NEW)), "another revision beside it would be a newer one"


def test_a_hub_out_of_reach_is_named(machine, recorded):
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    with pytest.raises(RemoteError, match=r"model `org/tiny` cannot be fetched from the hub at `http://127.0.0.1:9/`"):
        machine.prepare(record, HF_ENDPOINT="http://ada:secret@127.0.0.1:9/")


def test_a_file_that_is_not_what_the_run_read_is_refused(hub, machine, recorded):
    hub.put("models", "org/tiny", {OLD: {**CONFIG, "config.json": b'{"model_type": "bert"}'}}, main=OLD)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    with pytest.raises(InputMissingError, match=r"`config.json` of `org/tiny` at `a+` is not what the run read"):
        machine.prepare(record, HF_ENDPOINT=hub.address)


def test_a_revision_that_the_hub_has_no_more_is_missing(hub, machine, recorded):
    hub.put("models", "org/tiny", {NEW: CONFIG}, main=NEW)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    with pytest.raises(InputMissingError, match=r"no longer has the model `org/tiny` at `a+`"):
        machine.prepare(record, HF_ENDPOINT=hub.address)


def test_the_token_opens_the_hub_and_is_not_handed_to_the_run(hub, machine, recorded):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    (hub.folder / "models/org/tiny/key").write_text("hf_mine")
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    with pytest.raises(InputMissingError, match="you are not let in") as refused:
        machine.prepare(record, HF_ENDPOINT=hub.address)
    assert "hf auth login" in str(refused.value.hint)
    run_with = machine.prepare(record, HF_ENDPOINT=hub.address, HF_TOKEN="hf_mine")

    assert "hf_mine" not in str(run_with)
    assert all(b"hf_mine" not in file.read_bytes() for file in files_of(machine.workspace))


def test_the_token_of_a_user_who_logged_in_is_found(hub, machine, recorded, written):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    (hub.folder / "models/org/tiny/key").write_text("hf_mine")
    written(machine.home / ".cache/huggingface", {"token": b"hf_mine"})
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    machine.prepare(record, HF_ENDPOINT=hub.address)

    assert (machine.workspace / f"huggingface/hub/models--org--tiny/snapshots/{OLD}/config.json").exists()


def test_without_the_library_in_the_environment_uv_brings_it(hub, machine, recorded):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    machine.prepare(record, python=False, HF_ENDPOINT=hub.address)

    assert (machine.workspace / f"huggingface/hub/models--org--tiny/snapshots/{OLD}/config.json").exists()


@pytest.fixture
def spied(machine, torch, tmp_path):
    """Let the Python that the run will have hold code of the bundle's; gives the file to which that tells all."""
    told, folder = tmp_path / "told", tmp_path / "environment"
    assert started(torch, "-m", "venv", "--without-pip", str(folder)).returncode == 0
    (packages,) = folder.glob("lib/*/site-packages")
    (real,) = torch.parents[1].glob("lib/*/site-packages")
    (packages / "theirs.pth").write_text(SPY.format(str(told)) + f"{real}\n")
    machine.python = folder / "bin/python"
    return told


SECRETS = {"HF_TOKEN": "hf_mine", "HUGGING_FACE_HUB_TOKEN": "hf_mine", "https_proxy": "http://ada:hf_mine@127.0.0.1:9"}


def test_the_token_is_not_shown_to_the_python_that_the_run_will_have(hub, machine, recorded, spied):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    (hub.folder / "models/org/tiny/key").write_text("hf_mine")
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    machine.prepare(record, HF_ENDPOINT=hub.address, HF_TOKEN="hf_mine")

    assert (machine.workspace / f"huggingface/hub/models--org--tiny/snapshots/{OLD}/config.json").exists()
    assert not spied.exists()


def test_without_uv_the_rebuilt_python_fetches_as_somebody_unknown(hub, machine, recorded, spied):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])

    machine.prepare(record, uv=None, HF_ENDPOINT=hub.address.replace("//", "//ada:hf_mine@"), **SECRETS)

    assert "hf_mine" not in spied.read_text()
    assert str(machine.home) not in spied.read_text()
    (hub.folder / "models/org/tiny/key").write_text("hf_mine")
    shutil.rmtree(machine.workspace)
    with pytest.raises(InputMissingError, match="to whoever shows no token: uv is not installed") as refused:
        machine.prepare(record, uv=None, HF_ENDPOINT=hub.address, **SECRETS)
    assert "install uv" in str(refused.value.hint)


def test_where_uv_has_no_library_the_rebuilt_python_fetches(hub, machine, recorded, spied, tmp_path):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])
    (tmp_path / "nothing.toml").write_text("no-index = true\nno-cache = true\n")
    nothing = {"UV_CONFIG_FILE": str(tmp_path / "nothing.toml"), "PIP_FIND_LINKS": ""}

    machine.prepare(record, HF_ENDPOINT=hub.address, **nothing, HF_TOKEN="hf_mine")

    assert (machine.workspace / f"huggingface/hub/models--org--tiny/snapshots/{OLD}/config.json").exists()
    assert "hf_mine" not in spied.read_text()


def test_what_prepares_a_dataset_sees_no_secret_and_not_the_home(hub, machine, recorded, spied):
    hub.put("datasets", "org/sums", {OLD: SUMS}, main=OLD)
    record = recorded.subject(datasets=[recorded.cached("datasets", "org/sums", SUMS)])

    machine.prepare(record, HF_ENDPOINT=hub.address, **SECRETS)

    assert not machine.prepared.online
    assert "hf_mine" not in spied.read_text()
    assert str(machine.home) not in spied.read_text()


def test_settings_of_a_stranger_above_the_workspace_do_not_say_where_the_library_is_from(hub, machine, recorded):
    hub.put("models", "org/tiny", {OLD: CONFIG}, main=OLD)
    record = recorded.subject(models=[recorded.cached("models", "org/tiny", CONFIG)])
    machine.workspace.with_name("uv.toml").write_text("no-index = true\nno-cache = true\nfind-links = []\n")

    machine.prepare(record, python=False, HF_ENDPOINT=hub.address)

    assert (machine.workspace / f"huggingface/hub/models--org--tiny/snapshots/{OLD}/config.json").exists()


def test_with_an_unknown_revision_the_run_is_let_to_the_hub(machine, recorded):
    record = recorded.subject(models=[recorded.part("org/tiny", None)])

    run_with = machine.prepare(record)

    assert "HF_HUB_OFFLINE" not in run_with
    assert machine.prepared.online == (
        "the revision of `org/tiny` is not known: no Hugging Face cache of the run holds it",
    )


def test_a_run_that_loaded_nothing_from_a_hub_is_not_kept_off_it(machine, recorded):
    run_with = machine.prepare(recorded.subject())

    assert "HF_HUB_OFFLINE" not in run_with
    assert run_with["HF_HOME"] == str(machine.workspace / "huggingface")


def test_a_run_that_read_an_address_is_not_kept_off_the_network(machine, recorded):
    files = recorded.files({"https://example.invalid/test.jsonl": b""})
    record = recorded.subject(datasets=[recorded.part("json", None, files=files)])

    assert "HF_HUB_OFFLINE" not in machine.prepare(record)
