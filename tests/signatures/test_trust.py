"""A bundle is trusted by the signature of a key that its user has named, with the keys and the program of OpenSSH."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reprokit.archive.layout import Archive
from reprokit.bundle.reading import open_bundle
from reprokit.signatures.places import candidates
from reprokit.signatures.signers import VARIABLE
from reprokit.signatures.trust import Trusted, Untrusted, trusted
from reprokit.signatures.trust import judge as judge_each


def judge(bundle, signatures=None):
    found = candidates(bundle) if signatures is None else signatures
    return trusted(bundle, found, environment=os.environ)


def reason(judged) -> str:
    assert isinstance(judged, Untrusted)
    return judged.reason


# --- trusted -----------------------------------------------------------------------------------------------------------


def test_a_bundle_that_a_known_key_has_signed_is_trusted(bundle, sign, allow, public, keys, keygen):
    signature = sign()
    allow(f"ada@example.org {public('ada')}")

    fingerprint = keygen("-l", "-f", "ada.pub", directory=keys).split()[1]
    assert judge(bundle) == Trusted(by="ada@example.org", key=fingerprint, signature=str(signature))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys_do_as_well(bundle, sign, allow, public, keys, kind, keygen):
    keygen("-q", "-t", kind, "-N", "", "-f", "other", directory=keys)
    sign("other")
    allow(f"ada@example.org {public('other')}")

    assert judge(bundle).by == "ada@example.org"


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("ada@example.org,lovelace@example.org KEY", "ada@example.org"),
        ('ada@example.org namespaces="git,reprokit-*" KEY', "ada@example.org"),
        ('ada@example.org valid-after="20200101",valid-before="21000101" KEY', "ada@example.org"),
        ("!eve@example.org,*@example.org KEY", "*@example.org"),
        ('old@example.org valid-before="20200101" KEY\nada@example.org KEY', "ada@example.org"),
        ("# a remark\n\nada@example.org KEY a comment", "ada@example.org"),
    ],
)
def test_what_a_line_says_of_a_key_holds_as_for_ssh(bundle, sign, allow, public, line, by):
    sign()
    allow(line.replace("KEY", public("ada")))

    assert judge(bundle).by == by


def test_a_certificate_of_a_trusted_authority_is_as_good_as_a_key(bundle, sign, allow, public, keys, keygen):
    keygen("-q", "-s", "stranger", "-I", "id", "-n", "ada@example.org", "-V", "+1d", "ada.pub", directory=keys)
    (keys / "ada-cert.pub").rename(keys / "certified-cert.pub")
    (keys / "ada").rename(keys / "certified")
    sign("certified-cert.pub")
    allow(f"*@example.org cert-authority {public('stranger')}")

    assert judge(bundle).by == "ada@example.org"


def test_one_good_signature_among_useless_ones_is_enough(bundle, sign, allow, public, tmp_path):
    good = sign().rename(tmp_path / "good.sig")
    allow(f"ada@example.org {public('ada')}")
    (tmp_path / "junk.sig").write_bytes(b"\xff" * 100)

    judged = judge(bundle, [tmp_path / "junk.sig", sign("stranger"), good])

    assert (judged.by, judged.signature) == ("ada@example.org", str(good))


# --- untrusted ---------------------------------------------------------------------------------------------------------


def test_a_bundle_without_a_signature_is_untrusted(bundle, allow, public):
    allow(f"ada@example.org {public('ada')}")

    assert reason(judge(bundle)) == "it has no signature"


def test_a_stranger_s_key_is_untrusted(bundle, sign, allow, public):
    sign("stranger")
    path = allow(f"ada@example.org {public('ada')}")

    assert f"its key is none of those in `{path}`" in reason(judge(bundle))


def test_the_signature_of_another_bundle_is_none_of_this(bundle, sign, allow, public, make_bundle, tmp_path):
    make_bundle(tmp_path / "other", harness_files={"harness/x": b"1"})
    sign(of=open_bundle(tmp_path / "other")).rename(bundle.path.with_name(f"{bundle.path.name}.sig"))
    allow(f"ada@example.org {public('ada')}")

    assert "incorrect signature" in reason(judge(bundle))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('ada@example.org namespaces="git" KEY', "not permitted for use in signature namespace"),
        ('ada@example.org valid-before="20200101" KEY', "key has expired"),
        ('ada@example.org valid-after="21000101" KEY', "key is not yet valid"),
        ("KEY", ""),
        ("ada@example.org ssh-ed25519 AAAA", ""),
        ("\x00\xff", ""),
    ],
)
def test_a_line_that_does_not_allow_it_leaves_it_untrusted(bundle, sign, allow, public, line, told):
    sign()
    allow(line.replace("KEY", public("ada")))

    assert told in reason(judge(bundle))


def test_a_signature_for_another_purpose_is_none_of_a_bundle(bundle, sign, allow, public):
    sign(namespace="git")
    allow(f"ada@example.org {public('ada')}")

    assert "namespace" in reason(judge(bundle))


@pytest.fixture
def revoke(own, keys, keygen):
    """Revoke a key of Ada's, in a plain list or in the binary form."""

    def write(form: str) -> Path:
        path = keys / "withdrawn"
        if form == "krl":
            keygen("-q", "-k", "-f", "withdrawn", "ada.pub", directory=keys)
        else:
            shutil.copy(keys / "ada.pub", path)
        path.chmod(0o600)
        own.write_text(f'{own.read_text()}revoked_keys = "{path}"\n')
        return path

    return write


