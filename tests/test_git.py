"""Git is run hardened, and commits exactly what it is told to."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reprokit import git
from reprokit.errors import ExitCode
from reprokit.git import GitError, GitMissingError, GitTimeoutError, NoRepositoryError, RepositoryBusyError


def plain_git(directory: Path, *arguments: str, **variables: str) -> str:
    identity = {
        f"GIT_{who}_{what}": "ada@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = os.environ | identity | variables
    return subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> Path:
    file = tmp_path / "settings"
    file.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return file


@pytest.fixture
def repository(tmp_path) -> Path:
    root = tmp_path / "repository"
    git.initialise(root)
    (root / "first").write_text("1\n")
    plain_git(root, "add", "first")
    plain_git(root, "commit", "--quiet", "--message=first")
    return root


def hook(repository: Path, name: str, script: str) -> None:
    file = repository / ".git" / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def committed_paths(repository: Path) -> list[str]:
    return plain_git(repository, "show", "--format=", "--name-status", "-z", "HEAD").split("\0")[:-1]


def test_a_surrounding_hook_does_not_redirect_git(repository, tmp_path, monkeypatch):
    other = tmp_path / "other"
    git.initialise(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")

    assert git.run(["ls-files"], directory=repository) == b"first\n"


def test_a_commit_from_inside_a_hook_goes_where_it_should(repository, tmp_path):
    archive = tmp_path / "archive"
    git.initialise(archive)
    (archive / "a").write_text("a")
    script = "from pathlib import Path; from reprokit import git; git.commit_paths(Path('{}'), ['a'], 'm')"
    hook(
        repository,
        "pre-commit",
        f'cd "{Path(git.__file__).parents[1]}" && "{os.sys.executable}" -c "{script.format(archive)}"',
    )
    (repository / "second").write_text("2")
    plain_git(repository, "add", "second")
    plain_git(repository, "commit", "--message=second")

    assert committed_paths(archive) == ["A", "a"]
    assert committed_paths(repository) == ["A", "second"]


def test_a_missing_git_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitMissingError, match="git is not installed") as caught:
        git.run(["version"], directory=tmp_path)
    assert caught.value.exit_code is ExitCode.INPUT_MISSING
    assert caught.value.hint


def test_a_missing_directory_is_not_a_missing_git(tmp_path):
    with pytest.raises(GitError, match="is not a directory") as caught:
        git.run(["version"], directory=tmp_path / "nowhere")
    assert not isinstance(caught.value, GitMissingError)


def test_no_repository_is_told(tmp_path):
    with pytest.raises(NoRepositoryError, match="`git rev-parse` failed: not a git repository"):
        git.run(["-c", "core.bare=false", "rev-parse", "HEAD"], directory=tmp_path)


def test_an_argument_with_a_nul_is_our_own_error(tmp_path):
    with pytest.raises(GitError, match="cannot be started"):
        git.run(["show", "a\0b"], directory=tmp_path)


def test_no_is_an_answer_and_a_failure_is_none(repository):
    assert git.answer(["config", "--get", "no.such"], directory=repository) is None
    assert git.answer(["config", "--get", "core.bare"], directory=repository) == b"false\n"
    with pytest.raises(GitError):
        git.answer(["cat-file", "-t", "nothing"], directory=repository)


def test_a_repository_of_somebody_else_gets_a_hint(repository):
    with pytest.raises(GitError) as caught:
        git.run(["status"], directory=repository, environment={"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    assert "safe.directory" in caught.value.hint


def test_no_transport_is_open_unless_named(repository, tmp_path):
    asked = ["ls-remote", str(repository)]

    with pytest.raises(GitError, match="transport 'file' not allowed"):
        git.run(asked, directory=tmp_path)
    with pytest.raises(GitError, match="transport 'file' not allowed"):
        git.run(asked, directory=tmp_path, transports=["https", "ssh"])
    assert b"refs/heads/main" in git.run(asked, directory=tmp_path, transports=["file"])


def test_a_command_is_never_a_transport(repository, tmp_path, settings):
    settings.write_text('[protocol "ext"]\n\tallow = always\n')
    address = f"ext::sh -c touch% {tmp_path}/ran"

    with pytest.raises(GitError, match="not allowed"):
        git.run(["ls-remote", address], directory=repository, isolated=True, transports=["https", "ssh", "file"])
    assert not (tmp_path / "ran").exists()


def test_credentials_do_not_get_into_a_message(repository):
    with pytest.raises(GitError) as caught:
        git.run(["ls-remote", "nope::https://ada:s3cret@host.invalid/x"], directory=repository, transports=["nope"])
    assert "s3cret" not in caught.value.message + caught.value.stderr


def test_a_command_that_hangs_is_killed_with_what_it_started(repository, tmp_path):
    before = time.monotonic()
    shell = f"!echo $$ > '{tmp_path}/pid'; exec sleep 60"

    with pytest.raises(GitError, match=r"took longer than 0\.5 s"):
        git.run(["-c", f"alias.hang={shell}", "hang"], directory=repository, timeout=0.5)

    assert time.monotonic() - before < 20
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while state.exists() and ") Z " not in state.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not state.exists() or ") Z " in state.read_text()


def test_an_isolated_call_does_not_know_the_person_unless_it_reaches_out(repository, settings):
    settings.write_text("[user]\n\tname = Ada\n")
    asked = ["config", "--get", "user.name"]

    assert git.run(asked, directory=repository) == b"Ada\n"
    assert git.answer(asked, directory=repository, isolated=True) is None
    assert git.run(asked, directory=repository, isolated=True, transports=["https"]) == b"Ada\n"


def test_variables_do_not_smuggle_settings_into_an_isolated_call(repository, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Ada")
    asked = ["config", "--get", "user.name"]

    assert git.run(asked, directory=repository) == b"Ada\n"
    assert git.answer(asked, directory=repository, isolated=True) is None


def test_an_object_is_not_replaced(repository):
    first = plain_git(repository, "rev-parse", "HEAD:first")
    (repository / "second").write_text("2\n")
    second = plain_git(repository, "hash-object", "-w", "second")
    plain_git(repository, "replace", first, second)

    assert plain_git(repository, "cat-file", "blob", first) == "2"
    assert git.run(["cat-file", "blob", first], directory=repository) == b"1\n"


def test_no_hook_runs(repository, tmp_path):
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "prepare-commit-msg"):
        hook(repository, name, f"touch '{tmp_path}/ran'; exit 1")
    (repository / "second").write_text("2")

    assert git.commit_paths(repository, ["second"], "second")
    assert not (tmp_path / "ran").exists()


def test_a_new_repository_is_on_main_and_holds_no_templates(tmp_path, settings):
    templates = tmp_path / "templates"
    (templates / "hooks").mkdir(parents=True)
    (templates / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    settings.write_text(
        f"[init]\n\ttemplateDir = {templates}\n\tdefaultBranch = trunk\n\tdefaultObjectFormat = sha256\n"
    )
    root = tmp_path / "a" / "b"
    git.initialise(root)
    git.initialise(root)

    assert plain_git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert plain_git(root, "rev-parse", "--show-object-format") == "sha1"
    assert not (root / ".git" / "hooks").exists()


def test_only_the_paths_are_committed(repository):
    (repository / "theirs").write_text("staged")
    (repository / "first").write_text("changed, not staged")
    plain_git(repository, "add", "theirs")
    for name in ("ours", "folder/ours"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("ours")
    commit = git.commit_paths(repository, ["ours", Path("folder/ours")], "a message\n\n# with more\n")

    assert commit == plain_git(repository, "rev-parse", "HEAD")
    assert committed_paths(repository) == ["A", "folder/ours", "A", "ours"]
    assert plain_git(repository, "status", "--porcelain") == "M first\nA  theirs"
    assert plain_git(repository, "log", "-1", "--format=%B") == "a message\n\n# with more"


def test_what_is_committed_already_is_not_committed_again(repository):
    head = plain_git(repository, "rev-parse", "HEAD")
    (repository / "theirs").write_text("staged")
    plain_git(repository, "add", "theirs")

    assert git.commit_paths(repository, ["first"], "again") is None
    assert git.commit_paths(repository, [], "nothing") is None
    assert plain_git(repository, "rev-parse", "HEAD") == head


def test_a_first_commit_is_made(tmp_path):
    git.initialise(tmp_path / "new")
    (tmp_path / "new" / "a").write_text("a")

    assert git.commit_paths(tmp_path / "new", ["a"], "first")


def test_a_deleted_an_ignored_and_an_odd_path_are_committed(repository):
    odd = [" leading", "new\nline", 'quo"te', "*", ":(top)x", "-m", "#x", "ignored"]
    (repository / ".gitignore").write_text("ignored\n")
    for name in odd:
        (repository / name).write_text("x")
    (repository / "bystander").write_text("matched by the star, were it a pattern")
    (repository / "first").unlink()
    git.commit_paths(repository, ["first", *odd], "odd")

    assert sorted(committed_paths(repository)[1::2]) == sorted(["first", *odd])


def test_thousands_of_paths_are_committed(repository):
    names = [f"folder-with-a-long-name-{number % 7}/{'x' * 60}-{number}" for number in range(3_000)]
    for name in names:
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).touch()
    git.commit_paths(repository, names, "many")

    assert len(committed_paths(repository)) == 2 * len(names)


def test_a_person_without_a_name_can_commit(repository, monkeypatch):
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    (repository / "a").write_text("a")
    git.commit_paths(repository, ["a"], "a")

    assert plain_git(repository, "log", "-1", "--format=%an %ae %cn") == "reprokit reprokit@example.invalid reprokit"


def test_a_persons_name_is_kept(repository, settings):
    settings.write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.invalid\n[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n"
    )
    (repository / "a").write_text("a")
    git.commit_paths(repository, ["a"], "a")

    assert plain_git(repository, "log", "-1", "--format=%an %ae") == "Ada ada@example.invalid"


def test_settings_for_line_ends_do_not_change_what_is_committed(repository, settings):
    settings.write_text("[core]\n\tautocrlf = true\n\tsafecrlf = true\n")
    (repository / "a").write_bytes(b"unix\n")
    (repository / "b").write_bytes(b"dos\r\n")
    git.commit_paths(repository, ["a", "b"], "both")

    assert git.run(["cat-file", "blob", "HEAD:b"], directory=repository) == b"dos\r\n"


def test_a_path_that_does_not_exist_is_told(repository):
    with pytest.raises(GitError, match="`nothing` is neither there nor known to git"):
        git.commit_paths(repository, ["nothing"], "nothing")


def test_a_locked_repository_is_told(repository):
    (repository / ".git" / "index.lock").touch()
    (repository / "a").write_text("a")

    with pytest.raises(RepositoryBusyError) as caught:
        git.commit_paths(repository, ["a"], "a")
    assert "lock" in caught.value.hint


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "revert"])
def test_an_unfinished_operation_is_told_and_left_alone(repository, operation):
    plain_git(repository, "checkout", "-q", "-b", "other")
    (repository / "first").write_text("other\n")
    plain_git(repository, "commit", "-qam", "other")
    (repository / "first").write_text("other still\n")
    plain_git(repository, "commit", "-qam", "other still")
    plain_git(repository, "checkout", "-q", "main")
    (repository / "first").write_text("main\n")
    plain_git(repository, "commit", "-qam", "main")
    with pytest.raises(subprocess.CalledProcessError):
        plain_git(repository, operation, "other~1" if operation == "revert" else "other")
    (repository / "a").write_text("a")
    before = (repository / ".git" / "index").read_bytes()

    with pytest.raises(RepositoryBusyError, match=f"in the middle of a {operation}"):
        git.commit_paths(repository, ["a"], "a")
    assert (repository / ".git" / "index").read_bytes() == before


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://ada:s3cret@host.invalid/x.git", "https://host.invalid/x.git"),
        ("https://s3cret@host.invalid/x.git", "https://host.invalid/x.git"),
        ("https://s3cret:x-oauth-basic@host.invalid/x", "https://host.invalid/x"),
        ("https://a@b:s3cret@host.invalid/x", "https://host.invalid/x"),
        ("https://host.invalid:8443/x.git?private_token=s3cret#s3cret", "https://host.invalid:8443/x.git"),
        ("http://ada:s3cret@host.invalid", "http://host.invalid"),
        ("helper::https://ada:s3cret@host.invalid/x", "helper::https://host.invalid/x"),
        ("ssh://git:s3cret@host.invalid/x", "ssh://git@host.invalid/x"),
        ("ssh://git@host.invalid:22/x", "ssh://git@host.invalid:22/x"),
        ("git@host.invalid:ada/x.git", "git@host.invalid:ada/x.git"),
        ("git:s3cret@host.invalid:ada/x.git", "git@host.invalid:ada/x.git"),
        ("/srv/git/x@1:2.git", "/srv/git/x@1:2.git"),
        ("../x", "../x"),
    ],
)
def test_an_address_loses_its_credentials(address, clean):
    assert git.without_credentials(address) == clean
    assert git.without_credentials(clean) == clean


@pytest.mark.parametrize(
    ("address", "transport"),
    [
        ("https://host.invalid/x.git", "https"),
        ("https://host.invalid:8443/a/b", "https"),
        ("ssh://git@host.invalid/x", "ssh"),
        ("ssh://[::1]:22/x", "ssh"),
        ("git@host.invalid:ada/x.git", "ssh"),
        ("host.invalid:x", "ssh"),
        ("http://host.invalid/x", None),
        ("git://host.invalid/x", None),
        ("file:///srv/x", None),
        ("/srv/x", None),
        ("../x", None),
        ("ext::sh -c touch% /tmp/x", None),
        ("fd::17", None),
        ("helper::address", None),
        ("-uhost:x", None),
        ("--upload-pack=touch /tmp/x", None),
        ("ssh://-oProxyCommand=touch/x", None),
        ("-oProxyCommand=touch@host:x", None),
        ("git@-oProxyCommand=touch:x", None),
        ("host:-x", None),
        ("https://host.invalid/x\nhttps://y", None),
        ("https://-host/x", None),
        ("", None),
    ],
)
def test_only_https_and_ssh_addresses_may_be_fetched_from(address, transport):
    assert git.transport(address) == transport


@pytest.fixture
def filtered(repository, tmp_path) -> Path:
    """Give a file that appears once a filter of the repository's own has run."""
    ran = tmp_path / "ran"
    plain_git(repository, "config", "filter.a=b.clean", f"touch '{ran}'; cat")
    plain_git(repository, "config", "filter.process.process", f"touch '{ran}'; cat")
    plain_git(repository, "config", "filter.process.required", "true")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("* filter=a=b\n*.json filter=process\n*.txt text ident\n")
    return ran


