"""Options that several commands share, and how they show what they return."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from reprokit.archive.location import Archive, NoArchiveYetError, locate
from reprokit.bundle import canonical
from reprokit.bundle.values import NotScored, Score
from reprokit.cli.messages import visible_json
from reprokit.errors import NotFoundError, UsageError

F = TypeVar("F", bound=Callable[..., Any])

archive_option = click.option(
    "--archive",
    "archive",
    type=click.Path(path_type=Path, file_okay=False),
    help="The archive. Default: REPROKIT_ARCHIVE, `archive` in reprokit.toml, or your default archive.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, its shape documented.")


def find_archive(named: Path | None, *, create: bool = False) -> Archive:
    """Find the archive that a command is to work on."""
    return locate(named, environment=os.environ, directory=Path.cwd(), create=create)


def require_some_or_all(references: tuple[str, ...], *, everything: bool) -> None:
    """Refuse a call that names neither some bundles nor all, or both.

    Raises:
        UsageError: it does.
    """
    if references and everything:
        raise UsageError("`--all` is every bundle, and some are named too", hint="leave out `--all`, or the names")
    if not (references or everything):
        raise UsageError("name bundles, or use `--all`", hint="`reprokit list` names them")


def require_writable(archive: Archive, why: str) -> None:
    """Refuse an archive that this person may only read; `why` says what would be, as half a sentence.

    Raises:
        UsageError: it is one.
    """
    places = (archive.scratch, archive.private, archive.root)
    if not os.access(next((place for place in places if place.is_dir()), archive.root), os.W_OK):
        raise UsageError(
            f"the archive `{archive.root}` cannot be written, and {why}",
            hint="mend its permissions, or do it in a copy that you may write",
        )


def find_archive_if_any(named: Path | None) -> Archive | None:
    """Find the archive to work on; `None` when nobody has named one, and the default one was not made yet."""
    try:
        return find_archive(named)
    except NoArchiveYetError:
        return None


def find_archive_to_ask(named: Path | None) -> Archive | None:
    """Find the archive for what it may know of a bundle that lies elsewhere; `None` when none is there."""
    try:
        return find_archive(named)
    except NotFoundError:
        if named is not None:
            raise
        return None


def _written(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    message = f"{type(value).__name__} has no JSON form"
    raise TypeError(message)


def print_json(value: object) -> None:
    """Print a value as canonical JSON."""
    text = canonical.record(msgspec.to_builtins(value, enc_hook=_written)).decode()
    click.echo(visible_json(text), nl=False)


def counted(amount: int, word: str, several: str | None = None) -> str:
    """Write a number of things: `1 sample`, `2 samples`; `several` is a plural of another kind."""
    return f"{amount} {word}" if amount == 1 else f"{amount} {several or word + 's'}"


def table(rows: list[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Align rows of cells in columns; the columns in `right` hold numbers."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def score(value: Score) -> str:
    """Write a score for a table."""
    match value:
        case NotScored(not_scored=reason):
            return f"not scored ({reason})"
        case float():
            return f"{value:.4f}"
        case _:
            return str(value)
