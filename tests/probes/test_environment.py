import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.values import Unknown
from reprokit.probes import environment
from reprokit.probes.interpreter import ProcessFacts, child_environment, command, programs

ENVIRON = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def evaluate(tmp_path):
    """Run a command under the probe and observe its environment, as a capture does."""

    def run(*argv, **variables):
        probes = tmp_path / "probes"
        probes.mkdir()
        watched = child_environment({**ENVIRON, **variables}, probes)
        subprocess.run(argv, env=watched, cwd=tmp_path, check=False, timeout=60)
        return environment.observe(probes, argv, watched, tmp_path)

    return run


def process(pid, **changes):
    facts = {
        "probe": 1,
        "host": "box",
        "pid": pid,
        "ppid": 1,
        "started": float(pid),
        "executable": "/venv/bin/python",
        "version": "3.11.7",
        "implementation": "cpython",
        "prefix": "/venv",
        "base_prefix": "/usr",
        "path": ("/venv/site-packages",),
    }
    return ProcessFacts(**{**facts, **changes})


def test_a_watched_evaluation_tells_its_environment(evaluate, tmp_path):
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "evaluate.py").write_text("import mine\n")
    found = evaluate(sys.executable, "evaluate.py", PYTHONHASHSEED="3")

    assert found.learnt_from == "probe"
    assert Path(found.interpreter.executable).samefile(sys.executable)
    assert found.interpreter.prefix == sys.prefix
    assert {"pytest", "msgspec"} <= {package.name for package in found.packages}
    assert found.modules["mine"] == str(tmp_path / "mine.py")
    assert found.determinism["PYTHONHASHSEED"] == "3"
    assert found.platform["system"] == "Linux"
    assert found.missing == [environment.NATIVE]
    assert canonical.decode(canonical.record(found), Environment) == found


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_evaluation_that_could_not_be_watched_is_learnt_from_its_command(evaluate, option):
    found = evaluate(sys.executable, option, "-c", "pass")

    assert found.learnt_from == "command"
    assert Path(found.interpreter.executable).samefile(sys.executable)
    assert "pytest" in {package.name for package in found.packages}
    assert found.missing[0].startswith("modules, files, hosts and torch: no probe ran")


def test_a_program_that_is_no_python_leaves_an_unknown(evaluate):
    found = evaluate("/bin/sh", "-c", "exit 0")

    assert found.learnt_from == "nothing"
    assert found.interpreter is None
    assert found.packages == Unknown(unknown="`/bin/sh` is not a Python program")
    assert found.hardware is not None


def test_foreign_files_among_the_records_are_told(evaluate, tmp_path):
    found = evaluate(sys.executable, "-c", "open('probes/half.json', 'w').write('{')")

    assert found.missing[-1] == "what the probe wrote into files that could not be read: 1"


def test_a_finished_run_has_no_environment_of_today():
    found = environment.unknown("captured from finished outputs")

    assert found.packages == Unknown(unknown="captured from finished outputs")
    assert (found.platform, found.hardware, found.container, found.interpreter) == (None, None, None, None)
    assert environment.summary(found) == {}


def test_the_process_that_imported_most_ran_the_evaluation():
    workflow = process(1, installed_modules=("click",), distributions={"/w": ("a", "b", "c")})
    evaluation = process(2, ppid=1, installed_modules=("numpy", "lm_eval"))

    assert environment.main_process([workflow, evaluation]) is evaluation


def test_among_equals_the_one_nearest_the_root_then_the_earliest_ran_the_evaluation():
    child = process(3, ppid=2, started=0.0)
    root = process(2, ppid=1)
    later = process(9, ppid=1)

    assert environment.main_process([child, later, root]) is root


def test_of_killed_processes_the_one_with_most_packages_ran_the_evaluation():
    small = process(1, distributions={"/s": ("a",)})
    large = process(2, ppid=1, distributions={"/l": ("a", "b")})

    assert environment.main_process([small, large]) is large


def test_a_circle_of_parents_is_no_endless_loop():
    one, two = process(1, ppid=2), process(2, ppid=1)

    assert environment.main_process([one, two]) is one


def test_processes_are_merged(tmp_path):
    records = [
        process(1, prefix="/launcher", executable="/launcher/python", modules={"__main__": "/l/run.py"}, ended=9.0),
        process(2, installed_modules=("a",), modules={"__main__": "/e/run.py"}, hosts=("h:1",), ended=9.0),
        process(
            3,
            ppid=2,
            forked=True,
            modules={"__main__": "/e/run.py"},
            path=(),
            hosts=("b:2", "h:1"),
            torch={"version": "2"},
            cache_files=("/c",),
        ),
        process(4, host="node2", modules={"x": "/x.py"}, lookups=("api:443",), ended=9.0),
    ]
    for record in records:
        (tmp_path / f"{record.host}-{record.pid}.json").write_bytes(canonical.line(record))
    found = environment.observe(tmp_path, ["run"], ENVIRON, tmp_path)

    assert found.interpreter.prefix == "/venv"
    assert found.interpreter.processes == 3
    assert [each.prefix for each in found.other_interpreters] == ["/launcher"]
    assert found.modules == {"__main__": "/e/run.py", "__main__ (2)": "/l/run.py", "x": "/x.py"}
    assert found.hosts == ["b:2", "h:1"]
    assert found.lookups == ["api:443"]
    assert found.loaded_from_cache == ["/c"]
    assert found.torch == {"version": "2"}
    assert any(gap.startswith("what 1 of 4 processes imported") for gap in found.missing)
    assert any("`box`" in gap and "`node2`" in gap for gap in found.missing)