def test_no_filter_of_the_repository_runs_when_files_are_committed(repository, filtered):
    files = {"a": b"a\r\n", "b.json": b"{}\r\n", "c.txt": b"$Id: x $\r\n", "new\nline\t\"\\'\udcff": b"odd"}
    for name, data in files.items():
        (repository / name).write_bytes(data)
    names = list(files)

    git.commit_paths(repository, names, "all")

    assert not filtered.exists()
    for name, data in zip(names, files.values(), strict=True):
        assert git.run(["cat-file", "blob", os.fsencode(f"HEAD:{name}")], directory=repository) == data


def test_a_command_can_be_kept_from_starting_filters(repository, filtered):
    (repository / "first").write_text("2\n")
    (repository / "b.json").write_text("2\n")
    git.commit_paths(repository, ["b.json"], "b")

    told = git.run(["status", "--porcelain"], directory=repository, environment=git.without_filters(repository))

    assert told == b" M first\n"
    assert not filtered.exists()
    with pytest.raises(subprocess.CalledProcessError):
        plain_git(repository, "status", "--porcelain")
    assert filtered.exists(), "they would have been started"


def test_a_folder_in_a_repository_commits_its_own_files(repository):
    folder = repository / "sub"
    folder.mkdir()
    (folder / "first").write_text("theirs\n")
    git.commit_paths(folder, ["first"], "add")
    assert committed_paths(repository) == ["A", "sub/first"]

    (folder / "first").unlink()
    git.commit_paths(folder, ["first"], "remove")
    assert committed_paths(repository) == ["D", "sub/first"]
    assert plain_git(repository, "status", "--porcelain") == ""


