"""The only place that runs git: as a program, with fixed settings, deaf to what surrounds the caller.

Every call here is made so that
- the caller's `GIT_DIR`, `GIT_INDEX_FILE` and their kin do not reach it, for a capture may itself run inside a hook;
- no hook, file-system monitor, pager, editor, prompt or signing program is started;
- no transport is open unless the call names it, so that looking at a partial clone never reaches for the network;
- `refs/replace` is not followed: an object is what its name says.

An `isolated` call also ignores the settings of the person and the machine. It is how foreign input is touched, since
those settings name filters, attributes and templates. The one exception is an isolated call that names a transport: it
reads the person's own configuration, without which a private remote (credentials, proxy, `insteadOf`) is out of reach.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from reprokit import child_process, git_address
from reprokit.child_process import TookTooLongError
from reprokit.errors import ExitCode, ReprokitError

Arguments = Sequence[str | bytes | PurePath]

transport = git_address.transport
without_credentials = git_address.without_credentials
within = child_process.within

PATIENCE = 60.0
"""Seconds that one call may take unless it says otherwise: a slow file system is normal, one that hangs is not."""
_COMMITTING = 120.0
"""Seconds that all calls of one commit may take together."""

_KEPT = re.compile(
    "GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_[A-Z_]+|PROXY_[A-Z_]+|HTTP_[A-Z_]+|EXEC_PATH"
    "|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|(AUTHOR|COMMITTER)_(NAME|EMAIL)"
    "|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_[0-9]+|VALUE_[0-9]+))"
)
_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "LC_ALL": "C",
    "LANGUAGE": "",
}
_SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "commit.gpgSign=false", "tag.gpgSign=false")
_ISOLATED_SETTINGS = (
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.prune=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_LONGEST_REASON = 300
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "sequence",
    "BISECT_LOG": "bisect",
}


class GitError(ReprokitError):
    """Git could not do what it was asked. `status` is its exit status, `stderr` what it said."""

    exit_code = ExitCode.UNREADABLE

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None, stderr: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.stderr = stderr


class GitMissingError(GitError):
    """There is no git program here."""

    exit_code = ExitCode.INPUT_MISSING


class NoRepositoryError(GitError):
    """The directory lies in no repository that git accepts."""


class GitTimeoutError(GitError):
    """Git took too long and was ended, or was not even started, since no time was left."""


class RepositoryBusyError(GitError):
    """Another git process, or an operation that was not finished, holds the repository."""

    exit_code = ExitCode.USAGE


def _environment(more: Mapping[str, str] | None, *, isolated: bool, transports: Sequence[str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _KEPT.fullmatch(name)}
    kept |= _FIXED | {"GIT_ALLOW_PROTOCOL": ":".join(transports)}
    if isolated:
        kept |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
        if not transports:
            kept |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_COUNT": "0"}
    return kept | dict(more or {})


def _words(arguments: Arguments, *, isolated: bool) -> list[str | bytes]:
    settings = _SETTINGS + (_ISOLATED_SETTINGS if isolated else ())
    fixed = [word for setting in settings for word in ("-c", setting)]
    return ["git", "--no-pager", *fixed, *(os.fspath(argument) for argument in arguments)]


def _name(arguments: Arguments) -> str:
    words = [os.fsdecode(argument) for argument in arguments]
    while words[:1] == ["-c"]:
        words = words[2:]
    return next((word for word in words if not word.startswith("-")), "git")


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines or ["it gave no reason"]
    return told[0].partition(": ")[2][:_LONGEST_REASON] if ": " in told[0] else told[0][:_LONGEST_REASON]


def _failure(arguments: Arguments, status: int, said: bytes) -> GitError:
    stderr = git_address.without_users(said.decode("utf-8", errors="replace"))
    message, kind, hint = f"`git {_name(arguments)}` failed: {_reason(stderr)}", GitError, None
    if "dubious ownership" in stderr or "unsafe repository" in stderr:
        hint = "the repository belongs to another user; if you trust it: `git config --global --add safe.directory DIR`"
    elif "not a git repository" in stderr:
        kind = NoRepositoryError
    elif ".lock'" in stderr or "cannot lock ref" in stderr:
        kind, hint = RepositoryBusyError, "wait for the other git process to end; remove the lock file if there is none"
    return kind(message, hint=hint, status=status, stderr=stderr)


def run(
    arguments: Arguments,
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float | None = PATIENCE,
    isolated: bool = False,
    transports: Sequence[str] = (),
) -> bytes:
    """Run one git command and return what it wrote to stdout.

    Args:
        arguments: what stands after `git`; what is foreign must stand behind `--end-of-options` or `--`.
        directory: where to run it.
        environment: variables to add, for instance `GIT_INDEX_FILE`.
        stdin: bytes to give it.
        timeout: seconds after which it is ended, with the programs it started; `None` for what may take any time. A
            limit of several calls (`within`) counts, too.
        isolated: ignore the settings of the person and the machine.
        transports: those it may use (`https`, `ssh`, `file`); none when empty.

    Raises:
        GitMissingError: there is no git program.
        NoRepositoryError: the directory lies in no repository.
        RepositoryBusyError: somebody else holds a lock.
        GitTimeoutError: it took too long.
        GitError: it failed for another reason.
    """
    if not directory.is_dir():
        raise GitError(f"`{directory}` is not a directory")
    try:
        ended = child_process.run(
            _words(arguments, isolated=isolated),
            directory=directory,
            environment=_environment(environment, isolated=isolated, transports=transports),
            stdin=stdin,
            timeout=timeout,
        )
    except TookTooLongError as error:
        raise GitTimeoutError(f"`git {_name(arguments)}` {error}") from error
    except FileNotFoundError as error:
        raise GitMissingError("git is not installed", hint="install git and see that it is on PATH") from error
    except (OSError, ValueError) as error:
        raise GitError(f"git cannot be started: {error}") from error
    if ended.status:
        raise _failure(arguments, ended.status, ended.said)
    return ended.out


def require_time() -> None:
    """Go on only while there is time left of what several calls have together.

    Raises:
        GitTimeoutError: there is none.
    """
    try:
        child_process.require_time()
    except TookTooLongError as error:
        raise GitTimeoutError(f"git {error}") from error


def answer(
    arguments: Arguments,
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = PATIENCE,
    isolated: bool = False,
) -> bytes | None:
    """Ask git a question; `None` when it says no, which is an exit status of 1.

    Raises:
        GitError: it failed rather than answered.
    """
    try:
        return run(arguments, directory=directory, environment=environment, timeout=timeout, isolated=isolated)
    except GitError as error:
        if error.status == 1:
            return None
        raise


def operation(git_directory: Path) -> str | None:
    """Name what git is in the middle of in a repository: `merge`, `rebase`, … ; `None` when in nothing."""
    return next((name for file, name in _OPERATIONS.items() if (git_directory / file).exists()), None)


def initialise(directory: Path) -> None:
    """Make a git repository on branch `main`; the directory is made when it is missing.

    Its format is the plainest one, since the programs that share an archive do not all read the newer ones.

    Raises:
        GitError: git refused.
    """
    directory.mkdir(parents=True, exist_ok=True)
    plain = ["-c", "init.defaultRefFormat=files", "init", "--quiet", "--initial-branch=main", "--template="]
    run([*plain, "--object-format=sha1"], directory=directory)


def _identity(repository: Path) -> list[str]:
    told = answer(["config", "--null", "--name-only", "--get-regexp", r"^user\.(name|email)$"], directory=repository)
    stand_ins = {b"user.name": "reprokit", b"user.email": "reprokit@example.invalid"}
    missing = stand_ins.keys() - set((told or b"").split(b"\0"))
    return [word for name in sorted(missing) for word in ("-c", f"{name.decode()}={stand_ins[name]}")]


def _refuse_unfinished(repository: Path) -> None:
    git_directory = Path(os.fsdecode(run(["rev-parse", "--absolute-git-dir"], directory=repository)[:-1]))
    if under_way := operation(git_directory):
        hint = f"finish or abort the {under_way} in `{repository}`"
        raise RepositoryBusyError(f"git is in the middle of a {under_way} in `{repository}`", hint=hint)


def _refuse_unknown(repository: Path, paths: list[bytes]) -> None:
    gone = [path for path in paths if not os.path.lexists(repository / os.fsdecode(path))]
    if gone and (unknown := set(gone).difference(run(["ls-files", "-z"], directory=repository).split(b"\0"))):
        raise GitError(f"`{os.fsdecode(min(unknown))}` is neither there nor known to git")


def _object(name: str, repository: Path) -> str | None:
    told = answer(["rev-parse", "--verify", "--quiet", name], directory=repository)
    return told.decode("ascii").strip() if told else None


def _quoted(path: bytes) -> bytes:
    """Quote a path as git does, so that it stands on one line whatever is in it."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'