def test_what_was_too_much_to_note_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "MOST_ENTRIES", 2)
    monkeypatch.setattr(environment, "MOST_RECORDS", 2)
    record = process(1, hosts=("a:1", "b:2"), ended=2.0, host=os.uname().nodename)
    (tmp_path / "x.json").write_bytes(canonical.line(record))

    assert environment.observe(tmp_path, ["run"], ENVIRON, tmp_path).missing[1:3] == [
        "processes: only 2 are recorded",
        "hosts: only 2 are noted in one process",
    ]


def test_a_process_without_a_path_gives_no_empty_list_of_packages(tmp_path):
    (tmp_path / "x.json").write_bytes(canonical.line(process(1, path=(), forked=True)))

    assert isinstance(environment.observe(tmp_path, ["run"], ENVIRON, tmp_path).packages, Unknown)


def test_the_summary_is_a_few_words():
    full = Environment(
        learnt_from="probe",
        interpreter=Interpreter(executable="", prefix="", base_prefix="", version="3.11.7", implementation="cpython"),
        packages=[Package(name="Torch", version="2.13.0+cpu"), Package(name="numpy", version="2.0")],
        platform={"release": "Toy Linux 1", "system": "Linux"},
        hardware={"cpu": "Toy CPU", "gpus": [{"name": "A100"}, {"name": "A100"}, {"name": "T4"}]},
    )

    assert environment.summary(full) == {
        "python": "3.11.7",
        "os": "Toy Linux 1",
        "cpu": "Toy CPU",
        "gpu": "2 x A100, T4",
        "torch": "2.13.0+cpu",
    }


def test_the_summary_takes_the_gpus_from_torch_when_no_driver_tells_them():
    torch = Environment(
        learnt_from="probe", packages=[], torch={"devices": ["MI300X"]}, hardware={"gpus": {"unknown": ""}}
    )

    assert environment.summary(torch) == {"gpu": "MI300X"}


@pytest.fixture
def script(tmp_path):
    """Put an executable file into a folder."""

    def write(text, name="tool"):
        file = tmp_path / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    return write


@pytest.mark.parametrize(
    "first_lines",
    [
        "#!{plain}\n",
        "#! {plain} -u\n",
        "#!/usr/bin/env python3\n",
        "#!/usr/bin/env -S python3 -u\n",
        "#!/usr/bin/env -S X=1 python3\n",
        "#!/bin/sh\n'''exec' \"{spaced}\" \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' '{spaced}' \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' {plain} \"$0\" \"$@\"\n' '''\n",
        "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python3' \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_the_python_behind_a_script_is_found(script, tmp_path, first_lines):
    spaced, plain = tmp_path / "with a space" / "python3", tmp_path / "python3"
    spaced.parent.mkdir()
    for python in (spaced, plain):
        python.symlink_to(sys.executable)
    script(first_lines.format(spaced=spaced, plain=plain))
    environ = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin"}
    found = programs.behind(programs.locate("tool", environ, Path("/")), environ, tmp_path)

    assert found == (spaced if "{spaced}" in first_lines else plain)


@pytest.mark.parametrize(
    "text",
    ["", "#!", "#!/bin/sh\necho\n", "#!/bin/sh\n'''exec' \"\n", "#!/usr/bin/env\n", "#!/no/such/python\n", "\x7fELF"],
)
def test_other_programs_have_no_python_behind_them(script, tmp_path, text):
    assert programs.behind(script(text), ENVIRON, tmp_path) is None


def test_a_program_that_is_gone_has_no_python_behind_it(tmp_path):
    assert programs.behind(tmp_path / "gone", ENVIRON, tmp_path) is None


def test_a_program_is_located_as_the_system_would(script, tmp_path):
    tool = script("#!/bin/sh\n")

    assert programs.locate("./tool", {}, tmp_path) == tool
    assert programs.locate("tool", {"PATH": "."}, tmp_path) == tool
    assert programs.locate("tool", {"PATH": "/usr/bin"}, tmp_path) is None
    assert programs.locate("./none", {}, tmp_path) is None


def test_the_path_of_the_environment_counts_for_an_interpreter_that_is_asked(tmp_path):
    environ = {**ENVIRON, "PYTHONPATH": f"relative{os.pathsep}/absolute"}
    answer = command.ask([sys.executable], environ, tmp_path)

    assert answer.path[:2] == (str(tmp_path / "relative"), "/absolute")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/bin/sh\necho '{}'\n", "does not answer as a Python does"),
        ("#!/bin/sh\nexit 3\n", "could not be asked: it ended with status 3"),
        ("#!/bin/sh\necho no JSON\n", "does not answer as a Python does"),
        ("#!/no/such/program\n", "could not be run: No such file or directory"),
        ("#!/bin/sh\nexec sleep 30\n", "did not answer in time"),
    ],
)
def test_a_python_that_is_none_is_an_unknown_with_a_reason(script, tmp_path, monkeypatch, text, reason):
    monkeypatch.setattr(command, "PATIENCE", 0.5)
    python = script(text, "python3")

    assert command.ask([str(python)], ENVIRON, tmp_path) == Unknown(unknown=f"`{python}` {reason}")


def test_no_command_has_no_python(tmp_path):
    assert command.ask([], ENVIRON, tmp_path) == Unknown(unknown="there is no command")
    assert command.ask(["no-such-program"], ENVIRON, tmp_path) == Unknown(unknown="`no-such-program` is not found")


def test_a_probes_record_survives_being_written_and_read():
    record = process(1, torch={"devices": ["A100"]})

    assert msgspec.convert(canonical.decode_loosely(canonical.line(record)), ProcessFacts) == record
