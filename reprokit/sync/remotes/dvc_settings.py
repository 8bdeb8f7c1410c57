"""DVC's configuration files, read without DVC, and which of them a stranger may have written.

Only what leaves no doubt is read: DVC knows more ways to write a setting (quoted names, nested sections, values that
name others), and a file that means one thing to us and another to DVC could pass what is refused here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from reprokit import git
from reprokit.archive import own_folders
from reprokit.archive.layout import Archive
from reprokit.bundle.bag import open_regular
from reprokit.errors import UsageError

LARGEST = 1 << 20  # bytes of a configuration file
LOCAL = "config.local"
# All that a remote's settings may say when they come with an archive. What may name a program, or a file that may name
# one or be written to, is not among them, nor what later versions of DVC add: `bearer_token_command`, `configpath` and
# `credentialpath` (an AWS `credential_process`), `gdrive_user_credentials_file`,
# `gdrive_service_account_json_file_path`.
HARMLESS = frozenset(
    (
        # any
        *("url", "checksum_jobs", "jobs", "worktree", "no_traverse", "version_aware", "verify"),
        *("type", "protected", "shared", "slow_link_warning"),
        # http, webdav, ssh, webhdfs
        *("auth", "custom_auth_header", "user", "password", "ask_password", "ssl_verify", "method", "token"),
        *("connect_timeout", "read_timeout", "timeout", "cert_path", "key_path"),
        *("port", "passphrase", "ask_passphrase", "keyfile", "gss_auth", "allow_agent", "max_sessions"),
        *("kerb_ticket", "replication", "kerberos", "kerberos_principal", "proxy_to", "use_https"),
        "data_proxy_target",
        # s3, gs, oss
        *("region", "profile", "endpointurl", "access_key_id", "secret_access_key", "session_token", "listobjects"),
        *("use_ssl", "allow_anonymous_login", "sse", "sse_kms_key_id", "sse_customer_algorithm", "sse_customer_key"),
        *("acl", "grant_read", "grant_read_acp", "grant_write_acp", "grant_full_control", "cache_regions"),
        *("projectname", "oss_key_id", "oss_key_secret", "oss_endpoint"),
        # azure
        *("connection_string", "sas_token", "account_name", "account_key", "tenant_id", "client_id", "client_secret"),
        *("exclude_environment_credential", "exclude_visual_studio_code_credential", "connection_timeout"),
        *("exclude_shared_token_cache_credential", "exclude_managed_identity_credential"),
        # gdrive
        *("gdrive_use_service_account", "gdrive_client_id", "gdrive_client_secret", "gdrive_trash_only"),
        *("gdrive_service_account_user_email", "gdrive_acknowledge_abuse"),
    )
)

_HEADER = re.compile(r"\[\s*(?:'(?P<quoted>[^'\[\]]*)'|(?P<plain>[^'\[\]\s][^'\[\]]*?))\s*\]\s*(?:#.*)?")
_SETTING = re.compile(r"(?P<option>[A-Za-z0-9_.-]+)\s*=\s*(?P<value>.*)")
_QUOTED = re.compile(r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')\s*(?:#.*)?")
_REMOTE = re.compile(r"\s*remote\s*\"(?P<name>[^\"]+)\"\s*")
_OTHER = re.compile(r"[a-z_]+|\s*(?:machine|db)\s*\"[^\"]*\"\s*")
_TRIPLE = ('"""', "'''")


@dataclass(frozen=True, kw_only=True)
class Level:
    """What one file says: the default remote, and the settings of remotes. `brought`: it may be a stranger's."""

    brought: bool
    default: str | None = None
    remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class _DoubtError(Exception):
    pass


def levels(archive: Archive) -> list[Level]:
    """Read the files that DVC reads for an archive, in its order: the later ones count.

    Raises:
        UsageError: one cannot be read, or not without doubt.
    """
    control = archive.root / ".dvc"
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir("dvc", "iterative")
    person = os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir("dvc", "iterative")
    own_folders.require_folders(archive, control)
    # Only the person's own files may be links: to wherever they keep them.
    found = [_level(Path(os.path.realpath(Path(folder, "config"))), brought=False) for folder in (system, person)]
    found.append(_level(control / "config", brought=True))
    local = _level(control / LOCAL, brought=False)
    found.append(local if not local.remotes else _level(control / LOCAL, brought=local_is_brought(archive)))
    return found


