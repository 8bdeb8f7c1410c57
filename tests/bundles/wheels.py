"""The wheels of an environment, for a bundle that is to hold them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from bundles.case import Case

from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.capture.wheels import collect


def collected(place: Path, *packages: Package) -> Case:
    """Ask what is missing of the wheels of an environment that has some packages, where no index can be asked."""
    interpreter = Interpreter(
        executable=sys.executable,
        prefix=sys.prefix,
        base_prefix=sys.base_prefix,
        version=platform.python_version(),
        implementation=sys.implementation.name,
    )
    environment = Environment(learnt_from="probe", interpreter=interpreter, packages=list(packages))
    return Case(
        look=lambda: collect(environment, place / "wheels", environ={**os.environ, "PIP_NO_INDEX": "1"}).findings
    )
