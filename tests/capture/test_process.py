"""The runner against the bare command: same bytes, same signals, same end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.capture.running import process, signals
from reprokit.capture.running.relay import Relay
from reprokit.errors import CannotStartError, ExitCode

DRIVER = """
import os, sys
from pathlib import Path
import msgspec
from reprokit.capture.running import process
logs = Path(sys.argv[1])
before = len(os.listdir("/dev/fd"))
ended = process.run(sys.argv[2:], environment=os.environ, directory=None, logs=None if logs.name == "none" else logs)
leaked = len(os.listdir("/dev/fd")) - before
(logs.parent / "ended.json").write_bytes(msgspec.json.encode({"ended": ended, "leaked": leaked}, enc_hook=str))
process.exit_like(ended)
"""


class Folder:
    """A folder for the logs of one captured command, and what the runner said of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    def command(self, *argv: str, logs: str = "logs") -> list[str]:
        return [sys.executable, "-c", DRIVER, str(self.root / logs), *argv]

    def run(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
        return subprocess.run(self.command(*argv), check=False, **options)

    @property
    def ended(self) -> dict[str, Any]:
        said = json.loads((self.root / "ended.json").read_bytes())
        assert said["leaked"] == 0
        return said["ended"]

    @property
    def ended_is_known(self) -> bool:
        return (self.root / "ended.json").exists()

    def log(self, name: str = "stdout") -> bytes:
        return (self.logs / f"{name}.log").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(code), *arguments]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


# --- how it ends -----------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(code=st.integers(0, 255) | st.sampled_from([0, 1, 3, 125, 126, 127, 128, 130, 137, 255]))
def test_every_exit_code_is_the_commands_own(tmp_path_factory, code):
    folder = Folder(tmp_path_factory.mktemp("code"))

    done = folder.run("bash", "-c", f"exit {code}")

    assert done.returncode == code
    assert (folder.ended["exit_code"], folder.ended["signal"]) == (code, None)


@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT", "SIGHUP", "SIGPIPE", "SIGABRT", "SIGUSR1", "SIGRTMIN"]
)
def test_death_by_a_signal_looks_the_same_to_the_parent(folder, name):
    number = int(getattr(signal, name))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    command = ["bash", "-c", f"kill -{number} $$"]

    bare = subprocess.run(command, check=False)
    captured = folder.run(*command)

    assert captured.returncode == bare.returncode == -number
    assert folder.ended["exit_code"] is None
    assert signals.number_of(folder.ended["signal"]) == number


def test_the_exit_status_is_known_when_the_parent_ignores_its_children(folder):
    done = folder.run("bash", "-c", "exit 7", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))

    assert done.returncode == 7


def test_times_are_utc_and_resources_are_those_of_the_whole_tree(folder):
    burn = "import time\nx = bytearray(700 << 20)\nwhile time.process_time() < 0.3: pass"

    # More than the process that runs the tests ever had: up to an exec, the kernel counts a parent's memory as ours.
    folder.run("bash", "-c", '"$@"; true', "-", *python(burn))

    ended = folder.ended
    assert ended["started"] < ended["ended"]
    assert ended["ended"].endswith("Z")
    assert ended["resources"]["user_seconds"] + ended["resources"]["system_seconds"] >= 0.25
    assert ended["resources"]["peak_memory_bytes"] > 700 << 20


def test_a_small_command_is_not_charged_with_our_memory(folder):
    folder.run("true")

    assert folder.ended["resources"].get("peak_memory_bytes", 0) == 0


# --- how it starts ---------------------------------------------------------------------------------------------------


def test_stdin_and_arguments_arrive_untouched(folder):
    arguments = ["", "a b", "$(id); `id` && *", "ü\n", "\udcff"]
    code = "import os, sys; os.write(1, repr(sys.argv[1:]).encode() + os.read(0, 99))"

    done = folder.run(*python(code, *arguments), input=b"\x00\xffstdin")

    assert done.stdout == repr(arguments).encode() + b"\x00\xffstdin"


def test_the_environment_and_the_directory_are_exactly_those_given(tmp_path):
    (tmp_path / "there").mkdir()
    here = Path.cwd()
    target = tmp_path / "seen"

    process.run(
        ["sh", "-c", f'pwd > {target}; tr "\\0" "\\n" < /proc/$$/environ >> {target}'],
        environment={"PATH": os.environ["PATH"], "ONLY": "this"},
        directory=tmp_path / "there",
        logs=None,
    )

    assert Path.cwd() == here
    assert target.read_text().split("\n")[:-1] == [str(tmp_path / "there"), f"PATH={os.environ['PATH']}", "ONLY=this"]


