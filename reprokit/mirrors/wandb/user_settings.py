"""What W&B's own programs keep for a user: settings (`wandb login --host` writes them) and keys (in a netrc file)."""

from __future__ import annotations

import configparser
import netrc
import os
import re
from collections.abc import Iterable
from pathlib import Path

from reprokit.bundle.bag import open_regular
from reprokit.errors import InputMissingError
from reprokit.mirrors.interface import Environment

_SECTION = "default"
_READ = ("base_url", "entity", "project", "mode")
_NETRC = (".netrc", "_netrc")
_LOGIN = "user"
"""What `wandb login` writes as the login of an entry; other programs write a name or a mail address."""
_LARGEST = 1 << 20
_SHORTEST = 40
"""Characters of a key, at least; W&B's client refuses a shorter one, or asks on the terminal for another."""
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_KEY = re.compile(r"[\w-]+", re.ASCII)


def home(environment: Environment) -> Path:
    """Give the home folder that an environment names."""
    named = environment.get("HOME")
    return Path(named) if named else Path.home()


def _text(path: Path) -> str | None:
    # It may be a link, as people keep such files elsewhere; what it leads to must be a regular file.
    try:
        with open_regular(Path(os.path.realpath(path))) as stream:
            return stream.read(_LARGEST).decode("utf-8", errors="replace")
    except OSError:
        return None


def path_of_settings(environment: Environment) -> Path:
    """Tell where W&B's programs keep a user's settings."""
    folder = environment.get("WANDB_CONFIG_DIR")
    return _expand(folder, environment) / "settings" if folder else home(environment) / ".config/wandb/settings"


def _expand(path: str, environment: Environment) -> Path:
    return home(environment) / path[2:] if path.startswith("~/") else Path(path)


def read(environment: Environment) -> dict[str, str]:
    """Read those of the user's settings that say where to go; none when there is no such file, as W&B has it."""
    text = _text(path_of_settings(environment))
    if text is None:
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        items = dict(parser.items(_SECTION))
    except configparser.Error:
        return {}
    return {name: items[name].strip() for name in _READ if items.get(name, "").strip()}


def stored_key(hosts: Iterable[str], environment: Environment, *, by_login_only: bool = False) -> str | None:
    """Give the key that is stored for exactly one of these hosts; never a netrc file's `default` entry.

    With `by_login_only` an entry counts only when it is of the form that `wandb login` writes.

    Raises:
        InputMissingError: the file cannot be understood.
    """
    path = _netrc_path(environment)
    if path is None:
        return None
    try:
        machines = netrc.netrc(str(path)).hosts
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        raise InputMissingError(
            f"`{path}`, where the key of W&B may be, cannot be read",
            hint=f"mend it, or set WANDB_API_KEY ({_why(error)})",
        ) from error
    for host in hosts:
        login, _, secret = machines.get(host, ("", "", ""))
        if secret and host != "default" and (login == _LOGIN or not by_login_only):
            return secret
    return None


def complaint(key: str) -> str | None:
    """Say what is wrong with the form of a key; `None` when nothing is."""
    if _TOKEN.fullmatch(key):
        return None
    secret = key.partition("-")[2] if "-" in key else key
    if not _KEY.fullmatch(secret):
        return "it holds characters that no key has"
    if len(secret) < _SHORTEST:
        return f"it has {len(secret)} characters, and a key has {_SHORTEST} or more"
    return None


def _why(error: Exception) -> str:
    # Never the text of a parser's complaint: it quotes the file.
    if isinstance(error, netrc.NetrcParseError):
        return f"line {error.lineno} is malformed"
    return error.strerror or "no reason given" if isinstance(error, OSError) else "it is no text"


def _netrc_path(environment: Environment) -> Path | None:
    named = environment.get("NETRC")
    candidates = [_expand(named, environment)] if named else [home(environment) / each for each in _NETRC]
    return next((each for each in candidates if each.is_file()), None)
