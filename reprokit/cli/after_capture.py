"""What follows a capture with a mirror: the bundles wait in the outbox, and are sent when the run's status is settled.

Sending is done by another process, in a session of its own, which nobody waits for: the service may be slow, away, or
hang. With `--wait` it is waited for; the exit status stays the evaluation's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import FrameType

from reprokit.archive.layout import Archive
from reprokit.cli.messages import explain_failure, say
from reprokit.cli.options import counted
from reprokit.errors import ExitCode, ReprokitError
from reprokit.mirrors import table
from reprokit.outbox.destinations import told
from reprokit.outbox.queueing import Queued

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SENDING = ("-P", "-m", "reprokit", "sync", "--mirrors-only")


def follow(archive: Archive | None, queued: Queued | None, *, wait: bool, defer: bool) -> None:
    """Tell what waits for the mirror, and have it sent, unless that was to be left for later."""
    if queued is None or archive is None:
        return
    if queued.disabled:
        say(f"reprokit: nothing is copied to `{queued.mirror}`: its mode is `disabled`")
        return
    if queued.failure is not None:
        say(f"reprokit: not queued for `{queued.mirror}`; the bundle is in the archive")
        explain_failure(queued.failure)
        say(f"hint: once that is mended, `reprokit push --mirror {queued.mirror} REF`")
    if not queued.bundles:
        return
    what = queued.bundles[0] if len(queued.bundles) == 1 else counted(len(queued.bundles), "bundle")
    where = told(queued.destination) if queued.destination else queued.mirror
    if wait:
        say(f"reprokit: sending {what} to {where}")
        _send(archive)
    elif defer:
        say(f"reprokit: queued for {where}: {what}; `reprokit sync` sends it")
    elif (missing := _missing(queued)) is not None:
        say(f"reprokit: queued for {where}: {what}; it cannot be sent yet: {missing.message}")
        say(f"hint: {missing.hint or 'see docs/wandb.md'}; then `reprokit sync`")
    else:
        started = _send_apart(archive)
        offline = queued.destination is not None and queued.destination.mode == "offline"
        doing = "written for the mirror's own program" if offline else "sent"
        how = f"it is being {doing} in the background" if started else "`reprokit sync` sends it"
        say(f"reprokit: queued for {where}: {what}; {how}")
        say("hint: `reprokit sync --status` says what still waits, and why")


def _missing(queued: Queued) -> ReprokitError | None:
    """Tell what this machine lacks for sending, as far as nobody need be asked."""
    try:
        if queued.destination is not None:
            table.mirror(queued.mirror).ready(queued.destination, os.environ)
    except ReprokitError as error:
        return error
    return None


def _send(archive: Archive) -> None:
    """Send what waits, and stay; what came of it is told on stderr.

    The run's status is settled by now, and signals are ignored so that it reaches whoever waits for it. Here they end
    what is waited for: the bundle waits on, and the status is still the run's.
    """
    with contextlib.suppress(OSError):
        process = subprocess.Popen([*_command(archive)], stdin=subprocess.DEVNULL, stdout=sys.stderr)

        def stop(_: int, __: FrameType | None) -> None:
            process.terminate()

        before = {number: signal.signal(number, stop) for number in _ENDING}
        try:
            status = process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if status < 0 or status == ExitCode.INTERRUPTED:
            say("reprokit: it was interrupted; what was not sent waits for `reprokit sync`")


def _send_apart(archive: Archive) -> bool:
    """Start sending what waits in a process that outlives this one."""
    try:
        subprocess.Popen(
            _command(archive),
            cwd=archive.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True


def _command(archive: Archive) -> list[str]:
    return [sys.executable, *_SENDING, "--archive", os.fspath(archive.root)]
