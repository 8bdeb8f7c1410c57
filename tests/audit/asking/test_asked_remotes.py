"""Asking git remotes for a commit: there, gone, or not known; over real https, and as nobody."""

import os

import pytest

from reprokit.audit.asking.heard import Presence, Silence
from reprokit.audit.asking.remotes import GitRemotes, host, is_local

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NOT_THERE = "1" * 40


@pytest.fixture
def served(git_server, git):
    """A repository `evals` on the server, with two commits on a branch."""
    work = git_server.folder / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    for number in range(2):
        (work / "file").write_text(str(number))
        git(work, "add", "-A")
        git(work, "commit", "-qm", f"commit {number}")
    git(git_server.folder, "clone", "-q", "--bare", "work", "evals.git")
    return git_server


def first_commit(served, git):
    return git(served.folder / "evals.git", "rev-parse", "main~1").strip()


def ask(served, commit, name="evals.git", timeout=20):
    return GitRemotes(timeout=timeout).has(f"{served.address}/{name}", commit)


def test_a_commit_that_is_on_a_branch_is_there(served, git):
    assert ask(served, first_commit(served, git)) == Presence(there=True)


def test_a_commit_that_the_remote_never_had_is_gone(served):
    assert ask(served, NOT_THERE) == Presence(there=False)


def test_where_no_commit_may_be_named_all_branches_are_looked_through(served, git):
    served.handler.do_GET = served.handler.do_POST = without_version_2(served.handler.do_GET)
    assert ask(served, first_commit(served, git)) == Presence(there=True)
    assert ask(served, NOT_THERE) == Presence(there=False)


def without_version_2(answer):
    def older(handler):
        del handler.headers["Git-Protocol"]
        answer(handler)

    return older


def test_a_repository_that_the_server_does_not_know_is_gone_and_says_so(served):
    assert ask(served, NOT_THERE, "deleted.git") == Presence(there=False, told="there is no such repository")


def test_a_remote_that_wants_a_password_is_not_known_and_is_shown_none(served, git, tmp_path, monkeypatch):
    secret = tmp_path / "askpass"
    secret.write_text("#!/bin/sh\necho s3cret\n")
    secret.chmod(0o755)
    port = served.address.rpartition(":")[2]
    home = tmp_path / "own-home"
    (home / ".netrc").write_text("default login ada password s3cret\n")
    (home / ".gitconfig").write_text(
        "[credential]\n\thelper = \"!printf 'username=ada\\npassword=s3cret\\n' #\"\n"
        f"[http]\n\textraHeader = Authorization: Basic {port}\n"
    )
    monkeypatch.setenv("GIT_ASKPASS", str(secret))
    monkeypatch.setattr(served.handler, "keys", "Basic nobody knows")
    answer = ask(served, first_commit(served, git))
    assert isinstance(answer, Silence)
    assert "is not told" in answer.because
    assert not answer.mute
    assert served.handler.asked
    assert not any("Authorization" in headers for headers in served.handler.asked)


def test_a_server_that_is_not_there_is_mute(served):
    address = "https://127.0.0.1:9/evals.git"
    answer = GitRemotes(timeout=20).has(address, NOT_THERE)
    assert isinstance(answer, Silence)
    assert answer.mute
    assert "`127.0.0.1:9` did not answer" in answer.because


def test_a_server_that_nobody_vouches_for_is_not_believed(served, monkeypatch):
    monkeypatch.delenv("GIT_SSL_CAINFO")
    answer = ask(served, NOT_THERE)
    assert isinstance(answer, Silence)
    assert answer.mute


def test_a_server_that_never_answers_is_waited_for_no_longer_than_asked(served, monkeypatch):
    monkeypatch.setattr(served.handler, "do_GET", lambda handler: handler.rfile.read())
    answer = ask(served, NOT_THERE, timeout=0.5)
    assert isinstance(answer, Silence)
    assert "took longer than 0.5 s" in answer.because
    assert answer.mute


def test_over_ssh_no_agent_is_forwarded_and_no_password_asked_for(git, tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "Permission denied (publickey)." >&2\nexit 255\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    answer = GitRemotes(timeout=20).has("git@evals.invalid:lab/evals.git", NOT_THERE)
    assert isinstance(answer, Silence)
    assert "wants to know who asks" in answer.because
    assert "-o BatchMode=yes -o ForwardAgent=no" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    "address", ["http://evals.invalid/x.git", "ext::sh -c id", "-oProxyCommand=x", "git://h/x", "../x"]
)
def test_nobody_is_asked_over_what_must_not_be_fetched_from(address):
    answer = GitRemotes(timeout=20).has(address, NOT_THERE)
    assert answer == Silence(because=f"nobody is asked over such an address: `{address}`")


def test_a_folder_of_this_machine_is_looked_into(served, git):
    folder = str(served.folder / "evals.git")
    remotes = GitRemotes(timeout=20)
    told = f"looked for in `{folder}` on this machine"
    assert remotes.has(folder, first_commit(served, git)) == Presence(there=True, told=told)
    assert remotes.has(f"file://{folder}", NOT_THERE) == Presence(there=False, told=told)


def test_a_folder_of_another_machine_is_not_known(tmp_path):
    gone = str(tmp_path / "of-another-machine.git")
    assert GitRemotes(timeout=20).has(gone, NOT_THERE) == Silence(because=f"`{gone}` is not on this machine")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://git.invalid/lab/x.git", "git.invalid"),
        ("ssh://git@git.invalid:2222/x", "git.invalid:2222"),
        ("git@git.invalid:lab/x.git", "git.invalid"),
        ("/srv/x.git", ""),
    ],
)
def test_who_is_asked_is_named_by_host(address, expected):
    assert host(address) == expected
    assert is_local(address) is (expected == "")
