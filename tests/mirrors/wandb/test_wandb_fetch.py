"""What comes back from W&B is what its list says, byte for byte, or it does not come back at all."""

from __future__ import annotations

import hashlib
import json

import pytest

from reprokit.errors import FixityError, NotFoundError, RemoteError, UsageError
from reprokit.mirrors.interface import AwayError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NAME = "lab/evals/lm_eval-tiny-gpt2"
MORE = {"harness/empty": b"", "harness/a b [x]=@~(y),z": b"2", "harness/big.bin": bytes(range(256)) * 9000}


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("client", ["oldest"], indirect=True)
def test_a_bundle_comes_back_as_it_went_by_every_way_to_name_it(desk, sealing, client, tmp_path):
    sent = sealing("sent", more=MORE)
    receipt = desk.push(sent)
    copy = desk.fetch(receipt.reference, tmp_path / "back")
    assert content(tmp_path / "back") == content(sent)
    assert (copy.reference, copy.files, copy.octets) == (receipt.reference, receipt.files, receipt.octets)
    assert desk.steps[-1].octets == desk.steps[-1].of == receipt.octets
    assert not any(path.is_symlink() for path in (tmp_path / "back").rglob("*"))
    for reference in ("wandb:lm_eval-tiny-gpt2:baseline", "wandb:evals/lm_eval-tiny-gpt2"):
        found = desk.look(reference)
        assert (found.reference, found.files, found.octets) == (receipt.reference, receipt.files, receipt.octets)
        assert (
            found.identity
            == copy.identity
            == "sha256:" + hashlib.sha256((sent / "manifest-sha256.txt").read_bytes()).hexdigest()
        )


@pytest.mark.parametrize(
    "reference", ["wandb:lm_eval-tiny-gpt2:v9", "wandb:lab/evals/other:latest", "wandb:lab/elsewhere/x:v0"]
)
def test_what_is_not_there_is_not_found(desk, rich, reference):
    with pytest.raises(NotFoundError) as raised:
        desk.look(reference)
    assert raised.value.hint


def test_a_reference_that_is_none_asks_nobody(desk, tmp_path):
    for reference in ("wandb:../../x:v1", "wandb:", "other:a:b"):
        with pytest.raises(UsageError):
            desk.look(reference)
        with pytest.raises(UsageError):
            desk.fetch(reference, tmp_path / "back")
    assert desk.server.operations() == []


def test_bytes_that_arrive_otherwise_are_no_bundle_and_poison_nothing(desk, sealing, tmp_path):
    sent = sealing("sent", more=MORE)
    receipt = desk.push(sent)
    victim = hashlib.md5(MORE["harness/big.bin"]).hexdigest()
    for number, kind in enumerate(("corrupt", "truncate")):
        desk.server.fault(kind)
        with pytest.raises(FixityError, match="otherwise than it is listed"):
            desk.fetch(receipt.reference, tmp_path / f"bad-{number}")
        desk.server.heal()
    desk.server.spoil(victim, b"x" * 50_000_000)
    with pytest.raises(FixityError, match="longer than it is listed"):
        desk.fetch(receipt.reference, tmp_path / "endless")
    assert sum(len(each) for each in content(tmp_path / "endless").values()) <= receipt.octets + (1 << 20)
    desk.server.spoil(victim, MORE["harness/big.bin"])
    desk.server.fault("corrupt", times=1)  # a hiccup is bridged
    desk.fetch(receipt.reference, tmp_path / "good")
    assert content(tmp_path / "good") == content(sent)


def test_a_file_that_the_server_leaves_out_is_asked_for_and_one_that_it_lost_is_told(desk, rich, tmp_path):
    receipt = desk.push(rich)
    desk.server.fault("omit", name="harness/results.json")
    desk.fetch(receipt.reference, tmp_path / "whole")
    assert content(tmp_path / "whole") == content(rich)
    desk.server.lose(hashlib.md5(content(rich)["data/harness/results.json"]).hexdigest())
    with pytest.raises(FixityError, match="does not give it"):
        desk.fetch(receipt.reference, tmp_path / "less")


def test_a_server_that_does_not_give_it_now_is_away(desk, rich, tmp_path):
    receipt = desk.push(rich)
    desk.server.fault("status", method="GET", path="^/storage/blob", status=503)
    with pytest.raises(AwayError, match="HTTP 503"):
        desk.fetch(receipt.reference, tmp_path / "away")
    desk.server.heal()
    desk.server.fault("status", status=500, operation="FetchArtifactManifest")
    with pytest.raises(AwayError):
        desk.fetch(receipt.reference, tmp_path / "manifest")
    desk.server.heal()
    desk.server.fault("status", method="GET", path="^/storage/blob", status=403)  # addresses that are valid no more
    desk.fetch(receipt.reference, tmp_path / "back")
    assert content(tmp_path / "back") == content(rich)


HOSTILE = {
    "out of the folder": lambda entries: entries | {"../out": dict(entries["bagit.txt"])},
    "a file and a folder": lambda entries: entries | {"bagit.txt/x": dict(entries["bagit.txt"])},
    "a reference": lambda entries: entries | {"x": {**entries["bagit.txt"], "ref": "file:///etc/passwd"}},
    "too large": lambda entries: entries | {"x": {**entries["bagit.txt"], "size": 1 << 60}},
}


def test_a_list_of_files_is_not_obeyed_blindly(desk, rich, tmp_path):
    receipt = desk.push(rich)
    held = desk.server.state()["blobs"]
    (md5,) = [
        md5 for md5 in held if b'"bagit.txt"' in desk.server.blob(md5) and b"birthArtifactID" in desk.server.blob(md5)
    ]
    manifest = json.loads(desk.server.blob(md5))
    for number, (what, change) in enumerate(HOSTILE.items()):
        desk.server.spoil(md5, json.dumps(manifest | {"contents": change(manifest["contents"])}).encode())
        with pytest.raises(RemoteError if what == "too large" else (FixityError, RemoteError)):
            desk.fetch(receipt.reference, tmp_path / f"hostile-{number}")
        assert content(tmp_path / f"hostile-{number}") == {}, what
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_used(desk, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    with pytest.raises(ValueError):
        desk.fetch(f"wandb:{NAME}:v0", tmp_path / "full")
