"""The distributions that are installed in an evaluation's environment, and the lock made of them.

They are read from the folders of the evaluation's own `sys.path`, file by file: the interpreter may be of any version,
and is not run for it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Package
from reprokit.bundle.values import Json, Unknown
from reprokit.probes.interpreter import readable
from reprokit.probes.text_file import read_text

SYSTEM = ("/usr/lib/", "/usr/lib64/")
"""Where an operating system keeps its own Python packages; what people install goes elsewhere."""

INSTALLED_FOLDERS = ("site-packages", "dist-packages")
ADDED_BY_INSTALLERS = frozenset(
    {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "provenance_url.json", "uv_cache.json", "uv_build.json"}
)
_EGG = "EGG-INFO"
HEADER = """\
# The Python packages of the evaluation's environment, each at the exact version that was installed.
# A line that begins with `#` names a package that cannot be had from a package index by its version.
"""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The distributions of an environment, by name, and what may be wrong with the list."""

    packages: tuple[Package, ...]
    missing: tuple[str, ...]


def installed(path: Sequence[str], listed: Mapping[str, Sequence[str]]) -> Inventory:
    """Read the distributions that an interpreter with this `sys.path` finds.

    Where one name is found twice, the first on the path counts, as it does for an import. `listed` holds, per folder,
    the names of the metadata folders that the evaluation saw: what was there then and is not now is told, and where a
    whole folder cannot be read from here (it was in a container, or on another node), names and versions come from it.
    """
    packages: dict[str, Package] = {}
    missing: list[str] = []
    for folder in dict.fromkeys(path):
        seen = set(listed.get(folder, ()))
        metadata = {each.name: each for each in _metadata_folders(Path(folder))}
        if seen and not metadata:
            missing.append(f"`{folder}` cannot be read from here: its packages have name and version only")
            found = [_by_name(name) for name in sorted(seen)]
        else:
            missing += _changes(folder, seen, set(metadata) - {_EGG}) if listed else []
            # A name with a tilde is what `pip` left of an uninstallation that failed.
            found = [_package(each) for name, each in sorted(metadata.items()) if not name.startswith("~")]
        for package in found:
            missing += _add(packages, package, folder)
    return Inventory(packages=tuple(packages[name] for name in sorted(packages)), missing=tuple(missing))


def _add(packages: dict[str, Package], package: Package, folder: str) -> Iterator[str]:
    name = canonicalize_name(package.name)
    known = packages.setdefault(name, package)
    if known.editable and package.editable and known.direct_url is None:
        # A checkout on the path holds its own metadata, often stale; what was installed says where it came from.
        packages[name] = package
    elif known.version != package.version:
        yield f"`{name}` is there twice: {known.version} counts, {package.version} in `{folder}` does not"


def _changes(folder: str, before: set[str], after: set[str]) -> Iterator[str]:
    for name in sorted(before - after):
        yield f"`{name}` was in `{folder}` when the evaluation began, and is no longer"
    for name in sorted(after - before):
        yield f"`{name}` was not yet in `{folder}` when the evaluation began"


def _metadata_folders(folder: Path) -> Iterator[Path]:
    if folder.suffix == ".egg" and (folder / _EGG).is_dir():
        yield folder / _EGG
    try:
        entries = list(folder.iterdir())
    except (OSError, ValueError):
        return
    yield from (each for each in entries if each.suffix in {".dist-info", ".egg-info"})


def _package(metadata: Path) -> Package:
    named = _by_name(metadata.parent.name if metadata.name == _EGG else metadata.name)
    text = read_text(metadata) or read_text(metadata / "METADATA") or read_text(metadata / "PKG-INFO") or ""
    headers = HeaderParser().parsestr(text.partition("\n\n")[0])
    direct_url = _direct_url(metadata)
    editable = _is_editable(direct_url) or _is_in_checkout(metadata)
    return Package(
        name=str(headers["Name"] or named.name).strip(),
        version=str(headers["Version"] or named.version).strip(),
        record_digest=None if editable else record_digest(metadata),
        direct_url=direct_url,
        editable=editable,
        from_system=str(metadata).startswith(SYSTEM),
    )


