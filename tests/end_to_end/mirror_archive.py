"""What the acceptance tests of the mirror on W&B share: an archive, `reprokit` as a program, and what is true there.

The programs are real, W&B's own client among them, and so is the server, in a process of its own. What a test is told
is held against the server's own state, which nobody else has a say in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = ROOT / ".demo/wandb-oldest/bin/python"
STATUSES = frozenset({0, 10, 12, 21, 30})
"""With these `push --mirror` may exit, by `docs/exit-codes.md`."""
ONE_TRY = """
from reprokit.sync.mirroring.services import Terms
Terms.__init__.__kwdefaults__["budget"] = 0.0
from reprokit.cli import main
main()
"""
"""`reprokit` as it is, but for its patience: a service that failed once is not tried again for two minutes."""
TINY = {
    "metrics.json": '{"model": "toy-org/tiny", "results": {"sums": {"exact_match": 0.5}}}',
    "predictions.jsonl": "".join(
        json.dumps({"id": each, "prompt": f"{each}+1=", "target": str(each + 1), "response": "2"}) + "\n"
        for each in range(3)
    ),
}


def _driver() -> ModuleType:
    name = "wandb_server_driver"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests/wandb_server/driver.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def started_server(folder: Path) -> Any:
    """Start a server; see tests/wandb_server/driver.py."""
    return _driver().WandbServer(folder).start()


def interpreter(version: str) -> Path:
    """Give the Python that has a version of W&B's client: `newest` or `oldest`."""
    if version == "newest":
        return Path(sys.executable)
    if not OLDEST.exists():
        pytest.fail(f"the oldest supported `wandb` is tested too, and {OLDEST} is not there: `make dev`")
    return OLDEST


# --- a person -----------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Person:
    """Somebody with a home, an archive in it, and a key for the server."""

    home: Path
    server: Any
    python: Path = Path(sys.executable)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    @property
    def evals(self) -> Path:
        """The folder that everything is run in."""
        return self.home / "evals"

    @property
    def variables(self) -> dict[str, str]:
        strange = ("REPROKIT", "WANDB", "XDG_", "GIT_", "PYTEST")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        passing = self.home / "passing"
        passing.mkdir(exist_ok=True)
        own = {
            "PATH": f"{self.python.parent}:{kept['PATH']}",
            "REPROKIT_ARCHIVE": str(self.archive),
            "TMPDIR": str(passing),
            "WANDB_ENTITY": "lab",
            "WANDB_PROJECT": "evals",
        }
        return kept | self.server.environment(self.home) | own | self.more

    def begin(
        self, *words: object, program: tuple[str, ...] = ("-m", "reprokit"), **variables: str
    ) -> subprocess.Popen[str]:
        """Begin to run reprokit, in a session of its own."""
        return subprocess.Popen(
            [str(self.python), *program, *map(str, words)],
            cwd=self.evals,
            env=self.variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *words: object, check: int | None = 0, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run reprokit; `check` is the exit status that is expected."""
        running = self.begin(*words, **how)
        try:
            out, err = running.communicate(timeout=200)
        except BaseException:
            running.kill()
            raise
        assert "Traceback" not in err, err
        assert check is None or running.returncode == check, f"exit {running.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(running.args, running.returncode, out, err)

    def json(self, *words: object, **how: Any) -> Any:
        """Run reprokit and read the JSON that it prints."""
        return json.loads(self(*words, "--json", **how).stdout)

    def capture(self, files: Mapping[str, str] = TINY, *labels: str, **variables: str) -> str:
        """Capture a finished run of a script of one's own; gives the bundle's id."""
        for name, text in files.items():
            (self.evals / name).write_text(text)
        words = ("--results", "metrics.json", "--samples", "predictions.jsonl")
        before = self.bundles
        self("capture", "--from", self.evals, *words, *labels, **variables)
        (new,) = self.bundles - before
        return new

    @property
    def bundles(self) -> set[str]:
        """The ids of the bundles that are here."""
        return {path.name for path in self.archive.glob("bundles/*/*/")}

    def folder(self, bundle: str = "*") -> Path:
        """Give the folder of a bundle: of the only one when none is named."""
        (found,) = self.archive.glob(f"bundles/*/{bundle}/")
        return found

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """What waits in the outbox, as it lies on disk."""
        return [json.loads(path.read_bytes()) for path in sorted(self.archive.glob(".reprokit/outbox/wandb/*.json"))]

    @property
    def mirrored(self) -> list[dict[str, Any]]:
        """The `mirrored` events of the ledger, as they lie on disk, oldest first."""
        files = self.archive.glob("ledger/*/*-mirrored-*.jsonl")
        events = [json.loads(line) for path in files for line in path.read_text().splitlines()]
        return sorted(events, key=lambda each: each["time"])

    def is_committed(self) -> bool:
        """Tell whether git holds all of the ledger."""
        words = ["git", "-C", str(self.archive), "status", "--porcelain", "--", "ledger"]
        return not subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def processes(self) -> list[int]:
        """Find the processes that run for this person; W&B's own leave the tree, but not the home."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.fsencode(self.home) in (process / "environ").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue
        return found

    def kill_everything(self) -> None:
        """Kill all of them at once, as a power cut does; nothing gets a chance to clear up."""
        while mine := self.processes():
            for pid in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)

    def leavings(self) -> list[str]:
        """Name what programs left in the archive's own folders and in the system's for passing files."""
        places = (self.archive / ".reprokit/scratch", self.archive / ".reprokit/staging", self.home / "passing")
        return sorted(each.name for place in places if place.is_dir() for each in place.iterdir())


