"""Archives to test with: real git repositories, real bundles, nothing of the person's own settings."""

from __future__ import annotations

import pytest

from reprokit.bundle.record import Harness, Invocation, Record, Run
from reprokit.bundle.values import Unknown


@pytest.fixture(autouse=True)
def nothing_of_the_person_s_own(own_home):
    """No test here meets settings of git, DVC or reprokit that are the person's own."""


@pytest.fixture
def undated() -> Record:
    """The record of a run whose start nobody knows."""
    nobody = Unknown(unknown="captured from finished outputs")
    return Record(
        origin="finished",
        invocation=Invocation(
            argv=nobody,
            program=nobody,
            program_in="unknown",
            working_directory=nobody,
            environment_variables=nobody,
        ),
        run=Run(started=nobody, ended=nobody, exit_code=nobody, complete=True, host=nobody),
        harness=Harness(name="script", version=nobody, version_from="nothing"),
        sources=nobody,
    )
