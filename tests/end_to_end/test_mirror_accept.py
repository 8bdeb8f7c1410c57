"""What issue 4 promises of the mirror on W&B, with the real client of the newest and of the oldest version.

Everything is done as a person does it, with programs, and looked up in the state of the server.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import importlib.util
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
RECORDED = shared.ROOT / "tests/recorded/lm_eval/0.4.13"
NAME = "lab/evals/lm_eval-dummy-v1"
TINY = "lab/evals/script-tiny"
SETTINGS = """
[mirror.wandb]
group = "weekly"
job_type = "nightly-eval"
tags = ["lab"]
sample_rows = 3
"""
SCORES = {
    "toy_mc/acc": 0.4,
    "toy_mc/acc_stderr": 0.1632993161855452,
    "toy_mc_short/acc": 0.25,
    "toy_mc_b/acc_norm": 0.5,
    "groups/toy_inner/acc": 0.35714285714285715,
    "groups/toy_outer/acc_norm": 0.3833333333333333,
}
ODD = {
    "toy_odd/right": 0.3333333333333333,
    "toy_repeats/exact_match,first": 0.3333333333333333,
    "toy_repeats/exact_match,majority": 0.3333333333333333,
    "toy_rolling/bits_per_byte": 0.023590929458510004,
}
WRITES = re.compile(r"^(Upsert|Create|Commit|Update|Add|Delete|Use|PUT|POST)")
OTHER = {**shared.TINY, "metrics.json": '{"model": "toy-org/tiny", "results": {"sums": {"exact_match": 0.75}}}'}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    started = shared.started_server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture
def server(running):
    """A server that knows of nothing; whatever it is asked by a test, it has to understand."""
    running.reset()
    yield running
    state = running.state()
    assert (state["unknown"], state["crashes"], state["refusals"]) == ([], [], [])


@pytest.fixture(params=["newest", "oldest"])
def ada(request, server, tmp_path):
    """Somebody with one of the versions of the client."""
    return shared.moved_in(tmp_path / "ada", server, request.param)


@pytest.fixture
def ada_today(server, tmp_path):
    return shared.moved_in(tmp_path / "ada", server)


def push(person: Any, *words: str, **how: Any) -> Any:
    """Push, and give what came of the one bundle."""
    (delivery,) = person.json("push", "--mirror", "wandb", *(words or ("latest",)), **how)["bundles"]
    return delivery


def written(server: Any, since: int) -> list[str]:
    return [each for each in server.operations()[since:] if WRITES.search(each)]


def table(server: Any, run: Any, name: str) -> Any:
    return json.loads(server.blob(run["files"][run["summary"][name]["path"]]))


# --- what is there after a push ------------------------------------------------------------------------------------------


def test_a_push_shows_and_keeps_all_of_a_run_once(ada, server):
    with (ada.archive / "reprokit.toml").open("a") as settings:
        settings.write(SETTINGS)
    labels = ("--tag", "baseline", "--name", "Groups of groups", "--note", "why it was run")
    ada("capture", "--from", RECORDED / "nested_groups", *labels)
    done = ada("push", "--mirror", "wandb", "latest", "--tag", "asked for")

    assert "`toy_mc`: 3 of 10 samples are shown" in done.stderr
    state, folder = server.state(), ada.folder()
    identity = shared.identity_of(folder)
    short = identity.removeprefix("sha256:")[:8]
    assert shared.lacks(state, folder, SCORES) == []
    (run,) = shared.runs_of(state, identity)
    is_filed(run, identity)
    is_shown(server, run)
    is_kept(state, folder, short)
    assert f"wandb:{NAME}:v0" in done.stdout
    assert f"{server.address}/lab/evals/runs/{run['name']}" in done.stdout
    shared.all_is_right(ada, SCORES)

    before, events = len(server.operations()), ada.mirrored
    again = push(ada, "latest", "--tag", "asked for")
    assert (again["outcome"], again["receipt"]["reference"]) == ("there", f"wandb:{NAME}:v0")
    assert written(server, before) == []
    assert ada.mirrored == events
    later = server.state()
    assert {name: later[name] for name in ("runs", "collections", "blobs")} == {
        name: state[name] for name in ("runs", "collections", "blobs")
    }


def is_filed(run: Any, identity: str) -> None:
    assert run["name"] == "rk" + identity.removeprefix("sha256:")[:16]
    assert (run["display_name"], run["notes"]) == ("Groups of groups", "why it was run")
    assert (run["group"], run["job_type"], run["state"], run["exit_code"]) == ("weekly", "nightly-eval", "finished", 0)
    assert set(run["tags"]) == {"lab", "baseline", "asked for"}
    config = run["config"]
    assert (config["harness"]["name"], config["harness"]["version"]) == ("lm_eval", "0.4.13")
    assert config["model"]["name"] == "toy-org/dummy-v1"
    assert set(config["tasks"]) >= {"toy_mc", "toy_mc_short", "toy_mc_b"}
    assert config["task_configs"]["toy_mc_short"]["version"] == "3"
    assert set(config) >= {"bundle", "environment", "invocation", "limit", "n_shot", "run", "seeds", "unknown"}
    assert config["bundle"]["identity"] == identity


def is_shown(server: Any, run: Any) -> None:
    (row,) = shared.points(run)
    assert row["_step"] == 0
    assert (run["summary"]["toy_mc/n"], run["summary"]["groups/toy_outer/n"]) == (10, 24)
    assert run["output"] == []
    assert run["events"] == 0
    assert "requirements.txt" not in run["files"]
    assert not [name for name in run["files"] if "metadata" in name or "diff" in name or "code" in name]
    rows = {
        name: media["nrows"]
        for name, media in run["summary"].items()
        if name.startswith(("samples/", "results/")) and "nrows" in media
    }
    # Six scores of three tasks, four of two groups, and as many samples as the settings say.
    assert rows == {
        "results/tasks": 6,
        "results/groups": 4,
        "samples/toy_mc": 3,
        "samples/toy_mc_b": 3,
        "samples/toy_mc_short": 3,
    }
    samples = table(server, run, "samples/toy_mc")
    assert len(samples["data"]) == 3
    assert len(samples["columns"]) == len(samples["data"][0])
    chart = server.blob(run["files"][run["summary"]["results/headline"]["path"]]).decode()
    assert "toy_outer" in chart
    assert "<script" not in chart
    assert "http" not in chart.replace("http://www.w3.org", "")


def is_kept(state: Any, folder: Path, short: str) -> None:
    collection = state["collections"][NAME]
    assert (collection["type"], collection["committed"], collection["pending"]) == ("eval-bundle", 1, 0)
    version = collection["versions"]["v0"]
    assert version["files"] == shared.files_of(folder)
    assert set(version["aliases"]) == {"latest", short, "baseline"}
    assert version["metadata"]["identity"] == shared.identity_of(folder)
    assert version["metadata"]["scores"]["toy_mc/acc"]["value"] == 0.4
    assert f"reprokit reproduce wandb:{NAME}:{short}" in version["description"]
    assert f"reprokit pull wandb:{NAME}:{short}" in version["description"]
    assert version["seconds_to_live"] is None
    assert version["logged_by"] in state["runs"]


def test_what_is_no_number_is_in_the_summary_and_says_so(ada_today, server):
    ada_today("capture", "--from", RECORDED / "odd_metrics")
    push(ada_today)
    state, folder = server.state(), ada_today.folder()
    assert shared.lacks(state, folder, ODD) == []
    (run,) = shared.runs_of(state, shared.identity_of(folder))
    assert run["summary"]["toy_odd/nothing"] == "not scored: nan"
    assert run["summary"]["toy_odd/endless"] == "not scored: infinity"
    assert run["summary"]["toy_odd/pair"].startswith("not scored: a structure")
    assert all(isinstance(value, int | float | dict) for row in shared.points(run) for value in row.values())
    assert "NaN" not in json.dumps(run)
    assert "Infinity" not in json.dumps(run)


def test_labels_move_and_no_version_is_made(ada, server):
    ada.capture(shared.TINY, "--tag", "baseline", "--tag", "nightly")
    first = push(ada)
    ada("tag", "latest", "--remove", "nightly")
    ada("tag", "latest", "paper")
    second = push(ada)
    assert (first["outcome"], second["outcome"]) == ("sent", "updated")
    assert second["receipt"]["reference"] == first["receipt"]["reference"]
    state = server.state()
    short = shared.identity_of(ada.folder()).removeprefix("sha256:")[:8]
    collection = state["collections"][TINY]
    assert collection["aliases"] == dict.fromkeys(["latest", short, "baseline", "paper"], "v0")
    (run,) = shared.runs_of(state, shared.identity_of(ada.folder()))
    assert set(run["tags"]) == {"baseline", "paper"}
    assert collection["committed"] == 1
    assert len(shared.points(run)) == 1
    assert push(ada)["outcome"] == "there"


def test_another_bundle_of_a_model_is_the_next_version_and_the_latest(ada_today, server):
    one = ada_today.capture()
    first = push(ada_today, one)
    two = ada_today.capture(OTHER, "--tag", "paper")
    second = push(ada_today, two)
    assert [first["receipt"]["reference"], second["receipt"]["reference"]] == [f"wandb:{TINY}:v0", f"wandb:{TINY}:v1"]
    assert push(ada_today, one)["outcome"] == "there"
    aliases = server.state()["collections"][TINY]["aliases"]
    assert (aliases["latest"], aliases["paper"]) == ("v1", "v1")
    ada_today("tag", one, "paper")
    assert push(ada_today, one)["outcome"] == "updated"
    state = server.state()["collections"][TINY]
    assert (state["aliases"]["latest"], state["aliases"]["paper"], state["committed"]) == ("v1", "v0", 2)


def test_a_tag_that_two_bundles_share_comes_to_rest(ada_today, server):
    one = ada_today.capture(shared.TINY, "--tag", "paper")
    two = ada_today.capture(OTHER, "--tag", "paper")
    for bundle in (one, two):
        push(ada_today, bundle)
    outcomes = [push(ada_today, bundle)["outcome"] for bundle in (one, two, one, two)]
    assert outcomes[-2:] == ["there", "there"], "each push takes the alias away from the other"


def test_a_reproduction_uses_what_it_reproduces(ada_today, server):
    (ada_today.evals / "evaluate.py").write_text(
        "import json\njson.dump({'sums': {'exact_match': 0.5}}, open('metrics.json', 'w'))\n"
    )
    for words in (
        ["init", "-q"],
        ["add", "evaluate.py"],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "it"],
    ):
        subprocess.run(["git", *words], cwd=ada_today.evals, check=True)
    ada_today("capture", "--results", "metrics.json", "--", "python", "evaluate.py")
    original = push(ada_today)
    ada_today("reproduce", "latest", "--yes", "--env", "current")
    repeated = push(ada_today)
    state = server.state()
    assert original["bundle"] != repeated["bundle"]
    (run,) = shared.runs_of(state, shared.identity_of(ada_today.folder(repeated["bundle"])))
    assert run["inputs"] == [original["receipt"]["reference"].removeprefix("wandb:")]
    assert run["config"]["reproduces"] is not None


# --- there and back ------------------------------------------------------------------------------------------------------


def test_a_fresh_archive_gets_the_identical_bundle(ada, server, tmp_path):
    ada("capture", "--from", RECORDED / "nested_groups")
    sent = push(ada)
    bob = shared.moved_in(tmp_path / "bob", server)
    bob.python = ada.python
    bob("pull", sent["receipt"]["reference"].replace(":v0", ":latest"))
    assert shared.files_of(bob.folder()) == shared.files_of(ada.folder())
    assert bob.bundles == ada.bundles
    assert shared.identity_of(bob.folder()) == shared.identity_of(ada.folder())
    assert bob("validate", "latest").stdout.strip().endswith(": whole")
    assert "here already" in bob("pull", sent["receipt"]["reference"]).stdout


# --- the other ways there --------------------------------------------------------------------------------------------------


def told(state: Any) -> Any:
    """Give what a server holds, but for ids that are drawn and moments."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items() if name not in OWN}
        return [plain(each) for each in value] if isinstance(value, list) else value

    def named(name: str) -> str:
        return re.sub(r"(/run-rk\w+-\w+)-[\w-]{6}(?=$|:)", r"\1", name)

    collections = {named(name): plain(each) for name, each in state["collections"].items()}
    runs = {}
    for name, run in state["runs"].items():
        files = {file for file in run["files"] if file.startswith("media/")}
        outputs = sorted(map(named, run["outputs"]))
        runs[name] = plain(run) | {"files": files, "outputs": outputs, "config": plain(run["config"])}
    return {"runs": runs, "collections": collections}


