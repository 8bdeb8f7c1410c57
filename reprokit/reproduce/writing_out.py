"""What in a restored workspace would let a run write, upload or read old answers outside of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from reprokit.bundle.record import Record
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.reproduce.workspace import Workspace
from reprokit.rerun.parts import Place
from reprokit.rerun.values import Rerun

_LARGEST = 1 << 20
_MOST_LINKS = 1000
_OPTIONS = (
    "output_path", "use_cache", "cache_requests", "wandb_args", "wandb_config_args", "wandb_log_samples",
    "hf_hub_log_args", "trackio_args", "swanlab_args", "swanlab_log_samples", "push_to_hub",
)  # fmt: skip
_SAYS = re.compile(
    rf"^[ \t\"']*-{{0,2}}(?P<option>{'|'.join(_OPTIONS)})[\"']?[ \t]*[:=][ \t]*(?P<value>\S.*)$", re.MULTILINE
)
_NOTHING = re.compile(r"(null|~|none|false|\"\"|''|\{\}|\[\]),?(\s+#.*)?", re.IGNORECASE)


def require_outputs_inside(record: Record, directory: Path, workspace: Workspace) -> None:
    """Refuse a run that would write its results through a link to somewhere else.

    Raises:
        InvalidRecordError: it would.
    """
    for output in record.invocation.outputs:
        if output.argument is None and not output.path.startswith("/"):
            found = Path(os.path.realpath(directory / output.path))
            if not found.is_relative_to(workspace.root):
                raise InvalidRecordError(
                    f"it writes to `{output.path}`, which leads to `{found}`, outside of the workspace",
                    hint="there is no way to redirect it: run it by hand, in a copy without that link",
                )


def links_out(workspace: Workspace) -> Iterator[str]:
    """Yield what is to be said of links in the checkouts that lead out of the workspace."""
    count = 0
    for top in (workspace.source, workspace.root / "sources"):
        for folder, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name != ".git"]
            for name in (*folders, *files):
                path = Path(folder, name)
                if not path.is_symlink():
                    continue
                count += 1
                if count > _MOST_LINKS:
                    return
                found = os.path.realpath(path)
                if not Path(found).is_relative_to(workspace.root) and os.path.lexists(found):
                    yield f"`{path.relative_to(workspace.root)}` is a link to `{found}`, and may be written through"


def require_harmless_settings(again: Rerun, directory: Path, workspace: Workspace) -> None:
    """Refuse a file of settings that asks for what a re-run must not do, and no argument takes back.

    Raises:
        InputMissingError: it does, or cannot be read.
    """
    places = (part for parts in again.argv for part in parts if isinstance(part, Place))
    redirected = any(place.folder == "outputs" for place in places)
    for parts in again.settings:
        path = directory / workspace.text(parts, {})
        try:
            text = path.read_bytes()[:_LARGEST].decode("utf-8", errors="replace")
        except OSError as error:
            raise InputMissingError(f"the settings in `{path.name}` cannot be read: {error.strerror}") from error
        for match in _SAYS.finditer(text):
            if match["option"] == "output_path" and redirected:
                continue
            if not _NOTHING.fullmatch(match["value"].strip()):
                raise InputMissingError(
                    f"`{path.name}` sets `{match['option']}`: a re-run would write elsewhere, or take old answers",
                    hint="set it on the command line when you capture, where it can be redirected or left out",
                )
