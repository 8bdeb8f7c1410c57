"""Every checkout that an evaluation's code came from, as it was at the start and as it is at the end.

The working directory's is looked at before the run. The others become known while it runs: editable installs, scripts
and modules from elsewhere, and what the command line names. See `checkout_watch` for how they are met in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Input
from reprokit.bundle.source import Source, Use
from reprokit.bundle.values import Unknown
from reprokit.capture.checkouts.loose_code import loose_code
from reprokit.capture.checkouts.watch import CheckoutWatch, Roots, repository_around
from reprokit.git import GitError
from reprokit.probes.interpreter import survey
from reprokit.probes.source import checkout as source
from reprokit.probes.source import code_places, credential_files
from reprokit.probes.source.caps import Caps
from reprokit.probes.source.checkout import ObservedSource, with_facts
from reprokit.probes.source.code_places import CodePlace
from reprokit.probes.source.scratch_repository import readable
from reprokit.probes.source.untracked import NESTED

MOST = 32
"""How many checkouts besides the working directory's are recorded."""

_CAPS = Caps(seconds=60.0)
_CODE = ("module", "script")
WORKING_DIRECTORY = Use(kind="working directory")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The checkouts of a run that is over, the working directory's first; a reason when none could be looked at."""

    sources: tuple[ObservedSource, ...] | Unknown
    findings: tuple[Finding, ...] = ()


@dataclass(kw_only=True)
class _Sorted:
    """Where code came from: by checkout, from none, and from checkouts that git cannot read."""

    uses: dict[Path, list[CodePlace]] = field(default_factory=dict)
    loose: list[CodePlace] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


class Checkouts:
    """The checkouts of one run, from its start to its end.

    Args:
        directory: the working directory of the evaluation.
        first: what is known of its checkout.
        late: there was no time to look at it before the start; that is made up for as soon as the command has started.
        submodules: those of that checkout that are checkouts of their own.
        inputs: what the command line names.
        written: what the evaluation writes, absolute: it is left out everywhere.
        into: the folder for patches and git bundles.
        probes: the folder that the evaluation's processes write their records to.
    """

    def __init__(
        self,
        *,
        directory: Path,
        first: ObservedSource | Unknown | None,
        late: bool = False,
        submodules: Sequence[ObservedSource] = (),
        inputs: Sequence[Input] = (),
        written: Sequence[Path],
        into: Path,
        probes: Path,
    ) -> None:
        self._directory, self._first, self._written, self._into, self._probes = directory, first, written, into, probes
        self._known = [first, *submodules] if isinstance(first, ObservedSource) else []
        self._late = [CodePlace(path=directory, use=WORKING_DIRECTORY)] if late else []
        self._roots = Roots()
        self._number = 0
        self._watch = CheckoutWatch(
            first=[*self._late, *self._of_inputs(inputs)],
            probes=probes,
            seen=[each.root for each in self._known],
            roots=self._roots,
            look=self._look,
            most=MOST,
        )

    @property
    def known(self) -> tuple[ObservedSource, ...]:
        """What was looked at before the run: the working directory's checkout, its submodules behind it."""
        return tuple(self._known)

    def watch(self) -> None:
        """Start to look out for checkouts; called right after the command was started. Never fails."""
        self._watch.start()

    def stop(self) -> None:
        """Stop looking out, when there is nothing to be settled."""
        self._watch.end((), 0)

    def settle(self, environment: Environment, inputs: Sequence[Input]) -> Settled:
        """Stop looking out, look at every checkout again, and at those that are met only now.

        `environment` is the record of what the run had, `inputs` what its command line named.
        """
        processes = survey(self._probes).processes
        places = [*self._late, *code_places.known_at_end(environment, processes), *self._of_inputs(inputs)]
        found = self._sorted(places)
        sources, refused = self._looked_at(found.uses)
        late = {root for root, places in found.uses.items() if any(each in self._late for each in places)}
        sources.sort(key=lambda each: each.root not in late)  # the working directory's first
        sources = _cleared(_named([_with_uses(each, found.uses.get(each.root, [])) for each in sources], self._first))
        findings = [
            *(each for observed in sources for each in _about(observed, found.uses.get(observed.root, []))),
            *(finding("W340", "bundle.json", f"`{where}`: {why}") for where, why in (found.unread | refused).items()),
            *loose_code(found.loose),
        ]
        if self._late and isinstance(self._first, Unknown) and not any(each.root in late for each in sources):
            findings.append(finding("W316", "bundle.json", self._first.unknown))
        if not sources and isinstance(self._first, Unknown):
            return Settled(sources=self._first, findings=tuple(findings))
        return Settled(sources=tuple(sources), findings=tuple(findings))

    def _of_inputs(self, inputs: Iterable[Input]) -> list[CodePlace]:
        return [CodePlace(path=self._directory / each.path, use=Use(kind="input", name=each.path)) for each in inputs]

    def _sorted(self, places: Iterable[CodePlace]) -> _Sorted:
        found = _Sorted()
        for each in places:
            try:
                roots = self._roots.of(each.path)
            except GitError as error:
                where = repository_around(each.path) or each.path
                found.unread[readable(str(where))] = error.message
                continue
            except (OSError, RuntimeError, ValueError):  # not to be entered, a loop of links, a NUL
                roots = []
            for root in roots:
                found.uses.setdefault(root, []).append(each)
            if not roots and each.use.kind in _CODE:
                found.loose.append(each)
        return found

    def _looked_at(self, wanted: Iterable[Path]) -> tuple[list[ObservedSource], dict[str, str]]:
        """Look at the known checkouts again, and at the others for the first time; say of which that was impossible."""
        sources = {each.root: self._with_tree_after(each) for each in self._known}
        refused: dict[str, str] = {}
        roots = sorted(set(wanted) - sources.keys())
        early, stuck = self._watch.end(roots, _CAPS.seconds)
        for number, root in enumerate(roots):
            if root in sources:  # a submodule, which came with the checkout around it
                continue
            found = early.get(root) or self._look_at_last(root, too_many=number >= MOST, stuck=root == stuck)
            if isinstance(found, str):
                refused[readable(str(root))] = found
                continue
            for each in found:
                sources.setdefault(each.root, self._with_tree_after(each))
        return list(sources.values()), refused

    def _look_at_last(self, root: Path, *, too_many: bool, stuck: bool) -> tuple[ObservedSource, ...] | str:
        """Look at a checkout that is met only now, or say why not."""
        if stuck or too_many:
            return "git takes too long in it" if stuck else f"only {MOST} checkouts are recorded"
        try:
            return tuple(with_facts(each, observed_at="exit") for each in self._look(root))
        except GitError as error:
            return error.message
        except OSError as error:
            return error.strerror or str(error)

    def _look(self, root: Path, go_on: Callable[[], bool] = lambda: True) -> tuple[ObservedSource, ...]:
        self._number += 1
        into = self._into / "others"
        into.mkdir(exist_ok=True)
        name = str(self._number)
        observed = source.observe(root, outputs=self._written, into=into, caps=_CAPS, name=name, go_on=go_on)
        if observed is None:
            raise GitError("it is no checkout any more")
        return source.observe_submodules(observed, outputs=self._written, into=into, caps=_CAPS)

    def _with_tree_after(self, observed: ObservedSource) -> ObservedSource:
        """Note the tree that a checkout has now, to see whether it changed while the evaluation ran."""
        if observed.source.observed_at == "exit":
            return observed
        try:
            tree = source.tree_of(observed.root, outputs=self._written, caps=_CAPS)
        except GitError:
            return observed
        return with_facts(observed, tree_after=tree)


