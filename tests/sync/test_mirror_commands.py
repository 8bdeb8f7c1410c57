"""`push --mirror`, `sync` and `status` as a person meets them: what is printed, what is returned, what stays."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from reprokit.archive import ledger, publication, registration
from reprokit.archive.layout import Archive
from reprokit.outbox import waiting as outbox

ROOT = Path(__file__).parents[2]


def load() -> Any:
    source = ROOT / "tests/contracts/folder_mirror.py"
    description = importlib.util.spec_from_file_location("folder_mirror_for_commands", source)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


@dataclass
class Shop:
    """The command line, with bundles in its archive and a mirror that it knows."""

    run: Any
    service: Any
    variables: dict[str, str]
    bundles: list[str]

    @property
    def archive(self) -> Archive:
        return Archive(self.run.archive)

    def __call__(self, *words: str, check: int = 0, **more: str) -> Any:
        return self.run(*words, check=check, **{**self.variables, **more})

    def json(self, *words: str, schema: str, check: int = 0, **more: str) -> Any:
        said = msgspec.json.decode(self(*words, "--json", check=check, **more).stdout)
        jsonschema.validate(said, msgspec.json.decode((ROOT / f"schemas/v1/{schema}.schema.json").read_bytes()))
        return said

    @property
    def waiting(self):
        return outbox.contents(self.archive).waiting


@pytest.fixture
def shop(reprokit, make_bundle, tmp_path) -> Shop:
    mirror = load()
    service = mirror.Service(tmp_path / "service")
    archive = Archive(reprokit.archive)
    bundles = []
    for word in ("one", "two"):
        staging = publication.stage(archive)
        make_bundle(staging / publication.BAG, harness_files={"harness/word.txt": word.encode()})
        bundles.append(publication.publish(archive, staging).bundle_id)
    registration.fold(archive)
    path = os.pathsep.join([str(mirror.installed(tmp_path / "site")), str(ROOT)])
    return Shop(reprokit, service, {"PYTHONPATH": path, "FOLDER_MIRROR": str(service.folder)}, bundles)


def test_a_push_to_a_mirror_says_where_the_bundle_is_and_where_to_look_at_it(shop):
    done = shop("push", "--mirror", "folder", shop.bundles[0], "--tag", "extra")

    header, row, page = done.stdout.splitlines()
    assert header.split() == ["bundle", "outcome", "where"]
    assert row.split()[:2] == [shop.bundles[0], "sent"]
    assert row.split()[2].startswith("folder:")
    assert page.strip().startswith("file://")
    assert shop.service.about(*shop.service.versions())["labels"] == ["extra"]
    assert shop("push", "--mirror", "folder", shop.bundles[0]).stdout.count("updated") == 1
    assert "there already" in shop("push", "--mirror", "folder", shop.bundles[0]).stdout
    assert "--all" in shop("push", "--mirror", "folder", check=2).stderr


def test_what_cannot_be_sent_waits_is_told_and_is_sent_by_sync(shop):
    shop.service.fail("probe", "away")

    done = shop("push", "--mirror", "folder", "--all", check=30)

    assert done.stdout.count("waiting") == 2
    # One reason for both, and what to do about it.
    assert done.stderr.count("it is away") == 1
    assert "`reprokit sync` tries again" in done.stderr
    assert "2 bundles for folder: `reprokit sync --status` tells why" in shop("status").stdout
    assert shop("sync").stdout.count("it is away") == 1
    shop("sync", "--strict", check=30)
    shop.service.heal()
    told = shop("sync").stdout
    assert all(f"mirrored     {bundle}: folder:" in told for bundle in shop.bundles)
    assert shop("sync").stdout == "nothing was left to do\n"
    assert "outbox" not in shop("status").stdout


def test_sync_offline_sends_nothing(shop):
    shop.service.fail("probe", "away", times=1)
    shop("push", "--mirror", "folder", shop.bundles[0], check=30)

    done = shop.json("sync", "--offline", schema="sync")

    assert done["mirrors"] is None
    assert len(shop.service.asked()) == 1
    assert shop.waiting[0].tries == 1


def test_the_status_of_the_outbox_tells_who_waits_since_when_and_why_and_changes_nothing(shop):
    shop.service.fail("push", "refuse", times=1)
    shop("push", "--mirror", "folder", shop.bundles[0], check=30)
    (wish,) = shop.waiting
    (shop.archive.outbox / "folder/odd.json").write_text("{")
    before = {path: path.read_bytes() for path in shop.archive.private.rglob("*") if path.is_file()}

    told = shop("sync", "--status").stdout
    said = shop.json("sync", "--status", schema="outbox")

    assert f"refused      {shop.bundles[0]}, for folder ({shop.service.folder}) since" in told
    assert "tried 1 time, last " in told
    assert ": it does not want that\n" in told
    assert "hint: ask it nicely\n" in told
    assert "unreadable   `.reprokit/outbox/folder/odd.json`" in told
    assert said["waiting"] == [msgspec.to_builtins(wish)]
    assert {path: path.read_bytes() for path in shop.archive.private.rglob("*") if path.is_file()} == before
    assert "1 bundle for folder, refused" in shop("status", check=1).stdout
    assert "unreadable   .reprokit/outbox/folder/odd.json" in shop("status", check=1).stdout
    shop("sync", "--status", "--offline", check=2)


def test_where_nothing_waits_the_status_says_so(shop):
    assert shop("sync", "--status").stdout == "nothing waits\n"


def test_what_needs_a_person_is_an_exit_status_of_one_and_is_tried_again_once_it_is_mended(shop):
    shop.service.fail("push", "refuse", times=2)
    shop("push", "--mirror", "folder", shop.bundles[0], check=30)

    done = shop.json("sync", schema="sync", check=1)

    (delivery,) = done["mirrors"]["bundles"]
    assert (delivery["outcome"], delivery["reason"], delivery["hint"]) == (
        "refused",
        "it does not want that",
        "ask it nicely",
    )
    assert shop("sync").stdout.startswith("mirrored     ")


def test_a_damaged_bundle_is_named_and_stops_no_other(shop):
    damaged, whole = shop.bundles
    victim = shop.archive.payload(damaged) / "data/results.json"
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes()[::-1])

    done = shop("push", "--mirror", "folder", "--all", check=12)

    assert f"{damaged}  damaged" in done.stdout
    assert f"{whole}  sent" in done.stdout
    assert "1 sent, 1 damaged" in done.stderr
    assert [wish.bundle for wish in shop.waiting] == [damaged]


def test_a_bundle_that_is_not_here_is_not_queued_and_where_all_are_asked_for_not_missed(shop):
    absent, here = shop.bundles
    shutil.rmtree(shop.archive.payload(absent))

    done = shop("push", "--mirror", "folder", absent, check=10)
    all_of_them = shop.json("push", "--mirror", "folder", "--all", schema="mirroring")

    assert f"`reprokit pull {absent}`" in done.stderr
    assert shop.waiting == ()
    assert [each["bundle"] for each in all_of_them["bundles"]] == [here]


def test_a_mode_of_the_environment_is_followed(shop):
    disabled = shop("push", "--mirror", "folder", "--all", FOLDER_MIRROR_MODE="disabled")
    assert disabled.stdout.count("disabled") == 2
    assert shop.waiting == ()

    offline = shop("push", "--mirror", "folder", shop.bundles[0], FOLDER_MIRROR_MODE="offline")
    folder = shop.archive.exports / "folder" / shop.bundles[0]
    assert f"`folder-mirror send {folder}`" in offline.stderr
    assert shop.service.asked() == []
    assert f"`folder-mirror send {folder}`" in shop("sync", "--status").stdout
    assert shop("sync").stdout.startswith("mirrored     ")
    assert not folder.exists()


def test_a_call_that_makes_no_sense_is_refused_and_queues_nothing(shop):
    to_mirror = ("push", "--mirror", "folder")
    for words, told, status in (
        (("push", "--mirror", "foldr", "--all"), "`foldr`", 2),
        ((*to_mirror, "--remote", "store", "--all"), "`--mirror` and `--remote`", 2),
        ((*to_mirror, "--verify", "--all"), "`--verify`", 2),
        (("push", "--tag", "x", "--all"), "`--tag` goes with `--mirror`", 2),
        ((*to_mirror, "--tag", "two words", "--all"), "no list of words", 2),
        ((*to_mirror, "nothing"), "no bundle `nothing`", 10),
    ):
        assert told in shop(*words, check=status).stderr
    assert shop.waiting == ()


@pytest.mark.parametrize("place", ["archive", "above", "own"])
def test_settings_are_found_where_they_may_be_and_a_misspelt_one_is_told(shop, place, tmp_path):
    folder = {"archive": shop.archive.root, "above": shop.run.home, "own": shop.run.home / ".config/reprokit"}[place]
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "reprokit.toml"
    before = settings.read_text() if settings.exists() else ""
    for misspelt, meant in (("[mirror.folder]\ncolection", "`collection`"), ("[mirror.foldr]\nx", "`[mirror.folder]`")):
        settings.write_text(f'{before}\n{misspelt} = "mine"\n')
        assert f"did you mean {meant}?" in shop("push", "--mirror", "folder", "--all", check=2).stderr
    settings.write_text(before + '\n[mirror.folder]\ncollection = "mine"\ntags = ["lab"]\n')

    shop("push", "--mirror", "folder", shop.bundles[0], "--tag", "extra")

    (version,) = shop.service.versions()
    assert version.parent.name == "mine"
    assert shop.service.about(version)["labels"] == ["extra", "lab"]


def test_the_archive_s_settings_count_before_the_nearest_and_those_before_the_user_s(shop):
    for folder, name in (
        (shop.run.home / ".config/reprokit", "users"),
        (shop.run.home, "nearest"),
        (shop.archive.root, "archives"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "reprokit.toml").open("a") as settings:
            settings.write(f'\n[mirror.folder]\ncollection = "{name}"\n')
        shop("push", "--mirror", "folder", shop.bundles[0])

    assert {path.parent.name for path in shop.service.versions()} == {"users", "nearest", "archives"}
    assert next(iter(ledger.events(shop.archive, ["mirrored"]))).detail["reference"] == "folder:users:v0"


@pytest.mark.parametrize(("place", "status"), [("archive", 21), ("above", 21), ("own", 0)])
def test_a_key_goes_to_no_host_that_only_a_file_of_somebody_else_s_names(shop, place, status):
    (shop.service.folder / "key").write_text("any")
    del shop.variables["FOLDER_MIRROR"]
    folder = {"archive": shop.archive.root, "above": shop.run.home, "own": shop.run.home / ".config/reprokit"}[place]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "reprokit.toml").open("a") as settings:
        settings.write(f'\n[mirror.folder]\naddress = "{shop.service.folder}"\n')

    shop("push", "--mirror", "folder", shop.bundles[0], check=status, FOLDER_MIRROR_KEY="any")


def test_the_drain_that_a_capture_starts_does_the_outbox_alone_and_leaves_its_talk_in_a_file(shop):
    shop.service.fail("probe", "away", times=1)
    shop("push", "--mirror", "folder", "--all", check=30)
    log = shop.archive.outbox / "last.log"

    shop.service.fail("probe", "away", times=1)
    shop("sync", "--mirrors-only", check=30)
    assert "waiting" in log.read_text()
    shop("sync", "--mirrors-only")

    assert log.read_text().count("mirrored     ") == 2
    assert log.read_text().startswith("began 20")
    assert shop.waiting == ()
    assert "--mirrors-only" not in shop("sync", "--help").stdout


def test_a_bug_in_the_mirror_is_told_and_loses_nothing(shop):
    shop.service.fail("push", "bug", times=1)

    done = shop("push", "--mirror", "folder", shop.bundles[0], check=3)

    assert "the mirror `folder` has a bug: TypeError: a bug of the mirror's own" in done.stderr
    assert "Traceback" not in done.stderr
    assert [wish.bundle for wish in shop.waiting] == [shop.bundles[0]]
