"""What a run ran with and on, as facts: packages, interpreter, what was loaded, the machine."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from packaging.utils import canonicalize_name

from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.values import Json, Unknown
from reprokit.diff.setup import noise
from reprokit.diff.setup.facts import WHOLE_AREA, Fact, table

_NO_RECORD = Unknown(unknown="the bundle has no record of the environment")
_SEEN_INSIDE = ("modules", "loaded from cache", "torch", "determinism")
_AREAS = ("packages", "python", *_SEEN_INSIDE, "platform", "hardware", "container")
# `…/hub/models--org--name/snapshots/<commit>/file`: the layout of a Hugging Face cache.
_SNAPSHOT = re.compile(r"(?:^|/)(models|datasets|spaces)--([^/]+)/snapshots/([^/]+)(?:/|$)")


def environment_facts(environment: Environment | None, other: Environment | None) -> Iterator[Fact]:
    """Tell one side's environment; `other` says what the other side knows of its packages."""
    if environment is None:
        yield from (Fact(area=area, name=WHOLE_AREA, value=_NO_RECORD) for area in _AREAS)
        return
    yield from _packages(environment, {} if other is None else _by_name(other))
    yield from _python(environment)
    yield from _seen_inside(environment)
    yield from _machine(environment, other)


def _by_name(environment: Environment) -> dict[str, list[Package]]:
    found: dict[str, list[Package]] = defaultdict(list)
    if not isinstance(environment.packages, Unknown):
        for package in environment.packages:
            found[canonicalize_name(package.name)].append(package)
    return {name: sorted(same, key=lambda package: package.version) for name, same in found.items()}


def _packages(environment: Environment, others: dict[str, list[Package]]) -> Iterator[Fact]:
    if isinstance(environment.packages, Unknown):
        yield Fact(area="packages", name=WHOLE_AREA, value=environment.packages)
        return
    for name, packages in _by_name(environment).items():
        twins: list[Package | None] = [*others.get(name, [])]
        twins += [None] * (len(packages) - len(twins))
        for number, (package, twin) in enumerate(zip(packages, twins, strict=False), start=1):
            yield from _package(name if number == 1 else f"{name} ({number})", package, twin)


def _package(name: str, package: Package, twin: Package | None) -> Iterator[Fact]:
    yield Fact(area="packages", name=name, value=package.version)
    if package.direct_url is not None:
        rule = noise.EDITABLE if package.editable else None
        alike = _without_local_address(package) if package.editable else None
        yield Fact(
            area="packages", name=f"{name}, origin", value=package.direct_url, alike=alike, rule=rule, depends_on=name
        )
    if twin is not None and package.record_digest is not None and twin.record_digest is not None:
        # Without the digest of either side there is nothing to say, and editable installs have none.
        yield Fact(
            area="packages",
            name=f"{name}, files",
            value=package.record_digest,
            depends_on=name,
            note="same version, other files",
        )


def _without_local_address(package: Package) -> object:
    """Give an editable install's origin without the address of its folder, where that is on the same machine."""
    origin = package.direct_url
    if isinstance(origin, dict) and str(origin.get("url", "")).startswith("file:"):
        return {key: value for key, value in origin.items() if key != "url"}
    return origin


def _python(environment: Environment) -> Iterator[Fact]:
    learnt = environment.learnt_from
    yield Fact(area="python", name="learnt from", value=learnt)
    if environment.interpreter is None and learnt == "nothing":
        unknown = Unknown(unknown="neither the run nor its command showed an interpreter")
        yield from (Fact(area="python", name=name, value=unknown) for name in ("implementation", "version"))
    elif environment.interpreter is not None:
        for name, value in _interpreter(environment.interpreter).items():
            yield Fact(area="python", name=name.replace("_", " "), value=value)
    others = [_interpreter(each) for each in environment.other_interpreters]
    yield Fact(area="python", name="other interpreters", value=others)
    yield Fact(area="python", name="hosts", value=[*environment.hosts, *environment.lookups])


def _interpreter(interpreter: Interpreter) -> dict[str, object]:
    return {str(name): value for name, value in msgspec.structs.asdict(interpreter).items()}


def _seen_inside(environment: Environment) -> Iterator[Fact]:
    """Tell what only a probe inside the evaluation can see."""
    if environment.learnt_from != "probe":
        unknown = Unknown(unknown="nothing watched the evaluation from inside")
        yield from (Fact(area=area, name=WHOLE_AREA, value=unknown) for area in _SEEN_INSIDE)
        return
    yield from (Fact(area="modules", name=name, value=file) for name, file in environment.modules.items())
    yield from table("torch", environment.torch)
    yield from table("determinism", environment.determinism)
    revisions: dict[str, set[str]] = defaultdict(set)
    for path in environment.loaded_from_cache:
        found = _SNAPSHOT.search(path)
        if found:
            revisions[f"{found[1]} {found[2].replace('--', '/')}"].add(found[3])
    for name, found_revisions in revisions.items():
        single = sorted(found_revisions)
        yield Fact(area="loaded from cache", name=name, value=single[0] if len(single) == 1 else single)


def _machine(environment: Environment, other: Environment | None) -> Iterator[Fact]:
    hardware = environment.hardware
    unknown = _no_gpus(hardware) or _no_gpus(other.hardware if other else None)
    if unknown is not None and hardware is not None:
        # A list of GPUs on one side and the reason why there is none on the other are no facts to hold together.
        gpus = _no_gpus(hardware) or hardware.get("gpus")
        yield Fact(area="hardware", name="gpus", value=gpus)
        hardware = {name: value for name, value in hardware.items() if name != "gpus"}
    for area, value in (("platform", environment.platform), ("hardware", hardware)):
        if value is None:
            yield Fact(area=area, name=WHOLE_AREA, value=Unknown(unknown="not recorded"))
        yield from table(area, value)
    yield from table("container", environment.container)


def _no_gpus(hardware: dict[str, Json] | None) -> Unknown | None:
    """Give the reason why the GPUs of a machine are not known, if they are not."""
    gpus = hardware.get("gpus") if hardware else None
    reason = gpus.get("unknown") if isinstance(gpus, dict) else None
    return Unknown(unknown=reason) if isinstance(reason, str) else None
