"""A mirror at work: the real client, in its process, against the server of the tests."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import NotScored, Unknown
from reprokit.bundle.writing import Label, Payload
from reprokit.mirrors.interface import Consignment, Copy, Destination, Exported, Member, Receipt, Room, Step
from reprokit.mirrors.wandb.mirror import WandbMirror
from reprokit.rerun import script

LABEL = Label(name="A small run", tags=("baseline", "nightly"), note="what for")
MORE = {"harness/empty": b"", "harness/a b [x]=@~(y),z": b"2", "harness/big.bin": bytes(range(256)) * 9000}
OLDEST = Path(__file__).parents[3] / ".demo/wandb-oldest/bin/python"


def files_of(folder: Path) -> dict[str, Member]:
    """Tell what a bundle's folder holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = Member(md5=hashlib.md5(data).hexdigest(), size=len(data))
    return found


def a_record() -> Record:
    """A record of a small finished run."""
    return Record(
        origin="live",
        invocation=Invocation(
            argv=["lm_eval"],
            program="lm_eval",
            program_in="system",
            working_directory="/home/ada",
            environment_variables=[],
        ),
        run=Run(started="2026-11-23T03:15:47Z", ended="2026-11-23T03:16:47Z", exit_code=0, complete=True, host="box"),
        harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
        subject=Subject(
            models=[SubjectPart(name="toy-org/tiny-gpt2", revision=Unknown(unknown="local"), learnt_from="claim")]
        ),
        sources=[],
    )


def seal(folder: Path, record: Record, *, tasks: int = 2, rows: int = 4, more: dict[str, bytes] | None = None) -> Path:
    """Seal a bundle with tasks, filters, a group, scores that are none, and samples."""
    folder.mkdir(parents=True)
    payload = Payload(bag=folder)
    names = [f"task_{number}" for number in range(tasks)]
    metrics = [
        Metric(task=name, metric="acc", filter=kind, value=(number + 1) / 7, stderr=0.01, n=rows, higher_is_better=True)
        for number, name in enumerate(names)
        for kind in ("none", "strict.match")
    ]
    metrics += [
        Metric(task="all", metric="acc", filter="none", value=0.25, group=True),
        Metric(task=names[0], metric="judge", filter="none", value=NotScored(not_scored="N/A")),
        Metric(task=names[0], metric="count", filter="none", value=3),
    ]
    results = Results(
        metrics=metrics,
        tasks=[Task(name=name, samples_saved=rows, samples_file=f"samples/{name}.jsonl") for name in names],
        groups={"all": names},
    )
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
    pictures = {
        row: "sha256:" + hashlib.sha256(data).hexdigest()
        for row, (path, data) in enumerate((more or {}).items())
        if path.endswith(".png")
    }
    for name in names:
        lines = [
            Sample(
                task=name,
                id=each,
                document={"n": each},
                target=f"t{each}",
                responses=[f"r{each}"],
                scores={"acc": each % 2},
                media=[Medium(kind="image", digest=shown)] if (shown := pictures.get(each)) else [],
            )
            for each in range(rows)
        ]
        payload.add(f"samples/{name}.jsonl", "samples", (canonical.line(each) + b"\n" for each in lines))
    for path, data in {"harness/results.json": b'{"acc": 0.5}\n', **(more or {})}.items():
        payload.add(path, "harness", data)
    payload.add("results.json", "results", canonical.record(results))
    payload.add("environment/environment.json", "environment", canonical.record(environment))
    payload.add("environment/requirements.lock", "environment", b"# nothing is known\n")
    payload.seal(
        record,
        results=results,
        script=lambda record: script.text(record, environment, []),
        label=Label(),
        captured="2026-11-24T00:00:00Z",
        agent="reprokit-eval test",
    )
    return folder