def test_the_program_is_looked_for_on_the_path_that_the_command_gets(tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "evaluate"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)

    for name, path in [("evaluate", f"/nowhere:{program.parent}"), ("bin/evaluate", ""), ("./evaluate", "")]:
        directory = program.parent if name == "./evaluate" else tmp_path
        ended = process.run([name], environment={"PATH": path}, directory=directory, logs=None)
        assert ended.exit_code == 9


def test_masks_limits_and_ignored_signals_are_those_of_a_bare_command(folder):
    look = [
        "sh",
        "-c",
        "grep -E '^(Umask|Sig(Blk|Ign))' /proc/self/status; ulimit -n; ulimit -v; nice; ls /proc/self/fd",
    ]
    preamble = [
        "bash",
        "-c",
        'umask 027; ulimit -Sn 222; ulimit -Sv 8000000; trap "" HUP USR2; exec nice -n 3 "$@" 7<&0',
        "-",
    ]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "timeout": 60}

    def set_up() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGALRM})

    bare = subprocess.run([*preamble, *look], check=True, preexec_fn=set_up, **options)
    captured = subprocess.run([*preamble, *folder.command(*look)], check=True, preexec_fn=set_up, **options)

    def without_those_of_the_library(said: bytes) -> bytes:
        # Signals 32 and 33 are the C library's: its spawn may ignore them, and whoever uses them installs a handler first.
        ignored = int(re.search(rb"SigIgn:\t([0-9a-f]{16})", said).group(1), 16) & ~(0b11 << 31)
        return re.sub(rb"SigIgn:\t[0-9a-f]{16}", b"SigIgn:\t%016x" % ignored, said)

    assert without_those_of_the_library(captured.stdout) == without_those_of_the_library(bare.stdout)
    assert b"SigIgn:\t0000000000000801" in without_those_of_the_library(bare.stdout)


def test_a_closed_stream_stays_closed(folder):
    command = folder.command("sh", "-c", "ls /proc/self/fd; exit 4")

    done = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "-", *command], stdout=subprocess.PIPE, check=False)

    bare = subprocess.run(["sh", "-c", "exec ls /proc/self/fd <&- 2>&-"], stdout=subprocess.PIPE, check=False)
    assert done.returncode == 4
    assert done.stdout == bare.stdout
    assert folder.ended["streams"] == {"stdout": "pipe"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: "no-such-program", "`no-such-program` was not found on `PATH`"),
        (lambda path: str(path / "absent"), "does not exist"),
        (str, "is a directory"),
        (lambda path: _file(path, "echo hi\n", 0o644), "is not executable"),
        (
            lambda path: _file(path, "#!/no/such/python\n", 0o755),
            "an interpreter that does not exist: `/no/such/python`",
        ),
        (lambda path: _file(path, "just text\n", 0o755), "is no program and names no interpreter"),
        (lambda path: "", "no command was given"),
        (lambda path: "/bin/nul\0", "cannot be started: "),
    ],
)
def test_a_command_that_cannot_start_is_told_before_anything_ran(tmp_path, make, message):
    logs = tmp_path / "logs"
    logs.mkdir()
    before = _open_descriptors()

    with pytest.raises(CannotStartError) as told:
        process.run([make(tmp_path)], environment=os.environ, directory=None, logs=logs)

    assert message in told.value.message
    assert told.value.exit_code == ExitCode.CANNOT_START == 125
    assert _open_descriptors() == before
    assert list(logs.iterdir()) == []


def _open_descriptors() -> list[str]:
    return sorted(each.name for each in Path("/dev/fd").iterdir())


def _file(folder: Path, text: str, mode: int) -> str:
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_working_directory_that_cannot_be_entered_is_told(tmp_path):
    with pytest.raises(CannotStartError, match="cannot be entered"):
        process.run(["true"], environment=os.environ, directory=tmp_path / "absent", logs=None)


# --- its streams -----------------------------------------------------------------------------------------------------


def test_two_pipes_are_recorded_apart_byte_for_byte(folder):
    data = bytes(range(256)) * 5000 + b"\x00no newline at the end"
    (folder.root / "data").write_bytes(data)

    done = folder.run("sh", "-c", f"cat {folder.root}/data; tr a b < {folder.root}/data >&2")

    assert folder.ended["streams"] == {"stdout": "pipe", "stderr": "pipe"}
    assert folder.ended["findings"] == []
    assert done.stdout == folder.log() == data
    assert done.stderr == folder.log("stderr") == data.replace(b"a", b"b")