def _with_uses(observed: ObservedSource, places: Iterable[CodePlace]) -> ObservedSource:
    uses = [*observed.source.used_as, *(_use_within(observed.root, place) for place in places)]
    return with_facts(observed, used_as=list(dict.fromkeys(uses)))


def _use_within(root: Path, place: CodePlace) -> Use:
    if place.use.kind != "script":
        return place.use
    real = place.path.resolve()
    name = real.relative_to(root).as_posix() if real.is_relative_to(root) else place.path.name
    return Use(kind="script", name=readable(name))


def _named(sources: Sequence[ObservedSource], first: ObservedSource | Unknown | None) -> list[ObservedSource]:
    """Give each checkout the name of its folder, with a number where that is taken.

    The working directory's, which is the first where there is one, has its name already.
    """
    taken: set[str] = set()
    named: list[ObservedSource] = []
    for each in sources:
        record = each.source
        is_first = isinstance(first, ObservedSource) and each.root == first.root
        wanted = record.name if is_first else source.name_of(each.root)
        name = next(_free(wanted, taken))
        taken.add(name.lower())
        patch = f"source/{name}.patch" if record.patch else None
        git_bundle = f"source/{name}.bundle" if record.git_bundle else None
        named.append(with_facts(each, name=name, patch=patch, git_bundle=git_bundle))
    return named


def _free(wanted: str, taken: set[str]) -> Iterator[str]:
    # The file systems that a bundle may come to lie on do not all tell `Evals` from `evals`.
    candidates = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
    return (name for name in candidates if name.lower() not in taken)


def _cleared(sources: Sequence[ObservedSource]) -> list[ObservedSource]:
    """Forget that a checkout within another was left out of that one, where it has a record of its own."""
    recorded = {each.source.root for each in sources}

    def has_record(observed: ObservedSource, path: str, reason: str) -> bool:
        inner = path in observed.source.submodules or reason == NESTED
        return inner and f"{observed.source.root}/{path.rstrip('/')}" in recorded

    return [
        with_facts(
            each, left_out=[left for left in each.source.left_out if not has_record(each, left.path, left.reason)]
        )
        for each in sources
    ]


def _about(observed: ObservedSource, places: Iterable[CodePlace]) -> Iterator[Finding]:
    """Say what of a checkout is not in the bundle, and that a reader should know."""
    record = observed.source
    where = f"source/{record.name}.json"
    submodules = [left for left in record.left_out if left.path in record.submodules]
    if submodules:
        yield finding("W337", where, "; ".join(f"`{each.path}`, {each.reason}" for each in submodules))
    credentials = [left.path for left in record.left_out if left.reason == credential_files.REASON]
    if credentials:
        yield finding("W339", where, _listed(credentials))
    if lacking := _lacking(observed, places):
        yield finding("W341", where, _listed(lacking))


def _lacking(observed: ObservedSource, places: Iterable[CodePlace]) -> list[str]:
    code = {place.path: _place_in(observed.source, place) for place in places if place.use.kind in _CODE}
    try:
        return sorted({code[path] for path in source.lacking(observed, list(code))})
    except GitError:
        return []


def _place_in(record: Source, place: CodePlace) -> str:
    return readable(str(place.path)).removeprefix(f"{record.root}/")


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more
