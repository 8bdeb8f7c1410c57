"""Asking a git remote whether it still has a commit.

Its address comes from a bundle, so nobody whom only a bundle names is shown anything that lets somebody in: over https
git knows neither the person's settings nor their home; over SSH it forwards no agent, and asks for no password. Only
commits are fetched, into a repository that is thrown away.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from reprokit import git
from reprokit.audit.asking import web
from reprokit.audit.asking.heard import Presence, Silence
from reprokit.git import GitError, GitMissingError, GitTimeoutError
from reprokit.sources import clones, rebuilding
from reprokit.sources.fetch_places import is_folder, is_in

_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--filter=tree:0"),
    *("--end-of-options",),
)
_ALL = ("+refs/heads/*:refs/fetched/*", "+refs/tags/*:refs/tags/*")
_SSH = "ssh -o BatchMode=yes -o ForwardAgent=no -o ForwardX11=no"
_SSH_VARIABLES = ("GIT_SSH_COMMAND", "GIT_SSH")
_SCP = re.compile(r"(?:[^@/]*@)?(?P<host>\[[^\]]*\]|[^:/]+):")
_LACKING = re.compile(r"not our ref")
_NO_REPOSITORY = re.compile(r"^fatal: repository '.*' not found", re.MULTILINE)
_OUT_OF_REACH = re.compile(
    r"could not resolve|name or service not known|failed to connect|couldn't connect|connect to host"
    r"|connection (timed out|refused|reset)|timed out|network is unreachable|no route to host"
    r"|ssl certificate problem|certificate verif|tls connect|gnutls_handshake|requested url returned error: 5",
    re.IGNORECASE,
)
_NOT_LET_IN = re.compile(
    r"could not read username|could not read password|terminal prompts disabled|authentication failed"
    r"|permission denied|host key verification failed|returned error: 40[13]|access denied",
    re.IGNORECASE,
)


def is_local(address: str) -> bool:
    """Tell whether a remote's address is a folder's."""
    return _folder(address) is not None


def host(address: str) -> str:
    """Name whom an address asks; empty for a folder."""
    if "://" in address:
        return web.host(address)
    match = _SCP.match(address)
    return match["host"].strip("[]") if match and not is_local(address) else ""


@dataclass(frozen=True, kw_only=True)
class GitRemotes:
    """Git remotes, over https and SSH; `timeout` in seconds for each question. A folder is looked into."""

    timeout: float

    def has(self, address: str, commit: str) -> Presence | Silence:
        """Ask a remote for a commit: by its name, or where that is not allowed among all its branches and tags."""
        folder = _folder(address)
        if folder is not None:
            return _look(folder, commit)
        transport = git.transport(address)
        if transport is None:
            return Silence(because=f"nobody is asked over such an address: `{address}`")
        try:
            with tempfile.TemporaryDirectory(prefix="reprokit-asking-") as place, git.within(self.timeout):
                return _Fetching(Path(place), address, transport).ask(commit)
        except GitMissingError as error:
            return Silence(because=error.message)
        except OSError as error:
            return Silence(because=f"nothing can be fetched into: {error.strerror}")


def _folder(address: str) -> Path | None:
    path = Path(unquote(address[7:], errors="surrogateescape") if address.startswith("file:///") else address)
    # Two slashes at the start name another machine, where that means anything.
    return path if path.is_absolute() and not str(path).startswith("//") else None


def _look(folder: Path, commit: str) -> Presence | Silence:
    if not is_folder(folder):
        return Silence(because=f"`{folder}` is not on this machine")
    try:
        if clones.object_store(folder) is None:
            return Silence(because=f"git reads no repository in `{folder}`")
        return Presence(there=is_in(folder, commit), told=f"looked for in `{folder}` on this machine")
    except GitError as error:
        return Silence(because=error.message)


@dataclass(frozen=True)
class _Fetching:
    """One remote, and an empty repository of ours to fetch into."""

    place: Path
    address: str
    transport: str

    def ask(self, commit: str) -> Presence | Silence:
        """Ask by name, then look through all there is.

        Raises:
            GitMissingError: there is no git program.
        """
        try:
            rebuilding.initialise(self.place, len(commit))
            self._fetch("--depth=1", self.address, commit)
        except GitMissingError:
            raise
        except GitError as error:
            told = self._refused(error)
            return told if told is not None else self._search(commit)
        return self._found(commit)

    def _search(self, commit: str) -> Presence | Silence:
        try:
            self._fetch(self.address, *_ALL)
        except GitMissingError:
            raise
        except GitError as error:
            if isinstance(error, GitTimeoutError):  # it answers, and has more than could be looked through
                return Silence(because=f"`{host(self.address)}` has too much to be looked through in time")
            return self._refused(error) or Silence(because=f"`{host(self.address)}`: {error.message}")
        return self._found(commit)

    def _found(self, commit: str) -> Presence | Silence:
        try:
            return Presence(there=rebuilding.has(self.place, commit))
        except GitError as error:
            return Silence(because=error.message)

    def _fetch(self, *words: str) -> None:
        depth = [word for word in words if word.startswith("--depth")]
        git.run(
            [*_FETCH[:-1], *depth, _FETCH[-1], *(word for word in words if word not in depth)],
            directory=self.place,
            environment=self._unknown_to_them() if self.transport == "https" else self._careful_ssh(),
            timeout=None,
            isolated=True,
            transports=[self.transport],
        )

    def _unknown_to_them(self) -> dict[str, str]:
        """Keep helpers, tokens in headers, and `.netrc` out of it."""
        return {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "HOME": str(self.place),
            "XDG_CONFIG_HOME": str(self.place),
        }

    def _careful_ssh(self) -> dict[str, str]:
        quiet = {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
        own = any(os.environ.get(name) for name in _SSH_VARIABLES) or git.answer(
            ["config", "--get", "core.sshCommand"], directory=self.place
        )
        return quiet if own else {**quiet, "GIT_SSH_COMMAND": _SSH}

    def _refused(self, error: GitError) -> Presence | Silence | None:
        """Make sense of a refusal; `None` when another way may be allowed."""
        asked = f"`{host(self.address)}`"
        if isinstance(error, GitTimeoutError):
            return Silence(because=f"{asked} did not answer: {error.message}", mute=True)
        if _LACKING.search(error.stderr):
            return Presence(there=False)
        if _OUT_OF_REACH.search(error.stderr):
            return Silence(because=f"{asked} did not answer: {error.message}", mute=True)
        if _NOT_LET_IN.search(error.stderr):
            return Silence(because=f"{asked} wants to know who asks, and is not told: {error.message}")
        if self.transport == "https" and _NO_REPOSITORY.search(error.stderr):
            return Presence(there=False, told="there is no such repository")
        return None
