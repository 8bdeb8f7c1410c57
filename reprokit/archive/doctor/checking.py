"""Whether this machine and an archive are fit to capture and keep evaluations: one statement for each check."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.archive import location, settings
from reprokit.archive.layout import SETTINGS, Archive
from reprokit.bundle.finding import hint as hint_of
from reprokit.errors import ReprokitError

State = Literal["fail", "warn", "ok"]
STATES: tuple[State, ...] = ("fail", "warn", "ok")
"""Worst first."""
_PREFIX = "REPROKIT_"
_LIKE = 0.8  # they all begin alike


class Check(Struct, frozen=True, kw_only=True):
    """What came of one check; `reprokit doctor --json` prints a list of them."""

    check: Annotated[str, Meta(description="what was looked at", examples=["free space"])]
    state: Annotated[State, Meta(description="`fail`: something does not work; `warn`: something is lost, or may be")]
    message: str
    hint: Annotated[str | None, Meta(description="what to do about it")] = None


def ok(check: str, message: str) -> Check:
    """Say that all is well."""
    return Check(check=check, state="ok", message=message)


def warn(check: str, message: str, hint: str) -> Check:
    """Say that something is lost, or may be."""
    return Check(check=check, state="warn", message=message, hint=hint)


def fail(check: str, message: str, hint: str | None) -> Check:
    """Say that something does not work."""
    return Check(check=check, state="fail", message=message, hint=hint)


Look = Callable[[Archive], Iterator[Check]]


def examine(archive: Archive, looks: Mapping[str, Look]) -> Iterator[Check]:
    """Look at an archive in several ways, by name; one that ends in an error does not end the others."""
    for name, look in looks.items():
        try:
            yield from look(archive)
        except ReprokitError as error:
            yield fail(name, error.message, error.hint)
        except OSError as error:
            reason = error.strerror or str(error)
            yield fail(name, f"`{error.filename or archive.root}`: {reason}", "mend it, then ask again")


def find(named: Path | None, environment: Mapping[str, str], directory: Path) -> tuple[location.Located | None, Check]:
    """Find the archive to use, and say who named it or what is wrong with it."""
    try:
        found = location.find(named, environment=environment, directory=directory)
    except location.NoArchiveYetError as error:
        return None, warn("archive", error.message, error.hint or "`reprokit init DIR`")
    except ReprokitError as error:
        return None, fail("archive", error.message, error.hint)
    return found, ok("archive", f"`{found.archive.root}`, named by {found.named_by}")


def check_settings(archive: Archive | None, directory: Path) -> Iterator[Check]:
    """Say what in the settings files nobody reads."""
    files = list(location.settings_files(directory))
    if archive is not None:
        files.append(archive.root / SETTINGS)
    # The same file may be met twice.
    unknown = {
        each for path in dict.fromkeys(map(os.path.abspath, files)) for each in settings.unknown_keys(Path(path))
    }
    for each in sorted(unknown):
        yield warn("settings", f"`{each.where}`: {each.message}", hint_of(each.code))
    if not unknown:
        yield ok("settings", "every table at the top of a `reprokit.toml` is known")


def check_variables(given: Iterable[str], known: Collection[str]) -> Iterator[Check]:
    """Say which environment variables, by their names, look like settings and are read by nobody."""
    for name in sorted(given):
        if not name.upper().startswith(_PREFIX) or name in known:
            continue
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_LIKE)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(f'`{each}`' for each in known)}"
        yield warn("settings", f"nobody reads the variable `{name}`", hint)
