"""Addresses of submodules are read as git reads them, and nothing else of `.gitmodules` is."""

from __future__ import annotations

import subprocess

import pytest

from reprokit.errors import InvalidRecordError
from reprokit.git_address import transport
from reprokit.sources.submodules import addresses, resolved, room, submodules

REMOTE = "https://host.invalid/group/evals.git"


ADDRESSES = ("../library.git", "./library", "../../library", "../a/../b", "..//x/", "https://other.invalid/x", "library", "../../../../x")  # fmt: skip


@pytest.mark.parametrize("remote", [REMOTE, "git@host.invalid:group/evals", "ssh://git@host.invalid/a/b/", "host.invalid:evals"])  # fmt: skip
def test_relative_addresses_are_resolved_as_git_resolves_them(tmp_path, git, remote):
    git(tmp_path, "init", "--quiet", tmp_path)
    git(tmp_path, "remote", "add", "origin", remote)
    for number, address in enumerate(ADDRESSES):
        git(tmp_path, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{number}")
        (tmp_path / ".gitmodules").write_text(f'[submodule "{number}"]\n\tpath = {number}\n\turl = {address}\n')
        try:
            git(tmp_path, "submodule", "--quiet", "init", str(number))
            expected = git(tmp_path, "config", f"submodule.{number}.url").decode().strip()
        except subprocess.CalledProcessError:  # git refuses to go above the host
            expected = None
        found = resolved(address, remote)

        assert (found and transport(found) and found) == (expected and transport(expected) and expected), address


def test_a_relative_address_without_a_remote_is_none():
    assert resolved("../library", None) is None
    assert resolved("https://host.invalid/library", None) == "https://host.invalid/library"


def with_settings(root, git, text: str) -> None:
    (root / ".gitmodules").write_text(text)
    git(root, "add", ".gitmodules")


def test_addresses_are_listed_by_path_and_only_such_as_may_be_fetched_from(evals, git):
    hostile = ["ext::sh -c id", "--upload-pack=id", "-oProxyCommand=id", "file:///etc", "/etc", "http://host.invalid/x", "git://host.invalid/x", "ssh://-oProxyCommand=id/x", ""]  # fmt: skip
    text = '[submodule "a=b.c"]\n\tpath = vendored/library\n\turl = ../library.git\n'
    text += '[submodule "second"]\n\tpath = vendored/library\n\turl = git@host.invalid:library\n\tupdate = !id\n'
    text += "".join(f'[submodule "{n}"]\n\tpath = h{n}\n\turl = "{each}"\n' for n, each in enumerate(hostile))
    text += "[include]\n\tpath = ../settings\n[core]\n\tfsmonitor = id\n[submodule]\n\turl = https://host.invalid/x\n"
    text += '[submodule "no path"]\n\turl = ./x\n[submodule "no url"]\n\tpath = x\n[submodule "novalue"]\n\turl\n'
    with_settings(evals, git, text)
    found = addresses(evals, REMOTE)
    found.pop("", None)

    assert found == {"vendored/library": ["https://host.invalid/group/library.git", "git@host.invalid:library"]}
    assert addresses(evals, None) == {"vendored/library": ["git@host.invalid:library"]}


@pytest.mark.parametrize("text", ["[submodule", "garbage\0", '[submodule "x"]\n\tpath = "\n'])  # fmt: skip
def test_a_file_that_git_cannot_read_names_no_addresses(evals, git, text):
    with_settings(evals, git, text)

    assert addresses(evals, REMOTE) == {}


def test_commits_are_those_of_the_index(evals, git):
    git(evals, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendored/library")

    assert submodules(evals) == {"vendored/library": "1" * 40}


def test_room_is_made_and_found(tmp_path):
    assert room(tmp_path, "a/b") == tmp_path / "a" / "b"
    assert room(tmp_path, "a/b") == tmp_path / "a" / "b"


@pytest.mark.parametrize("kind", ["link", "link on the way", "file", "file on the way", "full"])
def test_there_is_no_room_behind_a_link_or_where_something_is(tmp_path, kind):
    elsewhere = tmp_path / "elsewhere"
    checkout = tmp_path / "checkout"
    (elsewhere / "b").mkdir(parents=True)
    checkout.mkdir()
    match kind:
        case "link on the way":
            (checkout / "a").symlink_to(elsewhere)
        case "file on the way":
            (checkout / "a").write_text("")
        case _:
            (checkout / "a").mkdir()
    match kind:
        case "link":
            (checkout / "a/b").symlink_to(elsewhere)
        case "file":
            (checkout / "a/b").write_text("")
        case "full":
            (checkout / "a/b/c").mkdir(parents=True)

    with pytest.raises(InvalidRecordError, match="cannot be put in place"):
        room(checkout, "a/b")
    assert list((elsewhere / "b").iterdir()) == []
