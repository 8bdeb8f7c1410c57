import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipapp
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.probes import interpreter
from reprokit.probes.interpreter import DIRECTORY_VARIABLE, INJECTED, child_environment, python_path, read, survey

EXTRA_MILLISECONDS = 20  # of processor time; on an idle machine 1.5 with the compiled file, 7 without


def _pythons():
    """Every Python on this machine, the running one first: `{version: executable}`."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))]
    found = {"current": Path(sys.executable)}
    for root in roots:
        for python in sorted(root.glob("versions/*/bin/python")):
            found[python.parents[1].name] = python
    for folder in os.environ["PATH"].split(os.pathsep):
        for minor in range(8, 16):
            python = Path(folder) / f"python3.{minor}"
            if python.is_file() and not python.is_relative_to(roots[0]):
                found.setdefault(f"3.{minor}", python)
    return found


PYTHONS = _pythons()
MODERN = {name: python for name, python in PYTHONS.items() if not name.startswith(("2.", "3.5", "3.6", "3.7"))}
every_python = pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
every_modern_python = pytest.mark.parametrize("python", MODERN.values(), ids=MODERN)


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "probes"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path):
    """Run a Python program, watched when it is told where to."""

    def start(*arguments, python=sys.executable, into=None, cwd=None, **variables):
        environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return subprocess.run(
            [python, *arguments],
            env=child_environment(environ, into) if into else environ,
            cwd=cwd or tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.fixture
def same(run, into):
    """Run a program with and without the probe; its outputs and status must be the same. Returns the records."""

    def compare(*arguments, **options):
        unwatched = run(*arguments, **options)
        watched = run(*arguments, into=into, **options)

        assert (watched.returncode, watched.stdout, watched.stderr) == (
            unwatched.returncode,
            unwatched.stdout,
            unwatched.stderr,
        )
        return read(into)

    return compare


TELL = """
import sys
print(sys.path)
print(sorted(name for name in sys.modules if 'sitecustomize' in name))
try:
    import sitecustomize
    print(sitecustomize)
except ImportError as error:
    print(error)
try:
    import reprokit
    print(reprokit)
except ImportError as error:
    print(error)
