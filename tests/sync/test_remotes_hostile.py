"""A stranger's archive starts no program: neither by what is plainly written, nor by what only DVC would read."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from reprokit.errors import ExitCode, UsageError
from reprokit.sync.remotes import dvc_settings
from reprokit.sync.remotes.carrier import carry
from reprokit.sync.remotes.configuration import Remote, choose, configured

NOWHERE = "webdav://127.0.0.1:9/x"


@pytest.fixture
def mark(tmp_path):
    """A file that is there once a stranger's program ran."""
    return tmp_path / "a-program-ran"


@pytest.fixture
def commit(archive, git):
    """Give a function that commits a file below `.dvc`, as a stranger would."""

    def write(name, text):
        path = archive.root / ".dvc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        git(archive.root, "add", "-f", str(path))
        git(archive.root, "commit", "-qm", "hostile")

    return write


def remote(mark, option="bearer_token_command", name="r", **more):
    rows = [f"['remote \"{name}\"']", f"    url = {NOWHERE}", f"    {option} = touch {mark}"]
    return "\n".join([*rows, *(f"    {key} = {value}" for key, value in more.items()), ""])


def reach(archive, name="r"):
    """Have DVC open a remote, whatever was read of it before."""
    with carry(archive, Remote(name=name, address=NOWHERE, scheme="webdav"), patience=60):
        pass


QUOTED = [f'"{key}"' for key in ("bearer_token_command", "configpath", "credentialpath")]
BY_TEN = "".join(f"['remote \"r{n}\"']\n    url = remote://r{n + 1}/x\n" for n in range(10))


def test_a_program_runs_that_the_person_asks_for(archive, mark):
    # What all others here show would be nothing, if it never ran.
    (archive.root / ".dvc/config.local").write_text(remote(mark))

    assert choose(archive, "r").scheme == "webdav"
    with pytest.raises(Exception, match="r"):
        reach(archive)
    assert mark.exists()


@pytest.mark.parametrize("name", ["config", "config.local"])
def test_a_committed_file_starts_no_program(archive, commit, mark, name):
    commit(name, remote(mark))

    with pytest.raises(UsageError, match="bearer_token_command"):
        choose(archive, "r")
    with pytest.raises(UsageError, match="bearer_token_command"):
        reach(archive)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["config", "config.local"])
@pytest.mark.parametrize("option", QUOTED)
def test_a_setting_whose_name_is_quoted_starts_no_program(archive, commit, mark, name, option):
    commit(name, remote(mark, option))

    with pytest.raises(UsageError, match="may mean to DVC"):
        choose(archive, "r")


def test_dvc_is_asked_how_it_reads_a_quoted_name(archive, commit, mark):
    commit("config", remote(mark, QUOTED[0]))

    with pytest.raises(UsageError, match="`bearer_token_command` of the remote `r` may start a program"):
        reach(archive)
    assert not mark.exists()


def test_a_file_that_is_too_large_is_refused_and_not_cut(archive, commit, mark):
    plain = f"['remote \"r\"']\n    url = {NOWHERE}\n"
    commit("config", plain + "# nothing to see\n" * (1 << 16) + f"    bearer_token_command = touch {mark}\n")

    with pytest.raises(UsageError, match="larger than 1 MiB"):
        choose(archive, "r")


def test_a_remote_at_the_end_of_many_others_starts_no_program(archive, commit, mark):
    commit("config", BY_TEN + remote(mark, name="r10"))

    with pytest.raises(UsageError, match="of the remote `r10` may start a program"):
        reach(archive, "r0")
    assert not mark.exists()


def test_what_the_person_says_again_is_theirs_until_git_brings_it(archive, commit, mark, git):
    commit("config", remote(mark))
    (archive.root / ".dvc/config.local").write_text("['remote \"r\"']\n    bearer_token_command = true\n")
    assert choose(archive, "r").name == "r"

    git(archive.root, "add", "-f", ".dvc/config.local")

    with pytest.raises(UsageError, match="bearer_token_command"):
        choose(archive, "r")


