"""Whether machine and archive are fit: every warning and failure is provoked once."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from reprokit import clock
from reprokit.archive import cache, ledger, owner, publication
from reprokit.archive.doctor import checking as doctor
from reprokit.archive.doctor import content as doctor_content
from reprokit.archive.doctor import filesystem as doctor_filesystem
from reprokit.archive.doctor import machine as doctor_machine
from reprokit.archive.doctor import repository as doctor_git
from reprokit.archive.ledger import Event
from reprokit.bundle import canonical
from reprokit.errors import ExitCode


def bad(checks):
    """Give what is not well, as (check, state, message)."""
    return [(each.check, each.state, each.message) for each in checks if each.state != "ok"]


def one(checks):
    (only,) = bad(checks)
    return only


def a_program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def named(own_home):
    (own_home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")


# --- the machine -------------------------------------------------------------------------------------------------------


def test_a_machine_with_all_programs_is_well():
    assert bad(doctor_machine.check({"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})) == []


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without programs."""
    monkeypatch.setattr(doctor_machine.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_without_programs_it_is_told_what_is_lost(bare, monkeypatch):
    def none(_):
        raise doctor_machine.importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor_machine.importlib.metadata, "version", none)

    found = {check: (state, message) for check, state, message in bad(doctor_machine.check(os.environ))}

    assert found["git"] == ("fail", "git is not installed: nothing can be captured or found without it")
    assert "cannot rebuild packages" in found["uv"][1]
    assert "remotes in folders only" in found["dvc"][1]
    assert "neither signed" in found["ssh-keygen"][1]
    assert {found[name][0] for name in ("uv", "dvc", "ssh-keygen")} == {"warn"}


def test_a_git_that_is_too_old_is_told(bare):
    a_program(bare, "git", "#!/bin/sh\necho git version 2.20.1\n")

    assert doctor_machine._git() == doctor.fail("git", "`git version 2.20.1` is too old", "install 2.31 or later")


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 3\n", "not a program"])
def test_a_uv_that_does_not_work_counts_as_none(bare, text):
    a_program(bare, "uv", text)

    assert doctor_machine._uv(os.environ).state == "warn"


