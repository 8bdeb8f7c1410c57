"""What comes back from W&B is what its list says, byte for byte, or it does not come back at all."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from reprokit.errors import FixityError, NotFoundError, RemoteError, UsageError
from reprokit.mirrors.interface import AwayError
from reprokit.mirrors.wandb.client import download

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NAME = "lab/evals/lm_eval-tiny-gpt2"


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def md5_of(folder, path):
    return hashlib.md5((folder / path).read_bytes()).hexdigest()


@pytest.mark.parametrize("client", ["oldest"], indirect=True)
def test_a_bundle_comes_back_as_it_went_by_every_way_to_name_it(stocked, client, tmp_path):
    desk, sent, receipt = stocked
    copy = desk.fetch(receipt.reference, tmp_path / "back")
    assert content(tmp_path / "back") == content(sent)
    assert (copy.reference, copy.files, copy.octets) == (receipt.reference, receipt.files, receipt.octets)
    assert desk.steps[-1].octets == desk.steps[-1].of == receipt.octets
    assert not any(path.is_symlink() for path in (tmp_path / "back").rglob("*"))
    identity = "sha256:" + hashlib.sha256((sent / "manifest-sha256.txt").read_bytes()).hexdigest()
    for reference in ("wandb:lm_eval-tiny-gpt2:baseline", "wandb:evals/lm_eval-tiny-gpt2"):
        found = desk.look(reference)
        assert (found.reference, found.files, found.octets) == (receipt.reference, receipt.files, receipt.octets)
        assert found.identity == copy.identity == identity


@pytest.mark.parametrize("reference", ["wandb:lm_eval-tiny-gpt2:v9", "wandb:lab/elsewhere/x:v0"])
def test_what_is_not_there_is_not_found(stocked, reference):
    with pytest.raises(NotFoundError) as raised:
        stocked[0].look(reference)
    assert raised.value.hint


def test_a_reference_that_is_none_asks_nobody(desk, tmp_path):
    for reference in ("wandb:../../x:v1", "wandb:", "other:a:b"):
        with pytest.raises(UsageError):
            desk.look(reference)
        with pytest.raises(UsageError):
            desk.fetch(reference, tmp_path / "back")
    assert desk.server.operations() == []


def test_bytes_that_arrive_otherwise_are_no_bundle_and_poison_nothing(stocked, tmp_path):
    desk, sent, receipt = stocked
    victim = md5_of(sent, "data/harness/big.bin")
    desk.server.fault("corrupt")
    with pytest.raises(FixityError, match="otherwise than it is listed"):
        desk.fetch(receipt.reference, tmp_path / "bad")
    desk.server.heal()
    desk.server.spoil(victim, b"x" * 5_000_000)
    with pytest.raises(FixityError, match="longer than it is listed"):
        desk.fetch(receipt.reference, tmp_path / "endless")
    assert sum(len(each) for each in content(tmp_path / "endless").values()) <= receipt.octets + (1 << 20)
    desk.server.spoil(victim, (sent / "data/harness/big.bin").read_bytes())
    desk.server.fault("truncate", times=1)  # a hiccup is bridged
    desk.fetch(receipt.reference, tmp_path / "good")
    assert content(tmp_path / "good") == content(sent)


def test_a_file_that_the_server_leaves_out_is_asked_for_and_one_that_it_lost_is_told(stocked, tmp_path):
    desk, sent, receipt = stocked
    desk.server.fault("omit", name="harness/results.json")
    desk.fetch(receipt.reference, tmp_path / "whole")
    assert content(tmp_path / "whole") == content(sent)
    lost = md5_of(sent, "data/harness/results.json")
    desk.server.spoil(lost, b"")  # kept, so that it can be put back
    desk.server.heal()
    with pytest.raises(FixityError):
        desk.fetch(receipt.reference, tmp_path / "less")
    desk.server.spoil(lost, (sent / "data/harness/results.json").read_bytes())


def test_a_server_that_does_not_give_it_now_is_away(stocked, tmp_path):
    desk, sent, receipt = stocked
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
    assert content(tmp_path / "back") == content(sent)


def test_wrong_bytes_are_told_at_once_however_long_other_files_take(stocked, tmp_path):
    desk, _, receipt = stocked
    desk.server.fault("slow", method="GET", path=r"big\.bin$", seconds=25)
    desk.server.fault("corrupt", method="GET", path="^/storage/blob/.*bagit")
    began = time.monotonic()
    with pytest.raises(FixityError, match="otherwise than it is listed"):
        desk.fetch(receipt.reference, tmp_path / "bad")
    assert time.monotonic() - began < 20


def test_piecemeal_all_but_the_wrong_files_arrive_and_many_wrong_ones_end_it(stocked, tmp_path):
    desk, sent, receipt = stocked
    desk.server.fault("corrupt", method="GET", path="^/storage/blob/.*(bagit|results)")
    with pytest.raises(FixityError, match=r"otherwise than it is listed.* more files are not"):
        desk.fetch(receipt.reference, tmp_path / "rest", piecemeal=True)
    good = {path: data for path, data in content(sent).items() if "bagit" not in path and "results" not in path}
    assert good.items() <= content(tmp_path / "rest").items()
    desk.server.fault("corrupt")
    with pytest.raises(FixityError):
        desk.fetch(receipt.reference, tmp_path / "none", piecemeal=True)
    assert not any(content(tmp_path / "none").values())


def test_a_file_that_dribbles_is_given_up(monkeypatch):
    moments = iter(range(0, 1000, 7))
    monkeypatch.setattr(download.time, "monotonic", lambda: next(moments))

    class Source:
        length = 1 << 20

        def __init__(self, size):
            self.size = size

        def read1(self, _):
            self.length -= self.size
            return b"x" * self.size if self.length > 0 else b""

    with pytest.raises(TimeoutError, match="too slowly"):
        list(download._chunks(Source(100)))
    # As slow as is borne.
    with pytest.raises(ConnectionError, match="broke off"):
        list(download._chunks(Source(9000)))


def test_a_file_whose_bytes_the_server_has_lost_is_told(stocked, tmp_path):
    desk, _, receipt = stocked
    desk.server.fault("status", method="GET", path="^/(storage/blob|artifactsV2)/", status=404)
    with pytest.raises(FixityError, match="does not give it"):
        desk.fetch(receipt.reference, tmp_path / "gone")


HOSTILE = {
    "out of the folder": lambda entries: entries | {"../out": dict(entries["bagit.txt"])},
    "a reference": lambda entries: entries | {"x": {**entries["bagit.txt"], "ref": "file:///etc/passwd"}},
    "too large": lambda entries: entries | {"x": {**entries["bagit.txt"], "size": 1 << 60}},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_list_of_files_is_not_obeyed_blindly(stocked, tmp_path, what):
    desk, _, receipt = stocked
    blobs = {md5: desk.server.blob(md5) for md5 in desk.server.state()["blobs"]}
    (md5,) = [md5 for md5, blob in blobs.items() if b'"bagit.txt"' in blob and b"birthArtifactID" in blob]
    manifest = json.loads(blobs[md5])
    desk.server.spoil(md5, json.dumps(manifest | {"contents": HOSTILE[what](manifest["contents"])}).encode())
    with pytest.raises((FixityError, RemoteError)) as raised:
        desk.fetch(receipt.reference, tmp_path / "hostile")
    desk.server.spoil(md5, blobs[md5])
    assert not isinstance(raised.value, AwayError)
    assert content(tmp_path / "hostile") == {}
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_not_used(desk, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    with pytest.raises(ValueError, match="not empty"):
        desk.fetch(f"wandb:{NAME}:v0", tmp_path / "full")
