"""A capture keeps the wheels of its environment, and from these alone the environment is made again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle import bag
from reprokit.bundle.environment import Package
from reprokit.bundle.reading import open_bundle
from reprokit.capture import wheels
from reprokit.reproduce.environment.rebuilding import rebuild
from reprokit.rerun.wanted import wanted


@pytest.fixture
def person(shelf, environ):
    """Give the variables of somebody whose uv and pip find the packages of the shelf only."""
    return environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf.folder)}


@pytest.fixture
def here(environment_of):
    """Give a function that makes the record of an environment that this test's Python ran."""

    def make(*packages):
        environment = environment_of(*packages)
        interpreter = msgspec.structs.replace(environment.interpreter, executable=sys.executable)
        return msgspec.structs.replace(environment, interpreter=interpreter)

    return make


def names(collected):
    return [path.name for path in collected.files]


def editable(folder):
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    return Package(name="mine", version="0.1", direct_url=origin, editable=True)


def test_the_wheels_of_the_lock_are_fetched_and_no_others(here, person, shelf, tmp_path):
    for version in ("1.0", "1.1"):
        shelf.wheel("alpha", version)
    shelf.wheel("beta")
    shelf.wheel("gamma")

    collected = wheels.collect(here("alpha==1.0", "beta==1.0"), tmp_path / "wheels", environ=person)

    assert names(collected) == ["alpha-1.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl"]
    assert collected.findings == ()
    assert (tmp_path / "wheels/alpha-1.0-py3-none-any.whl").read_bytes() == (
        shelf.folder / "alpha-1.0-py3-none-any.whl"
    ).read_bytes()


def test_what_a_checkout_is_built_by_is_fetched_too(here, person, shelf, tmp_path, make_project):
    for name in ("hatchling", "editables"):
        shelf.wheel(name)
    checkout = make_project(tmp_path / "my mine", requires='["hatchling>=1"]')

    collected = wheels.collect(here(editable(checkout)), tmp_path / "wheels", environ=person)

    assert names(collected) == ["editables-1.0-py3-none-any.whl", "hatchling-1.0-py3-none-any.whl"]


def test_what_cannot_be_had_is_told_and_keeps_nothing_else_away(here, person, shelf, tmp_path, make_project):
    shelf.wheel("beta")
    shelf.source("gamma")
    checkout = make_project(tmp_path / "mine", requires='["builder"]')

    collected = wheels.collect(
        here("alpha==1.0", "beta==1.0", "gamma==1.0", editable(checkout)), tmp_path / "wheels", environ=person
    )
    (finding,) = collected.findings

    assert names(collected) == ["beta-1.0-py3-none-any.whl"]
    assert finding.code == "W359"
    assert "`alpha==1.0`, `gamma==1.0`, `builder to build mine`" in finding.message
    assert not shelf.built


def test_an_index_that_has_nothing_is_given_up(here, person, tmp_path):
    packages = [f"package{number}==1.0" for number in range(3)]

    collected = wheels.collect(here(*packages), tmp_path / "wheels", environ=person)

    assert collected.files == ()
    assert "not all were asked for" in collected.findings[0].message


def test_whoever_wants_an_end_gets_no_wheels(here, person, shelf, tmp_path):
    shelf.wheel("alpha")

    collected = wheels.collect(here("alpha==1.0"), tmp_path / "wheels", environ=person, stopped=lambda: True)

    assert "asked to stop" in collected.findings[0].message


def test_time_that_is_up_ends_the_fetching(here, person, shelf, tmp_path):
    shelf.wheel("alpha")

    collected = wheels.collect(here("alpha==1.0"), tmp_path / "wheels", environ=person, patience=0.0)

    assert "took longer than 0 s" in collected.findings[0].message


def test_an_interrupt_ends_the_fetching_alone(here, person, shelf, tmp_path):
    shelf.wheel("alpha")

    def interrupt():
        raise KeyboardInterrupt

    collected = wheels.collect(here("alpha==1.0"), tmp_path / "wheels", environ=person, stopped=interrupt)

    assert "it was interrupted" in collected.findings[0].message


