"""Packed files of a stranger's choice: refused with a word, before a byte of them is written."""

from __future__ import annotations

import gzip
import io
import shutil
import struct
import subprocess
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from reprokit.bundle import bag
from reprokit.errors import FixityError, UnreadableError
from reprokit.sync.packed.entries import Limits
from reprokit.sync.packed.opening import open_packed

TIGHT = Limits(slack=1 << 20)


@pytest.fixture
def bundle(make_bundle, tmp_path) -> Path:
    make_bundle(tmp_path / "ID")
    return tmp_path / "ID"


@pytest.fixture
def refused(tmp_path):
    """Try to open a packed file; nothing may be written anywhere, and what is told names file and way out."""
    within = tmp_path / "within"
    within.mkdir()

    def attempt(data: bytes, name: str = "x.tar", limits: Limits | None = None, written: bool = False) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        before = sorted(each for each in tmp_path.rglob("*") if within not in each.parents)
        with pytest.raises(FixityError) as told:
            open_packed(str(path), within, limits=limits)
        assert f"`{path}`" in told.value.message
        assert told.value.hint
        assert sorted(each for each in tmp_path.rglob("*") if within not in each.parents) == before
        assert written or list(within.iterdir()) == []
        return told.value.message

    return attempt


def tar_of(bundle: Path, *more: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Pack a bundle as `ID`, with further entries behind it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as writing:
        writing.add(bundle, arcname="ID")
        for entry, data in more:
            entry.size = entry.size or len(data)
            writing.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def an_entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **fields: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.pax_headers = kind, target, fields
    return entry


# --- names -------------------------------------------------------------------------------------------------------------

NAMES = [
    "../x",
    "ID/../../x",
    "/etc/x",
    "ID//x",
    "ID/./x",
    "ID/data/..",
    "ID\\x",
    "C:/x",
    "ID/a\nb",
    "ID/" + "x" * 5000,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_that_leads_elsewhere_is_refused_in_a_tar(bundle, refused, name, form):
    assert "has a name that may lead elsewhere" in refused(tar_of(bundle, (an_entry(name), b"x"), form=form))


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_a_name_that_leads_elsewhere_is_refused_in_a_zip(bundle, refused, name):
    assert "has a name that may lead elsewhere" in refused(zip_of(bundle, (name, b"x")), "x.zip")


def test_a_name_with_a_nul_is_refused(bundle, refused):
    raw = zip_of(bundle, ("ID/dataQ/x", b"x")).replace(b"dataQ", b"data\0")

    assert "may lead elsewhere" in refused(raw, "x.zip")
    assert "may lead elsewhere" in refused(tar_of(bundle, (an_entry("x", path="ID/a\0b"), b"x")))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ID/data/results.json", "stands there twice"),
        ("./ID/data/results.json", "stands there twice"),
        ("ID/data/RESULTS.json", "does not belong to its bundle"),
        ("ID/data/more", "does not belong to its bundle"),
        ("id/data/results.json", "does not belong to its bundle"),
        ("beside", "does not belong to its bundle"),
        ("ID/tags.txt", "does not belong to its bundle"),
    ],
)
def test_what_does_not_belong_to_the_bundle_is_refused(bundle, refused, name, why):
    assert why in refused(tar_of(bundle, (an_entry(name), b"{}")))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of zipfile's: a name stands there twice
        packed = zip_of(bundle, (name, b"{}"))
    assert why in refused(packed, "x.zip")


def test_a_folder_beside_the_bundle_is_refused(bundle, refused):
    assert "the folder `other`" not in refused(tar_of(bundle, (an_entry("other/x"), b"")))
    assert "`other` does not belong" in refused(tar_of(bundle, (an_entry("other", tarfile.DIRTYPE), b"")))


@pytest.mark.parametrize("other", ["data/RESULTS.json", "data/e\u0301", "data/con", "data/x.", "data/results.json.zst"])
def test_names_that_are_one_on_other_systems_are_refused_also_when_the_manifest_has_them(bundle, refused, other):
    (bundle / other).write_bytes(b"{}")
    forge(bundle)

    assert "has a name that does not mean the same everywhere" in refused(tar_of(bundle))


def test_a_tag_file_in_another_case_is_refused(bundle, refused):
    (bundle / "BAGIT.TXT").write_bytes(b"{}")
    forge(bundle, "BAGIT.TXT")

    assert "does not mean the same everywhere" in refused(tar_of(bundle))