@pytest.mark.parametrize("form", ["list", "krl"])
def test_a_revoked_key_is_untrusted(bundle, sign, allow, public, revoke, form):
    sign()
    allow(f"ada@example.org {public('ada')}")
    assert judge(bundle).by
    path = revoke(form)

    assert f"its key is revoked, by `{path}`" in reason(judge(bundle))
    path.unlink()
    assert "there is no file" in reason(judge(bundle))


def test_the_revocation_of_one_key_leaves_another_s_signature_good(bundle, sign, allow, public, revoke):
    sign("stranger")
    allow(f"eve@example.org {public('stranger')}")
    revoke("krl")

    assert judge(bundle).by == "eve@example.org"


@pytest.mark.parametrize("damage", [b"SSHKRL\n\0 and nothing of use", b"this is no key\n"])
def test_a_damaged_file_of_revoked_keys_makes_nothing_trusted_and_no_key_revoked(
    bundle, sign, allow, public, revoke, damage
):
    sign()
    allow(f"ada@example.org {public('ada')}")
    revoke("list").write_bytes(damage)

    (judged,) = judge_each(bundle, candidates(bundle), environment=os.environ)

    assert judged.kind == "cannot be checked"
    assert "that file is damaged" in judged.reason


@pytest.mark.parametrize("damage", [b"", b"\xff" * 1000, None, b"-----BEGIN SSH SIGNATURE-----\n"])
def test_a_damaged_signature_is_told(bundle, sign, allow, public, damage):
    signature = sign()
    data = signature.read_bytes()
    signature.write_bytes(data.replace(b"\n", b"\nAAAA", 3) if damage is None else damage)
    allow(f"ada@example.org {public('ada')}")

    assert str(signature) in reason(judge(bundle))


def test_what_is_no_signature_file_is_not_read(bundle, allow, public, tmp_path):
    allow(f"ada@example.org {public('ada')}")
    os.mkfifo(tmp_path / "pipe.sig")
    (tmp_path / "large.sig").write_bytes(bytes(1 << 20))
    (tmp_path / "link.sig").symlink_to("/etc/hostname")

    for name in ("pipe", "large", "link", "absent"):
        assert "it cannot be read" in reason(judge(bundle, [tmp_path / f"{name}.sig"]))


