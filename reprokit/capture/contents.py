"""What goes into the payload besides the records, and what is kept out of it: patches, histories, logs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Withheld
from reprokit.bundle.source import LeftOut, Source
from reprokit.bundle.writing import Payload
from reprokit.capture import media_parts, private, wheels
from reprokit.git import GitError
from reprokit.probes import secrets
from reprokit.probes.interpreter.media import SeenMedia
from reprokit.probes.secrets import Secrets
from reprokit.probes.source import binary_patch, credential_files, history, untracked
from reprokit.probes.source.checkout import ObservedSource
from reprokit.probes.source.working_tree import OUTPUT

Value = TypeVar("Value")


@dataclass(kw_only=True)
class Contents:
    """The payload of one bundle in the making, and what there is to say about it.

    With `private`, the content of samples stays out.
    """

    payload: Payload
    secrets: Secrets
    private: bool
    media: SeenMedia | None
    findings: list[Finding]
    withheld: list[Withheld]

    def part(self, task: str | None) -> Contents:
        """Begin contents of the same payload that are made elsewhere, with what is known of one task's media, if any.

        Absorbed in turn, such parts leave the contents as if all had been made here.
        """
        return dataclasses.replace(
            self,
            payload=self.payload.part(),
            media=media_parts.of_task(self.media, task) if self.media and task else None,
            findings=[],
            withheld=[],
        )

    def absorb(self, part: Contents) -> bool:
        """Take over what was made elsewhere; not so, and false, when here it would have been made otherwise."""
        if self.media and part.media and not media_parts.join(self.media, part.media):
            return False
        self.payload.absorb(part.payload)
        self.findings += part.findings
        self.withheld += part.withheld
        return True

    def withhold(self, path: str, names: set[str]) -> None:
        """Note what is kept out because of the secrets it holds."""
        listed = ", ".join(sorted(names))
        self.withheld.append(Withheld(path=path, reason=f"holds the secret {listed}"))
        self.findings.append(finding("W312", path, listed))

    def keep_private(self, path: str) -> None:
        """Note what is kept out because it may hold what a sample says."""
        self.withheld.append(Withheld(path=path, reason=private.REASON))


def redacted(value: Value, kind: type[Value], known: Secrets) -> Value:
    """Copy a record without its secrets."""
    return msgspec.convert(secrets.redact_json(msgspec.to_builtins(value), known), kind)


def _add_patch(contents: Contents, source: Source, file: Path, path: str) -> Source:
    """Add the patch of a checkout, unless it holds a secret; returns the source as it then is."""
    names = secrets.names_in_file(file, contents.secrets)
    for data in binary_patch.contents(file):
        names |= secrets.names_in_text(data, contents.secrets)
    if not names:
        contents.payload.add_file(file, PurePosixPath(path), "source")
        return source
    return msgspec.structs.replace(source, patch=None, left_out=[*source.left_out, _withhold(contents, path, names)])


def _add_history(contents: Contents, source: Source, seen: history.History | None, file: Path, path: str) -> Source:
    """Add the commits that are on no remote, unless they hold a secret; returns the source as it then is."""
    names: set[str] = set()
    try:
        for text in history.texts(seen) if seen else ():
            names |= secrets.names_in_text(text, contents.secrets)
    except GitError as error:
        names.add(f"that was not looked for: {error.message}")
    if not names:
        contents.payload.add_file(file, PurePosixPath(path), "source")
        return source
    left = _withhold(contents, path, names)
    return msgspec.structs.replace(source, git_bundle=None, left_out=[*source.left_out, left])


def _withhold(contents: Contents, path: str, names: set[str]) -> LeftOut:
    contents.withhold(path, names)
    return LeftOut(path=path, reason=f"holds the secret {', '.join(sorted(names))}")


def add_sources(contents: Contents, observed: tuple[ObservedSource, ...]) -> list[Source]:
    """Add each checkout's record, patch and history; returns the records as added."""
    sources: list[Source] = []
    for each in observed:
        source = each.source
        if each.patch is not None and source.patch is not None:
            source = _add_patch(contents, source, each.patch, source.patch)
        if each.git_bundle is not None and source.git_bundle is not None:
            source = _add_history(contents, source, each.history, each.git_bundle, source.git_bundle)
        if missed := [left.path for left in source.left_out if _is_missed(source, left)]:
            more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
            contents.findings.append(finding("W313", f"source/{source.name}.json", f"`{missed[0]}`{more}"))
        if source.tree_after is not None and source.tree_after != source.tree:
            contents.findings.append(finding("W311", f"source/{source.name}.json"))
        source = redacted(source, Source, contents.secrets)
        contents.payload.add(f"source/{source.name}.json", "source", canonical.record(source))
        sources.append(source)
    return sources


def _is_missed(source: Source, left: LeftOut) -> bool:
    """Tell whether a re-run would miss what was left out, and no finding of its own tells so."""
    expected = {OUTPUT, credential_files.REASON, *untracked.MARKS.values()}
    return left.reason not in expected and left.path not in source.submodules


def add_wheels(contents: Contents, files: Iterable[Path]) -> None:
    """Add wheels as they are; one whose name cannot be stored is left out, since its name is what tells its version."""
    for path in files:
        stored = f"{wheels.FOLDER}/{path.name}"
        if contents.payload.free_name(stored) == stored:
            contents.payload.add_file(path, PurePosixPath(stored), "environment")
        else:
            contents.findings.append(finding("W359", wheels.FOLDER, f"`{path.name}` has a name that cannot be stored"))


def add_logs(contents: Contents, logs: dict[str, Path], scratch: Path) -> None:
    """Add what the run printed, its secrets replaced by slots; `scratch` is a folder for what does not stay."""
    for name, path in sorted(logs.items()):
        if not path.exists():
            continue
        if contents.private:
            contents.keep_private(f"process/{name}.log")
            continue
        clean = scratch / f"{name}.redacted"
        secrets.redact_file(path, clean, contents.secrets)
        contents.payload.add_file(clean, PurePosixPath(f"process/{name}.log"), "process")
        clean.unlink()
