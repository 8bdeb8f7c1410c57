"""`reprokit sign` and `reprokit verify`, as programs: what they write, what they say, and how they end."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.archive import publication, registration
from reprokit.archive.layout import Archive
from reprokit.bundle import bag

IN_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "reprokit", *sys.argv[1:]])
"""


def make_key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)
    return path


@pytest.fixture
def own_key(reprokit) -> Path:
    """Ada's only key, which she trusts herself."""
    folder = reprokit.home / ".ssh"
    folder.mkdir(mode=0o700)
    reprokit.home.chmod(0o700)
    key = make_key(folder / "id_ed25519")
    (folder / "allowed_signers").write_text(f"ada@lab.example {key.with_suffix('.pub').read_text()}")
    settings = reprokit.home / ".config/reprokit"
    settings.mkdir(parents=True, mode=0o700)
    (settings / "reprokit.toml").write_text('[trust]\nallowed_signers = "~/.ssh/allowed_signers"\n')
    return key


@pytest.fixture
def stranger(tmp_path) -> Path:
    return make_key(tmp_path / "stranger")


@pytest.fixture
def published(reprokit, make_bundle):
    """Give a function that publishes a small bundle, told apart by a word, and tells its id."""
    archive = Archive(reprokit.archive)

    def make(word: str = "one") -> str:
        staging = publication.stage(archive)
        make_bundle(staging / publication.BAG, harness_files={"harness/results.json": f'"{word}"'.encode()})
        done = publication.publish(archive, staging)
        assert registration.fold(archive).left == ()
        return done.bundle_id

    return make


def folder_of(reprokit, bundle) -> Path:
    return Archive(reprokit.archive).payload(bundle)


def damage(folder: Path) -> None:
    path = folder / "data/results.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.9"))


def test_a_bundle_is_signed_beside_itself_noted_committed_and_verified(reprokit, own_key, published, git):
    bundle = published()
    commits = int(git(reprokit.archive, "rev-list", "--count", "HEAD"))

    done = reprokit("sign", bundle)
    verified = reprokit("verify", bundle)

    (signature,) = (reprokit.archive / "signatures" / bundle).iterdir()
    assert done.stdout == f"{signature}\n"
    assert re.fullmatch(r"SHA256-[A-Za-z0-9+_]{43}\.sig", signature.name)
    assert int(git(reprokit.archive, "rev-list", "--count", "HEAD")) == commits + 1
    assert git(reprokit.archive, "status", "--porcelain") == ""
    (batch,) = reprokit.archive.glob("ledger/*/*-signed-*.jsonl")
    event = json.loads(batch.read_text())
    assert event["detail"] == {
        "key": signature.stem.replace("SHA256-", "SHA256:").replace("_", "/"),
        "file": f"signatures/{bundle}/{signature.name}",
        "digest": f"sha256:{hashlib.sha256(signature.read_bytes()).hexdigest()}",
    }
    assert verified.stdout.startswith(
        f"{bundle}: whole; signed by ada@lab.example\n  good and trusted: ada@lab.example, key"
    )
    for others in (("validate", "--all"), ("status",)):
        reprokit(*others)


def test_ssh_keygen_alone_verifies_what_was_signed(reprokit, own_key, published):
    bundle = published()
    (signed,) = reprokit.json("sign", bundle)

    manifest = (folder_of(reprokit, bundle) / "manifest-sha256.txt").read_bytes()
    words = ["-Y", "verify", "-n", "reprokit-bundle", "-I", "ada@lab.example", "-s", signed["signature"]]
    subprocess.run(["ssh-keygen", *words, "-f", own_key.with_name("allowed_signers")], input=manifest, check=True)

    assert signed["new"]
    assert signed["identity"] == f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def test_signing_again_with_the_same_key_changes_nothing_and_says_so(reprokit, own_key, published, git):
    bundle = published()
    (first,) = reprokit.json("sign", bundle)
    data, commit = Path(first["signature"]).read_bytes(), git(reprokit.archive, "rev-parse", "HEAD")

    again = reprokit("sign", bundle, bundle)

    assert "signed with that key already; nothing was changed" in again.stderr
    assert again.stdout == f"{first['signature']}\n"
    assert Path(first["signature"]).read_bytes() == data
    assert git(reprokit.archive, "rev-parse", "HEAD") == commit


def test_several_bundles_and_several_people_make_one_commit_each_time(reprokit, own_key, stranger, published, git):
    bundles = [published("one"), published("two")]
    commits = int(git(reprokit.archive, "rev-list", "--count", "HEAD"))

    done = reprokit("sign", *bundles)
    reprokit("sign", bundles[0], "--key", stranger)
    verified = reprokit.json("verify", *bundles)

    assert "signed 2 bundles with SHA256:" in done.stderr
    assert int(git(reprokit.archive, "rev-list", "--count", "HEAD")) == commits + 2
    assert sorted(each["verdict"] for each in verified[0]["signatures"]) == ["trusted", "unknown key"]
    assert [each["trusted"] for each in verified] == [True, True]