def local_is_brought(archive: Archive) -> bool:
    """Tell whether git may have brought the file along in which a person keeps what is theirs alone."""
    try:
        known = git.answer(["ls-files", "--error-unmatch", "--", f".dvc/{LOCAL}"], directory=archive.root)
    except git.GitError:
        return True  # without git nobody can say whose it is
    return known is not None


def _level(path: Path, *, brought: bool) -> Level:
    try:
        with open_regular(path) as stream:
            data = stream.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Level(brought=brought)
    except OSError as error:
        raise UsageError(
            f"`{path}` cannot be read: {error.strerror or error}", hint="it says which remotes there are: mend it"
        ) from error
    try:
        sections = _sections(data)
    except (_DoubtError, UnicodeDecodeError) as error:
        told = str(error) if isinstance(error, _DoubtError) else "it is no UTF-8"
        raise UsageError(
            f"`{path}` may mean to DVC what it does not say: {told}",
            hint="look at it; `dvc remote add` and `dvc remote modify` write plain `name = value` lines",
        ) from error
    remotes = {
        match["name"]: _settings(path, settings)
        for name, settings in sections.items()
        if (match := _REMOTE.fullmatch(name))
    }
    default = sections.get("core", {}).get("remote")
    return Level(brought=brought, default=default.lower() if default else None, remotes=remotes)


def _sections(data: bytes) -> dict[str, dict[str, str]]:
    """Read the lines of a file: its settings by section, both in lower case as DVC has them."""
    if len(data) > LARGEST:
        raise _DoubtError(f"it is larger than {LARGEST >> 20} MiB")
    found: dict[str, dict[str, str]] = {}
    section: str | None = None
    for number, line in _lines(data):
        if header := _HEADER.fullmatch(line):
            section = _section(header["quoted"] or header["plain"] or "")
            if section is None or section in found:
                raise _DoubtError(f"line {number} begins no section that is known, or one for the second time")
            found[section] = {}
            continue
        setting = _SETTING.fullmatch(line)
        if setting is None or section is None:
            raise _DoubtError(f"line {number} is no plain setting")
        option, written = setting["option"].lower(), setting["value"]
        if option in found[section] or written.startswith(_TRIPLE):
            raise _DoubtError(f"line {number} says a thing for the second time, or over several lines")
        matters = section == "core" or _REMOTE.fullmatch(section) is not None
        found[section][option] = _value(written, number) if matters else written
    return found


def _section(written: str) -> str | None:
    """Give the one name that DVC has for a section, however it is written; `None` when it is a doubtful one."""
    name = written.lower()
    if match := _REMOTE.fullmatch(name):
        return f'remote "{match["name"]}"'
    return name if _OTHER.fullmatch(name) and name != "remote" else None


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield what is no remark, with the numbers of the lines; what an editor shows is all that there is."""
    text = data.decode("utf-8").replace("\r\n", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.replace("\t", " ").isprintable():
            raise _DoubtError(f"line {number} holds what cannot be seen")
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _value(written: str, number: int) -> str:
    """Take a value out of its quotes, or from before a remark."""
    if written[:1] in {'"', "'"}:
        match = _QUOTED.fullmatch(written)
        value = None if match is None else match["double"] if match["double"] is not None else match["single"]
    else:
        value = written.partition("#")[0].strip()
        value = None if "," in value else value  # to DVC, several
    if value is None or "%(" in value:
        raise _DoubtError(f"the value in line {number} is no plain one")
    return value


def _settings(path: Path, settings: Mapping[str, str]) -> dict[str, str]:
    url = settings.get("url")
    if not url or re.match(r"\w+://", url):
        return dict(settings)
    # A folder is relative to the file that names it.
    folder = os.path.expanduser(url)  # noqa: PTH111 - as DVC: what is nobody's home is left as it is
    return {**settings, "url": os.path.normpath(path.parent.absolute() / folder)}
