"""Every failure a user can meet: a message, a hint and an exit code.

The exit codes are a public interface: `docs/reference.md` lists them and they never change their meaning.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of a `reprokit` command means."""

    FINE = 0
    DIFFERENCES = 1
    USAGE = 2
    BUG = 3
    NOT_FOUND = 10
    UNREADABLE = 11
    FIXITY = 12
    INVALID_RECORD = 13
    EVALUATION_FAILED = 20
    INPUT_MISSING = 21
    NO_CONSENT = 22
    CAPTURE_FAILED = 23
    REMOTE = 30
    CANNOT_START = 125
    INTERRUPTED = 130


class ReprokitError(Exception):
    """A failure told in the user's words: one line, then what to do next."""

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ReprokitError):
    """The call itself cannot be carried out as given."""

    exit_code = ExitCode.USAGE


class NotFoundError(ReprokitError):
    """No such bundle, archive or file."""

    exit_code = ExitCode.NOT_FOUND


class UnreadableError(ReprokitError):
    """Something is there, but it is not a format this version can read."""

    exit_code = ExitCode.UNREADABLE


class NewerFormatError(UnreadableError):
    """It was made by a later version, in a format that this one does not know."""


class FixityError(ReprokitError):
    """The bytes are no longer the bytes that were captured."""

    exit_code = ExitCode.FIXITY


class InvalidRecordError(ReprokitError):
    """A record does not follow its schema."""

    exit_code = ExitCode.INVALID_RECORD


class EvaluationFailedError(ReprokitError):
    """A reproduction ran, and the evaluation in it failed."""

    exit_code = ExitCode.EVALUATION_FAILED


class StoppedError(ReprokitError):
    """Somebody asked for the end before there was one."""

    exit_code = ExitCode.INTERRUPTED


class InputMissingError(ReprokitError):
    """Something that the run needs is not to be had here."""

    exit_code = ExitCode.INPUT_MISSING


class NoConsentError(ReprokitError):
    """Foreign code would have run, and nobody agreed to it."""

    exit_code = ExitCode.NO_CONSENT


class CaptureError(ReprokitError):
    """The evaluation is over, and its outputs could not be captured."""

    exit_code = ExitCode.CAPTURE_FAILED


class RemoteError(ReprokitError):
    """A remote or a mirror cannot be reached, or does not do what it was asked."""

    exit_code = ExitCode.REMOTE


class CannotStartError(ReprokitError):
    """The evaluation's command could not be started at all."""

    exit_code = ExitCode.CANNOT_START
