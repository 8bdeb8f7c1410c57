"""What the Python of a re-run is to hold is read from a bundle as data, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprokit.archive import locks
from reprokit.archive.locks import CompletedLock, Hashed
from reprokit.bundle.environment import Environment, Package
from reprokit.bundle.source import Source, Use
from reprokit.bundle.values import Unknown
from reprokit.errors import InvalidRecordError
from reprokit.rerun.requirements import Pin
from reprokit.rerun.wanted import Editable, FromGit, Unobtainable, wanted

COMMIT = "a" * 40


def nowhere(_):
    return None


def from_git(address="https://host.invalid/lab/mine.git", **changes):
    origin = {"url": address, "vcs_info": {"vcs": "git", "commit_id": COMMIT}} | changes
    return Package(name="mine", version="0.1", direct_url=origin)


def reason(bundle_of, environment_of, package, directory_of=nowhere):
    (only,) = wanted(bundle_of(environment_of(package)), None, directory_of).unobtainable
    return only.reason


def test_pins_come_with_the_digests_that_are_known(bundle_of, environment_of):
    bundle = bundle_of(environment_of("alpha==1.0", "beta==2"))
    digest = "sha256:" + "b" * 64
    completed = CompletedLock(
        lock=locks.digest_of(bundle.read_payload("environment/requirements.lock")),
        asked="2026-11-24T10:00:00Z",
        hashed=[Hashed(name="beta", version="2", digests=[digest])],
        unhashed=[],
    )

    made = wanted(bundle, completed, nowhere)

    assert made.pins == (Pin("alpha", "1.0"), Pin("beta", "2", (digest,)))
    assert made.interpreter == bundle.environment.interpreter
    assert made.wheels is None


def test_nothing_is_wanted_of_an_environment_that_nobody_looked_at(bundle_of):
    made = wanted(bundle_of(Environment(learnt_from="nothing", packages=Unknown(unknown="no one"))), None, nowhere)

    assert (made.interpreter, made.pins, made.unobtainable) == (None, (), ())


def test_an_editable_install_is_asked_for_by_the_root_of_its_project(bundle_of, environment_of):
    origin = {"url": "file:///home/ada/my%20evals/mine", "dir_info": {"editable": True}}
    package = Package(name="Mine_Evals", version="0.1", direct_url=origin, editable=True)

    made = wanted(bundle_of(environment_of(package)), None, lambda root: Path("/workspace") / Path(root).name)

    assert made.editables == (Editable(name="mine-evals", version="0.1", directory=Path("/workspace/mine")),)


def test_an_old_editable_install_is_found_by_the_checkout_that_it_was_used_from(bundle_of, environment_of):
    source = Source(
        name="mine",
        root="/home/ada/mine",
        commit=COMMIT,
        tree=COMMIT,
        swhid=f"swh:1:dir:{COMMIT}",
        dirty=False,
        used_as=[Use(kind="editable install", name="mine")],
    )
    bundle = bundle_of(environment_of(Package(name="Mine", version="0.1", editable=True)), sources=[source])

    made = wanted(bundle, None, {"/home/ada/mine": Path("/workspace/mine")}.get)

    assert made.editables == (Editable(name="mine", version="0.1", directory=Path("/workspace/mine")),)


@pytest.mark.parametrize(
    "url", ["file://host.invalid/mine", "https://host.invalid/mine", "file:///x%00y", "/mine", "//["]
)
def test_an_editable_install_from_no_folder_of_the_machine_is_asked_for_nowhere(bundle_of, environment_of, url):
    package = Package(name="mine", version="1", direct_url={"url": url, "dir_info": {"editable": True}}, editable=True)

    assert "not recorded" in reason(bundle_of, environment_of, package, lambda root: Path("/workspace"))


def test_a_package_from_git_keeps_address_commit_and_folder(bundle_of, environment_of):
    made = wanted(bundle_of(environment_of(from_git(subdirectory="packages/mine"))), None, nowhere)

    assert made.from_git == (
        FromGit(
            name="mine",
            version="0.1",
            address="https://host.invalid/lab/mine.git",
            transport="https",
            commit=COMMIT,
            subdirectory="packages/mine",
        ),
    )


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% /tmp/x",
        "file:///home/ada/mine",
        "/home/ada/mine",
        "git://host.invalid/mine",
        "http://host.invalid/mine",
        "--upload-pack=touch /tmp/x",
        "ssh://-oProxyCommand=x/mine",
    ],
)
def test_a_repository_that_must_not_be_fetched_from_is_not(bundle_of, environment_of, address):
    assert "must not be fetched" in reason(bundle_of, environment_of, from_git(address))


@pytest.mark.parametrize("commit", ["main", "--orphan", "a" * 39, "A" * 40, f"{COMMIT}\n"])
def test_a_commit_that_is_no_full_one_is_not_fetched(bundle_of, environment_of, commit):
    package = from_git(vcs_info={"vcs": "git", "commit_id": commit})

    assert "must not be fetched" in reason(bundle_of, environment_of, package)


@pytest.mark.parametrize("subdirectory", ["../mine", "/etc", "a/../../b", 3])
def test_a_folder_outside_of_the_repository_is_refused(bundle_of, environment_of, subdirectory):
    assert "outside" in reason(bundle_of, environment_of, from_git(subdirectory=subdirectory))


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (Package(name="a", version="1", direct_url={"url": "file:///a.whl", "archive_info": {}}), "from a file"),
        (Package(name="a", version="1", direct_url={"url": "file:///a", "dir_info": {}}), "from a folder"),
        (Package(name="a", version="1", direct_url={"url": "x", "vcs_info": {"vcs": "hg"}}), "from hg"),
        (Package(name="a", version="1", direct_url={"unknown": "x"}), "from elsewhere"),
        (Package(name="a", version="1", from_system=True), "operating system"),
        (Package(name="a", version="unknown"), "no version"),
        (Package(name="--index-url=x", version="1", editable=True), "no name"),
    ],
)
def test_what_cannot_be_had_says_why(bundle_of, environment_of, package, said):
    made = wanted(bundle_of(environment_of(package), lock=b""), None, nowhere)

    assert [said in each.reason for each in made.unobtainable] == [True]
    assert isinstance(made.unobtainable[0], Unobtainable)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://evil.invalid/simple",
        "--find-links https://evil.invalid",
        "-r /etc/passwd",
        "-e git+https://evil.invalid/x",
        "alpha @ https://evil.invalid/alpha-1.0-py3-none-any.whl",
        "alpha==1.0 --config-settings x=y",
        "alpha>=1.0",
        "alpha[extra]==1.0",
        "alpha==1.*",
        "alpha",
        "./alpha-1.0-py3-none-any.whl",
    ],
)
def test_a_lock_that_holds_more_than_pinned_names_is_refused(bundle_of, environment_of, line):
    with pytest.raises(InvalidRecordError, match="pinned name"):
        wanted(bundle_of(environment_of(), lock=f"beta==1.0\n{line}\n".encode()), None, nowhere)


def test_a_bundle_that_carries_wheels_says_where(bundle_of, environment_of, shelf):
    shelf.wheel("alpha")
    bundle = bundle_of(environment_of("alpha==1.0"), wheels=shelf.folder.iterdir())

    made = wanted(bundle, None, nowhere)

    assert [each.name for each in made.wheels.iterdir()] == ["alpha-1.0-py3-none-any.whl"]
    assert made.wheels.is_relative_to(bundle.path)
