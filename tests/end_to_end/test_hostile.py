"""Bad luck and bad intent: what must not happen whatever a record says or a machine lacks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle import bag, canonical, paths
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.validation import validate
from reprokit.errors import InvalidRecordError, ReprokitError
from reprokit.rerun import command


def test_a_re_run_does_not_touch_the_outputs_that_absolute_arguments_lead_to(reprokit, tmp_path):
    folder = tmp_path / "plain"
    (folder / "out").mkdir(parents=True)
    (folder / "ev.py").write_text(
        "import sys, time, json\njson.dump({'acc': time.time()}, open(sys.argv[2] + '/metrics.json', 'w'))\n"
    )
    command = ["python", folder / "ev.py", "--out", folder / "out"]
    reprokit("capture", "--results", "out/metrics.json", "--", *command, directory=folder)
    original = (folder / "out/metrics.json").read_bytes()

    refused = reprokit("reproduce", "latest", "--yes", "--env", "current", check=21)

    assert "where the original's outputs are" in refused.stderr
    assert (folder / "out/metrics.json").read_bytes() == original


def test_an_absolute_argument_that_was_not_there_is_not_written_to_again(reprokit, evaluation, tmp_path):
    new = tmp_path / "elsewhere"
    code = f"import os, sys; os.makedirs({str(new)!r}, exist_ok=True)"
    (evaluation / "make.py").write_text(code)
    reprokit("capture", "--", "python", "make.py", f"--to={new}", directory=evaluation)

    assert "may be written to" in reprokit("reproduce", "latest", "--plan", "--env", "current", check=21).stdout


@pytest.mark.parametrize("directory", ["/etc", "../../x", "a/../../x", "a\\b"])
def test_a_working_directory_outside_of_the_source_is_an_obstacle(record, directory):
    changed = record()
    invocation = msgspec.structs.replace(changed.invocation, directory_in_source=directory)

    again = command.plan(msgspec.structs.replace(changed, invocation=invocation), [])

    assert any("outside of the source" in each for each in again.obstacles)


def test_without_a_home_or_a_working_directory_the_evaluation_runs_all_the_same(reprokit, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        f"cd {gone}; rmdir {gone}; exec {shlex.quote(sys.executable)} -m reprokit capture -- sh -c 'echo ran; exit 7'"
    )
    environment = {name: value for name, value in reprokit.environment().items() if name != "HOME"}

    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("ran\n", 7)


def test_what_a_failed_run_leaves_is_only_what_it_was_told_to_write(reprokit, evaluation):
    (evaluation / ".ssh").mkdir()
    script = "echo secret >> .ssh/known_hosts; echo x > other.txt; git add -A; echo '{' > metrics.json; exit 1"

    reprokit("capture", "--results", "metrics.json", "--", "bash", "-c", script, directory=evaluation, check=1)

    harness = Path(reprokit.json("show", "latest")["path"]) / "data/harness"
    assert [path.name for path in harness.rglob("*") if path.is_file()] == ["metrics.json"]


def test_secrets_in_labels_prefixes_and_names_do_not_get_in(reprokit, evaluation):
    secret = "Zk83mQ9xW2pL7vRt5nBd"
    command = ["--", "python", "evaluate.py", "0", f"--cfg=api_key={secret},out=metrics.json"]
    label = ["--note", f"with {secret}", "--tag", f"t-{secret}"]

    reprokit("capture", *reprokit.files, *label, *command, directory=evaluation, MY_SERVICE_TOKEN=secret)

    found = subprocess.run(["grep", "-rl", secret, reprokit.archive], capture_output=True, text=True, check=False)
    log = subprocess.run(["git", "log", "-p"], cwd=reprokit.archive, capture_output=True, text=True, check=True)
    assert found.stdout == ""
    assert secret not in log.stdout
    assert reprokit("validate", "latest").stdout.endswith(": whole\n")


def test_deeply_nested_and_oversized_records_are_refused_in_our_own_words(make_bundle):
    deep = make_bundle().path / "data/results.json"
    deep.chmod(0o644)
    deep.write_bytes(b"[" * 200_000)

    with pytest.raises(InvalidRecordError):
        _ = open_bundle(deep.parents[1]).results
    assert {"E101", "E201"} <= {finding.code for finding in validate(deep.parents[1])}


def test_a_compressed_bomb_in_place_of_samples_is_not_unpacked_whole(make_bundle):
    sealed = make_bundle(samples=[])
    target = sealed.path / "data/samples/toy.jsonl"
    target.chmod(0o644)
    target.write_bytes(zstandard.compress(b"x" * 1_000_000))

    assert {"E101", "E203"} <= {finding.code for finding in validate(sealed.path)}


def test_a_pipe_in_a_bundle_is_a_finding_and_nothing_waits_for_it(make_bundle):
    folder = make_bundle().path
    (folder / "data/results.json").unlink()
    os.mkfifo(folder / "data/results.json")

    assert "E105" in {finding.code for finding in validate(folder)}
    with pytest.raises(ReprokitError):
        _ = open_bundle(folder).results


def test_a_time_that_is_none_does_not_stop_a_reader(make_bundle, record):
    changed = record()
    run = msgspec.structs.replace(changed.run, started="2026-99-99T99:99:99Z")
    sealed = make_bundle(record=msgspec.structs.replace(changed, run=run))

    assert sealed.bundle_id.startswith("undated-")
    assert list(validate(sealed.path)) == []


def test_names_of_thousands_of_characters_are_refused():
    assert not paths.is_safe("a" * 5000)
    assert not paths.is_safe("/".join(["a" * 200] * 20))
    with pytest.raises(ValueError, match="leads out"):
        bag.parse_manifest(f"{'0' * 64}  data/{'a' * 5000}\n".encode())


names = st.lists(
    st.sampled_from(["a", "A", "a?", "a*", "b", "B", "con", "x.json", "X.json", "x.json.zst", "é"]),
    min_size=1,
    max_size=3,
)


@given(st.lists(names.map("/".join).map(PurePosixPath), unique=True, max_size=12))
def test_stored_names_never_clash_even_where_case_does_not_count(wanted):
    taken: dict[str, str] = {}
    stored = []
    for path in wanted:
        stored.append(paths.storable(path, taken))
        paths.take(stored[-1], taken)

    lower = [name.lower() for name in stored]
    folders = {str(parent) for name in stored for parent in PurePosixPath(name).parents if parent.name}
    assert len(set(lower)) == len(lower)
    assert not set(lower) & {folder.lower() for folder in folders}
    assert len({folder.lower() for folder in folders}) == len(folders)
    assert all(paths.is_safe(name) for name in stored)


def test_canonical_decoding_of_nesting_without_end_is_a_decoding_error():
    with pytest.raises(msgspec.DecodeError):
        canonical.decode(b"[" * 200_000, object)


def test_a_secret_in_a_binary_change_or_an_escaped_sample_does_not_get_in(reprokit, evaluation):
    secret = "Zk83mQ9xW2pL7v+Rt5nBd"
    (evaluation / "weights.bin").write_bytes(b"\0" + secret.encode())
    (evaluation / ".env").write_text("DB_PASSWORD=hunter-two\n")
    source = (evaluation / "evaluate.py").read_text()
    escaped = secret.replace("+", "\\\\u002B")
    (evaluation / "evaluate.py").write_text(
        source + f"\nopen('predictions.jsonl', 'a').write('{{\"id\": 99, \"response\": \"{escaped}\"}}\\n')\n"
    )

    done = reprokit(
        "capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation, MY_SERVICE_TOKEN=secret
    )
    folder = Path(reprokit.json("show", "latest")["path"]) / "data"

    assert "W312" in done.stderr
    assert not list(folder.glob("source/*.patch"))
    assert b"hunter-two" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert secret not in "".join(path.read_text(errors="replace") for path in folder.rglob("*.jsonl"))
    assert "kept out of the bundle" in reprokit("reproduce", "latest", "--plan", "--env", "current", check=21).stdout
