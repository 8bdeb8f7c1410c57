"""A re-run gets of this machine what it needs, and nothing that is the user's own."""

from __future__ import annotations

import pytest

from reprokit.bundle.values import SecretSlot
from reprokit.errors import InputMissingError, InvalidRecordError, UsageError
from reprokit.reproduce.isolation import home_variables, machine_variables
from reprokit.reproduce.workspace import new_workspace
from reprokit.rerun.parts import Place

MINE = {
    "HOME": "/home/ada",
    "LANG": "C.UTF-8",
    "OPENAI_API_KEY": "sk-secret",
    "HF_TOKEN": "hf_secret",
    "https_proxy": "http://ada:secret@proxy.example:3128",
    "http_proxy": "http://proxy.example:3128",
    "CUDA_VISIBLE_DEVICES": "1",
}


def test_neither_secrets_nor_a_proxy_with_a_password_are_handed_on():
    given = machine_variables(MINE)

    assert given == {"LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": "1", "http_proxy": "http://proxy.example:3128"}


def test_the_run_has_a_home_and_temporary_files_of_its_own(tmp_path):
    given = home_variables(tmp_path, MINE, frozenset(), current=False)

    assert given == {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    assert (tmp_path / "home").is_dir()


def test_home_and_caches_are_shared_only_where_the_user_says_so(tmp_path):
    home = home_variables(tmp_path, MINE, frozenset({"home"}), current=True)
    caches = home_variables(tmp_path, {**MINE, "XDG_CACHE_HOME": "/big/cache"}, frozenset({"caches"}), current=False)

    assert home["HOME"] == "/home/ada"
    assert home["PYTHONUSERBASE"] == "/home/ada/.local"
    assert caches["HOME"] == str(tmp_path / "home")
    assert caches["HF_HOME"] == "/big/cache/huggingface"


def test_a_workspace_has_to_be_new(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").touch()
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="not empty"):
        new_workspace(tmp_path / "taken")
    with pytest.raises(UsageError, match="cannot be a workspace"):
        new_workspace(tmp_path / "file")


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "/etc/passwd"])
def test_no_place_of_a_record_is_outside_of_the_workspace(tmp_path, path):
    workspace = new_workspace(tmp_path / "new")

    with pytest.raises(InvalidRecordError, match="outside of the workspace"):
        workspace.path(Place("source", path))


def test_a_secret_that_nobody_has_is_told_by_its_name(tmp_path):
    workspace = new_workspace(tmp_path / "new")

    assert workspace.text(("key=", SecretSlot(secret="K")), {"K": "v"}) == "key=v"
    with pytest.raises(InputMissingError, match="`K` is not set"):
        workspace.text((SecretSlot(secret="K"),), {"K": ""})
