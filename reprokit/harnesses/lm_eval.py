"""lm-eval (EleutherAI's lm-evaluation-harness): the files it writes, from 0.4.3 on.

With `--output_path FOLDER` it writes `FOLDER/<model>/results_<time>.json` and, with `--log_samples`, one
`samples_<task>_<time>.jsonl` per task beside it; with `--output_path X.json` it writes `X_<time>.json` and the samples
beside it, in no model folder. The time, local and to the microsecond, is all that joins the files of a run. It saves at
the very end, and a full disk leaves files cut short with exit status 0.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reprokit import clock
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Output
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, Unknown
from reprokit.harnesses import command_line
from reprokit.harnesses.command_lines import dropping
from reprokit.harnesses.command_lines import lm_eval as own_command_line
from reprokit.harnesses.command_lines import lm_eval_rebuilt as rebuilding
from reprokit.harnesses.evaluation_reading import Dialect, is_results, model_folder, read_evaluation
from reprokit.harnesses.found_files import (
    by_stamp,
    by_task,
    is_regular,
    listings,
    names_in,
    relative,
    root_above,
    where,
)
from reprokit.harnesses.interface import FoundRun, Local, Pinned, Reading, Rebuilt, SampleId, Subset
from reprokit.harnesses.lm_eval_sample import sample_of
from reprokit.harnesses.loose_json import Line, lines, load
from reprokit.harnesses.sample_lines import Repeats, filter_of

_NAMES = frozenset({"lm_eval", "lm-eval", "lm_eval.__main__"})
_TIME = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d{6})?"
_STAMP = re.compile(rf"_({_TIME})(?=\.)")
_SAMPLES = re.compile(rf"samples_(?P<task>.+)_{_TIME}\.jsonl", re.DOTALL)
_MODEL_KEYS = ("pretrained", "model", "path", "engine")


class LmEval:
    """The adapter for lm-eval."""

    name = "lm_eval"

    def recognises(self, argv: Sequence[str]) -> bool:
        """See `command_line` for the rule; `lm_eval`, `lm-eval` and `python -m lm_eval` are what it looks for."""
        return command_line.start_of(argv, _NAMES) is not None

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """Return the place of `--output_path` or `-o`, the last one given; one in a `--config` file is not seen."""
        start = command_line.start_of(argv, _NAMES)
        place = None if start is None else command_line.output_place(argv, start, short="-o")
        if place is None and start is not None:
            place = own_command_line.hub_output(argv, start)
        return [place] if place else []

    def find(self, places: Sequence[Path]) -> list[FoundRun]:
        """Find runs under folders, a run by one of its files, and the runs of an `X.json` given as output path.

        The relative paths start above the model's folder. When the results cannot be read, the folder is taken for the
        model's. Runs are ordered by their time stamps. Only for a file that is named itself, the content alone decides:
        a results file that somebody renamed is a run without samples.
        """
        found: dict[tuple[str, str], FoundRun] = {}
        for place in places:
            for folder, run in _runs_at(place):
                found.setdefault((os.path.realpath(folder), run.key), run)
        return sorted(found.values(), key=lambda run: (run.key, str(run.root), run.files))

    def read(self, run: FoundRun) -> Reading:
        """See `read_evaluation`."""
        return read_evaluation(run, by_task(run.samples, _SAMPLES), _DIALECT)

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream one sample for every document and filter, in the order of the file.

        See `lm_eval_sample` for what becomes of each member. A document that stands there twice for one filter gets
        the next epoch, and a finding at the end tells of it.
        """
        path = by_task(run.samples, _SAMPLES).get(task)
        if path is None:
            return
        repeats = Repeats(where=where(path), task=task)
        for line in lines(run.root / path, where(path), key="doc_id"):
            if isinstance(line, Finding):
                yield line
            else:
                epoch = repeats.epoch(line, line.value["doc_id"], filter_of(line.value))
                yield sample_of(task, line.value, epoch)
        yield from repeats.findings()

    def pinned(self, argv: Sequence[str], revisions: Mapping[str, str]) -> Pinned:
        """See `own_command_line.with_revisions`."""
        start = command_line.start_of(argv, _NAMES)
        if start is None:
            return Pinned(argv=tuple(argv), names=frozenset())
        return own_command_line.with_revisions(argv, start, revisions)

    def subset(self, argv: Sequence[str], samples: Mapping[str, Sequence[SampleId]]) -> Subset | Unknown:
        """See `own_command_line.with_samples`."""
        start = command_line.start_of(argv, _NAMES)
        if start is None:
            return Unknown(unknown=f"the command line does not start {self.name}")
        return own_command_line.with_samples(argv, start, samples)

    def local(self, argv: Sequence[str]) -> Local:
        """See `dropping.REASONS`."""
        start = command_line.start_of(argv, _NAMES)
        if start is None:
            return Local(argv=tuple(argv))
        place = own_command_line.hub_output(argv, start)
        return dropping.local(argv, start, own_command_line.OPTIONS, place)

    def rebuilt(self, run: FoundRun) -> Rebuilt | Unknown:
        """See `rebuilding`."""
        document = load(run.root / run.results, "")[0] if run.results else None
        if document is None:
            return Unknown(unknown="its results file is missing or damaged")
        return rebuilding.rebuilt(document, _documents_saved(run))


