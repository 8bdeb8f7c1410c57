"""The secrets that this machine is known to hold: by variables with a telling name, and by token files."""

from __future__ import annotations

import base64
import configparser
import json
import netrc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, urlsplit

from reprokit.probes.secrets.likeness import (
    is_chosen_secret,
    names_a_secret,
    names_only_secrets,
    random_enough,
    slot_name,
)

_LARGEST_TOKEN_FILE = 1 << 16
_BASE64_GROUP = 3
_SHORTEST_GIVEN = 4


@dataclass(frozen=True, kw_only=True, repr=False)
class Secrets:
    """Known secrets by the name under which a re-run asks for them. Its text form shows the names alone."""

    values: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show the names: a value must reach no log and no crash report."""
        return f"Secrets({', '.join(sorted(self.values))})"

    @cached_property
    def in_text(self) -> tuple[tuple[str, str], ...]:
        """Every form in which a text may hold a value, with the name, the plain values first."""
        return tuple(dict.fromkeys((form, name) for name, value in self.values.items() for form in _forms(value)))

    @cached_property
    def in_bytes(self) -> tuple[tuple[str, str], ...]:
        """The same for bytes that are looked at as Latin-1, one character a byte; in UTF-16 too."""
        in_utf_8 = [(form.encode("utf-8", "surrogateescape"), name) for form, name in self.in_text]
        in_utf_16 = [(form, name) for name, value in self.values.items() for form in _in_utf_16(value)]
        return tuple((form.decode("latin-1"), name) for form, name in dict.fromkeys([*in_utf_8, *in_utf_16]))

    @cached_property
    def longest(self) -> int:
        """The length in bytes of the longest form."""
        return max((len(form) for form, _ in self.in_bytes), default=0)


def _forms(value: str) -> Iterator[str]:
    """Yield a value as it is, as in a JSON text (also one within another), as in a URL, and as within base64."""
    yield value
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        yield once.replace("/", "\\/")
    data = value.encode("utf-8", "surrogateescape")
    yield quote(data, safe="")
    yield quote(data)
    yield quote_plus(data)
    for before in range(_BASE64_GROUP):
        whole = base64.b64encode(bytes(before) + data).decode()
        # What depends on the neighbours is cut off: a group at either end that the value does not fill.
        start = 4 if before else 0
        end = (before + len(data)) // _BASE64_GROUP * 4
        yield whole[start:end]
        yield whole[start:end].replace("+", "-").replace("/", "_")


def _in_utf_16(value: str) -> Iterator[bytes]:
    """Yield a value as it is, and as in a JSON text, in both orders of bytes."""
    for text in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        for encoding in ("utf-16-le", "utf-16-be"):
            yield text.encode(encoding, "surrogatepass")


def collect(environ: Mapping[str, str], home: Path) -> Secrets:
    """Collect the secrets of variables with a telling name, of URLs in any variable, and of the usual token files.

    Only values that are long and random enough count, or chosen with care where nothing but a secret stands. A file
    that is not there or cannot be read holds none.
    """
    values: dict[str, str] = {}
    for name, value in (*_of_variables(environ), *_of_files(environ, home)):
        secret = value.strip()
        if is_to_be_found(name, secret) and secret not in values.values():
            values[free_name(name, values)] = secret
    return Secrets(values=values)


def with_values(secrets: Secrets, given: Mapping[str, str]) -> Secrets:
    """Add values that somebody gave as secrets, whatever they look like; too short ones would be found anywhere."""
    values = dict(secrets.values)
    for name, value in given.items():
        if len(value) >= _SHORTEST_GIVEN and value not in values.values():
            values[free_name(name, values)] = value
    return Secrets(values=values)


def is_to_be_found(name: str, secret: str) -> bool:
    """Tell whether a secret is so unlike anything else that it can be searched for wherever the run wrote."""
    return random_enough(secret) or (names_only_secrets(name) and is_chosen_secret(secret))


def free_name(name: str, taken: Iterable[str]) -> str:
    """Give the name, or the first of `name_2`, `name_3`, … that is not taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _of_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in sorted(environ.items()):
        if names_a_secret(name):
            yield name, value
        if "://" in value and "@" in value:
            for password in _passwords_of_url(value):
                yield f"{name}_PASSWORD", password


def _passwords_of_url(url: str) -> Iterator[str]:
    """Yield the password of a URL, or its user name when that is all there is, as given and decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    secret = parts.password or parts.username
    if secret:
        yield secret
        if (decoded := unquote(secret)) != secret:
            yield decoded


def _of_files(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    yield from _of_hugging_face(environ, home)
    for path in {Path(environ.get("NETRC") or home / ".netrc"), home / ".netrc"}:
        yield from _of_netrc(path)
    for line in _read(home / ".git-credentials").splitlines():
        for password in _passwords_of_url(line.strip()):
            yield "GIT_CREDENTIALS", password
    yield from _of_ini(home / ".pypirc", "PYPI_PASSWORD", ("password",))
    aws = environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials"
    yield from _of_ini(Path(aws), "AWS_SECRET_ACCESS_KEY", ("aws_secret_access_key", "aws_session_token"))
    yield from _of_json(home / ".kaggle/kaggle.json", "KAGGLE_KEY", "key")


def _of_hugging_face(environ: Mapping[str, str], home: Path) -> Iterator[tuple[str, str]]:
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "huggingface"
    folder = Path(environ.get("HF_HOME") or cache)
    for path in dict.fromkeys(
        (Path(environ.get("HF_TOKEN_PATH") or folder / "token"), folder / "token", cache / "token")
    ):
        yield "HF_TOKEN", _read(path)
    yield from _of_ini(folder / "stored_tokens", "HF_TOKEN", ("hf_token",))


def _of_netrc(path: Path) -> Iterator[tuple[str, str]]:
    try:
        hosts = netrc.netrc(path).hosts if path.stat().st_size <= _LARGEST_TOKEN_FILE else {}
    except (OSError, ValueError, netrc.NetrcParseError):
        return
    for host, (_, _, password) in sorted(hosts.items()):
        yield "WANDB_API_KEY" if host == "api.wandb.ai" else f"NETRC_{slot_name(host)}", password or ""


def _of_ini(path: Path, name: str, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(_read(path))
    except configparser.Error:
        return
    for section in parser.sections():
        for option in options:
            yield name, parser.get(section, option, fallback="")


def _of_json(path: Path, name: str, key: str) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(_read(path) or "{}")
    except ValueError:
        return
    if isinstance(content, dict) and isinstance(content.get(key), str):
        yield name, content[key]


def _read(path: Path) -> str:
    """Read a small file, or nothing when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_TOKEN_FILE).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
