"""What is found of a bundle by reading it, in this process or in others, whatever dies on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from reprokit.audit import spreading
from reprokit.audit.reading import CONTENT, Work, read
from reprokit.bundle import bag

WORDS = ["one", "two", "three", "four", "five", "six"]


@pytest.fixture
def bundles(publish):
    return sorted(publish(word, fold=True) for word in WORDS)


def work(archive, bundle, how="whole", **more):
    return Work(archive=str(archive.root), bundle=bundle, read=how, **more)


def codes(found, family="fixity"):
    return [each.code for told in found.outcomes if told.family == family for each in told.findings]


def replaced(path: Path, data: bytes) -> None:
    """Change a file and nothing that it shares its bytes with."""
    path.chmod(0o644)
    path.unlink()
    path.write_bytes(data)


def test_a_whole_bundle_is_read_whole_and_nothing_is_found(archive, publish):
    found = read(work(archive, publish(fold=True), content=CONTENT))

    assert [(each.family, each.state) for each in found.outcomes] == [
        ("fixity", "good"),
        ("format", "good"),
        ("consistency", "good"),
        ("privacy", "good"),
    ]
    folder = archive.payload(found.bundle)
    assert found.octets == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert found.identity == bag.identity(folder)


def test_a_flipped_bit_is_found_when_bytes_are_read_and_not_when_only_names_are(archive, publish):
    bundle = publish(fold=True)
    path = archive.payload(bundle) / "data/results.json"
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    replaced(path, bytes(data))

    assert "E101" in codes(read(work(archive, bundle)))
    assert codes(read(work(archive, bundle, "names"))) == []


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (lambda folder: (folder / "data/results.json").unlink(), "E102"),
        (lambda folder: (folder / "data/new").write_text("new"), "E103"),
        (lambda folder: (folder / "data/new").mkdir(), "E103"),
        (lambda folder: replaced(folder / "data/results.json", b"shorter"), "E101"),
        (lambda folder: replaced(folder / "bag-info.txt", b"other: words\n"), "E104"),
        (lambda folder: (folder / "data/link").symlink_to("results.json"), "E105"),
    ],
)
def test_what_names_and_sizes_show_is_found_without_reading(archive, publish, harm, code):
    bundle = publish(fold=True)
    harm(archive.payload(bundle))

    assert code in codes(read(work(archive, bundle, "names")))
    assert code in codes(read(work(archive, bundle)))


def test_an_object_that_is_one_with_its_file_is_not_taken_on_trust_when_it_is_another(archive, publish):
    """Two objects that are hardlinks of the wrong files: each is sound, and neither is what its name says."""
    bundle = publish(fold=True)
    folder = archive.payload(bundle)
    objects = {path.stat().st_ino: path for path in (archive.root / ".dvc/cache").rglob("*") if path.is_file()}
    one, other = (objects[(folder / name).stat().st_ino] for name in ("data/results.json", "data/bundle.json"))
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)

    assert codes(read(work(archive, bundle))) == ["E109", "E109"]


def test_a_bundle_that_is_not_here_is_unknown_and_neither_good_nor_bad(archive, publish):
    bundle = publish(fold=True)
    shutil.rmtree(archive.payload(bundle))

    (told,) = read(work(archive, bundle)).outcomes

    assert (told.state, told.findings) == ("unknown", [])
    assert "reprokit pull" in told.unknown[0].because


def test_a_key_that_today_s_patterns_know_is_found_in_a_compressed_file_and_never_shown(archive, publish):
    key = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"[:34]
    text = b"x = 1\n" * 300_000 + f"token {key}\n".encode()
    bundle = publish(fold=True, harness_files={"harness/log.txt": text})

    (told,) = read(work(archive, bundle, "nothing", content=("privacy",))).outcomes

    assert [each.code for each in told.findings] == ["E441"]
    assert told.findings[0].where == "data/harness/log.txt.zst"
    assert "HF_TOKEN" in told.findings[0].message
    assert key not in told.findings[0].message


def everything(found):
    return sorted((each.bundle, [told.state for told in each.outcomes]) for each in found)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_finds_what_this_process_finds(archive, bundles, executor):
    replaced(archive.payload(bundles[2]) / "data/results.json", b"{}")
    wanted = [work(archive, each, content=CONTENT) for each in bundles]

    with executor(2) as pool:
        found = list(spreading.spread(wanted, spreading.given(pool), most=4))

    assert everything(found) == everything(spreading.here(wanted))
    assert [each.bundle for each in found if "E101" in codes(each)] == [bundles[2]]


def test_no_more_work_is_taken_than_is_handed_out(archive, bundles):
    taken = []

    def wanted():
        for each in bundles:
            taken.append(each)
            yield work(archive, each)

    with ThreadPoolExecutor(2) as pool:
        found = spreading.spread(wanted(), spreading.given(pool), most=2)
        next(found)
        assert len(taken) <= 2 + 1
        assert len(list(found)) == len(bundles) - 1


def test_a_bundle_that_kills_whoever_reads_it_costs_no_other_its_turn(archive, bundles, monkeypatch):
    """The process that reads one bundle is killed each time: by a `sitecustomize` that watches which file is opened."""
    deadly = bundles[3]
    trap = archive.root.parent / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        f"sys.addaudithook(lambda event, words: event == 'open' and {deadly + '/data/results.json'!r} in str(words[0])"
        " and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(trap))
    wanted = [work(archive, each) for each in bundles]

    found = list(spreading.spread(wanted, spreading.processes(2), most=4))

    assert sorted(each.bundle for each in found) == bundles
    assert [each.bundle for each in found if codes(each) == ["E490"]] == [deadly]
    assert all(codes(each) == [] for each in found if each.bundle != deadly)


# --- a Dask cluster of real processes -----------------------------------------------------------------------------------


@pytest.fixture
def scheduler(tmp_path):
    """Give a scheduler, its address, and a function that starts workers, each a process of its own."""
    processes = []
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--host", "127.0.0.1"]
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    processes.append(subprocess.Popen([*program, "--port", "0", "--scheduler-file", str(file)], **quiet))

    def start(count):
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-nanny"]
        worker += ["--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path), "--host", "127.0.0.1"]
        started = [subprocess.Popen(worker, **quiet) for _ in range(count)]
        processes.extend(started)
        return started

    until = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    import json

    yield json.loads(file.read_text())["address"], start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_dask_cluster_loses_a_worker_midway_and_no_bundle_is_lost_or_counted_twice(archive, bundles, scheduler):
    address, start = scheduler
    workers = start(3)
    replaced(archive.payload(bundles[4]) / "data/results.json", b"{}")
    wanted = [work(archive, bundle, content=CONTENT) for bundle in bundles]

    with spreading.dask_cluster(address, patience=60) as (executors, _):
        found = []
        for each in spreading.spread(wanted, executors, most=4):
            found.append(each)
            if len(found) == 2:
                os.kill(workers[0].pid, signal.SIGKILL)

    assert everything(found) == everything(spreading.here(wanted))


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_cluster_that_is_not_there_is_an_error_that_names_it():
    from reprokit.errors import RemoteError

    with (
        pytest.raises(RemoteError, match=r"tcp://127\.0\.0\.1:9"),
        spreading.dask_cluster("tcp://127.0.0.1:9", patience=1),
    ):
        pass
