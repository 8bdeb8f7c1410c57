"""A bundle is found on a DVC remote and brought here with nothing but its address and its id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.archive.dvc import read_pointer
from reprokit.bundle import bag
from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError, UsageError
from reprokit.sync.foreign import elsewhere
from reprokit.sync.remotes import addressed
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.push import push

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

WORD = "data/harness/word.txt"


@pytest.fixture
def fetch(tmp_path):
    """Fetch a bundle as a command does, without any archive unless one is given."""
    made = 0

    def call(reference: str, archive=None, directory: Path = tmp_path) -> elsewhere.Fetched:
        nonlocal made
        made += 1
        within = tmp_path / f"within-{made}"
        within.mkdir()
        return elsewhere.fetch(reference, archive, within, directory=directory, patience=120.0, watch=lambda _: None)

    return call


@pytest.fixture
def pushed(archive, publish, local_folder):
    """Two bundles on a remote that is a folder."""
    local_folder.add_to(archive)
    ids = [publish("one"), publish("two", captured="2026-11-25T00:00:00Z")]
    push(archive, ids, choose(archive, None), patience=120.0)
    return ids


def put(store: Path, data: bytes, suffix: str = "") -> str:
    """Put bytes on a remote as the object of their MD5."""
    name = hashlib.md5(data).hexdigest() + suffix
    path = store / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


def listing(store: Path, files: dict[str, str]) -> str:
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return put(store, json.dumps(rows, sort_keys=True).encode(), ".dir")


def listed(store: Path, oid: str) -> dict[str, str]:
    rows = json.loads((store / "files/md5" / oid[:2] / oid[2:]).read_bytes())
    return {row["relpath"]: row["md5"] for row in rows}


# --- what names a bundle -----------------------------------------------------------------------------------------------


def test_a_bundle_comes_by_its_id_a_beginning_of_it_or_of_its_identity_or_its_listing(
    archive, pushed, local_folder, fetch, snapshot
):
    one = pushed[0]
    pointer = read_pointer(archive.pointer(one))
    digits = pointer.identity.removeprefix("sha256:")

    for name in (one[:-5], digits[:8], pointer.identity, pointer.oid[:-4]):
        fetched = fetch(f"dvc:{local_folder.address}#{name}")

        assert fetched.reference == f"dvc:{local_folder.address}#{one}"
        assert fetched.bundle.path.name == one
        assert snapshot(fetched.bundle.path) == snapshot(archive.payload(one))


def test_a_folder_may_be_relative_or_in_the_home(pushed, local_folder, fetch, own_home):
    (own_home / "mine").symlink_to(local_folder.folder)

    for address in (
        local_folder.folder.name,
        f"./{local_folder.folder.name}/",
        f"file://{local_folder.folder}",
        "~/mine",
    ):
        assert fetch(f"dvc:{address}#{pushed[0]}").bundle.info.bundle_id == pushed[0]


def test_the_only_bundle_needs_no_name(archive, publish, local_folder, fetch):
    local_folder.add_to(archive)
    only = publish("one")
    push(archive, [only], choose(archive, None), patience=120.0)

    assert fetch(f"dvc:{local_folder.address}").bundle.info.bundle_id == only
    assert fetch(f"dvc:{local_folder.address}#").bundle.info.bundle_id == only


def test_of_several_those_that_there_are_are_told(pushed, local_folder, fetch):
    one, two = sorted(pushed)

    with pytest.raises(UsageError, match="a bundle may be any of 2") as told:
        fetch(f"dvc:{local_folder.address}")
    assert told.value.hint == f"name one behind the address: `#{two}`, `#{one}`"

    with pytest.raises(NotFoundError, match=r"`2031` is not on .*, which has 2") as told:
        fetch(f"dvc:{local_folder.address}#2031")
    assert one in str(told.value.hint)


def test_two_seals_of_one_run_are_told_apart_by_their_listings(archive, pushed, local_folder, fetch):
    store, oid = local_folder.folder, read_pointer(archive.pointer(pushed[0])).oid
    info = bag.read_info(archive.payload(pushed[0]))
    files = {**listed(store, oid), bag.INFO: put(store, bag.render_info(replace(info, note="another seal")))}
    other = listing(store, files)

    with pytest.raises(UsageError) as told:
        fetch(f"dvc:{store}#{pushed[0]}")

    assert f"`#{oid}`" in str(told.value.hint)
    assert f"`#{other}`" in str(told.value.hint)
    assert fetch(f"dvc:{store}#{oid}").bundle.info.bundle_id == pushed[0]


@pytest.mark.parametrize("reference", ["dvc:", "dvc:#", "dvc:#2026", "dvc:/x#a b", "dvc:/x#../y", "dvc:s3://a b#x"])
def test_what_is_no_reference_is_told(fetch, reference):
    with pytest.raises(UsageError):
        fetch(reference)


def test_a_place_without_anything_is_told(fetch, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(RemoteError, match=r"there is nothing at `.*absent`"):
        fetch("dvc:absent#2026")
    with pytest.raises(NotFoundError, match=r"there is no bundle on `.*empty`"):
        fetch("dvc:empty#2026")


# --- what else may be on a remote --------------------------------------------------------------------------------------


def test_what_is_no_bundle_of_ours_is_passed_over(pushed, local_folder, fetch):
    store = local_folder.folder
    data = put(store, b"a picture")
    listing(store, {"train/1.png": data, "train/2.png": data})
    listing(store, dict.fromkeys(bag.TAG_FILES, data))
    listing(store, dict.fromkeys(bag.TAG_FILES, "0" * 32))
    listing(store, {name: put(store, bytes(70_000)) for name in bag.TAG_FILES})
    put(store, b"no list at all", ".dir")
    put(store, b'[{"md5": "' + b"0" * 32 + b'", "relpath": "../../x"}]', ".dir")
    (store / "files/md5/00").mkdir(exist_ok=True)
    (store / "files/md5/00" / ("1" * 30 + ".dir")).write_bytes(b"[]")
    (store / "files/md5/00" / ("2" * 30 + ".dir")).mkdir()
    (store / "files/md5/00/x.dir").write_bytes(b"[]")

    assert fetch(f"dvc:{store}#{pushed[0]}").bundle.info.bundle_id == pushed[0]


@pytest.mark.parametrize("how", ["changed", "missing", "longer"])
def test_damage_of_any_object_is_found_and_named(archive, pushed, local_folder, object_of, fetch, how):
    word = object_of(local_folder.folder, pushed[0], WORD)
    word.chmod(0o644)
    match how:
        case "changed":
            word.write_bytes(b"eno")
        case "missing":
            word.unlink()
        case _:
            word.write_bytes(b"one" + bytes(5_000_000))

    with pytest.raises(FixityError, match="is not whole on the remote") as told:
        fetch(f"dvc:{local_folder.address}#{pushed[0]}")

    assert [(each.code, each.where) for each in told.value.findings] == [("E111" if how == "missing" else "E110", WORD)]
    assert pushed[0] in told.value.message


def test_a_listing_that_names_other_files_than_the_manifest_is_refused(archive, pushed, local_folder, fetch):
    store, oid = local_folder.folder, read_pointer(archive.pointer(pushed[0])).oid
    files = listed(store, oid)
    swapped = listing(store, {**files, WORD: put(store, b"two")})
    more = listing(store, {**files, "data/harness/more": files[WORD]})
    clashing = listing(store, {**files, f"{WORD}/x": files[WORD]})

    for name, code in ((swapped, "E101"), (more, "E103"), (clashing, "E112")):
        with pytest.raises(FixityError) as told:
            fetch(f"dvc:{store}#{name}")
        assert code in {each.code for each in told.value.findings}


def test_the_identity_that_a_person_writes_is_the_one_they_get(archive, pushed, local_folder, fetch):
    # A bundle that says it is another: its tag manifest has the other's digest of the manifest.
    store, one = local_folder.folder, read_pointer(archive.pointer(pushed[0]))
    two = read_pointer(archive.pointer(pushed[1]))
    forged = {**listed(store, two.oid), bag.TAG_MANIFEST: listed(store, one.oid)[bag.TAG_MANIFEST]}
    info = replace(bag.read_info(archive.payload(pushed[1])), bundle_id=pushed[0])
    forged[bag.INFO] = put(store, bag.render_info(info))
    (store / "files/md5" / one.oid[:2] / one.oid[2:]).unlink()
    listing(store, forged)

    with pytest.raises(FixityError):
        fetch(f"dvc:{store}#{one.identity}")


# --- remotes that are reached through DVC ------------------------------------------------------------------------------


def users(own_home: Path, monkeypatch, text: str) -> None:
    """Write DVC's own configuration of the user."""
    folder = own_home / "dvc"
    folder.mkdir()
    (folder / "config").write_text(text)
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(folder))


