"""Where good copies come from: packed exports, folders, mirrors; and what becomes of copies that lie."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from reprokit.archive.cache import md5_of
from reprokit.audit.repair.copies import Wanted
from reprokit.audit.repair.places import Learnt, copies_of
from reprokit.audit.repair.repairing import repair
from reprokit.outbox import waiting as outbox
from reprokit.sync.mirroring import drain as mirroring
from reprokit.sync.mirroring.drain import Terms

RESULTS = "data/results.json"
SOURCE = Path(__file__).parents[2] / "contracts/folder_mirror.py"


def lose(made, bundle, path=RESULTS):
    """Lose a file of a bundle here, in the cache and on the remote."""
    file = made.folder(bundle) / path
    name = md5_of(file)
    for each in (file, made.object(name), made.sent(name)):
        each.unlink()


def local(made):
    """What is in the archive, without what is on its remote."""
    return {name: data for name, data in made.tree().items() if not name.startswith("store/")}


def packed(folder: Path, target: Path) -> Path:
    """Pack a bundle's folder as the name of the target says."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, f"{folder.name}/{path.relative_to(folder)}")
        return target
    with tarfile.open(target.with_suffix(".plain"), "w:gz" if target.name.endswith("gz") else "w") as archive:
        archive.add(folder, folder.name)
    data = target.with_suffix(".plain").read_bytes()
    target.write_bytes(zstandard.compress(data) if target.suffix == ".zst" else data)
    return target


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.zst", "a.zip"])
def test_a_packed_export_gives_the_file_back(estate, tmp_path, name):
    made = estate()
    (bundle,) = made.bundles
    before = local(made)
    export = packed(made.folder(bundle), tmp_path / name)
    lose(made, bundle)

    done = made.repair(bundle, export)

    assert (done.whole, done.refused) == (True, [])
    assert local(made) == before
    assert {each.from_ for each in done.restored if each.kind == "file"} == {f"`{export}`"}


@pytest.mark.parametrize("where", ["the bundle", "a folder of bundles", "an archive"])
def test_a_folder_gives_the_file_back(estate, tmp_path, where):
    made = estate()
    (bundle,) = made.bundles
    before = local(made)
    month = made.archive.payload(bundle).parent.name
    root = tmp_path / "other"
    place = {
        "the bundle": root,
        "a folder of bundles": root / bundle,
        "an archive": root / "bundles" / month / bundle,
    }[where]
    shutil.copytree(made.folder(bundle), place)
    lose(made, bundle)

    done = made.repair(bundle, root)

    assert (done.whole, done.refused) == (True, [])
    assert local(made) == before


def test_an_export_that_is_damaged_elsewhere_still_gives_the_file_back(estate, flip, tmp_path):
    made = estate()
    (bundle,) = made.bundles
    before = local(made)
    other = shutil.copytree(made.folder(bundle), tmp_path / "other" / bundle)
    flip(other / "data/bundle.json", 9)
    export = packed(other, tmp_path / "a.tar")
    lose(made, bundle)

    done = made.repair(bundle, export)

    assert (done.whole, done.refused) == (True, [])
    assert local(made) == before


def test_an_export_of_another_bundle_is_told_and_not_opened_again(estate, tmp_path):
    made = estate(2)
    one, other = made.bundles
    export = packed(made.folder(other), tmp_path / "a.tar")
    lose(made, one, "data/harness/word")
    learnt = Learnt()

    for _ in range(2):
        with copies_of(made.archive, one, exports=[export], environ={}, patience=60, learnt=learnt) as copies:
            done = repair(made.archive, one, copies=copies)

    assert learnt.packed == {export: other}
    assert f"`{export}`: it holds `{other}`" in done.refused[0].reason


def test_a_remote_that_is_not_there_is_asked_once(estate):
    made = estate(2)
    shutil.rmtree(made.store)
    learnt = Learnt()
    for bundle in made.bundles:
        name = md5_of(made.folder(bundle) / "data/harness/word")
        (made.folder(bundle) / "data/harness/word").unlink()
        made.object(name).unlink()

        with copies_of(made.archive, bundle, environ={}, patience=60, learnt=learnt) as copies:
            done = repair(made.archive, bundle, copies=copies)

        assert "the remote `store`: there is nothing at its address" in done.refused[0].reason
    assert list(learnt.away) == ["remote store"]


# --- mirrors ------------------------------------------------------------------------------------------------------------


@dataclass
class Mirrored:
    made: object
    service: object
    environ: dict[str, str]