def test_where_git_cannot_say_whose_a_file_is_it_is_not_the_persons(archive, mark):
    (archive.root / ".dvc/config.local").write_text(remote(mark))
    shutil.rmtree(archive.root / ".git")

    with pytest.raises(UsageError, match="bearer_token_command"):
        choose(archive, "r")


def test_a_setting_that_nobody_has_judged_is_not_used(archive, commit, mark):
    commit("config", remote(mark, "gdrive_user_credentials_file"))

    with pytest.raises(UsageError, match="gdrive_user_credentials_file"):
        choose(archive, "r")


@pytest.mark.parametrize("command", ["pull", "push"])
def test_the_commands_say_so_in_one_line(reprokit, make_bundle, captured, mark, command):
    # The archive of the home is the one that is used.
    control = reprokit.archive / ".dvc"
    (control / "config").write_text(remote(mark, QUOTED[0]))

    told = reprokit(command, "--all", "--remote", "r", check=ExitCode.USAGE)

    assert "may mean to DVC what it does not say" in told.stderr
    assert len(told.stderr.splitlines()) <= 2
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_configuration_behind_a_link_is_refused(archive, mark, kind):
    control = archive.root / ".dvc"
    if kind == "file":
        (control / "other").write_text(remote(mark))
        (control / "config.local").symlink_to("other")
    else:
        control.rename(archive.root / "other")
        (archive.root / "other/config.local").write_text(remote(mark))
        control.symlink_to("other")

    with pytest.raises(UsageError, match=r"\.dvc"):
        choose(archive, "r")


DOUBTFUL = {
    "a section twice": "['remote \"r\"']\nurl = /a\n['remote \"r\"']\nurl = /b\n",
    "a section twice in two spellings": '[\'remote "r"\']\nurl = /a\n[Remote  "R"]\nurl = /b\n',
    "a setting twice": "['remote \"r\"']\nurl = /a\nURL = /b\n",
    "a nested section": "[remote]\n[[r]]\nurl = /a\n",
    "a value that names another": "['remote \"r\"']\nurl = /%(region)s\nregion = x\n",
    "a list": "['remote \"r\"']\nurl = /a, /b\n",
    "several lines": "[plots]\nout_dir = '''\n['remote \"r\"']\n'''\n",
    "a quote that goes on": '[\'remote "r"\']\nurl = "/a"b"\n',
    "a line of its own": '[\'remote "r"\']\nurl = /a\x0b"configpath" = x\n',
    "what goes before all sections": "url = /a\n",
    "a word": "['remote \"r\"']\nurl\n",
    "no text": "['remote \"r\"']\nurl = /\udcff\n",
}


@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_dvc_may_read_in_another_way_is_refused(archive, text):
    (archive.root / ".dvc/config").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(UsageError, match="may mean to DVC"):
        configured(archive)


@pytest.mark.parametrize("address", ["file://a/b", "remote://nobody/x"])
def test_an_address_that_dvc_would_not_take_for_a_folder_is_none(archive, address):
    (archive.root / ".dvc/config").write_text(f"['remote \"r\"']\nurl = {address}\n")

    assert choose(archive, "r").folder is None


SCHEMA = "from dvc.config_schema import REMOTE_SCHEMAS as k; print(*{n for each in k.values() for n in map(str, each)})"


def test_every_setting_of_dvcs_is_judged():
    done = subprocess.run([sys.executable, "-c", SCHEMA], check=True, capture_output=True, text=True)
    # Of a remote that is described by way of another, the schema has any text: it is judged by what it becomes.
    names = set(done.stdout.replace("<class 'str'>", "").split())

    assert names - dvc_settings.HARMLESS == {
        "bearer_token_command",
        "configpath",
        "credentialpath",
        "gdrive_user_credentials_file",
        "gdrive_service_account_json_file_path",
    }
    assert names >= dvc_settings.HARMLESS
