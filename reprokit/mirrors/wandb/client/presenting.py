"""Showing an offer as a run: its configuration, metrics, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import wandb

from reprokit.errors import NotFoundError, RemoteError
from reprokit.mirrors.portrait.table import Cell, Picture, Table
from reprokit.mirrors.wandb.client import failures
from reprokit.mirrors.wandb.client.offer import Offer, can_draw
from reprokit.mirrors.wandb.client.shown import Lack
from reprokit.mirrors.wandb.client.voice import Voice

_FINISHING = 60.0
_STARTING = 60.0
_CHUNK = 1 << 20


def _settings(voice: Voice) -> wandb.Settings:
    """Make the settings of one run: nothing is noted of what is around us, and nothing is waited for in vain.

    They are made anew for each: the client changes those that it is given.
    """
    return wandb.Settings(
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        finish_timeout=min(_FINISHING, voice.left()),
        finish_timeout_raises=True,
        init_timeout=min(_STARTING, voice.left()),
        program="reprokit",
        program_relpath="reprokit",
        save_code=False,
        silent=True,
        table_raise_on_max_row_limit_exceeded=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_executable="",
        x_save_requirements=False,
    )


def begin(offer: Offer, voice: Voice, *, entity: str, run_ids: Iterable[str], tags: tuple[str, ...]) -> Any:
    """Begin a run, or go on with it, under the first of some ids that is not the one of a deleted run.

    Whoever began it calls its `finish`; without that, it ends where it stands.

    Raises:
        RemoteError: all of them are.
    """
    for run_id in run_ids:
        try:
            return _init(offer, voice, entity=entity, run_id=run_id, tags=tags, mode="online")
        except Exception as error:
            if failures.is_of_deleted_run(error):
                continue
            if failures.is_refusal_of_run(error):
                raise RemoteError(failures.reason(error)) from error
            raise
    raise RemoteError(
        "every run of this bundle that was on W&B was deleted there, and it takes no further one",
        hint="push to another project",
    )


def begin_offline(offer: Offer, voice: Voice, *, run_id: str) -> Any:
    """Begin a run that is written into `WANDB_DIR`, and sent by nobody."""
    return _init(offer, voice, entity=offer.options.entity, run_id=run_id, tags=offer.run_tags, mode="offline")


def _init(
    offer: Offer,
    voice: Voice,
    *,
    entity: str | None,
    run_id: str,
    tags: tuple[str, ...],
    mode: Literal["online", "offline"],
) -> Any:
    return wandb.init(
        entity=entity,
        project=offer.options.project,
        id=run_id,
        name=offer.run_title,
        group=offer.options.group,
        job_type=offer.options.job_type,
        notes=offer.notes,
        tags=list(tags),
        config=dict(offer.portrait.configuration),
        allow_val_change=True,
        resume="allow" if mode == "online" else None,
        mode=mode,
        settings=_settings(voice),
    )


def show(offer: Offer, lacking: Lack, run: Any, scratch: Path) -> None:
    """Log what is lacking, as one row: the first one of a new run, the next one of a run that goes on.

    No step is named: a run that goes on says that it is at 0, and the client drops without a word what is logged there.
    """
    for table in offer.tables():
        if table.key in lacking.media:
            run.log({table.key: _table(offer, table, scratch)}, commit=False)
    chart = offer.portrait.chart
    if chart is not None and chart.key in lacking.media:
        run.log({chart.key: wandb.Html(chart.html, inject=False, data_is_not_path=True)}, commit=False)
    if lacking.points:
        run.log({name: offer.portrait.scalars[name] for name in sorted(lacking.points)}, commit=False)
    said = {**offer.portrait.summary, **offer.portrait.scalars}
    for name in sorted(lacking.summary - lacking.points):
        run.summary[name] = said[name]


def _table(offer: Offer, table: Table, scratch: Path) -> wandb.Table:
    pictured = _pictured(table)
    drawn = can_draw()
    rows = [
        [_cell(offer, cell, scratch, drawn=drawn) if column in pictured else cell for column, cell in enumerate(row)]
        for row in table.rows
    ]
    return wandb.Table(columns=list(table.columns), data=rows)


def _pictured(table: Table) -> frozenset[int]:
    return frozenset(column for row in table.rows for column, cell in enumerate(row) if isinstance(cell, Picture))


def _cell(offer: Offer, cell: Cell, scratch: Path, *, drawn: bool) -> Any:
    """Make the cell of a column of pictures; one that cannot be read as a picture is left empty."""
    if not isinstance(cell, Picture):
        return None
    if not drawn:
        return cell.path
    try:
        return wandb.Image(str(_unpacked(offer, cell, scratch)))
    except (OSError, ValueError, NotFoundError):
        return None


def _unpacked(offer: Offer, picture: Picture, scratch: Path) -> Path:
    folder = scratch / "pictures"
    folder.mkdir(exist_ok=True)
    target = folder / f"{sha256(picture.path.encode()).hexdigest()}{PurePosixPath(picture.path).suffix}"
    if target.exists():
        return target
    left = picture.size
    with offer.bundle.open(picture.path) as source, target.open("xb") as sink:
        while left > 0 and (chunk := source.read(min(_CHUNK, left))):
            sink.write(chunk)
            left -= len(chunk)
    return target
