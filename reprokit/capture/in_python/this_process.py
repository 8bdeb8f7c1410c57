"""What there is to observe of the very process that evaluates, when it asks for its own capture."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Invocation, Run
from reprokit.bundle.values import Unknown
from reprokit.capture import invocation
from reprokit.capture.assembly import Observed
from reprokit.capture.preparation import Prepared
from reprokit.capture.request import Request
from reprokit.probes import environment as environments
from reprokit.probes import interpreter, launcher

UNSEEN = "files of a Hugging Face cache and hosts: nothing is hooked into a program that is running already"


def begin(into: Path) -> Callable[[], None]:
    """Write the probe's record of this process; returns what completes it.

    Nothing stays in the process: neither a hook nor a handler.
    """
    specification = importlib.util.spec_from_file_location("_reprokit_probe", interpreter.INJECTED / "sitecustomize.py")
    assert specification is not None  # noqa: S101 - a path always gives one
    assert specification.loader is not None  # noqa: S101 - the same
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    record = module._Record(str(into))  # noqa: SLF001 - one file for every Python: its interface is to be imported by it
    record.begin(False)  # noqa: FBT003 - by position in the oldest Python too
    end: Callable[[], None] = record.end
    return end


def command_line() -> tuple[str, ...]:
    """Give the command line that this process was started with, the interpreter and its options first."""
    return tuple(sys.orig_argv) or (sys.executable or "python",)


def not_to_be_run_again() -> str | None:
    """Say why no command line would run this program again; `None` when one would."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and "ipykernel" in sys.modules:
        return "run in a notebook, cell by cell: no command runs it again"
    if shell is not None or hasattr(sys, "ps1"):
        return "typed into an interactive Python: no command runs it again"
    return None


def observe(
    request: Request, prepared: Prepared, *, started: str, ended: str, left: Unknown, remarks: tuple[Finding, ...]
) -> Observed:
    """Gather what is known of this process between the start and the end of the block (UTC).

    `left` says how the block was left: what became of the process after it, nobody knows.
    """
    seen = environments.observe(prepared.probes, request.argv, request.environment, request.directory)
    environment = msgspec.structs.replace(seen, missing=[*seen.missing, UNSEEN])
    settled = prepared.checkouts.settle(environment, prepared.inputs)
    return Observed(
        origin="live",
        invocation=_invocation(request, prepared, environment),
        run=Run(
            started=started,
            ended=ended,
            exit_code=left,
            complete=False,
            host=platform.node(),
            launcher=launcher.observe(request.environment, prepared.secrets),
        ),
        environment=environment,
        sources=settled.sources,
        secrets=prepared.secrets,
        logs={},
        findings=(*prepared.findings, *settled.findings, *remarks),
        private=request.private,
    )


def _invocation(request: Request, prepared: Prepared, environment: Environment) -> Invocation:
    seen = invocation.observe(request, prepared, environment)
    reason = not_to_be_run_again()
    return msgspec.structs.replace(seen, argv=Unknown(unknown=reason)) if reason else seen
