"""Killed at any moment, a repair leaves each file either old or new, and doing it again does the rest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reprokit.archive.cache import md5_of
from reprokit.archive.layout import Archive

POINTS = 24


def repairs(bundle: str, words) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("repairer.py")), bundle, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("kind", ["hardlink", "copy"])
def test_a_repair_killed_anywhere_leaves_old_or_new_and_the_next_finishes(estate, flip, tmp_path, kind):
    made = estate(kind=kind)
    (bundle,) = made.bundles
    whole, folder = made.tree(), made.folder(bundle)
    listing = made.object(made.oid(bundle))
    listing.unlink()
    flip(made.object(md5_of(folder / "data/harness/log.bin")), 3)
    flip(folder / "data/results.json", 11)
    (folder / "bag-info.txt").unlink()
    (folder / "data/added").write_bytes(b"stray")
    made.archive.entry(bundle).write_bytes(b"{}")
    damaged = made.tree()

    def copy(name: str):
        # With its links as they are: what shares its bytes shares its damage.
        subprocess.run(["cp", "-a", made.archive.root, tmp_path / name], check=True)
        return replace(made, archive=Archive(tmp_path / name))

    counted = copy("counted")
    (count,) = repairs(bundle, [counted.archive.root, 0])
    assert counted.tree() == whole
    steps = np.unique(np.linspace(1, int(count), POINTS).astype(int))
    killed = [copy(f"killed-{step}") for step in steps]

    ended = repairs(
        bundle, [word for each, step in zip(killed, steps, strict=True) for word in (each.archive.root, step)]
    )

    assert set(ended) == {"killed"}
    half_done = 0
    for each in killed:
        now = each.tree()
        for path in whole.keys() | damaged.keys():
            assert now.get(path) in {whole.get(path), damaged.get(path)}
        # Nothing else has come to lie there, but what a rename was to put in its place.
        assert all(Path(path).name.startswith(".") for path in now.keys() - whole.keys() - damaged.keys())
        half_done += damaged != now != whole
    assert half_done >= 5

    assert "killed" not in repairs(bundle, [word for each in killed for word in (each.archive.root, 0)])
    for each in killed:
        now = each.tree()
        assert {path: data for path, data in now.items() if path in whole} == whole
        assert each.found(bundle) == []
        shutil.rmtree(each.archive.root)
