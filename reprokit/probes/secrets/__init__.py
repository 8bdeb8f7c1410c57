"""Secrets: what this machine holds of them, and keeping them out of everything that is captured."""

from reprokit.probes.secrets.known import Secrets, collect, with_values
from reprokit.probes.secrets.redaction import (
    fill,
    names_in_file,
    names_in_stream,
    names_in_text,
    redact_argv,
    redact_file,
    redact_json,
    redact_string,
    redact_text,
    with_argv,
)

__all__ = [
    "Secrets",
    "collect",
    "fill",
    "names_in_file",
    "names_in_stream",
    "names_in_text",
    "redact_argv",
    "redact_file",
    "redact_json",
    "redact_string",
    "redact_text",
    "with_argv",
    "with_values",
]
