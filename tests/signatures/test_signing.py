"""Signing with real keys: in files, with a passphrase, with an agent, and the key that git signs with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from reprokit.errors import FixityError, InputMissingError, UsageError
from reprokit.signatures.keeping import keep, kept_before
from reprokit.signatures.keys import find_key
from reprokit.signatures.places import candidates
from reprokit.signatures.signing import signer
from reprokit.signatures.trust import trusted


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of the test's own, with no agent near."""
    folder = tmp_path / "person"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    for name in ("GIT_CONFIG_GLOBAL", "SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """Give a running agent: a function that gives it a key."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it says so when it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield lambda key: subprocess.run(["ssh-add", "-q", key], check=True, stdin=subprocess.DEVNULL)
        process.terminate()


@pytest.fixture
def signed(bundle, home):
    """Sign a bundle with the key that is named, or found, and give the signature."""

    def make(named=None):
        with signer(find_key(named, home=home), environment=os.environ, terminal=False) as ready:
            return ready.sign(bundle)

    return make


def by_whom(bundle, made):
    keep(bundle, made, archive=None)
    return trusted(bundle, candidates(bundle), environment=os.environ).by


# --- which key ---------------------------------------------------------------------------------------------------------


def test_the_key_that_is_named_signs(bundle, signed, keys, allow, public):
    allow(f"ada@example.org {public('ada')}")

    assert by_whom(bundle, signed(keys / "ada")) == "ada@example.org"


@pytest.mark.parametrize("value", ["{keys}/ada", "~/mine/ada.pub", "key::{public}", "{public} a comment"])
def test_the_key_that_git_signs_with_does_so_here(bundle, signed, keys, home, allow, public, agent, value):
    shutil.copytree(keys, home / "mine")
    agent(keys / "ada")
    named = value.format(keys=keys, public=public("ada"))
    (home / ".gitconfig").write_text(f'[gpg]\nformat = ssh\n[user]\nsigningkey = "{named}"\n')
    shutil.copy(keys / "stranger", home / ".ssh/id_ed25519")
    allow(f"ada@example.org {public('ada')}")

    assert by_whom(bundle, signed()) == "ada@example.org"


def test_a_key_of_gpg_or_of_a_repository_is_not_taken_for_one(home, keys, git, monkeypatch):
    git(home, "config", "--global", "user.signingkey", "0123456789ABCDEF")
    git(home, "init", "-q", "repository")
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(keys / "stranger"))):
        git(home / "repository", "config", name, value)
    monkeypatch.chdir(home / "repository")
    shutil.copy(keys / "ada", home / ".ssh/id_ed25519")

    assert find_key(None, home=home).file == home / ".ssh/id_ed25519"


def test_of_several_keys_or_none_one_has_to_be_named(home):
    with pytest.raises(InputMissingError, match="none of `id_ed25519`"):
        find_key(None, home=home)
    for name in ("id_ecdsa_sk", "id_rsa"):
        (home / ".ssh" / name).touch()

    with pytest.raises(UsageError, match=r"several keys: `.*/id_ecdsa_sk`, `.*/id_rsa`"):
        find_key(None, home=home)


def test_a_key_that_is_not_there_is_told_with_who_named_it(home, git):
    with pytest.raises(InputMissingError, match=r"`--key` is `.*/nowhere`"):
        find_key(home / "nowhere", home=home)
    git(home, "config", "--global", "gpg.format", "ssh")
    git(home, "config", "--global", "user.signingkey", "~/nowhere")

    with pytest.raises(InputMissingError, match=r"git's `user.signingkey` is `.*/nowhere`"):
        find_key(None, home=home)


# --- how it signs ------------------------------------------------------------------------------------------------------


def test_the_public_half_of_a_key_is_signed_with_by_the_agent(bundle, signed, keys, allow, public, agent):
    agent(keys / "ada")
    (keys / "ada").unlink()
    allow(f"ada@example.org {public('ada')}")

    assert by_whom(bundle, signed(keys / "ada.pub")) == "ada@example.org"