def _is_executable(repository: Path, path: bytes) -> bool | None:
    """Tell whether a regular file may be run; `None` when there is none."""
    try:
        mode = (repository / os.fsdecode(path)).lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        raise GitError(f"`{os.fsdecode(path)}` is no regular file")
    return bool(mode & stat.S_IXUSR)


def _index_rows(repository: Path, paths: list[bytes]) -> bytes:
    """Store some files as objects, byte for byte, and say what the index is to hold.

    No filter or conversion runs: which those are says the repository, and it may be a stranger's.
    """
    modes = {path: _is_executable(repository, path) for path in paths}
    there = [path for path, mode in modes.items() if mode is not None]
    root = repository.absolute()
    listed = b"".join(_quoted(os.fsencode(root / os.fsdecode(path))) + b"\n" for path in there)
    store = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
    names = dict(zip(there, run(store, directory=repository, stdin=listed).split(), strict=True))
    told = run(["rev-parse", "--show-object-format", "--show-prefix"], directory=repository)
    kind, _, prefix = told[:-1].partition(b"\n")
    rows = (
        b"%s %s\t%s\0" % (b"100755" if modes[path] else b"100644", names[path], prefix + path)
        if path in names
        else b"0 %s\t%s\0" % (b"0" * (2 * hashlib.new(kind.decode()).digest_size), prefix + path)
        for path in modes
    )
    return b"".join(rows)


