"""Everything that a W&B server can do wrong, at every step of a push and of a pull, with the real client.

Each case is one fault (or two) in one place. Whatever is told then has to be true: a bundle is mirrored only when the
server holds all of it, else it waits, with a reason. When all is well again, one `sync` makes everything right.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


def _shared() -> Any:
    name = "mirror_archive"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("mirror_archive.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


shared = _shared()
SCORES = {"sums/exact_match": 0.5}
FIRST = ("-c", shared.ONE_TRY)

# What goes wrong. `hiccup`s happen once: then it may get through by itself.
FAULTS: dict[str, dict[str, Any]] = {
    "refused": {"kind": "refuse"},
    "hangs": {"kind": "hang"},
    "slow": {"kind": "slow", "seconds": 1.0, "times": 1},
    "401": {"kind": "status", "status": 401},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "409": {"kind": "status", "status": 409},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 1},
    "429 for an hour": {"kind": "status", "status": 429, "headers": {"Retry-After": "3600"}},
    "500": {"kind": "status", "status": 500},
    "500 once": {"kind": "status", "status": 500, "times": 1},
    "502": {"kind": "status", "status": 502},
    "error": {"kind": "graphql"},
    "cut off": {"kind": "drop"},
    "cut off once": {"kind": "drop", "times": 1},
    "done and not answered": {"kind": "refuse", "done": True, "times": 1},
    "done and answered 500": {"kind": "status", "status": 500, "done": True, "times": 1},
    "lost": {"kind": "lost-upload"},
    "lost once": {"kind": "lost-upload", "times": 1},
    "commit lost": {"kind": "lost-commit"},
    "metrics lost": {"kind": "lost-history"},
    "wrong bytes": {"kind": "corrupt"},
    "half the bytes": {"kind": "truncate"},
}
HICCUPS = {name for name, fault in FAULTS.items() if fault.get("times")}

# Where in a push, and what goes wrong there. What a status means is told in one place, whoever is answered so:
# `tests/mirrors/wandb/test_wandb_failures.py` has all of them.
BUNDLE = {"after": 2}  # two tables are kept before the bundle is, as artifacts too
PUSH: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "the key": ({"operation": "Viewer"}, ("refused", "hangs", "401", "429 for an hour")),
    "the key, asked by the client": ({"operation": "Viewer", "after": 1}, ("403",)),
    "whether it is there": ({"operation": "ArtifactMembershipByName"}, ("error",)),
    "which versions there are": ({"operation": "ProjectArtifacts"}, ("cut off",)),
    "whether the run is there": ({"operation": "Run"}, ("500",)),
    "how the run can go on": ({"operation": "RunResumeStatus"}, ("429",)),
    "the run": ({"operation": "UpsertBucket"}, ("409", "error", "done and not answered")),
    "the metrics": ({"path": "/file_stream$"}, ("500", "metrics lost", "cut off once")),
    "addresses for the run's files": ({"operation": "CreateRunFiles"}, ("500",)),
    "a file of the run": ({"method": "PUT", "path": "^/storage/run"}, ("lost",)),
    "the type": ({"operation": "ArtifactType"}, ("error",)),
    "a table's artifact": ({"operation": "CreateArtifact", "times": 1}, ("403",)),
    "the artifact": ({"operation": "CreateArtifact", **BUNDLE}, ("done and answered 500",)),
    "the list": ({"operation": "CreateArtifactManifest", "after": 4}, ("error",)),
    "addresses for the files": ({"operation": "CreateArtifactFiles", **BUNDLE}, ("502",)),
    "a file": (
        {"method": "PUT", "path": "^/storage/artifact", "after": 5},
        ("403", "cut off", "lost", "lost once", "done and not answered", "hangs"),
    ),
    "the list's file": ({"method": "PUT", "path": "^/storage/manifest", **BUNDLE}, ("lost",)),
    "the commit": (
        {"operation": "CommitArtifact", **BUNDLE},
        ("error", "commit lost", "done and not answered", "done and answered 500", "hangs"),
    ),
    "the version, asked again": ({"operation": "ArtifactMembershipByName", "after": 1}, ("404",)),
    "the list, asked again": ({"operation": "FetchArtifactManifest"}, ("error",)),
    "the list's file, read again": ({"method": "GET", "path": "^/storage/manifest"}, ("wrong bytes",)),
    "the history, asked again": ({"operation": "HistoryPage"}, ("500",)),
    "the run's files, asked again": ({"operation": "RunFiles"}, ("502",)),
    "what the run made, asked again": ({"operation": "RunOutputArtifacts"}, ("error",)),
}
LABELS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a new alias": ({"operation": "AddAliases"}, ("500", "done and not answered")),
    "a new tag": ({"operation": "UpsertBucket"}, ("403",)),
}
BLOB = {"method": "GET", "path": "^/storage/blob"}
PULL: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "what the reference means": ({"operation": "ArtifactMembershipByName"}, ("401", "error")),
    "the list": ({"operation": "FetchArtifactManifest"}, ("500",)),
    "the list's file": ({"method": "GET", "path": "^/storage/manifest"}, ("wrong bytes", "404")),
    "a file": (
        {**BLOB, "after": 3},
        ("wrong bytes", "half the bytes", "404", "500", "500 once", "cut off", "refused", "hangs", "slow"),
    ),
    "a file, at both addresses": (
        {"method": "GET", "path": "^/(storage/blob|artifactsV2)/", "after": 3},
        ("403", "wrong bytes"),
    ),
}
BROKEN = {"wrong bytes", "half the bytes"}
"""What arrived is not what was sent; all else that goes wrong with a file may be well again tomorrow."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault in one place."""

    name: str
    fault: dict[str, Any]

    @property
    def hangs(self) -> bool:
        return self.fault["kind"] == "hang"


