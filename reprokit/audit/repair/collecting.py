"""Which files a bundle has, and whether each is here, or can be had, as it was sealed.

The manifest is proven by the identity, and the payload by the manifest. Of the tag files one is fixed and one follows
from the others. `bag-info.txt` takes no part in the identity: it is proven by the MD5 that the bundle's listing has for
it, which is named by the MD5 that the pointer has for it; where no listing is left, by the listing that the whole
bundle would have with it; and where there is no pointer either, by the tag manifest and the catalog entry together.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reprokit.archive.catalog import Entry
from reprokit.archive.dvc import Listing
from reprokit.audit.repair.gathering import Gathering, Proof, Seen
from reprokit.audit.repair.outcome import shown
from reprokit.bundle import bag
from reprokit.bundle.bag import BagInfo, open_regular

_LARGEST_INFO = 1 << 20  # bytes
_AGENT = re.compile(rb"^Bag-Software-Agent: ([^\r\n]+)$", re.MULTILINE)
_PAYLOAD = "what the payload gives"
_FORMAT = "the format"
_CATALOG = "the catalog entry"
_NOT_PROVEN = "what there is cannot be proven without the files that are missing"


@dataclass(frozen=True)
class Collected:
    """The files that the bundle has; `refused` says of those that cannot be had why not."""

    paths: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)


def collect(gathering: Gathering, bundle_id: str) -> Collected:
    """Find every file of a bundle.

    Raises:
        OSError: the scratch folder cannot be written.
    """
    wrong = _manifest(gathering)
    data = gathering.read(bag.MANIFEST)
    if wrong is not None or data is None:
        return Collected(refused={bag.MANIFEST: wrong or "it cannot be read"})
    try:
        digests = bag.parse_manifest(data)
    except ValueError as error:
        return Collected(refused={bag.MANIFEST: f"it is what was sealed, and no manifest: {error}"})
    payload = {path: digest for path, digest in digests.items() if path not in bag.TAG_FILES}
    refused = {path: why for path, digest in payload.items() if (why := gathering.find(path, _is(digest)))}
    tags = _TagFiles(gathering=gathering, bundle=bundle_id, digests=digests, whole=not refused)
    return Collected(paths=(*payload, *bag.TAG_FILES), refused=refused | tags.collect())


def _is(sha256: str) -> Proof:
    return lambda _, seen: seen.sha256 == sha256


def _manifest(gathering: Gathering) -> str | None:
    digest = gathering.truth.identity.removeprefix("sha256:")
    there = gathering.here.get(bag.MANIFEST)
    if there is None or there.sha256 != digest:
        for paths in (gathering.here, gathering.listing_here or {}):
            digests = {
                path: gathering.here[path].sha256
                for path in paths
                if path.startswith(f"{bag.PAYLOAD}/") and path in gathering.here and shown(path) == path
            }
            data = bag.render_manifest(digests)
            if hashlib.sha256(data).hexdigest() == digest:
                gathering.keep(bag.MANIFEST, data, _PAYLOAD)
                return None
    return gathering.find(bag.MANIFEST, _is(digest))


@dataclass(frozen=True, kw_only=True)
class _TagFiles:
    """The tag files around a proven manifest; `whole` says that all of the payload is there or was brought."""

    gathering: Gathering
    bundle: str
    digests: Mapping[str, str]
    whole: bool

    def collect(self) -> dict[str, str]:
        gathering = self.gathering
        wrong = gathering.find(bag.INFO, self._proves)
        if wrong is not None and (data := self._from_the_catalog()) is not None:
            gathering.keep(bag.INFO, data, _CATALOG)
            wrong = None
        data = gathering.read(bag.INFO) if wrong is None else None
        sealed = self._sealed(bag.parse_info(data) if data is not None else self._nothing())
        gathering.keep(bag.DECLARATION, sealed[bag.DECLARATION], _FORMAT)
        if data is not None:
            gathering.keep(bag.TAG_MANIFEST, sealed[bag.TAG_MANIFEST], "the other tag files")
            return {}
        there, name = gathering.here.get(bag.TAG_MANIFEST), (gathering.listing or {}).get(bag.TAG_MANIFEST)
        refused = {bag.INFO: wrong or _NOT_PROVEN}
        if there is None or there.md5 != name:
            refused[bag.TAG_MANIFEST] = f"it follows from `{bag.INFO}`, which cannot be had"
        return refused

    def _nothing(self) -> BagInfo:
        return BagInfo(bundle_id=self.bundle, bagging_date="", payload_octets=0, payload_files=0, content_digest="")

    def _sealed(self, info: BagInfo) -> dict[str, bytes]:
        """Write the tag files as sealing writes them."""
        with tempfile.TemporaryDirectory(dir=self.gathering.scratch) as folder:
            bag.seal(Path(folder), self.digests, info)
            return {name: (Path(folder) / name).read_bytes() for name in bag.TAG_FILES}

    def _proves(self, file: Path, seen: Seen) -> bool:
        if seen.size > _LARGEST_INFO:
            return False
        try:
            with open_regular(file) as stream:
                data = stream.read(_LARGEST_INFO)
        except OSError:
            return False
        return self._is_proven(data)

    def _is_proven(self, data: bytes) -> bool:
        try:
            info = bag.parse_info(data)
        except ValueError:
            return False
        if bag.render_info(info) != data or info.bundle_id != self.bundle:
            return False
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        gathering, pointers = self.gathering, self.gathering.truth.pointers
        if gathering.listing_here is None and pointers and self.whole:
            return self._listed(info).oid in {each.oid for each in pointers}
        if gathering.listing is not None:
            return gathering.listing.get(bag.INFO) == md5
        return self._is_told(info)

    def _listed(self, info: BagInfo) -> Listing:
        """List the bundle as it would be with this `bag-info.txt`."""
        files = {path: seen.md5 for path in self.digests if (seen := self.gathering.seen(path)) is not None}
        tags = {name: hashlib.md5(each, usedforsecurity=False).hexdigest() for name, each in self._sealed(info).items()}
        return Listing(files=files | tags, size=0)

    def _is_told(self, info: BagInfo) -> bool:
        """Tell whether the tag manifest that is here and a catalog entry both speak of it."""
        there = self.gathering.here.get(bag.TAG_MANIFEST)
        written = self._sealed(info)[bag.TAG_MANIFEST]
        if there is None or there.sha256 != hashlib.sha256(written).hexdigest():
            return False
        return any(replace(_told_by(each), agent=info.agent) == info for each in self.gathering.truth.entries)

    def _from_the_catalog(self) -> bytes | None:
        """Write it anew from the catalog entry, which lacks the agent alone; that stands in what is left of it."""
        for entry in self.gathering.truth.entries:
            for agent in self._agents():
                data = bag.render_info(replace(_told_by(entry), agent=agent))
                if self._is_proven(data):
                    return data
        return None

    def _agents(self) -> Iterator[str | None]:
        data = self.gathering.read(bag.INFO) or b""
        if match := _AGENT.search(data[:_LARGEST_INFO]):
            yield match[1].decode(errors="replace")
        yield None


def _told_by(entry: Entry) -> BagInfo:
    return BagInfo(
        bundle_id=entry.id,
        bagging_date=entry.captured,
        payload_octets=entry.payload_octets,
        payload_files=entry.payload_files,
        content_digest=entry.content_digest,
        name=entry.name,
        note=entry.note,
        tags=tuple(entry.tags),
    )
