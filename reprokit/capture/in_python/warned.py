"""Warning the user of a program that captures itself: at their own line, and never by an exception."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from pathlib import Path
from types import FrameType

import reprokit

_OURS = (str(Path(reprokit.__file__).parent) + os.sep, contextlib.__file__)


class CaptureWarning(UserWarning):
    """A capture that lacks something, or failed; the program goes on."""


def warn(text: str) -> None:
    """Warn; where warnings are errors, on stderr, since they would end the block."""
    frame = _users_frame()
    known = frame.f_globals if frame else {}
    try:
        warnings.warn_explicit(
            f"reprokit: {text}",
            CaptureWarning,
            filename=frame.f_code.co_filename if frame else "<unknown>",
            lineno=frame.f_lineno if frame else 0,
            module=known.get("__name__"),
            registry=known.setdefault("__warningregistry__", {}),
        )
    except CaptureWarning:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"reprokit: WARNING: {text}\n")


def _users_frame() -> FrameType | None:
    """Find the call into this package: `skip_file_prefixes` of `warnings.warn`, which Python 3.11 has not."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame
