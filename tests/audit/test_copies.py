"""Where whole copies of a bundle are known to be: folders that are remotes, a mirror that is a folder, and the policy."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reprokit.archive import cache, dvc, ledger
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.audit.copies_elsewhere.opening import opened_copies
from reprokit.audit.copies_elsewhere.told import told
from reprokit.audit.families import copies
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown
from reprokit.bundle.finding import Finding
from reprokit.outbox import destinations as mirror_settings
from reprokit.outbox import waiting as outbox
from reprokit.sync.mirroring import drain as mirroring
from reprokit.sync.mirroring.drain import Terms
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.push import push

BIG = "data/harness/big.bin"
RESULTS = "data/results.json"
LIST = "its list of files"
FOLDER_MIRROR = Path(__file__).parents[1] / "contracts/folder_mirror.py"


def load_folder_mirror():
    description = importlib.util.spec_from_file_location("folder_mirror_of_the_audit", FOLDER_MIRROR)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module


folder_mirror = load_folder_mirror()


@pytest.fixture
def bundle(publish) -> str:
    """A registered bundle with a file that is large enough to be remembered."""
    return publish("one", fold=True, harness_files={"harness/big.bin": bytes(range(256)) * 512})


@pytest.fixture
def add_remote(archive, git):
    def add(name: str, folder: Path | str) -> Path:
        config = archive.root / ".dvc/config"
        config.write_text(config.read_text() + f"['remote \"{name}\"']\n    url = {folder}\n")
        git(archive.root, "commit", "-qam", f"the remote {name}")
        return Path(folder)

    return add


@pytest.fixture
def nas(add_remote, tmp_path) -> Path:
    return add_remote("nas", tmp_path / "nas")


def send(archive: Archive, *ids: str, to: str = "nas") -> None:
    (*outcomes,) = {each.outcome for each in push(archive, ids, choose(archive, to), patience=30).bundles}
    assert outcomes == ["sent"]


@contextmanager
def asking(archive, policy=None, environ=None, **how):
    policy = policy or Policy()
    with opened_copies(archive, policy, environ or {}, timeout=20, directory=archive.root, **how) as opened:
        yield lambda bundle, here_whole=True: list(
            copies.check(Held(archive, bundle), opened, policy, here_whole=here_whole)
        )


def said(archive, bundle, policy=None, here_whole=True, environ=None, **how):
    with asking(archive, policy, environ, **how) as ask:
        return ask(bundle, here_whole)


def codes(statements):
    return sorted((each.code, each.where) for each in statements if isinstance(each, Finding))


def unknown(statements):
    return sorted((each.where, each.because) for each in statements if isinstance(each, NotKnown))


def facts(statements):
    return {each.where: each.told for each in statements if isinstance(each, Fact)}


def object_in(store: Path, archive: Archive, bundle: str, file: str | None = None) -> Path:
    pointer = dvc.read_pointer(archive.pointer(bundle))
    name = pointer.oid if file is None else cache.md5_of(archive.payload(bundle) / file)
    return store / "files/md5" / name[:2] / name[2:]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


# --- remotes ----------------------------------------------------------------------------------------------------------


def test_a_whole_copy_on_a_remote_is_told_with_its_number_of_objects(archive, bundle, nas):
    send(archive, bundle)

    statements = said(archive, bundle, Policy(copies=2, remotes=("nas",)))

    number = sum(1 for path in nas.rglob("*") if path.is_file())
    assert facts(statements)["remote nas"] == f"all {number} objects, by name and size"
    assert codes(statements) == []
    assert unknown(statements) == []
    assert copies.counted(statements) == ["here", "remote nas"]


def test_a_remote_that_has_never_seen_the_bundle_says_nothing_unless_the_policy_names_it(archive, bundle, publish, nas):
    send(archive, bundle)
    # It shares objects with the one that was pushed, which are on the remote.
    other = publish("two", fold=True)

    assert facts(said(archive, other)).keys() == {"here"}
    assert codes(said(archive, other)) == []
    assert codes(said(archive, other, Policy(remotes=("nas",)))) == [("W402", "remote nas")]


@pytest.mark.parametrize("deep", [False, True])
def test_every_object_that_is_missing_on_a_remote_is_found_by_its_path(archive, bundle, nas, deep):
    send(archive, bundle)
    for path in (None, BIG, "bag-info.txt"):
        lost = object_in(nas, archive, bundle, path)
        aside = lost.rename(nas / "aside")

        statements = said(archive, bundle, deep=deep)

        assert codes(statements) == [("E111", path or LIST)]
        assert "remote nas" not in facts(statements)
        aside.rename(lost)


def test_many_missing_objects_are_counted_rather_than_listed(archive, publish, nas):
    bundle = publish("many", fold=True, harness_files={f"harness/{n}.txt": b"%d" % n for n in range(40)})
    send(archive, bundle)
    for number in range(40):
        object_in(nas, archive, bundle, f"data/harness/{number}.txt").unlink()

    statements = said(archive, bundle)

    assert [code for code, _ in codes(statements)] == ["E111"] * 6
    assert next(each.message for each in statements if each.where == "remote nas").endswith("35 more")


def test_an_object_of_another_size_is_found_without_reading_it(archive, bundle, nas):
    send(archive, bundle)
    cut = object_in(nas, archive, bundle, BIG)
    cut.chmod(0o644)
    cut.write_bytes(cut.read_bytes()[:-1])

    assert codes(said(archive, bundle)) == [("E110", BIG)]


@pytest.mark.parametrize("path", [None, BIG, RESULTS, "manifest-sha256.txt"])
def test_a_flipped_bit_is_found_where_every_byte_is_read(archive, bundle, nas, path):
    send(archive, bundle)
    flip(object_in(nas, archive, bundle, path))

    assert codes(said(archive, bundle)) == []
    assert codes(said(archive, bundle, deep=True)) == [("E110", path or LIST)]


def test_two_objects_that_changed_places_are_found_by_their_sizes(archive, bundle, nas):
    send(archive, bundle)
    one, two = object_in(nas, archive, bundle, BIG), object_in(nas, archive, bundle, RESULTS)
    one.rename(nas / "aside")
    two.rename(one)
    (nas / "aside").rename(two)

    assert codes(said(archive, bundle)) == [("E110", BIG), ("E110", RESULTS)]


def test_a_copy_that_is_whole_says_that_every_byte_was_read(archive, bundle, nas):
    send(archive, bundle)

    assert facts(said(archive, bundle, deep=True))["remote nas"].endswith("every byte read")


def test_a_large_object_that_bundles_share_is_read_once_and_still_damage_is_found(archive, publish, nas):
    shared = {"harness/big.bin": bytes(range(256)) * 512}
    one, two = (publish(word, fold=True, harness_files={**shared, "harness/w": word.encode()}) for word in ("1", "2"))
    send(archive, one, two)

    with asking(archive, deep=True) as ask:
        assert codes(ask(one)) == []
        shutil.rmtree(object_in(nas, archive, one, BIG).parent)
        assert codes(ask(two)) == [("E111", BIG)]
    assert list(archive.scratch.iterdir()) == []


def test_a_bundle_that_was_pushed_and_is_gone_is_missed_though_no_policy_asks_for_it(archive, bundle, nas):
    send(archive, bundle)
    shutil.rmtree(nas / "files")

    (finding,) = [each for each in said(archive, bundle) if isinstance(each, Finding)]

    assert (finding.code, finding.where) == ("W402", "remote nas")
    assert "it was pushed there on 20" in finding.message


def test_where_the_files_are_not_here_the_list_on_the_remote_is_believed_when_it_is_proven(archive, bundle, nas):
    send(archive, bundle)
    cut = object_in(nas, archive, bundle, BIG)
    shutil.rmtree(archive.payload(bundle))
    shutil.rmtree(archive.root / ".dvc/cache")

    assert facts(said(archive, bundle, here_whole=None)).keys() == {"remote nas"}

    before = cut.read_bytes()
    cut.chmod(0o644)
    cut.write_bytes(before[:-1])
    assert codes(said(archive, bundle, here_whole=None)) == [("E110", "remote nas"), ("W401", "copies")]
    found = codes(said(archive, bundle, here_whole=None, deep=True))
    assert found == [("E110", BIG), ("E110", "remote nas"), ("W401", "copies")]
    cut.write_bytes(before)
    flip(object_in(nas, archive, bundle))
    assert codes(said(archive, bundle, here_whole=None)) == [("E110", LIST), ("W401", "copies")]


def test_a_damaged_bundle_here_does_not_speak_against_the_remote(archive, bundle, nas):
    send(archive, bundle)
    cut = archive.payload(bundle) / BIG
    cut.unlink()
    cut.write_bytes(b"cut short")

    statements = said(archive, bundle, Policy(copies=2), here_whole=False)

    assert facts(statements).keys() == {"remote nas"}
    assert codes(statements) == [("W401", "copies")]


def test_without_its_pointer_nobody_can_tell_what_a_copy_should_hold(archive, bundle, nas):
    send(archive, bundle)
    archive.pointer(bundle).write_text("outs: []\n")

    statements = said(archive, bundle, Policy(mirrors=("folder",)))

    assert [where for where, _ in unknown(statements)] == ["mirror folder", "remote nas"]
    assert codes(statements) == []


def test_a_folder_that_is_not_there_is_not_known_to_hold_nothing(archive, bundle, nas):
    send(archive, bundle)
    nas.rename(nas.with_name("unplugged"))

    ((where, because),) = unknown(said(archive, bundle, Policy(remotes=("nas",))))

    assert where == "remote nas"
    assert "mounted" in because


def test_a_remote_that_the_policy_names_and_nobody_configured_is_not_known(archive, bundle):
    ((where, because),) = unknown(said(archive, bundle, Policy(remotes=("NAS",))))

    assert where == "remote nas"
    assert "no remote `nas`" in because


def test_two_names_for_one_place_are_one_copy(archive, bundle, nas, add_remote, tmp_path):
    (tmp_path / "link").symlink_to(nas)
    add_remote("again", tmp_path / "link")
    add_remote("cache", archive.root / ".dvc/cache")
    send(archive, bundle)

    assert len(facts(said(archive, bundle))) == 2
    policy = Policy(copies=3, remotes=("nas", "again", "cache"))
    statements = said(archive, bundle, policy)
    assert facts(statements).keys() == {"here", "remote nas"}
    assert codes(statements) == [("W401", "copies"), ("W402", "remote again"), ("W402", "remote cache")]


def test_a_stranger_s_setting_that_starts_a_program_is_not_followed(archive, bundle, nas, tmp_path):
    config = archive.root / ".dvc/config"
    trap = tmp_path / "trap"
    config.write_text(config.read_text() + f"    bearer_token_command = touch {trap}\n")

    ((where, because),) = unknown(said(archive, bundle))

    assert where == "remote nas"
    assert "may start a program" in because
    assert not trap.exists()


def test_a_configuration_that_is_in_doubt_makes_the_remotes_unknown_and_raises_nothing(archive, bundle, nas):
    config = archive.root / ".dvc/config"
    config.write_text(config.read_text() + "[[nested]]\n")

    assert len(unknown(said(archive, bundle))) == 1
    assert [where for where, _ in unknown(said(archive, bundle, Policy(remotes=("nas",))))] == ["remote nas"]


@pytest.fixture
def hanging_up() -> Iterator[tuple[str, list[int]]]:
    """A server that hangs up on everybody, and counts them."""
    met: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()
                    met.append(1)

        threading.Thread(target=serve, daemon=True).start()
        yield f"ssh://127.0.0.1:{server.getsockname()[1]}/evals", met
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_remote_that_does_not_answer_is_tried_once_in_an_audit(archive, bundle, publish, add_remote, hanging_up):
    address, met = hanging_up
    add_remote("far", address)
    other = publish("two", fold=True)

    with asking(archive) as ask:
        first = unknown(ask(bundle))
        tries = len(met)
        second = unknown(ask(other))

    assert [where for where, _ in first] == ["remote far"]
    assert second == first
    assert tries > 0
    assert len(met) == tries


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_keys_go_to_no_server_that_only_the_archive_names(archive, bundle, hanging_up, git):
    address, met = hanging_up
    server = address.removeprefix("ssh://").removesuffix("/evals")
    settings = f"['remote \"lab\"']\n    url = s3://bucket/evals\n    endpointurl = http://{server}\n"
    config = archive.root / ".dvc/config"
    config.write_text(config.read_text() + settings)
    git(archive.root, "commit", "-qam", "a remote")

    ((where, because),) = unknown(said(archive, bundle, Policy(remotes=("lab",))))

    assert (where, met) == ("remote lab", [])
    assert "`endpointurl`, which comes with the archive" in because

    (archive.root / ".dvc/config.local").write_text(settings)
    assert choose(archive, "lab").unasked is None


def test_offline_nobody_is_asked_and_folders_are_looked_at(archive, bundle, nas, add_remote):
    add_remote("far", "ssh://127.0.0.1:9/evals")
    send(archive, bundle)

    statements = said(archive, bundle, offline=True)

    assert unknown(statements) == [("remote far", "nobody was asked, as the audit is offline")]
    assert "remote nas" in facts(statements)


# --- mirrors ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def service(archive, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(folder_mirror.installed(tmp_path / "site")))
    return folder_mirror.Service(tmp_path / "service", key="s3cret-of-the-service")


def variables(service, **more):
    return {"FOLDER_MIRROR": str(service.folder), "FOLDER_MIRROR_KEY": service.key, **more}


def mirror(archive, service, *bundles):
    environment = variables(service)
    to = mirror_settings.destination(archive, "folder", environment=environment, directory=archive.root)
    for bundle in bundles:
        outbox.queue(archive, bundle, folder_mirror.plain(to))
    done = mirroring.drain(archive, Terms(environment=environment, directory=archive.root))
    assert {each.outcome for each in done.bundles} == {"sent"}


@pytest.fixture
def mirrored(archive, bundle, service) -> str:
    mirror(archive, service, bundle)
    return bundle


def change(service, **what):
    (version,) = service.versions()
    about = service.about(version)
    (version / "about.json").write_text(folder_mirror.json.dumps({**about, **what}))


def test_a_mirror_that_has_the_bundle_counts(archive, mirrored, service):
    statements = said(archive, mirrored, Policy(copies=2, mirrors=("folder",)), environ=variables(service))

    assert copies.counted(statements) == ["here", "mirror folder"]
    assert facts(statements)["mirror folder"].endswith("by the service's word")
    assert (codes(statements), unknown(statements)) == ([], [])
    assert [each.split()[0] for each in service.asked()][-2:] == ["probe", "look"]


def test_a_mirror_is_asked_whether_it_is_there_once_for_all_bundles(archive, bundle, publish, service):
    other = publish("two", fold=True)
    mirror(archive, service, bundle, other)
    before = len(service.asked("probe"))

    with asking(archive, environ=variables(service)) as ask:
        assert facts(ask(bundle)).keys() == facts(ask(other)).keys() == {"here", "mirror folder"}

    assert len(service.asked("probe")) == before + 1


def test_a_mirror_that_has_another_bundle_or_other_files_is_found(archive, mirrored, service):
    (version,) = service.versions()
    about = service.about(version)
    for changes in ({"identity": "sha256:" + "0" * 64}, {"files": dict(list(about["files"].items())[1:])}):
        change(service, **changes)

        assert codes(said(archive, mirrored, environ=variables(service))) == [("E403", "mirror folder")]
        change(service, **about)


def test_a_mirror_that_does_not_say_which_bundle_it_has_is_believed_when_every_byte_is_fetched(
    archive, mirrored, service
):
    change(service, identity=None)

    assert [where for where, _ in unknown(said(archive, mirrored, environ=variables(service)))] == ["mirror folder"]
    deep = said(archive, mirrored, environ=variables(service), deep=True)
    assert facts(deep)["mirror folder"].endswith("every byte fetched")


def test_damage_on_a_mirror_is_found_by_fetching_it_and_nothing_is_left_behind(archive, mirrored, service):
    (version,) = service.versions()
    damaged = version / "bundle" / RESULTS
    flip(damaged)
    about = service.about(version)
    change(service, files={**about["files"], RESULTS: [folder_mirror.md5_of(damaged), damaged.stat().st_size]})

    assert codes(said(archive, mirrored, environ=variables(service))) == []
    assert codes(said(archive, mirrored, environ=variables(service), deep=True)) == [("E403", "mirror folder")]
    assert list(archive.scratch.iterdir()) == []


def test_a_copy_that_is_gone_from_a_mirror_is_missed(archive, mirrored, service):
    shutil.rmtree(service.folder / "copies")
    (service.folder / "copies").mkdir()

    (finding,) = [e for e in said(archive, mirrored, environ=variables(service)) if isinstance(e, Finding)]

    assert (finding.code, finding.where) == ("W402", "mirror folder")
    assert "it was mirrored on 20" in finding.message


def test_a_mirror_that_the_policy_names_and_nobody_sent_it_to_is_missed_without_asking(archive, bundle, service):
    statements = said(archive, bundle, Policy(mirrors=("folder",)), environ=variables(service))

    assert codes(statements) == [("W402", "mirror folder")]
    assert service.asked() == []


@pytest.mark.parametrize("operation", ["probe", "look"])
def test_a_mirror_that_is_away_is_not_known_and_asked_no_more(archive, bundle, publish, service, operation):
    other = publish("two", fold=True)
    mirror(archive, service, bundle, other)
    service.fail(operation, "away")
    before = len(service.asked(operation))

    with asking(archive, environ=variables(service)) as ask:
        assert unknown(ask(bundle)) == unknown(ask(other)) == [("mirror folder", "it is away")]

    assert len(service.asked(operation)) == before + 1


@pytest.mark.parametrize("kind", ["refuse", "bug"])
def test_a_mirror_that_fails_for_one_bundle_is_asked_for_the_next(archive, bundle, publish, service, kind):
    other = publish("two", fold=True)
    mirror(archive, service, bundle, other)
    service.fail("look", kind, times=1)

    with asking(archive, environ=variables(service)) as ask:
        assert [where for where, _ in unknown(ask(bundle))] == ["mirror folder"]
        assert "mirror folder" in facts(ask(other))


def test_no_key_goes_where_only_the_ledger_says_that_a_copy_is(archive, mirrored, service, tmp_path):
    # The settings here and now name another service, and the ledger may be a stranger's.
    elsewhere = folder_mirror.Service(tmp_path / "elsewhere", key=service.key)

    ((where, because),) = unknown(said(archive, mirrored, environ=variables(elsewhere)))

    assert where == f"mirror folder at {service.folder}"
    assert "there is no key" in because
    assert elsewhere.asked() == []


def test_offline_or_set_to_be_so_a_mirror_is_not_asked(archive, mirrored, service):
    before = service.asked()

    assert unknown(said(archive, mirrored, environ=variables(service), offline=True)) == [
        ("mirror folder", "nobody was asked, as the audit is offline")
    ]
    assert unknown(said(archive, mirrored, environ=variables(service, FOLDER_MIRROR_MODE="offline"))) == [
        ("mirror folder", "it is set to `offline`")
    ]
    assert service.asked() == before


# --- how many ---------------------------------------------------------------------------------------------------------


def test_fewer_copies_than_the_policy_asks_for_are_found(archive, bundle):
    (finding,) = [each for each in said(archive, bundle, Policy(copies=2)) if isinstance(each, Finding)]

    assert (finding.code, finding.where) == ("W401", "copies")
    assert finding.message.endswith("1 of 2 (here)")


def test_without_a_policy_one_whole_copy_is_enough_and_none_is_too_few(archive, bundle):
    assert codes(said(archive, bundle)) == []
    assert codes(said(archive, bundle, here_whole=False)) == [("W401", "copies")]


def test_what_is_not_known_may_be_enough_and_is_then_neither_good_nor_bad(archive, bundle, add_remote):
    add_remote("far", "ssh://127.0.0.1:9/evals")

    enough = said(archive, bundle, Policy(copies=2), offline=True)
    too_few = said(archive, bundle, Policy(copies=3), offline=True)

    assert codes(enough) == []
    assert ("copies", "there are 1 of 2 (here), and nothing is known of remote far") in unknown(enough)
    assert codes(too_few) == [("W401", "copies")]


def test_a_copy_here_that_was_not_read_is_not_known_to_be_whole(archive, bundle):
    assert unknown(said(archive, bundle, Policy(copies=1), here_whole=None)) == [
        ("copies", "there are 0 of 1, and nothing is known of here"),
        ("here", "not every byte of it was read"),
    ]


def test_what_is_kept_of_the_ledger_is_small(archive, nas):
    detail = {"remote": "nas", "address": str(nas), "objects": 14, "checked": "size", "more": "x" * 1000}
    identity = "sha256:" + "0" * 64
    for month in range(1, 11):
        names = [f"20260101T000000Z-lm_eval-{month:04x}{number:04x}" for number in range(200)]
        time = f"2026-{month:02}-01T00:00:00Z"
        events = [Event(event="pushed", time=time, bundle=name, identity=identity, detail=detail) for name in names]
        ledger.append(archive, events)

    tracemalloc.start()
    kept = told(archive)
    octets, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept.pushed(names[0], str(nas)) == "2026-10-01"
    assert octets < 2000 * 400
