"""A repository of our own over somebody's working directory, so that theirs is only ever read.

Their index is copied into a scratch repository that has an object store, settings and attributes of its own, and
everything that writes happens there. No lock, object or refreshed index is left behind in theirs, and none
of its hooks, filters and settings can change what is seen.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reprokit import git, git_address
from reprokit.bundle.bag import open_regular
from reprokit.git import GitError, NoRepositoryError

_PASSED_ON = re.compile(
    "core[.](filemode|symlinks|ignorecase|precomposeunicode|trustctime|checkstat|sparsecheckout|sparsecheckoutcone"
    "|excludesfile)"
)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""What git calls the tree of no files; it knows that one everywhere."""

_PATIENCE = 60.0
"""Seconds that a question which needs no look at the files may take."""
# `text`, `ident` and the like would convert; `diff` could call a binary file text. No filter is configured here.
_AS_IT_LIES = "* -text -ident !eol !working-tree-encoding !diff !merge\n"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Where a checkout and the parts of its repository lie."""

    root: Path
    git_directory: Path
    common_directory: Path
    shallow: bool


def readable(name: str) -> str:
    r"""Write a name of the file system as text that any JSON reader takes, odd bytes as `\xNN`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def items(told: bytes) -> list[str]:
    """Split what git lists with NUL after each item."""
    return os.fsdecode(told).split("\0")[:-1]