@pytest.fixture
def mirrored(estate, tmp_path, monkeypatch) -> Mirrored:
    """An estate whose bundle is on a mirror."""
    description = importlib.util.spec_from_file_location("folder_mirror_for_repair", SOURCE)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    monkeypatch.syspath_prepend(str(module.installed(tmp_path / "site")))
    service = module.Service(tmp_path / "service", key="k")
    environ = {"FOLDER_MIRROR": str(service.folder), "FOLDER_MIRROR_KEY": "k"}
    made = estate()
    to = module.FolderMirror().destination({}, environ, own=True)
    outbox.queue(made.archive, made.bundles[0], module.plain(to))
    done = mirroring.drain(made.archive, Terms(environment=environ, directory=tmp_path))
    assert [each.outcome for each in done.bundles] == ["sent"]
    return Mirrored(made, service, environ)


def test_a_mirror_that_the_ledger_names_gives_the_file_back_and_is_asked_once(mirrored):
    made = mirrored.made
    (bundle,) = made.bundles
    before = local(made)
    for path in (RESULTS, "data/bundle.json", "bag-info.txt"):
        lose(made, bundle, path)

    done = made.repair(bundle, environ=mirrored.environ)

    assert (done.whole, done.refused) == (True, [])
    assert local(made) == before
    assert any(each.from_.startswith("the mirror `folder:") for each in done.restored)
    assert len(mirrored.service.asked("fetch")) == 1


def test_a_mirror_is_not_asked_while_nothing_else_is_missing_or_when_offline(mirrored, flip):
    made = mirrored.made
    (bundle,) = made.bundles
    asked = len(mirrored.service.asked())
    flip(made.folder(bundle) / RESULTS, 1)
    assert made.repair(bundle, environ=mirrored.environ).whole
    lose(made, bundle)

    with copies_of(made.archive, bundle, environ=mirrored.environ, patience=60, offline=True) as copies:
        assert not repair(made.archive, bundle, copies=copies).whole
    assert len(mirrored.service.asked()) == asked


def test_a_mirror_whose_copy_is_not_the_bundle_gives_nothing(mirrored):
    made = mirrored.made
    (bundle,) = made.bundles
    lose(made, bundle)
    damaged = made.tree()
    mirrored.service.fail("fetch", "wrong bytes")

    done = made.repair(bundle, environ=mirrored.environ)

    assert [each.path for each in done.refused] == [RESULTS]
    assert made.tree() == damaged


def test_what_is_good_on_a_mirror_is_of_use_where_another_file_of_it_is_not(mirrored):
    made = mirrored.made
    (bundle,) = made.bundles
    lose(made, bundle, "data/bundle.json")
    mirrored.service.fail("fetch", "wrong bytes")

    done = made.repair(bundle, environ=mirrored.environ)

    assert (done.whole, done.refused) == (True, [])
    assert "data/bundle.json" in [each.path for each in done.restored]


# --- copies that lie ----------------------------------------------------------------------------------------------------


@dataclass
class Liar:
    """A copy that offers something else, whatever it is asked for."""

    kind: str
    good: Path
    name: str = "a liar"

    def bring(self, wanted: Wanted, target: Path) -> bool:
        match self.kind:
            case "other bytes":
                target.write_bytes(b"{}")
            case "a link to the right bytes":
                target.symlink_to(self.good)
            case "a folder":
                target.mkdir()
            case "a pipe":
                os.mkfifo(target)
            case "nothing":
                pass
            case "a bomb":
                with target.open("wb") as stream:
                    stream.truncate(1 << 40)
            case "a full disk":
                raise OSError(28, "No space left on device")
        return True


@pytest.mark.parametrize(
    "kind", ["other bytes", "a link to the right bytes", "a folder", "a pipe", "nothing", "a bomb", "a full disk"]
)
def test_a_copy_that_offers_something_else_changes_nothing(estate, tmp_path, kind):
    made = estate()
    (bundle,) = made.bundles
    good = Path(shutil.copy(made.folder(bundle) / RESULTS, tmp_path / "good"))
    lose(made, bundle)
    damaged = made.tree()

    done = repair(made.archive, bundle, copies=[Liar(kind, good)])

    assert [each.path for each in done.refused] == [RESULTS]
    assert "a liar: " in done.refused[0].reason
    assert (done.whole, done.restored) == (False, [])
    assert made.tree() == damaged
    assert list(made.archive.scratch.iterdir()) == []


def test_a_packed_file_that_would_write_elsewhere_gives_nothing(estate, tmp_path):
    made = estate()
    (bundle,) = made.bundles
    export = tmp_path / "a.tar"
    with tarfile.open(export, "w") as archive:
        archive.add(made.folder(bundle), bundle)
        archive.add(made.folder(bundle) / RESULTS, "../escaped")
    lose(made, bundle)
    damaged = made.tree()

    done = made.repair(bundle, export)

    assert "may lead elsewhere" in done.refused[0].reason
    assert made.tree() == damaged
    assert not list(tmp_path.rglob("escaped"))
