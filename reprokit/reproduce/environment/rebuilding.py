"""Rebuilding the Python that ran an evaluation, with uv: an interpreter, the pinned packages, then the checkouts.

Only wheels are installed unless more is allowed: building anything else runs foreign code. The one exception are the
captured checkouts, which are the bundle's own code, and run anyway. Whatever is built gets no credentials of the
person's, nor does uv once anything is installed: it starts the environment's Python, and so what is hooked into that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprokit.bundle.environment import Package
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.package_indexes import find_uv
from reprokit.probes import packages
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment import diagnosis, git_packages, python
from reprokit.reproduce.environment.diagnosis import Inquiry, Unsatisfied
from reprokit.reproduce.environment.uv import Uv, said, variables, variables_to_build_with
from reprokit.rerun.requirements import Pin
from reprokit.rerun.wanted import Editable, FromGit, Unobtainable, WantedEnvironment

_CURRENT = "`--env current` runs in the present environment"
_SDIST = "`--allow-sdist` builds what has no wheel (that runs its code)"
_NEAREST = "`--nearest` takes the nearest versions, and says so in the verdict"
_WITHOUT_CREDENTIALS = "what has to be built is looked for and built without any credentials of yours"
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
    """One environment in the making, in the workspace `root`, for which `wheels` of the bundle's own may be there.

    `trusted` has the person's credentials, `bare` has none; `fresh` is what was there before anything was installed.
    """

    trusted: Uv
    bare: Uv
    target: Path
    root: Path
    allowed: Allowed
    wheels: Path | None
    fresh: frozenset[Path]

    @property
    def interpreter(self) -> Path:
        return self.target / "bin" / "python"

    def inquiry(self, *, only_wheels: bool) -> Inquiry:
        """Ask everywhere, for wheels or for what may be built as well."""
        uv = self._lent(only_wheels=only_wheels)
        options = (*self._building(only_wheels=only_wheels), *_places(self.wheels, uv.environ)[-1])
        return Inquiry(uv=uv, interpreter=self.interpreter, options=options)

    def install(self, *words: str, only_wheels: bool = False) -> str | None:
        """Install something from the first place that has it all; says why that was not possible."""
        reason: str | None = None
        building = self._building(only_wheels=only_wheels)
        for number in range(1 if self.wheels is None else 2):
            uv = self._lent(only_wheels=only_wheels)
            place = _places(self.wheels, uv.environ)[number]
            ended = uv.run([*_INSTALL, *building, *place, "--python", str(self.interpreter), *words])
            if ended.status == 0:
                return None
            reason = said(ended)
        return reason

    def _building(self, *, only_wheels: bool) -> tuple[str, ...]:
        return () if self.allowed.sdist and not only_wheels else ("--no-build",)

    def _lent(self, *, only_wheels: bool) -> Uv:
        return self.trusted if only_wheels and _content(self.target) == self.fresh else self.bare


def _content(environment: Path) -> frozenset[Path]:
    """List what the Python of an environment may run or import, folder by folder."""
    found = (*environment.glob("bin/*"), *environment.glob("lib/*/site-packages/*"))
    return frozenset(path for path in found if path.name != "__pycache__")


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
    target = target.absolute()
    root = target.parent
    home = root / "home"
    home.mkdir(parents=True, exist_ok=True)
    _require_allowed(wanted, allowed)
    program = find_uv(environ)
    if program is None:
        raise InputMissingError(
            "uv is not installed, and rebuilding the environment needs it",
            hint="install uv, or run in the present environment: `--env current`",
        )
    uv = Uv(program=program, environ=variables(environ))
    deltas = [*python.create(uv, wanted.interpreter, target)]
    work = _Work(
        trusted=uv,
        bare=Uv(program=uv.program, environ=variables_to_build_with(environ, home)),
        target=target,
        root=root,
        allowed=allowed,
        wheels=wanted.wheels,
        fresh=_content(target),
    )
    replaced = _install_pins(work, wanted.pins)
    for package in wanted.from_git:
        folder = git_packages.fetch(package, root / f"{target.name}-from-git" / package.name)
        _require_built(work.install(folder.as_uri()), f"`{package.name}` at {package.commit[:12]} cannot be built")
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


def _require_built(reason: str | None, what: str) -> None:
    _require(f"{reason}; {_WITHOUT_CREDENTIALS}" if reason is not None else None, what)


def _install_pins(work: _Work, pins: Sequence[Pin]) -> tuple[Unsatisfied, ...]:
    """Install pinned packages, the nearest to those that are lost if that is allowed; returns what was replaced.

    All that have a wheel are installed in one step, since only the first one may have the person's credentials.
    """
    reason = _install_exactly(work, pins, only_wheels=True)
    if reason is None:
        return ()
    lacking = diagnosis.unsatisfied(work.inquiry(only_wheels=True), pins)
    if not lacking and not work.allowed.sdist:
        raise InputMissingError(f"the environment cannot be rebuilt: {reason}", hint=_CURRENT)
    lost = _lost(work, pins, lacking) if work.allowed.sdist else lacking
    _require_near(work, lost)
    without = {each.name for each in lacking}
    without -= {each.name for each in lost} & {each.name for each in lacking if each.nearest is not None}
    chosen = diagnosis.replaced(pins, lost)
    # When no package lacks a wheel, one of them is not as recorded: it may be the source that is.
    built = [pin for pin in chosen if pin.name in without or not lacking]
    ready = [pin for pin in chosen if pin not in built]
    _require(_install_exactly(work, ready, only_wheels=True), "the environment cannot be rebuilt")
    _require_built(_install_exactly(work, built, only_wheels=False), "the environment cannot be rebuilt")
    return lost


def _lost(work: _Work, pins: Sequence[Pin], lacking: Sequence[Unsatisfied]) -> tuple[Unsatisfied, ...]:
    """Tell which packages without a wheel cannot be built either; the nearest to each is a wheel where there is one."""
    wheels = {each.name: each.nearest for each in lacking}
    found = diagnosis.unsatisfied(work.inquiry(only_wheels=False), [pin for pin in pins if pin.name in wheels])
    return tuple(replace(each, nearest=wheels[each.name] or each.nearest) for each in found)


def _require_near(work: _Work, lost: Sequence[Unsatisfied]) -> None:
    """Refuse to go on without what is lost, unless something near is allowed and there."""
    if lost and not (work.allowed.nearest and all(each.nearest for each in lost)):
        more = f"; {_WITHOUT_CREDENTIALS}" if work.allowed.sdist else ""
        raise InputMissingError(
            f"packages that are not to be had: {diagnosis.told(lost)}{more}", hint=_what_to_do(lost, work.allowed)
        )


def _install_exactly(work: _Work, pins: Sequence[Pin], *, only_wheels: bool) -> str | None:
    if not pins:
        return None
    wanted = work.root / f"{work.target.name}.requirements"
    wanted.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    return work.install("--requirement", str(wanted), only_wheels=only_wheels)


def _what_to_do(found: Sequence[Unsatisfied], allowed: Allowed) -> str:
    hints = [_SDIST] if any(each.only_source for each in found) and not allowed.sdist else []
    hints += [_NEAREST] if all(each.nearest for each in found) and not allowed.nearest else []
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
        _require_built(reason, f"`{editable.name}` cannot be installed from its checkout")


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