def moved_in(home: Path, server: Any, version: str = "newest", *, like: Person | None = None) -> Person:
    """Give a person a home and an archive: an empty one, or a copy of somebody's."""
    if like is not None:
        shutil.copytree(like.home, home, symlinks=True)
        return Person(home=home, server=server, python=like.python, more=dict(like.more))
    (home / "evals").mkdir(parents=True)
    person = Person(home=home, server=server, python=interpreter(version))
    person("init", person.archive)
    return person


# --- what is true ---------------------------------------------------------------------------------------------------------


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Tell what a bundle's folder holds, as the server tells what a version does."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            found[path.relative_to(folder).as_posix()] = {"md5": md5, "size": len(data)}
    return found


def identity_of(folder: Path) -> str:
    """Compute the identity of a bundle: the digest of its manifest, with no help of reprokit's."""
    return "sha256:" + hashlib.sha256((folder / "manifest-sha256.txt").read_bytes()).hexdigest()


def versions(state: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the committed versions of bundles, with their qualified names."""
    for name, collection in state["collections"].items():
        if collection["type"] == "eval-bundle" and not collection["deleted"]:
            for number, version in collection["versions"].items():
                if version["state"] == "COMMITTED":
                    yield f"{name}:{number}", version


def holding(state: Mapping[str, Any], folder: Path) -> list[str]:
    """Name the versions that hold exactly the files of a bundle, every byte of them kept."""
    files = files_of(folder)
    kept = all(state["blobs"].get(each["md5"]) == each["size"] for each in files.values())
    return [name for name, version in versions(state) if kept and version["files"] == files]


def runs_of(state: Mapping[str, Any], identity: str) -> list[dict[str, Any]]:
    """Give the runs that show a bundle."""
    runs = [run for run in state["runs"].values() if not run["deleted"]]
    return [run for run in runs if run["config"].get("bundle", {}).get("identity") == identity]


def points(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the rows of a run's history."""
    return [row for row in run["history"] if row]


def lacks(state: Mapping[str, Any], folder: Path, scores: Mapping[str, float]) -> list[str]:
    """Say what the server lacks of a bundle, or has more than once; nothing when all is right."""
    versions_, runs = holding(state, folder), runs_of(state, identity_of(folder))
    if (len(versions_), len(runs)) != (1, 1):
        return [f"{len(versions_)} versions hold it, and {len(runs)} runs show it"]
    return [*_lacking_scores(runs[0], scores), *_lacking_media(state, runs[0])]


def _lacking_scores(run: Mapping[str, Any], scores: Mapping[str, float]) -> Iterator[str]:
    for name, value in scores.items():
        shown = [row[name] for row in points(run) if name in row]
        if shown != [value]:
            yield f"the history of {name} is {shown}"
        if run["summary"].get(name) != value:
            yield f"the summary of {name} is {run['summary'].get(name)}"


def _lacking_media(state: Mapping[str, Any], run: Mapping[str, Any]) -> Iterator[str]:
    media = {name: each for name, each in run["summary"].items() if isinstance(each, dict) and "path" in each}
    if not {"table-file", "html-file"} <= {each.get("_type") for each in media.values()}:
        yield "there is no table, or no chart"
    for name, each in media.items():
        if run["files"].get(each["path"]) not in state["blobs"]:
            yield f"{name} is shown, and its file is not there"


def told_truly(person: Person, scores: Mapping[str, float]) -> bool:
    """Hold each `mirrored` event against what the server holds; tell whether there is one."""
    state = person.server.state()
    for event in person.mirrored:
        folder = person.folder(event["bundle"])
        assert event["identity"] == identity_of(folder)
        reference = event["detail"]["reference"].removeprefix("wandb:")
        assert holding(state, folder) == [reference], "FALSE `mirrored`"
        assert lacks(state, folder, scores) == [], "FALSE `mirrored`"
    return bool(person.mirrored)


def all_is_right(person: Person, scores: Mapping[str, float]) -> None:
    """Require that every bundle of the archive is mirrored, once, truly and for good."""
    state = person.server.state()
    bundles = person.bundles
    assert person.waiting == []
    assert {event["bundle"] for event in person.mirrored} == bundles
    assert told_truly(person, scores)
    assert len(list(versions(state))) == len(bundles), "a duplicate version"
    assert len([run for run in state["runs"].values() if not run["deleted"]]) == len(bundles), "a duplicate run"
    assert state["unknown"] == []
    assert not state["crashes"], state["crashes"][0]
    assert person.is_committed()
