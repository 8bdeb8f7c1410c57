"""uv has a person's credentials and settings where it only installs wheels; what is built has none of the former."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.bundle.environment import Package
from reprokit.errors import InputMissingError
from reprokit.reproduce.environment.rebuilding import Allowed, rebuild
from reprokit.reproduce.environment.uv import variables, variables_to_build_with
from reprokit.rerun.wanted import FromGit, WantedEnvironment, wanted

BUILD = Allowed(sdist=True)
SECRETS = {
    "UV_INDEX_LAB_USERNAME": "ada-s3cret",
    "UV_INDEX_LAB_PASSWORD": "s3cret",
    "UV_PUBLISH_TOKEN": "s3cret",
    "UV_PUBLISH_URL": "http://ada:s3cret@127.0.0.1:9/",
    "UV_FIND_LINKS": "http://ada:s3cret@127.0.0.1:9/wheels",
    "UV_KEYRING_PROVIDER": "disabled",
    "UV_CREDENTIALS_DIR": "/home/ada/s3cret",
    "HTTPS_PROXY": "http://ada:s3cret@127.0.0.1:9",
    "no_proxy": "127.0.0.1",
    "NETRC": "/home/ada/s3cret",
    "HF_TOKEN": "s3cret",
    "OPENAI_API_KEY": "s3cret",
}
SPY = "import os, pathlib, sys; pathlib.Path({!r}).write_text(repr(dict(os.environ)))\n"


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def told(tmp_path):
    """Give the file to which foreign code tells the variables that it sees."""
    return tmp_path / "told"


@pytest.fixture
def person(environ, tmp_path):
    """Give the variables of somebody with a home, whose settings lie where uv looks for them."""
    home = tmp_path / "ada"
    (home / ".config/uv").mkdir(parents=True)
    (tmp_path / "uv.toml").rename(home / ".config/uv/uv.toml")
    kept = {name: value for name, value in environ.items() if not name.startswith("XDG_") and name != "UV_CONFIG_FILE"}
    return kept | {"HOME": str(home)}


@pytest.fixture
def rebuilt(workspace, person, bundle_of):
    """Give a function that rebuilds a recorded environment in the workspace, and returns the deltas."""

    def run(environment, *, allowed=None, checkout=None, wheels=(), **variables):
        made = wanted(bundle_of(environment, wheels=wheels), None, lambda _: checkout)
        return rebuild(made, workspace / "environment", environ=person | variables, allowed=allowed).deltas

    return run


@pytest.fixture
def checkout(workspace, make_project, told):
    """Give a checkout whose build tells what it sees."""
    made = make_project(workspace / "source")
    (made / "backend.py").write_text(SPY.format(str(told)) + (made / "backend.py").read_text())
    return made


@pytest.fixture
def lab(shelf):
    """Serve the shelf to whoever knows the password, from a process of its own; gives the address."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("guarded_shelf.py")), str(shelf.folder), "ada:s3cret"],
        stdout=subprocess.PIPE,
    )
    yield f"http://ada:s3cret@{server.stdout.readline().decode().strip()}/"
    server.terminate()
    server.wait()
    server.stdout.close()


def editable():
    origin = {"url": "file:///home/ada/mine", "dir_info": {"editable": True}}
    return Package(name="Mine", version="0.1", direct_url=origin, editable=True)


def seen(told):
    """Give the variables that foreign code saw; none holds a secret, or names the home of the person."""
    found = ast.literal_eval(told.read_text())
    assert [name for name, value in found.items() if "s3cret" in value] == []
    assert not found["HOME"].endswith("/ada")
    return found


def test_a_checkout_is_built_without_credentials_in_a_home_of_its_own(
    rebuilt, checkout, told, workspace, environment_of
):
    rebuilt(environment_of(editable()), checkout=checkout, **SECRETS)

    found = seen(told)
    assert found["HOME"] == str(workspace / "home")
    assert {"UV_PUBLISH_TOKEN", "UV_PUBLISH_URL", "UV_INDEX_LAB_PASSWORD", "HTTPS_PROXY", "NETRC"}.isdisjoint(found)


def test_a_package_of_source_is_built_without_credentials(rebuilt, shelf, told, environment_of):
    spying = replace(shelf, backend=SPY.format(str(told)) + shelf.backend)
    spying.source("alpha")
    shelf.wheel("beta")
    away = {**SECRETS, "UV_FIND_LINKS": ""}

    assert rebuilt(environment_of("alpha==1.0", "beta==1.0"), allowed=BUILD, **away) == ()
    seen(told)


