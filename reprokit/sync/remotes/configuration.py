"""The DVC remotes of an archive, as DVC's configuration files name them.

They are read here without DVC to choose one, to say which it was, and to use one that is a folder. Whatever else a
remote needs (keys, endpoints) is DVC's to read, and never leaves the process that does.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.archive.layout import Archive
from reprokit.errors import UsageError
from reprokit.sync.remotes.dvc_settings import HARMLESS, LOCAL, levels

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_LEADING = ("endpointurl", "oss_endpoint")
_DEEPEST = 8  # remotes that are described by way of another


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote that is configured.

    `address` holds no credentials; `scheme` is that of the address, empty for a folder. `folder` is where a remote is
    that needs no transport; `group` says that the group may write there. `led` is the setting that came with the
    archive and says which server is sent whatever keys the person has for such services.
    """

    name: str
    address: str
    scheme: str = ""
    folder: Path | None = None
    group: bool = False
    led: str | None = None

    @property
    def unasked(self) -> str | None:
        """Why it is asked only by a person who names it, when that is so: whoever does has looked where it leads."""
        if self.led is None:
            return None
        return (
            f"it is not asked, since `{self.led}`, which comes with the archive, says who gets your keys; "
            f"if you trust it: `dvc remote modify --local {shlex.quote(self.name)} {self.led} …`"
        )


@dataclass(frozen=True, kw_only=True)
class _Configuration:
    """What all files say together: settings by remote, the default, and the names of the settings git brought along.

    What is said of a remote in a file that came with the archive is the stranger's, until a later file of the person's
    own says it again.
    """

    remotes: Mapping[str, Mapping[str, str]]
    default: str | None
    brought: Mapping[str, frozenset[str]]


def configured(archive: Archive) -> list[Remote]:
    """List the remotes of an archive, the default first.

    Raises:
        UsageError: a configuration file cannot be read without doubt.
    """
    found = _read(archive)
    names = sorted(found.remotes, key=lambda name: (name != found.default, name))
    return [_remote(found, name) for name in names]


def choose(archive: Archive, named: str | None) -> Remote:
    """Find the remote to use: the one that is named, the default, or the only one there is.

    Raises:
        UsageError: there is no such remote, none at all, the archive's own files make it start a program, or one of the
            configuration files cannot be read without doubt.
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
        for option in sorted(found.brought.get(each, frozenset()) - HARMLESS):
            raise UsageError(
                f"`{option}` of the remote `{each}` may start a program, and it comes with the archive: "
                f"from `.dvc/config`, or from a `.dvc/{LOCAL}` that git tracks",
                hint=f"if you trust it, move it to your own `.dvc/{LOCAL}`, which git must not track: "
                f"`dvc remote modify --local {shlex.quote(each)} {option} …`",
            )


def _chain(found: _Configuration, name: str) -> list[str]:
    """Follow a remote that is described by way of others (`remote://other/path`), itself first."""
    chain = [name]
    while len(chain) < _DEEPEST:
        url = found.remotes.get(chain[-1], {}).get("url", "")
        if not url.lower().startswith("remote://"):
            break
        chain.append(url[len("remote://") :].partition("/")[0].lower())
    return chain


def _address(found: _Configuration, name: str) -> str:
    """Give the address of a remote as DVC understands it; that of one which leads nowhere is left for DVC to refuse."""
    address = ""
    for each in _chain(found, name):
        url = found.remotes.get(each, {}).get("url", "")
        if not url:
            break
        if not url.lower().startswith("remote://"):
            return url.rstrip("/") + address if address else url
        path = url[len("remote://") :].partition("/")[2]
        address = f"/{path.rstrip('/')}{address}"
    return f"remote://{name}"


def _remote(found: _Configuration, name: str) -> Remote:
    address = _address(found, name)
    match = _SCHEME.match(address)
    scheme = match["scheme"].lower() if match else ""
    folder = Path(address[match.end() :] if match else address)
    if scheme in {"", "file", "local"} and folder.is_absolute():
        group = any(found.remotes.get(each, {}).get("shared", "").lower() == "group" for each in _chain(found, name))
        return Remote(name=name, address=str(folder), folder=folder, group=group)
    brought = {option for each in _chain(found, name) for option in found.brought.get(each, ())}
    led = next((option for option in _LEADING if option in brought), None)
    return Remote(name=name, address=git.without_credentials(address), scheme=scheme, led=led)


def _read(archive: Archive) -> _Configuration:
    remotes: dict[str, dict[str, str]] = {}
    brought: dict[str, frozenset[str]] = {}
    default: str | None = None
    for level in levels(archive):
        default = level.default or default
        for name, settings in level.remotes.items():
            remotes.setdefault(name, {}).update(settings)
            known = brought.get(name, frozenset())
            brought[name] = known | settings.keys() if level.brought else known - settings.keys()
    usable = {name: settings for name, settings in remotes.items() if settings.get("url")}
    return _Configuration(remotes=usable, default=default, brought=brought)
