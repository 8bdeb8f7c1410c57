"""What every mirror owes (`reprokit.mirrors.interface`): subclass `MirrorContract` for a new one.

A mirror is tested against a service that is really there, its stand: what the service holds is asked of the service,
never of the mirror.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from reprokit.bundle import bag
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError, ReprokitError, UsageError
from reprokit.mirrors import table
from reprokit.mirrors.interface import AwayError, Consignment, Destination, Member, Mirror, Room

TESTS = Path(__file__).parents[1]
PLANTED = "a-secret-that-nobody-may-send-5c1f"
ANSWERS = 25.0
"""Seconds in which a mirror must have said that a service is away, on a machine that has much else to do."""


def load(name: str, path: Path) -> Any:
    """Load a module that belongs to no package."""
    if name not in sys.modules:
        description = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(description)
        description.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Stand(Protocol):
    """A mirror and a service of the test's own."""

    mirror: Mirror
    settings: Mapping[str, Any]
    environment: dict[str, str]
    secret: str
    """The key that the service knows."""
    midway: float
    """After so many seconds a push to a slow service is under way, and not over."""

    def other_address(self) -> dict[str, Any]:
        """Settings that name another address."""

    def modes(self) -> dict[str, dict[str, str]]:
        """The variables for each mode."""

    def without_key(self) -> dict[str, str]:
        """The environment without a key."""

    def with_wrong_key(self) -> dict[str, str]:
        """The environment with a key that the service does not know."""

    def gone(self) -> Any:
        """A block in which nobody is at the address."""

    def fail(self, how: str) -> None:
        """Let the service fail from now on: `away`, `refuse`, `hang`, `lose`, `slow` while sending, `spoil` what it hands out."""

    def heal(self) -> None:
        """Let it fail no more."""

    def copies(self, identity: str) -> list[dict[str, str]]:
        """The whole versions of a bundle that it holds, each as path → MD5."""

    def labels(self, identity: str) -> set[str]:
        """All tags and aliases by which it calls a bundle."""

    def holds(self, text: str) -> bool:
        """Whether a text is in anything that it was sent."""


def members(folder: Path) -> dict[str, Member]:
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return {
        path: Member(md5=hashlib.md5(data, usedforsecurity=False).hexdigest(), size=len(data))
        for path, data in files.items()
    }


