"""Serve one request, then end; and end at once when whoever asked is gone, or the time is up."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from reprokit import talk
from reprokit.mirrors.wandb import marked_processes, wire, worker_environment
from reprokit.mirrors.wandb.client import failures, folders
from reprokit.mirrors.wandb.client.voice import Voice
from reprokit.mirrors.wandb.wire import (
    Answer,
    Export,
    Failed,
    Fetch,
    Found,
    Look,
    Outcome,
    Push,
    Pushed,
    Request,
    Written,
)

_LONGEST_REQUEST = 1 << 28
_CLEARINGS = 20
_PAUSE = 0.05
_ENDING = threading.Lock()
"""Held by whoever ends this process."""


def _carry_out(asked: Request, voice: Voice) -> Outcome:
    """Do what is asked. W&B's client is imported only after a bundle was read and found fit to be shown."""
    match asked:
        case Push() | Export():
            from reprokit.mirrors.wandb.client import offer  # noqa: PLC0415 - not needed for what is only fetched

            offered = offer.prepare(asked.parcel, asked.options)
            if isinstance(asked, Push):
                folders.work_in(Path.cwd())
                from reprokit.mirrors.wandb.client import pushing  # noqa: PLC0415 - imports wandb

                return Pushed(receipt=pushing.push(offered, asked.address, voice))
            from reprokit.mirrors.wandb.client import exporting  # noqa: PLC0415 - imports wandb

            return Written(exported=exporting.export(offered, asked, voice))
        case Look():
            from reprokit.mirrors.wandb.client import fetching  # noqa: PLC0415 - imports wandb

            return Found(copy=fetching.look(asked))
        case Fetch():
            from reprokit.mirrors.wandb.client import fetching  # noqa: PLC0415 - imports wandb

            return Found(copy=fetching.fetch(asked, voice))


def _end_with(requests: BinaryIO) -> None:
    """End when there is nobody left to answer to, or to clear up after us."""
    requests.read()
    # Kept for good: the client gives up as soon as its service is gone, and this process would end before its time.
    _ENDING.acquire()
    # What still runs writes there, so that it is not to be cleared before that has ended.
    _end_service()
    if passing := os.environ.get(worker_environment.PASSING):
        _clear(Path(passing))
    os._exit(1)


def _clear(folder: Path) -> None:
    """Delete a folder that the client, in its own threads, may still be writing to."""
    for _ in range(_CLEARINGS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE)


def _end_late(voice: Voice, seconds: float) -> None:
    """End when the time is up, whatever the client is waiting for."""
    time.sleep(seconds)
    with suppress(OSError):
        voice.say(Failed(trouble="away", reason=f"W&B's client did not finish within {seconds:.0f} s"))
    _end_service()
    os._exit(1)


def _end_service() -> None:
    """End what W&B's client has started, which would go on for a while."""
    if mark := os.environ.get(marked_processes.NAME):
        marked_processes.end(mark)


def main() -> None:
    """Serve the process that started this one."""
    requests, answers = talk.take_streams()
    asked = wire.request(requests.readline(_LONGEST_REQUEST))
    voice = Voice(stream=answers, until=time.monotonic() + asked.seconds)
    threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
    threading.Thread(target=_end_late, args=(voice, asked.seconds), daemon=True).start()
    try:
        answer: Answer = _carry_out(asked, voice)
    except Exception as error:  # noqa: BLE001 - whatever W&B's client makes of a failure
        answer = failures.told(error)
    with suppress(OSError):  # nobody is left to hear it
        voice.say(answer)
    # Nothing of the client's own farewells is waited for: all that matters was seen on the server.
    with _ENDING:
        os._exit(0)


if __name__ == "__main__":
    main()
