"""How a run was called, as a live capture sees it: a command, or the program that captures a block of itself."""

from __future__ import annotations

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Invocation
from reprokit.capture import arguments
from reprokit.capture.preparation import Prepared
from reprokit.capture.request import Request
from reprokit.probes import secrets, variables
from reprokit.probes.source.checkout import ObservedSource


def observe(request: Request, prepared: Prepared, environment: Environment) -> Invocation:
    """Write down the command line, its program and inputs, and where it ran; its outputs are for the caller to tell."""
    root = prepared.root.resolve() if prepared.root else None
    directory = request.directory.resolve()
    program = arguments.program(
        request.argv[0],
        directory=request.directory,
        environment=request.environment,
        interpreter=environment.interpreter,
        source=prepared.root,
    )
    inside = root is not None and directory.is_relative_to(root)
    return Invocation(
        argv=secrets.redact_argv(request.argv, prepared.secrets),
        program=program.path,
        program_in=program.lies_in,
        working_directory=str(request.directory),
        source=prepared.source.source.name if isinstance(prepared.source, ObservedSource) and inside else None,
        directory_in_source=directory.relative_to(root).as_posix() if root and inside else ".",
        environment_variables=variables.observe(request.environment, prepared.secrets),
        inputs=prepared.inputs,
    )
