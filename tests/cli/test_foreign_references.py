"""A mirror's reference is as good as an id: pulled, shown, compared, planned; and believed only when it is proven."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.sync.foreign import spelling as foreign_spelling

SOURCE = Path(__file__).parents[1] / "sync/shelf.py"


@pytest.fixture
def shelf(tmp_path) -> Path:
    """An empty shelf, beside the package that brings the mirror."""
    description = importlib.util.spec_from_file_location("shelf", SOURCE)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    module.installed(tmp_path / "plugin")
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture
def variables(shelf, tmp_path) -> dict[str, str]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return {"SHELF": str(shelf), "PYTHONPATH": str(tmp_path / "plugin"), "TMPDIR": str(temporary)}


@pytest.fixture
def run(reprokit, variables):
    """Run reprokit where the mirror is installed."""

    def call(*arguments, check=0, **more):
        return reprokit(*arguments, check=check, **{**variables, **more})

    return call


@pytest.fixture
def run_json(run):
    def call(*arguments, check=0, **more):
        return msgspec.json.decode(run(*arguments, "--json", check=check, **more).stdout)

    return call


@pytest.fixture
def kept(make_bundle, shelf):
    """Put a bundle on the shelf; returns its id."""

    def put(name="toy", **how) -> str:
        sealed = make_bundle(shelf / name / "bag", **how)
        return sealed.bundle_id

    return put


@pytest.fixture
def nothing_left(reprokit, variables):
    """Look for what nobody needs any more."""

    def check():
        assert list(Path(variables["TMPDIR"]).iterdir()) == []
        for name in ("staging", "scratch"):
            folder = reprokit.archive / ".reprokit" / name
            assert not folder.exists() or list(folder.iterdir()) == []

    return check


def home_without_an_archive(reprokit) -> dict[str, str]:
    return {"REPROKIT_ARCHIVE": "", "XDG_DATA_HOME": str(reprokit.home / "share")}


# --- pull --------------------------------------------------------------------------------------------------------------


def test_a_bundle_is_pulled_by_reference(run, run_json, kept, shelf, nothing_left):
    bundle_id = kept()

    done = run("pull", "shelf:toy")
    again = run_json("pull", "shelf:toy")["bundles"][0]

    assert done.stdout.splitlines()[1].startswith(f"{bundle_id}  fetched")
    assert f"{bundle_id}: fetched, as shelf:toy:v7" in done.stderr
    assert (again["bundle"], again["outcome"], again["checked"]) == (bundle_id, "here", "content")
    assert run("validate", "--all").stdout == f"{bundle_id}: whole\n"
    assert run_json("show", bundle_id)["identity"] == again["identity"]
    nothing_left()


def test_an_archive_is_made_for_who_has_nothing_but_a_reference(run, reprokit, kept):
    bundle_id = kept()
    where = home_without_an_archive(reprokit)

    run("pull", "shelf:toy", **where)

    assert bundle_id in run("list", **where).stdout


def test_one_failure_does_not_stop_the_rest(run_json, run, kept, shelf, captured):
    good, other = kept("good", captured="2026-11-25T00:00:00Z"), kept("other", harness_files={"harness/x": b"1"})
    kept("bad", harness_files={"harness/x": b"2"})
    (shelf / "bad/bag/data/results.json").write_bytes(b"{}")

    # No remote is configured for `captured`; it is a failure of its own.
    printed = run_json("pull", "shelf:absent", "shelf:bad", "shelf:good", captured, "shelf:other", "shelf:", check=12)

    assert [(each["bundle"], each["outcome"], each["exit_code"]) for each in printed["bundles"]] == [
        ("shelf:absent", "failed", 10),
        ("shelf:bad", "failed", 12),
        (good, "fetched", 0),
        (other, "fetched", 0),
        ("shelf:", "failed", 2),
        (captured, "failed", 2),
    ]
    assert [found["where"] for found in printed["bundles"][1]["findings"]] == ["data/results.json"]


def test_a_service_that_is_away_is_asked_once(run_json, kept, shelf):
    kept()
    (shelf / "away").touch()

    bundles = run_json("pull", "shelf:toy", "shelf:other", check=30)["bundles"]

    assert [each["reason"] for each in bundles] == ["the shelf does not answer"] * 2
    assert bundles[0]["hint"] == "see whether it is there"
    assert (shelf / "probes").read_text() == "x"


def test_a_hang_is_given_up_with_a_word_on_how_to_wait_longer(run, kept, shelf, nothing_left):
    kept()
    (shelf / "toy/fault").write_text("hang")

    done = run("pull", "shelf:toy", "--timeout", "2", check=30)

    assert "`shelf:toy` did not come within 2 seconds: it was stopped" in done.stderr
    assert "REPROKIT_REMOTE_TIMEOUT=4" in done.stderr
    nothing_left()


def test_the_time_for_a_bundle_grows_with_its_bytes(run, kept, shelf):
    kept(harness_files={"harness/results.json": b"{}", "harness/big": bytes(5_000_000)})

    run("pull", "shelf:toy", "--timeout", "60")

    assert 65 <= json.loads((shelf / "toy/fetched").read_text())["seconds"] <= 66


def test_a_bundle_that_the_disk_has_no_room_for_is_not_fetched(run, kept, shelf):
    kept()
    (shelf / "toy/says.json").write_text(json.dumps({"octets": 10**18}))

    done = run("pull", "shelf:toy", check=11)

    assert "`shelf:toy:v7` needs" in done.stderr
    assert not (shelf / "toy/fetched").exists()


@pytest.mark.parametrize("fault", [("broken off", 30), ("wrong", 12), ("refused", 30)])
def test_what_a_mirror_says_of_its_failure_is_told(run, kept, shelf, nothing_left, fault):
    kept()
    told, status = fault
    (shelf / "toy/fault").write_text(told)

    done = run("pull", "shelf:toy", check=status)

    assert "reprokit: shelf:toy: " in done.stderr
    assert "the shelf" in done.stderr
    nothing_left()


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_pull_that_is_killed_leaves_nothing_that_counts_and_the_next_clears_up(
    run, kept, shelf, nothing_left, reprokit, how
):
    bundle_id = kept()
    (shelf / "toy/fault").write_text(how)

    for _ in range(2):
        run("pull", "shelf:toy", check=None)

    assert run("list").stdout == ""
    assert len(list((reprokit.archive / ".reprokit/staging").iterdir())) == 1
    (shelf / "toy/fault").unlink()
    run("pull", "shelf:toy")
    assert run("validate", "--all").stdout == f"{bundle_id}: whole\n"
    nothing_left()


def test_a_remote_is_of_no_use_where_all_is_on_mirrors(run, kept):
    kept()

    assert "`--remote` names a DVC remote" in run("pull", "shelf:toy", "--remote", "store", check=2).stderr


# --- show, validate, diff, reproduce ------------------------------------------------------------------------------------


def test_a_bundle_is_shown_without_any_archive_and_nothing_of_it_is_kept(run, run_json, reprokit, kept, nothing_left):
    bundle_id = kept()
    where = home_without_an_archive(reprokit)

    text = run("show", "shelf:toy", **where).stdout
    shown = run_json("show", "shelf:toy", **where)
    samples = run("show", "shelf:toy", "--samples", "toy", "--all", **where).stdout

    assert f"bundle       {bundle_id}\nfetched      shelf:toy:v7, for this command alone" in text
    assert (shown["id"], shown["path"], shown["fetched"]) == (bundle_id, None, "shelf:toy:v7")
    assert len(samples.splitlines()) == 4
    assert not (reprokit.home / "share").exists()
    nothing_left()


def test_what_the_archive_has_is_not_fetched_unless_it_is_damaged(run_json, run, kept, shelf, nothing_left):
    bundle_id = kept()
    run("pull", "shelf:toy")
    (shelf / "toy/fetched").unlink()

    shown = run_json("show", "shelf:toy")
    assert shown["path"].endswith(bundle_id)
    assert not (shelf / "toy/fetched").exists()

    results = Path(shown["path"]) / "data/results.json"
    results.chmod(0o644)
    results.write_bytes(b"{}")
    damaged = run("show", "shelf:toy")
    assert "is here, and damaged" in damaged.stderr
    assert "for this command alone" in damaged.stdout
    assert "is here, and damaged" in run("pull", "shelf:toy", check=12).stderr
    nothing_left()


def test_the_copy_itself_is_validated_also_when_the_archive_has_the_bundle(run, run_json, kept, shelf):
    bundle_id = kept()
    run("pull", "shelf:toy")

    assert run("validate", "shelf:toy").stdout == f"{bundle_id}: whole, as shelf:toy:v7\n"

    (shelf / "toy/bag/data/harness/results.json").write_bytes(b'{"acc": 0.6}\n')
    checked = run_json("validate", bundle_id, "shelf:toy", check=12)
    assert [(each["bundle"], [found["code"] for found in each["findings"]]) for each in checked] == [
        (bundle_id, []),
        ("shelf:toy", ["E101"]),
    ]


def test_a_copy_is_compared(run, run_json, kept, captured):
    kept("one")
    kept("two", harness_files={"harness/results.json": b'{"acc":  0.5}\n'})

    assert run_json("diff", "shelf:one", "shelf:two")["verdict"].startswith("identical")
    run("diff", "shelf:one", captured, check=1)


def test_a_copy_is_planned_and_its_code_runs_only_with_consent(run, reprokit, captured, shelf, nothing_left):
    folder = Path(reprokit.json("show", captured)["path"])
    shutil.copytree(folder, shelf / "mine/bag")
    # In an archive that does not have it.
    run("init", reprokit.home / "other")
    other = ("--archive", reprokit.home / "other")

    plan = run("reproduce", "shelf:mine", "--plan", *other, check=None)
    refused = run("reproduce", "shelf:mine", *other, check=None)
    script = run("reproduce", "shelf:mine", "--script", *other, check=2)

    assert "evaluate.py" in plan.stdout
    assert refused.returncode in {21, 22}
    assert "keep it first: `reprokit pull shelf:mine:v7`" in script.stderr
    assert run("list", *other).stdout == ""
    nothing_left()


def test_no_record_of_a_bundle_is_read_that_is_not_proven(run, kept, shelf, nothing_left):
    kept()
    record = shelf / "toy/bag/data/bundle.json"
    record.write_bytes(record.read_bytes().replace(b"tiny-gpt2", b"huge-gpt2"))

    for arguments in (["show"], ["diff", "shelf:toy"], ["reproduce", "--plan"]):
        done = run(*arguments, "shelf:toy", check=12)
        assert "`data/bundle.json`: a payload file is not what was captured" in done.stderr
        assert done.stdout == ""
    nothing_left()


def test_nothing_is_left_when_the_reader_has_read_enough_or_the_command_is_stopped(
    reprokit, variables, kept, shelf, samples
):
    kept(samples=samples("toy", 20_000))
    command = [sys.executable, "-m", "reprokit", "show", "shelf:toy", "--samples", "toy", "--all"]

    with subprocess.Popen(
        command, env=reprokit.environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=120)
    assert list(Path(variables["TMPDIR"]).iterdir()) == []

    (shelf / "toy/fault").write_text("stopped")
    done = reprokit("show", "shelf:toy", check=None, **variables)
    assert done.returncode == 143
    assert list(Path(variables["TMPDIR"]).iterdir()) == []


def test_reprokit_open_gives_a_bundle_whose_files_are_gone_with_it(reprokit, variables, kept):
    bundle_id = kept()
    program = f"""
