"""lmms-eval (EvolvingLMMs-Lab): the files it writes, as of 0.7.

It writes `<output path>/<model>/<time>_results.json` and, with `--log_samples`, `<time>_samples_<task>.jsonl` beside
it; where its model arguments name no model, there is no model folder. The time, to the second, is in the zone of
`--timezone`, Singapore's unless given. Two runs within one second overwrite each other's results and append to each
other's samples. A failed evaluation exits with status 0 and leaves nothing.
"""

from __future__ import annotations

import os
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reprokit import clock
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Output
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, Unknown
from reprokit.harnesses import command_line
from reprokit.harnesses.command_lines import dropping
from reprokit.harnesses.command_lines import lmms_eval as own_command_line
from reprokit.harnesses.command_lines import lmms_eval_rebuilt as rebuilding
from reprokit.harnesses.evaluation_reading import Dialect, is_results, model_folder, read_evaluation
from reprokit.harnesses.found_files import by_stamp, by_task, is_regular, listings, relative, root_above, where
from reprokit.harnesses.interface import FoundRun, Local, Pinned, Reading, Rebuilt, SampleId, Subset
from reprokit.harnesses.lmms_eval_sample import metric_names, sample_of
from reprokit.harnesses.loose_json import lines, load
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.task_tables import table

_NAMES = frozenset({"lmms_eval", "lmms-eval", "lmms_eval.__main__"})
_STAMP = re.compile(r"^(\d{8}_\d{6})(?=_)")
_SAMPLES = re.compile(r"\d{8}_\d{6}_samples_(?P<task>.+)\.jsonl", re.DOTALL)
_MODEL_KEYS = ("pretrained", "model", "model_version", "model_name", "model_id", "path", "engine")
_USUAL_ZONE = "Asia/Singapore"


class LmmsEval:
    """The adapter for lmms-eval."""

    name = "lmms_eval"

    def recognises(self, argv: Sequence[str]) -> bool:
        """See `command_line` for the rule; `lmms-eval`, `lmms_eval` and `python -m lmms_eval` are what it looks for."""
        return command_line.start_of(argv, _NAMES) is not None

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """Return the place of `--output_path`, the last one given; one in a `--config` file is not seen."""
        start = command_line.start_of(argv, _NAMES)
        place = None if start is None else command_line.output_place(argv, start)
        if place is None and start is not None:
            place = own_command_line.hub_output(argv, start)
        return [place] if place else []

    def find(self, places: Sequence[Path]) -> list[FoundRun]:
        """Find runs under folders, and a run by one of its files.

        The relative paths start above the model's folder where the harness made one, else at the folder of the files.
        When the results cannot be read, the folder is taken for the model's. Whatever begins with a run's time stamp is
        the run's. Runs are ordered by their time stamps.
        """
        found: dict[tuple[str, str], FoundRun] = {}
        for place in places:
            for folder, names in listings(place):
                for stamp, members in by_stamp(names, _STAMP).items():
                    named = not is_regular(place) or place.name in members
                    run = _run(folder, stamp, members) if named else None
                    if run:
                        found.setdefault((os.path.realpath(folder), stamp), run)
        return sorted(found.values(), key=lambda run: (run.key, str(run.root), run.files))

    def read(self, run: FoundRun) -> Reading:
        """See `read_evaluation`."""
        return read_evaluation(run, by_task(run.samples, _SAMPLES), _DIALECT)

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream the records, one for each document; see `lmms_eval_sample` for what becomes of each member.

        A document that stands there twice was appended by a second run, or saved under another filter, which the
        records do not name: it gets the next epoch, and a finding at the end tells of it.
        """
        path = by_task(run.samples, _SAMPLES).get(task)
        if path is None:
            return
        document = load(run.root / run.results, "")[0] if run.results else None
        metrics = metric_names(document or {}, task)
        repeats = Repeats(where=where(path), task=task)
        for line in lines(run.root / path, where(path), key="doc_id"):
            if isinstance(line, Finding):
                yield line
            else:
                yield sample_of(task, line.value, repeats.epoch(line, line.value["doc_id"], None), metrics)
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
        return rebuilding.rebuilt(document)


def _run(folder: Path, stamp: str, members: list[str]) -> FoundRun | None:
    """Make a run of the files that share a stamp, if they are lmms-eval's."""
    samples = [name for name in members if _SAMPLES.fullmatch(name)]
    usual = f"{stamp}_results.json"
    there = usual in members and (bool(samples) or is_results(folder / usual, _belongs, by_name=True))
    if not there and not samples:
        return None
    root = root_above(folder, model_folder(folder / usual) if there else None)
    others = [name for name in members if name not in samples and not (there and name == usual)]
    return FoundRun(
        root=root,
        key=stamp,
        results=relative(folder, usual, root) if there else None,
        samples=tuple(relative(folder, name, root) for name in samples),
        others=tuple(relative(folder, name, root) for name in others),
    )


def _belongs(document: dict[str, Json]) -> bool:
    return "lmms_eval_version" in document or "configs" in document


def _version(document: dict[str, Json]) -> str | None:
    """Read `<branch>@<commit>`; the harness says `unknown` where it is no git checkout."""
    version = document.get("lmms_eval_version")
    said = isinstance(version, str) and version.rpartition("@")[2] not in {"", "unknown"}
    return version if said and isinstance(version, str) else None


def _started(document: dict[str, Json]) -> str | None:
    """Read the claimed start: a local time of the zone that the command line named."""
    date = document.get("date")
    zone = table(table(document, "config"), "resolved_cli_args").get("timezone", _USUAL_ZONE)
    if not isinstance(date, str) or not isinstance(zone, str):
        return None
    try:
        local = datetime.strptime(date, "%Y%m%d_%H%M%S").replace(tzinfo=zoneinfo.ZoneInfo(zone))
        return clock.text(local)
    except (ValueError, OSError, OverflowError, zoneinfo.ZoneInfoNotFoundError):
        return None


_DIALECT = Dialect(name=LmmsEval.name, model_keys=_MODEL_KEYS, version=_version, started=_started)
