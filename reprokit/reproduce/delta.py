"""What is not as it was recorded."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class Delta(Struct, frozen=True, kw_only=True):
    """One thing that a re-run has otherwise than the run had it."""

    what: Annotated[str, Meta(examples=["torch", "GPU", "Python"])]
    recorded: Annotated[str, Meta(examples=["2.13.0"])]
    here: Annotated[str, Meta(examples=["2.13.1", "none"])]
    reason: Annotated[str, Meta(description="why, where it is known", examples=["the index has no such version"])] = ""
