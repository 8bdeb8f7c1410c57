"""What tests of several layers share: small real bundles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest

from reprokit.archive import creation, publication, registration
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed
from reprokit.rerun import script

# No test is timed: a busy machine is no failure. In CI, hypothesis knows that by itself.
hypothesis.settings.register_profile("unhurried", deadline=None)
if not os.environ.get("CI"):
    hypothesis.settings.load_profile("unhurried")


def a_record(**changes: Any) -> Record:
    """A record of a small finished run."""
    record = Record(
        origin="live",
        invocation=Invocation(
            argv=["lm_eval", "--model", "dummy", "--output_path", "out"],
            program="/home/ada/venv/bin/lm_eval",
            program_in="environment",
            working_directory="/home/ada/evals",
            environment_variables=[],
        ),
        run=Run(
            started="2026-11-23T03:15:47Z",
            ended="2026-11-23T03:16:47Z",
            exit_code=0,
            complete=True,
            host="box",
        ),
        harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
        subject=Subject(
            models=[SubjectPart(name="toy-org/tiny-gpt2", revision=Unknown(unknown="local"), learnt_from="claim")]
        ),
        sources=[],
    )
    return msgspec.structs.replace(record, **changes)


def some_samples(task: str, count: int) -> list[Sample]:
    """Samples whose score alternates."""
    return [
        Sample(task=task, id=number, document={"n": number}, responses=[f"r{number}"], scores={"acc": number % 2})
        for number in range(count)
    ]


BundleMaker = Callable[..., Sealed]


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    """Give a function that seals a small, valid bundle in a folder of its own."""
    made = 0

    def make(
        folder: Path | None = None,
        *,
        record: Record | None = None,
        samples: Iterable[Sample] | None = None,
        harness_files: dict[str, bytes] | None = None,
        label: Label | None = None,
        captured: str = "2026-11-24T00:00:00Z",
    ) -> Sealed:
        nonlocal made
        made += 1
        folder = folder or tmp_path / f"bag-{made}"
        folder.mkdir(parents=True, exist_ok=True)
        payload = Payload(bag=folder)
        rows = list(samples if samples is not None else some_samples("toy", 4))
        results = Results(
            metrics=[Metric(task="toy", metric="acc", value=0.5, stderr=0.25, n=len(rows), higher_is_better=True)],
            tasks=[Task(name="toy", samples_saved=len(rows), samples_file="samples/toy.jsonl")],
        )
        environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made by a test"))
        for name, data in (harness_files or {"harness/results.json": b'{"acc": 0.5}\n'}).items():
            payload.add(name, "harness", data)
        payload.add("samples/toy.jsonl", "samples", (canonical.line(row) + b"\n" for row in rows))
        payload.add("results.json", "results", canonical.record(results))
        payload.add("environment/environment.json", "environment", canonical.record(environment))
        payload.add("environment/requirements.lock", "environment", b"# nothing is known\n")
        return payload.seal(
            record or a_record(),
            results=results,
            script=lambda record: script.text(record, environment, []),
            label=label or Label(),
            captured=captured,
            agent="reprokit-eval test",
        )

    return make


# --- archives ---------------------------------------------------------------------------------------------------------

FOREIGN = ("GIT_", "DVC_", "XDG_", "REPROKIT_", "AWS_", "SSH_")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, so that no settings or keys of the person's are met."""
    home = tmp_path / "own-home"
    home.mkdir(exist_ok=True)
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc-site"))
    return home


@pytest.fixture(scope="session")
def new_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    with pytest.MonkeyPatch.context() as changed:
        # Its first commit is to be nobody's, as it is where git knows no name.
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            changed.delenv(name)
        changed.setenv("HOME", str(folder))
        return creation.create(folder / "archive").root


@pytest.fixture
def archive(tmp_path: Path, new_archive: Path) -> Archive:
    """A new archive: a copy, since making one takes a while."""
    return Archive(shutil.copytree(new_archive, tmp_path / "archive", symlinks=True))


@pytest.fixture
def publish(make_bundle: BundleMaker, archive: Archive) -> Callable[..., str]:
    """Give a function that publishes a bundle whose content follows from a word, and tells its id."""

    def publish_one(word: str = "one", *, into: Archive = archive, fold: bool = False, **how: Any) -> str:
        staging = publication.stage(into)
        how.setdefault("harness_files", {"harness/results.json": f'{{"word": "{word}"}}\n'.encode()})
        make_bundle(staging / publication.BAG, **how)
        published = publication.publish(into, staging)
        if fold:
            assert registration.fold(into).left == ()
        return published.bundle_id

    return publish_one


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(name="snapshot")
def snapshot_of_a_folder() -> Callable[[Path], dict[str, bytes]]:
    return snapshot


# --- running the real command line -------------------------------------------------------------------------------------

