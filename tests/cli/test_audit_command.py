"""`reprokit audit` as a person runs it."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest

from reprokit.archive.layout import Archive

ROOT = Path(__file__).parents[2]
WORDS = ["one", "two", "three"]


@pytest.fixture
def bundles(reprokit, publish):
    archive = Archive(reprokit.archive)
    return sorted(publish(word, into=archive, fold=True) for word in WORDS)


def damage(reprokit, bundle, name="data/harness/results.json"):
    """Cut a file short, with its object."""
    path = Archive(reprokit.archive).payload(bundle) / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])
    return path


def test_a_whole_archive_is_told_so_first_of_all_and_exits_with_0(reprokit, bundles):
    done = reprokit("audit", "--offline")

    assert done.stdout.startswith("whole: every byte of its 3 bundles was read")


def test_what_is_printed_as_json_follows_its_published_schema(reprokit, bundles):
    schema = msgspec.json.decode((ROOT / "schemas/v1/audit.schema.json").read_bytes())

    found = reprokit.json("audit", "--offline")

    jsonschema.Draft202012Validator(schema).validate(found)
    assert [each["bundle"] for each in sorted(found["bundles"], key=lambda each: each["bundle"])] == bundles


def test_damage_is_named_with_what_to_do_and_exits_with_12_in_every_form(reprokit, bundles, tmp_path):
    damage(reprokit, bundles[1])
    page, report = tmp_path / "audit.html", tmp_path / "audit.xml"

    done = reprokit("audit", "--offline", "--html", page, "--junit", report, check=12)

    assert f"{bundles[1]}: error" in done.stdout
    assert "E101 data/harness/results.json" in done.stdout
    assert "restore it" in done.stdout
    assert "E101" in page.read_text()
    suites = ET.parse(report).getroot()
    failed = {suite.get("name") for suite in suites if suite.find("testcase/failure") is not None}
    assert failed == {bundles[1]}


def test_a_file_that_is_not_ours_is_not_overwritten_by_a_report(reprokit, bundles, tmp_path):
    mine = tmp_path / "audit.html"
    mine.write_text("my notes")

    refused = reprokit("audit", "--offline", "--html", mine, check=2)

    assert "was not written by reprokit" in refused.stderr
    assert mine.read_text() == "my notes"


def test_damage_is_restored_from_a_copy_that_is_named_and_the_damaged_bytes_are_kept(reprokit, bundles, tmp_path, git):
    archive = Archive(reprokit.archive)
    export = tmp_path / "export" / bundles[0]
    subprocess.run(["cp", "-r", archive.payload(bundles[0]), tmp_path], check=True)
    export.parent.mkdir()
    (tmp_path / bundles[0]).rename(export)
    path = damage(reprokit, bundles[0])
    damaged = path.read_bytes()

    refused = reprokit("audit", bundles[0], "--offline", "--repair", check=12)
    done = reprokit("audit", bundles[0], "--offline", "--repair", "--from", export)

    assert "not restored" in refused.stderr
    assert "restored from" in done.stderr
    assert path.read_bytes() == (export / "data/harness/results.json").read_bytes()
    assert damaged in [each.read_bytes() for each in (archive.private / "set-aside").rglob("*") if each.is_file()]
    assert git(archive.root, "status", "--porcelain") == ""
    reprokit("audit", "--offline")


def test_only_the_remote_that_was_found_damaged_is_mended(reprokit, bundles, tmp_path):
    """Its name begins as that of another one does, which was never to hold this bundle."""
    config = reprokit.archive / ".dvc/config"
    remotes = [f"['remote \"{name}\"']\n    url = {tmp_path / name}\n" for name in ("s", "s2")]
    config.write_text("".join([config.read_text(), *remotes]))
    reprokit("push", bundles[0], "--remote", "s2")
    reprokit("push", bundles[1], "--remote", "s")
    held = sorted((tmp_path / "s").rglob("*"))
    digest = hashlib.md5((Archive(reprokit.archive).payload(bundles[0]) / "data/harness/results.json").read_bytes())
    lost = tmp_path / "s2/files/md5" / digest.hexdigest()[:2] / digest.hexdigest()[2:]
    lost.unlink()

    done = reprokit("audit", bundles[0], "--offline", "--only", "fixity,copies", "--repair")

    assert "s2: 1 missing object: restored" in done.stderr
    assert lost.is_file()
    assert sorted((tmp_path / "s").rglob("*")) == held


def test_a_drill_that_cannot_run_is_a_finding(reprokit, bundles):
    done = reprokit("audit", "--offline", "--only", "fixity", "--drill", "1", "--drill-tier", "rerun", check=1)

    assert "no verdict" in done.stderr
    assert "W464" in done.stdout


def test_a_corrupted_object_that_dvc_hands_out_is_caught(reprokit, bundles):
    archive = Archive(reprokit.archive)
    folder = archive.payload(bundles[2])
    inode = (folder / "data/harness/results.json").stat().st_ino
    (held,) = [each for each in (archive.root / ".dvc/cache").rglob("*") if each.stat().st_ino == inode]
    held.chmod(0o644)
    held.write_bytes(held.read_bytes().replace(b"word", b"lord"))
    subprocess.run(["rm", "-rf", folder], check=True)
    dvc = [str(Path(sys.executable).parent / "dvc"), "checkout", "--force", str(archive.pointer(bundles[2]))]

    checkout = subprocess.run(dvc, cwd=archive.root, env=reprokit.environment(), capture_output=True, check=False)
    assert checkout.returncode == 0
    assert b"lord" in (folder / "data/harness/results.json").read_bytes()

    done = reprokit("audit", "--offline", check=12)
    assert f"{bundles[2]}: error" in done.stdout


def test_an_audit_that_was_killed_goes_on_and_counts_nothing_twice(reprokit, publish):
    archive = Archive(reprokit.archive)
    bundles = sorted(publish(str(number), into=archive) for number in range(150))
    reprokit("status")
    journals = archive.private / "audit"
    command = [sys.executable, "-m", "reprokit", "audit", "--offline", "--skip", "privacy"]
    running = subprocess.Popen(command, env=reprokit.environment(), cwd=reprokit.home, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while sum(path.read_bytes().count(b"\n") for path in journals.glob("*.jsonl")) < 20:
        assert time.monotonic() < until
        assert running.poll() is None
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.wait()

    found = reprokit.json("audit", "--offline", "--skip", "privacy")

    assert found["summary"]["resumed"] >= 19
    assert sorted(each["bundle"] for each in found["bundles"]) == bundles
    assert found["summary"]["counts"]["error"] == 0
    again = reprokit.json("audit", "--offline", "--skip", "privacy")
    assert again["summary"]["resumed"] == 0


def test_a_drill_recomputes_scores_of_a_few_and_the_ledger_keeps_it(reprokit, captured):
    done = reprokit("audit", "--offline", "--drill", "5", "--seed", "1")

    assert "drill of 1 among 1 complete run" in done.stderr
    assert captured in done.stderr
    assert "its scores were recomputed" in str(reprokit.json("audit", "--offline", "--only", "freshness"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "fixty"], "did you mean `fixity`"),
        (["--only", "fixity", "--skip", "format"], "`--only` and `--skip`"),
        (["--only", ""], "no family of checks is left"),
        (["--since", "soon"], "`--since soon` is no age"),
        (["--sample", "5"], "`--sample 5` is no share"),
        (["--budget", "long"], "`--budget long` is no time"),
        (["--from", "x"], "add `--repair`"),
        (["--seed", "1"], "add `--drill N`"),
        (["--dask", "tcp://127.0.0.1:9", "--jobs", "2"], "leave one out"),
        (["nothing-of-the-kind"], "nothing-of-the-kind"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(reprokit, words, said):
    refused = reprokit("audit", "--offline", *words, check=None)

    assert refused.returncode in {2, 10}
    assert said in refused.stderr
