"""Every checkout that code came from is recorded, as it was when the run began."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Input
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.capture.checkouts import settling as module
from reprokit.capture.checkouts.settling import Checkouts, Settled
from reprokit.capture.checkouts.watch import CheckoutWatch, Roots
from reprokit.git import GitError
from reprokit.probes import environment, interpreter
from reprokit.probes.source import checkout as source
from reprokit.probes.source.checkout import ObservedSource
from reprokit.probes.source.code_places import CodePlace

PYTHON = sys._base_executable
PATIENCE = 60.0

Git = Callable[..., str]


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> None:
    (tmp_path / "settings").write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@dataclass(kw_only=True)
class Run:
    """An evaluation in `directory`, watched by the probe, and the checkouts that are found."""

    folder: Path
    directory: Path
    written: list[Path] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("source", "probes"):
            (self.folder / name).mkdir(parents=True)
        first = source.observe(self.directory, outputs=self.written, into=self.into)
        submodules: tuple[ObservedSource, ...] = ()
        if first is not None:
            first, *others = source.observe_submodules(first, outputs=self.written, into=self.into)
            submodules = tuple(others)
        self.checkouts = self.watched(first, submodules)

    @property
    def into(self) -> Path:
        return self.folder / "source"

    @property
    def probes(self) -> Path:
        return self.folder / "probes"

    def watched(self, first, submodules=()) -> Checkouts:
        return Checkouts(
            directory=self.directory,
            first=first,
            submodules=submodules,
            inputs=self.inputs,
            written=self.written,
            into=self.into,
            probes=self.probes,
        )

    def start(self, *argv: str | Path) -> subprocess.Popen[bytes]:
        self.argv = tuple(map(str, argv))
        environ = interpreter.child_environment(os.environ | self.variables, self.probes)
        return subprocess.Popen(self.argv, cwd=self.directory, env=environ, stdin=subprocess.PIPE)

    def settle(self) -> Settled:
        recorded = environment.observe(self.probes, self.argv, os.environ | self.variables, self.directory)
        return self.checkouts.settle(recorded, self.inputs)

    def __call__(self, code: str, *, status: int = 0) -> Settled:
        """Run Python code to its end, and settle."""
        process = self.start(PYTHON, "-c", code)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == status
        return self.settle()


@pytest.fixture
def evals(tmp_path, git) -> Path:
    return new_checkout(tmp_path / "evals", git, {"evaluate.py": "print('evaluated')\n", ".gitignore": "*.ignored\n"})


@pytest.fixture
def run(tmp_path, evals) -> Callable[..., Run]:
    made = 0

    def make(**options) -> Run:
        nonlocal made
        made += 1
        return Run(folder=tmp_path / f"staging-{made}", **{"directory": evals} | options)

    return make


def new_checkout(root: Path, git: Git, files: dict[str, str]) -> Path:
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    write(root, files)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a commit")
    return root


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def install_in_place(site: Path, project: Path, name: str, *, path: Path | None = None) -> dict[str, str]:
    """Leave in a folder of installed packages what an editable install leaves; give the variables that find it."""
    metadata = site / f"{name}-1.0.dist-info"
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    write(metadata, {"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"})
    write(metadata, {"direct_url.json": json.dumps(origin), "INSTALLER": "pip\n"})
    write(site, {f"{name}.pth": f"{path or project}\n"})
    # A `PYTHONPATH` reads no `.pth`, a user's own folder of packages does.
    write(site, {"usercustomize.py": f"import site\nsite.addsitedir({str(site)!r})\n"})
    return {"PYTHONPATH": str(site)}


def records(settled: Settled) -> dict[str, Source]:
    assert not isinstance(settled.sources, Unknown)
    return {each.source.name: each.source for each in settled.sources}


def uses(settled: Settled, name: str) -> set[tuple[str, str | None]]:
    return {(use.kind, use.name) for use in records(settled)[name].used_as}


def told(settled: Settled) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in settled.findings:
        assert isinstance(each, Finding)
        found.setdefault(each.code, []).append(each.message)
    return found


def comes_back(observed: ObservedSource, git: Git, clone: Path) -> None:
    """Check that a plain clone of the checkout, with the patch applied, has the recorded tree."""
    git(clone.parent, "clone", "-q", "--no-local", str(observed.root), str(clone))
    git(clone, "checkout", "-q", "--detach", observed.source.commit)
    if observed.patch is not None:
        git(clone, "apply", "--index", "--binary", "--whitespace=nowarn", str(observed.patch))
    assert git(clone, "write-tree").strip() == observed.source.tree


# -- which checkouts are recorded --------------------------------------------------------------------------------------


def test_the_working_directory_alone_is_recorded_when_code_came_from_nowhere_else(run, evals):
    settled = run()("import evaluate, json")

    assert list(records(settled)) == ["evals"]
    assert records(settled)["evals"].tree_after == records(settled)["evals"].tree
    assert ("module", "evaluate") in uses(settled, "evals")
    assert told(settled) == {}


def test_an_editable_install_is_recorded_with_its_exact_state(run, tmp_path, git):
    library = new_checkout(tmp_path / "deep" / "my lib", git, {"src/lib/__init__.py": "A = 1\n", "data.bin": "x"})
    git(library, "remote", "add", "origin", "https://ada:s3cret@host.invalid/lib.git")
    write(library, {"src/lib/__init__.py": "A = 2\n", "src/lib/new.py": "B = 1\n"})
    (library / "data.bin").write_bytes(b"\0\1\2" * 100)
    git(library, "mv", "src/lib/__init__.py", "src/lib/__init__.py.txt")
    git(library, "mv", "src/lib/__init__.py.txt", "src/lib/__init__.py")
    git(library, "add", "data.bin")
    (library / "link").symlink_to("data.bin")
    (library / "src" / "lib" / "new.py").chmod(0o755)
    variables = install_in_place(tmp_path / "site-packages", library, "lib", path=library / "src")
    settled = run(variables=variables)("import lib; assert lib.A == 2")
    record = records(settled)["my-lib"]

    assert list(records(settled)) == ["evals", "my-lib"]
    assert record.root == str(library)
    assert record.commit == git(library, "rev-parse", "HEAD").strip()
    assert record.remotes == {"origin": "https://host.invalid/lib.git"}
    assert (record.patch, record.git_bundle) == ("source/my-lib.patch", "source/my-lib.bundle")
    assert (record.observed_at, record.tree_after) == ("exit", None)
    assert uses(settled, "my-lib") == {("editable install", "lib"), ("module", "lib")}
    assert told(settled) == {}
    comes_back(settled.sources[1], git, tmp_path / "clone")


BACKEND = """\
import base64, hashlib, pathlib, zipfile