@dataclass(kw_only=True)
class Desk:
    """Where bundles are pushed from: a home, an environment, and a server; `steps` are what the last call told."""

    server: Any
    home: Path
    settings: dict[str, Any] = field(default_factory=lambda: {"entity": "lab", "project": "evals", "group": "g1"})
    more: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    mirror: WandbMirror = field(default_factory=WandbMirror)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTHON"))}
        return kept | self.server.environment(self.home) | {"HOME": str(self.home)} | self.more

    @property
    def to(self) -> Destination:
        return self.mirror.destination(self.settings, self.environment, own=True)

    def consign(
        self, folder: Path, label: Label = LABEL, before: tuple[str, ...] = (), original: str | None = None
    ) -> Consignment:
        return Consignment(
            bundle=open_bundle(folder), files=files_of(folder), label=label, before=before, original=original
        )

    def room(self, seconds: float = 100.0) -> Room:
        self.steps.clear()
        scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=self.home))
        return Room(scratch=scratch, seconds=seconds, watch=self.steps.append)

    def push(self, folder: Path, *, seconds: float = 100.0, **about: Any) -> Receipt:
        return self.mirror.push(self.consign(folder, **about), self.to, self.environment, self.room(seconds))

    def look(self, reference: str) -> Copy:
        return self.mirror.look(reference, self.to, self.environment, self.room())

    def fetch(self, reference: str, folder: Path, *, seconds: float = 100.0, piecemeal: bool = False) -> Copy:
        folder.mkdir(parents=True, exist_ok=True)
        room = replace(self.room(seconds), piecemeal=piecemeal)
        return self.mirror.fetch(reference, self.to, self.environment, folder, room)

    def delete_run(self, name: str) -> None:
        self.with_client(f"wandb.Api().run('lab/evals/{name}').delete()")

    def log_again(self, name: str, row: dict[str, float]) -> None:
        self.with_client(
            f"run = wandb.init(entity='lab', project='evals', id='{name}', resume='must')\nrun.log({row!r})\nrun.finish()"
        )

    def with_client(self, program: str) -> None:
        """Do something with W&B's client that is not ours to do."""
        words = [sys.executable, "-c", f"import wandb\n{program}"]
        variables = self.environment | {"WANDB_CONSOLE": "off", "WANDB_SILENT": "true"}
        done = subprocess.run(words, env=variables, cwd=self.home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def export(self, folder: Path, into: Path, **about: Any) -> Exported:
        into.mkdir(parents=True, exist_ok=True)
        return self.mirror.export(self.consign(folder, **about), self.to, self.environment, into, self.room())


@pytest.fixture
def desk(wandb_server: Any, tmp_path: Path) -> Iterator[Desk]:
    """Give a desk with a server of its own, which must have understood all that it was asked."""
    home = tmp_path / "desk"
    home.mkdir()
    yield Desk(server=wandb_server, home=home)
    state = wandb_server.state()
    assert (state["unknown"], state["crashes"]) == ([], [])


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Give the folder of a bundle that holds something of everything."""
    return seal(tmp_path / "rich", a_record())


@pytest.fixture(scope="module")
def stock(lasting_wandb_server: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, Path, Receipt]:
    """Push one bundle for all tests of a module."""
    folder = tmp_path_factory.mktemp("stock")
    (folder / "desk").mkdir()
    desk = Desk(server=lasting_wandb_server, home=folder / "desk")
    sent = seal(folder / "sent", a_record(), more=MORE)
    return desk, sent, desk.push(sent)


@pytest.fixture
def stocked(stock: tuple[Desk, Path, Receipt]) -> Iterator[tuple[Desk, Path, Receipt]]:
    """Give a desk, a bundle that its server holds, and the receipt; in the end the server is well again."""
    yield stock
    desk = stock[0]
    desk.server.heal()
    state = desk.server.state()
    assert (state["unknown"], state["crashes"]) == ([], [])


@pytest.fixture
def contents() -> Callable[[Path], dict[str, Member]]:
    """Give a function that tells what a bundle's folder holds."""
    return files_of


@pytest.fixture
def sealing(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that seals such a bundle, changed as asked, under a name."""
    return lambda name, **about: seal(tmp_path / name, a_record(), **about)


@pytest.fixture(params=["newest", "oldest"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the process run with the newest client that is known, and with the oldest that is accepted."""
    if request.param == "oldest":
        monkeypatch.setattr(sys, "executable", str(OLDEST))
    return str(request.param)


@dataclass
class Recorder:
    """Stands between a client and a server, and keeps all that the client sends."""

    port: int
    data: bytes = b""

    def __post_init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.carried: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.accepting = threading.Thread(target=self._serve, daemon=True)
        self.accepting.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self.socket.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.port))
            self.carried += [here, there]
            for source, target, keep in ((here, there, True), (there, here, False)):
                thread = threading.Thread(target=self._carry, args=(source, target, keep), daemon=True)
                self.threads.append(thread)
                thread.start()

    def close(self) -> None:
        for each in (self.socket, *self.carried):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in (self.accepting, *self.threads):
            thread.join()

    def _carry(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                if keep:
                    self.data += chunk
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def recorder() -> Callable[[Desk], Any]:
    """Give a block in which all that a desk sends is kept."""

    @contextmanager
    def recording(desk: Desk) -> Iterator[Recorder]:
        made = Recorder(desk.server.port)
        desk.more |= {"WANDB_BASE_URL": made.address}
        try:
            yield made
        finally:
            made.close()

    return recording