def test_a_key_that_no_agent_holds_is_told(signed, keys, monkeypatch, agent):
    (keys / "ada").unlink()

    with pytest.raises(InputMissingError, match="has signed nothing") as told:
        signed(keys / "ada.pub")

    assert "ssh-add -L" in told.value.hint
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(InputMissingError, match="agent"):
        signed(keys / "ada.pub")


def test_a_passphrase_that_nobody_can_give_is_told_and_not_waited_for(signed, keys, keygen):
    keygen("-q", "-p", "-N", "a secret of hers", "-f", "ada", directory=keys)

    with pytest.raises(InputMissingError, match="passphrase") as told:
        signed(keys / "ada")

    assert "terminal" in told.value.hint


@pytest.mark.parametrize("name", ["-Y", "a b; touch owned", "$(touch owned)", "n\nl", "%d", "~root", "ключ"])
def test_the_name_of_a_key_file_is_a_name_and_nothing_else(bundle, signed, keys, allow, public, name, monkeypatch):
    allow(f"ada@example.org {public('ada')}")
    (keys / "ada").rename(keys / name)
    (keys / "ada.pub").unlink()
    monkeypatch.chdir(keys)

    assert by_whom(bundle, signed(keys / name)) == "ada@example.org"
    assert not list(keys.parent.rglob("owned"))


@pytest.mark.parametrize("content", ["", "no key\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_signs_nothing(signed, tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(InputMissingError, match="has signed nothing"):
        signed(path)


def test_a_public_half_that_is_none_is_refused(home, signed, git):
    git(home, "config", "--global", "gpg.format", "ssh")
    git(home, "config", "--global", "user.signingkey", "key::ssh-ed25519 nothing")

    with pytest.raises(UsageError, match="no public key"):
        signed()


def test_a_manifest_that_was_changed_since_it_was_proven_is_not_signed(bundle, signed, keys):
    with (bundle.path / "manifest-sha256.txt").open("a") as stream:
        stream.write("\n")

    with pytest.raises(FixityError, match="was changed meanwhile"):
        signed(keys / "ada")


def test_without_the_program_nothing_is_signed(keys, home, tmp_path):
    with (
        pytest.raises(InputMissingError, match="no `ssh-keygen`"),
        signer(find_key(keys / "ada", home=home), environment={"PATH": str(tmp_path)}, terminal=False),
    ):
        pass


def test_a_program_that_writes_something_else_has_signed_nothing(keys, home, bundle, tmp_path):
    program = tmp_path / "program/ssh-keygen"
    program.parent.mkdir()
    script = 'case "$*" in *"-Y sign"*) for last; do :; done; echo junk > "$last.sig";; *) exec REAL "$@";; esac'
    program.write_text(f"#!/bin/sh\n{script.replace('REAL', str(shutil.which('ssh-keygen')))}\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    with (
        signer(find_key(keys / "ada", home=home), environment=environment, terminal=False) as ready,
        pytest.raises(InputMissingError, match="no signature of the bundle"),
    ):
        ready.sign(bundle)


# --- where it is kept --------------------------------------------------------------------------------------------------


def test_what_is_there_already_is_never_written_over(bundle, signed, keys, home):
    first, second = signed(keys / "ada"), signed(keys / "stranger")
    path = keep(bundle, first, archive=None).path

    with signer(find_key(keys / "ada", home=home), environment=os.environ, terminal=False) as ready:
        assert not kept_before(bundle, first.key, ready.keygen, archive=None).new
        with pytest.raises(UsageError, match="by another key"):
            kept_before(bundle, second.key, ready.keygen, archive=None)
        for content in (b"junk", None):
            path.unlink()
            path.symlink_to("/etc/hostname") if content is None else path.write_bytes(content)
            with pytest.raises(UsageError, match=re.escape(f"`{path}` is there already")):
                kept_before(bundle, first.key, ready.keygen, archive=None)
    with pytest.raises(UsageError, match="not written over"):
        keep(bundle, second, archive=None)
    assert path.is_symlink()
