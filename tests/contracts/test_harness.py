"""What every harness adapter owes, whatever it reads: subclass `HarnessContract` for a new one."""

import ast
import copy
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import reprokit.harnesses
from reprokit.bundle import canonical
from reprokit.bundle.finding import CATALOGUE, Finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Subject
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.script import Script

RECORDED = Path(__file__).parents[1] / "recorded"

SLOT = "\0007\000"
REVISIONS = {"org/m": "0123456789abcdef0123456789abcdef01234567"}
WORDS = st.text(max_size=6).filter(lambda word: "\0" not in word) | st.sampled_from([
    "lm_eval", "lmms_eval", "python", "-m", "run", "--model", "hf", "llava_hf", "vllm", "--model_args", "-a",
    "pretrained=org/m", "pretrained=org/m,revision=main", "tokenizer=org/t", '{"pretrained": "org/m"}', "--limit", "-L3",
    "--limit=2", "--offset", "1", "--samples", "-E", "--use_cache", "-c", SLOT, "token=" + SLOT, "--wandb_args",
    "--hf_hub_log_args", "output_path=out", "--output_path", "-o", "--log_samples", "-sx", "-scx", "--cache_requests",
    "--config", "--", "-",
])  # fmt: skip
HOSTILE = st.sampled_from([
    None, True, 0, -1, 1e300, "", "--trust_remote_code", "-c", "a\0b", SLOT, "two\nlines", "x" * 5000, [], [[]], {},
    {"a": {"b": []}}, ["--x", 1], "api_key=[REDACTED],x=1", "[REDACTED]", "\x1b[2J", ",,=,", '{"a":', "auto", "a/../..",
])  # fmt: skip