@pytest.mark.parametrize("name", ["reprokit", "reprokit-ml"])
def test_a_package_of_others_that_brings_our_command_is_found(tmp_path, monkeypatch, name):
    metadata = tmp_path / "site" / f"{name.replace('-', '_')}-0.2.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.2.1\n")
    (metadata / "entry_points.txt").write_text("[console_scripts]\nreprokit = reprokit.cli:main\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    check, state, message = one(doctor_machine._namesakes())

    assert (check, state) == ("namesake", "fail")
    assert f"`{name}`" in message


@pytest.mark.parametrize(
    ("installed", "foreign"), [("reprokit-0.2.1", True), ("reprokit_ml-0.1.0", True), ("reprokit_eval-0.1.0", False)]
)
def test_a_command_of_others_that_comes_first_on_path_is_found_and_not_run(tmp_path, installed, foreign):
    program = a_program(tmp_path / "bin", "reprokit", f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    (tmp_path / "lib" / "python3.11" / "site-packages" / f"{installed}.dist-info").mkdir(parents=True)
    a_program(tmp_path / "first", "x", "")
    (tmp_path / "first" / "reprokit").symlink_to(program)

    found = bad(doctor_machine._namesake_on_path({"PATH": str(tmp_path / "first")}))

    assert [state for _, state, _ in found] == (["fail"] if foreign else [])
    assert not (tmp_path / "was-run").exists()


# --- the file system ---------------------------------------------------------------------------------------------------


def test_a_plain_disk_is_well_and_nothing_is_left_on_it(archive, publish, monkeypatch, snapshot):
    publish(fold=True)
    monkeypatch.setattr(doctor_filesystem, "_kind", lambda _: doctor_filesystem.kind("ext4"))
    monkeypatch.setattr(doctor_filesystem, "space", lambda *_: doctor.ok("free space", "enough"))
    before = snapshot(archive.root)

    assert bad(doctor_filesystem.check(archive)) == []
    assert {name: data for name, data in snapshot(archive.root).items() if name != ".reprokit/lock"} == {
        name: data for name, data in before.items() if name != ".reprokit/lock"
    }


def test_an_archive_that_cannot_be_written_is_told(archive):
    shutil.rmtree(archive.scratch)
    archive.scratch.write_text("in the way")

    checked = doctor_filesystem._writable(archive)

    assert (checked.state, "cannot be written" in checked.message) == ("fail", True)


def test_a_folder_of_somebody_else_is_told(archive, monkeypatch):
    access = os.access
    monkeypatch.setattr(
        doctor_filesystem.os, "access", lambda path, mode: path != archive.ledger and access(path, mode)
    )
    archive.ledger.mkdir(exist_ok=True)

    assert doctor_filesystem._writable(archive).message == f"`{archive.ledger}` cannot be written"


def test_a_lock_that_cannot_be_taken_is_told(archive):
    archive.lock.mkdir()

    assert doctor_filesystem._lock(archive).state == "fail"


def test_a_lock_that_another_process_holds_is_well(archive):
    with doctor_filesystem.FileLock(archive.lock):
        assert doctor_filesystem._lock(archive).message == "another process is registering bundles"


@pytest.fixture
def memory():
    """A folder on another file system."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def test_a_staging_area_on_another_file_system_is_told(archive, memory):
    shutil.rmtree(archive.private)
    archive.private.symlink_to(memory)

    checked = doctor_filesystem._same_file_system(archive)

    assert (checked.state, "rename" in checked.message) == ("fail", True)


def test_an_archive_in_memory_is_told(archive, memory):
    moved = doctor.Archive(Path(shutil.copytree(archive.root, memory / "archive")))

    checked = doctor_filesystem._kind(moved)

    assert (checked.state, checked.message) == ("warn", "`tmpfs` is kept in memory: a restart empties it")


MOUNTS = r"""
22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw
23 22 8:1 / /data rw,relatime - ext4 /dev/sda1 rw
24 23 0:44 / /data/our\040lab rw,relatime shared:2 master:3 - nfs4 server:/lab rw,vers=4.2
25 23 0:45 / /data/hidden rw - ext4 /dev/sdb rw
26 23 0:46 / /data/hidden rw - lustre 10.0.0.1@o2ib:/fs rw
nonsense
"""


@pytest.mark.parametrize(
    ("place", "kind", "state"),
    [
        ("/home/ada", "overlay", "warn"),
        ("/data/evals", "ext4", "ok"),
        ("/data/our lab/evals", "nfs4", "warn"),
        ("/data/our labor", "ext4", "ok"),
        ("/data/hidden/x", "lustre", "warn"),
    ],
)
def test_the_type_of_a_file_system_is_that_of_the_nearest_mount(place, kind, state):
    assert doctor_filesystem.kind_of(Path(place), MOUNTS) == kind
    assert doctor_filesystem.kind(kind).state == state


def test_where_nobody_tells_the_type_it_is_not_guessed(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor_filesystem, "_MOUNTS", tmp_path / "absent")

    assert doctor_filesystem._kind(archive).message == "its type cannot be told here"


def test_a_disk_that_is_nearly_full_is_told():
    gib = 1 << 30

    assert [doctor_filesystem.space(100 * gib, free).state for free in (50 * gib, gib, 1 << 20)] == [
        "ok",
        "warn",
        "fail",
    ]


def test_a_disk_without_room_for_more_files_is_told(archive, monkeypatch):
    told = os.statvfs(archive.root)
    few = os.statvfs_result([*told[:7], 12, *told[8:]])
    monkeypatch.setattr(doctor_filesystem.os, "statvfs", lambda _: few)

    assert "only 12 more files" in one(doctor_filesystem._files_left(archive))[2] or told.f_files == 0


def test_a_cache_to_which_nothing_can_be_linked_is_told(archive, memory):
    (archive.root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {memory}\n")
    cache.of(archive).directory.mkdir(parents=True)

    assert "kept twice" in doctor_filesystem._links(archive).message
    assert list(cache.of(archive).directory.iterdir()) == []


def test_a_file_system_that_ignores_case_is_told(archive, monkeypatch):
    assert bad(doctor_filesystem._case(archive)) == []
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) or path.name.startswith("doctor-"))

    assert "differ only in case" in one(doctor_filesystem._case(archive))[2]


# --- git and DVC -------------------------------------------------------------------------------------------------------


def test_a_new_archive_is_well(archive, named):
    assert bad(doctor_git.check(archive)) == []
    assert bad(doctor_git.check_dvc(archive)) == []
    assert bad(doctor_content.check(archive)) == []
    assert bad(doctor_content.check_clock(archive)) == []


def an_unfinished_merge(archive, git, home):
    (archive.root / ".git" / "MERGE_HEAD").write_text(git(archive.root, "rev-parse", "HEAD"))


def an_old_lock(archive, git, home):
    lock = archive.root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))


def no_branch(archive, git, home):
    git(archive.root, "checkout", "-q", "--detach")


def nobody(archive, git, home):
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n")


def a_hook(archive, git, home):
    a_program(archive.root / ".git" / "hooks", "post-checkout", "#!/bin/sh\n")


def a_hook_elsewhere(archive, git, home):
    a_program(home / "my hooks", "pre-push", "#!/bin/sh\n")
    git(archive.root, "config", "core.hooksPath", "~/my hooks")


def lost_attributes(archive, git, home):
    git(archive.root, "rm", "-q", "catalog/.gitattributes", "ledger/.gitattributes")


def lost_attributes_and_line_ends(archive, git, home):
    lost_attributes(archive, git, home)
    (home / ".gitconfig").write_text((home / ".gitconfig").read_text() + "[core]\n\tautocrlf = input\n")


def lost_rules(archive, git, home):
    (archive.bundles / ".gitignore").write_text("")


TROUBLES = {
    an_unfinished_merge: ("repository", "fail", "in the middle of a merge"),
    an_old_lock: ("repository", "fail", "index.lock` has been there"),
    no_branch: ("repository", "warn", "on no branch"),
    nobody: ("identity", "warn", "no `user.email`: commits are made in reprokit's name"),
    a_hook: ("hooks", "warn", "`post-checkout`"),
    a_hook_elsewhere: ("hooks", "warn", "`pre-push`"),
    lost_attributes: ("attributes", "warn", "records in `catalog`, `ledger`"),
    lost_attributes_and_line_ends: ("attributes", "fail", "`core.autocrlf` is `input`"),
    lost_rules: ("ignoring", "warn", "`git add` would put all of it"),
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_what_stands_in_git_s_way_is_told(archive, git, own_home, named, trouble):
    trouble(archive, git, own_home)

    check, state, message = one(doctor_git.check(archive))

    assert (check, state) == TROUBLES[trouble][:2]
    assert TROUBLES[trouble][2] in message


def test_a_repository_of_somebody_else_is_told_with_the_way_out(archive, tmp_path, monkeypatch):
    a_program(
        tmp_path / "bin",
        "git",
        "#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '$PWD'\" >&2\nexit 128\n",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    (found,) = doctor.examine(archive, {"repository": doctor_git.check})

    assert found.state == "fail"
    assert "safe.directory" in found.hint


@pytest.mark.parametrize(
    ("text", "state", "message"),
    [
        ("[cache]\n    type = symlink\n", "fail", "makes links out of bundles"),
        ('[cache]\n    type = "reflink,symlink,copy"\n', "fail", "makes links out of bundles"),
        ("[cache]\n    dir = ../../elsewhere\n", "warn", "outside of the archive"),
        ("[core]\n    autostage = true\n", "warn", "`core.autostage` is on"),
        ("['remote \"store\"']\n    url = ssh://server/evals\n", "warn", "the remote `store` is not verified"),
        ("nonsense", "fail", "cannot be read"),
    ],
)
def test_settings_of_dvc_that_lose_or_hide_damage_are_told(archive, text, state, message):
    (archive.root / ".dvc" / "config.local").write_text(text)

    check, was, told = one(doctor_git.check_dvc(archive))

    assert (check, was) == ("dvc settings", state)
    assert message in told


def test_a_verified_remote_is_well(archive):
    (archive.root / ".dvc" / "config.local").write_text("['remote \"s\"']\n    url = /x\n    verify = true\n")

    assert bad(doctor_git.check_dvc(archive)) == []


# --- what is in it -----------------------------------------------------------------------------------------------------


def test_interrupted_captures_are_told(archive):
    folder = publication.stage(archive)
    described = canonical.decode((folder / publication.OWNER).read_bytes(), owner.Owner)
    dead = msgspec.structs.replace(described, process=msgspec.structs.replace(described.process, pid=2**22 - 1))
    (folder / publication.OWNER).write_bytes(canonical.record(dead))

    assert one(doctor_content.check(archive))[1:] == (
        "warn",
        "1 interrupted, which left something in the staging area",
    )


def test_bundles_that_are_not_registered_are_told(archive, publish):
    bundles = [publish(word) for word in ("one", "two")]

    assert one(doctor_content.check(archive))[2] == f"`{min(bundles)}` and 1 more published, and not yet registered"


def test_an_event_from_the_future_is_told(archive):
    ahead = clock.text(clock.now() + dt.timedelta(hours=2))
    ledger.append(archive, [Event(event="captured", time=ahead, bundle="b", identity="sha256:" + "0" * 64)])

    assert "the newest event in the ledger is of" in one(doctor_content.check_clock(archive))[2]


def test_a_clock_that_was_never_set_is_told(archive, monkeypatch):
    monkeypatch.setattr(doctor_content.clock, "now", lambda: dt.datetime(1970, 1, 1, 0, 3, tzinfo=dt.UTC))

    assert one(doctor_content.check_clock(archive)) == ("clock", "fail", "it says 1970-01-01T00:03:00Z")


def test_a_misspelt_setting_is_told_with_the_nearest_that_is_known(archive, tmp_path):
    (tmp_path / "reprokit.toml").write_text("Script = 1\n[captur]\nx = 1\n[zzz]\n[mirror]\n[audit]\n")

    found = bad(doctor.check_settings(archive, tmp_path))

    assert {state for _, state, _ in found} == {"warn"}
    told = " ".join(message for _, _, message in found)
    assert "`captur`; did you mean `capture`?" in told
    assert "`Script`; did you mean `script`?" in told
    assert "`zzz`; known are `archive`, `audit`, `capture`, `mirror`, `script`" in told
    assert len(found) == 3


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("REPROKIT_ARCHIVES", "did you mean `REPROKIT_ARCHIVE`?"),
        ("reprokit_samples", "did you mean `REPROKIT_SAMPLES`?"),
        ("REPROKIT_COLOUR", "there are `REPROKIT_ARCHIVE`, `REPROKIT_SAMPLES`"),
    ],
)
def test_a_variable_that_nobody_reads_is_told(name, hint):
    known = ("REPROKIT_ARCHIVE", "REPROKIT_SAMPLES")

    (check,) = doctor.check_variables(["PATH", name, *known], known)

    assert (check.check, check.state, check.message) == ("settings", "warn", f"nobody reads the variable `{name}`")
    assert check.hint == hint


def json_with(reprokit, **variables):
    return msgspec.json.decode(reprokit("doctor", "--json", check=None, **variables).stdout)


# --- as a program ------------------------------------------------------------------------------------------------------


def test_the_worst_comes_first_and_decides_the_exit_status(reprokit):
    (reprokit.archive / ".git" / "index.lock").touch()
    os.utime(reprokit.archive / ".git" / "index.lock", (0, 0))

    done = reprokit("doctor", check=ExitCode.DIFFERENCES)

    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    states = [line.split()[0] for line in lines]
    assert states == sorted(states, key=["fail", "warn", "ok"].index)
    assert states[0] == "fail"
    assert "index.lock" in lines[0]
    assert f"ok    archive       `{reprokit.archive}`, named by `REPROKIT_ARCHIVE`" in lines
    assert "is seen; under `-I`" in done.stdout
    assert done.stderr.startswith("reprokit: 1 failure, ")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[capture]\nsample = "digest"\n', "has no key `sample`", "did you mean `samples`?"),
        ("[script]\nresult = 'a.json'\n", "has no key `result`", "did you mean `results`?"),
        ("[script\n", "cannot be read: ", "mend it"),
    ],
)
def test_settings_that_keep_runs_from_being_captured_are_a_failure(reprokit, tmp_path, text, message, hint):
    (tmp_path / "reprokit.toml").write_text(text)

    done = reprokit("doctor", directory=tmp_path, check=ExitCode.DIFFERENCES)
    ran = reprokit("capture", "--", "true", directory=tmp_path)

    told = done.stdout.partition("fail  settings      no run is captured from here: ")[2].splitlines()
    assert message in told[0]
    assert hint in told[1]
    assert told[0] in ran.stderr


def test_settings_that_can_be_followed_are_told_in_their_effect(reprokit, tmp_path):
    (tmp_path / "reprokit.toml").write_text('[capture]\nsamples = "digest"\n[script]\nresults = "metrics.json"\n')

    done = reprokit("doctor", directory=tmp_path, REPROKIT_DEFER="1", REPROKIT_ARCHIVES="x", check=None)

    assert "a capture from here keeps samples as digests only, `reprokit sync` registers, 1 mapping" in done.stdout
    assert "nobody reads the variable `REPROKIT_ARCHIVES`" in done.stdout


def test_a_python_that_runs_unseen_is_told(reprokit, tmp_path):
    a_program(tmp_path / "bin", "python", f'#!/bin/sh\nexec "{sys.executable}" -I "$@"\n')

    found = json_with(reprokit, PATH=f"{tmp_path / 'bin'}:{reprokit.environment()['PATH']}")

    (check,) = [each for each in found if each["check"] == "observation"]
    assert check["state"] == "warn"
    assert "runs unseen" in check["message"]


@pytest.mark.parametrize(
    ("archive_variable", "state", "message"),
    [
        ("", "warn", "there is no archive yet"),
        ("/nowhere", "fail", "`/nowhere`, named by `REPROKIT_ARCHIVE`, is not an archive"),
        ("~nobody-of-this-name/x", "fail", "there is no home folder `~nobody-of-this-name`"),
    ],
)
def test_without_an_archive_the_machine_is_looked_at_all_the_same(reprokit, archive_variable, state, message):
    found = json_with(reprokit, REPROKIT_ARCHIVE=archive_variable)

    checks = {each["check"]: each for each in found}
    assert checks["archive"]["state"] == state
    assert message in checks["archive"]["message"]
    assert {"git", "observation", "settings"} <= checks.keys()


def test_an_archive_that_cannot_be_used_at_all_ends_no_other_check(reprokit):
    shutil.rmtree(reprokit.archive / ".git")

    done = reprokit("doctor", check=ExitCode.DIFFERENCES)

    assert "fail  repository" in done.stdout
    assert "ok    clock" in done.stdout
    assert "bug" not in done.stderr


@pytest.mark.parametrize("name", ["REPROKIT_ALLOWED_SIGNERS", "REPROKIT_SOFTWARE_HERITAGE"])
def test_a_variable_that_some_command_reads_is_none_of_nobody_s(reprokit, name):
    assert f"`{name}`" not in reprokit("doctor", check=None, **{name: "/nowhere"}).stdout
