"""The keys under which a script's samples hold each member of ours: the usual ones, or those that a mapping names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fields:
    """For each member of a sample the keys to look for, the first that is there counts.

    `scores` are the keys of single marks, or of tables of them. `chosen` names the members whose keys a person chose:
    such a key is expected to be in the samples.
    """

    id: tuple[str, ...] = ("id", "sample_id", "doc_id", "index", "idx", "question_id")
    task: tuple[str, ...] = ("task",)
    epoch: tuple[str, ...] = ("epoch", "repeat")
    filter: tuple[str, ...] = ("filter",)
    document: tuple[str, ...] = ("document", "doc")
    prompt: tuple[str, ...] = ("prompt", "input", "question", "messages")
    target: tuple[str, ...] = ("target", "answer_key", "label", "reference", "expected", "gold")
    response: tuple[str, ...] = ("responses", "resps", "response", "output", "prediction", "completion")
    answer: tuple[str, ...] = ("answer", "extracted", "extracted_answer", "parsed")
    scores: tuple[str, ...] = ("score", "acc", "accuracy", "correct", "exact_match", "passed", "f1")
    chosen: frozenset[str] = frozenset()

    def expected(self) -> Iterator[tuple[str, str]]:
        """Yield each key that a person chose, with its member."""
        for member in sorted(self.chosen):
            keys: tuple[str, ...] = getattr(self, member)
            for key in keys:
                yield member, key

    def chosen_keys(self) -> dict[str, list[str]]:
        """Give the keys that a person chose, by member: `choose` makes the same fields of them."""
        return {member: list(getattr(self, member)) for member in sorted(self.chosen)}


STANDARD = Fields()
MEMBERS = ("id", "task", "epoch", "filter", "document", "prompt", "target", "response", "answer", "scores")


def choose(keys: Mapping[str, Sequence[str]]) -> Fields:
    """Make fields in which some members, of `MEMBERS`, have the keys that a person chose, and no others.

    No other member takes what was chosen for one: with `answer = "gold"`, `gold` is no target.
    """
    taken = {name for names in keys.values() for name in names}
    usual: dict[str, tuple[str, ...]] = {member: getattr(STANDARD, member) for member in MEMBERS}
    left = {member: tuple(name for name in names if name not in taken) for member, names in usual.items()}
    return Fields(**(left | {member: tuple(names) for member, names in keys.items()}), chosen=frozenset(keys))