# Every subclass runs the property with an adapter of its own, which is what the check would warn of.
each_subclass = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class HarnessContract:
    """The obligations of `reprokit.harnesses.interface.Harness`.

    `recorded` is a whole run under `tests/recorded/`, `harness` makes the adapter for a place.
    """

    recorded: str

    def harness(self, place):
        """Make the adapter; one that is told its files is told those under `place`."""
        raise NotImplementedError

    def read_all(self, place, places=None):
        """Do with a place all that a capture does."""
        harness = self.harness(place)
        found = []
        for run in harness.find([place] if places is None else places):
            reading = harness.read(run)
            rows = {task.name: list(harness.samples(run, task.name)) for task in reading.results.tasks}
            self.check(run, reading, rows)
            found.append((run, reading, rows))
        return found

    def check(self, run, reading, rows):
        """Hold what was read against the types, and against what a bundle can store."""
        for value, kind in ((reading.harness, HarnessRecord), (reading.subject, Subject), (reading.results, Results)):
            assert canonical.line(canonical.decode(canonical.line(value), kind)) == canonical.line(value)
        told = [*reading.findings, *(row for found in rows.values() for row in found)]
        for row in told:
            assert canonical.line(canonical.decode(canonical.line(row), type(row))) == canonical.line(row)
        for found in (row for row in told if isinstance(row, Finding)):
            assert found.code in CATALOGUE
            assert found.where
            assert "\n" not in found.message
        for file in run.files:
            assert not file.is_absolute()
            assert ".." not in file.parts
            assert (run.root / file).is_file()
        for task in reading.results.tasks:
            assert task.samples_saved == sum(isinstance(row, Sample) for row in rows[task.name])
            assert (task.samples_file is None) == (task.name not in reading.sample_files)
        assert set(reading.sample_files.values()) <= set(run.samples)
        for task, samples in rows.items():
            keys = [(row.id, row.epoch, row.filter) for row in samples if isinstance(row, Sample)]
            assert len(set(keys)) == len(keys)
            assert {row.task for row in samples if isinstance(row, Sample)} <= {task}

    def copied(self, to):
        shutil.copytree(RECORDED / self.recorded, to)
        return to

    def files(self, place):
        return sorted(path for path in place.rglob("*") if path.is_file())

    def test_a_whole_run_is_read(self, tmp_path):
        ((run, reading, rows),) = self.read_all(self.copied(tmp_path / "run"))
        assert reading.complete
        assert reading.results.metrics
        assert any(rows.values())
        assert run.files

    def test_reading_twice_gives_the_same(self, tmp_path):
        place = self.copied(tmp_path / "run")
        assert self.read_all(place) == self.read_all(place)

    def test_reading_writes_nothing(self, tmp_path):
        place = self.copied(tmp_path / "run")
        before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.files(tmp_path)}
        self.read_all(place)
        assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in self.files(tmp_path)} == before

    @pytest.mark.parametrize("place", ["nothing", "nothing.json", "a\0b", "x" * 5000, "file/below", "empty"])
    def test_a_place_without_a_run_holds_none(self, tmp_path, place):
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("")
        assert self.read_all(tmp_path / "empty", [tmp_path / place]) == []
        assert self.harness(tmp_path / "empty").find([]) == []

    def test_links_are_not_followed_and_loops_do_no_harm(self, tmp_path):
        place = tmp_path / "place"
        place.mkdir()
        (place / "out").symlink_to(self.copied(tmp_path / "run"))
        (place / "self").symlink_to(place)
        (place / "nowhere").symlink_to(tmp_path / "nothing")
        (place / "loop").symlink_to(place / "loop")
        for file in self.files(tmp_path / "run"):
            (place / file.name).symlink_to(file)
        assert self.harness(tmp_path / "none").find([place, place / "loop", place / "nowhere"]) == []

    def test_a_run_is_found_once_however_often_its_place_is_named(self, tmp_path):
        place = self.copied(tmp_path / "run")
        named = [place, place, *self.files(place)]
        assert len(self.harness(place).find(named)) == 1

    def test_equal_outputs_in_other_places_read_the_same(self, tmp_path):
        ((here, first, rows),) = self.read_all(self.copied(tmp_path / "a"))
        ((there, second, others),) = self.read_all(self.copied(tmp_path / "deep/er/b"))
        assert (here.files, first, rows) == (there.files, second, others)

    def test_a_file_that_was_cut_short_anywhere_never_raises(self, tmp_path):
        place = self.copied(tmp_path / "run")
        for file in self.files(place):
            whole = file.read_bytes()
            step = max(1, len(whole) // 25)
            for length in sorted({*range(8), *range(8, len(whole), step), len(whole) - 2}):
                file.write_bytes(whole[:length])
                ((_, reading, _),) = self.read_all(place)
                assert not reading.complete
            file.write_bytes(whole)

    @pytest.mark.parametrize(
        "content", [b"", b"\x00" * 100, b"\xff\xfe\n\xff", b"null", b"[]", b"{}", b"[1]\n", b"{}\n" * 9]
    )
    def test_files_that_hold_something_else_never_raise(self, tmp_path, content):
        place = self.copied(tmp_path / "run")
        for file in self.files(place):
            whole = file.read_bytes()
            file.write_bytes(content)
            self.read_all(place)
            file.write_bytes(whole)
        for file in self.files(place):
            file.write_bytes(content)
        self.read_all(place)

    @each_subclass
    @given(data=st.data())
    def test_flipped_bytes_never_raise(self, tmp_path_factory, data):
        place = self.copied(tmp_path_factory.mktemp("flipped") / "run")
        file = data.draw(st.sampled_from(self.files(place)))
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        file.write_bytes(bytes(content))
        self.read_all(place)

    def test_files_that_are_gone_when_they_are_read_never_raise(self, tmp_path):
        place = self.copied(tmp_path / "run")
        harness = self.harness(place)
        (run,) = harness.find([place])
        tasks = [task.name for task in harness.read(run).results.tasks]
        shutil.rmtree(place)
        reading = harness.read(run)
        assert not reading.complete
        assert "W302" in {found.code for found in reading.findings}
        for task in tasks:
            assert all(isinstance(row, Finding) for row in harness.samples(run, task))

    @pytest.mark.parametrize(
        "argv", [[], [""], ["--"], ["\udcff"], ["python"], ["env", "-"], ["srun", "-n"], ["uv", "run", "--with"]]
    )
    def test_any_command_line_may_be_asked_about(self, tmp_path, argv):
        harness = self.harness(tmp_path)
        assert not harness.recognises(argv)
        assert all(output.argument is None for output in harness.outputs(argv))

    @each_subclass
    @given(
        argv=st.lists(
            st.text(max_size=8)
            | st.sampled_from(["python", "-m", "env", "lm_eval", "lmms_eval", "-o", "--output_path"])
        )
    )
    def test_an_output_says_where_its_command_names_it(self, argv):
        for output in self.harness(Path("/nowhere")).outputs(argv):
            assert output.argument is None or argv[output.argument] == output.prefix + output.path

    @each_subclass
    @given(argv=st.lists(WORDS, max_size=9), chosen=st.lists(st.integers(0, 9), min_size=1))
    def test_a_changed_command_line_keeps_what_is_not_the_harness_s_and_changes_once(self, argv, chosen):
        harness = self.harness(Path("/nowhere"))
        local = harness.local(argv)
        pinned = harness.pinned(local.argv, REVISIONS)
        told = harness.subset(pinned.argv, {"task": chosen})
        for changed in (local.argv, pinned.argv, *(() if isinstance(told, Unknown) else (told.argv,))):
            assert harness.recognises(changed) == harness.recognises(argv)
            assert not [word for word in changed if "\0" in word and SLOT not in word]
        assert harness.local(local.argv).argv == local.argv
        assert harness.local(local.argv).dropped == ()
        assert harness.pinned(pinned.argv, REVISIONS) == pinned
        assert pinned.names <= set(REVISIONS)
        if not harness.recognises(argv):
            assert list(pinned.argv) == argv
        if not isinstance(told, Unknown):
            assert set(told.samples) == {"task"}
            assert harness.subset(told.argv, {"task": chosen}) == told

    def test_a_rebuilt_command_line_starts_the_harness_and_names_its_outputs(self, tmp_path):
        place = self.copied(tmp_path / "run")
        harness = self.harness(place)
        (run,) = harness.find([place])
        rebuilt = harness.rebuilt(run)
        if isinstance(rebuilt, Unknown):
            assert rebuilt.unknown
            return
        assert harness.recognises(rebuilt.argv)
        assert len(harness.outputs(rebuilt.argv)) == 1
        assert harness.local(rebuilt.argv).argv == rebuilt.argv

    @each_subclass
    @given(data=st.data())
    def test_no_results_file_rebuilds_more_than_words(self, tmp_path_factory, data):
        place = self.copied(tmp_path_factory.mktemp("hostile") / "run")
        harness = self.harness(place)
        (run,) = harness.find([place])
        document = json.loads((run.root / run.results).read_text())
        for _ in range(data.draw(st.integers(1, 3))):
            table = document
            while isinstance(table, dict) and table:
                key = data.draw(st.sampled_from(sorted(table)))
                if not isinstance(table[key], dict) or not table[key] or data.draw(st.booleans()):
                    table[key] = copy.deepcopy(data.draw(HOSTILE))
                    break
                table = table[key]
        (run.root / run.results).write_text(json.dumps(document))
        rebuilt = harness.rebuilt(run)
        if isinstance(rebuilt, Unknown):
            return
        command = " ".join(rebuilt.argv)
        for name in rebuilt.secrets:
            command = command.replace(f"\0{name}\0", "")
        assert "\0" not in command
        assert all(line.isprintable() for line in rebuilt.lost)
        assert harness.recognises(rebuilt.argv)
        assert len(harness.outputs(rebuilt.argv)) == 1


class TestLmEval(HarnessContract):
    recorded = "lm_eval/0.4.13/dummy_in_git"

    def harness(self, place):
        return LmEval()


class TestLmmsEval(HarnessContract):
    recorded = "lmms_eval/0.7.3/two_tasks"

    def harness(self, place):
        return LmmsEval()


class TestScript(HarnessContract):
    recorded = "script/1/flat"

    def harness(self, place):
        there = place.is_dir() and any(place.iterdir())
        return Script(place / "toy.json", [place / "predictions.jsonl"]) if there else Script()


def test_no_adapter_imports_a_harness_or_starts_a_program():
    (folder,) = reprokit.harnesses.__path__
    imported = set()
    for file in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    standard = {
        "ast",
        "operator",
        "functools",
        "__future__",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "hashlib",
        "json",
        "math",
        "os",
        "pathlib",
        "posixpath",
        "re",
        "stat",
        "typing",
        "zoneinfo",
    }
    assert imported <= standard | {"msgspec", "reprokit"}


def test_the_contract_sees_a_sample_that_cannot_be_stored():
    with pytest.raises(msgspec.ValidationError):
        canonical.decode(canonical.line(Sample(task="t", id=1, epoch=0)), Sample)