def test_a_python_that_is_not_on_this_machine_gets_no_wheels(environment_of, person, tmp_path, shelf):
    shelf.wheel("alpha")

    collected = wheels.collect(environment_of("alpha==1.0"), tmp_path / "wheels", environ=person)

    assert collected.files == ()
    assert "`/home/ada/venv/bin/python`" in collected.findings[0].message


def test_an_address_of_an_index_is_not_told(here, person, tmp_path):
    lab = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://ada:s3cret@127.0.0.1:9/simple", "PIP_RETRIES": "0"}

    collected = wheels.collect(here("alpha==1.0"), tmp_path / "wheels", environ=person | lab)

    assert collected.findings != ()
    assert "s3cret" not in str(collected.findings)
    assert "127.0.0.1" not in str(collected.findings)


@pytest.fixture
def install(tmp_path, environ):
    """Give a function that makes an environment and installs something in it; returns its interpreter."""

    def make(*words):
        uv, interpreter = shutil.which("uv", path=environ["PATH"]), tmp_path / "venv/bin/python"
        for each in (
            ("venv", "--python", sys.executable, tmp_path / "venv"),
            ("pip", "install", "--python", interpreter, *words),
        ):
            subprocess.run([uv, "--quiet", *each], env=environ, cwd=tmp_path, check=True)
        return interpreter

    return make


@pytest.fixture
def capture(reprokit, evaluation, person):
    """Give a function that captures the evaluation with its wheels, and opens the bundle."""

    def run(interpreter):
        settings = {name: value for name, value in person.items() if name.startswith(("PIP_", "UV_"))}
        command = ("capture", "--with-wheels", *reprokit.files, "--", interpreter, "evaluate.py")
        reprokit(*command, directory=evaluation, **settings)
        return open_bundle(Path(reprokit.json("show", "latest")["path"]))

    return run


def test_a_run_captured_with_wheels_is_rebuilt_where_there_is_no_index(
    evaluation, make_project, shelf, install, capture, environ, tmp_path
):
    for name in ("alpha", "builder"):
        shelf.wheel(name)
    make_project(evaluation, requires='["builder"]')
    program = evaluation / "evaluate.py"
    program.write_text("import alpha, mine\n" + program.read_text())
    bundle = capture(install("alpha==1.0", "--editable", evaluation))
    workspace, nothing = tmp_path / "workspace", tmp_path / "nothing.toml"
    nothing.touch()
    shutil.copytree(evaluation, workspace / "source")
    offline = {"UV_OFFLINE": "1", "UV_CONFIG_FILE": str(nothing), "UV_CACHE_DIR": str(tmp_path / "empty")}

    made = wanted(bundle, None, {str(evaluation): workspace / "source"}.get)
    rebuilt = rebuild(made, workspace / "environment", environ=environ | offline)
    files = {file.path: file for file in bundle.record.files if file.path.endswith(".whl")}

    assert sorted(files) == [f"environment/wheels/{name}-1.0-py3-none-any.whl" for name in ("alpha", "builder")]
    assert {(file.role, file.stored == file.path) for file in files.values()} == {("environment", True)}
    assert not [each for each in bundle.record.findings if each.code == "W359"]
    assert not list(bag.verify(bundle.path))
    assert rebuilt.deltas == ()
    subprocess.run(
        [workspace / "environment/bin/python", "evaluate.py"],
        cwd=workspace / "source",
        check=True,
        env=dict(os.environ),
    )


def test_a_run_whose_wheels_are_gone_is_captured_all_the_same(shelf, install, capture):
    shelf.wheel("alpha")
    interpreter = install("alpha==1.0")
    shutil.rmtree(shelf.folder)

    assert [each.code for each in capture(interpreter).record.findings if each.code == "W359"] == ["W359"]


def test_wheels_of_today_are_not_put_to_results_of_old(reprokit, evaluation):
    done = reprokit("capture", "--with-wheels", "--from", evaluation, check=2)

    assert "`--with-wheels` goes with a command" in done.stderr
