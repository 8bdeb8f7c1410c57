"""What a lab asks of its archive stands in `[audit]` of its settings; a slip there is told and never ignored."""

from __future__ import annotations

import datetime as dt

import pytest

from reprokit.audit.policy import Place, Policy, age, policy_of
from reprokit.errors import UsageError


def settle(archive, text):
    path = archive.root / "reprokit.toml"
    path.write_text(path.read_text() + text)


def test_without_a_table_nothing_is_asked(archive):
    assert policy_of(archive) == Policy()


def test_what_is_written_is_asked(archive):
    settle(
        archive,
        '[audit]\ncopies = 3\nremotes = ["nas"]\nmirrors = ["wandb"]\nread_every = "90d"\nreproduce_every = "1y"\n'
        'signed = true\nretired_models = ["gpt-x"]\n[audit.places.nas]\nlocation = "Berlin"\n',
    )

    assert policy_of(archive) == Policy(
        copies=3,
        remotes=("nas",),
        mirrors=("wandb",),
        read_every=dt.timedelta(days=90),
        reproduce_every=dt.timedelta(days=365),
        signed=True,
        retired_models=("gpt-x",),
        places={"nas": Place(location="Berlin")},
    )


@pytest.mark.parametrize(
    "text",
    [
        "[audit]\nduplicates = 3\n",
        "[audit]\ncopies = 0\n",
        '[audit]\ncopies = "3"\n',
        '[audit]\nread_every = "soon"\n',
        "[audit]\nread_every = 90\n",
        '[audit.places.nas]\nplace = "Berlin"\n',
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_file(archive, text):
    settle(archive, text)

    with pytest.raises(UsageError, match=r"reprokit\.toml"):
        policy_of(archive)


def test_ages_are_hours_days_weeks_and_years():
    assert [age(each) for each in ("12h", "90d", "2w", "1y", "90", "d", "-1d", "1.5d")] == [
        dt.timedelta(hours=12),
        dt.timedelta(days=90),
        dt.timedelta(weeks=2),
        dt.timedelta(days=365),
        None,
        None,
        None,
        None,
    ]
