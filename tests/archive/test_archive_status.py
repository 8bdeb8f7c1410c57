"""How an archive is doing."""

from __future__ import annotations

import shutil

import msgspec

from reprokit.archive import publication, registration
from reprokit.archive.owner import Owner
from reprokit.archive.status import status
from reprokit.bundle import canonical


def test_an_archive_in_order_has_nothing_to_say(archive, publish):
    publish(fold=True)

    seen = status(archive)

    assert seen.location == archive.root
    assert (seen.bundles, seen.absent, seen.under_way) == (1, 0, 0)
    assert (seen.pending, seen.unmarked, seen.abandoned, seen.uncommitted, seen.strays) == ((), (), (), (), ())


def test_pending_unmarked_and_absent_bundles_are_counted(archive, publish):
    absent = publish("a", fold=True)
    shutil.rmtree(archive.payload(absent))
    unmarked = publish("b")
    shutil.rmtree(archive.pending)
    waiting = publish("c")

    seen = status(archive)

    assert (seen.bundles, seen.absent) == (3, 1)
    assert (seen.pending, seen.unmarked) == ((waiting,), (unmarked,))


def test_stagings_under_way_and_abandoned_are_told_apart(archive):
    publication.stage(archive)
    dead = publication.stage(archive)
    described = canonical.decode((dead / "owner.json").read_bytes(), Owner)
    gone = msgspec.structs.replace(described.process, start=1)
    (dead / "owner.json").write_bytes(canonical.record(msgspec.structs.replace(described, process=gone)))

    seen = status(archive)

    assert seen.under_way == 1
    assert [each.path for each in seen.abandoned] == [dead]


def test_what_git_does_not_hold_is_listed(archive, publish, git):
    bundle_id = publish()
    (archive.root / ".git" / "index.lock").touch()
    registration.fold(archive)

    pointer, entry, event = status(archive).uncommitted

    assert pointer == f"bundles/2026-11/{bundle_id}.dvc"
    assert entry == f"catalog/2026-11/{bundle_id}.json"
    assert event.startswith("ledger/")


def test_what_does_not_belong_under_the_catalog_or_in_the_cache_is_a_stray(archive, publish):
    bundle_id = publish(fold=True)
    (archive.catalog / "2026-11" / "notes.json").write_text("{}")
    (archive.catalog / "2025-01").mkdir()
    shutil.copy(archive.entry(bundle_id), archive.catalog / "2025-01")
    objects = archive.root / ".dvc/cache/files/md5"
    folder = next(objects.iterdir())
    (folder / "notes.jsonl").write_text("x")
    (folder / f".{'0' * 30}.0123456789abcdef.tmp").write_text("of one that was killed")
    (objects / "rest").mkdir()

    assert status(archive).strays == (
        str((folder / "notes.jsonl").relative_to(archive.root)),
        ".dvc/cache/files/md5/rest",
        f"catalog/2025-01/{bundle_id}.json",
        "catalog/2026-11/notes.json",
    )


def test_a_cache_that_lies_elsewhere_is_not_looked_at_for_strays(archive, tmp_path):
    (archive.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    (tmp_path / "shared/files/md5/notes").mkdir(parents=True)

    assert status(archive).strays == ()


def test_what_does_not_belong_under_bundles_is_a_stray(archive, publish, tmp_path):
    bundle_id = publish(fold=True)
    (archive.bundles / "notes.txt").write_text("x")
    (archive.bundles / "2026-11" / "tmp").mkdir()
    (archive.bundles / "2025-01").mkdir()
    shutil.copytree(archive.payload(bundle_id), archive.bundles / "2025-01" / bundle_id)
    (archive.bundles / "2026-11" / bundle_id.replace("tiny", "link")).symlink_to(tmp_path)

    assert status(archive).strays == (
        f"bundles/2025-01/{bundle_id}",
        f"bundles/2026-11/{bundle_id.replace('tiny', 'link')}",
        "bundles/2026-11/tmp",
        "bundles/notes.txt",
    )


def test_trouble_with_git_is_told_and_the_rest_still_seen(archive, publish):
    publish(fold=True)
    shutil.rmtree(archive.root / ".git")

    seen = status(archive)

    assert seen.bundles == 1
    assert seen.git