import os, pathlib, reprokit
bundle = reprokit.open("shelf:toy")
print(bundle.info.bundle_id == {bundle_id!r}, len(list(bundle.samples("toy"))), bundle.path.name == {bundle_id!r})
path = bundle.path
del bundle
print(path.exists())
kept = reprokit.open("shelf:toy")  # until the program ends
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=reprokit.environment(**variables),
        cwd=reprokit.home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("True 4 True\nFalse\n", "")
    assert list(Path(variables["TMPDIR"]).iterdir()) == []


# --- spelling ------------------------------------------------------------------------------------------------------------


def test_a_file_of_such_a_name_is_meant_by_its_path(run, reprokit, kept, make_bundle):
    kept("toy")
    other = make_bundle(reprokit.home / "shelf:toy", harness_files={"harness/x": b"other"})

    assert "fetched " in run("show", "shelf:toy").stdout
    assert run("show", "./shelf:toy").stdout.startswith(f"bundle       {other.bundle_id}")


def test_another_colon_means_what_it_meant(run, captured, run_json):
    identity = run_json("show", captured)["identity"]

    assert run_json("show", identity)["id"] == captured
    assert "there is no bundle `C:\\bundles`" in run("show", "C:\\bundles", check=10).stderr


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("shelf/lab/evals:v3", "shelf:lab/evals:v3"),
        ("wandb-artifact://lab/evals/toy:v3", "wandb:lab/evals/toy:v3"),
        ("Shelf:lab/evals:v3", "shelf:lab/evals:v3"),
        ("wandb/lab/evals/toy:v3", "wandb:lab/evals/toy:v3"),
        ("wanbd:lab/evals/toy:v3", "wandb:lab/evals/toy:v3"),
        ("lab/evals/toy:v3", "wandb:lab/evals/toy:v3"),
    ],
)
def test_what_looks_like_a_reference_is_understood(run, written, meant):
    done = run("show", written, check=None)

    assert f"hint: did you mean `{meant}`?" in done.stderr


