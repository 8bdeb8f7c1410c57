"""A table as trackers show one: named columns, rows of plain cells, every column of one type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reprokit.mirrors.portrait.plain import dumps, plain


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that the bundle holds: its payload path (without `.zst`, for `Bundle.open`) and its bytes' number."""

    path: str
    size: int


Cell: TypeAlias = str | int | float | bool | Picture | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells. In every column the cells that are not `None` are all text, all numbers, all booleans or pictures.

    `key` is the name it is logged under: at most 80 characters of `[A-Za-z0-9_-]` with one `/`, after its section.
    `there` is how many rows there are to show; `remarks` say what is not shown.
    """

    key: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    there: int
    remarks: tuple[str, ...] = ()


def of_one_type(rows: Iterable[Sequence[Cell]], columns: int) -> tuple[tuple[Cell, ...], ...]:
    """Give rows whose columns are of one type each, for trackers refuse a table of others.

    Among numbers, true becomes 1 and false 0. Whatever else is mixed becomes text: numbers as JSON writes them. So does
    a whole number that a double does not hold exactly.
    """
    by_column = [_of_one_type(list(column)) for column in zip(*rows, strict=True)] or [[] for _ in range(columns)]
    return tuple(zip(*by_column, strict=True))


def _of_one_type(cells: list[Cell]) -> list[Cell]:
    cells = [cell if cell is None or isinstance(cell, Picture) else plain(cell) for cell in cells]
    kinds = {_kind(cell) for cell in cells} - {"nothing"}
    if len(kinds) <= 1:
        return cells
    if kinds == {"number", "boolean"}:
        return [int(cell) if isinstance(cell, bool) else cell for cell in cells]
    return [_written(cell) for cell in cells]


def _kind(cell: Cell) -> str:
    match cell:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case Picture():
            return "picture"
        case str():
            return "text"


def _written(cell: Cell) -> str | None:
    match cell:
        case None | str():
            return cell
        case Picture():
            return cell.path
        case bool() | int() | float():
            return dumps(cell)