# --- kinds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "is a symbolic link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a named pipe"),
        (tarfile.GNUTYPE_SPARSE, "is a sparse file"),
        (tarfile.CONTTYPE, "neither a regular file nor a folder"),
        (b"V", "neither a regular file nor a folder"),
        (b"D", "neither a regular file nor a folder"),
    ],
)
def test_what_is_neither_a_file_nor_a_folder_is_refused(bundle, refused, kind, why):
    assert why in refused(tar_of(bundle, (an_entry("ID/data/x", kind, "/etc/passwd"), b"")))


@pytest.mark.parametrize("target", ["ID/data/later", "ID/data", "beside", "ID/data/x"])
def test_a_hard_link_to_no_file_before_it_is_refused(bundle, refused, target):
    linked = an_entry("ID/data/x", tarfile.LNKTYPE, target)

    assert "a link to what is no file before it" in refused(tar_of(bundle, (linked, b"")))


@pytest.mark.parametrize("target", ["../x", "/etc/passwd"])
def test_a_hard_link_out_of_the_file_is_refused(bundle, refused, target):
    linked = an_entry("ID/data/x", tarfile.LNKTYPE, target)

    assert "may lead elsewhere" in refused(tar_of(bundle, (linked, b"")))


def test_a_hard_link_to_what_is_passed_over_is_refused(bundle, refused):
    (bundle / "data/results.json").unlink()
    first, second = an_entry("__MACOSX/x"), an_entry("ID/data/results.json", tarfile.LNKTYPE, "__MACOSX/x")

    assert "a link to what does not belong to its bundle" in refused(tar_of(bundle, (first, b"{}"), (second, b"")))


def test_links_count_as_many_bytes_as_what_they_stand_for(bundle, refused):
    first = an_entry("ID/data/._0")
    links = [(an_entry(f"ID/data/._{number}", tarfile.LNKTYPE, "ID/data/._0"), b"") for number in range(1, 500)]

    assert "unpacks to more than 200 times" in refused(tar_of(bundle, (first, bytes(1_000_000)), *links), limits=TIGHT)


def test_a_symbolic_link_in_a_zip_is_refused(bundle, refused, tmp_path):
    (bundle / "data/x").symlink_to("/etc/passwd")
    subprocess.run(["zip", "-qry", "x.zip", "ID"], cwd=tmp_path, check=True)

    assert "`ID/data/x` is a symbolic link" in refused((tmp_path / "x.zip").read_bytes(), "x.zip")


@pytest.mark.parametrize("field", ["GNU.sparse.major", "GNU.sparse.name"])
def test_sparse_files_of_pax_are_refused(bundle, refused, field):
    assert "it holds a sparse file" in refused(tar_of(bundle, (an_entry("ID/data/x", **{field: "1"}), b"x")))


# --- headers that mean several things ----------------------------------------------------------------------------------


def raw_header(name: bytes, kind: bytes, size: int | bytes = 0, magic: bytes = b"ustar\x0000") -> bytes:
    number = size if isinstance(size, bytes) else b"%011o\0" % size
    block = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + number + b"00000000000\0" + b" " * 8 + kind
    block = (block.ljust(257, b"\0") + magic).ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def raw_entry(name: bytes, kind: bytes, data: bytes = b"") -> bytes:
    return raw_header(name, kind, len(data)) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    text = b" " + key + b"=" + value + b"\n"
    return str(len(text) + 3).encode().rjust(3, b"0") + text


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (raw_entry(b"L", b"L", b"a\0") * 2, "named in two ways"),
        (raw_entry(b"L", b"L", b"a\0") + raw_entry(b"x", b"x", record(b"path", b"b")), "named in two ways"),
        (raw_entry(b"x", b"x", record(b"path", b"b")) * 2, "named in two ways"),
        (raw_entry(b"x", b"x", record(b"path", b"b") * 2), "says a thing twice"),
        (raw_entry(b"x", b"x", b"999 path=b\n"), "a pax header is damaged"),
        (raw_entry(b"x", b"x", b"0 path=b\n"), "a pax header is damaged"),
        (raw_entry(b"x", b"x", b"-9 path=b\n"), "where a number belongs"),
        (raw_entry(b"x", b"x", record(b"size", b"-1")), "where a number belongs"),
        (raw_entry(b"x", b"x", record(b"size", b"9" * 19)), "more than any bundle has"),
        (raw_entry(b"x", b"g", record(b"path", b"b")), "gives all entries one name"),
        (raw_header(b"x", b"x", 1 << 30), "more than any needs"),
        (raw_header(b"a", b"0", b"\x80" + b"\xff" * 11), "more than any bundle has"),
        (raw_header(b"a", b"0", b"\xff" * 12), "header of an entry is damaged"),
        (raw_header(b"a", b"0", b"-0000000001\0"), "header of an entry is damaged"),
        (raw_header(b"a", b"0", b"0o0000000_1\0"), "header of an entry is damaged"),
        (raw_header(b"a/", b"0"), "neither a regular file nor a folder"),
        (raw_header(b"a", b"5", 512), "neither a regular file nor a folder"),
        (raw_header(b"a", b"0", magic=b""), "is none"),
        (raw_header(b"a", b"0")[:-1] + b"x", "header of an entry is damaged"),
        (bytes(512), "its end stands in its midst"),
        (bytes(1024), "there is more behind its end"),
    ],
)
def test_what_programs_would_read_differently_is_refused(bundle, refused, before, why):
    assert why in refused(before + raw_entry(b"a", b"0") + tar_of(bundle))


