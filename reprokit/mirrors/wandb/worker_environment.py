"""The environment of the process that holds W&B's client: what it needs, by name, and nothing else of ours.

Everything that the client would note about the machine, the code, the console or the packages is off, and every folder
it writes to is one that is gone afterwards.
"""

from __future__ import annotations

from pathlib import Path

from reprokit.mirrors.interface import Environment
from reprokit.mirrors.wandb import marked_processes, web

PASSING = "REPROKIT_MIRROR_FOLDER"
"""A folder of the process alone, which it takes away itself when nobody is left to do so."""
_FOLDERS = ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR", "HOME")
_PASSED = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    "SSL_CERT_DIR",
)
# Our own patience is outside of it (`sync.backoff`): inside, a few quick tries bridge a hiccup.
_TRIES = {
    "GRAPHQL": {
        "RETRY_MAX": "2",
        "RETRY_WAIT_MIN_SECONDS": "0.2",
        "RETRY_WAIT_MAX_SECONDS": "1",
        "TIMEOUT_SECONDS": "20",
    },
    "FILE_TRANSFER": {"RETRY_MAX": "3", "RETRY_WAIT_MIN_SECONDS": "0.2", "RETRY_WAIT_MAX_SECONDS": "2"},
    "FILE_STREAM": {"RETRY_MAX": "3", "RETRY_WAIT_MIN_SECONDS": "0.2", "RETRY_WAIT_MAX_SECONDS": "2"},
}
_SETTINGS = {
    "WANDB_CONSOLE": "off",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_SAVE_CODE": "false",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_HOST": "",
    "WANDB_X_DISABLE_MACHINE_INFO": "true",
    "WANDB_X_DISABLE_META": "true",
    "WANDB_X_DISABLE_STATS": "true",
    "WANDB_X_SAVE_REQUIREMENTS": "false",
    "WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL": "1",
}


def made(environment: Environment, *, address: str, key: str | None, scratch: Path, mark: str) -> dict[str, str]:
    """Make the environment of the process; `scratch` is the folder that is gone afterwards."""
    passed = {name: environment[name] for name in _PASSED if environment.get(name)}
    for name in (*web.PROXIES, *(each.upper() for each in web.PROXIES)):
        if environment.get(name):
            passed[name] = environment[name]
    # The client's two halves read one of these each.
    certificates = next((environment[each] for each in web.CERTIFICATES if environment.get(each)), None)
    if certificates is not None:
        passed |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), certificates)
    tries = {f"WANDB_X_{what}_{name}": value for what, settings in _TRIES.items() for name, value in settings.items()}
    folders = {name: str(scratch / name.lower()) for name in _FOLDERS}
    # The home is not the user's: no key, no setting and no netrc file of theirs is seen.
    own = {"WANDB_BASE_URL": address, "NETRC": str(scratch / "no-netrc"), marked_processes.NAME: mark}
    secret = {"WANDB_API_KEY": key} if key else {}
    return passed | _SETTINGS | tries | folders | own | secret


def bytecode(environment: Environment) -> list[str]:
    """Give the options for Python that say of bytecode what the variables say, which it is not given."""
    prefix = environment.get("PYTHONPYCACHEPREFIX")
    kept = ["-X", f"pycache_prefix={Path(prefix).absolute()}"] if prefix else []
    return [*kept, "-B"] if environment.get("PYTHONDONTWRITEBYTECODE") else kept


def make_folders(environment: Environment) -> None:
    """Make the folders that such an environment names."""
    for name in _FOLDERS:
        Path(environment[name]).mkdir(parents=True, exist_ok=True)