def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "real-1.0-py3-none-any.whl"
    files = {
        "real.pth": str(pathlib.Path.cwd() / "src") + "\\n",
        "real-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: real\\nVersion: 1.0\\n",
        "real-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{each},," + "\\n" for each in [*files, "real-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for path, text in {**files, "real-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(path, text)
    return name

build_wheel = build_editable
"""


def test_a_real_editable_install_is_recorded(run, tmp_path, git):
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    project += '[project]\nname = "real"\nversion = "1.0"\n'
    files = {
        "pyproject.toml": project,
        "backend.py": BACKEND,
        "src/real/__init__.py": "",
        ".gitignore": "__pycache__\n",
    }
    library = new_checkout(tmp_path / "real", git, files)
    uv = Path(sys.executable).with_name("uv")
    for arguments in (["venv", "-q", "--python", PYTHON, "venv"], ["pip", "install", "-q", "-p", "venv", "-e", "real"]):
        subprocess.run([uv, *arguments, "--offline"], cwd=tmp_path, check=True, timeout=PATIENCE)
    it = run()
    it.start(tmp_path / "venv" / "bin" / "python", "-c", "import real").communicate(timeout=PATIENCE)
    settled = it.settle()

    assert list(records(settled)) == ["evals", "real"]
    assert uses(settled, "real") == {("editable install", "real"), ("module", "real")}
    assert records(settled)["real"].root == str(library)


def test_an_editable_install_of_which_nothing_was_imported_is_no_source(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})
    variables = install_in_place(tmp_path / "site-packages", library, "lib")

    assert list(records(run(variables=variables)("import json"))) == ["evals"]


def test_an_editable_install_counts_when_a_process_did_not_tell_what_it_imported(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})
    variables = install_in_place(tmp_path / "site-packages", library, "lib")
    settled = run(variables=variables)("import lib, os; os._exit(3)", status=3)

    assert list(records(settled)) == ["evals", "lib"]
    assert uses(settled, "lib") == {("editable install", "lib")}


def test_a_folder_on_the_path_counts_when_a_process_did_not_tell_what_it_imported(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})
    settled = run(variables={"PYTHONPATH": str(library)})("import lib, os; os._exit(3)", status=3)

    assert uses(settled, "lib") == {("module path", None)}


def test_an_editable_part_of_a_namespace_package_is_recorded(run, tmp_path, git):
    library = new_checkout(tmp_path / "part", git, {"src/space/part.py": ""})
    site = tmp_path / "site-packages"
    write(site, {"space/other.py": ""})
    variables = install_in_place(site, library, "space-part", path=library / "src")

    assert "part" in records(run(variables=variables)("import space.other, space.part"))


def test_an_imported_source_tree_is_recorded(run, tmp_path, git):
    tree = new_checkout(tmp_path / "tree", git, {"lib/package/__init__.py": "", "lib/single.py": ""})
    settled = run(variables={"PYTHONPATH": str(tree / "lib")})("import package, single")

    assert uses(settled, "tree") == {("module", "package"), ("module", "single")}


def test_a_checkout_on_the_path_that_nothing_was_imported_from_is_no_source(run, tmp_path, git):
    tree = new_checkout(tmp_path / "tree", git, {"unused.py": ""})

    assert list(records(run(variables={"PYTHONPATH": str(tree)})("pass"))) == ["evals"]


def test_a_script_from_elsewhere_is_recorded_with_what_lies_beside_it(run, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"tools/go.py": "import beside\n", "tools/beside.py": ""})
    it = run(directory=tmp_path)
    it.start(PYTHON, "-u", "-X", "dev", other / "tools" / "go.py", "--flag").communicate(timeout=PATIENCE)
    settled = it.settle()

    assert list(records(settled)) == ["other"]
    assert uses(settled, "other") == {("script", "tools/go.py"), ("module", "beside")}


def test_a_script_of_a_process_within_the_run_is_recorded_though_it_was_killed(run, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"go.py": "import os; os._exit(1)\n"})
    settled = run()(f"import subprocess; subprocess.call([{PYTHON!r}, {str(other / 'go.py')!r}])")

    assert ("script", "go.py") in uses(settled, "other")


def test_what_the_command_line_names_in_another_checkout_is_recorded(run, tmp_path, git):
    tasks = new_checkout(tmp_path / "tasks", git, {"toy/toy.yaml": "task: toy\n"})
    inputs = [
        Input(path="../tasks/toy", argument=2, kind="folder", inside=False),
        Input(path="evaluate.py", argument=1, kind="file", inside=True),
    ]
    settled = run(inputs=inputs)("pass")

    assert uses(settled, "tasks") == {("input", "../tasks/toy")}
    assert ("input", "evaluate.py") in uses(settled, "evals")
    assert records(settled)["tasks"].root == str(tasks)


def test_a_link_to_another_checkout_leads_to_both(run, evals, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"shared.py": ""})
    (evals / "shared.py").symlink_to(other / "shared.py")
    settled = run()("import shared")

    assert ("module", "shared") in uses(settled, "evals")
    assert ("module", "shared") in uses(settled, "other")


def test_checkouts_of_the_same_name_are_told_apart(run, tmp_path, git):
    folders = [
        new_checkout(tmp_path / place / name, git, {f"{place}.py": ""})
        for place, name in (("a", "Evals"), ("b", "evals"), ("c", "other"), ("d", "other"))
    ]
    settled = run(variables={"PYTHONPATH": os.pathsep.join(map(str, folders))})("import a, b, c, d")

    assert list(records(settled)) == ["evals", "Evals-2", "evals-3", "other", "other-2"]
    assert {each.source.git_bundle for each in settled.sources} == {
        f"source/{name}.bundle" for name in records(settled)
    }
    assert len({each.git_bundle for each in settled.sources}) == 5


def test_what_the_run_writes_is_left_out_of_every_checkout(run, evals, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"lib.py": ""})
    written = [evals / "out", other / "results"]
    it = run(written=written, variables={"PYTHONPATH": str(other)})
    settled = it(f"import lib, pathlib\nfor each in {list(map(str, written))}: pathlib.Path(each).write_text('x')")

    assert [each.path for each in records(settled)["other"].left_out] == ["results"]
    assert not records(settled)["other"].dirty
    assert not records(settled)["evals"].dirty


def test_a_checkout_within_another_has_its_own_record(run, evals, git):
    inner = new_checkout(evals / "vendored" / "inner", git, {"inner.py": ""})
    unused = new_checkout(evals / "unused", git, {"x.py": ""})
    settled = run(variables={"PYTHONPATH": str(inner)})("import inner")

    assert list(records(settled)) == ["evals", "inner"]
    assert [(each.path, each.reason) for each in records(settled)["evals"].left_out] == [
        (f"{unused.name}/", "a git repository of its own")
    ]


@pytest.fixture
def with_submodule(evals, tmp_path, git) -> Path:
    library = new_checkout(tmp_path / "library", git, {"lib.py": ""})
    git(evals, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "vendored/library")
    git(evals, "commit", "-qm", "a submodule")
    git(evals / "vendored" / "library", "remote", "set-url", "origin", "https://host.invalid/library.git")
    return evals / "vendored" / "library"


def test_a_submodule_that_code_came_from_is_recorded(run, with_submodule):
    settled = run(variables={"PYTHONPATH": str(with_submodule)})("import lib")

    assert list(records(settled)) == ["evals", "library"]
    assert uses(settled, "library") == {("module", "lib")}


def test_changes_in_a_submodule_are_recorded_though_no_module_came_from_it(run, with_submodule, git, tmp_path):
    write(with_submodule, {"prompt.txt": "new\n"})
    it = run()
    write(with_submodule, {"prompt.txt": "changed by the run\n"})
    settled = it("pass")

    assert uses(settled, "library") == {("submodule", "vendored/library")}
    assert records(settled)["evals"].left_out == []
    assert records(settled)["library"].tree_after not in {None, records(settled)["library"].tree}
    assert told(settled) == {}
    (patch,) = [each.patch for each in settled.sources if each.source.name == "library"]
    assert "+new" in patch.read_text()


def test_a_submodule_that_git_cannot_read_is_told(run, with_submodule, evals):
    (evals / ".git" / "modules" / "vendored" / "library" / "index").write_bytes(b"garbage")
    settled = run()("pass")

    (message,) = told(settled)["W337"]
    assert "`vendored/library`, a submodule that cannot be looked at" in message


# -- what is told of code that is not in the bundle --------------------------------------------------------------------


def test_code_from_no_checkout_is_told_in_one_finding(run, tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, {f"{name}_module.py": "", f"{name}_package/__init__.py": "", "conftest.py": ""})
    path = os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")])
    settled = run(variables={"PYTHONPATH": path})("import one_module, one_package, two_module, conftest, json, decimal")

    one = f"`{tmp_path}/one` (`one_module`, `one_package`)"
    assert told(settled) == {
        "W338": [
            f"code was loaded from folders that are no git checkout: {one}; `{tmp_path}/two` (`two_module`)",
        ]
    }


def test_code_that_a_library_downloaded_is_named_as_such(run, tmp_path):
    cache = tmp_path / "cache" / "modules"
    write(cache, {"datasets_modules/__init__.py": ""})
    settled = run(variables={"PYTHONPATH": str(cache)})("import datasets_modules")

    (message,) = told(settled)["W338"]
    assert message.endswith(f"`{cache}`, dataset scripts that `datasets` downloaded (`datasets_modules`)")


def test_packages_in_a_folder_of_their_own_are_no_loose_code(run, tmp_path):
    target = tmp_path / "target"
    write(target, {"package/__init__.py": "", "single.py": "", "mine.py": "", "p-1.dist-info/METADATA": "Name: p\n"})
    write(target, {"p-1.dist-info/RECORD": 'package/__init__.py,,\nsingle.py,,\n"a,b.py",,\n'})
    settled = run(variables={"PYTHONPATH": str(target)})("import package, single, mine")

    (message,) = told(settled)["W338"]
    assert message.endswith(f"`{target}` (`mine`)")


def test_what_a_library_wrote_for_itself_and_took_away_is_not_told(run, tmp_path):
    code = """\
    import shutil, sys, tempfile
    folder = tempfile.mkdtemp()
    open(folder + "/generated.py", "w").close()
    sys.path.append(folder)
    import generated
    shutil.rmtree(folder)
    """
    settled = run()(textwrap.dedent(code))

    assert told(settled) == {}


def test_a_checkout_that_git_cannot_read_is_told_once(run, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"a/a.py": "", "b.py": ""})
    (other / ".git" / "config").write_text("[garbage")
    settled = run(variables={"PYTHONPATH": f"{other}:{other}/a"})("import a, b")

    (message,) = told(settled)["W340"]
    assert message.startswith(f"a checkout that code came from is not in the bundle: `{other}`: ")
    assert list(records(settled)) == ["evals"]


def test_a_checkout_that_breaks_at_a_closer_look_is_told(run, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"b.py": ""})
    (other / ".git" / "index").write_bytes(b"garbage")
    settled = run(variables={"PYTHONPATH": str(other)})("import b")

    assert len(told(settled)["W340"]) == 1
    assert list(records(settled)) == ["evals"]


def test_more_checkouts_than_are_recorded_are_told(run, tmp_path, git, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    for name in "abc":
        new_checkout(tmp_path / name, git, {f"{name}.py": ""})
    settled = run(variables={"PYTHONPATH": f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c"})("import a, b, c")

    assert list(records(settled)) == ["evals", "a", "b"]
    assert told(settled)["W340"] == [
        f"a checkout that code came from is not in the bundle: `{tmp_path}/c`: only 2 checkouts are recorded"
    ]


def test_code_that_git_ignores_is_told(run, evals, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"kept.py": "", ".gitignore": "built*\n"})
    write(other, {"built.py": "", "new.py": ""})
    settled = run(variables={"PYTHONPATH": str(other)})("import built, kept, new")

    assert told(settled) == {
        "W341": ["code was loaded from files of a checkout that git does not keep: `built.py`"],
    }


def test_files_that_may_hold_credentials_are_told(run, evals):
    write(evals, {".env": "A=1\n", "deploy/id_rsa": "x\n", "new.py": ""})
    settled = run()("pass")

    assert told(settled) == {
        "W339": [
            "changes to files that may hold credentials were left out of the source: `.env`, `deploy/id_rsa`",
        ]
    }


def test_the_reason_why_git_could_not_be_asked_stays_when_there_is_no_other_checkout(run, evals, tmp_path, git):
    other = new_checkout(tmp_path / "other", git, {"b.py": ""})
    reason = Unknown(unknown="git is not installed")
    it = run()
    it.checkouts = it.watched(reason)
    (tmp_path / "elsewhere").mkdir()
    it.directory = tmp_path / "elsewhere"

    assert it("pass").sources == reason
    again = run(directory=tmp_path / "elsewhere", variables={"PYTHONPATH": str(other)})
    again.checkouts = again.watched(reason)
    assert list(records(again("import b"))) == ["other"]


# -- the state at the start --------------------------------------------------------------------------------------------


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def fingerprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


WAITING = "import sys; sys.stdin.read(); import lib"


def test_a_checkout_is_recorded_as_it_was_when_the_run_began(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": "A = 1\n"})
    write(library, {"lib.py": "A = 2\n"})
    before = fingerprint(library / ".git")
    it = run(variables=install_in_place(tmp_path / "site-packages", library, "lib"))
    process = it.start(PYTHON, "-c", WAITING)
    it.checkouts.watch()
    until(lambda: library in it.checkouts._watch._found)
    write(library, {"lib.py": "A = 3\n"})
    process.communicate(timeout=PATIENCE)
    settled = it.settle()
    record = records(settled)["lib"]

    assert record.observed_at == "start"
    assert record.tree_after not in {None, record.tree}
    assert "+A = 2" in settled.sources[1].patch.read_text()
    assert fingerprint(library / ".git") == before
    assert not it.checkouts._watch._thread.is_alive()


def test_inputs_are_looked_at_before_anything_is_known_of_the_run(run, tmp_path, git):
    tasks = new_checkout(tmp_path / "tasks", git, {"toy.yaml": "1\n"})
    it = run(inputs=[Input(path=str(tasks / "toy.yaml"), argument=1, kind="file", inside=False)])
    it.checkouts.watch()
    until(lambda: tasks in it.checkouts._watch._found)
    write(tasks, {"toy.yaml": "2\n"})
    settled = it("pass")

    assert (records(settled)["tasks"].observed_at, records(settled)["tasks"].dirty) == ("start", False)
    assert records(settled)["tasks"].tree_after != records(settled)["tasks"].tree


def test_a_process_that_begins_late_is_met(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})
    it = run(variables={"PYTHONPATH": str(library)})
    it.checkouts.watch()
    time.sleep(0.5)
    process = it.start(PYTHON, "-c", WAITING)
    until(lambda: library in it.checkouts._watch._found)
    process.communicate(timeout=PATIENCE)

    assert records(it.settle())["lib"].observed_at == "start"


def test_what_was_looked_at_in_vain_is_no_source(run, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})
    it = run(variables=install_in_place(tmp_path / "site-packages", library, "lib"))
    process = it.start(PYTHON, "-c", "import sys; sys.stdin.read()")
    it.checkouts.watch()
    until(lambda: library in it.checkouts._watch._found)
    process.communicate(timeout=PATIENCE)

    assert list(records(it.settle())) == ["evals"]


# -- the thread is harmless --------------------------------------------------------------------------------------------


class Looking:
    """Looks at checkouts for as long as it is let."""

    def __init__(self) -> None:
        self.begun: list[Path] = []
        self.ended: list[Path] = []
        self.blocked: set[int] = set()
        self.enough = threading.Event()

    def __call__(self, root: Path, go_on: Callable[[], bool]) -> tuple[ObservedSource, ...]:
        self.begun.append(root)
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
        while go_on() and not self.enough.wait(0.01):
            pass
        if not go_on():
            raise GitError("cut short")
        self.ended.append(root)
        return ()


@pytest.fixture
def looking() -> Iterator[Looking]:
    look = Looking()
    yield look
    look.enough.set()


def watch(folder: Path, look, *places: Path) -> CheckoutWatch:
    use = Input(path="x", argument=1, kind="file", inside=False)
    first = [CodePlace(path=place, use=source.Use(kind="input", name=use.path)) for place in places]
    made = CheckoutWatch(first=first, probes=folder, seen=(), roots=Roots(), look=look, most=9)
    made.start()
    return made


def test_the_thread_leaves_signals_to_the_main_thread(evals, tmp_path, looking):
    watching = watch(tmp_path, looking, evals)
    until(lambda: looking.begun)
    watching.end((), PATIENCE)

    assert {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP} <= looking.blocked


def test_a_look_at_what_is_not_wanted_is_cut_short_and_none_is_begun(evals, tmp_path, git, looking):
    other = new_checkout(tmp_path / "other", git, {"x": ""})
    watching = watch(tmp_path, looking, evals, other)
    until(lambda: looking.begun)

    assert watching.end([other], PATIENCE) == ({}, None)
    assert (looking.begun, looking.ended) == ([evals], [])
    assert not watching._thread.is_alive()


def test_a_look_at_what_is_wanted_is_waited_for(evals, tmp_path, looking):
    watching = watch(tmp_path, looking, evals)
    until(lambda: looking.begun)
    threading.Timer(0.2, looking.enough.set).start()

    assert watching.end([evals], PATIENCE) == ({evals: ()}, None)


def test_a_look_that_does_not_end_is_given_up(evals, tmp_path, looking):
    watching = watch(tmp_path, looking, evals)
    until(lambda: looking.begun)

    assert watching.end([evals], 0.1) == ({}, evals)


def test_whatever_goes_wrong_in_the_thread_stays_in_it(evals, tmp_path):
    def fail(*arguments):
        raise ZeroDivisionError

    watching = watch(tmp_path / "nowhere", fail, evals)
    until(lambda: not watching._thread.is_alive())

    assert watching.end([evals], PATIENCE) == ({}, None)


def test_records_that_are_none_do_no_harm(evals, tmp_path, looking):
    (tmp_path / "half.json").write_text('{"probe": 1, "host')
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    watching = watch(tmp_path, looking)
    until(lambda: len(watching._read) == 3)

    assert watching.end((), PATIENCE) == ({}, None)
    assert looking.begun == []


def test_without_a_thread_everything_is_looked_at_in_the_end(run, tmp_path, git, monkeypatch):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": ""})

    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    it = run(variables={"PYTHONPATH": str(library)})
    it.checkouts.watch()
    monkeypatch.undo()
    settled = it("import lib")

    assert records(settled)["lib"].observed_at == "exit"


def test_watching_can_be_stopped_at_any_time(run):
    it = run()
    it.checkouts.stop()
    it.checkouts.watch()
    it.checkouts.stop()
    it.checkouts.stop()
    until(lambda: not it.checkouts._watch._thread.is_alive())


# -- as a person sees it -----------------------------------------------------------------------------------------------


EVALUATE = """\
import json, pathlib, sys, time
import lib
place = pathlib.Path(sys.argv[1])
while not place.exists():
    time.sleep(0.02)
(pathlib.Path(lib.__file__)).write_text("OFFSET = 3\\n")
json.dump({"sums": {"exact_match": 1.0}}, open("metrics.json", "w"))
"""


def test_a_live_capture_holds_every_checkout_as_it_was_before_the_run_changed_it(reprokit, evals, tmp_path, git):
    library = new_checkout(tmp_path / "lib", git, {"lib.py": "OFFSET = 1\n"})
    write(library, {"lib.py": "OFFSET = 2\n"})
    write(evals, {"evaluate.py": EVALUATE})
    # The evaluation goes on once the patch of the library lies in the staging folder.
    staging = reprokit.archive / ".reprokit" / "staging"
    flag = tmp_path / "go on"

    def wait() -> None:
        until(lambda: list(staging.glob("*/source/others/*.bundle")))
        flag.touch()

    waiting = threading.Thread(target=wait)
    waiting.start()
    command = ["capture", "--results", "metrics.json", "--", "python", "evaluate.py", flag]
    reprokit(*command, directory=evals, PYTHONPATH=str(library))
    waiting.join()
    shown = reprokit.json("list")[-1]
    (bag,) = reprokit.archive.glob(f"bundles/*/{shown['id']}")
    record = json.loads((bag / "data" / "source" / "lib.json").read_text())
    bundle = json.loads((bag / "data" / "bundle.json").read_text())

    assert [each["name"] for each in bundle["sources"]] == ["evals", "lib"]
    assert (record["observed_at"], record["dirty"]) == ("start", True)
    assert "+OFFSET = 2" in (bag / "data" / "source" / "lib.patch").read_text()
    assert ("W311", "source/lib.json") in {(each["code"], each["where"]) for each in bundle["findings"]}
    assert reprokit("validate", shown["id"]).returncode == 0
    plan = reprokit.json("reproduce", "--plan", shown["id"], check=None)
    assert [(each["name"], each["place"], each["used_as"][0]) for each in plan["checkouts"]] == [
        ("evals", "source", "working directory"),
        ("lib", "sources/lib", "module `lib`"),
    ]
