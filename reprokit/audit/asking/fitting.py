"""Which wheels fit the machine of a run: the tags that its Python would have accepted, from what was recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from packaging import tags
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from reprokit.bundle.environment import Environment

_PYTHON = re.compile(r"(?P<major>[0-9]{1,3})\.(?P<minor>[0-9]{1,3})(\D.*)?", re.DOTALL)
_LIBC = re.compile(r"(?P<name>glibc|musl) (?P<major>[0-9]{1,3})\.(?P<minor>[0-9]{1,3})(\D.*)?", re.DOTALL)
_MACHINE = re.compile("[a-z0-9_]{1,20}")
# PEP 600: what the names of before it mean, by version of glibc; and the oldest that wheels were built for.
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OF_INTEL = frozenset({"x86_64", "i686"})
_OLDEST = {True: 5, False: 17}


def python_version(environment: Environment | None) -> tuple[int, int] | None:
    """Tell which Python ran an evaluation, by its major and minor version."""
    interpreter = environment.interpreter if environment is not None else None
    match = _PYTHON.fullmatch(interpreter.version) if interpreter is not None else None
    return (int(match["major"]), int(match["minor"])) if match else None


def accepted(environment: Environment) -> frozenset[Tag] | str:
    """List the tags of wheels that the Python of a run accepts on its machine; or say why that is not known."""
    version = python_version(environment)
    if version is None or environment.interpreter is None:
        return "the Python of the run is not recorded"
    if environment.interpreter.implementation != "cpython":
        return f"which wheels {environment.interpreter.implementation} accepts is not known"
    system = environment.platform or {}
    machine, libc = system.get("machine", ""), _LIBC.fullmatch(system.get("libc", ""))
    if system.get("system") != "Linux" or not _MACHINE.fullmatch(machine) or libc is None:
        return "system, processor or libc of the run's machine is not recorded, or it is not Linux"
    return _accepted(version, machine, libc["name"], int(libc["major"]), int(libc["minor"]))


def any_machine(environment: Environment) -> frozenset[Tag]:
    """List the tags of wheels that the Python of a run accepts on whatever machine."""
    version = python_version(environment)
    return frozenset() if version is None else frozenset(tags.compatible_tags(version, platforms=["any"]))


@lru_cache(maxsize=64)
def _accepted(version: tuple[int, int], machine: str, libc: str, major: int, minor: int) -> frozenset[Tag]:
    platforms = list(_platforms(machine, libc, major, minor))
    name = f"cp{version[0]}{version[1]}"
    return frozenset(
        (
            *tags.cpython_tags(version, abis=[name], platforms=platforms),
            *tags.compatible_tags(version, interpreter=name, platforms=platforms),
        )
    )


def _platforms(machine: str, libc: str, major: int, minor: int) -> Iterator[str]:
    kind = "manylinux" if libc == "glibc" else "musllinux"
    oldest = _OLDEST[machine in _OF_INTEL] if libc == "glibc" else 0
    for each in range(minor, oldest - 1, -1):
        yield f"{kind}_{major}_{each}_{machine}"
        if libc == "glibc" and major == 2 and each in _LEGACY:  # noqa: PLR2004 - of glibc, which has had no other since
            yield f"{_LEGACY[each]}_{machine}"
    yield f"linux_{machine}"


def fits(name: str, wanted: frozenset[Tag]) -> bool:
    """Tell whether a file is a wheel with one of these tags."""
    try:
        return not wanted.isdisjoint(parse_wheel_filename(name)[3])
    except (InvalidWheelFilename, InvalidVersion):
        return False


def is_wheel(name: str) -> bool:
    """Tell whether a file is called a wheel."""
    return name.endswith(".whl")


def is_of(name: str, package: str, version: Version) -> bool:
    """Tell whether a file is of one version of a package, by its name; `package` is normalised."""
    try:
        if is_wheel(name):
            # The tags, which take the time, are not read.
            given, written = name.split("-")[:2]
            return canonicalize_name(given) == package and Version(written.replace("_", "+")) == version
        of, is_at = parse_sdist_filename(name)
    except ValueError:
        return False
    return of == package and is_at == version
