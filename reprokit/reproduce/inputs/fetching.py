"""Repositories fetched from the hub at their commits, by `huggingface_hub` in a Python that holds nothing foreign.

It is told where the user's token lies, reads it there, and shows it to nobody but the hub. Neither the run nor the
Python that it will have, which holds the bundle's code, gets any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reprokit.bundle.values import Json
from reprokit.errors import InputMissingError, RemoteError, ReprokitError
from reprokit.probes.subject.parts import without_credentials
from reprokit.reproduce.environment.uv import NOWHERE, variables, without_user
from reprokit.reproduce.inputs.asking_python import Answer, ask, needed
from reprokit.reproduce.inputs.repositories import Repository

_OF_THE_HUB = ("HF_ENDPOINT", "HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_ISOLATED = ("run", "--quiet", "--no-project", "--isolated", "--no-build", "--with", "huggingface_hub", "--", "python")
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
        python: the rebuilt environment's own, without any token: only for want of `uv` or of the library from there.
        uv: the uv program, which gives the library to a Python of its own.
        environ: the user's variables.

    Returns:
        The folder of the snapshot in `cache`.

    Raises:
        RemoteError: the hub does not answer.
        InputMissingError: the hub does not give it, or there is nothing to fetch it with.
    """
    cache = cache.absolute()
    question: dict[str, Json] = {
        "kind": repository.kind,
        "name": repository.name,
        "revision": commit,
        "cache": str(cache),
        "files": [file.path for file in repository.files] if repository.all_listed else None,
    }
    cache.mkdir(parents=True, exist_ok=True)
    asked = _with_token(uv, question, environ, cache)
    untold = asked if isinstance(asked, str) else ""
    answer = _without_token(python, question, environ, cache) if isinstance(asked, str) else asked
    if answer is None:
        raise InputMissingError(
            f"nothing here can fetch `{repository.name}` from the hub: {untold}",
            hint="install uv, or fetch it into your Hugging Face cache",
        )
    if answer.error:
        raise _failure(repository, commit, answer, environ, untold=untold)
    return cache / repository.folder / "snapshots" / commit


def _with_token(uv: Path | None, question: dict[str, Json], environ: Mapping[str, str], cache: Path) -> Answer | str:
    """Fetch with the user's token, by a Python of uv's making; says why that cannot be done here."""
    if uv is None:
        return "uv is not installed"
    home = environ.get("HOME") or str(Path.home())
    cached = environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    own = environ.get("HF_HOME") or f"{cached}/huggingface"
    known = {
        **variables(environ),
        **{name: environ[name] for name in (*_OF_THE_HUB, *_TOKENS) if name in environ},
        **_in_cache(cache),
        "HOME": home,
        "HF_TOKEN_PATH": environ.get("HF_TOKEN_PATH") or f"{own}/token",
    }
    try:
        answer = ask([str(uv), *_ISOLATED], "fetching", question, environ=known, directory=NOWHERE)
    except InputMissingError as error:
        return error.message
    return answer or "uv does not give `huggingface_hub`"


def _without_token(
    python: Path | None, question: dict[str, Json], environ: Mapping[str, str], cache: Path
) -> Answer | None:
    """Fetch by a Python that may hold foreign code: nothing leads it to a secret or to the home of the user."""
    if python is None:
        return None
    known = {name: without_user(environ[name]) for name in _OF_THE_HUB if name in environ}
    known |= {**needed(environ), **_in_cache(cache), "HOME": str(cache)}
    return ask([str(python)], "fetching", question, environ=known, directory=cache)


def _in_cache(cache: Path) -> dict[str, str]:
    return {
        "HF_HOME": str(cache),
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


def _failure(
    repository: Repository, commit: str, answer: Answer, environ: Mapping[str, str], *, untold: str
) -> ReprokitError:
    address = without_credentials(environ["HF_ENDPOINT"]) if "://" in environ.get("HF_ENDPOINT", "") else ""
    hub = f"the hub at `{address}`" if address else "the Hugging Face hub"
    what = f"the {repository.kind} `{repository.name}`"
    # When the hub does not answer, this tells that the cache does not have it either.
    names = set() if "LocalEntryNotFoundError" in answer.error else set(answer.error)
    if names & _NOT_LET_IN and untold:
        return InputMissingError(
            f"{hub} does not give {what} to whoever shows no token: {untold}",
            hint="install uv: only a Python of its own is shown your token",
        )
    if names & _NOT_LET_IN:
        return InputMissingError(
            f"{hub} does not give {what}: it is gone, or you are not let in",
            hint="log in with `hf auth login`, or set HF_TOKEN; a gated one must be asked for on its page",
        )
    if names & _NOT_THERE:
        return InputMissingError(f"{hub} no longer has {what} at `{commit}`")
    return RemoteError(f"{what} cannot be fetched from {hub}: {answer.reason}")
