"""The check of a run: results first, then its samples one by one, then what there is to say."""

from __future__ import annotations

from reprokit.bundle.finding import Finding
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample
from reprokit.consistency import aggregates, claims, contents, groups
from reprokit.consistency.definitions import asks_for_likelihoods
from reprokit.consistency.tally import Tally


class Consistency:
    """Holds a run's results against its samples.

    Memory grows with the number of samples only by what finds one that is there twice: nothing for keys that count up,
    one entry of a set for any other key (see `keys.Keys`).

    Args:
        results: what the run measured; `samples_saved` and `samples_file` of its tasks are not looked at.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._likelihoods = {task.name for task in results.tasks if asks_for_likelihoods(task)}
        self._tallies: dict[tuple[str, str | None], Tally] = {}

    def see(self, sample: Sample) -> None:
        """Take in the next sample; the order does not matter."""
        key = (sample.task, sample.filter)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(likelihoods=sample.task in self._likelihoods)
        tally.add(sample)

    def join(self, other: Consistency) -> None:
        """Take in what another one saw, of tasks that this one has not seen."""
        self._tallies |= other._tallies

    def findings(self) -> list[Finding]:
        """Say what does not fit, sorted, each thing once."""
        results, tallies = self._results, self._tallies
        found = {
            *aggregates.findings(results, tallies),
            *groups.findings(results, tallies),
            *claims.findings(results, tallies),
            *contents.findings(tallies),
        }
        return sorted(found)
