"""Nothing of the person's own settings."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_of_the_person_s_own(own_home):
    """No test here meets settings of git, DVC or reprokit that are the person's own."""
