"""With W&B's own client: what one archive has sent there is the same bundle wherever it is fetched to."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest


@pytest.fixture
def sent(reprokit, captured, wandb_server, tmp_path):
    """A bundle of one archive that W&B has a copy of: its folder, the reference, and what is needed to ask for it."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables = wandb_server.environment(reprokit.home) | {
        "WANDB_ENTITY": "lab",
        "WANDB_PROJECT": "evals",
        "TMPDIR": str(temporary),
    }
    pushed = msgspec.json.decode(reprokit("push", "--mirror", "wandb", captured, "--json", **variables).stdout)
    folder = Path(reprokit.json("show", captured)["path"])
    return folder, pushed["bundles"][0]["receipt"]["reference"], variables


def test_what_was_sent_is_had_back_by_reference(reprokit, captured, sent, wandb_server, snapshot, tmp_path):
    folder, reference, variables = sent
    other = reprokit.home / "other"
    reprokit("init", other)
    elsewhere = variables | {"REPROKIT_ARCHIVE": str(other)}

    assert f"bundle       {captured}\nfetched      {reference}" in reprokit("show", reference, **elsewhere).stdout
    assert reprokit("validate", reference, **elsewhere).stdout == f"{captured}: whole, as {reference}\n"
    assert f"reproduce {captured}" in reprokit("reproduce", reference, "--plan", check=None, **elsewhere).stdout
    assert reprokit("list", **elsewhere).stdout == ""

    assert f"{captured}  fetched" in reprokit("pull", reference.replace(":v0", ":latest"), **elsewhere).stdout

    brought = other / "bundles" / folder.parent.name / captured
    assert snapshot(brought) == snapshot(folder)
    assert reprokit("validate", "--all", **elsewhere).stdout == f"{captured}: whole\n"
    assert "identical" in reprokit("diff", reference, captured, **elsewhere).stdout
    page = f"{wandb_server.address}/lab/evals/artifacts/eval-bundle/{reference.split('/')[-1].replace(':', '/')}"
    assert "here already" in reprokit("pull", page, **elsewhere).stdout
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_is_damaged_there_is_kept_nowhere(reprokit, sent, wandb_server, tmp_path):
    folder, reference, variables = sent
    shutil.rmtree(reprokit.home / "wandb-cache", ignore_errors=True)
    other = reprokit.home / "other"
    reprokit("init", other)
    wandb_server.spoil(hashlib.md5((folder / "data/results.json").read_bytes(), usedforsecurity=False).hexdigest())

    done = reprokit("pull", reference, check=12, REPROKIT_ARCHIVE=str(other), **variables)

    assert "data/results.json" in done.stderr
    assert "do not use this copy" in done.stderr
    assert list((other / ".reprokit/staging").iterdir()) == []
    assert not list((other / "bundles").rglob("data"))
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def snapshot():
    def of(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return of
