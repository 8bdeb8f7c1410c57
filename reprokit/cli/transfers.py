"""What `push` and `pull` share: which bundles, how far it is, and how they show what came of it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from reprokit.archive.location import Archive
from reprokit.archive.references import identify
from reprokit.bundle.finding import hint
from reprokit.cli.messages import say, visible
from reprokit.cli.options import counted, print_json, require_some_or_all, table
from reprokit.mirrors import interface as mirrors
from reprokit.mirrors.interface import Step
from reprokit.sync.foreign.references import VARIABLE
from reprokit.sync.transfer import Carried, Outcome, Progress, Transfer, Watch, exit_code, unwatched

remote_option = click.option(
    "--remote", "remote", metavar="NAME", help="A DVC remote of the archive. Default: its default remote."
)
TIMEOUT_VARIABLE = VARIABLE
timeout_option = click.option(
    "--timeout",
    "timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    envvar=TIMEOUT_VARIABLE,
    metavar="SECONDS",
    help="How long a remote may be silent, and how long one bundle may take to a mirror: to that, each MB adds a "
    "second. Default: 300.",
)

_REPLACED = "W342"
_PAUSE = 0.1  # seconds between two looks at how far it is
_OUTCOMES: dict[Outcome, str] = {
    "sent": "sent",
    "there": "there already",
    "fetched": "fetched",
    "here": "here already",
    "absent": "not here to be sent",
    "failed": "failed",
}


def chosen(archive: Archive, references: tuple[str, ...], *, everything: bool) -> list[str] | None:
    """Find the bundles that are meant; `None` for all.

    Raises:
        UsageError: neither some nor all are named, or a reference may mean several.
        NotFoundError: there is no such bundle.
    """
    require_some_or_all(references, everything=everything)
    return None if everything else list(dict.fromkeys(identify(reference, archive) for reference in references))


@contextmanager
def watched() -> Iterator[Watch]:
    """Show how far it is on a terminal, and nowhere else."""
    if not sys.stderr.isatty():
        yield unwatched
        return
    line = _Line()

    def show(progress: Progress) -> None:
        done = f"{progress.done} of {counted(progress.objects, 'object')}"
        line.show(f"{progress.bundle}: {done}, {_size(progress.octets)}")

    try:
        yield show
    finally:
        _draw("\r\x1b[K")


@contextmanager
def watched_steps() -> Iterator[Callable[[str], mirrors.Watch]]:
    """Show on a terminal, and nowhere else, how far a mirror is; what is given makes a watch for what a name says."""
    if not sys.stderr.isatty():
        yield lambda _: lambda _: None
        return
    line = _Line()

    def watching(name: str) -> mirrors.Watch:
        def show(step: Step) -> None:
            amount = f", {_size(step.octets)} of {_size(step.of)}" if step.of else ""
            line.show(f"{name}: {step.doing}{amount}")

        return show

    try:
        yield watching
    finally:
        _draw("\r\x1b[K")


@dataclass
class _Line:
    """A line of a terminal that is written anew, and not too often."""

    last: float = 0.0

    def show(self, text: str) -> None:
        if time.monotonic() - self.last < _PAUSE:
            return
        self.last = time.monotonic()
        _draw(f"\r\x1b[K{visible(text)}")


def _draw(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _size(octets: int) -> str:
    amount = float(octets)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 - as the unit says
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"  # noqa: PLR2004
        amount /= 1000
    return f"{amount:.1f} TB"


def show(transfer: Transfer, *, as_json: bool) -> int:
    """Show what came of a transfer; returns the exit status it stands for."""
    if as_json:
        print_json(transfer)
    else:
        _show_text(transfer)
    for remark in transfer.remarks:
        say(f"reprokit: the ledger is written and not committed yet: {remark}; `reprokit status` does it later")
    return exit_code(transfer)


def _show_text(transfer: Transfer) -> None:
    if not transfer.bundles:
        say("reprokit: the archive holds no bundle yet")
    rows = [_row(carried) for carried in transfer.bundles]
    for line in table(
        [("bundle", "outcome", "objects", "moved", "checked"), *rows] if rows else [], right=frozenset({2, 3})
    ):
        click.echo(line)
    for carried in transfer.bundles:
        _explain(carried)
    if len(transfer.bundles) > 1:
        amounts = Counter(carried.outcome for carried in transfer.bundles)
        told = ", ".join(f"{amounts[outcome]} {word}" for outcome, word in _OUTCOMES.items() if amounts[outcome])
        say(f"reprokit: {transfer.remote} ({transfer.address}): {told}")


def _row(carried: Carried) -> tuple[str, ...]:
    objects = f"{carried.moved} of {carried.objects}" if carried.objects else "-"
    checked = "-" if carried.checked == "nothing" else carried.checked
    moved = _size(carried.octets) if carried.objects else "-"
    return (visible(carried.bundle), _OUTCOMES[carried.outcome], objects, moved, checked)


def _explain(carried: Carried) -> None:
    if carried.reference is not None and carried.reference != carried.bundle:
        say(f"reprokit: {carried.bundle}: {_OUTCOMES[carried.outcome]}, as {carried.reference}")
    for remark in carried.remarks:
        say(f"reprokit: {carried.bundle}: {remark}")
    if carried.reason is not None or carried.findings:
        say(f"reprokit: {carried.bundle}: {carried.reason or counted(len(carried.findings), 'finding')}")
    for found in carried.findings:
        say(f"  {found.code} {found.where}: {found.message}")
    if carried.hint is not None:
        say(f"hint: {carried.hint}")
    elif carried.findings:
        say(f"hint: {_advice(carried)}")


def _advice(carried: Carried) -> str:
    code = carried.findings[0].code
    if code == _REPLACED and carried.checked == "content":
        # The catalogue says to read everything again, which has just been done.
        return "find out why: the disk there may fail, or somebody else may write to it"
    return hint(code)
