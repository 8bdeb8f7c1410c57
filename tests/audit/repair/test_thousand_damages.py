"""A thousand damages, by fixed seeds: each is found by its name, and mended where a good copy is, or left as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from reprokit.archive import cache
from reprokit.archive.cache import md5_of
from reprokit.bundle import bag

KINDS = ("flip", "truncate", "delete", "swap", "add")
SEEDS = 3
ROUNDS = 6
IN_A_ROUND = 30  # damages
TWICE_OR_EMPTY = ("data/harness/empty", "data/harness/again", "data/harness/a b")


@dataclass
class Vandal:
    """Damages an estate, and knows what it did: of each damage, the names by which it should be found."""

    estate: object
    flip: object
    chance: np.random.Generator
    names: list[set[str]] = field(default_factory=list)
    damages: int = 0

    def paths(self, bundle: str, *, tags: bool = False) -> list[str]:
        """The files of a bundle, in an order of chance; those that are empty, or there twice, are left out."""
        found = [path for path, _ in bag.walk(self.estate.folder(bundle)) if (path in bag.TAG_FILES) == tags]
        return [str(each) for each in self.chance.permutation([each for each in found if each not in TWICE_OR_EMPTY])]

    def damage(self, kind: str, paths: list[Path], names: list[str]) -> None:
        """Do one damage to the first of some files; a swap needs two."""
        path, *others = paths
        self.damages += 1
        self.names.append(set(names[:1]))
        match kind:
            case "flip":
                self.flip(path, int(self.chance.integers(8 * path.stat().st_size)))
            case "truncate":
                self._write(path, path.read_bytes()[: int(self.chance.integers(path.stat().st_size))])
            case "delete":
                path.unlink()
            case "swap":
                self._swap(path, others[0])
                self.names.append(set(names[1:2]))
            case "add":
                self.names[-1] = {self._add(path.parent).name}

    def _write(self, path: Path, data: bytes) -> None:
        mode = path.stat().st_mode
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(mode)

    def _swap(self, one: Path, other: Path) -> None:
        """Exchange two files by their names or, as a program that mixes them up would, by their bytes."""
        first, second = one.read_bytes(), other.read_bytes()
        if self.chance.integers(2):
            aside = one.with_name("aside")
            one.rename(aside)
            other.rename(one)
            aside.rename(other)
        else:
            self._write(one, second)
            self._write(other, first)

    def _add(self, folder: Path) -> Path:
        added = folder / f"added-{self.chance.integers(1 << 30)}"
        match int(self.chance.integers(4)):
            case 0:
                added.write_bytes(self.chance.bytes(20))
            case 1:
                added.mkdir()
            case 2:
                added.symlink_to("/etc/hostname")
            case _:
                (added / "deep").mkdir(parents=True)
                (added / "deep/file").write_bytes(b"x")
        return added


@dataclass
class Trial:
    """An estate, how it was, and who damages it."""

    estate: object
    vandal: Vandal
    before: dict[str, bytes]
    identities: dict[str, str]
    scratch: Path
    own_files: tuple[str, ...] = ("data/bundle.json", "data/harness/word")

    def a_round(self, bundle: str, number: int) -> Iterator[None]:
        """Damage a bundle everywhere, and see it found and mended each time."""
        yield self.in_the_bundle(bundle, refused=number % 2 == 0)
        yield self.in_a_tag_file(bundle, KINDS[number % 5])
        yield self.in_a_tag_file(bundle, KINDS[(number + 2) % 5])
        self.in_objects(bundle, self.estate.object)
        yield self.check_local(bundle, None, [])
        self.in_the_listing(bundle, KINDS[number % 4], self.estate.object)
        yield self.check_local(bundle, None, [])
        yield self.check_remote(bundle, self.in_objects(bundle, self.estate.sent))
        yield self.check_remote(bundle, self.in_the_listing(bundle, KINDS[number % 4], self.estate.sent))

    def in_the_bundle(self, bundle: str, *, refused: bool) -> None:
        """Damage its payload in five ways, twice; the first file, if so wished, wherever it is."""
        folder, paths = self.estate.folder(bundle), self.vandal.paths(bundle)
        # One that no other bundle has: by their repair it would come back.
        paths.sort(key=lambda path: path not in self.own_files)
        lost, name = paths[0], md5_of(folder / paths[0])
        copies = [find(name) for find in (self.estate.object, self.estate.sent)] if refused else []
        for kind in 2 * KINDS:
            some = paths[:2] if kind == "swap" else paths[:1]
            del paths[: len(some)]
            self.vandal.damage(kind, [folder / path for path in some], some)
        for copy in (each for each in copies if md5_of(each) == name):
            self.vandal.flip(copy, int(self.vandal.chance.integers(8)))
        self.check_local(bundle, folder / lost if refused else None, copies)

    def in_a_tag_file(self, bundle: str, kind: str) -> None:
        folder, paths = self.estate.folder(bundle), self.vandal.paths(bundle, tags=True)
        self.vandal.damage(kind, [folder / path for path in paths[:2]], paths[:2])
        self.vandal.names[:] = [set(bag.TAG_FILES) if kind != "add" else each for each in self.vandal.names]
        self.check_local(bundle, None, [])

    def in_objects(self, bundle: str, find) -> list[str]:
        """Damage the objects of its files in four ways, twice; returns their names."""
        folder = self.estate.folder(bundle)
        left = [md5_of(folder / path) for path in self.vandal.paths(bundle)]
        for kind in 2 * KINDS[:4]:
            some = left[:2] if kind == "swap" else left[:1]
            del left[: len(some)]
            self.vandal.damage(kind, [find(name) for name in some], some)
        return [name for found in self.vandal.names for name in found]

    def in_the_listing(self, bundle: str, kind: str, find) -> list[str]:
        """Damage the listing alone, or mix it up with another object: what it lists is then known to nobody."""
        names = [self.estate.oid(bundle), md5_of(self.estate.folder(bundle) / "data/results.json")]
        self.vandal.damage(kind, [find(name) for name in names], names)
        damaged = names if kind == "swap" else names[:1]
        self.vandal.names[:] = [set(damaged)]
        return damaged

    def check_local(self, bundle: str, lost: Path | None, copies: list[Path]) -> None:
        found = {word for each in self.estate.found(bundle) for word in (each.where, *each.where.split("/"))}
        for names in self.vandal.names:
            assert names & found, (names, found)
        damaged = self.estate.tree()

        done = self.estate.repair(bundle)

        kept = [self.key(each) for each in (lost, *copies) if each is not None]
        expected = {key: data for key, data in self.before.items() if key not in kept}
        expected |= {key: damaged[key] for key in kept if key in damaged}
        assert done.identity == self.identities[bundle]
        assert done.restored
        assert done.remarks == []
        assert done.whole is (lost is None)
        path = [] if lost is None else [str(lost.relative_to(self.estate.folder(bundle)))]
        assert [each.path for each in done.refused] == path
        self.mend_what_shares_bytes(bundle)
        assert self.estate.tree() == expected
        self.heal(kept)

    def mend_what_shares_bytes(self, bundle: str) -> None:
        """By hardlinks what is in two bundles is damaged in both."""
        if not cache.of(self.estate.archive).hardlinks:
            return
        for other in self.estate.bundles:
            if other != bundle and self.estate.found(other):
                assert self.estate.repair(other).whole

    def check_remote(self, bundle: str, names: list[str]) -> None:
        assert self.estate.found_on_remote(bundle, self.scratch) == set(names)

        done = self.estate.repair(bundle, remotes=[self.estate.remote()])

        assert (done.whole, done.refused, {each.kind for each in done.restored}) == (True, [], {"remote object"})
        assert self.estate.tree() == self.before
        assert self.estate.found_on_remote(bundle, self.scratch) == set()

    def key(self, path: Path) -> str:
        roots = self.estate.roots()
        return next(f"{name}/{path.relative_to(root)}" for name, root in roots.items() if path.is_relative_to(root))

    def heal(self, keys: list[str]) -> None:
        """Give back what was rightly refused."""
        for key in keys:
            name, root = next((each, root) for each, root in self.estate.roots().items() if key.startswith(f"{each}/"))
            path = root / key.removeprefix(f"{name}/")
            path.unlink(missing_ok=True)
            path.write_bytes(self.before[key])
            path.chmod(0o444)


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("kind_of_link", ["hardlink", "copy"])
def test_every_damage_is_found_and_is_mended_or_refused(estate, flip, tmp_path, kind_of_link, seed):
    made = estate(count=2, kind=kind_of_link)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    chance = np.random.default_rng([20261130, seed, int(kind_of_link == "copy")])
    vandal = Vandal(made, flip, chance)
    identities = {bundle: bag.identity(made.folder(bundle)) for bundle in made.bundles}
    trial = Trial(made, vandal, made.tree(), identities, scratch)
    assert [each for bundle in made.bundles for each in made.found(bundle)] == []
    assert [each for bundle in made.bundles for each in made.found_on_remote(bundle, scratch)] == []

    for number in range(ROUNDS):
        for _ in trial.a_round(made.bundles[number % 2], number):
            vandal.names.clear()
            shutil.rmtree(made.archive.private / "set-aside", ignore_errors=True)

    assert vandal.damages == ROUNDS * IN_A_ROUND >= 1000 / (2 * SEEDS)
    assert [each for bundle in made.bundles for each in made.found(bundle)] == []