def test_what_git_could_not_commit_is_committed_by_signing_again(reprokit, own_key, published, git):
    bundle = published()
    lock = reprokit.archive / ".git/HEAD.lock"
    lock.touch()

    assert "not yet committed" in reprokit("sign", bundle).stderr
    lock.unlink()
    reprokit("sign", bundle)

    assert "signatures" not in git(reprokit.archive, "status", "--porcelain")


def test_a_damaged_bundle_is_never_signed_nor_are_those_named_with_it(reprokit, own_key, published):
    good, bad = published("good"), published("bad")
    damage(folder_of(reprokit, bad))

    refused = reprokit("sign", good, bad, check=12)

    assert "data/results.json" in refused.stderr
    assert list((reprokit.archive / "signatures").glob("*/*")) == []


def test_verify_says_what_is_damaged_and_goes_on_to_the_next(reprokit, own_key, published):
    good, bad = published("good"), published("bad")
    reprokit("sign", good, bad)
    folder = folder_of(reprokit, bad)
    damage(folder)

    told = reprokit("verify", bad, good, check=12).stdout
    (folder / "manifest-sha256.txt").unlink()
    (unopened,) = reprokit.json("verify", bad, check=12)

    assert f"{bad}: not what was captured\n  E101 data/results.json" in told
    assert f"{good}: whole; signed by ada@lab.example" in told
    assert not unopened["whole"]
    assert unopened["signatures"] == []


def test_a_signature_makes_no_other_name_or_date_true(reprokit, own_key, published, tmp_path):
    """No digest stands for what `bag-info.txt` says of itself: only the records can prove it."""
    signed = published()
    reprokit("sign", signed)
    info = bag.read_info(folder_of(reprokit, signed))
    name = f"20300101T000000Z-lm_eval-gpt-9-{signed[-8:]}"
    forged = shutil.copytree(folder_of(reprokit, signed), tmp_path / name)
    digests = bag.read_manifest(forged)
    for each in bag.TAG_FILES:
        (forged / each).unlink()
    bag.seal(forged, digests, dataclasses.replace(info, bundle_id=name))
    (signature,) = (reprokit.archive / "signatures" / signed).iterdir()
    shutil.copy(signature, tmp_path / f"{name}.sig")

    told = reprokit("verify", forged, check=12).stdout
    refused = reprokit("reproduce", forged, "--tier", "verify", check=12)

    assert "E106 bag-info.txt" in told
    assert "signed by" not in told
    assert "is not what was captured" in refused.stderr


def test_files_that_are_no_signatures_do_not_end_the_judging(reprokit, own_key, published):
    signed = published()
    reprokit("sign", signed)
    for number in range(20):
        junk = reprokit.archive / "signatures" / signed / f"{number:05}.sig"
        junk.write_text("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")

    assert f"{signed}: whole; signed by ada@lab.example" in reprokit("verify", signed, check=None).stdout


def test_nobody_trusted_is_exit_one_and_each_signature_says_why(reprokit, own_key, stranger, published):
    bundle, other = published("one"), published("two")
    assert "signed by nobody whom you trust" in reprokit("verify", bundle, check=1).stdout
    reprokit("sign", bundle, "--key", stranger)
    (foreign,) = reprokit.json("sign", other)
    shutil.copy(foreign["signature"], reprokit.archive / "signatures" / bundle / "moved.sig")

    told = reprokit("verify", bundle, check=1).stdout

    assert "  good, but the key is not trusted, key SHA256:" in told
    assert "  not of this bundle: " in told
    assert reprokit("verify", bundle, "--signature", foreign["signature"], check=1).stdout.count("\n") == 2


@pytest.mark.parametrize("kind", ["revoked", "expired"])
def test_a_key_that_was_good_once_is_told_for_what_it_is(reprokit, own_key, published, kind):
    bundle = published()
    reprokit("sign", bundle)
    signers = own_key.with_name("allowed_signers")
    if kind == "expired":
        signers.write_text(signers.read_text().replace(" ", ' valid-before="20200101" ', 1))
    else:
        shutil.copy(own_key.with_suffix(".pub"), own_key.with_name("revoked"))
        with (reprokit.home / ".config/reprokit/reprokit.toml").open("a") as stream:
            stream.write('revoked_keys = "~/.ssh/revoked"\n')

    (verified,) = reprokit.json("verify", bundle, check=1)

    assert verified["whole"]
    assert verified["signatures"][0]["verdict"] == kind


