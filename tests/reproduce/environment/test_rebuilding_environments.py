"""The Python of a run is made again: interpreter, pinned packages, checkouts, and what of it is not as recorded."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from reprokit.bundle.environment import Package
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment.rebuilding import Allowed, rebuild
from reprokit.reproduce.environment.uv import activated
from reprokit.rerun.wanted import FromGit, WantedEnvironment, wanted

BUILD = Allowed(sdist=True)
NEAR = Allowed(nearest=True)


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def rebuilt(workspace, environ, bundle_of):
    """Give a function that rebuilds a recorded environment in the workspace, and returns the deltas."""

    def run(environment, *, allowed=None, directory_of=lambda _: None, wheels=(), **variables):
        bundle = bundle_of(environment, wheels=wheels)
        made = wanted(bundle, None, directory_of)
        return rebuild(made, workspace / "environment", environ=environ | variables, allowed=allowed).deltas

    return run


def say(workspace, code):
    """Run code in the rebuilt environment."""
    interpreter = workspace / "environment/bin/python"
    return subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def editable(root="/home/ada/mine"):
    origin = {"url": f"file://{root}", "dir_info": {"editable": True}}
    return Package(name="Mine", version="0.1", direct_url=origin, editable=True)


def test_the_recorded_python_and_packages_come_back_and_nothing_is_said(
    rebuilt, workspace, shelf, environment_of, python
):
    for version in ("1.0", "1.1"):
        shelf.wheel("alpha", version)

    assert rebuilt(environment_of("Alpha==1.0")) == ()
    assert say(workspace, "import alpha, platform; print(alpha.VERSION, platform.python_version())") == f"1.0 {python}"


def test_an_activated_environment_is_the_first_on_the_path(tmp_path):
    made = activated({"PATH": "/usr/bin"}, tmp_path)

    assert made == {"PATH": f"{tmp_path}/bin:/usr/bin", "VIRTUAL_ENV": str(tmp_path)}
    assert activated({}, None) == {"PATH": os.defpath}


def test_a_python_of_another_patch_version_is_a_delta(rebuilt, environment_of, python):
    minor = python.rpartition(".")[0]

    (delta,) = rebuilt(environment_of(version=f"{minor}.99"))

    assert (delta.what, delta.recorded) == ("Python", f"{minor}.99")
    assert delta.here.startswith(f"{minor}.")


def test_a_python_that_nobody_has_is_missing(rebuilt, environment_of, workspace):
    with pytest.raises(InputMissingError, match=r"Python 3\.99\.1 cannot be had: .*3\.99\.1"):
        rebuilt(environment_of(version="3.99.1"))

    assert not (workspace / "environment").exists()


@pytest.mark.parametrize("version", ["/tmp/evil", "3.11.7 --seed", "--help", "3.11.7\n", "", "3", "3.11.7/../../x"])
def test_what_is_no_version_is_not_given_to_uv(rebuilt, environment_of, version):
    with pytest.raises(InvalidRecordError, match="no Python"):
        rebuilt(environment_of(version=version))


def test_an_implementation_that_is_none_is_not_given_to_uv(rebuilt, environment_of, python):
    with pytest.raises(InvalidRecordError, match="no Python"):
        rebuilt(environment_of(version=python, implementation="/tmp/evil"))


def test_a_lost_version_is_named_with_the_reason_and_the_nearest(rebuilt, shelf, environment_of):
    for version in ("0.9", "1.2.1", "1.2.9", "2.0"):
        shelf.wheel("alpha", version)
    for name in ("beta", "gamma", "delta"):
        shelf.wheel(name)

    with pytest.raises(InputMissingError) as caught:
        rebuilt(environment_of("beta==1.0", "alpha==1.2.3", "gamma==1.0", "delta==1.0", "epsilon==4"))

    assert caught.value.message == (
        "packages that are not to be had: `alpha==1.2.3`: the index has no such version (nearest: 1.2.1); "
        "`epsilon==4`: no index knows it"
    )
    assert "--allow-sdist" not in caught.value.hint


def test_the_nearest_is_offered_only_where_every_lost_package_has_one(rebuilt, shelf, environment_of):
    shelf.wheel("alpha", "1.2.1")

    with pytest.raises(InputMissingError) as caught:
        rebuilt(environment_of("alpha==1.2.3"))
    assert "--nearest" in caught.value.hint


def test_the_nearest_is_not_offered_where_a_lost_package_has_none(rebuilt, shelf, environment_of):
    shelf.wheel("alpha", "1.2.1")

    with pytest.raises(InputMissingError) as caught:
        rebuilt(environment_of("alpha==1.2.3", "epsilon==4"))
    assert "--nearest" not in caught.value.hint


def test_the_nearest_is_taken_when_that_is_allowed_and_is_a_delta(rebuilt, shelf, workspace, environment_of):
    for version in ("0.9", "1.3", "3.0"):
        shelf.wheel("alpha", version)
    shelf.wheel("beta", "2.0")

    deltas = rebuilt(environment_of("alpha==1.2.3", "beta==2.0"), allowed=NEAR)

    assert deltas == (Delta(what="alpha", recorded="1.2.3", here="1.3", reason="the index has no such version"),)
    assert say(workspace, "import alpha, beta; print(alpha.VERSION)") == "1.3"


def test_the_public_version_is_nearest_to_a_local_one(rebuilt, shelf, environment_of):
    for version in ("2.13.0", "2.13.1"):
        shelf.wheel("torch", version)

    (delta,) = rebuilt(environment_of("torch==2.13.0+cpu"), allowed=NEAR)

    assert (delta.recorded, delta.here) == ("2.13.0+cpu", "2.13.0")


def test_another_build_of_the_recorded_version_is_told(rebuilt, shelf, environment_of):
    shelf.wheel("torch", "2.13.0+cu130")

    (delta,) = rebuilt(environment_of("torch==2.13.0"))

    assert (delta.recorded, delta.here) == ("2.13.0", "2.13.0+cu130")


def test_without_anything_near_it_is_missing_even_where_near_is_allowed(rebuilt, environment_of):
    with pytest.raises(InputMissingError, match="no index knows it"):
        rebuilt(environment_of("alpha==1.0"), allowed=NEAR)


def test_a_wheel_for_another_platform_is_none(rebuilt, shelf, environment_of):
    shelf.wheel("alpha", "1.0", tag="cp311-cp311-win_amd64")

    with pytest.raises(InputMissingError, match="it has no wheel for this platform or Python"):
        rebuilt(environment_of("alpha==1.0"))


def test_a_package_of_source_only_is_not_built_without_leave(rebuilt, shelf, environment_of):
    shelf.source("alpha")

    with pytest.raises(InputMissingError, match="only source") as caught:
        rebuilt(environment_of("alpha==1.0"))

    assert "--allow-sdist" in caught.value.hint
    assert not shelf.built


def test_a_package_of_source_only_is_built_with_leave(rebuilt, shelf, environment_of):
    shelf.source("alpha")

    assert rebuilt(environment_of("alpha==1.0"), allowed=BUILD) == ()
    assert shelf.built


def test_an_index_that_does_not_answer_is_told_as_such(rebuilt, environment_of, tmp_path):
    (tmp_path / "empty.toml").touch()
    nowhere = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}

    with pytest.raises(InputMissingError, match="no package index answers") as caught:
        rebuilt(environment_of("alpha==1.0", "beta==1.0"), UV_CONFIG_FILE=str(tmp_path / "empty.toml"), **nowhere)

    assert "127.0.0.1" not in caught.value.message


def test_what_is_not_to_be_had_from_an_index_is_a_delta(rebuilt, environment_of):
    folder = Package(name="local", version="3", direct_url={"url": "file:///home/ada/local", "dir_info": {}})
    system = Package(name="apt", version="2", from_system=True)

    deltas = rebuilt(environment_of(folder, system))

    assert [(each.what, each.here, each.reason) for each in deltas] == [
        ("apt", "not installed", "it belongs to the operating system"),
        ("local", "not installed", "it is from a folder"),
    ]


def test_an_editable_install_comes_back_from_its_checkout(rebuilt, shelf, workspace, make_project, environment_of):
    shelf.wheel("builder")
    checkout = make_project(workspace / "sources" / "mi [n],e", requires='["builder"]')

    assert rebuilt(environment_of(editable()), directory_of=lambda root: checkout) == ()
    assert say(workspace, "import mine; print(mine.HERE)") == str(checkout / "mine.py")


def test_a_checkout_names_no_index_of_its_own(rebuilt, shelf, workspace, tmp_path, make_project, environment_of):
    elsewhere = replace(shelf, folder=tmp_path / "elsewhere")
    elsewhere.wheel("builder", "6.6")
    shelf.wheel("builder")
    more = (
        '[project]\nname = "mine"\nversion = "0.1"\n[tool.uv]\nno-index = false\n'
        '[tool.uv.sources]\nbuilder = { index = "theirs" }\n'
        f'[[tool.uv.index]]\nname = "theirs"\nurl = "{elsewhere.folder.as_uri()}"\nformat = "flat"\n'
    )
    checkout = make_project(workspace / "source", requires='["builder"]', more=more)
    (checkout / "backend.py").write_text(
        "import builder, pathlib\npathlib.Path('used').write_text(builder.VERSION)\n"
        + (checkout / "backend.py").read_text()
    )

    rebuilt(environment_of(editable()), directory_of=lambda root: checkout)

    assert (checkout / "used").read_text() == "1.0"


def test_a_checkout_is_built_by_what_is_installed_where_its_builder_is_lost(
    rebuilt, shelf, workspace, make_project, environment_of
):
    shelf.wheel("builder")
    checkout = make_project(workspace / "source", requires='["builder==7"]')

    assert rebuilt(environment_of("builder==1.0", editable()), directory_of=lambda root: checkout) == ()


def test_a_checkout_that_cannot_be_built_is_named(rebuilt, workspace, make_project, environment_of):
    checkout = make_project(workspace / "source", backend="raise SystemExit('it is broken')\n")

    with pytest.raises(InputMissingError, match=r"`mine` cannot be installed from its checkout: .*it is broken"):
        rebuilt(environment_of(editable()), directory_of=lambda root: checkout)


def test_a_builder_of_source_only_is_not_built_without_leave(rebuilt, shelf, workspace, make_project, environment_of):
    shelf.source("builder")
    checkout = make_project(workspace / "source", requires='["builder==1.0"]', backend="import builder\n")

    with pytest.raises(InputMissingError, match="no usable wheels"):
        rebuilt(environment_of(editable()), directory_of=lambda root: checkout)

    assert not shelf.built


def test_a_checkout_that_leads_out_of_the_workspace_is_refused(
    rebuilt, tmp_path, workspace, make_project, environment_of
):
    outside = make_project(tmp_path / "outside")
    (workspace / "source").mkdir(parents=True)
    (workspace / "source/mine").symlink_to(outside)
    before = sorted(outside.rglob("*"))

    with pytest.raises(InvalidRecordError, match="leads out of the workspace"):
        rebuilt(environment_of(editable()), directory_of=lambda root: workspace / "source/mine")

    assert sorted(outside.rglob("*")) == before


def test_an_editable_install_without_its_checkout_is_a_delta(rebuilt, environment_of):
    (delta,) = rebuilt(environment_of(editable()))

    assert (delta.what, delta.here) == ("Mine", "not installed")
    assert "`/home/ada/mine`, which is not in the bundle" in delta.reason


@pytest.fixture
def from_git(tmp_path, make_project, git):
    """Give a package from the first of two commits, in a folder of its repository."""
    repository = tmp_path / "repository"
    make_project(repository / "packages/mine")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "One")
    commit = git(repository, "rev-parse", "HEAD").strip()
    (repository / "packages/mine/mine.py").write_text("HERE = 'later'\n")
    git(repository, "commit", "-qam", "Two")
    return FromGit(
        name="mine",
        version="0.1",
        address=str(repository),
        transport="file",
        commit=commit,
        subdirectory="packages/mine",
    )


def test_a_package_from_git_is_built_at_its_commit_with_leave(workspace, environ, environment_of, from_git):
    made = rebuild(
        WantedEnvironment(interpreter=environment_of().interpreter, from_git=(from_git,)),
        workspace / "environment",
        environ=environ,
        allowed=BUILD,
    )

    assert made.deltas == ()
    assert say(workspace, "import mine; print(mine.HERE != 'later')") == "True"


def test_a_package_from_git_is_not_built_without_leave(workspace, environ, environment_of, from_git):
    with pytest.raises(InputMissingError, match="`mine` from git at") as caught:
        rebuild(
            WantedEnvironment(interpreter=environment_of().interpreter, from_git=(from_git,)),
            workspace / "environment",
            environ=environ,
        )

    assert "--allow-sdist" in caught.value.hint


def test_the_run_without_a_recorded_python_cannot_be_rebuilt(workspace, environ):
    with pytest.raises(InputMissingError, match="not recorded"):
        rebuild(WantedEnvironment(interpreter=None), workspace / "environment", environ=environ)


def test_an_environment_is_rebuilt_from_vendored_wheels_without_any_index(
    rebuilt, shelf, tmp_path, workspace, make_project, environment_of
):
    carried = replace(shelf, folder=tmp_path / "carried, [all]")
    for name in ("alpha", "builder"):
        carried.wheel(name)
    checkout = make_project(workspace / "source", requires='["builder"]')

    deltas = rebuilt(
        environment_of("alpha==1.0", editable()),
        directory_of=lambda root: checkout,
        wheels=carried.folder.iterdir(),
        UV_OFFLINE="1",
    )

    assert deltas == ()
    assert say(workspace, "import alpha, mine; print(alpha.VERSION)") == "1.0"


def test_what_the_vendored_wheels_lack_comes_from_the_index(rebuilt, shelf, tmp_path, workspace, environment_of):
    carried = replace(shelf, folder=tmp_path / "carried")
    carried.wheel("alpha")
    shelf.wheel("beta")

    assert rebuilt(environment_of("alpha==1.0", "beta==1.0"), wheels=carried.folder.iterdir()) == ()


def test_what_is_in_no_place_is_named_beside_vendored_wheels(rebuilt, shelf, tmp_path, environment_of):
    carried = replace(shelf, folder=tmp_path / "carried")
    carried.wheel("alpha")

    with pytest.raises(InputMissingError, match=r"`beta==1\.0`: no index knows it") as caught:
        rebuilt(environment_of("alpha==1.0", "beta==1.0"), wheels=carried.folder.iterdir())

    assert "alpha" not in caught.value.message


def test_a_re_run_that_writes_into_a_package_does_not_reach_the_cache(
    rebuilt, shelf, workspace, tmp_path, environment_of
):
    shelf.wheel("alpha")
    rebuilt(environment_of("alpha==1.0"))
    (installed,) = (workspace / "environment").rglob("alpha.py")

    assert installed.stat().st_nlink == 1
