"""The DVC remotes of an archive, as DVC's configuration files name them.

They are read here without DVC to choose one, to say which it was, and to use one that is a folder. Whatever else a
remote needs (keys, endpoints) is DVC's to read, and never leaves the process that does.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from reprokit import git
from reprokit.archive.layout import Archive
from reprokit.bundle.bag import open_regular
from reprokit.errors import UsageError

_SECTION = re.compile(r"'?\s*remote\s*\"(?P<name>.*)\"\s*'?")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_LARGEST = 1 << 20  # bytes of a configuration file
_DEEPEST = 8  # remotes that are described by way of another
# These name a program that DVC would start, or a file that may: from a stranger's archive, that is the stranger's.
_STARTING_PROGRAMS = ("bearer_token_command", "configpath", "credentialpath")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote that is configured.

    `address` holds no credentials; `scheme` is that of the address, empty for a folder. `folder` is where a remote is
    that needs no transport; `group` says that the group may write there.
    """

    name: str
    address: str
    scheme: str = ""
    folder: Path | None = None
    group: bool = False


@dataclass(frozen=True, kw_only=True)
class _Configuration:
    """What all files say together: settings by remote, the default, and the names of the settings git brought along."""

    remotes: Mapping[str, Mapping[str, str]]
    default: str | None
    brought: Mapping[str, frozenset[str]]


def configured(archive: Archive) -> list[Remote]:
    """List the remotes of an archive, the default first."""
    found = _read(archive)
    names = sorted(found.remotes, key=lambda name: (name != found.default, name))
    return [_remote(found, name) for name in names]


def choose(archive: Archive, named: str | None) -> Remote:
    """Find the remote to use: the one that is named, the default, or the only one there is.

    Raises:
        UsageError: there is no such remote, none at all, or the archive's own files make it start a program.
    """
    found = _read(archive)
    known = ", ".join(f"`{name}`" for name in sorted(found.remotes))
    add = f"in `{shlex.quote(str(archive.root))}`: `dvc remote add -d NAME URL`"
    if named is not None and named.lower() not in found.remotes:
        hint = f"there is {known}" if known else add
        raise UsageError(f"the archive has no remote `{named}`", hint=hint)
    if not found.remotes:
        raise UsageError(f"the archive `{archive.root}` has no remote to keep bundles on", hint=add)
    only = next(iter(found.remotes)) if len(found.remotes) == 1 else None
    name = (named or found.default or only or "").lower()
    if not name:
        raise UsageError(
            f"none of the archive's remotes is the default: {known}",
            hint="name one with `--remote`, or in the archive: `dvc remote default NAME`",
        )
    if name not in found.remotes:
        raise UsageError(f"the archive's default remote `{name}` is not configured", hint=add)
    _refuse_programs(found, name)
    return _remote(found, name)


def _refuse_programs(found: _Configuration, name: str) -> None:
    for each in _chain(found, name):
        for option in _STARTING_PROGRAMS:
            if option in found.brought.get(each, ()):
                raise UsageError(
                    f"`{option}` of the remote `{each}` may start a program, and `.dvc/config` comes with the archive",
                    hint=f"if you trust it, move it to your own file: `dvc remote modify --local {each} {option} …`",
                )


def _chain(found: _Configuration, name: str) -> list[str]:
    """Follow a remote that is described by way of others (`remote://other/path`), itself first."""
    chain = [name]
    while len(chain) < _DEEPEST:
        url = found.remotes.get(chain[-1], {}).get("url", "")
        if not url.startswith("remote://"):
            break
        chain.append(url.removeprefix("remote://").partition("/")[0].lower())
    return chain


def _address(found: _Configuration, name: str) -> str:
    """Give the address of a remote as DVC understands it."""
    address = ""
    for each in _chain(found, name):
        url = found.remotes.get(each, {}).get("url", "")
        if not url.startswith("remote://"):
            return url.rstrip("/") + address if address else url
        path = url.removeprefix("remote://").partition("/")[2]
        address = f"/{path.rstrip('/')}{address}"
    return f"remote://{name}"


def _remote(found: _Configuration, name: str) -> Remote:
    address = _address(found, name)
    match = _SCHEME.match(address)
    scheme = match["scheme"].lower() if match else ""
    if scheme in {"", "file", "local"}:
        folder = Path(address[match.end() :] if match else address)
        group = any(found.remotes.get(each, {}).get("shared", "").lower() == "group" for each in _chain(found, name))
        return Remote(name=name, address=str(folder), folder=folder, group=group)
    return Remote(name=name, address=git.without_credentials(address), scheme=scheme)


def _read(archive: Archive) -> _Configuration:
    control = archive.root / ".dvc"
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir("dvc", "iterative")
    own = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir("dvc", "iterative")
    files = [Path(system) / "config", Path(own) / "config", control / "config", control / "config.local"]
    remotes: dict[str, dict[str, str]] = {}
    brought: dict[str, frozenset[str]] = {}
    default: str | None = None
    for file in files:
        for section, settings in _sections(file).items():
            if section == "core":
                default = settings.get("remote", default)
            elif match := _SECTION.fullmatch(section):
                name = match["name"].lower()
                remotes.setdefault(name, {}).update(settings)
                known = brought.get(name, frozenset())
                brought[name] = known | settings.keys() if file == control / "config" else known - settings.keys()
    usable = {name: settings for name, settings in remotes.items() if settings.get("url")}
    return _Configuration(remotes=usable, default=default.lower() if default else None, brought=brought)


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """Read a configuration file of DVC's; what cannot be read says nothing, and DVC will tell."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        with open_regular(path) as stream:
            parser.read_string(stream.read(_LARGEST).decode("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return {section: _settings(path, dict(parser.items(section))) for section in parser.sections()}


def _settings(path: Path, written: Mapping[str, str]) -> dict[str, str]:
    settings = {option: _value(text) for option, text in written.items()}
    url = settings.get("url")
    if url and not re.match(r"\w+://", url):
        # A folder is relative to the file that names it.
        settings["url"] = os.path.normpath(path.parent.absolute() / Path(url).expanduser())
    return settings


def _value(text: str) -> str:
    """Take a value out of its quotes, or from before a remark."""
    if text[:1] in {'"', "'"} and (end := text.find(text[0], 1)) > 0:
        return text[1:end]
    return text.partition("#")[0].strip()