def test_a_header_for_an_entry_that_never_comes_is_refused(bundle, refused):
    packed = tar_of(bundle).rstrip(b"\0")
    packed += bytes(-len(packed) % 512)

    assert "its last entry is missing" in refused(packed + raw_entry(b"x", b"x", record(b"path", b"b")) + bytes(1024))


# --- damage ------------------------------------------------------------------------------------------------------------


def test_a_file_that_was_cut_short_is_told_wherever_it_was_cut(bundle, refused):
    whole = tar_of(bundle)
    compressed = {"x.tar.gz": gzip.compress(whole), "x.tar.zst": zstandard.compress(whole), "x.zip": zip_of(bundle)}

    for name, data in {"x.tar": whole.rstrip(b"\0") + bytes(512), **compressed}.items():
        for part in (0.1, 0.5, 0.9):
            message = refused(data[: int(len(data) * part)], name)
            assert "cut short" in message or "cannot be unpacked" in message
    assert "cut short" in refused(b"", "x.tar")


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.zst", "x.zip"])
def test_data_after_the_end_is_refused(bundle, refused, name):
    whole = tar_of(bundle)
    packed = {"x.tar.gz": gzip.compress(whole), "x.tar.zst": zstandard.compress(whole), "x.zip": zip_of(bundle)}

    assert refused(packed.get(name, whole) + b"something else", name)


