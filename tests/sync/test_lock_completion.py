"""An index is asked for the digests of a bundle's packages: what it knows is kept, and why the rest is missing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from reprokit.archive import locks, publication, registration
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.results import Results
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload
from reprokit.rerun import script
from reprokit.sync.locks import completion as lock_completion
from reprokit.sync.locks.package_index import PackageIndex

SERVER = Path(__file__).with_name("package_index.py")
HEADER = "# The Python packages of the evaluation's environment.\n"


@dataclass(frozen=True)
class Index:
    """A package index that runs, its files, and what was asked of it."""

    folder: Path
    log: Path
    address: str

    def wheel(self, name: str, version: str, tag: str = "py3-none-any") -> str:
        """Add a wheel; gives its digest."""
        (self.folder / name).mkdir(exist_ok=True)
        path = self.folder / name / f"{name}-{version}-{tag}.whl"
        inside = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as wheel:
            # It needs a package that nobody has: what a bundle pins is whole, and nothing else is looked for.
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: nowhere\n"
            wheel.writestr(f"{inside}/METADATA", metadata)
            wheel.writestr(f"{inside}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            wheel.writestr(f"{inside}/RECORD", "")
        return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()

    def source(self, name: str, version: str, traces: Path) -> None:
        """Add a source archive that leaves traces when it is built."""
        (self.folder / name).mkdir(exist_ok=True)
        script = self.folder.parent / "setup.py"
        script.write_text(f"open({str(traces)!r}, 'w').close()\n")
        with tarfile.open(self.folder / name / f"{name}-{version}.tar.gz", "w:gz") as archive:
            archive.add(script, f"{name}-{version}/setup.py")

    @property
    def asked(self) -> list[str]:
        """What it was asked for, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def index(tmp_path):
    folder, log = tmp_path / "index", tmp_path / "asked"
    folder.mkdir()
    words = [sys.executable, str(SERVER), str(folder), str(log)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        yield Index(folder, log, server.stdout.readline().strip())
        server.terminate()


@pytest.fixture
def settings(index, tmp_path):
    """The variables of a person whose index this is."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    return inherited | {"UV_DEFAULT_INDEX": index.address, "UV_CACHE_DIR": str(tmp_path / "uv-cache")}


@pytest.fixture
def publish(archive, record):
    """Give a function that registers a bundle with a lock."""

    def publish_one(lock: str, word: str = "one") -> str:
        staging = publication.stage(archive)
        payload = Payload(bag=staging / publication.BAG)
        environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
        payload.add("harness/results.json", "harness", f'{{"word": "{word}"}}\n'.encode())
        payload.add("results.json", "results", canonical.record(Results()))
        payload.add("environment/environment.json", "environment", canonical.record(environment))
        payload.add("environment/requirements.lock", "environment", (HEADER + lock).encode())
        payload.seal(
            record(), results=Results(), script=lambda record: script.text(record, environment, []), label=Label(),
            captured="2026-11-24T00:00:00Z", agent="reprokit-eval test",
        )  # fmt: skip
        bundle = publication.publish(archive, staging).bundle_id
        assert registration.fold(archive).left == ()
        return bundle

    return publish_one


def known(archive, bundle):
    lock = (archive.payload(bundle) / "data/environment/requirements.lock").read_bytes()
    return locks.newest(archive, locks.digest_of(lock))


def digests(completed):
    return {(each.name, each.version): each.digests for each in completed.hashed}


def reasons(completed):
    return {each.name: each.reason for each in completed.unhashed}


def test_the_digests_of_every_file_of_each_pinned_package_are_recorded_and_committed(
    archive, publish, index, settings, git
):
    some = sorted([index.wheel("numbers", "1.0"), index.wheel("numbers", "1.0", "cp38-cp38-win_amd64")])
    elsewhere = [index.wheel("windows", "2.0", "cp311-cp311-win_amd64")]
    index.wheel("numbers", "1.1")
    bundle = publish("numbers==1.0\nwindows==2.0\n")

    done = lock_completion.complete(archive, PackageIndex(settings))

    assert (done.bundles, done.left, done.packages, done.without) == ((bundle,), (), 2, {})
    assert digests(known(archive, bundle)) == {("numbers", "1.0"): some, ("windows", "2.0"): elsewhere}
    assert git(archive.root, "log", "-1", "--format=%s") == "complete a lock\n"
    assert git(archive.root, "status", "--porcelain") == ""


def test_what_cannot_be_had_costs_nothing_but_itself_and_the_reason_is_recorded(
    archive, publish, index, settings, tmp_path
):
    index.wheel("good", "1.0")
    index.wheel("torch", "2.13.0")
    index.source("built", "1.0", tmp_path / "traces")
    bundle = publish(
        "# edited 0.1 is editable: see source/\n"
        "# forked 3.1 is from git at 0123456: see environment.json\n"
        "absent==1.0\nbuilt==1.0\ngood==1.0\ntorch==2.13.0+cpu\n"
    )

    lock_completion.complete(archive, PackageIndex(settings))

    completed = known(archive, bundle)
    assert list(digests(completed)) == [("good", "1.0")]
    assert reasons(completed) == {
        "absent": "the index does not know it",
        "built": "it has no wheel",
        "edited": "it is editable: see source/",
        "forked": "it is from git at 0123456: see environment.json",
        "torch": "the index has no such version",
    }
    assert not (tmp_path / "traces").exists(), "nothing may be built to learn a digest"


def test_bundles_of_one_environment_are_one_question_and_one_record(archive, publish, index, settings):
    index.wheel("good", "1.0")
    index.wheel("other", "1.0")
    bundles = [publish("good==1.0\n", "a"), publish("good==1.0\n", "b"), publish("good==1.0\nother==1.0\n", "c")]

    done = lock_completion.complete(archive, PackageIndex(settings))

    assert sorted(done.bundles) == sorted(bundles)
    assert index.asked == ["good", "other"]
    assert len(list(archive.locks.glob("*/*.json"))) == 2
    assert lock_completion.complete(archive, PackageIndex(settings)) == lock_completion.Completion()
    assert index.asked == ["good", "other"]


@pytest.mark.parametrize("lock", ["good==1.0\n", "good==1.0\nother==1.0\nthird==1.0\n"], ids=["one", "several"])
def test_an_index_out_of_reach_leaves_the_locks_for_later(archive, publish, index, settings, lock):
    index.wheel("good", "1.0")
    bundle = publish(lock)
    unreachable = settings | {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}

    done = lock_completion.complete(archive, PackageIndex(unreachable))

    assert (done.bundles, done.left) == ((), (bundle,))
    assert "no package index answers" in done.reason
    assert "127.0.0.1" not in done.reason
    assert known(archive, bundle) is None

    assert lock_completion.complete(archive, PackageIndex(settings)).bundles == (bundle,)


@pytest.mark.parametrize("broken", ["a", "b"])
def test_an_index_that_fails_for_one_package_is_asked_for_that_one_again(archive, publish, index, settings, broken):
    for name in ("a", "b", "c"):
        index.wheel(name, "1.0")
    (index.folder / broken / "broken").touch()
    bundle = publish("a==1.0\nb==1.0\nc==1.0\n")
    impatient = settings | {"UV_HTTP_RETRIES": "0"}

    lock_completion.complete(archive, PackageIndex(impatient))

    first = known(archive, bundle)
    assert [name for name, _ in digests(first)] == [name for name in ("a", "b", "c") if name != broken]
    assert [(each.name, each.again) for each in first.unhashed] == [(broken, True)]
    assert index.address not in canonical.record(first).decode()

    (index.folder / broken / "broken").unlink()
    assert lock_completion.complete(archive, PackageIndex(impatient)).bundles == (bundle,)
    second = known(archive, bundle)
    assert [name for name, _ in digests(second)] == ["a", "b", "c"]
    assert second.unhashed == []


def test_a_lock_commands_nothing(archive, publish, index, settings, tmp_path):
    index.wheel("good", "1.0")
    wheel = next((index.folder / "good").iterdir())
    bundle = publish(
        f"--index-url=http://127.0.0.1:9/\n-r {tmp_path}/other\ngood @ file://{wheel}\n-e .\ngood==1.0 ; python_version\n"
        "good==1.0\n"
    )

    lock_completion.complete(archive, PackageIndex(settings))

    assert list(digests(known(archive, bundle))) == [("good", "1.0")]


def test_the_index_of_pip_is_asked_where_uv_has_none(archive, publish, index, settings):
    index.wheel("internal", "1.0")
    bundle = publish("internal==1.0\n")
    of_pip = {name: value for name, value in settings.items() if name != "UV_DEFAULT_INDEX"}

    lock_completion.complete(archive, PackageIndex(of_pip | {"PIP_INDEX_URL": index.address}))

    assert list(digests(known(archive, bundle))) == [("internal", "1.0")]


def test_a_damaged_record_is_learnt_again(archive, publish, index, settings):
    index.wheel("good", "1.0")
    bundle = publish("good==1.0\n")
    lock_completion.complete(archive, PackageIndex(settings))
    (path,) = archive.locks.glob("*/*.json")
    path.write_text(path.read_text().replace("1.0", "1.1"))

    with pytest.raises(locks.InvalidRecordError):
        known(archive, bundle)
    assert lock_completion.complete(archive, PackageIndex(settings)).bundles == (bundle,)


def test_what_was_written_before_a_kill_is_committed_the_next_time(archive, publish, index, settings, git, monkeypatch):
    index.wheel("good", "1.0")
    publish("good==1.0\n")
    with monkeypatch.context() as killed:
        killed.setattr(lock_completion, "_commit", lambda _: None)
        lock_completion.complete(archive, PackageIndex(settings))
    assert git(archive.root, "status", "--porcelain") == "?? locks/\n"

    lock_completion.complete(archive, PackageIndex(settings))

    assert git(archive.root, "status", "--porcelain") == ""


def test_sync_says_what_it_learnt_and_what_is_left_for_later(reprokit, archive, publish, index, tmp_path):
    index.wheel("good", "1.0")
    bundle = publish("good==1.0\nabsent==1.0\n")

    def sync(*words, address="http://127.0.0.1:9/simple", check=0):
        variables = {"UV_DEFAULT_INDEX": address, "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "uv-cache")}
        return reprokit("sync", "--archive", archive.root, *words, check=check, **variables).stdout

    assert sync("--offline") == "nothing was left to do\n"
    assert "later        the locks of 1 bundle: no package index answers" in sync()
    sync("--strict", check=30)
    done = json.loads(sync("--json", address=index.address))
    assert done["locks"]["bundles"] == [bundle]
    assert done["locks"]["without"] == {"absent==1.0": "the index does not know it"}
    assert sync(address=index.address) == "nothing was left to do\n"
