"""Answers are kept with their age; silence is not; and nobody is asked twice in one audit."""

import datetime as dt
import json
import os

import pytest

from reprokit.audit.asking.answers import OFFLINE
from reprokit.audit.asking.heard import Heard, Presence, Silence
from reprokit.errors import UsageError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

COMMIT = "5f91d94bd9cd7190a9f3216ff93cd1dd95f2c7be"
PATH = f"/api/models/toy/revision/{COMMIT}"
DAY = dt.timedelta(days=1)


@pytest.fixture
def served(site):
    site.page(PATH, json.dumps({"sha": COMMIT}).encode())
    return site


@pytest.fixture
def ask(served, ask_with, now):
    """Ask for one revision, in an audit that begins after some time."""

    def one(after=dt.timedelta(), **how):
        return ask_with(HF_ENDPOINT=served.address, now=now + after, **how).revision("model", "toy", COMMIT)

    return one


def files(archive):
    return sorted((archive.private / "audit" / "answers").rglob("*.json"))


def test_an_answer_is_kept_for_a_week_and_says_its_age(ask, served, now):
    first, later = ask(), ask(6 * DAY)
    assert first == Heard(answer=Presence(there=True), at=now, age=dt.timedelta())
    assert (first.as_of, later.as_of) == ("", " (as of 2026-11-27)")
    assert later.answer == first.answer
    assert len(served.asked) == 1


def test_after_a_week_it_is_asked_anew(ask, served):
    ask()
    assert ask(8 * DAY).as_of == ""
    assert len(served.asked) == 2


def test_an_answer_of_this_hour_needs_no_date(ask):
    ask()
    assert ask(dt.timedelta(minutes=59)).as_of == ""


def test_when_nothing_kept_counts_each_audit_asks_once(ask, ask_with, served, now):
    ask()
    asking = ask_with(HF_ENDPOINT=served.address, now=now + DAY, fresh_for=0)
    for _ in range(3):
        assert asking.revision("model", "toy", COMMIT).as_of == ""
    assert len(served.asked) == 2


def test_offline_an_answer_of_any_age_is_used_and_told(ask, served):
    ask()
    assert ask(1000 * DAY, offline=True).as_of == " (as of 2026-11-27)"
    assert len(served.asked) == 1


def test_offline_nobody_is_asked(ask, served, archive):
    assert ask(offline=True) == Silence(because=OFFLINE)
    assert served.asked == []
    assert files(archive) == []


def test_silence_is_not_kept_but_not_asked_again_in_the_same_audit(ask_with, served, archive):
    served.page(PATH, status=500)
    asking = ask_with(HF_ENDPOINT=served.address)
    assert [type(asking.revision("model", "toy", COMMIT)) for _ in range(3)] == [Silence] * 3
    assert len(served.asked) == 1
    assert files(archive) == []
    served.page(PATH, json.dumps({"sha": COMMIT}).encode())
    assert isinstance(ask_with(HF_ENDPOINT=served.address).revision("model", "toy", COMMIT), Heard)


def test_a_host_that_did_not_answer_once_is_asked_nothing_else(ask_with, served):
    served.page(PATH, status=503)
    asking = ask_with(HF_ENDPOINT=served.address)
    first = asking.revision("model", "toy", COMMIT)
    others = [asking.revision("dataset", f"other-{number}", COMMIT) for number in range(3)]
    assert "did not answer" in first.because
    assert {each.because for each in others} == {first.because}
    assert len(served.asked) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b'{"question": "x", "asked": "now", "answer": {}}', b"\xff" * 100])
def test_a_damaged_file_is_as_good_as_none(ask, served, archive, damage):
    ask()
    files(archive)[0].write_bytes(damage)
    assert isinstance(ask(), Heard)
    assert len(served.asked) == 2


def test_the_answer_to_another_question_is_not_taken(ask, ask_with, served, archive):
    ask()
    kept = files(archive)[0].read_bytes()
    asking = ask_with(HF_ENDPOINT=served.address)
    assert asking.revision("model", "gone", COMMIT).answer == Presence(there=False)
    (other,) = set(files(archive)) - {each for each in files(archive) if each.read_bytes() == kept}
    other.write_bytes(kept)
    assert asking.revision("model", "gone", COMMIT).answer == Presence(there=False)


def test_an_archive_that_cannot_be_written_is_audited_and_asks_once(ask_with, served, archive):
    (archive.private / "audit").write_text("in the way")
    asking = ask_with(HF_ENDPOINT=served.address)
    for _ in range(3):
        assert asking.revision("model", "toy", COMMIT).answer == Presence(there=True)
    assert len(served.asked) == 1


def test_answers_that_came_with_a_clone_are_refused(ask, archive, git):
    ask()
    git(archive.root, "add", "-f", "--", os.fspath(archive.private))
    with pytest.raises(UsageError, match="tracked by git"):
        ask()


def test_what_lies_in_a_file_names_no_secret(ask_with, site, archive):
    site.page("/simple/toy/", b"<a href='toy-1.0.tar.gz'></a>", kind="text/html")
    with_password = site.address.replace("//", "//ada:s3cret@") + "/simple"
    ask_with(UV_DEFAULT_INDEX=with_password).release("toy", "1.0")
    (file,) = files(archive)
    assert b"s3cret" not in file.read_bytes()
    assert site.asked[0][2]["Authorization"] == "Basic YWRhOnMzY3JldA=="