def test_a_flipped_bit_of_a_compressed_bundle_is_found_wherever_it_is(bundle, tmp_path):
    data = gzip.compress(tar_of(bundle), mtime=0)
    for at in range(30, len(data) - 8, len(data) // 60):
        (tmp_path / "x.tar.gz").write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
        within = tmp_path / f"within-{at}"
        within.mkdir()

        with pytest.raises((FixityError, UnreadableError)):
            open_packed(str(tmp_path / "x.tar.gz"), within)


def test_what_is_no_packed_file_is_told(refused):
    assert "is none" in refused(b"not a tar file at all" * 100)
    assert "cannot be unpacked" in refused(b"\x1f\x8b" + b"x" * 1000)
    assert "cannot be unpacked" in refused(b"\x28\xb5\x2f\xfd" + b"x" * 1000)


# --- bombs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstandard"])
def test_a_bomb_is_not_unpacked_to_its_end(bundle, refused, pack):
    bomb = pack(tar_of(bundle, (an_entry("ID/data/._x"), bytes(40_000_000))))

    tracemalloc.start()
    message = refused(bomb, "x.tar.gz", limits=TIGHT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert "unpacks to more than 200 times its size" in message
    assert peak < 16_000_000


def test_a_bomb_in_a_zip_is_refused_by_its_directory_and_a_directory_that_lies_by_its_bytes(bundle, refused):
    bomb = zip_of(bundle, ("ID/data/._x", bytes(40_000_000)))
    assert "unpacks to more than 200 times its size" in refused(bomb, "x.zip", limits=TIGHT)

    path = "ID/data/results.json"
    (bundle / "data/results.json").write_bytes(bytes(40_000_000))
    lying = zip_of(bundle).replace(struct.pack("<L", 40_000_000), struct.pack("<L", 10))
    assert f"`{path}` is longer than its directory says" in refused(lying, "x.zip", written=True)


def test_a_payload_that_is_larger_than_the_bundle_says_is_refused(bundle, refused):
    (bundle / "data/results.json").write_bytes(b"{}" * 100_000)

    assert "and its bundle is said to have" in refused(tar_of(bundle))


def test_a_bundle_that_claims_to_be_huge_is_given_no_more_for_it(bundle, refused):
    info = (bundle / bag.INFO).read_text().splitlines()
    lines = ["Payload-Oxum: 999999999999999.9" if line.startswith("Payload-Oxum") else line for line in info]
    (bundle / bag.INFO).write_text("\n".join(lines) + "\n")
    (bundle / "data/results.json").write_bytes(bytes(100_000_000))

    assert "unpacks to more than 200 times" in refused(gzip.compress(tar_of(bundle)), limits=TIGHT)


def test_a_disk_without_room_is_told_before_anything_is_written(bundle, tmp_path, monkeypatch):
    (tmp_path / "x.tar").write_bytes(tar_of(bundle))
    within = tmp_path / "within"
    within.mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    with pytest.raises(UnreadableError, match=r"has 0\.0"):
        open_packed(str(tmp_path / "x.tar"), within)

    assert list(within.iterdir()) == []


# --- ZIP files ---------------------------------------------------------------------------------------------------------


def zip_of(bundle: Path, *more: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as writing:
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                writing.write(path, f"ID/{path.relative_to(bundle).as_posix()}")
        for name, data in more:
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            entry.compress_type = method
            writing.writestr(entry, data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: b"#!/bin/sh\n" + data, "header"),
        (lambda data: data[:-2] + b"\x04\x00notes", "does not end as a ZIP file does"),
        (lambda data: data[:-2] + b"\x04\x00not", "does not end as a ZIP file does"),
        (lambda data: data[:-2] + b"\x16\x00" + data[-22:], "its directory is damaged"),
        (lambda data: data.replace(b"ID/data/results", b"ID/data/RESULTS", 1), "another than its directory says"),
        (lambda data: patched(data, 8, struct.pack("<H", 1)), "is encrypted"),
        (lambda data: patched(data, 10, struct.pack("<H", 14)), "another than its directory says"),
        (lambda data: patched(data, 42, struct.pack("<L", 5)), "before its first entry"),
        (lambda data: patched(data, 20, struct.pack("<L", 5000)), "lies over another"),
        (lambda data: patched(data, 20, struct.pack("<L", 0xFFFFFFFF)), "its directory is damaged"),
        (lambda data: patched(data, 28, struct.pack("<H", 0xFFF0)), "its directory is damaged"),
        (lambda data: data[:-14] + struct.pack("<2H", 60000, 60000) + data[-10:], "its directory is damaged"),
        (lambda data: data[:-14] + struct.pack("<2H", 1, 1) + data[-10:], "its directory is damaged"),
        (lambda data: data[:-14] + struct.pack("<2H", 0xFFFF, 0xFFFF) + data[-10:], "its directory is damaged"),
    ],
)
def test_a_zip_that_says_two_things_is_refused(bundle, refused, change, why):
    assert why in refused(change(zip_of(bundle)), "x.zip")


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Change a field of the first row of the directory."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + value + data[at + len(value) :]


def test_a_method_that_is_not_deflate_is_told(bundle, refused):
    assert "by another method than `deflate`" in refused(zip_of(bundle, method=zipfile.ZIP_LZMA), "x.zip")


def test_a_changed_byte_in_a_zip_is_found(bundle, refused):
    data = bytearray(zip_of(bundle))
    data[data.index(b"ID/data/bundle.json") + 40] ^= 0x10

    assert "`ID/data/bundle.json` is damaged" in refused(bytes(data), "x.zip", written=True)


def test_bytes_behind_a_compressed_file_s_own_are_refused(bundle, refused):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    (bundle / "data/results.json").write_bytes(packer.compress(b"{}") + packer.flush() + b"junk")
    data = bytearray(zip_of(bundle, method=zipfile.ZIP_STORED))
    listed, own = data.rindex(b"ID/data/results.json") - 46, data.index(b"ID/data/results.json") - 30
    for method_at in (listed + 10, own + 8):
        data[method_at] = zipfile.ZIP_DEFLATED

    assert "has more bytes than its own" in refused(bytes(data), "x.zip", written=True)


# --- forging -----------------------------------------------------------------------------------------------------------


def forge(bundle: Path, *more: str) -> None:
    """Write a manifest for all that lies in a bundle, as a forger would."""
    paths = sorted(path.relative_to(bundle).as_posix() for path in (bundle / "data").rglob("*") if path.is_file())
    rows = {path: bag.sha256_of(bundle / path) for path in [*paths, *more]}
    info = bag.read_info(bundle)
    bag.seal(bundle, rows, replace(info, payload_octets=info.payload_octets + 1000))