@pytest.mark.parametrize("command", ["pull", "validate"])
def test_other_commands_understand_it_too(run, command):
    done = run(command, "wanbd:lab/evals/toy:v3", check=None)

    assert "hint: did you mean `wandb:lab/evals/toy:v3`?" in done.stderr


def test_slashes_after_the_colon_do_no_harm(run, kept):
    bundle_id = kept()

    assert bundle_id in run("show", "shelf://toy").stdout


def test_a_page_of_another_service_is_not_asked_for(run):
    page = "https://wandb.example.org/lab/evals/artifacts/eval-bundle/toy/v3?tab=files"

    done = run("show", page, check=2, WANDB_BASE_URL="http://127.0.0.1:9")

    assert "is a page of `wandb.example.org`" in done.stderr
    assert "`wandb:lab/evals/toy:v3`" in done.stderr


def test_the_page_of_a_run_is_told_to_be_one_and_how_its_bundle_is_named(run):
    done = run("show", "https://wandb.ai/lab/evals/runs/rkf33ccb35a1469329/overview", check=10)

    assert "`wandb:lab/evals/NAME:f33ccb35`" in done.stderr


def test_a_page_without_a_version_means_the_latest():
    page = foreign_spelling.page("https://wandb.ai/lab/evals/artifacts/eval-bundle/toy")

    assert page.reference == "wandb:lab/evals/toy:latest"


