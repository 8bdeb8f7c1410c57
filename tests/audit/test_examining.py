"""Each family is looked at by an audit as a whole, and each member of the evidence moves a grade."""

from __future__ import annotations

import os

import msgspec
import pytest

from reprokit import clock
from reprokit.archive import ledger
from reprokit.archive.ledger import Event
from reprokit.audit.conducting import Ways, conducted
from reprokit.audit.running import Wishes
from reprokit.bundle.finding import finding
from reprokit.bundle.record import Subject, SubjectPart

OFFLINE = Ways(environ=os.environ, offline=True)
COMMIT = "5f91d94bd9cd7190a9f3216ff93cd1dd95f2c7be"


def settle(archive, text):
    path = archive.root / "reprokit.toml"
    path.write_text(path.read_text() + text)


def audit(archive, **wishes):
    """Audit an archive of one bundle; gives its result, the families by name, and its levels by area."""
    with conducted(archive, Wishes(**wishes), OFFLINE) as found:
        (result,) = found.results()
    families = {told.family: told for told in result.outcomes}
    return result, families, {each.area: each for each in result.grade}


def codes(told):
    return [each.code for each in told.findings]


@pytest.mark.parametrize(
    ("family", "policy", "code"),
    [
        ("signatures", "[audit]\nsigned = true\n", "W453"),
        ("copies", "[audit]\ncopies = 2\n", "W401"),
        ("freshness", '[audit]\nreproduce_every = "1d"\n', "W462"),
    ],
)
def test_what_the_policy_asks_for_is_looked_at_by_its_family(archive, publish, family, policy, code):
    publish(fold=True)
    settle(archive, policy)

    result, families, _ = audit(archive)

    assert codes(families[family]) == [code]
    assert result.state == "warning"


def test_a_model_that_nobody_was_asked_about_is_unknown_to_the_identifiers(archive, publish, record):
    part = SubjectPart(name="toy-org/tiny-gpt2", revision=COMMIT, learnt_from="argv")
    publish(fold=True, record=record(subject=Subject(models=[part])))

    _, families, levels = audit(archive)

    assert families["identifiers"].state == "unknown"
    assert levels["metadata"].level == 2


def test_what_is_known_of_packages_is_looked_at_by_the_recoverability(archive, publish):
    publish(fold=True)

    _, families, _ = audit(archive)

    assert families["recoverability"].state == "unknown"  # the bundle says nothing of its packages


def test_a_file_that_only_code_can_read_is_found_by_the_obsolescence(archive, publish):
    publish(fold=True, harness_files={"harness/scores.pkl": b"\x80\x04."})

    _, families, _ = audit(archive)

    assert codes(families["obsolescence"]) == ["W433"]


def test_a_score_that_is_not_the_mean_of_its_samples_is_found_anew(archive, publish, samples):
    publish(fold=True, samples=samples("toy", 40)[::2] + samples("toy", 3)[1:2])

    _, families, _ = audit(archive)

    assert "W318" in codes(families["consistency"])


def test_what_the_capture_noted_is_told_as_such_and_what_it_did_not_is_a_finding(archive, publish, samples, record):
    wrong = samples("toy", 40)[::2] + samples("toy", 3)[1:2]
    publish("first", fold=True, samples=wrong)
    _, families, _ = audit(archive)
    (found,) = [each for each in families["consistency"].findings if each.code == "W318"]
    others = [each for each in families["consistency"].findings if each != found]
    noted = publish("second", fold=True, samples=wrong, record=record(findings=[found]))

    _, families, _ = audit(archive, bundles=[noted])

    assert families["consistency"].findings == others
    assert any("noted by the capture: W318" in each.told for each in families["consistency"].facts)


def test_a_revision_that_was_never_known_is_no_news_and_yet_unknown(archive, publish, record):
    part = SubjectPart(name="toy-org/tiny-gpt2", revision={"unknown": "local"}, learnt_from="nothing")
    part = msgspec.convert(msgspec.to_builtins(part), SubjectPart)
    noted = finding("W330", "toy-org/tiny-gpt2", "local")
    publish(fold=True, record=record(subject=Subject(models=[part]), findings=[noted]))

    _, families, levels = audit(archive)

    assert codes(families["identifiers"]) == []
    assert families["identifiers"].state == "unknown"
    assert levels["metadata"].level == 2


