"""The bag: what is sealed can be proven with other people's programs, and no changed byte escapes."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.bundle import bag, naming
from reprokit.bundle.reading import open_bundle
from reprokit.bundle.validation import validate
from reprokit.bundle.writing import Label
from reprokit.errors import InvalidRecordError, NotFoundError, UnreadableError


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def codes(folder: Path) -> set[str]:
    return {finding.code for finding in validate(folder)}


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_sealed_bundle_has_nothing_wrong_with_it(make_bundle):
    sealed = make_bundle()

    assert list(validate(sealed.path)) == []


def test_sha256sum_and_bagit_agree_that_a_bundle_is_whole(make_bundle):
    sealed = make_bundle(
        harness_files={"harness/a b (1)/x=y.json": b"{}", "harness/big.jsonl": b'{"a": 1}\n' * 200_000}
    )

    check = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt"],
        cwd=sealed.path,
        check=False,
        capture_output=True,
    )
    oracle = subprocess.run(
        [sys.executable, "-m", "bagit", "--validate", str(sealed.path)], check=False, capture_output=True
    )

    assert (check.returncode, check.stdout) == (0, b"")
    assert oracle.returncode == 0, oracle.stderr


def test_the_identity_is_the_digest_of_the_manifest_and_names_the_bundle(make_bundle):
    sealed = make_bundle()
    digest = hashlib.sha256((sealed.path / "manifest-sha256.txt").read_bytes()).hexdigest()

    assert sealed.identity == f"sha256:{digest}" == bag.identity(sealed.path)
    assert sealed.bundle_id == f"20261123T031547Z-lm_eval-tiny-gpt2-{digest[:8]}"
    assert naming.PATTERN.match(sealed.bundle_id)


def test_equal_content_has_equal_identity_whatever_it_is_called_and_whenever_it_is_captured(make_bundle):
    one = make_bundle(captured="2026-11-24T00:00:00Z")
    other = make_bundle(captured="2030-01-01T00:00:00Z", label=Label(name="paper", tags=("b", "a"), note="two\nlines"))

    assert one.identity == other.identity
    assert one.content_digest == other.content_digest
    assert open_bundle(other.path).info.tags == ("a", "b")
    assert open_bundle(other.path).info.note == "two lines"
    assert list(validate(other.path)) == []


@pytest.mark.parametrize("position", [0.0, 0.37, 0.99])
def test_any_changed_byte_is_found_in_every_file(make_bundle, position):
    sealed = make_bundle(harness_files={"harness/long.log": b"line\n" * 400_000, "harness/results.json": b"{}"})

    for path in files_of(sealed.path):
        before = path.read_bytes()
        place = int(len(before) * position)
        overwrite(path, before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])

        assert codes(sealed.path), f"a flipped bit in {path.name} at {place} is not found"

        overwrite(path, before)
    assert codes(sealed.path) == set()


def test_every_kind_of_damage_has_its_code(make_bundle):
    def damaged(change) -> set[str]:
        folder = make_bundle().path
        change(folder)
        return codes(folder)

    def link(folder):
        target = folder / "data/harness/results.json"
        target.unlink()
        target.symlink_to("/etc/hostname")

    assert "E101" in damaged(lambda folder: overwrite(folder / "data/harness/results.json", b"{}"))
    assert "E102" in damaged(lambda folder: (folder / "data/harness/results.json").unlink())
    assert "E103" in damaged(lambda folder: (folder / "data/added").write_text("x"))
    assert "E103" in damaged(lambda folder: (folder / "added").write_text("x"))
    assert "E104" in damaged(lambda folder: (folder / "bagit.txt").unlink())
    assert "E104" in damaged(lambda folder: overwrite(folder / "bag-info.txt", b""))
    assert "E105" in damaged(link)


def test_another_spelling_of_a_tag_file_is_a_finding_even_when_the_rest_agrees(make_bundle):
    folder = make_bundle().path
    info = folder / "bag-info.txt"
    overwrite(info, info.read_bytes().replace(b"Reprokit-Format: 1", b"Reprokit-Format: 01"))
    tags = {name: (folder / name).read_bytes() for name in bag.TAG_FILES[:3]}
    rows = {name: hashlib.sha256(data).hexdigest() for name, data in tags.items()}
    overwrite(folder / bag.TAG_MANIFEST, bag.render_manifest(rows))

    assert codes(folder) == {"E104"}


def test_two_swapped_files_are_found(make_bundle):
    folder = make_bundle(harness_files={"harness/a": b"1", "harness/b": b"2"}).path
    overwrite(folder / "data/harness/a", b"2")
    overwrite(folder / "data/harness/b", b"1")

    assert [finding.where for finding in validate(folder)] == ["data/harness/a", "data/harness/b"]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "data/../../x", "data//x", "data/./x", "c:/x", "a\\b", "a\x00b"]
)
def test_a_manifest_that_leads_out_of_the_bundle_is_refused(path):
    with pytest.raises(ValueError, match="leads out"):
        bag.parse_manifest(f"{'0' * 64}  {path}\n".encode())


def test_a_newer_format_is_refused_with_a_way_out(make_bundle):
    folder = make_bundle().path
    info = folder / "bag-info.txt"
    overwrite(info, info.read_bytes().replace(b"Reprokit-Format: 1", b"Reprokit-Format: 2"))

    with pytest.raises(UnreadableError, match="format 2"):
        open_bundle(folder)


def test_a_folder_without_a_bundle_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        list(validate(tmp_path / "nothing"))


text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).map(lambda each: " ".join(each.split()))


@given(
    info=st.builds(
        bag.BagInfo,
        bundle_id=st.just("undated-script-x-00000000"),
        bagging_date=st.just("2026-11-24T00:00:00Z"),
        payload_octets=st.integers(0, 2**60),
        payload_files=st.integers(0, 2**40),
        content_digest=st.just("sha256:" + "0" * 64),
        name=st.none() | text.filter(bool),
        note=st.none() | text.filter(bool),
        tags=st.lists(text.filter(bool), unique=True).map(sorted).map(tuple),
    )
)
def test_bag_info_reads_back_as_it_was_written(info):
    assert bag.parse_info(bag.render_info(info)) == info


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_reading_tag_files_fails_only_in_our_own_way(data):
    for parse in (bag.parse_info, bag.parse_manifest):
        with contextlib.suppress(ValueError):
            parse(data)


def test_a_bundle_of_very_many_files_reads_back(make_bundle):
    # Their index makes `bundle.json` longer than what is compressed elsewhere.
    sealed = make_bundle(harness_files={f"harness/{number:05}.txt": b"" for number in range(6000)})

    assert (sealed.path / "data/bundle.json").stat().st_size > 1 << 20
    assert len(open_bundle(sealed.path).record.files) > 6000
    assert list(validate(sealed.path)) == []


def test_long_text_is_compressed_and_comes_back_and_other_long_files_are_not(make_bundle):
    text, binary = b"a line\n" * 300_000, b"\0\1" * 700_000
    sealed = make_bundle(harness_files={"harness/log.txt": text, "harness/weights.bin": binary})
    bundle = open_bundle(sealed.path)

    assert (sealed.path / "data/harness/log.txt.zst").stat().st_size < len(text) / 100
    assert bundle.read_payload("harness/log.txt") == text
    assert (
        (sealed.path / "data/harness/weights.bin").read_bytes() == binary == bundle.read_payload("harness/weights.bin")
    )


def test_a_compression_bomb_is_a_finding_and_is_not_unpacked(make_bundle):
    import zstandard

    sealed = make_bundle(harness_files={"harness/log.txt": b"a line\n" * 300_000})
    path = sealed.path / "data/harness/log.txt.zst"
    overwrite(path, zstandard.compress(bytes(200_000_000)))

    found = {finding.code for finding in validate(sealed.path)}

    assert {"E101", "E205"} <= found
    with pytest.raises(InvalidRecordError):
        open_bundle(sealed.path).read_payload("harness/log.txt")