def test_without_the_program_nothing_is_trusted(bundle, sign, allow, public, tmp_path):
    sign()
    allow(f"ada@example.org {public('ada')}")

    judged = trusted(bundle, candidates(bundle), environment={"PATH": str(tmp_path)})

    assert "there is no `ssh-keygen`" in reason(judged)


def test_a_program_that_knows_no_signatures_leaves_all_untrusted(bundle, sign, allow, public, tmp_path):
    sign()
    allow(f"ada@example.org {public('ada')}")
    old = tmp_path / "old/ssh-keygen"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho unknown option -- Y >&2\nexit 1\n")
    old.chmod(0o755)

    judged = trusted(bundle, candidates(bundle), environment={"PATH": f"{old.parent}:/usr/bin:/bin"})

    assert "unknown option -- Y" in reason(judged)


def test_a_manifest_that_was_changed_after_it_was_opened_is_untrusted(bundle, sign, allow, public):
    sign()
    allow(f"ada@example.org {public('ada')}")
    with (bundle.path / "manifest-sha256.txt").open("a") as stream:
        stream.write("0" * 64 + "  data/more\n")

    assert "was changed" in reason(judge(bundle))


# --- each signature ----------------------------------------------------------------------------------------------------


@pytest.fixture
def laid_out(bundle, sign, allow, public, make_bundle, tmp_path, keygen, keys):
    """A signature of each kind, in the order of their names, and a file that allows the keys of some."""
    make_bundle(tmp_path / "other", harness_files={"harness/x": b"1"})
    folder = tmp_path / "each"
    folder.mkdir()
    keygen("-q", "-t", "ed25519", "-N", "", "-f", "old", directory=keys)
    for number, (signer, how) in enumerate(
        [
            ("ada", {}),
            ("stranger", {}),
            ("old", {}),
            ("ada", {"of": open_bundle(tmp_path / "other")}),
            ("ada", {"namespace": "git"}),
        ]
    ):
        sign(signer, **how).rename(folder / f"{number}.sig")
    (folder / "5.sig").write_text("no signature\n")
    (folder / "6.sig").symlink_to("0.sig")
    allow(f"ada@example.org {public('ada')}", f'old@example.org valid-before="20200101" {public("old")}')
    return sorted(folder.iterdir())


def test_each_signature_gets_a_judgement_of_its_own(bundle, laid_out, keygen, keys):
    good, *others = judge_each(bundle, laid_out, environment=os.environ)

    assert isinstance(good, Trusted)
    assert [each.kind for each in others] == ["unknown key", "expired", *["not of this bundle"] * 4]
    fingerprints = [keygen("-l", "-f", f"{name}.pub", directory=keys).split()[1] for name in ("stranger", "old")]
    assert [each.key for each in others] == [*fingerprints, None, None, None, None]
    assert [each.signature for each in others] == [str(path) for path in laid_out[1:]]


def test_whose_signature_it_is_needs_no_allowed_signers_but_whether_it_counts_does(bundle, laid_out, own):
    own.unlink()

    judged = list(judge_each(bundle, laid_out, environment=os.environ))

    assert [each.kind for each in judged] == [*["cannot be checked"] * 3, *["not of this bundle"] * 4]
    assert judged[0].key.startswith("SHA256:")


def test_nothing_is_said_against_a_signature_by_a_program_that_cannot_read_it(bundle, laid_out, tmp_path):
    program = tmp_path / "program/ssh-keygen"
    program.parent.mkdir()
    for script in ("exit 255", "kill -9 $$", "echo 'Could not verify signature.'; echo unsupported key >&2; exit 255"):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        judged = list(judge_each(bundle, laid_out[:1], environment={"PATH": f"{program.parent}:/usr/bin:/bin"}))

        assert [each.kind for each in judged] == ["cannot be checked"]


# --- whose word it is --------------------------------------------------------------------------------------------------


def test_nobody_is_trusted_until_the_user_says_so(bundle, sign, own):
    sign()

    assert "you have named no file of allowed signers" in reason(judge(bundle))
    assert str(own) in reason(judge(bundle))