@pytest.mark.parametrize("kind", ["ssh_server", "s3_server", "webdav_server"])
def test_the_user_s_own_settings_reach_the_remote_of_that_address(
    request, archive, publish, fetch, own_home, monkeypatch, snapshot, kind
):
    served = request.getfixturevalue(kind)
    served.add_to(archive)
    bundle_id, other = publish("one"), publish("two")
    push(archive, [bundle_id, other], choose(archive, None), patience=120.0)
    lines = [f"    {option} = {value}" for option, value in served.settings.items()]
    base, _, last = served.address.rpartition("/")
    url = base if kind == "s3_server" else served.address
    users(own_home, monkeypatch, "\n".join(["['remote \"dvc\"']", f"    url = {url}", *lines, ""]))

    fetched = fetch(f"dvc:{served.address}/#{bundle_id[:-2]}")

    assert last
    assert snapshot(fetched.bundle.path) == snapshot(archive.payload(bundle_id))
    for name in ("secret_access_key", "password"):
        assert served.settings.get(name, "nothing") not in fetched.reference


def test_a_remote_of_the_archive_is_reached_by_the_archive_s_settings_and_none_by_a_stranger_s_program(
    archive, publish, fetch, webdav_server
):
    webdav_server.add_to(archive)
    bundle_id = publish("one")
    push(archive, [bundle_id], choose(archive, None), patience=120.0)

    assert fetch(f"dvc:{webdav_server.address}#{bundle_id}", archive).bundle.info.bundle_id == bundle_id
    with pytest.raises(RemoteError, match="cannot be used") as told:
        fetch(f"dvc:{webdav_server.address}#{bundle_id}")
    assert "dvc remote add --global NAME" in str(told.value.hint)

    config = archive.root / ".dvc/config"
    config.write_text(config.read_text() + "    bearer_token_command = touch /tmp/never\n")
    with pytest.raises(UsageError, match="may start a program"):
        fetch(f"dvc:{webdav_server.address}#{bundle_id}", archive)


def test_an_unknown_kind_of_address_is_told(fetch):
    with pytest.raises((UsageError, InputMissingError)):
        fetch("dvc:gopher://host/x#2026")


def test_credentials_in_an_address_are_not_shown():
    wanted = addressed.understand("dvc:webdav://ada:secret@host/evals#2026")

    assert wanted.named("X") == "dvc:webdav://host/evals#X"
