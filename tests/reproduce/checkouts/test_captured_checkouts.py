"""What `reprokit capture` took of a working repository and of an editable harness comes back, their folders gone."""

from __future__ import annotations

import json
import os
import shutil
import sys
import venv
from pathlib import Path

import pytest

from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.reproduce.checkouts.origins import Origins
from reprokit.reproduce.checkouts.planning import planned_checkouts
from reprokit.reproduce.checkouts.restoring import restore_all

EVALUATE = """\
import json
import harness
rows = [{"id": 0, "prompt": "1+1=", "target": "2", "response": harness.ANSWER, "scores": {"exact_match": 1.0}}]
open("predictions.jsonl", "w").writelines(json.dumps(row) + "\\n" for row in rows)
json.dump({"sums": {"exact_match": 1.0}}, open("metrics.json", "w"))
"""


def make_dirty(root: Path, git) -> None:
    """Leave staged, unstaged, untracked and binary changes."""
    (root / "tracked").write_text("unstaged\n")
    (root / "picture").write_bytes(bytes(range(255, -1, -1)))
    (root / "program").chmod(0o755)
    (root / "gone").unlink()
    (root / "staged").write_text("staged\n")
    git(root, "add", "staged")
    (root / "staged").write_text("staged, then changed\n")
    (root / "untracked picture").write_bytes(b"\0" * 99)
    (root / os.fsdecode(b"odd \xff")).write_text("odd\n")
    (root / "link").symlink_to("picture")


@pytest.fixture
def captured(reprokit, repository, git, files, tmp_path) -> tuple[Bundle, dict[str, dict[str, object]]]:
    """A bundle of an evaluation with an editable harness, and the files of both as they were; nothing is left."""
    common = {"tracked": "tracked\n", "picture": bytes(range(256)), "program": "#!/bin/sh\n", "gone": "gone\n"}
    evals = repository("evals", common | {"evaluate.py": EVALUATE, ".gitattributes": "* text=auto\n"})
    harness = repository("harness", common | {"harness.py": "ANSWER = '3'\n", ".gitignore": "__pycache__/\n"})
    for root in (evals, harness):
        make_dirty(root, git)
    (harness / "harness.py").write_text("ANSWER = '2'\n")
    site = editable(tmp_path / "venv", harness)
    held = {"evals": files(evals), "harness": files(harness)}
    command = [tmp_path / "venv/bin/python", "-B", "evaluate.py"]
    reprokit("capture", *reprokit.files, "--", *command, directory=evals)
    for gone in (evals, harness, site):
        shutil.rmtree(gone)
    return open_bundle(Path(reprokit.json("show", "latest")["path"])), held


def editable(environment: Path, project: Path) -> Path:
    """Make an environment in which a project is installed in place."""
    venv.create(environment, symlinks=True)
    site = environment / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    metadata = site / "harness-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness\nVersion: 1.0\n")
    (metadata / "direct_url.json").write_text(json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}}))
    (site / "harness.pth").write_text(f"{project}\n")
    return site


def test_both_checkouts_come_back_from_the_bundle_alone(captured, git, files, tmp_path):
    bundle, held = captured
    planned = {each.name: each for each in planned_checkouts(bundle, Origins())}
    restored = restore_all(bundle, tmp_path / "workspace", Origins())

    assert planned["harness"].used_as == ["editable install `harness`", "module `harness`"]
    assert {each.comes_from for each in planned.values()} == {"the git bundle that was captured"}
    assert {name: str(place) for name, place in restored.places.items()} == {
        "evals": "source",
        "harness": "sources/harness",
    }
    for source in bundle.sources:
        place = tmp_path / "workspace" / restored.places[source.name]
        assert source.dirty
        assert git(place, "write-tree") == source.tree
        assert files(place) == held[source.name]
    (package,) = [each for each in bundle.environment.packages if each.name == "harness"]
    assert restored.directory_of(package.direct_url["url"]) == tmp_path / "workspace/sources/harness"