def without_filters(repository: Path) -> dict[str, str]:
    """Give the variables that keep the repository's own filters from being started, for the `environment` of a call.

    Raises:
        GitError: git cannot tell which there are.
    """
    asked = ["config", "--null", "--name-only", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$"]
    names = sorted({os.fsdecode(name) for name in (answer(asked, directory=repository) or b"").split(b"\0") if name})
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    # Not as words (`-c name=value`): a filter's name may hold a `=`.
    variables = {"GIT_CONFIG_COUNT": str(first + len(names))} if names else {}
    for number, name in enumerate(names, start=first):
        variables[f"GIT_CONFIG_KEY_{number}"] = name
        variables[f"GIT_CONFIG_VALUE_{number}"] = "false" if name.endswith(".required") else ""
    return variables


def commit_paths(repository: Path, paths: Iterable[PurePath | str], message: str) -> str | None:
    """Commit some files and nothing else; what others have staged stays staged, and uncommitted.

    The commit is built beside the index, from HEAD and the files: its cost grows with their number alone, where
    `git commit --only` compares each of them with every entry of the index.

    Args:
        repository: the directory that the paths are relative to.
        paths: regular files to commit byte for byte, though they be ignored; one that is gone is committed as deleted.
        message: the commit message.

    Returns:
        The new commit, or `None` when the files are already committed as they are.

    Raises:
        RepositoryBusyError: another process holds a lock, or a merge, rebase or the like is not finished.
        GitTimeoutError: git took too long; HEAD may have moved all the same, which the next call sees.
        GitError: a path is neither there nor known to git or is no regular file, or git refused for another reason.
    """
    wanted = [os.fsencode(path) for path in paths]
    if not wanted:
        return None
    with _telling_of_locks(repository), within(_COMMITTING):
        return _commit_paths(repository, wanted, message)


@contextmanager
def _telling_of_locks(repository: Path) -> Iterator[None]:
    # Whose the lock is cannot be told, so it is not ours to remove.
    try:
        yield
    except GitTimeoutError as error:
        lock = repository / ".git" / "index.lock"
        if not os.path.lexists(lock):
            raise
        left = f"{error.message}, and there is `{lock}`"
        raise GitTimeoutError(left, hint="remove the lock file if no git process runs there") from error


def _commit_paths(repository: Path, wanted: list[bytes], message: str) -> str | None:
    _refuse_unfinished(repository)
    _refuse_unknown(repository, wanted)
    # Whoever writes an index compares the files that were changed in the second of its last writing: filtered, too.
    unfiltered = without_filters(repository)
    add = ["update-index", "-z", "--index-info"]
    listed = _index_rows(repository, wanted)
    run(add, directory=repository, environment=unfiltered, stdin=listed)
    parent = _object("HEAD", repository)
    with tempfile.TemporaryDirectory(prefix="reprokit-index-") as folder:
        apart = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        run(["read-tree", parent or "--empty"], directory=repository, environment=apart)
        run(add, directory=repository, environment=apart, stdin=listed)
        tree = run(["write-tree"], directory=repository, environment=apart).decode("ascii").strip()
    if parent and tree == _object(f"{parent}^{{tree}}", repository):
        return None
    return _commit(repository, tree, parent, message.strip())


def _commit(repository: Path, tree: str, parent: str | None, message: str) -> str:
    parents = ["-p", parent] if parent else []
    create = [*_identity(repository), "commit-tree", *parents, "-F", "-", tree]
    commit = run(create, directory=repository, stdin=message.encode() + b"\n").decode("ascii").strip()
    # Refused when somebody else has moved HEAD in the meantime; no parent means that HEAD must not exist yet.
    log = f"-mcommit: {message.partition(chr(10))[0]}"
    run(["update-ref", log, "HEAD", commit, parent or "0" * len(commit)], directory=repository)
    return commit