PAGE = "/lab/evals/artifacts/eval-bundle/toy/v3"


@pytest.mark.parametrize(
    ("written", "address", "belongs"),
    [
        (f"https://wandb.ai{PAGE}", "https://api.wandb.ai", True),
        (f"https://www.wandb.ai{PAGE}/files?x=1#top", "https://api.wandb.ai", True),
        (f"http://127.0.0.1:8080{PAGE}/overview", "http://127.0.0.1:8080", True),
        (f"https://wandb.example.org{PAGE}", "https://api.wandb.ai", False),
        (f"https://wandb.ai@wandb.example.org{PAGE}", "https://api.wandb.ai", False),
        (f"https://evil-wandb.ai{PAGE}", "https://api.wandb.ai", False),
    ],
)
def test_a_page_is_taken_for_the_reference_of_the_service_it_belongs_to(written, address, belongs):
    page = foreign_spelling.page(written)

    assert page.reference == "wandb:lab/evals/toy:v3"
    assert foreign_spelling.is_page_of(page, address) is belongs


@pytest.mark.parametrize("written", ["https://wandb.ai/lab/evals/runs/x", "https://[x/", "http:///a/b/artifacts/c/d/e"])
def test_another_address_is_no_page(written):
    assert foreign_spelling.page(written) is None
