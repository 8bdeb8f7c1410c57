"""Rebuilding the Python that ran an evaluation, with uv: an interpreter, the pinned packages, then the checkouts.

Only wheels are installed unless more is allowed: building anything else runs foreign code. The one exception are the
captured checkouts, which are the bundle's own code, and run anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprokit.bundle.environment import Package
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.probes import packages
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment import diagnosis, git_packages, python
from reprokit.reproduce.environment.diagnosis import Inquiry, Unsatisfied
from reprokit.reproduce.environment.uv import Uv, find_uv, said, variables
from reprokit.rerun.requirements import Pin
from reprokit.rerun.wanted import Editable, FromGit, Unobtainable, WantedEnvironment

_CURRENT = "`--env current` runs in the present environment"
_SDIST = "`--allow-sdist` builds what has no wheel (that runs its code)"
_NEAREST = "`--nearest` takes the nearest versions, and says so in the verdict"
_INSTALL = ("pip", "install", "--no-deps", "--no-sources", "--link-mode", "copy")
"""Sources that a project names may be an index of its own. Files are copied: a re-run that writes into a package must
not reach uv's cache, to which links would lead."""


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a person agreed to: that packages are built, and that near versions stand in for lost ones."""

    sdist: bool = False
    nearest: bool = False


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What of a rebuilt environment is not as recorded."""

    deltas: tuple[Delta, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One environment in the making, in the workspace `root`; `places` are where to look, one after the other."""

    uv: Uv
    target: Path
    root: Path
    allowed: Allowed
    places: tuple[tuple[str, ...], ...]

    @property
    def interpreter(self) -> Path:
        return self.target / "bin" / "python"

    @property
    def building(self) -> tuple[str, ...]:
        return () if self.allowed.sdist else ("--no-build",)

    def install(self, *words: str) -> str | None:
        """Install something from the first place that has it all; says why that was not possible."""
        reason: str | None = None
        for place in self.places:
            ended = self.uv.run([*_INSTALL, *self.building, *place, "--python", str(self.interpreter), *words])
            if ended.status == 0:
                return None
            reason = said(ended)
        return reason


def rebuild(
    wanted: WantedEnvironment, target: Path, *, environ: Mapping[str, str], allowed: Allowed | None = None
) -> Rebuilt:
    """Make a virtual environment in the new folder `target`, directly below the workspace, as it was recorded.

    Checkouts of editable installs must have been restored, below the same workspace. `environ` is the person's.

    Raises:
        InputMissingError: uv, the Python, a package or what builds a checkout cannot be had; it says which and why.
        InvalidRecordError: the record names no Python, or a checkout outside of the workspace.
    """
    if wanted.interpreter is None:
        raise InputMissingError("the run's Python is not recorded, and cannot be rebuilt", hint=_CURRENT)
    allowed = allowed or Allowed()
    root = target.parent
    root.mkdir(parents=True, exist_ok=True)
    _require_allowed(wanted, allowed)
    uv = Uv(program=find_uv(environ), environ=variables(environ), directory=root)
    work = _Work(uv=uv, target=target, root=root, allowed=allowed, places=_places(wanted.wheels, uv.environ))
    deltas = [*python.create(uv, wanted.interpreter, target)]
    replaced = _install_pins(work, wanted.pins)
    for package in wanted.from_git:
        folder = git_packages.fetch(package, root / f"{target.name}-from-git" / package.name)
        _require(work.install(folder.as_uri()), f"`{package.name}` at {package.commit[:12]} cannot be built")
    for editable in wanted.editables:
        _install_checkout(work, editable)
    reasons: dict[str, str] = {canonicalize_name(each.name): each.reason for each in replaced}
    reasons |= {canonicalize_name(each.name): f"it {each.reason}" for each in wanted.unobtainable}
    deltas += _not_as_recorded(wanted, target, reasons)
    return Rebuilt(deltas=tuple(deltas))


def _require_allowed(wanted: WantedEnvironment, allowed: Allowed) -> None:
    if wanted.from_git and not allowed.sdist:
        listed = ", ".join(f"`{each.name}` from git at {each.commit[:12]}" for each in wanted.from_git)
        raise InputMissingError(f"packages that would have to be built: {listed}", hint=_SDIST)


def _places(wheels: Path | None, environ: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Tell where to look: among the bundle's own wheels alone, then there and where the person's settings say."""
    if wheels is None:
        return ((),)
    carried = ("--find-links", wheels.resolve().as_uri())
    # A flag is heeded instead of the variable.
    links = [each for each in environ.get("UV_FIND_LINKS", "").split(",") if each]
    return (("--no-index", *carried), (*carried, *(word for each in links for word in ("--find-links", each))))


def _require(reason: str | None, what: str) -> None:
    if reason is not None:
        raise InputMissingError(f"{what}: {reason}", hint=_CURRENT)


def _install_pins(work: _Work, pins: Sequence[Pin]) -> tuple[Unsatisfied, ...]:
    """Install pinned packages, the nearest to those that are lost if that is allowed; returns what was replaced."""
    reason = _install_exactly(work, pins)
    if reason is None:
        return ()
    inquiry = Inquiry(uv=work.uv, interpreter=work.interpreter, options=(*work.building, *work.places[-1]))
    found = diagnosis.unsatisfied(inquiry, pins)
    if not found:
        raise InputMissingError(f"the environment cannot be rebuilt: {reason}", hint=_CURRENT)
    if not work.allowed.nearest or any(each.nearest is None for each in found):
        raise InputMissingError(
            f"packages that are not to be had: {diagnosis.told(found)}", hint=_what_to_do(found, work.allowed)
        )
    _require(_install_exactly(work, diagnosis.replaced(pins, found)), "the environment cannot be rebuilt")
    return found


def _install_exactly(work: _Work, pins: Sequence[Pin]) -> str | None:
    if not pins:
        return None
    wanted = work.root / f"{work.target.name}.requirements"
    wanted.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    return work.install("--requirement", str(wanted))


def _what_to_do(found: Sequence[Unsatisfied], allowed: Allowed) -> str:
    hints = [_SDIST] if any(each.only_source for each in found) and not allowed.sdist else []
    hints += [_NEAREST] if any(each.nearest for each in found) and not allowed.nearest else []
    return "; ".join([*hints, _CURRENT])


def _install_checkout(work: _Work, editable: Editable) -> None:
    """Install a restored checkout in place, with what it names to be built by, else with what is installed already."""
    directory = editable.directory.resolve()
    if not directory.is_relative_to(work.root.resolve()):
        raise InvalidRecordError(f"the checkout of `{editable.name}` leads out of the workspace")
    if not directory.is_dir():
        raise InputMissingError(f"`{editable.name}` was editable, and its checkout has no folder `{directory.name}`")
    words = ("--editable", directory.as_uri())
    reason = work.install(*words)
    if reason is not None and work.install("--no-build-isolation", *words) is not None:
        _require(reason, f"`{editable.name}` cannot be installed from its checkout")


def _not_as_recorded(wanted: WantedEnvironment, target: Path, reasons: Mapping[str, str]) -> Iterator[Delta]:
    """Compare what is installed with what was recorded, name by name."""
    recorded: list[Pin | Editable | FromGit | Unobtainable] = []
    recorded += [*wanted.pins, *wanted.editables, *wanted.from_git, *wanted.unobtainable]
    found = {canonicalize_name(each.name): each for each in _installed(target)}
    for each in sorted(recorded, key=lambda one: canonicalize_name(one.name)):
        name = canonicalize_name(each.name)
        here = found[name].version if name in found else "not installed"
        if not _is_same(here, each.version):
            yield Delta(what=each.name, recorded=each.version, here=here, reason=reasons.get(name, ""))


def _is_same(one: str, other: str) -> bool:
    """Tell whether two versions are one, however they are spelt."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _installed(target: Path) -> tuple[Package, ...]:
    folders = sorted(str(folder) for folder in target.glob("lib/*/site-packages"))
    return packages.installed(folders, {}).packages
