"""The folders that a run happened to lie in, named by their roles: the same place elsewhere compares equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reprokit.bundle.environment import Environment
from reprokit.bundle.source import Source
from reprokit.diff.side import Side

# Too general to stand for one environment: much else lies below them.
_EVERYBODYS = frozenset({"", "/", "/usr", "/usr/local", "/opt", "/home", "/tmp", "/root"})  # noqa: S108 - compared, not used
_LIKENESS: tuple[Callable[[Source], object], ...] = (
    lambda source: (source.name, source.commit, source.tree),
    lambda source: (source.commit, source.tree),
    lambda source: source.name,
    lambda source: source.commit,
    lambda source: tuple(sorted(set(source.remotes.values()))) or None,
)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Folders by absolute path, each with the name of its role; longest path first."""

    roots: tuple[tuple[str, str], ...] = ()

    def named(self, text: str) -> tuple[str, bool]:
        """Write a text with roles instead of paths; also tell whether it held any."""
        found = False
        for root, role in self.roots:
            if root in text:
                # A whole folder name: nothing of a path stands before it, unless `file://` does, nor a name after it.
                pattern = rf"(?:(?<=://)|(?<![\w./~-])){re.escape(root)}(?![\w.-])"
                text, count = re.subn(pattern, role.replace("\\", r"\\"), text)
                found = found or count > 0
        return text, found


def _twins(one: list[Source], other: list[Source]) -> list[tuple[Source, Source]]:
    """Pair checkouts by what they have in common, most telling first; each is in one pair at most."""
    pairs: list[tuple[Source, Source]] = []
    for key in _LIKENESS:
        left = [source for source in one if all(source is not taken for taken, _ in pairs)]
        right = [source for source in other if all(source is not taken for _, taken in pairs)]
        for source in left:
            twin = next((each for each in right if key(source) is not None and key(each) == key(source)), None)
            if twin is not None:
                right.remove(twin)
                pairs.append((source, twin))
    return pairs


def pair_sources(a: Sequence[Source], b: Sequence[Source]) -> dict[str, tuple[Source | None, Source | None]]:
    """Pair the checkouts of two sides, whatever folders they lay in; the key names a pair for people.

    The same two sides the other way round give the same keys.
    """
    one, other = (sorted(side, key=lambda source: (source.name, source.root)) for side in (a, b))
    twins = _twins(one, other)
    pairs: list[tuple[Source | None, Source | None]] = [*twins]
    pairs += [(source, None) for source in one if all(source is not taken for taken, _ in twins)]
    pairs += [(None, source) for source in other if all(source is not taken for _, taken in twins)]
    labelled: dict[str, tuple[Source | None, Source | None]] = {}
    for pair in sorted(pairs, key=_label):
        label, number = _label(pair), 1
        while label in labelled:
            number += 1
            label = f"{_label(pair)} ({number})"
        labelled[label] = pair
    return labelled


def _label(pair: tuple[Source | None, Source | None]) -> str:
    return " / ".join(sorted({source.name for source in pair if source is not None}))


def _environment_roots(environment: Environment | None) -> dict[str, str]:
    if environment is None:
        return {}
    interpreters = [environment.interpreter] if environment.interpreter else []
    roots = {each.prefix.rstrip("/"): "<other environment>" for each in environment.other_interpreters}
    return roots | {each.prefix.rstrip("/"): "<environment>" for each in interpreters}


def places(side: Side, checkouts: dict[str, Source]) -> Places:
    """List the places of one side; `checkouts` are its own, by the name of their pair.

    Neither the outputs' folder nor a working directory outside of any checkout is among them: what else lies there, a
    model for instance, may well be another one.
    """
    roots = {path: role for path, role in _environment_roots(side.environment).items() if path not in _EVERYBODYS}
    roots |= {source.root.rstrip("/"): f"<{label}>" for label, source in checkouts.items()}
    kept = [(path, role) for path, role in roots.items() if path.startswith("/")]
    return Places(roots=tuple(sorted(kept, key=lambda item: (-len(item[0]), item[0]))))
