"""A bundle is pushed with the real client: what is there then, once, and what is written when it is pushed again."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import socket
import struct
import sys
import zlib

import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.bundle.writing import Label
from reprokit.errors import FixityError, RemoteError
from reprokit.mirrors.interface import AwayError
from reprokit.mirrors.wandb import digest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

WRITES = re.compile(r"^(Upsert|Create|Commit|Update|Add|Delete|UseArtifact|PUT|POST|.*Mutation)")
NAME = "lab/evals/lm_eval-tiny-gpt2"


def only(held):
    (value,) = held.values()
    return value


def short(folder):
    return open_bundle(folder).identity.removeprefix("sha256:")[:8]


def rows(run):
    return [row for row in run["history"] if row]


def writes(desk, since):
    return [each for each in desk.server.operations()[since:] if WRITES.search(each)]


def test_a_push_shows_a_run_and_keeps_every_file_once(desk, rich, client):
    kept = {path: path.stat().st_mtime_ns for path in rich.rglob("*")}
    receipt = desk.push(rich)
    assert [step.doing for step in desk.steps] == ["asking", "sending", "checking"]
    state = desk.server.state()
    is_told_truly(desk, rich, receipt, state)
    is_kept_whole(desk, rich, state)
    is_shown(desk, rich, state)
    leaves_nothing_else(desk, rich, kept)

    before = len(desk.server.operations())
    again = desk.push(rich, before=tuple(receipt.labels))
    assert (again.outcome, again.reference, again.labels) == ("there", receipt.reference, receipt.labels)
    assert writes(desk, before) == []
    assert [step.doing for step in desk.steps] == ["asking", "checking"]


def is_told_truly(desk, rich, receipt, state):
    files = desk.consign(rich).files
    assert (receipt.mirror, receipt.outcome, receipt.reference) == ("wandb", "sent", f"wandb:{NAME}:v0")
    assert (receipt.files, receipt.octets) == (len(files), sum(each.size for each in files.values()))
    assert receipt.address == desk.server.address
    assert receipt.page.endswith(f"/lab/evals/runs/{only(state['runs'])['name']}")
    assert receipt.labels == sorted(["baseline", "nightly", short(rich)])


def is_kept_whole(desk, rich, state):
    files = {path: {"md5": each.md5, "size": each.size} for path, each in desk.consign(rich).files.items()}
    version = state["collections"][NAME]["versions"]["v0"]
    assert (version["files"], version["state"]) == (files, "COMMITTED")
    assert version["digest"] == digest.artifact_digest({path: each["md5"] for path, each in files.items()})
    assert set(version["aliases"]) == {"latest", short(rich), "baseline", "nightly"}
    assert version["metadata"]["identity"] == open_bundle(rich).identity
    assert f"reprokit reproduce wandb:{NAME}:{short(rich)}" in version["description"]
    assert state["collections"][NAME]["type"] == "eval-bundle"
    assert version["logged_by"] == f"lab/evals/{only(state['runs'])['name']}"


def is_shown(desk, rich, state):
    run, identity = only(state["runs"]), open_bundle(rich).identity
    assert run["name"] == "rk" + identity.removeprefix("sha256:")[:16]
    assert (run["display_name"], run["notes"], run["group"], run["job_type"]) == (
        "A small run",
        "what for",
        "g1",
        "eval",
    )
    assert (run["state"], run["exit_code"], set(run["tags"])) == ("finished", 0, {"baseline", "nightly"})
    assert run["config"]["harness"]["name"] == "lm_eval"
    assert run["config"]["bundle"]["identity"] == identity
    (row,) = rows(run)
    assert row["_step"] == 0
    metrics = {
        "task_0/acc,none": 1 / 7,
        "task_0/acc,strict%2Ematch": 1 / 7,
        "task_1/acc,none": 2 / 7,
        "task_0/count": 3,
        "groups/all/acc": 0.25,
        "task_1/acc_stderr,none": 0.01,
    }
    assert {key: row[key] for key in metrics} == metrics
    assert {key: run["summary"][key] for key in metrics} == metrics
    assert run["summary"]["task_0/judge"] == "not scored: N/A"
    assert "task_0/judge" not in row
    media = {key: value for key, value in run["summary"].items() if isinstance(value, dict) and "_type" in value}
    assert set(media) == {"results/tasks", "results/groups", "results/headline", "samples/task_0", "samples/task_1"}
    assert all(value["path"] in run["files"] for value in media.values())
    table = json.loads(desk.server.blob(run["files"][media["samples/task_0"]["path"]]))
    assert len(table["data"]) == 4
    assert len([name for name, each in state["collections"].items() if each["type"] == "run_table"]) == 4


def leaves_nothing_else(desk, rich, kept):
    assert {path: path.stat().st_mtime_ns for path in rich.rglob("*")} == kept
    assert {path.name.partition("-")[0] for path in desk.home.iterdir()} == {"scratch", "wandb"}
    for folder in desk.home.glob("wandb-*"):
        assert list(folder.iterdir()) == []


OTHERS = f"""
import datetime
api = wandb.Api()
version = api.artifact("{NAME}:v0")
version.aliases.append("production")
version.ttl = datetime.timedelta(days=3)
version.save()
(run,) = api.runs("lab/evals")
run.tags.append("theirs")
run.update()
"""


def test_labels_move_with_the_bundle_and_what_others_gave_stays(desk, rich):
    first = desk.push(rich)
    desk.with_client(OTHERS)
    state = desk.server.state()
    renamed = Label(name="Another name", tags=("nightly", "camera ready"), note="what for")
    again = desk.push(rich, label=renamed, before=tuple(first.labels))
    after = desk.server.state()
    assert again.outcome == "updated"
    run, collection = only(after["runs"]), after["collections"][NAME]
    assert set(run["tags"]) == {"nightly", "camera ready", "theirs"}
    assert run["display_name"] == "Another name"
    assert collection["aliases"].keys() - {"latest", short(rich)} == {"nightly", "camera-ready", "production"}
    assert collection["committed"] == 1
    for what in ("history", "summary", "config"):
        assert run[what] == only(state["runs"])[what]
    assert "delete this version 3 days" in again.remarks[-1]


def test_an_alias_that_moved_to_another_bundle_is_not_taken_from_it(desk, rich, sealing):
    first = desk.push(rich)
    other = desk.push(sealing("other", rows=5), label=Label(tags=("baseline",)))
    assert (first.reference, other.reference) == (f"wandb:{NAME}:v0", f"wandb:{NAME}:v1")
    again = desk.push(rich, label=Label(), before=tuple(first.labels))
    state = desk.server.state()
    aliases = state["collections"][NAME]["aliases"]
    assert (again.outcome, again.reference) == ("updated", first.reference)
    assert (aliases["baseline"], aliases["latest"], aliases[short(rich)]) == ("v1", "v1", "v0")
    assert "nightly" not in aliases
    assert len(state["runs"]) == state["collections"][NAME]["committed"] == 2


def test_a_run_that_was_deleted_there_gets_another_id(desk, rich):
    first = desk.push(rich)
    name = only(desk.server.state()["runs"])["name"]
    desk.delete_run(name)
    again = desk.push(rich)
    assert (again.outcome, again.reference) == ("updated", first.reference)
    assert again.page.endswith(f"/{name}-2")


def test_a_reproduction_is_linked_to_what_it_reproduces_if_that_is_there(desk, rich, sealing):
    first = desk.push(rich, original=f"wandb:{NAME}:v7")
    assert first.outcome == "sent"
    assert "not linked" in first.remarks[0]
    receipt = desk.push(sealing("again", rows=5), original=first.reference)
    (linked,) = [run for run in desk.server.state()["runs"].values() if run["inputs"]]
    assert linked["inputs"] == [f"{NAME}:v0"]
    assert receipt.page.endswith(linked["name"])
    assert receipt.remarks == []


def test_the_settings_say_how_it_is_shown(desk, rich):
    desk.settings = {"project": "evals", "sample_rows": 2, "name": "mine", "tags": ["lab tag"], "job_type": "nightly"}
    receipt = desk.push(rich)
    run = only(desk.server.state()["runs"])
    assert receipt.reference.startswith("wandb:ada/evals/")
    assert run["summary"]["samples/task_0"]["nrows"] == 2
    assert any("2 of 4" in each for each in receipt.remarks)
    assert (run["display_name"], run["job_type"], set(run["tags"])) == (
        "mine",
        "nightly",
        {"lab tag", "baseline", "nightly"},
    )


def a_picture():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x7f")) + chunk(b"IEND", b"")


def test_pictures_are_shown_where_the_client_can_open_them_and_named_where_not(desk, sealing):
    pictures = {"harness/good.png": a_picture(), "harness/broken.png": b"\x89PNG no picture"}
    receipt = desk.push(sealing("pictures", tasks=1, more=pictures))
    run = only(desk.server.state()["runs"])
    table = json.loads(desk.server.blob(run["files"][run["summary"]["samples/task_0"]["path"]]))
    cells = [row[table["columns"].index("image")] for row in table["data"]]
    if importlib.util.find_spec("PIL"):
        assert cells == ["Image", None, None, None]
        assert receipt.remarks == []
        kept = next(each for name, each in desk.server.state()["collections"].items() if "samplestask_0" in name)
        pictures = [name for name in kept["versions"]["v0"]["files"] if name.startswith("media/images/")]
        assert len(pictures) == 1
    else:
        assert cells == ["harness/good.png", "harness/broken.png", None, None]
        assert "Pillow is not installed" in receipt.remarks[0]


# --- what is missing is added, what is wrong is told --------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost-history"},
        {"kind": "lost-commit"},
        {"kind": "status", "status": 403, "operation": "CreateRunFiles"},
    ],
    ids=["history", "commit", "tables"],
)
def test_what_was_lost_without_a_word_is_not_mirrored_and_sent_again(desk, rich, fault):
    desk.server.fault(**fault)
    with pytest.raises((AwayError, RemoteError, FixityError)):
        desk.push(rich, seconds=9)
    desk.server.heal()
    receipt = desk.push(rich)
    state = desk.server.state()
    run = only(state["runs"])
    assert receipt.reference == f"wandb:{NAME}:v0"
    assert state["collections"][NAME]["committed"] == 1
    for metric in ("task_0/acc,none", "task_1/acc,none", "groups/all/acc"):
        assert len([row for row in rows(run) if metric in row]) == 1
    assert run["summary"]["task_0/acc,none"] == 1 / 7


def test_a_refused_upload_is_told_and_nothing_is_claimed(desk, rich):
    desk.server.fault("status", method="PUT", path="^/storage/artifact", status=403)
    with pytest.raises(RemoteError):
        desk.push(rich, seconds=60)
    assert desk.server.state()["collections"][NAME]["committed"] == 0


@pytest.mark.parametrize(
    ("fault", "away"),
    [
        ({"kind": "status", "status": 401, "path": "graphql"}, False),
        ({"kind": "status", "status": 403, "operation": "UpsertBucket"}, False),
        ({"kind": "status", "status": 500, "operation": "ArtifactMembershipByName"}, True),
        ({"kind": "status", "status": 500, "operation": "CommitArtifact"}, True),
        ({"kind": "graphql", "operation": "CreateArtifact"}, True),
    ],
)
def test_not_now_is_told_from_not_so(desk, rich, fault, away):
    desk.server.fault(**fault)
    with pytest.raises(RemoteError) as raised:
        desk.push(rich, seconds=60)
    assert isinstance(raised.value, AwayError) == away
    assert "\n" not in raised.value.message
    assert desk.server.key not in raised.value.message + (raised.value.hint or "")
    assert desk.server.state()["collections"].get(NAME, {"committed": 0})["committed"] == 0


def test_what_was_spoilt_there_is_not_called_mirrored(desk, rich):
    desk.push(rich)
    state = desk.server.state()
    entry = base64.b64encode(bytes.fromhex(state["collections"][NAME]["versions"]["v0"]["files"]["bagit.txt"]["md5"]))
    blobs = {md5: desk.server.blob(md5) for md5 in state["blobs"]}
    manifests = {md5: blob for md5, blob in blobs.items() if b'"bagit.txt"' in blob and entry in blob}
    for md5, blob in manifests.items():
        desk.server.spoil(md5, blob.replace(entry, base64.b64encode(b"x" * 16)))
    with pytest.raises(FixityError, match=r"bagit\.txt"):
        desk.push(rich)
    for md5, blob in manifests.items():
        desk.server.spoil(md5, blob)
    desk.log_again(only(state["runs"])["name"], {"task_0/acc,none": 1 / 8})
    with pytest.raises(RemoteError, match=r"as 0\.125, and it is") as raised:
        desk.push(rich)
    assert not isinstance(raised.value, AwayError)
    assert "delete that run" in raised.value.hint


def test_what_the_history_does_not_show_yet_is_not_logged_again(desk, rich):
    desk.server.fault("late-history")
    for _ in range(2):
        with pytest.raises(AwayError, match="not in the history of the run yet"):
            desk.push(rich, seconds=11)
    desk.server.heal()
    assert desk.push(rich).outcome == "there"
    assert len(rows(only(desk.server.state()["runs"]))) == 1


def test_what_was_logged_twice_with_equal_values_is_remarked_and_accepted(desk, rich):
    desk.push(rich)
    desk.log_again(only(desk.server.state()["runs"])["name"], {"task_0/acc,none": 1 / 7})
    again = desk.push(rich)
    assert again.outcome == "there"
    assert again.remarks == ["shown twice in the history, with equal values: `task_0/acc,none`"]


def test_a_name_that_something_of_another_type_has_there_is_refused_before_anything_is_sent(desk, rich):
    desk.with_client(
        "run = wandb.init(entity='lab', project='evals')\n"
        f"run.log_artifact(wandb.Artifact('{NAME.rpartition('/')[2]}', type='dataset')).wait()\nrun.finish()"
    )
    before = len(desk.server.operations())
    with pytest.raises(RemoteError, match="of another type already: `dataset`") as raised:
        desk.push(rich)
    assert not isinstance(raised.value, AwayError)
    assert "another project" in raised.value.hint
    assert writes(desk, before) == []


def test_bytes_that_changed_here_are_not_sent(desk, rich):
    consignment = desk.consign(rich)
    (rich / "data/harness/results.json").write_bytes(b'{"acc": 0.9}\n')
    with pytest.raises(FixityError, match="not what they were"):
        desk.mirror.push(consignment, desk.to, desk.environment, desk.room())
    assert desk.server.state()["collections"].get(NAME, {"committed": 0})["committed"] == 0
    (rich / "data/harness/results.json").unlink()
    with pytest.raises(FixityError, match="moment ago"):
        desk.mirror.push(consignment, desk.to, desk.environment, desk.room())


# --- nothing else is sent -----------------------------------------------------------------------------------------------

SECRET = "sk-planted-0123456789abcdef"


def test_nothing_of_what_is_around_us_reaches_the_server(desk, rich, client, recorder, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["reprokit", "push", f"--model_args=api_key={SECRET}-argv"])
    desk.more |= {"OPENAI_API_KEY": f"{SECRET}-environment", "USER": f"{SECRET}-user", "WANDB_NOTES": "noted"}
    desk.more |= {"WANDB_USERNAME": f"{SECRET}-name", "WANDB_USER_EMAIL": f"{SECRET}@example.org", "HOSTNAME": SECRET}
    with recorder(desk) as heard:
        desk.push(rich)
    state = json.dumps(desk.server.state())
    stored = b"".join(desk.server.blob(md5) for md5 in desk.server.state()["blobs"])
    everything = state.encode() + stored + heard.data
    assert b"bagit.txt" in heard.data
    assert b"mutation" in heard.data
    assert SECRET.encode() not in everything
    for path in (desk.home, rich, sys.executable, sys.prefix):
        assert str(path).encode() not in everything
    host = socket.gethostname()
    assert re.search(rb"[\"/ ]" + re.escape(host.encode()) + rb"[\"/ ]", everything) is None
    run = only(desk.server.state()["runs"])
    assert sorted(name for name in run["files"] if not name.startswith("media/")) == [
        "config.yaml",
        "wandb-summary.json",
    ]
    assert run["output"] == []
    assert capfd.readouterr() == ("", "")
