"""A bundle on a mirror, which is the folder that the contract of mirrors is tried on."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundles import archives, audits
from bundles.case import Case

from reprokit.archive.layout import Archive
from reprokit.audit.policy import Policy
from reprokit.outbox import destinations, waiting
from reprokit.sync.mirroring import drain as mirroring

_MODULE = Path(__file__).parents[1] / "contracts/folder_mirror.py"
_SPECIFICATION = importlib.util.spec_from_file_location("folder_mirror_of_the_codes", _MODULE)
assert _SPECIFICATION is not None
assert _SPECIFICATION.loader is not None
_folder_mirror = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(_folder_mirror)


@dataclass(frozen=True, kw_only=True)
class Mirrored:
    """A bundle of an archive, and the service that has a copy of it."""

    archive: Archive
    bundle: str
    packages: Path
    service: Any

    def change(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Let the service say something else of its copy."""
        (version,) = self.service.versions()
        about = self.service.about(version)
        change(about)
        (version / "about.json").write_text(json.dumps(about))

    def audited(self) -> Case:
        """Ask what an audit finds of the copy."""
        case = audits.copied(self.archive, self.bundle, Policy(), **_variables(self.service))

        def look() -> list[Any]:
            with audits.installed(self.packages):
                return list(case.look())

        return Case(look=look)


def _variables(service: Any) -> dict[str, str]:
    return {_folder_mirror.ADDRESS: str(service.folder), _folder_mirror.KEY: service.key}


def mirrored(place: Path) -> Mirrored:
    """Make an archive with a bundle, and send that to a mirror."""
    archive, bundle = archives.with_bundle(place)
    packages = _folder_mirror.installed(place / "packages")
    service = _folder_mirror.Service(place / "service", key="a-key-of-this-service")
    environment = _variables(service)
    with audits.installed(packages):
        to = destinations.destination(archive, "folder", environment=environment, directory=archive.root)
        waiting.queue(archive, bundle, _folder_mirror.plain(to))
        done = mirroring.drain(archive, mirroring.Terms(environment=environment, directory=archive.root))
    assert [each.outcome for each in done.bundles] == ["sent"]
    return Mirrored(archive=archive, bundle=bundle, packages=packages, service=service)
