"""What waits for a mirror is never lost: not by a kill, not by a stranger, not by two who work at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from reprokit.archive import own_folders
from reprokit.archive.status import status
from reprokit.errors import UsageError
from reprokit.outbox import waiting as outbox

ONE = "20261123T031547Z-lm_eval-tiny-gpt2-1f3a9c20"
TWO = "20261124T031547Z-lm_eval-tiny-gpt2-2f3a9c20"
TO = {"mirror": "wandb", "address": "https://wandb.example", "options": {"project": "evals"}}


@pytest.fixture
def no_hang():
    def stop(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def changed(wish, **changes):
    return msgspec.structs.replace(wish, **changes)


def test_what_is_queued_waits_with_all_that_was_said_of_it(archive):
    queued = outbox.queue(archive, ONE, TO)

    assert outbox.contents(archive).waiting == (queued,)
    assert (queued.bundle, queued.mirror, queued.destination) == (ONE, "wandb", TO)
    assert (queued.state, queued.tries, queued.tried, queued.reason) == ("waiting", 0, None, None)
    assert not outbox.contents(archive).damaged


def test_an_archive_that_never_had_an_outbox_has_nothing_waiting_and_gets_none_by_looking(archive):
    assert outbox.contents(archive) == outbox.Contents()
    assert not archive.outbox.exists()


def test_queueing_again_keeps_since_when_and_how_often_and_forgets_the_refusal_and_where_it_was_to_go(archive):
    first = outbox.queue(archive, ONE, TO)
    refused = changed(
        first, state="refused", tries=3, tried=first.queued, reason="no", hint="so", export={"folder": "x"}
    )
    outbox.update(archive, first, refused)

    again = outbox.queue(archive, ONE, {**TO, "address": "https://other.example"})

    assert outbox.contents(archive).waiting == (again,)
    assert (again.queued, again.tries, again.tried, again.export) == (first.queued, 3, first.queued, {"folder": "x"})
    assert (again.state, again.reason, again.hint) == ("waiting", None, None)
    assert again.destination["address"] == "https://other.example"


def test_who_waits_longest_comes_first(archive):
    second, first = outbox.queue(archive, TWO, TO), outbox.queue(archive, ONE, TO)

    assert outbox.contents(archive).waiting == (second, first)


@pytest.mark.parametrize(
    ("mirror", "bundle"), [("../x", ONE), ("", ONE), ("Wandb", ONE), ("wandb", "../../x"), ("wandb", "x"), ("a/b", ONE)]
)
def test_a_name_that_leads_elsewhere_is_refused(archive, mirror, bundle):
    with pytest.raises(UsageError):
        outbox.queue(archive, bundle, {"mirror": mirror})

    assert not list(archive.root.rglob("*x.json"))


def test_what_is_claimed_is_claimed_once_and_nobody_waits_for_it(archive):
    wish = outbox.queue(archive, ONE, TO)

    with outbox.claim(archive, wish) as mine:
        began = time.monotonic()
        with outbox.claim(archive, wish) as other:
            assert other is None
        assert time.monotonic() - began < 10
        assert mine == wish
    with outbox.claim(archive, wish) as again:
        assert again == wish
    assert [path.name for path in (archive.outbox / "wandb").iterdir()] == [f"{ONE}.json"]


def test_what_is_gone_is_not_given_to_who_claims_it_late(archive):
    wish = outbox.queue(archive, ONE, TO)
    outbox.remove(archive, wish)

    with outbox.claim(archive, wish) as mine:
        assert mine is None
    assert list((archive.outbox / "wandb").iterdir()) == []


def test_the_death_of_who_claimed_it_frees_it(archive):
    wish = outbox.queue(archive, ONE, TO)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from reprokit.outbox import waiting as outbox; from reprokit.archive.layout import Archive\n"
        "archive = Archive(Path(sys.argv[1])); (wish,) = outbox.contents(archive).waiting\n"
        "with outbox.claim(archive, wish) as mine:\n    print(mine is not None, flush=True); time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(archive.root)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with outbox.claim(archive, wish) as mine:
            assert mine is None
        holder.kill()
        holder.wait()
        with outbox.claim(archive, wish) as mine:
            assert mine == wish


def test_a_wish_that_is_made_anew_while_it_is_carried_out_stays(archive):
    wish = outbox.queue(archive, ONE, TO)
    with outbox.claim(archive, wish) as mine:
        anew = outbox.queue(archive, ONE, TO)
        outbox.update(archive, mine, changed(mine, state="refused"))
        outbox.remove(archive, mine)

    assert outbox.contents(archive).waiting == (anew,)


def test_many_at_once_lose_nothing(archive):
    names = [f"202611{day:02}T031547Z-lm_eval-tiny-gpt2-1f3a9c20" for day in range(1, 13)]
    carried_out, lock = [], threading.Lock()

    def work():
        for name in names:
            outbox.queue(archive, name, TO)
        for wish in outbox.contents(archive).waiting:
            with outbox.claim(archive, wish) as mine:
                if mine is not None:
                    outbox.remove(archive, mine)
                    with lock:
                        carried_out.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    left = outbox.contents(archive)
    assert {wish.bundle for wish in (*carried_out, *left.waiting)} == set(names)
    assert len({(wish.bundle, wish.asked) for wish in carried_out}) == len(carried_out)
    assert not left.damaged


def rubbish(path):
    path.write_bytes(b"\xff\x00 no JSON")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:40])


def huge(path):
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def link(path):
    kept = path.parent.parent.parent / "elsewhere.json"
    path.rename(kept)
    path.symlink_to(kept)


def folder(path):
    path.unlink()
    path.mkdir()


def another(path):
    path.write_bytes(path.read_bytes().replace(ONE.encode(), TWO.encode()))


def deep(path):
    path.write_bytes(b'{"destination": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def no_time(path):
    wish = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**wish, "queued": "2026-13-45T00:00:00Z"}))


@pytest.mark.parametrize("harm", [rubbish, cut_short, huge, pipe, link, folder, another, deep, no_time])
def test_a_file_that_says_nothing_is_told_stays_and_stops_nobody(archive, harm, no_hang):
    outbox.queue(archive, ONE, TO)
    good = outbox.queue(archive, TWO, {**TO, "mirror": "other"})
    path = archive.outbox / "wandb" / f"{ONE}.json"
    harm(path)

    found = outbox.contents(archive)

    assert found.waiting == (good,)
    assert [damaged.path for damaged in found.damaged] == [f".reprokit/outbox/wandb/{ONE}.json"]
    assert found.damaged[0].reason
    assert os.path.lexists(path)
    assert [each.path for each in outbox.contents(archive).damaged] == [f".reprokit/outbox/wandb/{ONE}.json"]


@pytest.mark.parametrize("harm", [rubbish, pipe, link])
def test_asking_again_mends_it_and_writes_nowhere_else(archive, harm, no_hang):
    outbox.queue(archive, ONE, TO)
    harm(archive.outbox / "wandb" / f"{ONE}.json")
    elsewhere = archive.private / "elsewhere.json"
    before = elsewhere.read_bytes() if elsewhere.exists() else None

    again = outbox.queue(archive, ONE, TO)

    assert outbox.contents(archive) == outbox.Contents(waiting=(again,))
    assert (elsewhere.read_bytes() if elsewhere.exists() else None) == before


def test_what_does_not_belong_there_is_told(archive):
    good = outbox.queue(archive, ONE, TO)
    outbox.keep_log(archive, "all is well\n")
    (archive.outbox / "notes.txt").write_text("x")
    (archive.outbox / "Odd Folder").mkdir()
    (archive.outbox / "away").symlink_to("/")
    (archive.outbox / "wandb" / "x.txt").write_text("x")

    found = outbox.contents(archive)

    assert found.waiting == (good,)
    assert {damaged.path.rpartition("/")[2] for damaged in found.damaged} == {
        "notes.txt",
        "Odd Folder",
        "away",
        "x.txt",
    }


@pytest.mark.parametrize("place", ["outbox", "exports", "outbox/wandb"])
def test_nothing_is_written_through_a_link(archive, tmp_path, place):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = archive.private / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)

    with pytest.raises(UsageError, match="link"):
        outbox.queue(archive, ONE, TO)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["lock", f"wandb/{ONE}.lock"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_lock_that_leads_elsewhere_is_refused(archive, tmp_path, name, kind, no_hang):
    wish = outbox.queue(archive, ONE, TO)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    place = archive.outbox / name
    place.unlink(missing_ok=True)
    place.symlink_to(victim) if kind == "link" else os.mkfifo(place)

    with pytest.raises(UsageError), outbox.claim(archive, wish):
        pass

    assert victim.read_text() == "precious"


def test_the_outbox_is_in_neither_git_nor_dvc(archive):
    outbox.queue(archive, ONE, TO)

    own_folders.require_untracked(archive)
    assert status(archive).uncommitted == ()


def test_killed_at_any_moment_a_queueing_leaves_a_whole_wish_or_none(archive):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from reprokit.outbox import waiting as outbox; from reprokit.archive.layout import Archive\n"
        "archive, steps = Archive(Path(sys.argv[1])), 0\n"
        "def count(event, _):\n"
        "    global steps\n"
        "    if event in {'open', 'os.rename', 'os.mkdir', 'os.remove', 'os.scandir'}:\n"
        "        steps += 1\n"
        "        if steps == int(sys.argv[2]): os.kill(os.getpid(), 9)\n"
        "for at in range(1, 40):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        steps, sys.argv[2] = 0, str(at); sys.addaudithook(count)\n"
        "        outbox.queue(archive, sys.argv[3], {'mirror': 'wandb', 'at': at}); os._exit(0)\n"
        "    ended = os.waitpid(child, 0)[1]\n"
        "    found = outbox.contents(archive)\n"
        "    assert not found.damaged and len(found.waiting) <= 1, found\n"
        "    print('killed' if ended else 'done', [wish.destination['at'] for wish in found.waiting])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive.root), "0", ONE], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    ended = done.stdout.splitlines()
    assert sum(line.startswith("killed") for line in ended) > 5
    assert ended[-1] == "done [39]"
