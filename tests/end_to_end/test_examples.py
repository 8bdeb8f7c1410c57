"""What the repository shows a newcomer: its example bundles come with plain DVC, offline, and are whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_newcomer_pulls_whole_example_bundles_with_dvc(tmp_path, reprokit, git):
    clone = tmp_path / "clone"
    (clone / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / ".dvc/config", clone / ".dvc/config")
    shutil.copytree(ROOT / "examples/remote", clone / "examples/remote")
    pointers = sorted((ROOT / "examples/bundles").glob("*.dvc"))
    (clone / "examples/bundles").mkdir()
    for pointer in pointers:
        shutil.copy(pointer, clone / "examples/bundles")
    git(clone, "init", "-q")

    subprocess.run(
        [Path(sys.executable).with_name("dvc"), "pull", "-q"], cwd=clone, check=True, env=reprokit.environment()
    )
    bundles = [clone / "examples/bundles" / pointer.stem for pointer in pointers]
    checked = reprokit.json("validate", *bundles)

    assert len(pointers) == 2
    assert [each["findings"] for each in checked] == [[], []]
    assert {reprokit.json("show", bundle)["record"]["harness"]["name"] for bundle in bundles} == {
        "lm_eval",
        "lmms_eval",
    }
