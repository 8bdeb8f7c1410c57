"""What a re-run is given of this machine: nothing that names the user's secrets, settings or places, unless asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Shared = Literal["home", "caches"]

# What a program needs to find itself at home on a machine.
_MACHINE = (
    "LOGNAME", "USER", "SHELL", "TERM", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PYENV_ROOT", "PYENV_VERSION",
)  # fmt: skip
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CACHES = (
    "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "TRANSFORMERS_CACHE", "TORCH_HOME",
    "XDG_CACHE_HOME",
)  # fmt: skip


def machine_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables of this machine that a re-run has; a proxy that takes a password is none of them."""
    kept = {name: environ[name] for name in _MACHINE if name in environ}
    return kept | {name: environ[name] for name in _PROXIES if "@" not in environ.get(name, "@")}


def home_variables(
    root: Path, environ: Mapping[str, str], shared: frozenset[Shared], *, current: bool
) -> dict[str, str]:
    """Give a re-run a home and a place for temporary files in the workspace `root`, or what the user shares.

    With `current`, packages of the user's own (`pip install --user`) are found as they are outside of the workspace.
    """
    home = environ.get("HOME", "/")
    values = {"HOME": home if "home" in shared else str(root / "home"), "TMPDIR": str(root / "tmp")}
    for folder in ("home", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    if "caches" in shared:
        caches = environ.get("XDG_CACHE_HOME") or str(Path(home, ".cache"))
        values |= {"XDG_CACHE_HOME": caches, "HF_HOME": str(Path(caches, "huggingface"))}
        values |= {name: environ[name] for name in _CACHES if name in environ}
    if current:
        values["PYTHONUSERBASE"] = environ.get("PYTHONUSERBASE") or str(Path(home, ".local"))
    return values
