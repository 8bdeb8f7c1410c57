"""`reprokit doctor`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from reprokit.archive import location
from reprokit.archive.doctor import checking as doctor
from reprokit.archive.doctor import content as doctor_content
from reprokit.archive.doctor import filesystem as doctor_filesystem
from reprokit.archive.doctor import machine as doctor_machine
from reprokit.archive.doctor import repository as doctor_git
from reprokit.archive.doctor.checking import STATES, Check, fail, ok, warn
from reprokit.archive.layout import Archive
from reprokit.audit.asking.hub import HERITAGE_VARIABLE
from reprokit.capture.mapping import read_mappings
from reprokit.capture.wishes import DEFER_VARIABLE, MIRROR_VARIABLE, RESULTS_VARIABLE, SAMPLES_VARIABLE, read_wishes
from reprokit.cli.messages import say, visible
from reprokit.cli.options import archive_option, counted, json_option, print_json
from reprokit.cli.transfers import TIMEOUT_VARIABLE
from reprokit.errors import ExitCode, InputMissingError, ReprokitError
from reprokit.mirrors import table
from reprokit.outbox import queueing
from reprokit.outbox.destinations import told
from reprokit.probes import interpreter
from reprokit.signatures import signers

_PATIENCE = 30.0  # seconds
_VARIABLES = (
    location.VARIABLE,
    SAMPLES_VARIABLE,
    RESULTS_VARIABLE,
    DEFER_VARIABLE,
    MIRROR_VARIABLE,
    TIMEOUT_VARIABLE,
    signers.VARIABLE,
    HERITAGE_VARIABLE,
)
_LOOKS: dict[str, doctor.Look] = {
    "file system": doctor_filesystem.check,
    "repository": doctor_git.check,
    "dvc settings": doctor_git.check_dvc,
    "captures": doctor_content.check,
    "clock": doctor_content.check_clock,
}


def _probe() -> Check:
    """Start a Python as an evaluation would be started, and see whether it can be observed."""
    program = shutil.which("python") or shutil.which("python3") or sys.executable
    with tempfile.TemporaryDirectory(prefix="reprokit-doctor-") as folder:
        # Where it cannot be started, nothing is observed, which is what is told.
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [program, "-c", ""],
                cwd=folder,
                env=interpreter.child_environment(os.environ, Path(folder)),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        seen = interpreter.read(Path(folder))
    if not seen:
        return warn(
            "observation",
            f"`{program}` runs unseen: its packages and seeds will be guessed at from outside",
            "see whether it is a wrapper that clears the environment or uses `-I`, `-E` or `-S`",
        )
    return ok("observation", f"`{program}` ({seen[0].version.split()[0]}) is seen; under `-I`, `-E`, `-S` it is not")


def _followed() -> Check:
    """Read the settings as a capture from here would, which they may keep from being made."""
    try:
        mappings = read_mappings(Path.cwd())
        wishes = read_wishes(Path.cwd(), os.environ)
    except ReprokitError as error:
        return fail("settings", f"no run is captured from here: {error.message}", error.hint)
    kept = "as digests only" if wishes.private else "in full"
    registered = "`reprokit sync` registers" if wishes.defer else "registered at once"
    copied = f", copied to `{wishes.mirror}`" if wishes.mirror else ""
    files = f", {counted(len(mappings), 'mapping')} for your own programs" if mappings else ""
    return ok("settings", f"a capture from here keeps samples {kept}, {registered}{copied}{files}")


def _mirror(archive: Archive) -> Check:
    """See whether what a mirror needs is here; it is asked nothing."""
    try:
        wanted = queueing.settle(archive, queueing.DEFAULT, environment=os.environ, directory=Path.cwd())
        if wanted.destination is None:
            raise wanted.failure or InputMissingError("it cannot be told where bundles go")
        table.mirror(wanted.mirror).ready(wanted.destination, os.environ)
    except ReprokitError as error:
        return warn(
            "mirror", f"bundles cannot be sent to W&B from here: {error.message}", error.hint or "docs/wandb.md"
        )
    return ok("mirror", f"{told(wanted.destination)}, {wanted.destination.mode}")


def _checks(named: Path | None) -> Iterator[Check]:
    yield from doctor_machine.check(os.environ)
    yield _probe()
    located, found = doctor.find(named, os.environ, Path.cwd())
    yield found
    yield _followed()
    yield from doctor.check_settings(located.archive if located else None, Path.cwd())
    # Whoever runs inside of a capture has the probe's own.
    given = [name for name in os.environ if name != interpreter.DIRECTORY_VARIABLE]
    yield from doctor.check_variables(given, _VARIABLES)
    if located is not None:
        yield _mirror(located.archive)
        yield from doctor.examine(located.archive, _LOOKS)


def _lines(checks: list[Check]) -> Iterator[str]:
    for each in checks:
        yield f"{each.state:<5} {each.check:<13} {visible(each.message)}"
        if each.hint:
            yield f"{'':<19} hint: {visible(each.hint)}"


@click.command("doctor")
@archive_option
@json_option
def command(archive: Path | None, as_json: bool) -> int:
    """Look at this machine and at the archive, and say what does not work or may be lost, the worst first.

    Nothing is changed and no network is used. Exits with 1 when something does not work; warnings do not count.

    \b
    Examples:
      reprokit doctor
      reprokit doctor --json | jq -r '.[] | select(.state != "ok") | .message'
    """
    checks = sorted(_checks(archive), key=lambda each: STATES.index(each.state))
    if as_json:
        print_json(checks)
    else:
        for line in _lines(checks):
            click.echo(line)
    states = Counter(each.state for each in checks)
    if not as_json:
        say(f"reprokit: {counted(states['fail'], 'failure')}, {counted(states['warn'], 'warning')}")
    return ExitCode.DIFFERENCES if states["fail"] else ExitCode.FINE
