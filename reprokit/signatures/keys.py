"""With which of a person's keys a bundle is signed: the one that is named, git's, or the only one there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.archive.settings import expand
from reprokit.errors import InputMissingError, UsageError

_LITERAL = "key::"
_KINDS = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
_PUBLIC, _CERTIFIED = ".pub", "-cert"
_NAME_ONE = "name one: `--key FILE`"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key to sign with: a file of one half of it or, from git's settings, the public half itself.

    `named_by` is who chose it.
    """

    file: Path | None = None
    public: str | None = None
    named_by: str

    @property
    def is_with_the_agent(self) -> bool:
        """Whether there is no private half to be read, so that an agent has to sign."""
        if self.file is None:
            return True
        if self.file.suffix != _PUBLIC:
            return False
        private = self.file.with_suffix("")
        return not any(path.is_file() for path in (private, private.with_name(private.name.removesuffix(_CERTIFIED))))


def find_key(named: Path | None, *, home: Path) -> Key:
    """Find the key to sign with; nothing of it is read.

    Args:
        named: the file that the person has named.
        home: the person's home folder.

    Raises:
        UsageError: it is not there, or nobody says which it is.
        GitError: git cannot tell which it signs with.
    """
    if named is not None:
        return _in_file(expand(named, "`--key`").absolute(), "`--key`")
    return _of_git(home) or _only_one(home / ".ssh")


def _of_git(home: Path) -> Key | None:
    """Take the key that git signs with. That of a repository is not asked for: it may be a stranger's."""
    if _setting(home, "gpg.format") != "ssh":
        return None
    value = _setting(home, "user.signingkey")
    if not value:
        return None
    named_by = "git's `user.signingkey`"
    if value.startswith(_LITERAL):
        return Key(public=value.removeprefix(_LITERAL).strip(), named_by=named_by)
    if value.startswith("ssh-"):  # as git still understands it
        return Key(public=value, named_by=named_by)
    return _in_file(home / expand(Path(value), named_by), named_by)


def _setting(home: Path, name: str) -> str | None:
    asked = ["config", "--global", "--includes", "--null", "--get", name]
    told = git.answer(asked, directory=home)
    return None if told is None else told.decode("utf-8", errors="surrogateescape").removesuffix("\0")


def _in_file(path: Path, named_by: str) -> Key:
    if not path.is_file():
        raise InputMissingError(f"{named_by} is `{path}`, and there is no such file", hint=_NAME_ONE)
    return Key(file=path, named_by=named_by)


def _only_one(folder: Path) -> Key:
    found = [path for path in (folder / name for name in _KINDS) if path.is_file()]
    if len(found) == 1:
        return Key(file=found[0], named_by=f"the only key in `{folder}`")
    if not found:
        names = ", ".join(f"`{name}`" for name in _KINDS)
        raise InputMissingError(
            f"there is no key to sign with: none of {names} is in `{folder}`",
            hint=f"{_NAME_ONE}, or make one: `ssh-keygen -t ed25519`",
        )
    raise UsageError(f"there are several keys: {', '.join(f'`{path}`' for path in found)}", hint=_NAME_ONE)
