"""What a failure of W&B's client means: to try again, or to do something about it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from reprokit.errors import FixityError, InputMissingError, NotFoundError, UsageError
from reprokit.mirrors.interface import AwayError
from reprokit.mirrors.wandb.client import failures


class CommError(Exception):
    """As the client's own: it keeps what led to it."""

    def __init__(self, message, exc=None):
        super().__init__(message)
        self.exc = exc


class WandbApiFailedError(Exception):
    """As the client's own: it keeps the answer."""

    def __init__(self, message, status):
        super().__init__(message)
        self.response = SimpleNamespace(http_status=status)


class RunNotFoundError(Exception):
    """As the client's own."""


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(401, "refused"), (403, "refused"), (404, "refused"), (400, "refused"), (422, "refused"), (501, "refused"), (408, "away"), (409, "away"), (429, "away"), (500, "away"), (503, "away")],
)  # fmt: skip
def test_a_status_decides_wherever_it_is_kept(status, trouble):
    inner = WandbApiFailedError("x", status)
    for error in (
        inner,
        CommError("x", inner),
        ValueError(f"returned error {status}: x"),
        ValueError(f"status: {status} Whatever"),
    ):
        assert failures.told(error).trouble == trouble
        assert failures.status(error) == status
        assert not failures.is_missing(inner)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (WandbApiFailedError("permission denied", 200), "refused"),
        (WandbApiFailedError("something broke", 200), "away"),
        (ValueError("artifact collection x already exists with type dataset, not eval-bundle"), "refused"),
        (WandbApiFailedError("x already exists with type dataset", 409), "refused"),
        (WandbApiFailedError("x already exists with type dataset", 500), "away"),
        (ImportError("x"), "client"),
        (TimeoutError("x"), "away"),
        (RuntimeError(), "away"),
        (AwayError("x"), "away"),
        (UsageError("x"), "refused"),
        (NotFoundError("x"), "missing"),
        (FixityError("x"), "fixity"),
        (InputMissingError("x"), "client"),
    ],
)
def test_without_one_the_words_or_the_kind_decide(error, trouble):
    assert failures.told(error).trouble == trouble


def test_only_an_answer_says_that_something_is_missing():
    assert failures.is_missing(CommError("project not found", ValueError("project not found")))
    assert failures.is_missing(CommError("x", RunNotFoundError("Could not find run")))
    assert not failures.is_missing(CommError("x", WandbApiFailedError("x", 500)))
    unread = ValueError("could not be read")
    unread.__cause__ = WandbApiFailedError("x", 502)
    assert not failures.is_missing(unread)


def test_a_run_that_is_refused_is_told_from_one_that_nobody_took():
    assert failures.is_refusal_of_run(CommError("permission denied"))
    for tried in ("Timed out while retrying", "giving up after 3 attempt(s)", "connection refused", "unexpected EOF"):
        assert not failures.is_refusal_of_run(CommError(tried))
    assert failures.is_of_deleted_run(CommError("run x was previously created and deleted; try a new run name"))


def test_a_key_is_taken_out_before_anything_is_cut(monkeypatch):
    key = "local" + "".join(f"{number:02}" for number in range(30))
    monkeypatch.setenv("WANDB_API_KEY", key)
    for cut in range(8, len(key) + 1):
        start = "x" * (300 - len("W&B's client says: ") - cut)
        for told in (failures.reason(ValueError(start + key)), failures.brief(ValueError(start + key))):
            assert key[:6] not in told


def test_a_reason_is_one_short_line_and_holds_no_permission():
    told = failures.reason(
        ValueError("PUT https://bucket.example/file?X-Signature=planted&more\n giving up " + "x" * 900)
    )
    assert "planted" not in told
    assert "https://bucket.example/file giving up" in told
    assert "\n" not in told
    assert len(told) <= 300