def test_a_file_of_a_checkout_or_an_archive_has_no_say(bundle, sign, keys, public, tmp_path, monkeypatch):
    sign()
    (keys / "allowed_signers").write_text(f"ada@example.org {public('ada')}\n")
    (tmp_path / "reprokit.toml").write_text(
        f'[archive]\nformat = 1\n[trust]\nallowed_signers = "{keys / "allowed_signers"}"\n'
    )
    monkeypatch.chdir(tmp_path)

    assert "you have named no file" in reason(judge(bundle))


def test_the_variable_names_a_file_too_and_only_by_its_whole_path(bundle, sign, keys, public, monkeypatch):
    sign()
    (keys / "signers").write_text(f"ada@example.org {public('ada')}\n")
    (keys / "signers").chmod(0o600)
    monkeypatch.setenv("HOME", str(keys))
    monkeypatch.chdir(keys)

    for value in (str(keys / "signers"), "~/signers"):
        monkeypatch.setenv(VARIABLE, value)
        assert judge(bundle).by == "ada@example.org"
    monkeypatch.setenv(VARIABLE, "signers")
    assert "no whole path" in reason(judge(bundle))


def test_a_file_named_in_the_settings_may_be_relative_to_them_or_a_link(bundle, sign, own, keys, allow, public):
    sign()
    path = allow(f"ada@example.org {public('ada')}")
    (own.parent / "signers").symlink_to(path)
    own.write_text('[trust]\nallowed_signers = "signers"\n')

    assert judge(bundle).by == "ada@example.org"


@pytest.mark.parametrize("which", ["file", "folder", "settings", "folder of the settings"])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_a_file_that_others_can_write_to_or_replace_is_refused(bundle, sign, own, allow, public, which, mode):
    sign()
    path = allow(f"ada@example.org {public('ada')}")
    open_to_all = {"file": path, "folder": path.parent, "settings": own, "folder of the settings": own.parent}[which]
    open_to_all.chmod(open_to_all.stat().st_mode | mode)

    assert f"others can write to `{open_to_all}`" in reason(judge(bundle))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("trust = 1\n", "`trust` is no table"),
        ("[trust]\nallowed_signer = 'x'\n", "has no `allowed_signer`"),
        ("[trust]\nallowed_signers = 1\n", "names no file"),
        ("[trust]\nallowed_signers = '/nowhere'\n", "there is no file `/nowhere`"),
        ("[trust\n", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_followed_are_told(bundle, sign, own, settings, told):
    sign()
    own.write_text(settings)
    own.chmod(0o600)

    assert told in reason(judge(bundle))


# --- where signatures lie ----------------------------------------------------------------------------------------------


def test_an_id_that_leads_elsewhere_is_followed_nowhere(bundle, tmp_path):
    (tmp_path / "archive/signatures").mkdir(parents=True)
    (tmp_path / "archive/stray.sig").touch()
    info = replace(bundle.info, bundle_id="..")

    assert (
        candidates(replace(bundle, info=info), archive=Archive(tmp_path / "archive"), packed=tmp_path / "x.tar") == []
    )


def test_signatures_lie_beside_the_bundle_its_packed_file_and_in_the_archive(bundle, tmp_path):
    archive, packed = Archive(tmp_path / "archive"), tmp_path / "sent/x.tar.zst"
    there = archive.root / "signatures" / bundle.info.bundle_id
    for path in (there / "b.sig", there / "a.sig", there / "a.txt", packed, tmp_path / "sent/x.tar.zst.sig"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    beside = bundle.path.with_name(f"{bundle.path.name}.sig")
    beside.touch()

    found = candidates(bundle, archive=archive, packed=packed)

    assert found == [beside, tmp_path / "sent/x.tar.zst.sig", there / "a.sig", there / "b.sig"]
    assert candidates(bundle, archive=archive, named=packed) == [packed]
