"""The workspace of a re-run: one new folder, below which everything is that it reads of ours and writes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive.settings import is_archive
from reprokit.bundle.values import SecretSlot
from reprokit.errors import InputMissingError, InvalidRecordError, UnreadableError, UsageError
from reprokit.rerun.parts import Part, Parts, Place


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where a re-run happens. `root` is absolute and has no link in it."""

    root: Path

    @property
    def source(self) -> Path:
        """The checkout that the command is run in; an empty folder where there is none."""
        return self.root / "source"

    @property
    def environment(self) -> Path:
        """The rebuilt Python, when it was rebuilt."""
        return self.root / "environment"

    @property
    def outputs(self) -> Path:
        """Where results go."""
        return self.root / "outputs"

    @property
    def hub(self) -> Path:
        """The `HF_HOME` of the run."""
        return self.root / "huggingface"

    def path(self, place: Place) -> Path:
        """Find a place.

        Raises:
            InvalidRecordError: it is outside of the workspace.
        """
        top = self.root / place.folder
        path = Path(os.path.normpath(top / place.path))
        if not path.is_relative_to(top):
            raise InvalidRecordError(f"the record names `{place.path}`, outside of the workspace")
        return path

    def text(self, parts: Parts, secrets: Mapping[str, str]) -> str:
        """Write an argument or the value of a variable.

        Raises:
            InputMissingError: it needs a secret that is not given.
            InvalidRecordError: it names a place outside of the workspace.
        """
        return "".join(self._part(part, secrets) for part in parts)

    def _part(self, part: Part, secrets: Mapping[str, str]) -> str:
        match part:
            case Place():
                return str(self.path(part))
            case SecretSlot(secret=name):
                if not secrets.get(name):
                    raise InputMissingError(f"the secret `{name}` is not set", hint=f"export {name}=… and try again")
                return secrets[name]
            case _:
                return part


def require_place(root: Path, *taken: Path) -> None:
    """Refuse a folder that cannot be a workspace before anything is planned for it; nothing is made.

    Args:
        root: the folder.
        taken: folders that a workspace would damage; archives are known without.

    Raises:
        UsageError: it lies in an archive or in one of these folders, or is not empty.
    """
    meant = root.resolve()
    inside = [each for each in map(Path.resolve, taken) if meant.is_relative_to(each)]
    damaged = next((each for each in (meant, *meant.parents) if each in inside or _is_archive(each)), None)
    if damaged is not None:
        what = "archive" if _is_archive(damaged) else "bundle"
        elsewhere = Path(tempfile.gettempdir(), "reprokit-workspace")
        raise UsageError(
            f"the workspace `{root}` is inside of the {what} `{damaged}`, which a run would damage",
            hint=f"name a folder elsewhere, such as `--workspace {elsewhere}`",
        )
    _require_empty(root)


def _is_archive(folder: Path) -> bool:
    try:
        return is_archive(folder)
    except UnreadableError:
        # Whatever is wrong with its settings, it is no place for a run.
        return True


def _require_empty(root: Path) -> None:
    try:
        taken = root.exists() and any(root.iterdir())
    except OSError as error:
        raise UsageError(f"`{root}` cannot be a workspace: {error.strerror}", hint="name a new folder") from error
    if taken:
        raise UsageError(f"the workspace `{root}` is not empty", hint="name a new folder, or leave `--workspace` out")


def new_workspace(root: Path) -> Workspace:
    """Begin a workspace in a new or empty folder.

    Raises:
        UsageError: the folder is not empty, or cannot be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"`{root}` cannot be a workspace: {error.strerror}", hint="name a new folder") from error
    _require_empty(root)
    workspace = Workspace(root=root.resolve())
    workspace.source.mkdir()
    workspace.outputs.mkdir()
    return workspace