OWN = {"_timestamp", "_runtime", "_wandb", "artifact_path", "_latest_artifact_path", "id", "events", "facts"}


def test_every_way_there_ends_in_the_same(ada, server, tmp_path):
    """Online at once; offline, by W&B's own program; offline, and never sent by it; with the network away."""
    labels = ("--tag", "baseline", "--name", "Groups of groups", "--note", "why it was run")
    ada("capture", "--from", RECORDED / "nested_groups", *labels)
    others = [shared.moved_in(tmp_path / name, server, like=ada) for name in ("by-wandb-sync", "never-sent", "away")]

    push(ada)
    online = told(server.state())
    shared.all_is_right(ada, SCORES)

    for person, way in zip(others, (by_wandb_sync, never_sent, network_away), strict=True):
        server.reset()
        way(person, server)
        shared.all_is_right(person, SCORES)
        assert told(server.state()) == online, way.__name__
        assert "nothing waits" in person("sync", "--status").stdout
        assert not [*(person.archive / ".reprokit/exports").rglob("*.wandb")]


def exported(person: Any, server: Any) -> str:
    before = len(server.operations())
    done = person("push", "--mirror", "wandb", "latest", WANDB_MODE="offline")
    assert server.operations()[before:] == []
    assert person.mirrored == []
    assert [wish["state"] for wish in person.waiting] == ["exported"]
    command = person.waiting[0]["export"]["command"]
    assert command in done.stderr
    assert command in person("sync", "--status").stdout
    return str(command)


