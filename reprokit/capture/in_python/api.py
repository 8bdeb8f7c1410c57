"""What `import reprokit` gives to a program: capturing a block of it, and opening bundles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from reprokit.archive.location import locate
from reprokit.archive.references import resolve
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture.in_python.block import Place, Run
from reprokit.capture.in_python.warned import CaptureWarning
from reprokit.errors import NotFoundError

__all__ = ["CaptureWarning", "Run", "capture", "open_reference"]


def capture(  # noqa: PLR0913 - one for each thing that may be said of a capture
    *,
    name: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    archive: Place | None = None,
    task: str = "script",
    strict: bool = False,
    samples: Literal["full", "digest"] | None = None,
    defer: bool | None = None,
    mirror: bool | None = None,
) -> Run:
    """Capture a block of the running program as a bundle.

        with reprokit.capture(name="baseline") as run:
            run.sample(id=0, prompt="1+1=", target="2", response="2", scores={"exact_match": 1.0})

    Packages, checkouts, variables and hardware are observed in this process. Metrics that are not given are the means
    of the samples' scores. An exception of the block marks the bundle as incomplete, and goes on its way.

    Args:
        name: what to call the bundle.
        tags: labels to find it by.
        note: a line about it.
        archive: the archive; else that of `REPROKIT_ARCHIVE`, `reprokit.toml`, or the default one.
        task: the task of samples and metrics that name none.
        strict: raise what goes wrong with the capture, where else it is a warning and `Run.failure`.
        samples: `digest` keeps the content of samples out; else as `reprokit.toml` and the environment say, or `full`.
        defer: leave registering to another process; else as they say.
        mirror: let the bundle wait for its mirror, to which `reprokit sync` sends it; else as they say.
    """
    label = Label(name=name, tags=(tags,) if isinstance(tags, str) else tuple(tags), note=note)
    return Run(label=label, archive=archive, task=task, strict=strict, samples=samples, defer=defer, mirror=mirror)


def open_reference(reference: Place | None, archive: Place | None) -> Bundle:
    """Open a bundle by id, a beginning of one, path or `latest`: `reprokit.open`."""
    if reference is None:
        raise NotFoundError(
            "there is no bundle to open: the id is `None`, as that of a run that was not captured",
            hint="`run.failure` says why; look at it before you open the bundle",
        )
    named, text = None if archive is None else Path(archive), os.fspath(reference)
    try:
        place = locate(named, environment=os.environ, directory=Path.cwd())
    except NotFoundError:
        # A path to a bundle needs no archive.
        if archive is not None or not Path(text).exists():
            raise
        place = None
    return open_bundle(resolve(text, place))
