"""How long a mirror may take to bring a copy: by its size, which is only claimed, and by what the user says."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from reprokit.mirrors.interface import Copy, Destination
from reprokit.sync.foreign import references

HOURS = 3600.0


class Mirror:
    """Notes how much time it is given."""

    name = "shelf"
    seconds = 0.0

    def fetch(self, reference, to, environment, folder, room):
        self.seconds = room.seconds


@pytest.mark.parametrize(
    ("octets", "patience", "seconds"),
    [
        (0, 300.0, 300.0),
        (5_000_000, 300.0, 305.0),
        (-1, 300.0, 300.0),
        (10**11, 300.0, 6 * HOURS),
        (10**11, 40 * HOURS, 40 * HOURS),
    ],
)
def test_the_time_grows_with_the_claimed_size_up_to_a_limit_that_only_the_user_raises(
    tmp_path, monkeypatch, octets, patience, seconds
):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**15))
    mirror, to = Mirror(), Destination(mirror="shelf", mode="online", address="/shelf", trusted=True, options={})
    foreign = references.Foreign(reference="shelf:toy:v7", mirror=mirror, to=to, environment={}, patience=patience)
    copy = Copy(reference="shelf:toy:v7", identity=None, files=1, octets=octets)

    references.fetch(foreign, copy, tmp_path, tmp_path, watch=lambda _: None)

    assert mirror.seconds == seconds