def by_wandb_sync(person: Any, server: Any) -> None:
    command = exported(person, server)
    done = subprocess.run(
        ["bash", "-c", command], env=person.variables, cwd=person.home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert shared.holding(server.state(), person.folder()) == [f"{NAME}:v0"]
    assert person.mirrored == [], "nobody has looked yet"
    before = len(server.operations())
    assert "mirrored" in person("sync").stdout
    assert written(server, before) == [], "all of it was there"


def never_sent(person: Any, server: Any) -> None:
    exported(person, server)
    assert "mirrored" in person("sync").stdout


def network_away(person: Any, server: Any) -> None:
    server.stop()
    try:
        done = person("push", "--mirror", "wandb", "latest", check=30)
        assert "cannot be reached" in done.stderr
        assert "`reprokit sync`" in done.stderr
        assert len(person.waiting) == 1
        assert "waiting" in person("sync").stdout
    finally:
        server.start()
    assert person.mirrored == []
    assert "mirrored" in person("sync").stdout


def test_disabled_means_that_nothing_is_sent_or_kept_waiting(ada_today, server):
    ada_today.capture()
    done = ada_today("push", "--mirror", "wandb", "latest", WANDB_MODE="disabled")
    assert "disabled" in done.stdout + done.stderr
    assert ada_today.waiting == []
    assert server.operations() == []


def test_a_capture_queues_and_its_push_follows_in_the_background(ada_today, server):
    script = "import json; json.dump({'sums': {'exact_match': 0.5}}, open('metrics.json', 'w')); raise SystemExit(3)"
    words = ("--results", "metrics.json", "--", str(ada_today.python), "-c", script)
    server.stop()
    done = ada_today("capture", "--mirror", "--wait", *words, check=3)
    assert "captured" in done.stderr
    assert len(ada_today.waiting) == 1
    server.start()
    ada_today("sync", "--mirrors-only")
    shared.told_truly(ada_today, {"sums/exact_match": 0.5})
    assert ada_today.waiting == []
    assert len(ada_today.mirrored) == 1


# --- what is not sent ------------------------------------------------------------------------------------------------------


class _Recorder(BaseHTTPRequestHandler):
    """Passes requests on to the server, keeps what they hold, and gives its own address for the server's."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.kept.append((f"{self.command} {self.path}", dict(self.headers.items()), body))
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind.port, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read().replace(self.server.behind.address.encode(), self.server.address.encode())
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


for _method in ("POST", "PUT"):
    setattr(_Recorder, f"do_{_method}", _Recorder.do_GET)


@contextmanager
def recording(behind: Any):
    """Give a server that keeps every request that is made of another."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) as between:
        between.daemon_threads = True
        between.behind, between.kept = behind, []
        between.address = f"http://127.0.0.1:{between.server_address[1]}"
        thread = threading.Thread(target=between.serve_forever, daemon=True)
        thread.start()
        try:
            yield between
        finally:
            between.shutdown()
            thread.join()


def bodies(kept: list[Any]) -> list[tuple[str, bytes]]:
    """Give what was sent, unpacked, the headers with it but for the key that is to be in one of them."""
    found = []
    for what, headers, body in kept:
        said = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        other = "\n".join(f"{name}: {value}" for name, value in headers.items() if name != "Authorization")
        found.append((what, what.encode() + b"\n" + other.encode() + b"\n" + said))
    return found


KEY_OF_A_SERVICE = "sk-" + "proj-" + "Aq3Zt9Lm2Xw8" * 4
IN_ARGV = "pk" + "7Yb2Nc5Vd8Me1Kf4Jg6Hs"
IN_REMOTE = "Rt" + "6Wq1Zx4Cv7Bn0Mk3Lj"
IN_NOBODYS_VARIABLE = "Uf" + "5Pd8Sa2Gh6Tk9Ym1"
HOST = "quiet-heron-17.cluster.example.invalid"


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_no_secret_and_nothing_of_the_machine_is_in_any_request(ada, server):
    (ada.evals / "evaluate.py").write_text(
        "import json, os, sys\njson.dump({'sums': {'exact_match': 0.5}}, open('metrics.json', 'w'))\n"
    )
    remote = f"https://ada:{IN_REMOTE}@git.example.invalid/evals.git"
    commit = ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "it"]
    for words in (["init", "-q"], ["add", "evaluate.py"], commit, ["remote", "add", "origin", remote]):
        subprocess.run(["git", *words], cwd=ada.evals, check=True)
    secrets = {"OPENAI_API_KEY": KEY_OF_A_SERVICE, "LAB_THING": IN_NOBODYS_VARIABLE, "HOSTNAME": HOST, "HOST": HOST}
    words = ("capture", "--results", "metrics.json", "--", "python", "evaluate.py", f"--api_key={IN_ARGV}")
    ada(*words, **secrets)
    with recording(server) as between:
        ada.more["WANDB_BASE_URL"] = between.address
        (delivery,) = ada.json("push", "--mirror", "wandb", "latest", **secrets)["bundles"]
        assert delivery["outcome"] == "sent"
        ada.more.pop("WANDB_BASE_URL")
    sent = bodies(between.kept)
    kinds = {what.split("?")[0].split("/")[1] + " " + what.split()[0] for what, _ in sent}
    assert kinds >= {"graphql POST", "files POST", "storage PUT"}, "not all that was sent was seen"
    assert len([what for what, _ in sent if "/storage/artifact/" in what]) >= 10

    planted = {
        "the key of a service": KEY_OF_A_SERVICE,
        "an argument": IN_ARGV,
        "the git remote": IN_REMOTE,
        "a variable": IN_NOBODYS_VARIABLE,
        "the host, as a variable says": HOST,
        "the key of the server": server.key,
    }
    forms = {
        what: [secret, base64.b64encode(secret.encode()).decode(), secret[::-1]] for what, secret in planted.items()
    }
    forms["the key of the server"].append(base64.b64encode(f"api:{server.key}".encode()).decode())
    leaks = [
        (what, where) for what, ways in forms.items() for where, body in sent for each in ways if each.encode() in body
    ]
    assert leaks == []

    # The bundle's own files say where its run was; what is said of it, beside them, does not.
    beside = [(where, body) for where, body in sent if not is_of_the_bundle(ada, body)]
    places = [where for where, body in beside if str(ada.home).encode() in body]
    assert places == []


def is_of_the_bundle(person: Any, body: bytes) -> bool:
    """Tell whether a request carries a file of the bundle."""
    content = body.partition(b"\n\n")[2] if b"\n\n" in body else body
    files = [path.read_bytes() for path in person.folder().rglob("*") if path.is_file()]
    return any(content.endswith(each) or body.endswith(each) for each in files if each)
