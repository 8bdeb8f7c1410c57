"""A mirror for the tests: a shelf, which is a folder with bundles on it, and with faults that a test puts beside them.

It is installed as somebody else's package brings a mirror along, by an entry point; see `installed`. On the shelf lies
a folder for each name: `bag` is what it hands out, `says.json` what it says of it instead of the truth, and `fault`
names what goes wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError, UsageError
from reprokit.mirrors.interface import AwayError, Copy, Destination, Environment, Room, Step

VARIABLE = "SHELF"
VERSION = "v7"


def installed(folder: Path) -> Path:
    """Make a folder that is, on `sys.path`, an installed package with this mirror; returns it."""
    metadata = folder / "shelf-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(__file__, folder / "shelf_mirror.py")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[reprokit.mirrors]\nshelf = shelf_mirror:Shelf\n")
    return folder


class Shelf:
    """The mirror."""

    name = "shelf"

    def destination(self, settings: Any, environment: Environment, *, own: bool) -> Destination:
        address = environment.get(VARIABLE) or settings.get("address")
        if address is None:
            raise UsageError("there is no shelf", hint=f"`{VARIABLE}` names it")
        return Destination(mirror=self.name, address=address, trusted=own)

    def probe(self, to: Destination, environment: Environment) -> None:
        with (Path(to.address) / "probes").open("a") as stream:
            stream.write("x")
        if (Path(to.address) / "away").exists():
            raise AwayError("the shelf does not answer", hint="see whether it is there")
        if environment.get("SHELF_KEY") == "":
            raise InputMissingError("there is no key for the shelf", hint="set `SHELF_KEY`")

    def look(self, reference: str, to: Destination, environment: Environment, room: Room) -> Copy:
        place = self._place(reference, to)
        if not (place / "bag").is_dir():
            raise NotFoundError(f"the shelf has no `{reference}`", hint="look at the shelf")
        if _fault(place) == "refused":
            raise RemoteError("the shelf refuses us", hint="ask whose it is")
        sizes = [path.lstat().st_size for path in (place / "bag").rglob("*") if not path.is_dir()]
        manifest = place / "bag/manifest-sha256.txt"
        truth = {
            "reference": f"shelf:{place.name}:{VERSION}",
            "identity": f"sha256:{hashlib.sha256(manifest.read_bytes()).hexdigest()}" if manifest.is_file() else None,
            "files": len(sizes),
            "octets": sum(sizes),
        }
        says = place / "says.json"
        return Copy(**(truth | (json.loads(says.read_text()) if says.is_file() else {})))

    def fetch(self, reference: str, to: Destination, environment: Environment, folder: Path, room: Room) -> Copy:
        assert not any(folder.iterdir())
        assert not any(room.scratch.iterdir())
        place, fault = self._place(reference, to), _fault(self._place(reference, to))
        (room.scratch / "of the mirror").write_bytes(b"x" * 100)
        (place / "fetched").write_text(json.dumps({"folder": str(folder), "seconds": room.seconds}))
        room.watch(Step(doing="fetching", octets=1, of=2))
        shutil.copytree(place / "bag", folder, symlinks=True, dirs_exist_ok=True)
        room.watch(Step(doing="fetching", octets=2, of=2))
        match fault:
            case "hang":
                time.sleep(room.seconds)
                raise AwayError("it was stopped")
            case "killed" | "stopped":
                os.kill(os.getpid(), signal.SIGKILL if fault == "killed" else signal.SIGTERM)
            case "broken off":
                raise AwayError("the shelf broke off")
            case "wrong":
                raise FixityError("`data/results.json` has another MD5 than the shelf's list says")
        return self.look(reference, to, environment, room)

    def _place(self, reference: str, to: Destination) -> Path:
        scheme, *parts = reference.split(":")
        if scheme != self.name or not 1 <= len(parts) <= 2 or not parts[0].replace("-", "").isalnum():
            raise UsageError(f"`{reference}` is no reference to the shelf", hint="as in `shelf:name:v1`")
        return Path(to.address) / parts[0]


def _fault(place: Path) -> str:
    fault = place / "fault"
    return fault.read_text() if fault.is_file() else ""
