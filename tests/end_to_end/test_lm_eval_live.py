"""The main job on a real harness: lm-eval 0.4.13 in an environment of its own, captured, checked and reproduced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("lm_eval")

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / ".demo/lm-eval/bin"
COMMAND = (
    "lm_eval", "run", "--model", "dummy", "--model_args", "model=toy-org/guesser", "--seed", "7", "--tasks",
    "toy_arithmetic", "--include_path", "tasks", "--output_path", "results", "--log_samples",
)  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Capture one real run, for all tests of this module; gives its payload folder and its repository."""
    if not (HARNESS / "lm_eval").exists():
        pytest.fail("lm-eval is not installed: run `make test`")
    home = tmp_path_factory.mktemp("live")
    evals = home / "evals"
    shutil.copytree(ROOT / "examples/lm_eval_arithmetic", evals)
    environment = {
        "HOME": str(home),
        "PATH": f"{HARNESS}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "REPROKIT_ARCHIVE": str(home / "archive"),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(home / "hf"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "PYENV", "SSL_"))},
    }
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Toy tasks"]):
        subprocess.run([*git, *arguments], cwd=evals, env=environment, check=True)
    (evals / "tasks/larger.yaml").write_text((evals / "tasks/larger.yaml").read_text() + "# an uncommitted change\n")

    def reprokit(*arguments: object, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "reprokit", *map(str, arguments)],
            cwd=evals, env=environment, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    reprokit("init", environment["REPROKIT_ARCHIVE"])
    reprokit("capture", "--", *COMMAND)
    shown = json.loads(reprokit("show", "latest", "--json"))
    return Path(shown["path"]), shown, reprokit, environment


def test_a_real_run_is_captured_whole(live):
    _, shown, _, _ = live
    record, results = shown["record"], shown["results"]

    assert record["run"]["complete"] is True
    assert record["findings"] == []
    assert {(row["task"], row["metric"], row["filter"]) for row in results["metrics"]} == {
        ("larger", "acc", "none"),
        ("sums", "exact_match", "first-number"),
        ("sums", "exact_match", "as-is"),
    }
    assert {task["name"]: task["samples_saved"] for task in results["tasks"]} == {"larger": 8, "sums": 12}
    assert record["harness"]["version"] == "0.4.13"
    assert record["harness"]["version_from"] == "environment"
    assert record["invocation"]["program_in"] == "environment"
    assert record["sources"][0]["dirty"] is True


def test_the_environment_is_that_of_the_harness_and_not_reprokit_s_own(live):
    path, _, _, _ = live
    environment = json.loads((path / "data/environment/environment.json").read_bytes())
    lock = (path / "data/environment/requirements.lock").read_text()
    names = {package["name"] for package in environment["packages"]}

    assert environment["learnt_from"] == "probe"
    assert environment["interpreter"]["prefix"] == str(HARNESS.parent)
    assert "datasets" in names
    assert "msgspec" not in names
    assert "lm-eval==0.4.13\n" in lock
    assert "://" not in lock


def test_every_record_passes_other_peoples_checkers(live):
    path, _, _, _ = live
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    records = {
        "bundle": "bundle.json",
        "results": "results.json",
        "environment": "environment/environment.json",
        "source": "source/*.json",
    }

    for schema, pattern in records.items():
        for record in (path / "data").glob(pattern):
            check = [checker, "--schemafile", str(ROOT / f"schemas/v1/{schema}.schema.json"), str(record)]
            assert subprocess.run(check, capture_output=True, check=False).returncode == 0, record
    assert subprocess.run(["sha256sum", "--quiet", "-c", "manifest-sha256.txt"], cwd=path, check=False).returncode == 0
    bag = subprocess.run([sys.executable, "-m", "bagit", "--validate", str(path)], capture_output=True, check=False)
    assert bag.returncode == 0, bag.stderr


