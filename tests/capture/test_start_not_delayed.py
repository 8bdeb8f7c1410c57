"""What comes before the start of an evaluation has little time, whatever lies in its folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from reprokit.archive.creation import create
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.capture import live, outputs, preparation
from reprokit.capture.request import Request
from reprokit.git import GitError
from reprokit.probes.source import checkout as source
from reprokit.probes.source.caps import Caps

WRITER = "import pathlib; pathlib.Path('metrics.json').write_text('{\"acc\": 0.5}')"


def request(directory: Path) -> Request:
    return Request(
        argv=(sys.executable, "-c", WRITER),
        directory=directory,
        environment=dict(os.environ),
        home=directory,
        label=Label(),
        results=Path("metrics.json"),
    )


def test_a_checkout_that_git_is_slow_in_is_looked_at_while_the_evaluation_runs(evaluation, tmp_path, monkeypatch):
    (evaluation / "new.py").write_text("NEW = 1\n")
    monkeypatch.setattr(preparation, "LOOKING", 0.0)

    outcome = live.capture_command(request(evaluation), lambda: create(tmp_path / "archive"))

    assert outcome.failure is None
    bundle = open_bundle(outcome.published[0].path)
    assert [(each.name, each.dirty) for each in bundle.sources] == [(evaluation.name, True)]
    assert bundle.record.invocation.source == evaluation.name
    assert [use.kind for use in bundle.sources[0].used_as] == ["working directory"]
    assert "W316" not in {each.code for each in bundle.record.findings}


def test_rules_that_are_a_pipe_do_not_keep_the_evaluation_waiting(evaluation, tmp_path, monkeypatch):
    (evaluation / ".gitignore").unlink(missing_ok=True)
    os.mkfifo(evaluation / ".gitignore")
    (evaluation / "new.py").write_text("NEW = 1\n")
    monkeypatch.setattr(preparation, "LOOKING", 1.0)
    before = time.monotonic()

    prepared = preparation.prepare(request(evaluation), lambda: create(tmp_path / "archive"))

    assert time.monotonic() - before < 30
    assert "took longer than 1 s" in prepared.source.unknown


def test_an_exclude_file_that_is_a_pipe_is_not_waited_for(evaluation, tmp_path):
    (evaluation / ".git/info/exclude").unlink(missing_ok=True)
    os.mkfifo(evaluation / ".git/info/exclude")

    with pytest.raises(GitError, match="cannot be looked at"):
        source.observe(evaluation, into=tmp_path, caps=Caps(seconds=5))


@pytest.mark.parametrize("limits", [{"most": 10}, {"seconds": 0.0}])
def test_where_too_much_lies_new_is_what_was_written_since(tmp_path, limits):
    for number in range(12):
        (tmp_path / f"{number}.json").write_text("{}")
        os.utime(tmp_path / f"{number}.json", (1, 1))
    time.sleep(0.2)

    before = outputs.snapshot([tmp_path], **limits)
    (tmp_path / "new.json").write_text("{}")

    assert len(before) == 1
    assert outputs._changed([tmp_path], before) == [str(tmp_path / "new.json")]


def test_folders_without_files_take_no_longer(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)

    assert list(outputs.snapshot([tmp_path], seconds=0.0)) == [""]


def test_code_is_taken_along_before_all_else(evaluation, tmp_path):
    for name, size in {"code.py": 600, "settings.yaml": 500, "a.txt": 1, "b.txt": 2, "large.py": 5000}.items():
        (evaluation / name).write_bytes(b"#" * size)
    caps = Caps(untracked_files=3, untracked_file=1000)

    observed = source.observe(evaluation, into=tmp_path, caps=caps)

    assert sorted(path.name for path in observed.changed) == ["a.txt", "answers.py", "code.py", "settings.yaml"]
    assert {each.path for each in observed.source.left_out} == {"b.txt", "large.py"}