def listed(paths: Iterable[str]) -> bytes:
    """Write paths as git reads them with `-z`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def find(directory: Path) -> Checkout | None:
    """Find the checkout that a directory lies in; `None` when it lies in no work tree.

    Raises:
        GitError: there is a repository, but git refuses or cannot read it; or there is no git.
    """
    facts = ["--is-inside-work-tree", "--is-shallow-repository", "--show-object-format"]
    try:
        told = git.run(
            ["rev-parse", *facts, "--show-toplevel", "--absolute-git-dir"], directory=directory, timeout=_PATIENCE
        )
    except NoRepositoryError as error:
        broken = next((each for each in (directory, *directory.parents) if (each / ".git").exists()), None)
        if broken is None:
            return None
        hint = "`git fsck` in it may tell what is damaged"
        raise GitError(f"`{broken}` has a `.git` that git cannot read", hint=hint, stderr=error.stderr) from error
    except GitError as error:
        if "must be run in a work tree" in error.stderr:
            return None
        raise
    lines = os.fsdecode(told).split("\n")[:-1]
    if len(lines) != len(facts) + 2:
        raise GitError(f"the path of `{readable(str(directory))!r}` holds a line break")
    if lines[2] != "sha1":
        raise GitError(f"`{lines[3]}` is a {lines[2]} repository", hint="only SHA-1 trees have an SWHID")
    git_directory = Path(lines[4])
    return Checkout(
        root=Path(lines[3]),
        git_directory=git_directory,
        common_directory=_common(git_directory),
        shallow=lines[1] == "true",
    )


def head_commit(root: Path) -> str | None:
    """Name the commit of HEAD; `None` when there is none.

    Raises:
        GitError: git cannot tell.
    """
    told = git.answer(["rev-parse", "--verify", "--quiet", "HEAD"], directory=root, timeout=_PATIENCE)
    return told.decode("ascii").strip() if told else None


def head_tree(root: Path) -> str:
    """Name the tree of HEAD's commit; without a commit that is the empty one.

    Raises:
        GitError: git cannot tell.
    """
    commit = head_commit(root)
    if commit is None:
        return EMPTY_TREE
    told = git.run(["rev-parse", "--verify", f"{commit}^{{tree}}"], directory=root, timeout=_PATIENCE)
    return told.decode("ascii").strip()


def _common(git_directory: Path) -> Path:
    # A linked worktree shares the objects of the repository that this file names.
    pointer = git_directory / "commondir"
    return git_directory / os.fsdecode(pointer.read_bytes()).rstrip("\n") if pointer.exists() else git_directory


class ScratchRepository:
    """A repository of our own over somebody's working directory: their index copied, their objects readable.

    Objects are written here only. Commands that write do not see the user's objects, since git renews the time stamp of
    an object that it finds instead of writing it. (A sparse index cannot be read without: there, time stamps of trees
    may be renewed.) Once `go_on` says no, every command fails with a `GitError`.
    """

    def __init__(
        self, checkout: Checkout, at: Path, *, seconds: float, go_on: Callable[[], bool] = lambda: True
    ) -> None:
        self.root, self.at, self._seconds, self._go_on = checkout.root, at, seconds, go_on
        _make_git_directory(at)
        (at / "info" / "attributes").write_text(_AS_IT_LIES)
        _copy(checkout.common_directory / "info" / "exclude", at / "info" / "exclude")
        _copy(checkout.git_directory / "info" / "sparse-checkout", at / "info" / "sparse-checkout")
        _copy(checkout.git_directory / "index", at / "index")
        for shared in checkout.git_directory.glob("sharedindex.*"):
            _copy(shared, at / shared.name)
        self._settings = [word for setting in _settings(checkout.root) for word in ("-c", setting)]
        self._objects = git_address.object_directory(checkout.common_directory / "objects")

    def beside(self, name: str) -> ScratchRepository:
        """Make another one with the same objects, an index of its own and an empty working directory.

        What it checks out is converted as the attributes in its index say.
        """
        other = copy.copy(self)
        other.at, other.root = self.at / name / "git", self.at / name / "files"
        _make_git_directory(other.at)
        other.root.mkdir()
        return other

    def read(self, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        """Run a command that writes no object; it sees the user's objects."""
        return self._run(arguments, stdin, {"GIT_ALTERNATE_OBJECT_DIRECTORIES": self._objects})

    def write(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run a command that may write objects; it sees only those of its own."""
        return self._run(arguments, stdin, {})

    def within(self, inner: Checkout, name: str) -> ScratchRepository:
        """Make one over another checkout that lies within this one."""
        return ScratchRepository(inner, self.at / name, seconds=self._seconds, go_on=self._go_on)

    def require_time(self) -> None:
        """Go on only while that is wished, and there is time for it.

        Raises:
            GitError: there is none.
        """
        if not self._go_on():
            raise GitError("the look at it was cut short")
        git.require_time()

    def _run(self, arguments: Iterable[str | Path], stdin: bytes, more: dict[str, str]) -> bytes:
        self.require_time()
        environment = {"GIT_DIR": str(self.at), "GIT_WORK_TREE": str(self.root), **more}
        return git.run(
            [*self._settings, *arguments],
            directory=self.root,
            environment=environment,
            stdin=stdin,
            timeout=self._seconds,
            isolated=True,
        )


def _make_git_directory(at: Path) -> None:
    for part in ("objects", "refs", "info"):
        (at / part).mkdir(parents=True)
    (at / "HEAD").write_text("ref: refs/heads/main\n")
    (at / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")


def _copy(source: Path, target: Path) -> None:
    """Copy a file with the time stamp it had: git takes what is newer than the index for possibly changed."""
    try:
        # What a link leads to counts for git, too.
        with open_regular(source.resolve()) as reading, target.open("wb") as writing:
            shutil.copyfileobj(reading, writing)
            times = os.fstat(reading.fileno())
    except FileNotFoundError:
        return
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def _settings(root: Path) -> Iterator[str]:
    """Yield the user's settings that say how to read this file system, and none that convert."""
    yield from ("core.compression=0", "index.sparse=false", "core.untrackedCache=false", "core.splitIndex=false")
    told = git.answer(["config", "--null", "--get-regexp", r"^core\."], directory=root, timeout=_PATIENCE) or b""
    for item in os.fsdecode(told).split("\0"):
        name, given, value = item.partition("\n")
        if _PASSED_ON.fullmatch(name):
            value = value if given else "true"
            yield f"{name}={Path(value).expanduser() if name == 'core.excludesfile' and value else value}"
    if b"core.excludesfile" not in told:
        settings = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        yield f"core.excludesFile={settings / 'git' / 'ignore'}"