def cases(kind: str, table: dict[str, tuple[dict[str, Any], tuple[str, ...]]]) -> list[Any]:
    made = [
        Case(name=f"{kind}, {place}: {fault}", fault={**FAULTS[fault], **where})
        for place, (where, faults) in table.items()
        for fault in faults
    ]
    return [pytest.param(each, id=each.name) for each in made]


MATRIX = {kind: cases(kind, table) for kind, table in (("push", PUSH), ("labels", LABELS), ("pull", PULL))}


def test_there_are_many_cases_of_every_kind():
    names = [each.id for table in MATRIX.values() for each in table]
    assert len(names) == len(set(names)) >= 40
    assert len(MATRIX["push"]) >= 36
    met = {name.rpartition(": ")[2] for name in names}
    assert met == set(FAULTS), "a fault that happens nowhere"


# --- the server and the archive that every case begins with -----------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = shared.started_server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Somebody without a bundle, and with one that was not pushed; and the seconds that a push takes."""

    empty: Any
    before: Any
    seconds: float


@pytest.fixture(scope="module")
def beginning(server, tmp_path_factory) -> Beginning:
    folder = tmp_path_factory.mktemp("beginning")
    empty = shared.moved_in(folder / "empty", server)
    before = shared.moved_in(folder / "before", server, like=empty)
    before.capture()
    after = shared.moved_in(folder / "after", server, like=before)
    began = time.monotonic()
    after("push", "--mirror", "wandb", "latest")
    return Beginning(empty=empty, before=before, seconds=time.monotonic() - began)


def patience(case: Case, beginning: Beginning) -> float:
    """Give the seconds that a case may take: what does not pass is sat out, no longer than it takes to get there."""
    return 120.0 if case.fault.get("times") else max(9.0, 3 * beginning.seconds)


def is_told_well(text: str) -> None:
    """Require a message that a person can read: a line and a hint, no traceback, and no key."""
    said = [line for line in text.splitlines() if line.startswith("reprokit: ")]
    hints = [line for line in text.splitlines() if line.startswith("hint: ")]
    assert said, text
    assert hints, text
    assert all(len(line) < 500 for line in said), text
    assert "local0000" not in text, text
    assert not re.search(r"\bNone\b|Traceback|<[a-z_.]+ object", text), text


def is_true(person: Any, done: Any) -> bool:
    """Hold what a push told and left against what the server holds; tell whether the bundle is mirrored."""
    print(done.returncode, done.stderr)
    is_mirrored = shared.told_truly(person, SCORES)
    assert done.returncode in shared.STATUSES
    assert is_mirrored == (done.returncode == 0)
    if not is_mirrored:
        is_told_well(done.stderr)
        (wish,) = person.waiting
        assert wish["state"] in {"waiting", "refused"}
        assert wish["reason"] in done.stderr
    else:
        assert person.waiting == []
    return is_mirrored


@pytest.mark.parametrize("case", MATRIX["push"])
def test_a_push_never_lies_and_one_sync_heals_it(case, server, beginning, tmp_path):
    server.reset()
    ada = shared.moved_in(tmp_path / "ada", server, like=beginning.before)
    server.fault(**case.fault)

    began = time.monotonic()
    words = ("push", "--mirror", "wandb", "latest", "--timeout", patience(case, beginning))
    done = ada(*words, program=FIRST, check=None)
    seconds = time.monotonic() - began
    is_true(ada, done)
    (fault,) = server.faults()
    assert fault["happened"] or seconds > patience(case, beginning) / 2, "the fault was never met"
    assert ada.processes() == []

    server.heal()
    ada("sync")
    shared.all_is_right(ada, SCORES)
    assert ada.leavings() == []


