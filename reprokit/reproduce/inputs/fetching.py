"""Repositories fetched from the hub at their commits, by `huggingface_hub` in a Python of its own.

It is told where the user's token lies, reads it there, and shows it to nobody but the hub. The run gets none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reprokit.errors import InputMissingError, RemoteError, ReprokitError
from reprokit.probes.subject.parts import without_credentials
from reprokit.reproduce.inputs.asking_python import Answer, ask, needed
from reprokit.reproduce.inputs.repositories import Repository

_OF_THE_HUB = ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
_OF_UV = ("UV_", "PIP_")
_ISOLATED = ("run", "--quiet", "--no-project", "--isolated", "--with", "huggingface_hub", "--", "python")
_NOT_LET_IN = frozenset({"GatedRepoError", "RepositoryNotFoundError"})
_NOT_THERE = frozenset({"RevisionNotFoundError", "EntryNotFoundError"})


def fetch(
    repository: Repository,
    commit: str,
    cache: Path,
    *,
    python: Path | None,
    uv: Path | None,
    environ: Mapping[str, str],
) -> Path:
    """Fetch a repository at a commit: the files that the record lists, or all when it does not list them.

    Args:
        repository: which one.
        commit: its revision.
        cache: a folder of the workspace that the library may use as its cache.
        python: the rebuilt environment's own; without it, or without the library in it, `uv` fetches the library.
        uv: the uv program.
        environ: the user's variables.

    Returns:
        The folder of the snapshot in `cache`.

    Raises:
        RemoteError: the hub does not answer.
        InputMissingError: the hub does not give it, or there is nothing to fetch it with.
    """
    question = {
        "kind": repository.kind,
        "name": repository.name,
        "revision": commit,
        "cache": str(cache),
        "files": [file.path for file in repository.files] if repository.all_listed else None,
    }
    cache.mkdir(parents=True, exist_ok=True)
    variables = _variables(environ, cache)
    answer = None
    if python is not None:
        answer = ask([str(python)], "fetching", question, environ=variables, directory=cache)
    if answer is None and uv is not None:
        of_uv = {name: value for name, value in environ.items() if name.startswith(_OF_UV)}
        answer = ask([str(uv), *_ISOLATED], "fetching", question, environ=variables | of_uv, directory=cache)
    if answer is None:
        raise InputMissingError(
            f"nothing here can fetch `{repository.name}` from the hub",
            hint="install uv, or fetch it into your Hugging Face cache",
        )
    if answer.error:
        raise _failure(repository, commit, answer, environ)
    return cache / repository.folder / "snapshots" / commit


def _variables(environ: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Give the variables to fetch with: the user's address and token of the hub, and no folder of the user's own."""
    home = environ.get("HOME") or str(Path.home())
    cached = environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    own = environ.get("HF_HOME") or f"{cached}/huggingface"
    passed_on = {name: environ[name] for name in _OF_THE_HUB if name in environ}
    return {
        **needed(environ),
        **passed_on,
        "HOME": home,
        "HF_TOKEN_PATH": environ.get("HF_TOKEN_PATH") or f"{own}/token",
        "HF_HOME": str(cache),
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


def _failure(repository: Repository, commit: str, answer: Answer, environ: Mapping[str, str]) -> ReprokitError:
    address = without_credentials(environ["HF_ENDPOINT"]) if "://" in environ.get("HF_ENDPOINT", "") else ""
    hub = f"the hub at `{address}`" if address else "the Hugging Face hub"
    what = f"the {repository.kind} `{repository.name}`"
    # When the hub does not answer, this tells that the cache does not have it either.
    names = set() if "LocalEntryNotFoundError" in answer.error else set(answer.error)
    if names & _NOT_LET_IN:
        return InputMissingError(
            f"{hub} does not give {what}: it is gone, or you are not let in",
            hint="log in with `hf auth login`, or set HF_TOKEN; a gated one must be asked for on its page",
        )
    if names & _NOT_THERE:
        return InputMissingError(f"{hub} no longer has {what} at `{commit}`")
    return RemoteError(f"{what} cannot be fetched from {hub}: {answer.reason}")
