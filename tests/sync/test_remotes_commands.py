"""`reprokit push` and `reprokit pull` as a person meets them: what they say, and the status they exit with."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import msgspec
import pytest

from reprokit.bundle import schemas

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def bundle(reprokit, publish) -> str:
    from reprokit.archive.layout import Archive

    return publish(into=Archive(reprokit.archive))


def remote(reprokit, url, name="store", **settings):
    config = reprokit.archive / ".dvc/config.local"
    lines = [f"    {option} = {value}" for option, value in settings.items()]
    config.write_text("\n".join([f"['remote \"{name}\"']", f"    url = {url}", *lines, ""]))


def stubs(tmp_path: Path, **modules: str) -> str:
    """Make modules that stand before the real ones; returns the folder for PYTHONPATH."""
    folder = tmp_path / "stubs"
    folder.mkdir()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return str(folder)


MISSING = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)\n"


def test_without_a_remote_the_line_to_type_is_told(reprokit, bundle):
    for command in ("push", "pull"):
        done = reprokit(command, "latest", check=2)

        assert "`dvc remote add -d NAME URL`" in done.stderr
        assert str(reprokit.archive) in done.stderr


def test_a_push_and_a_pull_are_told_in_a_table_and_as_json(reprokit, bundle, tmp_path, git):
    remote(reprokit, tmp_path / "store")
    git(tmp_path, "clone", "-q", str(reprokit.archive), "clone")
    (tmp_path / "clone/.dvc/config.local").write_text((reprokit.archive / ".dvc/config.local").read_text())
    schema = msgspec.json.decode(schemas.published("transfer"))

    first = reprokit("push", "latest")
    again = reprokit.json("push", "--all")
    pulled = reprokit.json("pull", "--all", "--archive", tmp_path / "clone")
    whole = reprokit("validate", bundle, "--archive", tmp_path / "clone")

    assert bundle in first.stdout
    assert "sent" in first.stdout
    assert first.stderr == ""
    assert [each["outcome"] for each in again["bundles"]] == ["there"]
    assert [each["outcome"] for each in pulled["bundles"]] == ["fetched"]
    assert "whole" in whole.stdout
    for printed in (again, pulled):
        jsonschema.validate(printed, schema)
    git_log = git(reprokit.archive, "log", "--oneline")
    assert git_log.count("push ") == 1


def test_damage_exits_with_12_and_is_named_on_stderr(reprokit, bundle, tmp_path, git):
    remote(reprokit, tmp_path / "store")
    reprokit("push", "latest")
    git(tmp_path, "clone", "-q", str(reprokit.archive), "clone")
    (tmp_path / "clone/.dvc/config.local").write_text((reprokit.archive / ".dvc/config.local").read_text())
    (big,) = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.stat().st_size == 1 << 20]
    big.chmod(0o644)
    big.write_bytes(b"\0" * (1 << 20))

    done = reprokit("pull", bundle, "--archive", tmp_path / "clone", check=12)
    printed = reprokit.json("pull", "--all", "--archive", tmp_path / "clone", check=12)

    assert "E110 data/harness/big.bin" in done.stderr
    assert "hint: " in done.stderr
    assert "failed" in done.stdout
    jsonschema.validate(printed, msgspec.json.decode(schemas.published("transfer")))


@pytest.mark.parametrize(
    "arguments", [(), ("latest", "--all"), ("latest", "--remote", "nope"), ("latest", "--timeout", "0")]
)
def test_a_call_that_says_too_little_or_too_much_is_a_usage_error(reprokit, bundle, tmp_path, arguments):
    remote(reprokit, tmp_path / "store")

    assert "store" not in reprokit("push", *arguments, check=2).stdout


def test_what_is_not_installed_is_named_with_the_line_that_installs_it(reprokit, bundle, tmp_path):
    remote(reprokit, "s3://bucket/evals")
    path = stubs(tmp_path, dvc=MISSING)

    done = reprokit("push", "latest", check=21, PYTHONPATH=path)

    assert "DVC, which is not installed" in done.stderr
    assert "uv tool install '.[dvc]' --with 'dvc[s3]'" in done.stderr


@pytest.mark.parametrize("module", ["dvc_ssh", "sshfs"])
def test_a_missing_part_of_dvc_is_named(reprokit, bundle, tmp_path, module):
    remote(reprokit, "ssh://127.0.0.1/evals")

    done = reprokit("push", "latest", check=21, PYTHONPATH=stubs(tmp_path, **{module: MISSING}))

    assert "without its part for `ssh`" in done.stderr
    assert "dvc[ssh]" in done.stderr


def test_a_remote_that_refuses_exits_with_30_and_tells_no_secret(reprokit, bundle):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        secrets = {"user": "ada", "password": "hunter2hunter2"}
        remote(reprokit, f"webdav://ada:hunter2hunter2@127.0.0.1:{port}/evals", **secrets)

        done = reprokit("push", "latest", check=30)

    assert "`store` (webdav://127.0.0.1" in done.stderr
    assert "hint: check the address" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    assert not list(reprokit.archive.glob("ledger/*/*pushed*"))


def test_a_remote_that_says_nothing_is_given_up(reprokit, bundle):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        remote(reprokit, f"ssh://127.0.0.1:{silent.getsockname()[1]}/evals")
        begun = time.monotonic()

        # It is not even asked when there is nothing to ask for.
        reprokit("pull", "--all")
        done = reprokit("push", "--all", "--timeout", "3", check=30)

    assert "gave no answer for 3 s" in done.stderr
    assert "--timeout" in done.stderr
    assert time.monotonic() - begun < 60


def test_a_configuration_that_dvc_refuses_is_a_usage_error(reprokit, bundle):
    remote(reprokit, "s3://bucket/evals", no_such_option="x")

    assert "DVC cannot use the remote `store`" in reprokit("push", "latest", check=2).stderr


def test_a_cloud_versioned_remote_is_refused(reprokit, bundle):
    remote(reprokit, "s3://bucket/evals", version_aware="true")

    assert "cloud-versioned" in reprokit("push", "latest", check=2).stderr


def test_the_program_that_carries_ends_with_the_one_that_asked(reprokit, bundle):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        remote(reprokit, f"ssh://127.0.0.1:{silent.getsockname()[1]}/evals")
        asking = subprocess.Popen(
            [sys.executable, "-m", "reprokit", "push", "latest"], env=reprokit.environment(), cwd=reprokit.home
        )
        connection, _ = silent.accept()
        (child,) = children(asking.pid)
        asking.send_signal(signal.SIGKILL)
        asking.wait()
        with connection, contextlib.suppress(ConnectionError):
            connection.settimeout(30)
            while connection.recv(1024):
                pass

    until = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(reprokit, bundle, tmp_path):
    remote(reprokit, tmp_path / "store")
    mine, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "reprokit", "push", "latest"],
        env=reprokit.environment(),
        cwd=reprokit.home,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)

    assert b"object" in os.read(mine, 4096)
    assert b"\x1b" not in done.stdout
    os.close(mine)


def test_a_module_in_the_working_directory_is_not_what_carries(reprokit, bundle, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        remote(reprokit, f"webdav://127.0.0.1:{taken.getsockname()[1]}/evals")
        folder = tmp_path / "hostile"
        folder.mkdir()
        for name in ("dvc", "fsspec", "dvc_webdav"):
            (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')\n")

        program = [str(Path(sys.executable).with_name("reprokit")), "push", "latest"]
        subprocess.run(program, env=reprokit.environment(), cwd=folder, check=False, capture_output=True)

    assert not (tmp_path / "owned").exists()