def test_one_pipe_for_both_keeps_the_order(folder):
    done = folder.run(
        "bash", "-c", "for i in {1..500}; do echo out $i; echo err $i >&2; done", stderr=subprocess.STDOUT
    )

    assert folder.ended["streams"] == {"stdout": "pipe", "stderr": "with stdout"}
    assert done.stdout == b"".join(b"out %d\nerr %d\n" % (i, i) for i in range(1, 501))
    assert folder.log() == done.stdout
    assert folder.ended["stderr"] is None


def test_what_goes_to_the_null_device_is_recorded_apart(folder):
    folder.run("sh", "-c", "echo one; echo two >&2", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    assert (folder.log(), folder.log("stderr")) == (b"one\n", b"two\n")


def test_without_logs_everything_is_passed_through_and_nothing_recorded(folder):
    command = folder.command("sh", "-c", "readlink /proc/self/fd/1; exit 6", logs="none")
    with (folder.root / "out").open("wb") as file:
        done = subprocess.run(command, stdout=file, check=False)

    assert done.returncode == 6
    assert (folder.root / "out").read_text() == f"{folder.root}/out\n"
    assert folder.ended["streams"] == {}
    assert folder.ended["findings"] == []


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b"])
def test_a_regular_file_is_inherited_and_its_new_part_read_back(folder, mode):
    out = folder.root / "slurm.out"
    out.write_bytes(b"before\n" * 3)
    with out.open(mode) as file:
        if mode == "wb":
            file.write(b"header\n")
            file.flush()
        done = folder.run("sh", "-c", "readlink /proc/self/fd/1; echo to stderr >&2", stdout=file, stderr=file)

    assert done.returncode == 0
    assert folder.ended["streams"] == {"stdout": "file", "stderr": "with stdout"}
    assert folder.log() == f"{out}\nto stderr\n".encode()
    assert folder.ended["findings"] == []


def test_a_file_that_was_opened_twice_for_appending_is_read_back_once(folder):
    out = folder.root / "out"
    out.write_bytes(b"before\n")
    with out.open("ab") as one, out.open("ab") as other:
        folder.run("sh", "-c", "echo one; echo two >&2; echo three", stdout=one, stderr=other)

    assert folder.log() == b"one\ntwo\nthree\n"


def test_a_file_that_is_deleted_meanwhile_is_still_read_back(folder):
    out = folder.root / "out"
    with out.open("wb") as file:
        folder.run("sh", "-c", f"echo kept; rm {out}", stdout=file)

    assert folder.log() == b"kept\n"


def test_a_file_that_is_cut_back_is_a_finding(folder):
    out = folder.root / "out"
    out.write_bytes(b"x" * 100)
    with out.open("ab") as file:
        done = folder.run("sh", "-c", f": > {out}", stdout=file)

    assert done.returncode == 0
    assert [each["code"] for each in folder.ended["findings"]] == ["W314"]
    assert "cut back" in folder.ended["findings"][0]["message"]


def test_a_vanished_reader_never_reaches_the_evaluation(folder):
    command = folder.command(*python("for i in range(100_000): print('line', i)\nraise SystemExit(5)"))

    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()

    assert running.returncode == 5
    assert folder.log().count(b"\n") == 100_000
    assert folder.ended["findings"] == []


def test_a_slow_reader_holds_the_evaluation_back_and_then_gets_everything(folder):
    progress = folder.root / "progress"
    code = "import os, sys\nfor i in range(256):\n  os.write(1, b'x' * 16384)\n  open(sys.argv[1], 'a').write('.')"
    with subprocess.Popen(folder.command(*python(code, str(progress))), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        until(progress.exists)
        time.sleep(0.4)
        written = progress.stat().st_size * 16384
        whole = running.stdout.read()

    assert written <= 512 * 1024
    assert len(whole) == len(folder.log()) == 256 * 16384


def test_a_slow_reader_gets_what_was_written_just_before_the_end(folder):
    command = folder.command("head", "-c", "150000", "/dev/zero")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        time.sleep(3.0)
        whole = running.stdout.read()

    assert len(whole) == len(folder.log()) == 150_000
    assert folder.ended["findings"] == []


def test_a_full_disk_under_the_log_does_not_stop_the_output(folder):
    (folder.logs / "stdout.log").symlink_to("/dev/full")

    done = folder.run("sh", "-c", "head -c 300000 /dev/zero; exit 2")

    assert (done.returncode, len(done.stdout)) == (2, 300_000)
    assert [each["code"] for each in folder.ended["findings"]] == ["W314"]
    assert "No space left on device" in folder.ended["findings"][0]["message"]


def test_a_log_that_cannot_be_made_leaves_the_stream_alone(folder):
    folder.logs.rmdir()
    folder.logs.write_text("not a folder")

    done = folder.run("sh", "-c", "echo fine; exit 2")

    assert (done.returncode, done.stdout) == (2, b"fine\n")
    assert folder.ended["streams"] == {}
    assert [each["code"] for each in folder.ended["findings"]] == ["W314", "W314"]


def test_a_limit_on_file_size_hits_the_log_and_not_the_evaluation(folder):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = folder.run("head", "-c", "300000", "/dev/zero", preexec_fn=limit)

    assert (done.returncode, len(done.stdout)) == (0, 300_000)
    assert len(folder.log()) == 100_000
    assert "File too large" in folder.ended["findings"][0]["message"]


def test_a_reader_that_does_not_block_gets_everything(folder):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(folder.command("head", "-c", "1000000", "/dev/zero"), stdout=writing):
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            whole = file.read()

    assert len(whole) == 1_000_000


def test_the_first_byte_passes_at_once(folder):
    code = "import os, time\ntime.sleep(0.3)\nos.write(1, repr(time.monotonic()).encode() + b'\\n')\ntime.sleep(0.3)"
    with subprocess.Popen(folder.command(*python(code)), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        written = float(running.stdout.readline())
        seen = time.monotonic()
        running.wait()

    assert seen - written < 0.1


def test_a_process_left_behind_is_not_waited_for_but_can_go_on_writing(folder):
    done_after = time.monotonic()
    command = folder.command("sh", "-c", "(sleep 4; echo late) & echo early")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.wait()
        done_after = time.monotonic() - done_after
        recorded = folder.log()
        whole = running.stdout.read()

    assert done_after < 3.5
    assert whole == b"early\nlate\n"
    assert recorded == folder.log() == b"early\n"
    assert [each["code"] for each in folder.ended["findings"]] == ["W314"]


def test_a_process_left_behind_that_never_stops_writing_is_not_waited_for(folder):
    with subprocess.Popen(
        folder.command("sh", "-c", "timeout 20 yes & echo $! > pid"), stdout=subprocess.PIPE, cwd=folder.root
    ) as running:
        assert running.stdout is not None
        with ThreadPoolExecutor() as pool:
            count = pool.submit(lambda: sum(len(part) for part in iter(lambda: running.stdout.read(1 << 16), b"")))
            assert running.wait(timeout=20) == 0
            os.kill(int((folder.root / "pid").read_text()), signal.SIGTERM)
            passed = count.result()

    assert passed > len(folder.log())
    assert [each["code"] for each in folder.ended["findings"]] == ["W314"]


# --- a terminal ------------------------------------------------------------------------------------------------------


class Terminal:
    """The user's side of a terminal session in which a command runs in the foreground."""

    def __init__(self, argv: list[str], size: tuple[int, int]) -> None:
        self.seen = b""
        # A process of its own as session leader and shell: it owns the terminal and watches its one job.
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", SHELL, *argv])
        self.resize(size)
        os.write(self.master, b"go\n")

    def resize(self, size: tuple[int, int]) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def read_until(self, text: bytes, seconds: float = 20) -> bytes:
        deadline = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 1 << 16)
                except OSError:
                    break
        assert text in self.seen, self.seen
        return self.seen


SHELL = textwrap.dedent(
    """
    import os, signal, sys
    input()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(sys.argv[1], sys.argv[1:])
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        os.tcsetpgrp(0, os.getpid())
        print("[stopped by", os.WSTOPSIG(status), "]", flush=True)
        input()
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    os.tcsetpgrp(0, os.getpid())
    print("[ended with", os.waitstatus_to_exitcode(status), "]", flush=True)
    """
)


@contextmanager
def terminal(argv: list[str], size: tuple[int, int] = (33, 101)) -> Iterator[Terminal]:
    session = Terminal(argv, size)
    try:
        yield session
    finally:
        os.kill(session.pid, signal.SIGKILL)
        os.waitpid(session.pid, 0)
        os.close(session.master)


def test_on_a_terminal_the_evaluation_sees_a_terminal_of_the_same_size(folder):
    code = """
        import os, sys
        print([os.isatty(i) for i in range(3)], tuple(os.get_terminal_size(1)), flush=True)
        os.write(2, b"\\x00\\x01\\x7f\\xff bar\\r\\n\\n")
        print("end", flush=True)
        """
    with terminal(folder.command(*python(code))) as session:
        session.read_until(b"[ended with 0 ]")

    expected = b"[True, True, True] (101, 33)\n\x00\x01\x7f\xff bar\r\n\nend\n"
    assert folder.log() == expected
    assert expected.replace(b"\n", b"\r\n") in session.seen
    assert folder.ended["streams"] == {"stdout": "terminal", "stderr": "with stdout"}
    assert folder.ended["findings"] == []


def test_a_new_window_size_reaches_the_evaluation(folder):
    code = """
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
        print("ready", flush=True)
        while True:
            signal.sigwait({signal.SIGWINCH})
            print(tuple(os.get_terminal_size(1)), flush=True)
        """
    with terminal(folder.command(*python(code))) as session:
        session.read_until(b"ready")
        session.resize((50, 144))
        session.read_until(b"(144, 50)")
        session.type(b"\x03")
        session.read_until(b"[ended with -2 ]")


COUNT_INTERRUPTS = """
    import signal, time, sys
    counts = {}
    def count(number, frame):
        counts[number] = counts.get(number, 0) + 1
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, count)
    print("ready", flush=True)
    end = time.monotonic() + 20
    while not counts and time.monotonic() < end: time.sleep(0.01)
    time.sleep(0.2)
    print("counts", {signal.Signals(n).name: c for n, c in counts.items()}, flush=True)
    raise SystemExit(11)
    """


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_that_interrupts_reaches_the_evaluation_once_and_us_never(folder, key, name):
    with terminal(folder.command(*python(COUNT_INTERRUPTS))) as session:
        session.read_until(b"ready")
        session.type(key)
        session.read_until(b"[ended with 11 ]")

    assert f"counts {{'{name}': 1}}".encode() in session.seen
    assert folder.ended["exit_code"] == 11


def test_an_evaluation_that_dies_of_ctrl_c_is_seen_to_die_of_it(folder):
    with terminal(folder.command("sh", "-c", "echo ready; exec sleep 20")) as session:
        session.read_until(b"ready")
        session.type(b"\x03")
        session.read_until(b"[ended with -2 ]")

    assert folder.ended["signal"] == "SIGINT"


def test_ctrl_z_stops_the_job_and_the_shell_continues_it(folder):
    code = "import time\nprint('ready', flush=True)\nfor i in range(60): time.sleep(0.01)\nprint('over', flush=True)"
    with terminal(folder.command(*python(code))) as session:
        session.read_until(b"ready")
        session.type(b"\x1a")
        session.read_until(b"[stopped by 20 ]")
        time.sleep(0.8)
        assert b"over" not in session.seen
        session.type(b"fg\n")
        session.read_until(b"over")
        session.read_until(b"[ended with 0 ]")


def test_ctrl_z_is_nothing_to_an_evaluation_that_ignores_it(folder):
    code = "import signal, time\nsignal.signal(20, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(0.4)"
    with terminal(folder.command(*python(code))) as session:
        session.read_until(b"ready")
        session.type(b"\x1a")
        session.read_until(b"[ended with 0 ]")

    assert b"stopped" not in session.seen


# --- signals from processes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
def test_a_signal_sent_to_us_is_passed_on_once(folder, name):
    with subprocess.Popen(folder.command(*python(COUNT_INTERRUPTS)), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(getattr(signal, name))
        said = running.stdout.read()

    assert said == f"counts {{'{name}': 1}}\n".encode()
    assert running.returncode == 11


def test_a_terminated_evaluation_leaves_its_own_wait_status_and_a_whole_log(folder):
    with subprocess.Popen(folder.command("sh", "-c", "echo ready; exec sleep 20"), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.terminate()

    assert running.returncode == -signal.SIGTERM
    assert folder.ended["signal"] == "SIGTERM"
    assert folder.log() == b"ready\n"


def test_a_stop_and_a_continue_sent_to_us_are_passed_on(folder):
    # It ends when it is told to: on a busy machine any time of its own may be too short.
    code = "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})\nprint(os.getpid(), flush=True)\nsignal.sigwait({signal.SIGUSR2})"
    with subprocess.Popen(folder.command(*python(code)), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        evaluation = int(running.stdout.readline())
        running.send_signal(signal.SIGTSTP)
        until(lambda: _state(evaluation) == _state(running.pid) == "T")
        running.send_signal(signal.SIGCONT)
        until(lambda: _state(evaluation) != "T")
        os.kill(evaluation, signal.SIGUSR2)

    assert running.returncode == 0


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_interrupt_after_the_end_cuts_the_waiting_short(folder):
    started = time.monotonic()
    command = folder.command("sh", "-c", "sleep 8 & echo $$; exit 8")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        evaluation = int(running.stdout.readline())
        until(lambda: not Path(f"/proc/{evaluation}").exists())
        running.send_signal(signal.SIGINT)
        running.wait()
        took = time.monotonic() - started
        running.stdout.read()

    assert took < 6
    assert running.returncode == 8
    assert "interrupted" in folder.ended["findings"][0]["message"]
    assert folder.log() == f"{evaluation}\n".encode()


# --- our own death ---------------------------------------------------------------------------------------------------


OUTLIVE = """
    import sys, time
    for i in range(150):
        print("line", i, flush=True)
        print("error", i, file=sys.stderr, flush=True)
        time.sleep(0.002)
    with open(sys.argv[1], "w") as file: file.write("done")
    """


def _killed_after(folder: Folder, seconds: float) -> None:
    done = folder.root / "done"
    command = folder.command(*python(OUTLIVE, str(done)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        first = running.stdout.readline()
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            running.kill()
        with ThreadPoolExecutor() as pool:
            errors = pool.submit(running.stderr.read)
            out = first + running.stdout.read()
    expected = [b"".join(b"%s %d\n" % (word, i) for i in range(150)) for word in (b"line", b"error")]
    until(done.exists)
    assert [out, errors.result()] == expected
    assert [folder.log(), folder.log("stderr")] == expected


def test_the_evaluation_and_its_output_outlive_us_whenever_we_are_killed(tmp_path):
    points = [(index, index * 0.021) for index in range(24)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda point: _killed_after(Folder(tmp_path / str(point[0])), point[1]), points))


def test_being_killed_before_the_first_output_leaves_all_or_nothing(tmp_path):
    def kill_early(index: int) -> str:
        folder = Folder(tmp_path / str(index))
        done = folder.root / "done"
        command = folder.command("sh", "-c", f"echo started > {done}; echo out; sleep 0.1; echo whole > {done}")
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            time.sleep(0.05 + index * 0.006)
            running.kill()
            out = running.stdout.read()
        until(lambda: not done.exists() or done.read_text() == "whole\n")
        assert out == (b"out\n" if done.exists() else b"")
        return "whole" if done.exists() else "nothing"

    with ThreadPoolExecutor(3) as pool:
        outcomes = set(pool.map(kill_early, range(24)))

    assert outcomes <= {"whole", "nothing"}


def test_on_a_terminal_the_evaluation_outlives_us_too(folder):
    done = folder.root / "done"
    code = (
        "import os, sys, time\nprint(os.getppid(), flush=True)\ntime.sleep(0.5)\nprint('after', flush=True)\n"
        "open(sys.argv[1], 'w').close()"
    )
    with terminal(folder.command(*python(code, str(done)))) as session:
        until(lambda: (folder.logs / "stdout.log").exists() and b"\n" in folder.log())
        os.kill(int(folder.log()), signal.SIGKILL)
        session.read_until(b"[ended with -9 ]")
        session.read_until(b"after")
        until(done.exists)

    assert folder.log().endswith(b"after\n")
    assert not folder.ended_is_known


# --- the relay by itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vanished", "full"), [(False, False), (True, False), (False, True)])
def test_the_relay_reports_what_became_of_the_log(tmp_path, vanished, full):
    source, feed = os.pipe()
    end, destination = os.pipe()
    ended, tell = os.pipe()
    report, answer = os.pipe()
    log = os.open("/dev/full" if full else tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.write(feed, b"\x00data")
    os.close(feed)
    if vanished:
        os.close(end)

    Relay(source=source, destination=destination, log=log, ended=ended, report=answer).run()

    assert os.read(report, 99) == (b"whole\tNo space left on device\n" if full else b"whole\n")
    if not vanished:
        assert os.read(end, 99) == b"\x00data"
        os.close(end)
        os.close(destination)
    if not full:
        assert (tmp_path / "log").read_bytes() == b"\x00data"
    for descriptor in (source, ended, tell, report):
        os.close(descriptor)


@given(st.integers(1, signal.SIGRTMAX))
def test_every_signal_can_be_named_and_found_again(number):
    assert signals.number_of(signals.name_of(number)) == number
