"""Every code of the catalogue has a case that raises it and a near miss that does not, and the reference lists it."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from reprokit.bundle.finding import CATALOGUE

HERE = Path(__file__).parent
BAD = sorted((HERE / "bundles/bad").glob("*.py"))
GOOD = sorted((HERE / "bundles/good").glob("*.py"))


def code_of(path: Path) -> str:
    return path.name.partition("_")[0]


def load(recipe: Path) -> ModuleType:
    """Import a recipe. Modules are looked for in `tests/` meanwhile and not longer: its folders have common names."""
    sys.path.append(str(HERE))
    try:
        return importlib.import_module(f"bundles.{recipe.parent.name}.{recipe.stem}")
    finally:
        sys.path.remove(str(HERE))


def found_in(recipe: Path, place: Path) -> set[str]:
    """Build what a recipe describes, and let the project judge it."""
    return {found.code for found in load(recipe).make(place).look()}


@pytest.fixture(autouse=True)
def nothing_of_the_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of the test's own, so that no settings, keys or caches of the person's are met."""
    home = tmp_path / "own-home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("DVC_", "GIT_", "HF_", "REPROKIT_", "SLURM_", "WANDB_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc-site"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("recipe", BAD, ids=lambda path: path.stem)
def test_each_bad_case_is_found_by_its_code(recipe, place):
    assert code_of(recipe) in found_in(recipe, place)


@pytest.mark.parametrize("recipe", GOOD, ids=lambda path: path.stem)
def test_no_near_miss_is_found_by_that_code(recipe, place):
    assert code_of(recipe) not in found_in(recipe, place)


def test_every_code_has_a_bad_case_and_a_near_miss():
    bad, good = {code_of(path) for path in BAD}, {code_of(path) for path in GOOD}

    assert bad == good == set(CATALOGUE)


def test_the_reference_lists_every_code_with_its_title_and_no_other():
    reference = (HERE.parent / "docs/reference.md").read_text()
    listed = dict(re.findall(r"^\| ([EW][0-9]{3}) \| (.+?) \| ", reference, flags=re.MULTILINE))

    assert listed == {code: title for code, (title, _) in CATALOGUE.items()}
