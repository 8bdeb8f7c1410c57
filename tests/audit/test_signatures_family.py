"""The audit judges every signature that the archive keeps of a bundle, by whom the auditor trusts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.archive import creation, publication, registration
from reprokit.audit.families.signatures import check
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown
from reprokit.bundle.finding import Finding

FREE, SIGNED = Policy(), Policy(signed=True)


@pytest.fixture(scope="module")
def new_archive(tmp_path_factory):
    return creation.create(tmp_path_factory.mktemp("new") / "archive")


@pytest.fixture
def keys(tmp_path, monkeypatch) -> Path:
    """Keys of Ada's and others', and a file that allows hers and an old one."""
    tmp_path.chmod(0o700)
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    for name in ("ada", "old", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    lines = (("ada", "ada@lab.example"), ("old", 'old@lab.example valid-before="20200101"'))
    (folder / "signers").write_text("".join(f"{who} {(folder / f'{name}.pub').read_text()}" for name, who in lines))
    (folder / "signers").chmod(0o600)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("REPROKIT_ALLOWED_SIGNERS", str(folder / "signers"))
    return folder


@pytest.fixture
def held(make_bundle, new_archive, keys) -> Held:
    """A bundle of an archive, of which nobody has signed anything yet."""
    staging = publication.stage(new_archive)
    make_bundle(staging / publication.BAG, harness_files={"harness/results.json": str(keys).encode()})
    published = publication.publish(new_archive, staging)
    assert registration.fold(new_archive).left == ()
    return Held(archive=new_archive, id=published.bundle_id)


@pytest.fixture
def folder(held) -> Path:
    path = held.archive.root / "signatures" / held.id
    path.mkdir(parents=True)
    return path


@pytest.fixture
def sign(held, keys, folder, tmp_path):
    """Sign the bundle, or other bytes, and put that among its signatures."""

    def make(key="ada", *, data: bytes | None = None, namespace="reprokit-bundle", name=None) -> Path:
        copy = tmp_path / "manifest"
        copy.write_bytes((held.folder / "manifest-sha256.txt").read_bytes() if data is None else data)
        words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", keys / key, copy]
        subprocess.run(words, check=True, capture_output=True)
        return Path(shutil.move(tmp_path / "manifest.sig", folder / f"{name or key}.sig"))

    return make


def said(held, policy=FREE, **environ):
    return list(check(held, {**os.environ, **environ}, policy))


def codes(statements) -> list[str]:
    return [each.code for each in statements if isinstance(each, Finding)]


def test_a_bundle_that_nobody_has_signed_is_well_unless_the_policy_asks_for_it(held):
    assert said(held) == []
    assert codes(said(held, SIGNED)) == ["W453"]
    shutil.rmtree(held.folder)
    assert codes(said(Held(archive=held.archive, id=held.id), SIGNED)) == ["W453"]


def test_a_good_signature_is_a_fact_with_name_and_key(held, sign):
    sign()

    (fact,) = said(held, SIGNED)

    assert isinstance(fact, Fact)
    assert fact.where == f"signatures/{held.id}/ada.sig"
    assert fact.told.startswith("signed by ada@lab.example with key SHA256:")


@pytest.mark.parametrize(("key", "kind"), [("stranger", "unknown key"), ("old", "expired")])
def test_a_key_that_does_not_count_is_a_warning_and_no_signature_for_the_policy(held, sign, key, kind):
    sign(key)

    (found,) = said(held)

    assert found.code == "W452"
    assert kind in found.message
    assert codes(said(held, SIGNED)) == ["W452", "W453"]


@pytest.mark.parametrize("form", ["list", "krl"])
def test_a_revoked_key_is_a_warning(held, sign, keys, tmp_path, form):
    sign()
    revoked = keys / "withdrawn"
    if form == "krl":
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", revoked, keys / "ada.pub"], check=True)
    else:
        shutil.copy(keys / "ada.pub", revoked)
    revoked.chmod(0o600)
    settings = tmp_path / "config/reprokit/reprokit.toml"
    settings.parent.mkdir(parents=True, mode=0o700)
    settings.parent.parent.chmod(0o700)
    settings.write_text(f'[trust]\nrevoked_keys = "{revoked}"\n')
    settings.chmod(0o600)

    (found,) = said(held)

    assert found.code == "W452"
    assert found.message.partition(": ")[2].startswith("revoked: ")


@pytest.mark.parametrize("how", [{"data": b"another bundle"}, {"namespace": "git"}])
@pytest.mark.parametrize("key", ["ada", "stranger"])
def test_a_signature_of_something_else_is_an_error_whoever_made_it(held, sign, key, how):
    sign(key, **how)

    assert codes(said(held)) == ["E451"]
    assert codes(said(held, REPROKIT_ALLOWED_SIGNERS="")) == ["E451"]


def test_what_is_no_signature_file_is_an_error(held, sign, folder, tmp_path):
    good = sign().rename(tmp_path / "good.sig")
    (folder / "junk.sig").write_bytes(b"\xff" * 100)
    (folder / "large.sig").write_bytes(bytes(1 << 17))
    (folder / "link.sig").symlink_to(good)
    (folder / "nowhere.sig").symlink_to("nowhere")
    (folder / "folder.sig").mkdir()
    os.mkfifo(folder / "pipe.sig")
    (folder / "readme.txt").touch()

    assert codes(said(held)) == ["E451"] * 6


def test_a_link_for_the_folder_is_an_error_and_is_not_followed(held, sign, folder, tmp_path):
    sign()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")

    assert codes(said(held, SIGNED)) == ["E451"]


def test_one_trusted_signature_is_enough_for_the_policy_and_the_others_are_still_told(held, sign):
    for key in ("ada", "stranger"):
        sign(key)

    statements = said(held, SIGNED)
    assert codes(statements) == []
    assert any(isinstance(each, Fact) and "unknown key" in each.told for each in statements)


def test_nothing_is_held_against_a_signature_that_cannot_be_checked_here(held, sign, tmp_path):
    sign()

    for environ in ({"REPROKIT_ALLOWED_SIGNERS": ""}, {"PATH": str(tmp_path)}):
        (unknown,) = said(held, SIGNED, **environ)

        assert isinstance(unknown, NotKnown)
        assert unknown.where == f"signatures/{held.id}/ada.sig"


def test_of_a_bundle_that_is_damaged_or_elsewhere_its_signatures_say_nothing(held, sign):
    sign()
    with (held.folder / "manifest-sha256.txt").open("ab") as stream:
        stream.write(b"\n")
    statements = said(held, SIGNED)
    shutil.rmtree(held.folder)
    statements += said(Held(archive=held.archive, id=held.id), SIGNED)

    assert [type(each) for each in statements] == [NotKnown, NotKnown]
    assert "not in this copy" in statements[1].because


def test_a_flood_of_signatures_is_cut_off_and_told(held, folder):
    for number in range(103):
        (folder / f"{number}.sig").mkdir()

    statements = said(held, SIGNED)

    assert len(statements) == 101
    assert isinstance(statements[0], NotKnown)
    assert "W453" not in codes(statements)