def test_the_harness_s_files_are_kept_byte_for_byte(live):
    path, _, _, environment = live
    written = Path(environment["HOME"]) / "evals/results"
    kept = path / "data/harness"

    files = sorted(file.relative_to(written) for file in written.rglob("*") if file.is_file())
    assert files
    assert files == sorted(file.relative_to(kept) for file in kept.rglob("*") if file.is_file())
    assert all((written / file).read_bytes() == (kept / file).read_bytes() for file in files)


def test_reproducing_it_gives_identical_samples_in_a_linked_bundle(live):
    path, shown, reprokit, _ = live
    original = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}

    result = json.loads(reprokit("reproduce", shown["id"], "--yes", "--allow-sdist", "--json"))
    again = json.loads(reprokit("show", result["reproduced_as"], "--json"))

    assert result["verdict"] == "identical samples"
    assert result["difference"]["setup"] == []
    assert again["record"]["reproduces"] == shown["identity"]
    assert again["record"]["sources"][0]["tree"] == shown["record"]["sources"][0]["tree"]
    assert original == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    reprokit("validate", "--all")
    reprokit("diff", shown["id"], result["reproduced_as"])


def test_somebody_else_reproduces_it_from_the_packed_bundle_alone(live, tmp_path):
    path, shown, _, environment = live
    packed, other = tmp_path / "run.tar.gz", tmp_path / "bob"
    subprocess.run(["tar", "-czf", packed, "-C", path.parent, path.name], check=True)
    home, gone = Path(environment["HOME"]), Path(environment["HOME"]).with_name("gone")
    theirs = {**environment, "HOME": str(other), "USER": "bob", "HF_HOME": str(other / "hf")}
    theirs["REPROKIT_ARCHIVE"] = str(other / "archive")
    other.mkdir()
    command = [sys.executable, "-m", "reprokit"]
    subprocess.run([*command, "init", other / "archive"], cwd=other, env=theirs, check=True, capture_output=True)

    home.rename(gone)
    try:
        words = ["reproduce", packed, "--yes", "--allow-sdist", "--json"]
        done = subprocess.run(
            [*command, *words], cwd=other, env=theirs, capture_output=True, text=True, check=False, timeout=280
        )
    finally:
        gone.rename(home)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"], result["deltas"]) == ("identical samples", [])
    assert result["original"] == shown["id"]


def test_a_smoke_test_evaluates_the_chosen_samples_and_no_others(live):
    _, shown, reprokit, _ = live
    words = ("reproduce", shown["id"], "--tier", "smoke", "--samples", "3", "--env", "current", "--yes", "--json")

    # The dummy model's answers depend on how many there are: what is compared counts here, and not the verdict.
    try:
        result = json.loads(reprokit(*words))
    except AssertionError:
        result = json.loads(reprokit(*words, status=1))

    compared = {task["task"]: task for task in result["difference"]["samples"]}
    assert {name: task["compared"] for name, task in compared.items()} == {"larger": 3, "sums": 6}
    assert all(task["only_in_a"] == task["only_in_b"] == 0 for task in compared.values())
    again = json.loads(reprokit("show", result["reproduced_as"], "--json"))
    assert {task["name"]: task["samples_saved"] for task in again["results"]["tasks"]} == {"larger": 3, "sums": 6}
    assert not any("--samples" in delta["what"] for delta in result["deltas"])


def test_the_bundle_s_own_script_gives_the_same_samples_without_reprokit(live, tmp_path):
    path, shown, _, environment = live
    # Only git, uv and the system: neither reprokit nor the harness's environment is on PATH.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    plain = {**environment, "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    plain["PYTHON"] = str(Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}")
    plain.pop("REPROKIT_ARCHIVE")
    alone = tmp_path / "alone"
    shutil.copytree(path, alone)

    done = subprocess.run(
        ["bash", alone / "data/reproduce.sh", tmp_path / "workspace"],
        env=plain,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )

    assert done.returncode == 0, done.stderr
    for task in ("larger", "sums"):
        (first,) = (path / "data/harness").rglob(f"samples_{task}_*")
        (second,) = (tmp_path / "workspace/outputs").rglob(f"samples_{task}_*")
        assert first.read_bytes() == second.read_bytes()
    assert shown["id"] not in (alone / "data/reproduce.sh").read_text()
