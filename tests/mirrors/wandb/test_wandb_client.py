"""The process that holds the client: whatever it does or suffers, it is never ours, and nothing of it stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError
from reprokit.mirrors.interface import AwayError, Copy, Room
from reprokit.mirrors.wandb import isolated, marked_processes, memory, redaction, web, wire, worker, worker_environment
from reprokit.mirrors.wandb.settings import Options
from reprokit.mirrors.wandb.worker import Call

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KEY = "local" + "k" * 40
PACKAGE = Path(isolated.__file__).parents[2]
NAME = "lab/evals/lm_eval-tiny-gpt2"
ENDLESS = "\nimport time\nwhile True: time.sleep(1)\n"


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Give a function that lets a program stand in for the client, and asks it something."""

    def ask(program, *, seconds=60.0, watch=lambda _: None, reference="wandb:a/b/c:d", **environment):
        folder = tmp_path / "stand-in"
        (folder / "scratch").mkdir(parents=True, exist_ok=True)
        (folder / "stand_in_client.py").write_text(program)
        shutil.copytree(PACKAGE, folder / "reprokit", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.pyc"))
        monkeypatch.setattr(isolated, "PLACE", folder)
        monkeypatch.setattr(worker, "_PROGRAM", "stand_in_client")
        room = Room(scratch=folder / "scratch", seconds=seconds, watch=watch)
        request = wire.Look(reference=reference, address="http://x.invalid", options=Options(), seconds=seconds)
        variables = {"PATH": os.environ["PATH"], **environment}
        return worker.run(Call(request=request, environment=variables, address="http://x.invalid", key=KEY, room=room))

    return ask


def marked():
    """Find what is left of the processes that this one had started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if f"{marked_processes.NAME}=".encode() in environment and str(os.getpid()).encode() in environment:
            found.append(process.name)
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    """See that no process and no passing folder outlives a test."""
    made = worker_environment.made
    monkeypatch.setattr(
        worker_environment, "made", lambda *about, **more: made(*about, **more) | {"STARTED_BY": str(os.getpid())}
    )
    yield
    assert marked() == []


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("import sys; sys.exit(3)", "exit status 3"),
        ("import sys; sys.exit(0)", "exit status 0"),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9"),
        ("raise SystemExit('no room')", "no room"),
        ("print('hello')", "exit status"),
        ('print(\'{"type": "Found"}\')' + ENDLESS, "ended before"),
        ("import sys; sys.stdin.close()" + "\nraise KeyError('x')", "KeyError"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", "ended before"),
    ],
)
def test_a_process_that_fails_is_a_matter_of_trying_again(stand_in, program, says):
    with pytest.raises(AwayError, match=says) as raised:
        stand_in(program)
    assert "try again" in raised.value.hint


def test_what_it_says_aside_is_told_without_the_key(stand_in):
    encoded = web.authorization(KEY).removeprefix("Basic ")
    with pytest.raises(AwayError) as raised:
        stand_in(
            f"import sys; print('x' * 100_000 + '\\n\\x1b[31mkey {KEY} and {encoded} refused', file=sys.stderr); sys.exit(1)"
        )
    assert raised.value.message.endswith("[31mkey … and … refused")
    assert "\x1b" not in raised.value.message


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        ("away", AwayError),
        ("refused", RemoteError),
        ("missing", NotFoundError),
        ("fixity", FixityError),
        ("client", InputMissingError),
    ],
)
def test_what_it_tells_becomes_an_error_of_ours(stand_in, trouble, kind):
    answer = wire.encode(wire.Failed(trouble=trouble, reason=f"so it is, {KEY}")).decode()
    with pytest.raises(kind, match="so it is, …") as raised:
        stand_in(f"print({answer!r}, flush=True)" + ENDLESS)
    assert raised.value.hint
    assert type(raised.value) is kind


def test_how_far_it_is_is_passed_on_and_the_outcome_ends_it(stand_in):
    copy = Copy(reference="wandb:a/b/c:v1", files=1, octets=2)
    answers = [wire.Doing(doing="one"), wire.Doing(doing="two", octets=1, of=2), wire.Found(copy=copy)]
    program = (
        f"import sys; sys.stdin.readline(); print({b''.join(map(wire.encode, answers)).decode()!r}, flush=True)"
        + ENDLESS
    )
    steps = []
    assert stand_in(program, watch=steps.append) == wire.Found(copy=copy)
    assert [(step.doing, step.octets, step.of) for step in steps] == [("one", 0, 0), ("two", 1, 2)]


def test_a_hanging_process_is_ended_with_all_that_it_started(stand_in):
    program = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
while True: time.sleep(1)
"""
    began = time.monotonic()
    with pytest.raises(AwayError, match="within 3 s"):
        stand_in(program, seconds=3.0)
    assert time.monotonic() - began < 20
    assert marked() == []


def test_a_process_that_does_not_even_read_a_long_request_is_ended_at_the_deadline(stand_in):
    with pytest.raises(AwayError, match="did not finish within 2 s"):
        stand_in(ENDLESS, seconds=2.0, reference="wandb:a/b/c:" + "d" * (4 << 20))


def test_a_grandchild_that_holds_the_streams_of_a_process_that_ended_keeps_nobody(stand_in):
    program = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
"""
    with pytest.raises(AwayError):
        stand_in(program, seconds=4.0)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_whatever_ends_us_ends_it(stand_in, kind):
    def interrupt(_):
        raise kind

    program = f"print({wire.encode(wire.Doing(doing='x')).decode()!r}, flush=True)" + ENDLESS
    with pytest.raises(kind):
        stand_in(program, watch=interrupt)
    assert marked() == []


def test_it_is_given_what_it_needs_and_nothing_else_of_ours(stand_in, tmp_path):
    planted = {
        "OPENAI_API_KEY": "sk-planted", "AWS_SECRET_ACCESS_KEY": "planted", "HF_TOKEN": "planted", "USER": "planted",
        "WANDB_API_KEY": "planted", "WANDB_NOTES": "planted", "WANDB_DIR": "/planted", "WANDB_ARGS": "planted",
        "WANDB_RUN_ID": "planted", "WANDB_CONFIG_PATHS": "/planted", "HOME": "/planted", "NETRC": "/planted",
    }  # fmt: skip
    passed = {"HTTPS_PROXY": "http://proxy:1", "no_proxy": "127.0.0.1", "REQUESTS_CA_BUNDLE": "/ca.pem"}
    with pytest.raises(AwayError):
        stand_in("import json, os; open('given', 'w').write(json.dumps(dict(os.environ)))", **planted, **passed)
    scratch = tmp_path / "stand-in/scratch"
    given = json.loads((scratch / "given").read_text())
    assert "planted" not in json.dumps(given)
    assert given.items() >= passed.items()
    assert (given["SSL_CERT_FILE"], given["WANDB_API_KEY"]) == ("/ca.pem", KEY)
    for name in (
        "WANDB_DIR",
        "WANDB_DATA_DIR",
        "WANDB_CACHE_DIR",
        "WANDB_CONFIG_DIR",
        "WANDB_ARTIFACT_DIR",
        "HOME",
        "NETRC",
    ):
        assert Path(given[name]).is_relative_to(scratch)
    assert not Path(given["TMPDIR"]).exists()
    assert "WANDB_API_KEY" not in worker_environment.made({}, address="http://x", key=None, scratch=scratch, mark="m")


def test_nothing_is_imported_from_where_it_works(stand_in, tmp_path):
    scratch = tmp_path / "stand-in/scratch"
    scratch.mkdir(parents=True)
    (scratch / "json.py").write_text("raise SystemExit('planted')")
    with pytest.raises(AwayError, match="exit status 7"):
        stand_in("import json, sys; sys.exit(7)")


def test_half_a_key_that_a_cut_left_is_told_no_more_than_a_whole_one(stand_in):
    key, encoded = worker_key(), web.authorization(worker_key()).removeprefix("Basic ")
    for secret in (key, encoded):
        for part in (secret, secret[:-1], secret[1:], secret[:8], secret[-8:]):
            assert redaction.redacted(f"so: {part}", key) == "so: …"
            assert redaction.redacted(f"{part} it is, {part}.", key) == "… it is, …."
    assert redaction.redacted("local key", key) == "local key"
    answer = wire.encode(wire.Failed(trouble="refused", reason=f"so it is, {KEY[:-1]}", hint=f"not {KEY[:-1]}"))
    with pytest.raises(RemoteError) as raised:
        stand_in(f"print({answer.decode()!r}, flush=True)" + ENDLESS)
    assert (raised.value.message, raised.value.hint) == ("so it is, …", "not …")


def worker_key():
    return "local" + "".join(chr(ord("a") + number % 26) + str(number) for number in range(20))


def test_what_cannot_be_imported_is_no_matter_of_trying_again(stand_in):
    for program in ("import nothing_of_that_name", "from json import nothing"):
        with pytest.raises(InputMissingError, match=r"cannot be started.*nothing") as raised:
            stand_in(program)
        assert "install" in raised.value.hint
    # Not so, once it is at work: it may be a server's doing.
    answer = wire.encode(wire.Doing(doing="x")).decode()
    with pytest.raises(AwayError):
        stand_in(f"print({answer!r}, flush=True)\nimport nothing_of_that_name")


def test_nothing_in_a_folder_that_variables_name_is_imported(desk, tmp_path):
    for name in ("wandb", "msgspec", "sitecustomize", "usercustomize"):
        (tmp_path / "planted").mkdir(exist_ok=True)
        (tmp_path / f"planted/{name}.py").write_text(f"open({str(tmp_path / 'seen')!r}, 'w')\nraise SystemExit(9)")
    desk.more |= {"PYTHONPATH": str(tmp_path / "planted"), "PYTHONHOME": str(tmp_path / "planted")}
    desk.more |= {"PYTHONSTARTUP": str(tmp_path / "planted/wandb.py")}
    with pytest.raises(NotFoundError):
        desk.look("wandb:lab/evals/x:v0")
    assert not (tmp_path / "seen").exists()


def test_what_lies_beside_a_checkout_of_reprokit_is_not_taken_for_the_client(desk, tmp_path, monkeypatch):
    shutil.copytree(PACKAGE, tmp_path / "clone/reprokit", ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(isolated, "PLACE", tmp_path / "clone")
    for name in ("wandb", "msgspec"):
        (tmp_path / f"clone/{name}.py").write_text("raise SystemExit(9)")
    with pytest.raises(NotFoundError):
        desk.look("wandb:lab/evals/x:v0")
    # It is that checkout which is at work, and not what is installed.
    (tmp_path / "clone/reprokit/mirrors/wandb/client/__main__.py").write_text("raise SystemExit('the clone')")
    with pytest.raises(AwayError, match="the clone"):
        desk.look("wandb:lab/evals/x:v0")


def test_a_process_that_grows_without_an_end_is_ended(stand_in, monkeypatch):
    monkeypatch.setattr(memory, "MOST", 100 << 20)
    with pytest.raises(RemoteError, match="sends too much: more than 100 MiB") as raised:
        stand_in("held = []\nwhile True: held.append(b'x' * (1 << 20))" + ENDLESS)
    assert not isinstance(raised.value, AwayError)
    assert marked() == []


# --- the real client ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"operation": "UpsertBucket"}, {"method": "PUT", "path": "^/storage/artifact"}])
def test_a_server_that_hangs_is_given_up_at_the_deadline(desk, rich, fault):
    desk.server.fault("hang", **fault)
    began = time.monotonic()
    with pytest.raises(AwayError):
        desk.push(rich, seconds=7.0)
    assert time.monotonic() - began < 25
    assert marked() == []
    assert desk.server.state()["collections"].get(NAME, {"committed": 0})["committed"] == 0


PUSH = """
import importlib.util, json, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("at_work", sys.argv[1])
at_work = importlib.util.module_from_spec(spec)
sys.modules["at_work"] = at_work
spec.loader.exec_module(at_work)
from reprokit.mirrors.wandb.mirror import WandbMirror
environment = json.loads(sys.argv[3])
to = WandbMirror().destination({"entity": "lab", "project": "evals"}, environment, own=True)
desk = at_work.Desk(server=None, home=Path(sys.argv[4]))
WandbMirror().push(desk.consign(Path(sys.argv[2])), to, environment, desk.room())
print("pushed")
"""


def alive(mark):
    return [each for each in Path("/proc").glob("[0-9]*") if mark in _environment(each)]


def _environment(process):
    try:
        return (process / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_we_are_killed_it_ends_by_itself_and_the_next_push_finishes(desk, rich, tmp_path, number):
    environment = desk.environment | {"LANG": f"C.{tmp_path.name}"}
    words = [
        sys.executable,
        "-c",
        PUSH,
        Path(__file__).with_name("conftest.py"),
        rich,
        json.dumps(environment),
        desk.home,
    ]
    process = subprocess.Popen([str(each) for each in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    desk.server.fault("hang", operation="CommitArtifact")
    until = time.monotonic() + 60
    while "CommitArtifact" not in desk.server.operations():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    assert alive(tmp_path.name)
    process.send_signal(number)
    process.communicate()
    until = time.monotonic() + 30
    while left := alive(f"LANG=C.{tmp_path.name}"):
        assert time.monotonic() < until, left
        time.sleep(0.05)
    desk.server.heal()
    assert desk.push(rich).reference == f"wandb:{NAME}:v0"
    assert desk.server.state()["collections"][NAME]["committed"] == 1
    (run,) = desk.server.state()["runs"].values()
    assert len([row for row in run["history"] if row and "task_0/acc,none" in row]) == 1


BUSY_CLIENT = """
import subprocess, sys, time
from reprokit.mirrors.wandb.client import __main__ as client

WRITES = '''
import itertools, tempfile, time
for n in itertools.count():
    open(f"{tempfile.gettempdir()}/{n % 999}", "w").close()
    time.sleep(0.0005)
'''

def carry_out(asked, voice):
    # It gives up as soon as its service is gone, as W&B's does.
    subprocess.run([sys.executable, "-c", WRITES])
    raise OSError("the service is gone")

client._carry_out = carry_out
client.main()
"""


def test_whoever_asked_is_gone_and_so_is_what_a_busy_client_writes(tmp_path):
    passing = tmp_path / "passing"
    passing.mkdir()
    variables = {"TMPDIR": str(passing), worker_environment.PASSING: str(passing), marked_processes.NAME: "busy-client"}
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY_CLIENT],
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    asked = wire.Look(reference="wandb:a/b/c:d", address="http://x.invalid", options=Options(), seconds=60.0)
    process.stdin.write(wire.encode(asked))
    process.stdin.flush()
    until = time.monotonic() + 30
    while not list(passing.iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    process.communicate(timeout=30)
    assert not passing.exists()
    assert marked_processes.find("busy-client") == []