def test_a_bundle_outside_of_an_archive_and_a_packed_one_are_signed_beside(
    reprokit, own_key, stranger, published, tmp_path
):
    folder = shutil.copytree(folder_of(reprokit, published()), tmp_path / "sent")
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "tar", tmp_path, "sent"))

    for place in (folder, packed):
        reprokit("sign", place)
        assert Path(f"{place}.sig").is_file()
        assert "signed by ada@lab.example" in reprokit("verify", place).stdout
        assert "by another key" in reprokit("sign", place, "--key", stranger, check=2).stderr
    assert list((reprokit.archive / "signatures").glob("*/*")) == []


def test_a_bundle_is_signed_in_the_archive_that_it_lies_in_whichever_is_used(reprokit, own_key, published, tmp_path):
    folder = folder_of(reprokit, published())
    reprokit("init", tmp_path / "another")

    (signed,) = reprokit.json("sign", folder, "--archive", tmp_path / "another")

    assert Path(signed["signature"]).is_relative_to(reprokit.archive / "signatures")
    assert "signed by ada" in reprokit("verify", folder, "--archive", tmp_path / "another").stdout


def test_what_stands_in_the_place_of_a_signature_is_named_and_left(reprokit, own_key, published, tmp_path):
    bundle = published()
    (signed,) = reprokit.json("sign", bundle)
    path, outside = Path(signed["signature"]), tmp_path / "outside"
    outside.write_text("mine")
    path.unlink()
    path.symlink_to(outside)

    assert f"`{path}` is there already" in reprokit("sign", bundle, check=2).stderr
    shutil.rmtree(path.parent)
    path.parent.symlink_to(tmp_path)
    assert "is a link" in reprokit("sign", bundle, check=2).stderr
    assert outside.read_text() == "mine"
    assert not list(tmp_path.glob("*.sig"))


def test_a_key_that_cannot_be_had_is_told(reprokit, own_key, published, tmp_path):
    bundle = published()
    secret = make_key(tmp_path / "secret", "a phrase of hers")

    assert "passphrase" in reprokit("sign", bundle, "--key", secret, check=21).stderr
    assert "no such file" in reprokit("sign", bundle, "--key", tmp_path / "none", check=21).stderr
    make_key(own_key.with_name("id_rsa"))
    assert "there are several keys" in reprokit("sign", bundle, check=2).stderr


def test_in_a_terminal_ssh_keygen_asks_for_the_passphrase_itself(reprokit, own_key, published, tmp_path):
    bundle = published()
    secret = make_key(tmp_path / "secret", "a phrase of hers")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", IN_A_TERMINAL, "sign", bundle, "--key", str(secret)]
    with subprocess.Popen(
        words,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=reprokit.environment(),
        cwd=reprokit.home,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"passphrase" not in shown and select.select([ours], [], [], 60)[0]:
            shown += os.read(ours, 1000)
        os.write(ours, b"a phrase of hers\n")
        printed = process.stdout.read()
        process.wait()
    os.close(ours)

    assert process.returncode == 0
    assert Path(printed.decode().strip()).is_file()
    assert b"a phrase of hers" not in shown


def test_a_statement_tells_what_was_proven_and_what_the_ledger_has(reprokit, own_key, published, tmp_path):
    bundle = published()
    out = tmp_path / "statement.json"

    reprokit("verify", bundle, "--statement", out, check=1)
    unsigned = json.loads(out.read_text())
    reprokit("sign", bundle)
    reprokit("reproduce", bundle, "--tier", "rescore", check=None)
    printed = reprokit("verify", bundle, "--statement", "-")
    signed = json.loads(printed.stdout)

    assert unsigned["predicate"]["properties"] == ["REPROKIT_FIXITY_VERIFIED", "REPROKIT_RECORDS_VALID"]
    assert signed["predicate"]["properties"] == [
        "REPROKIT_FIXITY_VERIFIED",
        "REPROKIT_RECORDS_VALID",
        "REPROKIT_SIGNED_BY_TRUSTED_KEY",
    ]
    assert [each["name"] for each in signed["predicate"]["verifier"]["policies"]] == ["allowed_signers"]
    assert f"{bundle}: whole" in printed.stderr


def test_nothing_is_stated_of_a_damaged_bundle(reprokit, own_key, published, tmp_path):
    bundle = published()
    damage(folder_of(reprokit, bundle))

    reprokit("verify", bundle, "--statement", tmp_path / "statement.json", check=12)

    assert not (tmp_path / "statement.json").exists()


def test_a_call_that_makes_no_sense_is_refused(reprokit, own_key, published):
    bundle = published()

    assert "about one bundle" in reprokit("verify", bundle, "latest", "--statement", "-", check=2).stderr
    assert "both print" in reprokit("verify", bundle, "--json", "--statement", "-", check=2).stderr
    assert "cannot be written" in reprokit("verify", bundle, "--statement", "/nowhere/x", check=2).stderr
    reprokit("sign", check=2)