def _runs_at(place: Path) -> Iterator[tuple[Path, FoundRun]]:
    """Find the runs at a place, each with the folder that holds its files."""
    if place.suffix == ".json" and not os.path.lexists(place):
        for stamp, members in by_stamp(names_in(place.parent), _STAMP).items():
            run = _run_of_output_path(place, stamp, members)
            if run:
                yield place.parent, run
        return
    single = is_regular(place)
    for folder, names in listings(place):
        for stamp, members in by_stamp(names, _STAMP).items():
            run = _run(folder, stamp, members) if not single or place.name in members else None
            if run:
                yield folder, run
    if single and not _STAMP.search(place.name) and is_results(place, _belongs, by_name=False):
        root = root_above(place.parent, model_folder(place))
        yield place.parent, FoundRun(root=root, key=place.stem, results=relative(place.parent, place.name, root))


def _run_of_output_path(place: Path, stamp: str, members: list[str]) -> FoundRun | None:
    """Make a run of the files that share a stamp, if it can be the one that was told to write to `X.json`.

    Samples do not bear the name `X`: without any results beside them they may be its, and count as such.
    """
    folder = place.parent
    results = f"{place.stem}_{stamp}.json"
    if results in members:
        return _assembled(folder, folder, stamp, members, results)
    run = _run(folder, stamp, members)
    return _assembled(folder, folder, stamp, members, None) if run and run.results is None else None


def _run(folder: Path, stamp: str, members: list[str]) -> FoundRun | None:
    """Make a run of the files that share a stamp, if they are lm-eval's."""
    usual = f"results_{stamp}.json"
    if usual in members and (
        any(_SAMPLES.fullmatch(name) for name in members) or is_results(folder / usual, _belongs, by_name=True)
    ):
        return _assembled(folder, root_above(folder, model_folder(folder / usual)), stamp, members, usual)
    for name in members:
        if name.endswith(f"_{stamp}.json") and is_results(folder / name, _belongs, by_name=False):
            return _assembled(folder, folder, stamp, members, name)
    if any(_SAMPLES.fullmatch(name) for name in members):
        return _assembled(folder, root_above(folder, None), stamp, members, None)
    return None


def _assembled(folder: Path, root: Path, stamp: str, members: list[str], results: str | None) -> FoundRun:
    samples = [name for name in members if _SAMPLES.fullmatch(name)]
    others = [name for name in members if name != results and name not in samples]
    return FoundRun(
        root=root,
        key=stamp,
        results=relative(folder, results, root) if results else None,
        samples=tuple(relative(folder, name, root) for name in samples),
        others=tuple(relative(folder, name, root) for name in others),
    )


def _belongs(document: dict[str, Json]) -> bool:
    return "lmms_eval_version" not in document and ("lm_eval_version" in document or "configs" in document)


def _documents_saved(run: FoundRun) -> dict[str, list[int]]:
    """List the numbers of the documents whose samples were saved, for each task that has any."""
    found: dict[str, list[int]] = {}
    for task, path in by_task(run.samples, _SAMPLES).items():
        read = lines(run.root / path, "", key="doc_id", heads=True)
        numbers = {line.value["doc_id"] for line in read if isinstance(line, Line)}
        if numbers and all(type(number) is int for number in numbers):
            found[task] = sorted(numbers)
    return found


def _version(document: dict[str, Json]) -> str | None:
    version = document.get("lm_eval_version")
    return version if isinstance(version, str) and version not in {"", "N/A"} else None


def _started(document: dict[str, Json]) -> str | None:
    """Read the claimed start, in seconds since 1970."""
    date = document.get("date")
    if not isinstance(date, int | float) or isinstance(date, bool):
        return None
    try:
        return clock.from_epoch(date)
    except (OverflowError, OSError, ValueError):
        return None


_DIALECT = Dialect(name=LmEval.name, model_keys=_MODEL_KEYS, version=_version, started=_started)