EVALUATE = '''\
"""A small evaluation of our own: answers sums, some of them wrongly, and writes what reprokit reads."""

import json
import sys

from answers import OFFSET

seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
rows = []
for number in range(6):
    answer = number + number + (OFFSET if (number + seed) % 3 == 0 else 0)
    rows.append({"id": number, "prompt": f"{number}+{number}=", "target": str(2 * number), "response": str(answer),
                 "scores": {"exact_match": float(answer == 2 * number)}})
with open("predictions.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\\n" for row in rows)
score = sum(row["scores"]["exact_match"] for row in rows) / len(rows)
with open("metrics.json", "w") as file:
    json.dump({"sums": {"exact_match": score}}, file)
print("score", score)
print("a word of warning", file=sys.stderr)
'''


@dataclass(frozen=True)
class CommandLine:
    """Runs `reprokit` as a program, in a home of its own."""

    home: Path
    files: tuple[str, ...] = ("--results", "metrics.json", "--samples", "predictions.jsonl")

    def environment(self, **more: str) -> dict[str, str]:
        """The variables it runs with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPROKIT", "XDG_", "GIT_"))}
        bin_folder = str(Path(sys.executable).parent)
        own = {
            "HOME": str(self.home),
            "PATH": f"{bin_folder}:{kept['PATH']}",
            "REPROKIT_ARCHIVE": str(self.archive),
            "UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
        }
        return kept | own | more

    @property
    def archive(self) -> Path:
        """The archive it uses."""
        return self.home / "archive"

    def __call__(
        self, *arguments: str | Path, directory: Path | None = None, check: int | None = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it; `check` is the exit status that is expected."""
        done = subprocess.run(
            [sys.executable, "-m", "reprokit", *map(str, arguments)],
            cwd=directory or self.home,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=280,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str | Path, check: int | None = 0) -> Any:
        """Run it with `--json` and decode what it printed."""
        return msgspec.json.decode(self(*arguments, "--json", check=check).stdout)


@pytest.fixture(scope="session")
def move_in(new_archive: Path) -> Callable[..., CommandLine]:
    """Give a function that makes a home with an archive in it, a new one or a copy, and gives its command line."""

    def make(home: Path, archive: Path = new_archive) -> CommandLine:
        home.mkdir(exist_ok=True)
        command_line = CommandLine(home)
        shutil.rmtree(command_line.archive, ignore_errors=True)
        shutil.copytree(archive, command_line.archive, symlinks=True)
        return command_line

    return make


@pytest.fixture
def reprokit(tmp_path: Path, move_in: Callable[..., CommandLine]) -> CommandLine:
    """Give the command line with an archive of its own, which is as `init` makes it."""
    return move_in(tmp_path / "home")


def run_git(directory: Path, *arguments: str) -> str:
    """Run git as a person would, and return what it printed."""
    own = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *own, *arguments], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def an_evaluation(folder: Path) -> Path:
    """Make a repository of a person's own that holds a small evaluation, with an uncommitted change."""
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    (folder / "evaluate.py").write_text(EVALUATE)
    (folder / "answers.py").write_text("OFFSET = 0\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    run_git(folder, "add", "-A")
    run_git(folder, "commit", "-qm", "An evaluation")
    (folder / "answers.py").write_text("OFFSET = 1\n")
    return folder


@pytest.fixture(scope="session")
def make_evaluation() -> Callable[[Path], Path]:
    """Give a function that makes the small evaluation in a folder."""
    return an_evaluation


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """Give a repository of a person's own that holds a small evaluation, with an uncommitted change."""
    return an_evaluation(tmp_path / "my-evals")


def capture(command_line: CommandLine, evaluation: Path) -> str:
    """Capture the small evaluation live; gives the id of the bundle."""
    command_line("capture", *command_line.files, "--", "python", "evaluate.py", directory=evaluation)
    return str(command_line.json("list")[-1]["id"])


@pytest.fixture(scope="session")
def archive_with_a_capture(
    tmp_path_factory: pytest.TempPathFactory, move_in: Callable[..., CommandLine]
) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("captured")
    evaluation, command_line = an_evaluation(folder / "my-evals"), move_in(folder / "home")
    bundle_id = capture(command_line, evaluation)
    # No test is to find the checkout where the record says that it was.
    shutil.rmtree(evaluation)
    return command_line.archive, bundle_id


@pytest.fixture
def captured(
    reprokit: CommandLine, move_in: Callable[..., CommandLine], archive_with_a_capture: tuple[Path, str]
) -> str:
    """Give the id of a bundle of the small evaluation, captured live; its checkout is gone."""
    archive, bundle_id = archive_with_a_capture
    move_in(reprokit.home, archive)
    return bundle_id


@pytest.fixture
def captured_here(reprokit: CommandLine, evaluation: Path) -> str:
    """Give the id of a bundle of the small evaluation, captured live in the checkout that the test has."""
    return capture(reprokit, evaluation)


@pytest.fixture
def git() -> Callable[..., str]:
    """Give a function that runs git in a folder and returns what it printed."""
    return run_git


@pytest.fixture
def record() -> Callable[..., Record]:
    """Give a function that makes a record, changed as asked."""
    return a_record


@pytest.fixture
def samples() -> Callable[[str, int], list[Sample]]:
    """Give a function that makes samples of a task."""
    return some_samples


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what was not run must not look as if it passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
