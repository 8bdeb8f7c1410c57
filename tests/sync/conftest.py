"""Archives to carry bundles from and to, and servers that really serve: nothing here is a mock."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reprokit.archive import cache, publication, registration
from reprokit.archive.layout import Archive

SECRETS = {"secret_access_key", "access_key_id", "password", "user", "keyfile"}
BINARIES = Path(sys.executable).parent
ODD_FILES = {
    "harness/results.json": b'{"acc": 0.5}\n',
    "harness/a b": b"2",
    "harness/empty": b"",
    "harness/again": b"2",
    "harness/[x]=@~(y),z.json": b"{}",
    "harness/big.bin": bytes(range(256)) * 4096,
}


@pytest.fixture(autouse=True)
def nothing_of_the_person_s_own(own_home):
    """No test here meets settings or keys that are the person's own."""


def dvc(directory: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the dvc program as a person would."""
    done = subprocess.run(
        [str(BINARIES / "dvc"), *arguments], cwd=directory, check=False, capture_output=True, text=True
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(name="dvc")
def dvc_program() -> Callable[..., subprocess.CompletedProcess[str]]:
    return dvc


@pytest.fixture
def publish(make_bundle, archive) -> Callable[..., str]:
    """Give a function that publishes and registers a bundle whose content follows from a word, and tells its id."""

    def publish_one(word: str = "one", *, into: Archive = archive, **how) -> str:
        staging = publication.stage(into)
        files = {**ODD_FILES, "harness/word.txt": word.encode()}
        make_bundle(staging / publication.BAG, harness_files=files, **how)
        published = publication.publish(into, staging)
        assert registration.fold(into).left == ()
        return published.bundle_id

    return publish_one


@pytest.fixture
def clone(tmp_path: Path, archive: Archive, git: Callable[..., str]) -> Callable[..., Archive]:
    """Give a function that clones the archive with git, as on another machine: no payload, no cache."""

    def make(name: str = "clone") -> Archive:
        git(tmp_path, "clone", "-q", str(archive.root), name)
        return Archive(tmp_path / name)

    return make


@pytest.fixture
def object_of(archive: Archive) -> Callable[..., Path]:
    """Give a function that finds the object of a bundle's file in a remote's folder; of no file, its listing."""

    def find(store: Path, bundle_id: str, file: str | None = None) -> Path:
        from reprokit.archive.dvc import read_pointer

        pointer = read_pointer(archive.pointer(bundle_id))
        name = pointer.oid if file is None else cache.md5_of(archive.payload(bundle_id) / file)
        return store / "files/md5" / name[:2] / name[2:]

    return find


# --- servers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A remote that a server serves: its address, its DVC settings, and the folder behind it."""

    address: str
    settings: dict[str, str]
    folder: Path
    rclone: subprocess.Popen[bytes] | None = None

    def look_again(self) -> None:
        """Let the server see what a test did to the folder behind it: rclone remembers what is in it."""
        if self.rclone is not None:
            self.rclone.send_signal(signal.SIGHUP)
            time.sleep(0.2)

    def add_to(self, archive: Archive, name: str = "store") -> None:
        """Make it the default remote of an archive: all but the secrets is committed."""
        lines = [f"    {option} = {value}" for option, value in self.settings.items() if option not in SECRETS]
        config = archive.root / ".dvc/config"
        before = config.read_text().replace("[core]\n", f"[core]\n    remote = {name}\n", 1)
        section = [f"['remote \"{name}\"']", f"    url = {self.address}"]
        config.write_text(before + "\n".join([*section, *lines, ""]))
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
        subprocess.run(["git", *identity, "commit", "-qam", "a remote"], cwd=archive.root, check=True)
        self.let_in(archive, name)

    def let_in(self, archive: Archive, name: str = "store") -> None:
        """Write the secrets into the file of an archive that git does not keep."""
        lines = [f"    {option} = {value}" for option, value in self.settings.items() if option in SECRETS]
        (archive.root / ".dvc/config.local").write_text("\n".join([f"['remote \"{name}\"']", *lines, ""]))


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str | Path], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a block, from the moment it listens."""
    with log.open("wb") as written:
        process = subprocess.Popen([str(word) for word in command], stdout=written, stderr=written)
    try:
        until = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{BINARIES}:/usr/sbin:{os.environ['PATH']}")
    if found is None:
        pytest.fail(f"`{name}` is not installed, and remotes are tested with it: {package}")
    return found


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[Served]:
    """A real OpenSSH server that only serves files, to the person who runs the tests."""
    server = program("sshd", "`apt-get install -y openssh-server`")
    keygen = program("ssh-keygen", "`apt-get install -y openssh-client`")
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    for name in ("host", "key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as the service's own start does
    port = a_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    store = tmp_path / "ssh-store"
    settings = {"user": getpass.getuser(), "keyfile": str(folder / "key"), "port": str(port)}
    with running([server, "-D", "-e", "-f", folder / "config"], port, folder / "log"):
        yield Served(f"ssh://127.0.0.1{store}", settings, store)


PLAIN = ["--vfs-cache-mode", "off", "--config", os.devnull]
KEY, SECRET = "AKIAEXAMPLEOFATEST01", "s3cr3tOfATestThatIsNobodys0123456789abcd"


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[Served]:
    """A server that speaks S3: rclone's."""
    rclone = program("rclone", "`make dev`")
    root, port = tmp_path / "s3", a_port()
    (root / "bucket").mkdir(parents=True)
    command = [rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    settings = {
        "endpointurl": f"http://127.0.0.1:{port}",
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        "region": "us-east-1",
    }
    with running([*command, *PLAIN, root], port, tmp_path / "s3.log") as server:
        yield Served("s3://bucket/evals", settings, root / "bucket/evals", server)


@pytest.fixture
def webdav_server(tmp_path: Path) -> Iterator[Served]:
    """A server that speaks WebDAV: rclone's."""
    rclone = program("rclone", "`make dev`")
    root, port = tmp_path / "dav", a_port()
    (root / "evals").mkdir(parents=True)
    command = [rclone, "serve", "webdav", "--addr", f"127.0.0.1:{port}", "--user", "ada", "--pass", SECRET]
    with running([*command, *PLAIN, root], port, tmp_path / "dav.log") as server:
        settings = {"user": "ada", "password": SECRET}
        yield Served(f"webdav://127.0.0.1:{port}/evals", settings, root / "evals", server)


@pytest.fixture
def local_folder(tmp_path: Path) -> Served:
    """A folder, for which DVC is not needed."""
    folder = tmp_path / "store"
    return Served(str(folder), {}, folder)


@pytest.fixture(params=["local_folder", "ssh_server", "s3_server", "webdav_server"])
def served(request: pytest.FixtureRequest) -> Served:
    """Each kind of remote in turn."""
    return request.getfixturevalue(request.param)
