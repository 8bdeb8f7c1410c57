"""Carrying out what waits for a mirror: nothing false is said, nothing is lost, nobody is asked twice."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reprokit.archive import ledger, publication, registration
from reprokit.archive.layout import Archive
from reprokit.archive.status import status
from reprokit.archive.tags import labels
from reprokit.bundle import bag
from reprokit.bundle.writing import Label
from reprokit.errors import UsageError
from reprokit.mirrors.interface import Receipt
from reprokit.outbox import destinations as mirror_settings
from reprokit.outbox import waiting as outbox
from reprokit.outbox.waiting import Waiting
from reprokit.sync.mirroring import drain as mirroring
from reprokit.sync.mirroring.backoff import Patience
from reprokit.sync.mirroring.drain import Terms

SOURCE = Path(__file__).parents[1] / "contracts/folder_mirror.py"


def load() -> Any:
    description = importlib.util.spec_from_file_location("folder_mirror_for_tests", SOURCE)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


folder_mirror = load()


@dataclass
class Desk:
    """An archive, a service, and whoever mirrors from the one to the other."""

    archive: Archive
    service: Any
    terms: Terms

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.terms.environment)

    def with_variables(self, **more: str) -> Desk:
        return replace(self, terms=replace(self.terms, environment={**self.environment, **more}))

    def queue(self, *bundles: str, tags: tuple[str, ...] = ()) -> list[Waiting]:
        to = mirror_settings.destination(
            self.archive, "folder", environment=self.environment, directory=self.terms.directory, tags=tags
        )
        return [outbox.queue(self.archive, bundle, folder_mirror.plain(to)) for bundle in bundles]

    def drain(self, **changes: Any) -> dict[str, Any]:
        """Carry out what waits; what came of it by bundle."""
        done = mirroring.drain(self.archive, replace(self.terms, **changes))
        assert (done.uncommitted, done.remarks) == (None, [])
        return {each.bundle: each for each in done.bundles}

    def outcomes(self, **changes: Any) -> list[str]:
        return [each.outcome for each in self.drain(**changes).values()]

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        return outbox.contents(self.archive).waiting

    @property
    def mirrored(self) -> list[Any]:
        return list(ledger.events(self.archive, ["mirrored"]))


@pytest.fixture
def desk(archive, tmp_path, monkeypatch) -> Desk:
    monkeypatch.syspath_prepend(str(folder_mirror.installed(tmp_path / "site")))
    service = folder_mirror.Service(tmp_path / "service", key="s3cret-of-the-service")
    environment = {"FOLDER_MIRROR": str(service.folder), "FOLDER_MIRROR_KEY": service.key}
    directory = tmp_path / "work"
    directory.mkdir()
    impatient = lambda budget: Patience(left=budget, sleep=lambda _: None, chance=lambda: 1.0)  # noqa: E731
    return Desk(archive, service, Terms(environment=environment, directory=directory, patience=impatient))


def test_a_bundle_that_waits_is_mirrored_noted_committed_and_waits_no_more(desk, publish):
    bundle = publish()
    desk.queue(bundle)

    delivery = desk.drain()[bundle]

    assert (delivery.outcome, delivery.exit_code) == ("sent", 0)
    assert desk.waiting == ()
    (event,) = desk.mirrored
    assert event.bundle == bundle
    assert msgspec.convert(event.detail, Receipt) == delivery.receipt
    files = [path for path in desk.archive.payload(bundle).rglob("*") if path.is_file()]
    assert delivery.receipt.files == len(files)
    assert delivery.receipt.octets == sum(path.stat().st_size for path in files)
    (version,) = desk.service.versions()
    assert desk.service.about(version)["identity"] == event.identity
    assert status(desk.archive).uncommitted == ()


def test_mirroring_again_makes_no_second_version_and_no_second_event(desk, publish):
    bundle = publish()
    for _ in range(3):
        desk.queue(bundle)
        desk.drain()

    assert len(desk.service.versions()) == 1
    assert len(desk.mirrored) == 1


def test_a_label_that_was_given_or_taken_away_since_is_brought_up_to_date_and_noted(desk, publish):
    bundle = publish(label=Label(tags=("old",)))
    desk.queue(bundle, tags=("extra",))
    assert desk.drain()[bundle].receipt.labels == ["extra", "old"]
    labels.change(desk.archive, bundle, labels.Change(add=("new",), remove=("old",)))
    desk.queue(bundle)

    delivery = desk.drain()[bundle]

    assert delivery.outcome == "updated"
    assert desk.service.about(*desk.service.versions())["labels"] == ["new"]
    assert [event.detail["labels"] for event in desk.mirrored] == [["extra", "old"], ["new"]]


def test_a_reproduction_names_what_its_original_is_called_there(desk, publish, record):
    original = publish("one")
    identity = next(event.identity for event in ledger.events(desk.archive) if event.bundle == original)
    copy = publish("two", record=record(reproduces=identity))
    desk.queue(original, copy)

    desk.drain()

    said = {each["identity"]: each["original"] for each in map(desk.service.about, desk.service.versions())}
    assert said.pop(identity) is None
    assert list(said.values()) == [desk.mirrored[0].detail["reference"]]


# --- a service that is away, refuses, breaks or lies --------------------------------------------------------------------


def test_a_service_that_is_away_is_asked_once_and_everything_waits(desk, publish):
    bundles = [publish(word) for word in ("one", "two", "three")]
    desk.queue(*bundles)
    desk.service.fail("probe", "away")

    done = desk.drain()

    assert {each.outcome for each in done.values()} == {"waiting"}
    assert {each.exit_code for each in done.values()} == {30}
    assert desk.service.asked() == ["probe "]
    assert {wish.bundle: (wish.tries, wish.state, wish.reason) for wish in desk.waiting} == dict.fromkeys(
        bundles, (1, "waiting", "it is away")
    )
    desk.service.heal()
    assert desk.outcomes() == ["sent"] * 3
    assert len(desk.service.asked("probe")) == 2


def test_where_nobody_is_everything_waits(desk, publish):
    desk.queue(publish())
    shutil.move(desk.service.folder, desk.service.folder.with_name("gone"))

    assert desk.outcomes() == ["waiting"]
    assert desk.outcomes() == ["waiting"]
    assert desk.waiting[0].tries == 2


def test_in_the_background_a_service_that_is_away_costs_one_question_and_one_write(desk, publish):
    desk.queue(*(publish(word) for word in ("one", "two", "three")))
    desk.service.fail("probe", "away")

    assert desk.outcomes(sparing=True) == ["waiting"]

    assert sorted(wish.tries for wish in desk.waiting) == [0, 0, 1]
    desk.service.heal()
    assert desk.outcomes(sparing=True) == ["sent"] * 3


def test_a_service_that_refuses_us_is_asked_once_and_everything_is_told_as_refused(desk, publish):
    desk.queue(publish("one"), publish("two"))
    wrong = desk.with_variables(FOLDER_MIRROR_KEY="wrong")

    assert wrong.outcomes() == ["refused", "refused"]

    assert len(desk.service.asked()) == 1
    assert [(wish.state, wish.reason, wish.hint) for wish in desk.waiting] == [
        ("refused", "the key is refused", "mend FOLDER_MIRROR_KEY")
    ] * 2
    assert desk.outcomes() == ["sent", "sent"]


def test_without_a_key_it_is_refused_with_the_exit_code_of_what_is_missing(desk, publish):
    bundle = publish()
    desk.queue(bundle)

    delivery = desk.with_variables(FOLDER_MIRROR_KEY="").drain()[bundle]

    assert (delivery.outcome, delivery.exit_code) == ("refused", 21)


def test_what_breaks_off_is_tried_again_within_the_budget(desk, publish):
    desk.queue(publish())
    desk.service.fail("push", "away", times=4)

    assert desk.outcomes(budget=100) == ["sent"]
    assert len(desk.service.asked("push")) == 5


def test_what_breaks_off_for_longer_than_the_budget_waits_and_those_behind_it_are_tried_once(desk, publish):
    desk.queue(publish("one"), publish("two"))
    desk.service.fail("push", "drop")

    assert desk.outcomes(budget=10) == ["waiting", "waiting"]

    # 1 + 2 + 4 seconds, and the 3 that are left; then the other.
    assert len(desk.service.asked("push")) == 5 + 1
    assert desk.mirrored == []
    assert desk.service.versions() == []
    desk.service.heal()
    assert desk.outcomes() == ["sent", "sent"]


@pytest.mark.parametrize("sparing", [False, True])
def test_a_bundle_that_the_service_will_not_take_does_not_make_the_service_away_for_others(desk, publish, sparing):
    odd, *others = bundles = [publish(word) for word in ("one", "two", "three")]
    desk.queue(*bundles)
    desk.service.fail("push", "drop", times=5)

    done = desk.drain(budget=10, sparing=sparing)

    assert {bundle: each.outcome for bundle, each in done.items()} == {odd: "waiting", **dict.fromkeys(others, "sent")}
    assert [(wish.bundle, wish.reason) for wish in desk.waiting] == [(odd, "the connection broke off")]
    assert len(desk.service.asked("push")) == 5 + 2


def test_a_service_that_goes_away_meanwhile_is_asked_again_and_then_left_alone(desk, publish):
    bundles = [publish(word) for word in ("one", "two", "three")]
    desk.queue(*bundles)
    desk.service.fail("probe", "slow", times=1, seconds=0)
    desk.service.fail("probe", "away")
    desk.service.fail("push", "drop")

    done = desk.drain(budget=0)

    assert [each.reason for each in done.values()] == ["the connection broke off", "it is away", "it is away"]
    assert len(desk.service.asked("push")) == 1
    assert len(desk.service.asked("probe")) == 2


def test_a_service_that_asks_to_be_left_alone_for_longer_than_the_budget_is(desk, publish):
    desk.queue(publish())
    desk.service.fail("push", "away", after=1000.0)

    assert desk.outcomes(budget=100) == ["waiting"]
    assert len(desk.service.asked("push")) == 1


def test_one_that_always_fails_does_not_keep_the_others_waiting(desk, publish):
    first, second = publish("one"), publish("two")
    desk.queue(first)
    desk.service.fail("push", "away", times=1)
    desk.drain(budget=0)
    desk.queue(second)
    desk.service.fail("push", "slow", times=1, seconds=0)
    desk.service.fail("push", "away")

    done = desk.drain(budget=0)

    assert {bundle: each.outcome for bundle, each in done.items()} == {second: "sent", first: "waiting"}


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        ("refuse", "refused", 30),
        ("bug", "failed", 3),
        ("exit", "failed", 3),
        ("wrong bytes", "damaged", 12),
        ("lost file", "damaged", 12),
        ("liar", "damaged", 12),
    ],
)
def test_what_goes_wrong_for_one_is_told_stays_and_stops_no_other(desk, publish, kind, outcome, code):
    first, second = publish("one"), publish("two")
    desk.queue(first, second)
    desk.service.fail("push", kind, times=1)

    done = desk.drain()

    assert (done[first].outcome, done[first].exit_code) == (outcome, code)
    assert "\n" not in done[first].reason
    assert done[second].outcome == "sent"
    assert [event.bundle for event in desk.mirrored] == [second]
    assert [(wish.bundle, wish.state, wish.tries) for wish in desk.waiting] == [(first, "refused", 1)]
    assert desk.outcomes() == ["sent" if kind != "liar" else "there"]
    assert sorted(event.bundle for event in desk.mirrored) == sorted([first, second])


def test_a_bug_in_the_mirror_s_probe_stops_no_other_bundle(desk, publish):
    desk.queue(publish("one"), publish("two"))
    desk.service.fail("probe", "bug", times=1)

    assert desk.outcomes() == ["failed", "sent"]


# --- what is here -------------------------------------------------------------------------------------------------------


def flip(path):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "file", ["data/results.json", "data/harness/big.bin", "bag-info.txt", "tagmanifest-sha256.txt"]
)
def test_a_bundle_with_a_flipped_bit_is_never_sent(desk, publish, file):
    damaged, whole = publish("one"), publish("two")
    desk.queue(damaged, whole)
    flip(desk.archive.payload(damaged) / file)

    done = desk.drain()

    assert done[damaged].outcome in {"damaged", "refused"}
    assert done[damaged].exit_code in {11, 12}
    assert done[whole].outcome == "sent"
    assert [line.split()[1] for line in desk.service.asked("push")] == [whole]
    assert [(wish.bundle, wish.state) for wish in desk.waiting] == [(damaged, "refused")]


def test_a_bundle_that_is_as_sealed_and_not_valid_is_not_sent(desk, make_bundle):
    bundle = publish_sealed_and_invalid(desk.archive, make_bundle)
    desk.queue(bundle)

    delivery = desk.drain()[bundle]

    assert (delivery.outcome, delivery.exit_code) == ("damaged", 12)
    assert "E203" in {found.code for found in delivery.findings}
    assert desk.service.asked("push") == []


def publish_sealed_and_invalid(archive, make_bundle) -> str:
    """A bundle whose every byte is as sealed, with a sample that no schema allows."""
    staging = publication.stage(archive)
    folder = make_bundle(staging / publication.BAG, harness_files={"harness/word.txt": b"invalid"}).path
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    samples = folder / "data/samples/toy.jsonl"
    samples.write_bytes(samples.read_bytes().replace(b'"task":"toy"', b'"task":7'))
    digests = {**bag.read_manifest(folder), "data/samples/toy.jsonl": bag.sha256_of(samples)}
    digits = bag.identity_of(bag.render_manifest(digests)).removeprefix("sha256:")[:8]
    info = bag.read_info(folder)
    for tag_file in bag.TAG_FILES:
        (folder / tag_file).unlink()
    bag.seal(folder, digests, replace(info, bundle_id=info.bundle_id[:-8] + digits))
    published = publication.publish(archive, staging)
    assert registration.fold(archive).left == ()
    return published.bundle_id


def test_a_bundle_whose_files_are_elsewhere_stays_and_is_said(desk, publish):
    bundle = publish()
    desk.queue(bundle)
    kept = desk.archive.root.with_name("kept")
    shutil.move(desk.archive.payload(bundle), kept)

    delivery = desk.drain()[bundle]

    assert (delivery.outcome, delivery.exit_code, delivery.hint) == ("absent", 10, f"`reprokit pull {bundle}`")
    assert desk.service.asked() == []
    shutil.move(kept, desk.archive.payload(bundle))
    assert desk.outcomes() == ["sent"]


def test_a_bundle_that_nobody_has_registered_yet_waits_for_that(desk, publish):
    bundle = publish()
    pointer = desk.archive.pointer(bundle)
    kept = pointer.read_bytes()
    pointer.unlink()
    desk.queue(bundle)

    assert desk.outcomes() == ["waiting"]
    assert desk.service.asked("push") == []
    pointer.write_bytes(kept)
    assert desk.outcomes() == ["sent"]


# --- modes --------------------------------------------------------------------------------------------------------------


def test_offline_nothing_is_sent_and_what_was_exported_is_sent_and_cleared_away_when_online(desk, publish):
    bundle = publish()
    offline = desk.with_variables(FOLDER_MIRROR_MODE="offline")
    offline.queue(bundle)

    delivery = offline.drain()[bundle]

    assert (delivery.outcome, delivery.exit_code) == ("exported", 0)
    folder = desk.archive.exports / "folder" / bundle
    assert delivery.exported.folder == str(folder)
    assert (folder / "outgoing/manifest-sha256.txt").is_file()
    assert desk.service.asked() == []
    assert desk.mirrored == []
    assert [(wish.state, wish.tries) for wish in desk.waiting] == [("exported", 1)]
    assert offline.drain()[bundle].exported == delivery.exported
    assert desk.waiting[0].tries == 1

    assert desk.outcomes() == ["sent"]
    assert not folder.exists()
    assert desk.waiting == ()


def test_what_was_exported_stays_so_while_the_service_is_away(desk, publish):
    offline = desk.with_variables(FOLDER_MIRROR_MODE="offline")
    offline.queue(publish())
    offline.drain()
    desk.service.fail("probe", "away", times=1)

    assert desk.outcomes() == ["waiting"]

    assert desk.waiting[0].state == "exported"
    assert desk.outcomes() == ["sent"]


def test_an_export_goes_where_it_is_wished_and_only_that_is_removed_again(desk, publish, tmp_path):
    bundle = publish()
    offline = desk.with_variables(FOLDER_MIRROR_MODE="offline", FOLDER_MIRROR_DIR="runs")
    offline.queue(bundle)
    folder = desk.terms.directory / "runs" / bundle
    (desk.terms.directory / "runs").mkdir()
    (desk.terms.directory / "runs/mine.txt").write_text("mine")

    offline.drain()
    assert (folder / "outgoing").is_dir()
    offline.queue(bundle)
    (folder / "outgoing/stale").write_text("of an earlier export")
    offline.drain()
    assert not (folder / "outgoing/stale").exists()
    desk.drain()

    assert sorted(path.name for path in (desk.terms.directory / "runs").iterdir()) == ["mine.txt"]


def test_a_folder_that_is_no_export_is_neither_written_to_nor_removed(desk, publish):
    bundle = publish()
    offline = desk.with_variables(FOLDER_MIRROR_MODE="offline", FOLDER_MIRROR_DIR=str(desk.terms.directory))
    (wish,) = offline.queue(bundle)
    precious = desk.terms.directory / bundle
    precious.mkdir()
    (precious / "thesis.txt").write_text("precious")

    assert offline.outcomes() == ["refused"]
    (wish,) = desk.waiting
    outbox.update(desk.archive, wish, msgspec.structs.replace(wish, export={"place": str(precious)}))
    assert desk.outcomes() == ["sent"]

    assert (precious / "thesis.txt").read_text() == "precious"


def test_what_was_asked_for_while_disabled_is_told_and_leaves(desk, publish):
    disabled = desk.with_variables(FOLDER_MIRROR_MODE="disabled")
    disabled.queue(publish())

    assert desk.outcomes() == ["disabled"]
    assert desk.waiting == ()
    assert desk.service.asked() == []


def test_where_mirroring_is_disabled_now_what_waits_is_held_and_not_lost(desk, publish):
    desk.queue(publish())

    assert desk.with_variables(FOLDER_MIRROR_MODE="disabled").outcomes() == ["held"]

    assert desk.service.asked() == []
    assert [(wish.state, wish.tries) for wish in desk.waiting] == [("waiting", 0)]
    assert desk.outcomes() == ["sent"]


# --- strangers and others -----------------------------------------------------------------------------------------------


def test_a_key_is_sent_only_where_the_user_would_send_it_now(desk, publish, tmp_path):
    # It would take any key, the better to keep it.
    strangers = folder_mirror.Service(tmp_path / "strangers", key=desk.service.key)
    bundle = publish()
    to = mirror_settings.destination(
        desk.archive, "folder", environment=desk.environment, directory=desk.terms.directory
    )
    forged = {**folder_mirror.plain(to), "address": str(strangers.folder), "trusted": True}
    outbox.queue(desk.archive, bundle, forged)

    assert desk.outcomes() == ["refused"]
    assert strangers.versions() == []


def test_an_outbox_that_came_with_the_archive_s_commits_is_not_carried_out(desk, publish, git):
    desk.queue(publish())
    git(desk.archive.root, "add", "--force", ".reprokit/outbox")
    git(desk.archive.root, "commit", "-qm", "a gift")

    with pytest.raises(UsageError, match="tracked by git"):
        desk.drain()
    assert desk.service.asked() == []


@pytest.mark.parametrize(
    "destination", [{"mirror": "folder"}, {"mirror": "folder", "address": 3}, {"mirror": "nobody"}]
)
def test_a_destination_that_is_none_is_told_and_stops_no_other(desk, publish, destination):
    odd, good = publish("one"), publish("two")
    outbox.queue(desk.archive, odd, destination)
    desk.queue(good)

    done = desk.drain()

    assert done[odd].outcome == "refused"
    assert done[good].outcome == "sent"


def test_two_drains_at_once_send_each_bundle_once(desk, publish):
    bundles = [publish(word) for word in ("one", "two", "three")]
    desk.queue(*bundles)
    desk.service.fail("push", "slow", seconds=0.2)
    found: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: found.append(desk.drain())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sent = [line.split()[1] for line in desk.service.asked("push")]
    assert sorted(sent) == sorted(bundles)
    assert sorted(event.bundle for event in desk.mirrored) == sorted(bundles)
    assert len(desk.service.versions()) == 3
    assert len(found) == 3
    assert {each.outcome for done in found for each in done.values()} <= {"sent", "busy"}
    assert desk.waiting == ()


def test_files_of_the_outbox_that_say_nothing_are_in_the_report_and_stop_nobody(desk, publish):
    desk.queue(publish())
    (desk.archive.outbox / "folder/x.json").write_text("{")

    done = mirroring.drain(desk.archive, desk.terms)

    assert [each.outcome for each in done.bundles] == ["sent"]
    assert [each.path for each in done.damaged] == [".reprokit/outbox/folder/x.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from reprokit.archive.layout import Archive
from reprokit.sync.mirroring import drain

class Killer:
    def __call__(self, bundle, step):
        if step.doing == "sending":
            (staging,) = Archive(Path(sys.argv[1])).staging.iterdir()
            (staging / "scratch/table.json").write_text("of a private sample")
            os.kill(os.getpid(), signal.SIGKILL)

terms = drain.Terms(environment=os.environ, directory=Path(sys.argv[2]), watch=Killer())
drain.drain(Archive(Path(sys.argv[1])), terms)
"""


def test_what_a_drain_that_was_killed_has_left_is_cleared_away_by_the_next_whatever_comes_of_that(desk, publish):
    desk.queue(publish())
    environment = {**os.environ, **desk.environment, "PYTHONPATH": str(desk.terms.directory.with_name("site"))}
    command = [sys.executable, "-c", KILLED, str(desk.archive.root), str(desk.terms.directory)]
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    assert done.returncode == -9, done.stderr
    assert len(list(desk.archive.staging.rglob("table.json"))) == 1
    mine = publication.stage(desk.archive, {"description": "a copying to a mirror of another"})
    desk.service.fail("probe", "away")

    assert desk.outcomes() == ["waiting"]

    assert list(desk.archive.staging.iterdir()) == [mine]


def test_nothing_is_left_behind(desk, publish):
    desk.queue(publish())
    desk.service.fail("push", "bug", times=1)
    desk.drain()
    desk.drain()

    assert list(desk.archive.scratch.iterdir()) == []
    assert list(desk.archive.staging.iterdir()) == []
    assert [path.name for path in desk.archive.outbox.rglob("*") if path.is_file()] == ["lock"]
    assert list(desk.terms.directory.iterdir()) == []
