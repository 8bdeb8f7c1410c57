"""Where W&B's client writes: in the working directory, by a name that tells nothing of this machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_HERE = Path("/proc/self/cwd")
_DATA = "wandb-data"


def work_in(folder: Path, *, keep: bool = False) -> None:
    """Make a folder the working directory, and let the client put its copies of files there.

    It uploads the path of each copy that it makes, of tables for example. Where the system has a name for "the working
    directory of whoever asks", that is the path. Elsewhere the copies go to the system's folder for passing files,
    unless they are to be kept.
    """
    os.chdir(folder)
    nameless = _HERE.exists() and _HERE.samefile(folder)
    base = _HERE if nameless else folder if keep else Path(tempfile.gettempdir())
    os.environ["WANDB_DATA_DIR"] = str(base / _DATA)
    (folder / _DATA).mkdir(exist_ok=True)