# --- evidence -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_anybody_can_write_to_costs_the_control(archive, publish):
    publish(fold=True)
    assert audit(archive)[2]["control"].level >= 1

    archive.ledger.chmod(0o777)

    assert audit(archive)[2]["control"].level == 0


def test_how_often_it_is_read_counts_only_where_a_policy_says_how_often(archive, publish):
    publish(fold=True)
    assert audit(archive)[2]["integrity"].level == 2
    settle(archive, '[audit]\nread_every = "90d"\n')

    assert audit(archive)[2]["integrity"].level == 3


def test_a_copy_that_was_not_read_is_none_to_replace_damage_from_and_one_that_was_is(archive, publish, git, tmp_path):
    from reprokit.sync.remotes.configuration import choose
    from reprokit.sync.remotes.push import push

    publish(fold=True)
    settle(archive, '[audit]\nread_every = "90d"\n')
    config = archive.root / ".dvc/config"
    config.write_text(config.read_text() + f"['remote \"nas\"']\n    url = {tmp_path / 'nas'}\n")
    push(archive, None, choose(archive, "nas"), patience=10)

    assert audit(archive)[2]["integrity"].level == 3
    assert audit(archive, deep=True)[2]["integrity"].level == 4


def test_a_bundle_is_not_taken_for_acted_upon_because_it_was_audited(archive, publish):
    bundle = publish(fold=True)
    audit(archive)

    assert audit(archive)[2]["metadata"].level <= 2 or "capture and audits only" in audit(archive)[2]["metadata"].reason

    identity = next(ledger.events(archive)).identity
    event = Event(event="pushed", time=clock.text(clock.now()), bundle=bundle, identity=identity, detail={})
    ledger.append(archive, [event])
    from reprokit.audit import history

    assert history.has_actions(history.read(archive), bundle)


@pytest.mark.parametrize(("verdict", "tier", "good"), [
    ("identical samples", "rerun", True),
    ("identical samples", "smoke", False),
    ("different", "rerun", False),
])  # fmt: skip
def test_only_the_newest_repetition_of_the_whole_run_counts_as_its_reproduction(archive, publish, verdict, tier, good):
    from reprokit.audit import history

    bundle = publish(fold=True)
    identity = next(ledger.events(archive)).identity
    for time, what in (("2026-11-01T00:00:00Z", "identical samples"), ("2026-11-02T00:00:00Z", verdict)):
        detail = {"tier": "rerun" if time.endswith("01T00:00:00Z") else tier, "verdict": what}
        ledger.append(archive, [Event(event="reproduced", time=time, bundle=bundle, identity=identity, detail=detail)])

    assert history.is_reproduced(history.read(archive), bundle, identity) is good


def test_a_bundle_that_is_not_here_is_never_counted_as_good(archive, publish):
    import shutil

    bundle = publish(fold=True)
    shutil.rmtree(archive.payload(bundle))

    with conducted(archive, Wishes(families=frozenset({"format", "privacy"})), OFFLINE) as found:
        assert found.summary.counts.good == 0


def test_new_patterns_and_new_schemas_make_the_content_be_looked_at_again(monkeypatch):
    from reprokit.audit import reading
    from reprokit.bundle import schemas
    from reprokit.probes.secrets import vendors

    reading.rules.cache_clear()
    before = reading.rules()
    with monkeypatch.context() as patched:
        patched.setattr(vendors, "TOKENS", vendors.TOKENS[1:])
        reading.rules.cache_clear()
        fewer = reading.rules()
    with monkeypatch.context() as patched:
        patched.setattr(schemas, "published", lambda name: name.encode())
        reading.rules.cache_clear()
        others = reading.rules()
    reading.rules.cache_clear()

    assert len({before, fewer, others}) == 3
    assert reading.rules() == before