def test_a_package_from_git_is_built_without_credentials(workspace, person, told, checkout, git, environment_of):
    repository = checkout.rename(workspace / "repository")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "One")
    commit = git(repository, "rev-parse", "HEAD").strip()
    package = FromGit(
        name="mine", version="0.1", address=str(repository), transport="file", commit=commit, subdirectory=""
    )

    rebuild(
        WantedEnvironment(interpreter=environment_of().interpreter, from_git=(package,)),
        workspace / "environment",
        environ=person | SECRETS,
        allowed=BUILD,
    )

    seen(told)


def test_what_is_hooked_into_the_environment_sees_no_credentials(rebuilt, shelf, checkout, tmp_path, environment_of):
    carried = replace(shelf, folder=tmp_path / "carried")
    carried.wheel("alpha")
    (wheel,) = carried.folder.iterdir()
    hooked = tmp_path / "hooked"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("theirs.pth", SPY.format(str(hooked)))

    # Without a cache, uv asks the Python of the environment anew whenever it installs into it.
    rebuilt(environment_of("alpha==1.0", editable()), checkout=checkout, wheels=[wheel], UV_NO_CACHE="1", **SECRETS)

    seen(hooked)


def test_wheels_behind_a_password_come_back_though_another_package_has_to_be_built(
    rebuilt, shelf, lab, told, workspace, tmp_path, environment_of
):
    shelf.wheel("alpha")
    (shelf.folder / "index.html").write_text('<a href="alpha-1.0-py3-none-any.whl">alpha-1.0-py3-none-any.whl</a>')
    public = replace(shelf, folder=tmp_path / "public", backend=SPY.format(str(told)) + shelf.backend)
    public.source("beta")
    (tmp_path / "ada/.config/uv/uv.toml").write_text("no-index = true\n")

    deltas = rebuilt(environment_of("alpha==1.0", "beta==1.0"), allowed=BUILD, UV_FIND_LINKS=f"{lab},{public.folder}")

    assert deltas == ()
    seen(told)


def test_a_failed_build_says_that_it_had_no_credentials(rebuilt, workspace, make_project, environment_of):
    checkout = make_project(workspace / "source", backend="raise SystemExit('it is broken')\n")

    with pytest.raises(InputMissingError, match=r"it is broken.* without any credentials of yours"):
        rebuilt(environment_of(editable()), checkout=checkout)


def test_a_package_that_cannot_be_built_says_that_it_had_no_credentials(rebuilt, shelf, environment_of):
    replace(shelf, backend="raise SystemExit('it is broken')\n").source("alpha")

    with pytest.raises(InputMissingError, match=r"`alpha==1\.0`.* without any credentials of yours"):
        rebuilt(environment_of("alpha==1.0"), allowed=BUILD)


def test_what_is_published_with_is_passed_to_nothing():
    environ = {"HOME": "/home/ada", **SECRETS}

    assert not [name for name in variables(environ) if "PUBLISH" in name]
    assert variables(environ)["UV_INDEX_LAB_PASSWORD"] == "s3cret"


def test_addresses_are_kept_without_their_passwords(tmp_path):
    index = {"UV_INDEX": "lab=https://ada:s3cret@index.invalid/simple https://other.invalid/a@b"}

    made = variables_to_build_with({"HOME": str(tmp_path), "https_proxy": "http://proxy.invalid", **index}, tmp_path)

    assert made["UV_INDEX"] == "lab=https://index.invalid/simple https://other.invalid/a@b"
    assert made["https_proxy"] == "http://proxy.invalid"


def test_settings_and_cache_are_found_from_the_other_home_where_they_exist(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    environ = {"HOME": str(own)}
    assert variables_to_build_with(environ, other) == {"HOME": str(other)}

    for folder in (".cache/uv", ".config/uv", ".local/share/uv/python"):
        (own / folder).mkdir(parents=True)
    (own / ".config/uv/uv.toml").touch()

    assert variables_to_build_with(environ, other) == {
        "HOME": str(other),
        "UV_CACHE_DIR": str(own / ".cache/uv"),
        "UV_PYTHON_INSTALL_DIR": str(own / ".local/share/uv/python"),
        "XDG_CONFIG_HOME": str(own / ".config"),
    }


@pytest.mark.parametrize("name", ["uv.toml", "pyproject.toml"])
def test_settings_of_a_stranger_above_the_workspace_are_not_obeyed(
    rebuilt, shelf, workspace, tmp_path, checkout, environment_of, name
):
    theirs = replace(shelf, folder=tmp_path / "theirs")
    theirs.wheel("alpha", "1.0+theirs")
    shelf.wheel("alpha")
    settings = f'find-links = ["{theirs.folder}"]\nno-index = true\n'
    (tmp_path / name).write_text(settings if name == "uv.toml" else f"[tool.uv]\n{settings}")

    assert rebuilt(environment_of("alpha==1.0", editable()), checkout=checkout) == ()
    code = "import alpha; print(alpha.VERSION)"
    done = subprocess.run([workspace / "environment/bin/python", "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1.0\n"