def test_a_repository_of_sha256_is_committed_to(tmp_path):
    plain_git(tmp_path, "init", "-q", "--object-format=sha256", "new")
    (tmp_path / "new" / "a").write_text("a")
    git.commit_paths(tmp_path / "new", ["a"], "add")
    (tmp_path / "new" / "a").unlink()

    assert len(git.commit_paths(tmp_path / "new", ["a"], "remove")) == 64
    assert committed_paths(tmp_path / "new") == ["D", "a"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_not_committed(repository, kind):
    place = repository / "a"
    {"link": lambda: place.symlink_to("first"), "pipe": lambda: os.mkfifo(place), "folder": place.mkdir}[kind]()

    with pytest.raises(GitError, match="`a` is no regular file"):
        git.commit_paths(repository, ["a"], "a")


def test_what_may_be_run_may_be_run_when_committed(repository):
    (repository / "a").write_text("a")
    (repository / "a").chmod(0o755)
    git.commit_paths(repository, ["a"], "a")

    assert plain_git(repository, "ls-tree", "HEAD", "a").startswith("100755 ")


@pytest.fixture
def hanging(tmp_path, monkeypatch) -> Path:
    """Put a git on PATH that never ends; its processes leave their number in the file that is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\necho $$ >> "{tmp_path}/pids"\nexec sleep 100000\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return tmp_path / "pids"


def are_gone(pids: Path) -> bool:
    deadline = time.monotonic() + 20
    states = [Path(f"/proc/{pid}/stat") for pid in pids.read_text().split()]
    alive = states
    while alive and time.monotonic() < deadline:
        alive = [state for state in alive if state.exists() and ") Z " not in state.read_text()]
        time.sleep(0.01)
    return not alive


def test_a_commit_whose_git_hangs_is_given_up_and_tells_of_the_lock(repository, hanging, monkeypatch):
    monkeypatch.setattr(git, "_COMMITTING", 0.5)
    (repository / ".git" / "index.lock").touch()

    with pytest.raises(GitTimeoutError, match=r"took longer than 0\.5 s, and there is `.*index\.lock`"):
        git.commit_paths(repository, ["first"], "never")

    assert (repository / ".git" / "index.lock").exists()
    assert are_gone(hanging)


def test_calls_have_one_limit_together_and_none_begins_after_it(repository, hanging):
    with git.within(0.5):
        for _ in range(3):
            with pytest.raises(GitTimeoutError, match=r"took longer than 0\.5 s"):
                git.run(["status"], directory=repository, timeout=600)

    assert len(hanging.read_text().split()) == 1


def test_no_call_waits_for_ever_unless_it_says_so():
    assert inspect.signature(git.run).parameters["timeout"].default == git.PATIENCE
    assert inspect.signature(git.answer).parameters["timeout"].default == git.PATIENCE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_git_does_not_outlive_us_when_we_are_asked_to_end(repository, hanging, number):
    code = "import sys; from pathlib import Path; from reprokit import git; git.run(['x'], directory=Path(sys.argv[1]))"
    asking = subprocess.Popen([sys.executable, "-c", code, repository])
    deadline = time.monotonic() + 60
    while not (hanging.exists() and hanging.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.01)

    asking.send_signal(number)

    assert asking.wait(timeout=60) == -number
    assert are_gone(hanging)