class MirrorContract:
    """The obligations of `reprokit.mirrors.interface.Mirror`.

    `open_stand` gives a `Stand` for all tests of the class, which is healed after each.
    """

    @staticmethod
    def open_stand(folder: Path) -> Any:
        """Give a context in which a stand is open."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def stand(cls, tmp_path_factory):
        with cls.open_stand(tmp_path_factory.mktemp("stand")) as stand:
            yield stand

    @pytest.fixture(autouse=True)
    def _around(self, stand, tmp_path, monkeypatch):
        # What lies in the working directory, and in our own environment, is nobody's to send.
        directory = tmp_path / "work"
        directory.mkdir()
        (directory / "notes.py").write_text(PLANTED)
        monkeypatch.chdir(directory)
        monkeypatch.setenv("SOMEBODYS_TOKEN", PLANTED)
        yield
        stand.heal()
        assert [path.name for path in directory.iterdir()] == ["notes.py"]

    @pytest.fixture
    def bundle(self, make_bundle, request):
        """A bundle that no other test has."""
        return make_bundle(harness_files={"harness/a b.txt": request.node.nodeid.encode(), "harness/empty": b""}).path

    # --- what is done with a stand ---

    def consign(self, folder, label=Label(name="Greedy", tags=("paper", "seven")), **more):  # noqa: B008 - it is frozen
        return Consignment(bundle=open_bundle(folder), files=members(folder), label=label, **more)

    def to(self, stand, **more) -> Destination:
        return stand.mirror.destination(stand.settings, {**stand.environment, **more}, own=True)

    def room(self, seconds=100.0):
        scratch = Path.cwd().parent / f"scratch-{time.monotonic_ns()}"
        scratch.mkdir()
        return Room(scratch=scratch, seconds=seconds)

    def push(self, stand, folder, seconds=100.0, **more):
        return stand.mirror.push(
            self.consign(folder, **more), self.to(stand), dict(stand.environment), self.room(seconds)
        )

    def md5s(self, folder):
        return {path: member.md5 for path, member in members(folder).items()}

    def require_true(self, stand, folder, receipt):
        """Hold a receipt against what is here, and against what the service holds by its own word."""
        sent = members(folder)
        assert (receipt.mirror, receipt.address) == (stand.mirror.name, self.to(stand).address)
        assert (receipt.files, receipt.octets) == (len(sent), sum(each.size for each in sent.values()))
        assert receipt.reference.startswith(f"{stand.mirror.name}:")
        assert stand.copies(bag.identity(folder)) == [self.md5s(folder)]

    # --- where it goes ---

    def test_a_destination_can_be_kept_as_json_and_holds_no_secret(self, stand):
        to = self.to(stand)

        kept = msgspec.json.encode(to)

        assert msgspec.json.decode(kept, type=Destination) == to
        assert json.loads(kept) == msgspec.to_builtins(to)
        assert (to.mirror, to.mode) == (stand.mirror.name, "online")
        assert stand.secret.encode() not in kept
        assert PLANTED.encode() not in kept

    def test_a_misspelt_setting_is_named(self, stand):
        with pytest.raises(UsageError, match="prroject"):
            stand.mirror.destination({"prroject": "x"}, stand.environment, own=True)

    def test_the_environment_says_whether_anything_is_sent(self, stand):
        for mode, variables in stand.modes().items():
            assert self.to(stand, **variables).mode == mode

    def test_tags_may_be_set_and_added_to(self, stand):
        assert list(stand.mirror.destination({"tags": ["a", "b"]}, {}, own=True).options["tags"]) == ["a", "b"]

    def test_an_address_that_only_a_file_of_an_archive_names_gets_no_key(self, stand):
        settings, environment = stand.other_address(), dict(stand.environment)
        for name in [name for name, value in environment.items() if value == self.to(stand).address]:
            del environment[name]

        own = stand.mirror.destination(settings, environment, own=True)
        theirs = stand.mirror.destination(settings, environment, own=False)

        assert own.address == theirs.address != self.to(stand).address
        assert (own.trusted, theirs.trusted) == (True, False)
        with pytest.raises(InputMissingError):
            stand.mirror.probe(theirs, environment)

    # --- the one short question ---

    def test_a_service_that_is_there_and_knows_us_says_so(self, stand):
        stand.mirror.probe(self.to(stand), dict(stand.environment))

    def test_a_service_that_is_not_there_is_away_and_that_is_soon_known(self, stand):
        began = time.monotonic()

        with stand.gone(), pytest.raises(AwayError):
            stand.mirror.probe(self.to(stand), dict(stand.environment))

        assert time.monotonic() - began < ANSWERS

    def test_a_key_that_it_does_not_know_needs_a_person(self, stand):
        with pytest.raises(RemoteError) as caught:
            stand.mirror.probe(self.to(stand), stand.with_wrong_key())

        assert not isinstance(caught.value, AwayError)
        assert caught.value.hint

    def test_without_a_key_that_is_said_and_how_to_give_one(self, stand):
        with pytest.raises(InputMissingError) as caught:
            stand.mirror.probe(self.to(stand), stand.without_key())

        assert caught.value.hint

    # --- sending ---

    def test_a_receipt_is_true_a_second_push_adds_nothing_and_labels_follow(self, stand, bundle):
        first = self.push(stand, bundle)

        assert first.outcome == "sent"
        self.require_true(stand, bundle, first)
        assert {"paper", "seven"} <= stand.labels(bag.identity(bundle))
        assert not stand.holds(PLANTED)
        assert not stand.holds(str(Path.cwd()))

        again = self.push(stand, bundle, before=("paper", "seven"))

        assert (again.outcome, again.reference) == ("there", first.reference)
        self.require_true(stand, bundle, again)

        moved = self.push(stand, bundle, label=Label(tags=("seven", "eight")), before=("paper", "seven"))

        assert (moved.outcome, moved.reference) == ("updated", first.reference)
        self.require_true(stand, bundle, moved)
        labels = stand.labels(bag.identity(bundle))
        assert {"seven", "eight"} <= labels
        assert "paper" not in labels

    def test_what_it_holds_can_be_looked_up_and_comes_back_whole(self, stand, bundle, tmp_path):
        receipt = self.push(stand, bundle)
        place = tmp_path / "fetched"
        place.mkdir()

        seen = stand.mirror.look(receipt.reference, self.to(stand), dict(stand.environment), self.room())
        copy = stand.mirror.fetch(receipt.reference, self.to(stand), dict(stand.environment), place, self.room())

        assert (seen.files, seen.octets) == (copy.files, copy.octets) == (receipt.files, receipt.octets)
        assert seen.identity == copy.identity == bag.identity(bundle)
        assert self.md5s(place) == self.md5s(bundle)
        assert list(bag.verify(place)) == []

        stand.fail("spoil")
        again = tmp_path / "again"
        again.mkdir()
        try:
            stand.mirror.fetch(receipt.reference, self.to(stand), dict(stand.environment), again, self.room())
        except FixityError:
            return
        # Then it is for the bundle's own manifest to say so.
        assert list(bag.verify(again)) != []

    def test_what_is_not_there_is_not_found_and_what_is_no_reference_is_refused(self, stand):
        to, environment, name = self.to(stand), dict(stand.environment), stand.mirror.name
        nothing = f"{name}:lab/evals/nothing:v0" if name == "wandb" else f"{name}:nothing:v0"

        with pytest.raises(NotFoundError):
            stand.mirror.look(nothing, to, environment, self.room())
        for odd in (f"{name}:", f"{name}:../..:v0", f"{name}:a:b:c:d", "nobody:a:v0"):
            with pytest.raises(UsageError):
                stand.mirror.look(odd, to, environment, self.room())

    # --- what may go wrong ---

    @pytest.mark.parametrize("how", ["away", "refuse", "lose"])
    def test_a_push_that_fails_gives_no_receipt_says_whether_time_heals_it_and_the_next_is_whole(
        self, stand, bundle, how
    ):
        stand.fail(how)

        with pytest.raises(ReprokitError) as caught:
            self.push(stand, bundle)

        assert isinstance(caught.value, AwayError) is (how == "away") or how == "lose"
        assert isinstance(caught.value, RemoteError | FixityError)
        assert "\n" not in caught.value.message
        assert stand.copies(bag.identity(bundle)) == []
        stand.heal()
        receipt = self.push(stand, bundle)
        assert receipt.outcome == "sent"
        self.require_true(stand, bundle, receipt)

    def test_a_service_that_hangs_costs_no_more_than_the_time_there_is(self, stand, bundle):
        stand.fail("hang")
        began = time.monotonic()

        with pytest.raises(AwayError):
            self.push(stand, bundle, seconds=6.0)

        assert time.monotonic() - began < 6.0 + ANSWERS

    def test_a_bundle_that_changed_since_it_was_proven_is_not_sent(self, stand, bundle):
        consignment = self.consign(bundle)
        victim = bundle / "data/results.json"
        victim.chmod(0o644)
        victim.write_bytes(victim.read_bytes().replace(b"0.5", b"0.6"))

        with pytest.raises(FixityError):
            stand.mirror.push(consignment, self.to(stand), dict(stand.environment), self.room())

        assert stand.copies(consignment.bundle.identity) == []

    @pytest.mark.parametrize("with_its_client", [True, False])
    def test_a_push_that_was_killed_is_finished_by_the_next_and_there_is_one_copy(self, stand, bundle, with_its_client):
        stand.fail("slow")
        child = os.fork()
        if not child:
            os.setsid()
            self.push(stand, bundle)
            os._exit(0)
        time.sleep(stand.midway)
        kill(child, with_its_client=with_its_client)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        stand.heal()

        receipt = self.push(stand, bundle)

        self.require_true(stand, bundle, receipt)

    def test_an_export_lies_in_its_folder_and_nothing_is_sent(self, stand, bundle, tmp_path):
        folder = tmp_path / "export"
        folder.mkdir()
        (folder / ".mark").write_text("x")

        with stand.gone():
            to = self.to(stand, **stand.modes()["offline"])
            exported = stand.mirror.export(
                self.consign(bundle), to, {**stand.environment, **stand.modes()["offline"]}, folder, self.room()
            )

        assert Path(exported.folder).is_relative_to(folder)
        assert exported.command
        assert exported.folder in exported.command
        assert (folder / ".mark").read_text() == "x"
        assert stand.copies(bag.identity(bundle)) == []


def kill(pid: int, *, with_its_client: bool) -> None:
    """Kill a process, and then, if asked to, those that it started, which have sessions of their own."""
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    os.kill(pid, signal.SIGKILL)
    for each in children if with_its_client else ():
        with suppress(ProcessLookupError):
            os.killpg(each, signal.SIGKILL)


# --- a folder ----------------------------------------------------------------------------------------------------------


class FolderStand:
    """A folder that keeps copies."""

    settings: Mapping[str, Any] = {}
    secret = "the-key-of-the-folder"
    midway = 0.4

    def __init__(self, folder: Path) -> None:
        module = load("folder_mirror_of_the_contract", Path(__file__).with_name("folder_mirror.py"))
        self.mirror = module.FolderMirror()
        self.service = module.Service(folder / "service", key=self.secret)
        self.environment = {"FOLDER_MIRROR": str(self.service.folder), "FOLDER_MIRROR_KEY": self.secret}
        self.other = module.Service(folder / "other", key=self.secret)

    def other_address(self):
        return {"address": str(self.other.folder)}

    def modes(self):
        return {mode: {"FOLDER_MIRROR_MODE": mode} for mode in ("online", "offline", "disabled")}

    def without_key(self):
        return {**self.environment, "FOLDER_MIRROR_KEY": ""}

    def with_wrong_key(self):
        return {**self.environment, "FOLDER_MIRROR_KEY": "wrong"}

    @contextmanager
    def gone(self) -> Iterator[None]:
        away = self.service.folder.with_name("gone")
        self.service.folder.rename(away)
        yield
        away.rename(self.service.folder)

    def fail(self, how):
        kinds = {"lose": "lost file", "spoil": "wrong bytes", "away": "drop"}
        self.service.fail("fetch" if how == "spoil" else "push", kinds.get(how, how), seconds=0)

    def heal(self):
        self.service.heal()

    def _versions(self, identity):
        return [path for path in self.service.versions() if self.service.about(path)["identity"] == identity]

    def copies(self, identity):
        said = [self.service.about(version)["files"] for version in self._versions(identity)]
        return [{path: md5 for path, (md5, _) in files.items()} for files in said]

    def labels(self, identity):
        return {label for version in self._versions(identity) for label in self.service.about(version)["labels"]}

    def holds(self, text):
        return any(text.encode() in path.read_bytes() for path in self.service.folder.rglob("*") if path.is_file())


class TestFolderMirror(MirrorContract):
    @staticmethod
    @contextmanager
    def open_stand(folder):
        yield FolderStand(folder)

    def test_it_is_found_as_a_mirror_of_another_package_is(self, tmp_path, monkeypatch):
        module = load("folder_mirror_of_the_contract", Path(__file__).with_name("folder_mirror.py"))
        monkeypatch.syspath_prepend(str(module.installed(tmp_path / "site")))

        assert "folder" in table.names()
        assert type(table.mirror("folder")).__name__ == "FolderMirror"
        assert table.of_reference("folder:x:v0").name == "folder"
        assert table.of_reference("20261123T031547Z") is None


# --- Weights & Biases ----------------------------------------------------------------------------------------------------


class WandbStand:
    """The real client, and the server of the tests."""

    settings: Mapping[str, Any] = {"entity": "lab", "project": "evals"}
    midway = 3.0

    def __init__(self, folder: Path, server: Any) -> None:
        self.mirror = table.mirror("wandb")
        self.server = server
        self.secret = server.key
        home = folder / "home"
        home.mkdir()
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "PYTHON", "REPROKIT"))
        }
        self.environment = kept | server.environment(home) | {"SOMEBODYS_TOKEN": PLANTED}

    def other_address(self):
        return {"base_url": "https://127.0.0.1:9"}

    def modes(self):
        return {mode: {"WANDB_MODE": mode} for mode in ("online", "offline", "disabled")}

    def without_key(self):
        return {name: value for name, value in self.environment.items() if name != "WANDB_API_KEY"}

    def with_wrong_key(self):
        return {**self.environment, "WANDB_API_KEY": "local" + "9" * 40}

    @contextmanager
    def gone(self) -> Iterator[None]:
        self.server.stop()
        yield
        self.server.start()

    def fail(self, how):
        match how:
            case "away":
                self.server.fault("status", operation="CreateArtifact", status=503)
            case "refuse":
                self.server.fault("status", operation="CreateArtifact", status=403)
            case "hang":
                self.server.fault("hang", operation="CreateArtifact")
            case "lose":
                self.server.fault("lost-upload")
            case "slow":
                self.server.fault("slow", path="graphql", seconds=0.4)
            case "spoil":
                self.server.fault("corrupt")

    def heal(self):
        self.server.heal()

    def _versions(self, identity):
        collections = self.server.state()["collections"].values()
        versions = [version for each in collections for version in each["versions"].values()]
        return [
            version
            for version in versions
            if version["state"] == "COMMITTED" and identity in json.dumps(version["metadata"])
        ]

    def copies(self, identity):
        return [{path: file["md5"] for path, file in version["files"].items()} for version in self._versions(identity)]

    def labels(self, identity):
        return {label for version in self._versions(identity) for label in (*version["aliases"], *version["tags"])}

    def holds(self, text):
        state = self.server.state()
        told = {name: value for name, value in state.items() if name != "requests"}
        stored = [self.server.blob(md5) for md5 in state["blobs"]]
        return text in json.dumps(told) or any(text.encode() in content for content in stored)


@pytest.mark.allow_hosts(["127.0.0.1"])
class TestWandbMirror(MirrorContract):
    @staticmethod
    @contextmanager
    def open_stand(folder):
        driver = load("wandb_server_driver", TESTS / "wandb_server/driver.py")
        server = driver.WandbServer(folder / "server").start()
        try:
            yield WandbStand(folder, server)
            state = server.state()
            assert (state["unknown"], state["crashes"]) == ([], [])
        finally:
            server.stop()
