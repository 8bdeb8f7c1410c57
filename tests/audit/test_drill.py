"""A few bundles, chosen by chance, are reproduced: which, and what came of each."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from reprokit.archive import ledger
from reprokit.audit import history
from reprokit.audit.drill import drill, runnable
from reprokit.bundle import canonical
from reprokit.bundle.reading import open_bundle
from reprokit.errors import InputMissingError, StoppedError
from reprokit.reproduce.result import Reproduction
from reprokit.reproduce.run import look_again, noted
from reprokit.reproduce.terms import Terms


@pytest.fixture
def bundles(publish) -> list[str]:
    return sorted(publish(f"word {number}", fold=True) for number in range(6))


@pytest.fixture
def reproduce(archive, tmp_path):
    """Give a function that reproduces a bundle and notes it, as the command line does where nothing is run."""

    def reproduce(bundle_id: str, tier) -> Reproduction:
        bundle = open_bundle(archive.payload(bundle_id))
        return noted(archive, bundle, look_again(bundle, Terms(environ={}, home=tmp_path, tier=tier)))

    return reproduce


def unheard(bundle_id: str, tier) -> Reproduction:
    return Reproduction(original=bundle_id, tier=tier, verdict="equivalent", reason="so it was said")


def names(drilled) -> list[str]:
    return [each.bundle for each in drilled.attempts]


def test_bundles_are_chosen_reproduced_and_noted_in_the_ledger(archive, bundles, reproduce):
    drilled = drill(archive, bundles, count=2, tier="verify", seed=7, reproduce=reproduce)

    assert (drilled.tier, drilled.seed, drilled.among) == ("verify", 7, 6)
    assert [(each.verdict, each.exit_code) for each in drilled.attempts] == [("identical bytes", 0)] * 2
    assert len(set(names(drilled))) == 2
    assert sorted(each.bundle for each in ledger.events(archive, ["reproduced"])) == sorted(names(drilled))


def test_recomputed_scores_are_found_in_the_history(archive, bundles, reproduce):
    drilled = drill(archive, bundles, count=1, tier="rescore", seed=7, reproduce=reproduce)

    (attempt,) = drilled.attempts
    known = history.last_reproduced(history.read(archive), attempt.bundle, None)
    assert known.rescored.verdict == attempt.verdict
    assert known.run is None


def test_the_same_seed_chooses_the_same_bundles_in_whatever_order_they_are_named(archive, bundles):
    def chosen(ids, seed):
        return names(drill(archive, ids, count=3, tier="verify", seed=seed, reproduce=unheard))

    assert chosen(bundles, 1) == chosen([*reversed(bundles), bundles[0]], 1)
    assert len({tuple(chosen(bundles, seed)) for seed in range(20)}) > 10


def test_without_a_seed_one_is_made_up_and_told(archive, bundles):
    first = drill(archive, bundles, count=3, tier="verify", seed=None, reproduce=unheard)
    again = drill(archive, bundles, count=3, tier="verify", seed=first.seed, reproduce=unheard)

    assert names(again) == names(first)
    assert first.seed != drill(archive, bundles, count=3, tier="verify", seed=None, reproduce=unheard).seed


def test_every_bundle_is_as_likely_as_any_other(archive, bundles):
    drawn = [
        name
        for seed in range(600)
        for name in names(drill(archive, bundles, count=1, tier="verify", seed=seed, reproduce=unheard))
    ]

    # 100 are expected of each; 60 is more than four standard deviations (9.1) below.
    assert min(drawn.count(each) for each in bundles) > 60


def test_all_are_taken_where_there_are_fewer_than_asked_for(archive, bundles):
    drilled = drill(archive, bundles[:2], count=10, tier="verify", seed=0, reproduce=unheard)

    assert sorted(names(drilled)) == bundles[:2]


def test_what_cannot_be_run_is_not_chosen(archive, bundles, publish, record):
    run = msgspec.structs.replace(record().run, complete=False)
    publish("broken off", fold=True, record=record(run=run))
    publish("a reproduction", fold=True, record=record(reproduces="sha256:" + "0" * 64))
    absent, undone, *rest = bundles
    shutil.rmtree(archive.payload(absent))
    archive.entry(undone).unlink()
    every = [path.stem for path in archive.bundles.glob("*/*.dvc")]

    assert list(runnable(archive, every)) == rest


def test_one_that_fails_does_not_stop_the_others(archive, bundles):
    def reproduce(bundle_id, tier):
        if bundle_id == bundles[0]:
            raise InputMissingError("its wheels are not to be had")
        if bundle_id == bundles[1]:
            raise ZeroDivisionError
        return unheard(bundle_id, tier)

    drilled = drill(archive, bundles, count=6, tier="rerun", seed=0, reproduce=reproduce)

    came = {each.bundle: (each.exit_code, each.verdict, each.reason) for each in drilled.attempts}
    assert came[bundles[0]] == (21, None, "its wheels are not to be had")
    assert came[bundles[1]] == (3, None, "a bug in reprokit: ZeroDivisionError")
    assert [came[each][:2] for each in bundles[2:]] == [(0, "equivalent")] * 4


def test_whoever_asks_for_the_end_gets_it(archive, bundles):
    def reproduce(bundle_id, tier):
        raise StoppedError("enough")

    with pytest.raises(StoppedError):
        drill(archive, bundles, count=6, tier="rerun", seed=0, reproduce=reproduce)


def test_what_came_of_it_can_be_written_and_read_again(archive, bundles):
    drilled = drill(archive, bundles, count=2, tier="verify", seed=3, reproduce=unheard)

    assert canonical.decode(canonical.line(drilled), type(drilled)) == drilled