def _by_name(folder: str) -> Package:
    """Read name and version from the name of a metadata folder: `lm_eval-0.4.13.dist-info`."""
    name, _, version = folder.rpartition(".")[0].partition("-")
    return Package(name=name, version=version.partition("-py")[0])


def record_digest(metadata: Path) -> str | None:
    """Digest what a distribution's RECORD says of its files, by the rule that `Package.record_digest` states."""
    text = read_text(metadata / "RECORD")
    if text is None:
        return None
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row and _is_content(row[0], metadata.name)]
    except csv.Error:
        return None
    lines = "\n".join(sorted(",".join(row) for row in rows))
    return "sha256:" + hashlib.sha256(lines.encode("utf-8", errors="backslashreplace")).hexdigest()


def _is_content(written: str, metadata: str) -> bool:
    """Tell whether a line of a RECORD is about the distribution, rather than about how it was installed."""
    parts = written.replace("\\", "/").split("/")  # plain text: one environment may have a hundred thousand lines
    if written.endswith(".pyc") or "__pycache__" in parts or not parts[0]:
        return False
    if parts[0] == ".." and ("bin" in parts or "Scripts" in parts):
        return False
    return not (parts[0] == metadata and parts[-1] in ADDED_BY_INSTALLERS)


def _direct_url(metadata: Path) -> Json:
    text = read_text(metadata / "direct_url.json")
    if text is None or (read_text(metadata / "INSTALLER") or "").strip() == "conda":
        return None  # conda leaves a path of the machine that built the package, which is no origin
    try:
        origin = readable(canonical.decode_loosely(text))
        return {**origin, "url": without_credentials(str(origin["url"]))}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {"unknown": "`direct_url.json` cannot be read"}


def without_credentials(url: str) -> str:
    """Take out of an address whatever could let somebody in: the user (but for `git`), the password, the query.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"git@{place}" if user == "git" else place, query=""))


def _is_editable(direct_url: Any) -> bool:
    match direct_url:
        case {"dir_info": {"editable": True}}:
            return True
        case _:
            return False


def _is_in_checkout(metadata: Path) -> bool:
    """Tell whether metadata lies beside the source it was made from, as `setup.py develop` leaves it."""
    return metadata.suffix == ".egg-info" and metadata.parent.name not in INSTALLED_FOLDERS


def lock(environment: Environment) -> bytes:
    """Write `requirements.lock`: a pinned line per distribution from an index, a comment for each from elsewhere.

    It holds no address and no hash. The same environment gives the same bytes.
    """
    match environment.packages:
        case Unknown(unknown=reason):
            lines = [f"# The packages are not known: {reason}"]
        case packages:
            lines = [_line(package) for package in sorted(packages, key=lambda each: canonicalize_name(each.name))]
    return HEADER.encode() + "".join(f"{' '.join(line.split())}\n" for line in lines).encode()


def _line(package: Package) -> str:
    name = canonicalize_name(package.name)
    reason = _not_pinned(package)
    return f"# {name} {package.version} {reason}" if reason else f"{name}=={package.version}"


def _not_pinned(package: Package) -> str | None:
    """Say why an index would not give this distribution; `None` when it would."""
    if package.editable:
        return "is editable: see environment.json, and source/ if it was used"
    if package.from_system:
        return "belongs to the operating system"
    match package.direct_url:
        case {"vcs_info": {"vcs": str(system), "commit_id": str(commit)}}:
            return f"is from {system} at {commit}: see environment.json"
        case {"archive_info": {}}:
            return "is from a file or an address: see environment.json"
        case {"dir_info": {}}:
            return "is from a folder: see environment.json"
        case {}:
            return "is from elsewhere: see environment.json"
        case _:
            return None if is_version(package.version) else "has no version that could be pinned"


def is_version(text: str) -> bool:
    """Tell whether it is a version that can be pinned."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
