"""The workspace of a re-run: an isolated checkout, an environment, and a folder for outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive.locks import CompletedLock
from reprokit.bundle import rerun
from reprokit.bundle.reading import Bundle
from reprokit.bundle.rerun import Part, Place, Rerun
from reprokit.bundle.values import SecretSlot
from reprokit.errors import InputMissingError, InvalidRecordError, UsageError
from reprokit.reproduce import environment
from reprokit.reproduce.plan import Plan, carried, recorded_pins
from reprokit.sources.restoring import restore

# What a program needs to find itself at home on a machine, and nothing that names the caller's secrets or settings.
_AMBIENT = (
    "HOME", "LOGNAME", "USER", "SHELL", "TERM", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "CUDA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "PYENV_ROOT", "PYENV_VERSION",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where a re-run happens. `remarks` say what is not as recorded."""

    root: Path
    remarks: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        """The checkout."""
        return self.root / "source"

    @property
    def environment(self) -> Path:
        """The rebuilt Python, when it was rebuilt."""
        return self.root / "environment"

    @property
    def outputs(self) -> Path:
        """Where results go."""
        return self.root / "outputs"

    def place(self, part: Part, secrets: Mapping[str, str]) -> str:
        """Turn a part of an argument into text.

        Raises:
            InputMissingError: it is a secret that is not given.
            InvalidRecordError: it is a place outside of the workspace.
        """
        match part:
            case Place(folder=folder, path=path):
                top = self.root / folder
                place = Path(os.path.normpath(top / path))
                if not place.is_relative_to(top):
                    raise InvalidRecordError(f"the record names `{path}`, outside of the workspace")
                return str(place)
            case SecretSlot(secret=name):
                if not secrets.get(name):
                    raise InputMissingError(f"the secret `{name}` is not set", hint=f"export {name}=… and try again")
                return secrets[name]
            case _:
                return part


def prepare(
    bundle: Bundle,
    plan: Plan,
    root: Path,
    *,
    origin: str | None,
    environ: Mapping[str, str],
    allow_sdist: bool,
    completed: CompletedLock | None = None,
) -> Workspace:
    """Restore the source and rebuild the environment in an empty folder.

    `completed` is what an index said of the packages: a file of another digest is then not installed.

    Raises:
        UsageError: the folder is not empty.
        InputMissingError: something that the run needs is not to be had.
        FixityError: the restored source is not the tree that was captured.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise UsageError(f"the workspace `{root}` is not empty", hint="name a new folder, or leave `--workspace` out")
    workspace = Workspace(root=root.resolve())
    workspace.outputs.mkdir()
    source = rerun.main_source(bundle.record, bundle.sources)
    if source is None:
        workspace.source.mkdir()
    else:
        patch, carried_history = carried(bundle, source.patch), carried(bundle, source.git_bundle)
        if source.patch and patch is not None:
            # The stored patch may be compressed; git wants it plain.
            plain = workspace.root / "source.patch"
            plain.write_bytes(bundle.read_payload(source.patch))
            patch = plain
        restore(source, patch=patch, git_bundle=carried_history, origin=origin, destination=workspace.source)
    _require_inputs(bundle, workspace)
    remarks: tuple[str, ...] = ()
    if plan.environment.mode == "rebuild" and plan.environment.python is not None:
        pins, _ = recorded_pins(bundle, completed)
        remark = environment.rebuild(
            plan.environment.python, pins, workspace.environment, environ=environ, allow_sdist=allow_sdist
        )
        remarks = (remark,) if remark else ()
    return Workspace(root=workspace.root, remarks=remarks)


def _require_inputs(bundle: Bundle, workspace: Workspace) -> None:
    directory = workspace.source / bundle.record.invocation.directory_in_source
    if not directory.is_dir():
        raise InputMissingError(f"the source has no folder `{bundle.record.invocation.directory_in_source}`")
    for each in bundle.record.invocation.inputs:
        if each.inside and not each.path.startswith("/") and not (directory / each.path).exists():
            raise InputMissingError(
                f"`{each.path}` was there when the run began, but is neither in its commit nor in its patch",
                hint="was it ignored by git, or too large? `left_out` in the bundle's `source/` says so",
            )


def variables(again: Rerun, workspace: Workspace, *, rebuilt: bool, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment variables of a re-run: the machine's few, the recorded ones, and PATH."""
    values = {name: environ[name] for name in _AMBIENT if name in environ}
    values |= {name: "".join(workspace.place(part, environ) for part in parts) for name, parts in again.variables}
    return values | environment.activated(environ, workspace.environment if rebuilt else None)


def command(again: Rerun, workspace: Workspace, *, rebuilt: bool, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the command line of a re-run.

    Raises:
        InputMissingError: a secret is not given.
    """
    argv = tuple("".join(workspace.place(part, environ) for part in argument) for argument in again.argv)
    first = again.argv[0][0]
    if not rebuilt and isinstance(first, Place) and first.folder == "environment":
        # Without a rebuilt environment the program is the one of that name on PATH.
        return (first.path.rpartition("/")[2], *argv[1:])
    return argv