@pytest.mark.parametrize("case", MATRIX["labels"])
def test_labels_that_cannot_be_changed_now_are_changed_later(case, server, beginning, tmp_path):
    server.reset()
    ada = shared.moved_in(tmp_path / "ada", server, like=beginning.before)
    ada("push", "--mirror", "wandb", "latest")
    ada("tag", "latest", "paper")
    server.fault(**case.fault)

    done = ada("push", "--mirror", "wandb", "latest", program=FIRST, check=None)
    (fault,) = server.faults()
    assert fault["happened"]
    assert len(ada.waiting) == (done.returncode != 0)
    newest = ada.mirrored[-1]["detail"]["labels"]
    assert ("paper" in newest) == (done.returncode == 0)
    server.heal()
    ada("sync")
    shared.all_is_right(ada, SCORES)
    ((_, version),) = shared.versions(server.state())
    assert "paper" in version["aliases"]
    assert "paper" in ada.mirrored[-1]["detail"]["labels"]


# --- the other way -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A server that has a bundle, and who pushed it."""
    server = shared.started_server(tmp_path_factory.mktemp("stocked"))
    ada = shared.moved_in(tmp_path_factory.mktemp("ada") / "home", server)
    ada.capture()
    ada("push", "--mirror", "wandb", "latest")
    bob = shared.moved_in(tmp_path_factory.mktemp("bob") / "home", server)
    yield ada, bob
    server.stop()


def holds_nothing(person: Any) -> bool:
    """Tell whether nothing of a bundle is in an archive, nor on its way into it."""
    places = [person.archive / each for each in ("bundles", ".reprokit/staging", ".dvc/cache")]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return all(path.name.startswith(".git") for path in files)


def fetched_whole(person: Any, folder: Path) -> None:
    assert shared.files_of(person.folder()) == shared.files_of(folder)
    assert shared.identity_of(person.folder()) == shared.identity_of(folder)
    assert "whole" in person("validate", "latest").stdout


def pulled_badly_then_well(server: Any, ada: Any, bob: Any, heal: Any, seconds: float = 120.0) -> int:
    reference = ada.mirrored[-1]["detail"]["reference"]
    done = bob("pull", reference, "--timeout", seconds, program=FIRST, check=None)
    print(done.returncode, done.stderr)
    assert done.returncode in {0, 10, 12, 30}
    if done.returncode:
        is_told_well(done.stderr)
        assert holds_nothing(bob)
    else:
        fetched_whole(bob, ada.folder())
    heal()
    bob("pull", reference)
    fetched_whole(bob, ada.folder())
    assert bob.leavings() == []
    state = server.state()
    assert (state["unknown"], state["crashes"]) == ([], [])
    return done.returncode


@pytest.mark.parametrize("case", MATRIX["pull"])
def test_a_pull_keeps_nothing_that_is_not_whole_and_the_next_one_succeeds(case, stocked, tmp_path):
    ada, empty = stocked
    server = ada.server
    server.heal()
    bob = shared.moved_in(tmp_path / "bob", server, like=empty)
    server.fault(**case.fault)
    status = pulled_badly_then_well(server, ada, bob, server.heal, 8.0 if case.hangs else 120.0)
    what = case.name.rpartition(": ")[2]
    if what in HICCUPS:
        assert status == 0, "a hiccup is not to be noticed"
    if ", a file: " in case.name and status:
        assert status == (12 if what in BROKEN else 30)


@pytest.mark.parametrize("what", ["spoilt", "left out"])
def test_a_copy_that_went_bad_on_the_server_is_never_taken(what, stocked, tmp_path):
    ada, empty = stocked
    server = ada.server
    server.heal()
    bob = shared.moved_in(tmp_path / "bob", server, like=empty)
    path = ada.folder() / "data/results.json"
    md5 = shared.files_of(ada.folder())["data/results.json"]["md5"]
    if what == "left out":
        server.fault("omit", name="results.json")
    else:
        server.spoil(md5)

    def heal() -> None:
        server.heal()
        server.spoil(md5, path.read_bytes())

    status = pulled_badly_then_well(server, ada, bob, heal)
    assert status in ({0, 12} if what == "left out" else {12})


# --- a capture is not to notice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [("refused", 0), ("hangs", 7), ("500", 7), ("401", 0)])
def test_no_fault_changes_the_exit_status_of_an_evaluation_or_loses_its_bundle(
    fault, status, server, beginning, tmp_path
):
    server.reset()
    ada = shared.moved_in(tmp_path / "ada", server, like=beginning.empty)
    server.fault(**FAULTS[fault])
    results = "{'sums': {'exact_match': 0.5}}"
    script = f"import json; json.dump({results}, open('metrics.json', 'w')); print('said'); raise SystemExit({status})"
    words = ("--results", "metrics.json", "--", str(ada.python), "-c", script)
    done = ada("capture", "--mirror", "--wait", *words, check=status)
    assert done.stdout == "said\n"
    assert "captured" in done.stderr
    assert [wish["bundle"] for wish in ada.waiting] == [ada.folder().name]
    assert ada.mirrored == []
    server.heal()
    ada("sync", "--mirrors-only")
    assert ada.waiting == []
    assert len(shared.holding(server.state(), ada.folder())) == 1
    assert [each["bundle"] for each in ada.mirrored] == [ada.folder().name]
