"""Running uv: with the person's own settings, and with nothing of the bundle's and no secret of the run's.

What uv builds is foreign code, which inherits uv's variables: so these are an allow-list, and where uv may build they
hold no credentials. uv runs in the root of the file system, above which lie no settings of anybody's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit import child_process
from reprokit.child_process import Ended
from reprokit.package_indexes import in_words_of_uv

_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TERM|TMPDIR|TZ|XDG_[A-Z_]+|NETRC|LD_LIBRARY_PATH"
    r"|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|PYENV_(ROOT|VERSION)"
    r"|CC|CXX|CPP|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|CUDA_(HOME|PATH)|UV_(?!PUBLISH_)[A-Z0-9_]+"
)
_PRIVATE = re.compile(
    r"HOME|NETRC|XDG_(?!CONFIG_DIRS)[A-Z_]+|UV_[A-Z0-9_]*(USERNAME|PASSWORD|TOKEN|CREDENTIALS|KEYRING|HEADER)[A-Z0-9_]*"
)
_PROXY = re.compile(r"[a-z_]+_proxy", re.IGNORECASE)
_LET_IN = re.compile(r"(?<=://)[^/\s]*@")
"""The user and the password in an address."""

_REDIRECTING = frozenset(
    {
        *("UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_ENV_FILE"),
        *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_VENV_SEED", "UV_VENV_CLEAR"),
        *("UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE", "UV_REQUIRE_HASHES", "UV_NO_VERIFY_HASHES", "UV_RESOLUTION"),
        *("UV_LINK_MODE", "UV_NO_BINARY", "UV_NO_BUILD", "UV_NO_BUILD_ISOLATION"),
    }
)
"""What would have uv install other packages than those recorded, or into another place."""

_LONGEST = 600
NOWHERE = Path("/")
"""Where uv runs: it heeds the `uv.toml` and the `pyproject.toml` of each folder from there up, whoever wrote them."""


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Choose what uv gets to know of a person's variables; pip's name the indexes where uv's do not."""
    named = in_words_of_uv(environ)
    return {name: value for name, value in named.items() if _PASSED.fullmatch(name) and name not in _REDIRECTING}


def without_user(addresses: str) -> str:
    """Take the users and passwords out of addresses; unlike `without_credentials`, leaves them usable."""
    return _LET_IN.sub("", addresses)


def variables_to_build_with(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Choose what uv gets to know where it may run foreign code: no credentials, and another home.

    The person's settings and cache are named to uv by themselves, where they exist.

    Args:
        environ: the person's variables.
        home: a folder of the workspace.
    """
    kept = {
        name: without_user(value) if name.startswith("UV_") else value
        for name, value in variables(environ).items()
        if not _PRIVATE.fullmatch(name) and not (_PROXY.fullmatch(name) and "@" in value)
    }
    # Nothing answers there without a password, and then uv would do nothing at all.
    links = [each for each in variables(environ).get("UV_FIND_LINKS", "").split(",") if not _LET_IN.search(each)]
    kept |= {"UV_FIND_LINKS": ",".join(links)} if links != [""] else {}
    own = Path(environ.get("HOME") or Path.home())
    settings = Path(environ.get("XDG_CONFIG_HOME") or own / ".config")
    places = {
        "UV_CACHE_DIR": Path(environ.get("XDG_CACHE_HOME") or own / ".cache") / "uv",
        "UV_PYTHON_INSTALL_DIR": Path(environ.get("XDG_DATA_HOME") or own / ".local/share") / "uv/python",
    }
    found = {name: str(place) for name, place in places.items() if place.is_dir()}
    found |= {"XDG_CONFIG_HOME": str(settings)} if (settings / "uv/uv.toml").is_file() else {}
    return found | kept | {"HOME": str(home)}


@dataclass(frozen=True, kw_only=True)
class Uv:
    """The program and the variables it gets."""

    program: Path
    environ: Mapping[str, str] = field(repr=False)

    def run(self, words: Sequence[str], *, stdin: str = "") -> Ended:
        """Run uv to its end, for as long as that takes; all paths among the words must be absolute."""
        return child_process.run(
            [str(self.program), "--quiet", "--no-progress", "--color", "never", *words],
            directory=NOWHERE,
            environment=self.environ,
            stdin=stdin.encode(),
            timeout=None,
        )


def said(ended: Ended) -> str:
    """Give what uv said as one line."""
    told = " ".join(ended.said.decode("utf-8", errors="replace").split())
    return told[:_LONGEST] or "uv said nothing"


def activated(environ: Mapping[str, str], environment: Path | None) -> dict[str, str]:
    """Give the variables that make an environment the first on PATH."""
    path = environ.get("PATH", os.defpath)
    if environment is None:
        return {"PATH": path}
    return {"PATH": f"{environment / 'bin'}{os.pathsep}{path}", "VIRTUAL_ENV": str(environment)}