sys.stderr.write('said\\n')
sys.exit(3)
"""


@every_python
def test_a_program_cannot_tell_that_it_is_watched(same, python, tmp_path):
    same("-c", TELL, python=python, cwd=tmp_path)


@every_modern_python
def test_a_process_is_recorded(run, into, python, tmp_path):
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "script.py").write_text("import json, mine\n")
    before = time.time()
    done = run("script.py", "--limit", "4", python=python, into=into, PYTHONHASHSEED="7")

    assert (done.returncode, done.stderr) == (0, b"")
    (process,) = read(into)
    assert Path(process.executable).samefile(python)
    assert process.argv[-3:] == ("script.py", "--limit", "4")
    assert process.directory == str(tmp_path)
    assert before <= process.started <= process.ended <= time.time()
    assert process.modules == {"__main__": str(tmp_path / "script.py"), "mine": str(tmp_path / "mine.py")}
    assert str(INJECTED) not in process.path
    assert process.path[0] == str(tmp_path)
    assert process.variables == {"PYTHONHASHSEED": "7"}
    assert not process.forked
    assert [file.name for file in into.iterdir()] == [
        f"{process.host}-{process.pid}-{next(into.iterdir()).stem.rpartition('-')[2]}.json"
    ]


@every_modern_python
def test_warnings_as_errors_find_nothing_to_warn_about(same, python):
    (process,) = same("-W", "error", "-bb", "-X", "dev", "-c", "import socket, tempfile", python=python)

    assert process.ended


@every_python
@pytest.mark.parametrize(
    "theirs",
    [
        "import sys; print('theirs', __file__, sys.modules['sitecustomize'].__file__); KNOWN = 1",
        "raise ValueError('theirs')",
    ],
    ids=["good", "bad"],
)
def test_another_sitecustomize_runs_as_without_the_probe(same, python, theirs, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(theirs)

    same("-c", TELL, python=python, PYTHONPATH=str(tmp_path / "other"))


def test_a_failing_import_in_another_sitecustomize_fails_as_without_the_probe(same, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import no_such_module")

    same("-c", TELL, PYTHONPATH=str(tmp_path))


def test_another_sitecustomize_may_end_the_process(run, into, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(4)")
    unwatched = run("-c", TELL, PYTHONPATH=str(tmp_path))
    watched = run("-c", TELL, PYTHONPATH=str(tmp_path), into=into)

    assert watched.returncode == unwatched.returncode
    assert watched.stderr.splitlines()[-1] == unwatched.stderr.splitlines()[-1]


@pytest.mark.parametrize("program", ["raise KeyError('x')", "import sys; sys.exit('bye')", "import os; os._exit(9)"])
def test_the_exit_status_is_the_programs_own(same, program):
    (process,) = same("-c", program)

    assert (process.ended is None) == ("_exit" in program)


@every_modern_python
def test_a_recursion_limit_that_is_nearly_reached_does_no_harm(same, python):
    assert len(same("-c", "import sys; sys.setrecursionlimit(10)", python=python)) == 1


@every_modern_python
def test_closed_streams_do_no_harm(into, python, tmp_path):
    environ = child_environment({"PYTHONDONTWRITEBYTECODE": "1"}, into)
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "import sys; sys.exit(5)" <&- >&- 2>&-', python], env=environ, check=False
    )

    assert done.returncode == 5
    assert read(into)[0].ended


@pytest.mark.parametrize(
    "program", ["sys.path = None", "os.environ = None", "os.getpid = os.replace = None", "os.sep = 5"]
)
def test_a_program_that_breaks_what_the_probe_needs_does_no_harm(same, program):
    (process,) = same("-c", f"import os, sys; {program}; print(1)")

    assert process.path


def test_an_interrupt_while_the_probe_asks_its_last_questions_does_no_harm(same, tmp_path):
    (tmp_path / "torch.py").write_text(
        "import warnings\n__version__ = '2.13.0'\ndef initial_seed(): raise KeyboardInterrupt\n"
    )
    (process,) = same("-c", "import torch", cwd=tmp_path)

    assert process.ended is None


@pytest.mark.parametrize("kind", ["missing", "a file", "relative to nothing"])
def test_nowhere_to_write_is_no_failure(run, tmp_path, kind):
    (tmp_path / "a file").write_text("")
    done = run("-c", "print(1)", into=tmp_path / kind)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")


def test_a_folder_that_vanishes_meanwhile_is_no_failure(run, into):
    done = run("-c", f"import shutil; shutil.rmtree({str(into)!r})", into=into)

    assert (done.returncode, done.stderr) == (0, b"")
    assert not into.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_no_failure(run, into):
    program = "import os; os.open = lambda *a, o=os.open, **k: o('/dev/full', os.O_WRONLY) if 'probes' in str(a[0]) else o(*a, **k)"
    done = run("-c", program, into=into)

    assert (done.returncode, done.stderr) == (0, b"")
    assert read(into)[0].ended is None


def test_a_killed_process_leaves_what_it_said_at_its_start(run, into):
    done = run("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", into=into)

    assert done.returncode == -signal.SIGKILL
    (process,) = read(into)
    assert process.ended is None
    assert process.path


@every_modern_python
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_are_recorded(same, python, method, tmp_path):
    (tmp_path / "work.py").write_text(
        "import multiprocessing, sys\n"
        "def work(number):\n    print(number, flush=True)\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    child = context.Process(target=work, args=(1,))\n"
        "    child.start()\n    child.join()\n    print(child.exitcode, flush=True)\n"
    )
    parent, child = [each for each in same("work.py", python=python) if "resource_tracker" not in str(each.argv)]

    assert (child.ppid, child.forked) == (parent.pid, method == "fork")
    assert parent.ended


def test_a_forked_child_that_ends_as_programs_do_tells_what_it_imported(run, into):
    run("-c", "import os\nif os.fork() == 0:\n    import http.client, json, sys\n    sys.exit()\nos.wait()", into=into)
    parent, child = read(into)

    assert child.forked
    assert child.ended
    assert child.path == parent.path


def test_a_child_that_is_given_no_folder_is_left_alone(same):
    program = (
        "import os, subprocess, sys\n"
        f"environ = {{name: os.environ[name] for name in os.environ if name != '{DIRECTORY_VARIABLE}'}}\n"
        "subprocess.run([sys.executable, '-c', 'import sys; print(sys.path)'], env=environ)\n"
    )

    assert len(same("-c", program)) == 1


def test_a_process_that_becomes_another_program_is_one_process(run, into):
    run("-c", "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'import json'])", into=into)
    (process,) = read(into)

    assert process.argv[-1] == "import json"


def test_a_zip_application_is_recorded(same, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("print('zipped')\n")
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    (process,) = same("app.pyz")

    assert process.modules == {"__main__": str(tmp_path / "app.pyz" / "__main__.py")}


def test_isolated_processes_are_not_seen(run, into):
    run("-I", "-c", "pass", into=into)

    assert read(into) == []


def test_no_more_than_so_many_records_are_written(run, into):
    for number in range(4096):
        (into / f"{number}.json").touch()
    done = run("-c", "pass", into=into)

    assert (done.returncode, done.stderr) == (0, b"")
    assert len(list(into.iterdir())) == 4096


@every_modern_python
def test_files_of_a_hugging_face_cache_are_noted(same, python, tmp_path):
    snapshot = tmp_path / "hub" / "models--toy-org--tiny" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for name in ("config.json", "vocab.txt"):
        (snapshot / name).write_text("{}")
    (process,) = same(
        "-c",
        "import os, pathlib, sys\n"
        "open(sys.argv[1] + '/config.json').close()\n"
        "pathlib.Path(sys.argv[1], 'vocab.txt').read_text()\n"
        "os.close(os.open(os.fsencode(sys.argv[1] + '/config.json'), os.O_RDONLY))\n"
        "open('/etc/hostname').close()\n"
        "sys.audit('open')\nsys.audit('socket.connect', 1)\n",
        str(snapshot),
        python=python,
    )

    assert process.cache_files == (str(snapshot / "config.json"), str(snapshot / "vocab.txt"))


@every_modern_python
def test_hosts_that_are_connected_to_are_noted(same, python):
    (process,) = same(
        "-c",
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "port = server.getsockname()[1]\n"
        "socket.create_connection(('localhost', port)).close()\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))\n"
        "try: socket.socket(socket.AF_UNIX).connect('/no/such')\nexcept OSError: pass\n"
        "try: socket.socket(socket.AF_INET6).connect(('::1', 9))\nexcept OSError: pass\n",
        python=python,
    )

    assert len(process.lookups) == 1
    assert process.lookups[0].startswith("localhost:")
    assert "[::1]:9" in process.hosts
    assert any(host.startswith("127.0.0.1:") for host in process.hosts)
    assert "127.0.0.1:9" not in process.hosts


def test_a_lazy_module_is_not_woken(same, tmp_path):
    (tmp_path / "lazy.py").write_text(
        "import sys, types\n"
        "class Lazy(types.ModuleType):\n"
        "    def __getattr__(self, name): print('woken', name)\n"
        "sys.modules['lazy'] = Lazy('lazy')\n"
        "sys.modules['strange'] = object()\n"
        "sys.modules['gone'] = None\n"
    )
    (process,) = same("-c", "import lazy", cwd=tmp_path)

    assert process.ended


def test_modules_are_told_from_installed_ones(run, into, tmp_path):
    site = tmp_path / "site-packages"
    for folder in (site / "package", tmp_path / "checkout" / "namespace" / "part"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    (site / "package-1.0.dist-info").mkdir()
    path = os.pathsep.join([str(site), str(tmp_path / "checkout")])
    run("-c", "import json, package, namespace.part", into=into, PYTHONPATH=path)
    (process,) = read(into)

    assert set(process.installed_modules) - {"_distutils_hack"} == {"package"}
    assert process.modules == {"namespace": str(tmp_path / "checkout" / "namespace")}
    assert process.distributions[str(site)] == ("package-1.0.dist-info",)


def test_torch_tells_what_it_can(same, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "cuda.py").write_text(
        "def is_initialized(): return True\ndef device_count(): return 1\ndef get_device_name(index): return 'A100'\n"
    )
    (tmp_path / "torch" / "__init__.py").write_text(
        "import warnings\n"
        "from torch import cuda\n"
        "__version__ = '2.13.0'\n"
        "def initial_seed(): warnings.warn('loud'); return 7\n"
        "def get_num_threads(): raise RuntimeError('broken')\n"
    )
    (process,) = same("-c", "import torch", cwd=tmp_path)

    assert process.torch == {"version": "2.13.0", "initial_seed": 7, "devices": ["A100"]}


def test_a_time_limit_that_strikes_inside_the_probe_reaches_the_program(same):
    program = (
        "import signal\n"
        "def strike(*_): raise TimeoutError\n"
        "signal.signal(signal.SIGALRM, strike)\n"
        "for _ in range(200):\n"
        "    try:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.001)\n"
        "        for _ in range(10_000_000): id(strike)\n"
        "        print('missed')\n"
        "    except TimeoutError: pass\n"
    )
    (process,) = same("-c", program)

    assert process.ended


def test_no_thread_is_started(same):
    same(
        "-c",
        "import os, sys; print(len(os.listdir('/proc/self/task')), 'threading' in sys.modules, 'json' in sys.modules)",
    )


def test_bytes_that_are_no_text_are_spelled_out(run, into, tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    run("-c", "pass", b"\xff", into=into, cwd=folder)
    (process,) = read(into)

    assert process.directory.endswith("/caf\\udce9")
    assert process.argv[-1] == "\\udcff"
    json.dumps(process.argv, ensure_ascii=False).encode()


def test_the_probe_is_not_noticed(into):
    unwatched = {"PATH": os.environ["PATH"]}

    def milliseconds(environ):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "pass"], env=environ, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000

    watched = child_environment({**unwatched, "PYTHONDONTWRITEBYTECODE": "1"}, into)
    pairs = [(milliseconds(unwatched), milliseconds(watched)) for _ in range(15)]

    assert min(with_it for _, with_it in pairs) - min(without for without, _ in pairs) < EXTRA_MILLISECONDS


@pytest.mark.parametrize("place", ["with a space", "ünï-code", "quote'd"])
def test_the_probe_works_from_any_folder(run, into, monkeypatch, tmp_path, place):
    shutil.copytree(INJECTED, tmp_path / place)
    monkeypatch.setattr(interpreter, "INJECTED", tmp_path / place)
    done = run("-c", "import sys; print(any('injected' in entry for entry in sys.path))", into=into)

    assert done.stdout == b"False\n"
    assert str(tmp_path / place) not in read(into)[0].path


def test_a_folder_that_no_path_can_name_is_not_named(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreter, "INJECTED", tmp_path / "a:b")

    assert child_environment({"PYTHONPATH": "/x"}, tmp_path)["PYTHONPATH"] == "/x"


def test_nothing_but_the_probe_can_be_imported_from_its_folder():
    assert {file.name for file in INJECTED.iterdir()} - {"__pycache__"} == {"sitecustomize.py"}


@given(st.dictionaries(st.sampled_from(["PYTHONPATH", "HOME", "REPROKIT_PROBE_DIRECTORY"]), st.text(alphabet="/ab:é ")))
def test_only_the_path_and_the_folder_are_changed(environ):
    watched = child_environment(environ, Path("/probes"))

    assert watched["PYTHONPATH"].split(os.pathsep)[0] == str(INJECTED)
    assert watched[DIRECTORY_VARIABLE] == "/probes"
    assert python_path(watched) == environ.get("PYTHONPATH", "")
    assert watched.get("HOME") == environ.get("HOME")
    assert child_environment(watched, Path("/probes")) == watched


@pytest.mark.parametrize("own", [{}, {"PYTHONPATH": ""}])
def test_no_empty_element_is_put_on_the_path(own, tmp_path):
    assert child_environment(own, tmp_path)["PYTHONPATH"] == str(INJECTED)


def test_what_is_no_record_is_passed_over_and_counted(run, into):
    run("-c", "pass", into=into)
    whole = next(into.iterdir()).read_bytes()
    (into / "half.json").write_bytes(whole[: len(whole) // 2])
    (into / "half.json.tmp").write_bytes(whole)
    (into / "foreign.json").write_text('{"hello": NaN}')
    (into / "list.json").write_text("[" * 100_000)
    (into / "wrong.json").write_text(json.dumps({**json.loads(whole), "pid": "one"}))
    (into / "newer.json").write_text(json.dumps({**json.loads(whole), "probe": 2}))
    (into / "bytes.json").write_bytes(b"\xff\xfe")
    (into / "dangling.json").symlink_to("nowhere")
    (into / "folder.json").mkdir()
    seen = survey(into)

    assert len(seen.processes) == 1
    assert seen.passed_over == 9


def test_no_folder_holds_no_record(tmp_path):
    assert read(tmp_path / "none") == []


@every_modern_python
def test_files_of_results_that_are_written_are_noted_from_the_top(same, python, tmp_path):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "read.json").write_text("{}")
    (process,) = same(
        "-c",
        "import os, pathlib, sys\n"
        "open('read.json').close()\n"
        "open('notes.txt', 'w').close()\n"
        "pathlib.Path('whole.json').write_text('{}')\n"
        "os.close(os.open('flags.jsonl', os.O_RDWR | os.O_CREAT))\n"
        "os.chdir('deeper')\n"
        "open('lines.jsonl', 'a').close()\n"
        "open('moved.tmp', 'w').close()\n"
        "os.replace('moved.tmp', pathlib.Path('moved.json'))\n"
        "sys.audit('open', 'x.json', 1, '')\nsys.audit('open', 1, None, 1)\nsys.audit('os.rename')\n"
        "os.getcwd = None\n"
        "open('last.json', 'w').close()\n",
        python=python,
    )

    assert process.written == tuple(
        str(tmp_path / name)
        for name in ("deeper/last.json", "deeper/lines.jsonl", "deeper/moved.json", "flags.jsonl", "whole.json")
    )


def test_a_file_of_results_in_a_directory_that_is_gone_fails_as_without_the_probe(same, tmp_path):
    program = (
        "import os\n"
        "os.makedirs('gone', exist_ok=True); os.chdir('gone'); os.rmdir('../gone')\n"
        "try: open('results.json', 'w')\n"
        "except OSError as error: print(error)\n"
    )
    (process,) = same("-c", program)

    assert process.written == ()


def test_a_time_limit_that_strikes_while_a_written_file_is_noted_reaches_the_program(same, tmp_path):
    program = (
        "import signal\n"
        "def strike(*_): raise TimeoutError\n"
        "signal.signal(signal.SIGALRM, strike)\n"
        "for number in range(100):\n"
        "    try:\n"
        "        signal.setitimer(signal.ITIMER_REAL, 0.001 + number / 100000)\n"
        "        for _ in range(10_000_000):\n"
        "            try: open('no/such/folder.json', 'w')\n"
        "            except FileNotFoundError: pass\n"
        "        print('missed')\n"
        "    except TimeoutError: pass\n"
    )
    (process,) = same("-c", program)

    assert process.ended
