"""A small mirror that keeps its copies in a folder: whole, and as fallible as a service is.

The folder is the service. A test tells it to fail by a file in it (`faults.json`: operation, kind, how often), so that
any process meets the fault; `asked.log` holds a line for each thing that it was asked. It is registered as a mirror of
another package would be, by an entry point: see `installed`.

    copies/<collection>/v<N>/bundle/…     a version, and beside it `about.json`: identity, labels, files
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError, UsageError
from reprokit.mirrors.interface import (
    AwayError,
    Consignment,
    Copy,
    Destination,
    Environment,
    Exported,
    Receipt,
    Room,
    Step,
)

NAME = "folder"
ADDRESS = "FOLDER_MIRROR"
KEY = "FOLDER_MIRROR_KEY"
MODE = "FOLDER_MIRROR_MODE"
DIRECTORY = "FOLDER_MIRROR_DIR"
SETTINGS = ("address", "collection", "tags")
SLICE = 0.05


def installed(folder: Path) -> Path:
    """Write into a folder what makes this a mirror for every process that has the folder on its PYTHONPATH."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, folder / "folder_mirror_module.py")
    told = folder / "folder_mirror-1.dist-info"
    told.mkdir(exist_ok=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-mirror\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[reprokit.mirrors]\n{NAME} = folder_mirror_module:FolderMirror\n")
    return folder


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


class Service:
    """The service behind the mirror, as a test sees it."""

    def __init__(self, folder: Path, key: str = "") -> None:
        self.folder = folder
        self.key = key
        (folder / "copies").mkdir(parents=True)
        (folder / "key").write_text(key)

    def fail(self, operation: str, kind: str, times: int = 1_000_000, **more: Any) -> None:
        """Fail the next so many times that an operation is asked for."""
        faults = self.faults()
        faults.append({"operation": operation, "kind": kind, "times": times, **more})
        (self.folder / "faults.json").write_text(json.dumps(faults))

    def faults(self) -> list[dict[str, Any]]:
        path = self.folder / "faults.json"
        return json.loads(path.read_text()) if path.exists() else []

    def heal(self) -> None:
        (self.folder / "faults.json").unlink(missing_ok=True)

    def asked(self, operation: str | None = None) -> list[str]:
        """What it was asked, in order."""
        path = self.folder / "asked.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if operation is None or line.split()[0] == operation]

    def versions(self) -> list[Path]:
        """Whole versions, in no order."""
        return [path.parent for path in self.folder.glob("copies/*/v*/about.json")]

    def about(self, version: Path) -> dict[str, Any]:
        return json.loads((version / "about.json").read_text())


class FolderMirror:
    """Keeps copies of bundles in a folder."""

    name = NAME

    def destination(self, settings: Mapping[str, Any], environment: Environment, *, own: bool) -> Destination:
        for key in settings:
            if key not in SETTINGS:
                near = difflib.get_close_matches(key, SETTINGS, n=1)
                raise UsageError(
                    f"the mirror `{NAME}` has no setting `{key}`", hint=f"did you mean `{(near or [''])[0]}`?"
                )
        named, written = environment.get(ADDRESS), settings.get("address")
        mode = environment.get(MODE, "online")
        if mode not in {"online", "offline", "disabled"}:
            raise UsageError(f"{MODE} is `{mode}`")
        tags = settings.get("tags", [])
        if not all(isinstance(tag, str) and tag and " " not in tag for tag in tags):
            raise UsageError("`tags` is no list of words")
        options: dict[str, Any] = {"tags": list(tags)}
        if "collection" in settings:
            options["collection"] = settings["collection"]
        if environment.get(DIRECTORY):
            options["folder"] = environment[DIRECTORY]
        return Destination(
            mirror=NAME,
            mode=mode,  # type: ignore[arg-type]  # one of the three, as was just seen
            address=named or written or "/nowhere",
            trusted=named is not None or own or written is None,
            options=options,
        )

    def ready(self, to: Destination, environment: Environment) -> None:
        if environment.get("FOLDER_MIRROR_UNREADY"):
            raise InputMissingError("its key is missing", hint=f"set {KEY}")

    def probe(self, to: Destination, environment: Environment) -> None:
        self._meet(to, environment, "probe", Room(scratch=Path(), seconds=2.0))

    def push(self, consignment: Consignment, to: Destination, environment: Environment, room: Room) -> Receipt:
        kind = self._meet(to, environment, "push", room, consignment.bundle.path.name)
        service = Path(to.address)
        collection = to.options.get("collection") or consignment.bundle.path.name.rpartition("-")[0]
        place = service / "copies" / collection
        version, outcome = self._find(place, consignment.bundle.identity), "there"
        if version is None:
            version, outcome = self._store(consignment, place, room, kind), "sent"
        about = json.loads((version / "about.json").read_text())
        wanted = [*consignment.label.tags, *to.options.get("tags", ())]
        labels = sorted({*about["labels"]} - {*consignment.before} | {*wanted})
        if labels != about["labels"] or about["original"] != consignment.original:
            outcome = "updated" if outcome == "there" else outcome
            self._tell(version, {**about, "labels": labels, "original": consignment.original})
        self._compare(consignment, version)
        octets = sum(member.size for member in consignment.files.values())
        return Receipt(
            mirror=NAME,
            address=to.address,
            reference=f"{NAME}:{collection}:{version.name}",
            page=f"file://{version}",
            outcome=outcome,  # type: ignore[arg-type]  # one of the three
            files=len(consignment.files) - (kind == "liar"),
            octets=octets,
            labels=sorted(set(wanted)),
        )

    def export(
        self, consignment: Consignment, to: Destination, environment: Environment, folder: Path, room: Room
    ) -> Exported:
        for path in consignment.files:
            target = folder / "outgoing" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(consignment.bundle.path / path, target)
        return Exported(folder=str(folder), command=f"folder-mirror send {folder}")

    def look(self, reference: str, to: Destination, environment: Environment, room: Room) -> Copy:
        self._meet(to, environment, "look", room, reference)
        version = self._resolve(reference, to)
        about = json.loads((version / "about.json").read_text())
        return Copy(
            reference=f"{NAME}:{version.parent.name}:{version.name}",
            identity=about["identity"],
            files=len(about["files"]),
            octets=sum(size for _, size in about["files"].values()),
        )

    def fetch(self, reference: str, to: Destination, environment: Environment, folder: Path, room: Room) -> Copy:
        copy = self.look(reference, to, environment, room)
        kind = self._meet(to, environment, "fetch", room, reference)
        version, wrong = self._resolve(reference, to), []
        for path, (md5, _) in json.loads((version / "about.json").read_text())["files"].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            data = (version / "bundle" / path).read_bytes()
            (folder / path).write_bytes(data[:-1] if kind == "wrong bytes" and path.endswith("results.json") else data)
            if md5_of(folder / path) != md5:
                (folder / path).unlink()
                wrong.append(path)
            if wrong and not room.piecemeal:
                break
        if wrong:
            raise FixityError(f"`{wrong[0]}` arrived damaged")
        return copy

    # --- the service ---

    def _meet(
        self, to: Destination, environment: Environment, operation: str, room: Room, about: str = ""
    ) -> str | None:
        """Reach the service, and meet the fault that a test has laid out; gives its kind if it is met later."""
        service = Path(to.address)
        if not service.is_dir():
            raise AwayError(f"nobody is at `{service}`")
        with (service / "asked.log").open("a") as log:
            log.write(f"{operation} {about}\n")
        key = (service / "key").read_text()
        given = environment.get(KEY) if to.trusted else None
        if key and not given:
            raise InputMissingError(f"there is no key for `{service}`", hint=f"set {KEY}")
        if key and given != key:
            raise RemoteError("the key is refused", hint=f"mend {KEY}")
        return self._fault(service, operation, room)

    def _fault(self, service: Path, operation: str, room: Room) -> str | None:
        path = service / "faults.json"
        faults = json.loads(path.read_text()) if path.exists() else []
        for fault in faults:
            if fault["operation"] == operation and fault["times"] > 0:
                fault["times"] -= 1
                temporary = path.with_name(f"faults-{time.monotonic_ns()}")
                temporary.write_text(json.dumps(faults))
                temporary.replace(path)
                return self._suffer(fault, room)
        return None

    def _suffer(self, fault: dict[str, Any], room: Room) -> str:
        match fault["kind"]:
            case "away":
                raise AwayError("it is away", after=fault.get("after"))
            case "refuse":
                raise RemoteError("it does not want that", hint="ask it nicely")
            case "bug":
                raise TypeError("a bug\nof the mirror's own")
            case "exit":
                raise SystemExit(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(room.seconds)
                raise AwayError(f"it gave no answer for {room.seconds:g} s")
            case "slow":
                time.sleep(fault["seconds"])
        return str(fault["kind"])

    def _find(self, place: Path, identity: str) -> Path | None:
        for about in place.glob("v*/about.json"):
            if json.loads(about.read_text())["identity"] == identity:
                return about.parent
        return None

    def _store(self, consignment: Consignment, place: Path, room: Room, kind: str | None) -> Path:
        """Take the files in, one after the other, and make a version of them when all are there."""
        incoming = place.parent.parent / f"incoming-{os.getpid()}-{time.monotonic_ns()}"
        octets = 0
        for path, member in consignment.files.items():
            (incoming / "bundle" / path).parent.mkdir(parents=True, exist_ok=True)
            data = (consignment.bundle.path / path).read_bytes()
            (incoming / "bundle" / path).write_bytes(data)
            octets += member.size
            room.watch(Step(doing="sending", octets=octets, of=octets))
            if kind == "slow":
                time.sleep(SLICE)
            if kind == "drop":
                raise AwayError("the connection broke off")
        victim = incoming / "bundle/data/results.json"
        if kind == "wrong bytes":
            victim.write_bytes(victim.read_bytes()[::-1])
        if kind == "lost file":
            victim.unlink()
        self._compare(consignment, incoming)
        files = {path: [member.md5, member.size] for path, member in consignment.files.items()}
        about = {"identity": consignment.bundle.identity, "labels": [], "original": None, "files": files}
        self._tell(incoming, about)
        place.mkdir(parents=True, exist_ok=True)
        version = place / f"v{len(list(place.iterdir()))}"
        incoming.rename(version)
        return version

    def _tell(self, version: Path, about: dict[str, Any]) -> None:
        temporary = version / "about.json.new"
        temporary.write_text(json.dumps(about))
        temporary.replace(version / "about.json")

    def _compare(self, consignment: Consignment, version: Path) -> None:
        """Read back every file that the service has, and hold it against what was to be sent."""
        root = version / "bundle"
        there = {
            path.relative_to(root).as_posix(): (md5_of(path), path.stat().st_size)
            for path in root.rglob("*")
            if path.is_file()
        }
        if there != {path: (member.md5, member.size) for path, member in consignment.files.items()}:
            raise FixityError("what is there is not what was sent")

    def _resolve(self, reference: str, to: Destination) -> Path:
        parts = reference.split(":")
        if len(parts) != 3 or parts[0] != NAME or not all(parts) or "/" in parts[1] + parts[2]:
            raise UsageError(f"`{reference}` is no reference of the mirror `{NAME}`")
        place = Path(to.address) / "copies" / parts[1]
        for about in place.glob("v*/about.json"):
            if parts[2] == about.parent.name or parts[2] in json.loads(about.read_text())["labels"]:
                return about.parent
        raise NotFoundError(f"there is no `{reference}`")


def plain(to: Destination) -> dict[str, Any]:
    """A destination as the outbox holds it."""
    return msgspec.to_builtins(to)
