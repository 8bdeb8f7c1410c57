"""What is published is captured, whatever becomes of registering it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from reprokit.archive.creation import create
from reprokit.bundle.writing import Label
from reprokit.capture import live
from reprokit.capture.request import Request


@pytest.mark.parametrize(
    ("trouble", "reason"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("no such luck"), "no such luck")]
)
def test_trouble_while_registering_leaves_the_bundle_for_later(tmp_path, monkeypatch, trouble, reason):
    def failing(_):
        raise trouble

    archive = create(tmp_path / "archive")
    monkeypatch.setattr(live, "fold", failing)
    request = Request(
        argv=(sys.executable, "-c", "pass"),
        directory=tmp_path,
        environment=dict(os.environ),
        home=Path(tmp_path),
        label=Label(),
    )

    outcome = live.capture_command(request, lambda: archive)

    assert outcome.failure is None
    assert [each.path.is_dir() for each in outcome.published] == [True]
    assert outcome.folding is not None
    assert outcome.folding.left == (outcome.published[0].bundle_id,)
    assert reason in (outcome.folding.reason or "")
