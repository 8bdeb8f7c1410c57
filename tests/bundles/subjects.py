"""Models and datasets of a run: in a cache of the hub, in a folder, behind a server, as the command names them."""

from __future__ import annotations

import os
from pathlib import Path

from bundles.case import Case

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Subject
from reprokit.bundle.results import Results, Task
from reprokit.probes.subject import Clues, resolve

COMMIT = "a" * 40
LM_EVAL = ("lm_eval", "--model", "hf", "--model_args")
FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


def _resolved(
    place: Path,
    *argv: str,
    opened: Path | None = None,
    tasks: tuple[Task, ...] = (),
    started: str | None = None,
    **variables: str,
) -> Case:
    """Ask what a capture would find of what was evaluated; `opened` is a file that the run read."""
    clues = Clues(
        argv=argv,
        directory=place,
        environ=variables,
        home=place / "home",
        environment=Environment(
            learnt_from="probe", packages=[], loaded_from_cache=[str(opened)] if opened else [], hosts=[]
        ),
        results=Results(tasks=list(tasks)),
        claims={},
        started=started,
    )
    return Case(look=lambda: resolve(Subject(), clues)[1])


def _cached(place: Path, repository: str, files: dict[str, bytes], branches: dict[str, str]) -> Path:
    """Lay a snapshot of a repository out as the libraries of the hub cache it, and name its folder."""
    folder = place / "home/.cache/huggingface/hub" / repository
    snapshot = folder / "snapshots" / COMMIT
    for path in (folder / "blobs", folder / "refs", snapshot):
        path.mkdir(parents=True)
    for name, data in files.items():
        (folder / "blobs" / name).write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{name}")
    for name, commit in branches.items():
        (folder / "refs" / name).write_text(commit)
    return snapshot


def model(place: Path, arguments: str, *, branches: dict[str, str] | None = None, opened: bool = False) -> Case:
    """Ask about a model of the hub that is in the cache; it may have been seen that the run opened files of it."""
    snapshot = _cached(place, "models--toy-org--tiny", FILES, branches or {})
    return _resolved(place, *LM_EVAL, arguments, opened=snapshot / "config.json" if opened else None)


def dataset(place: Path, *, revision: str | None = None) -> Case:
    """Ask about a dataset of the hub that is in the cache and that a task names."""
    _cached(place, "datasets--toy-org--qa", {"test.parquet": b"rows"}, {"main": COMMIT})
    given = {"dataset_kwargs": {"revision": revision}} if revision else {}
    return _resolved(place, tasks=(Task(name="qa", config={"dataset_path": "toy-org/qa", **given}),))


def local_model(place: Path, *, started: str | None = None, linked: str | None = None) -> Case:
    """Ask about a model in a folder; one file more of it may be a link that leads elsewhere."""
    folder = place / "models/tiny"
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
        os.utime(folder / name, (1_790_000_000, 1_790_000_000))
    if linked is not None:
        (place / "elsewhere").write_text("mine")
        (folder / linked).symlink_to(place / "elsewhere")
    return _resolved(place, *LM_EVAL, "pretrained=models/tiny", started=started)


def served(place: Path, *argv: str, **variables: str) -> Case:
    """Ask about a model that a server answers for."""
    return _resolved(place, *argv, **variables)
