"""What a git patch holds in its binary parts."""

from __future__ import annotations

import random

import pytest

from reprokit.probes.source import binary_patch


@pytest.fixture
def patched(tmp_path, git):
    """Give a function that commits bytes, changes them, and gives the patch from one to the other."""

    def make(before: bytes | None, after: bytes):
        root = tmp_path / "repository"
        root.mkdir()
        git(root, "init", "-q", "-b", "main")
        (root / "text").write_text("literal 5\nzcmZQz\n\n")
        if before is not None:
            (root / "file").write_bytes(before)
        git(root, "add", "-A")
        git(root, "commit", "-qm", "first")
        (root / "file").write_bytes(after)
        (root / "text").write_text("literal 7\nzcmZQz\n\ndelta 3\n")
        git(root, "add", "-A")
        patch = tmp_path / "patch"
        git(root, "diff", "--cached", "--binary", f"--output={patch}")
        return patch

    return make


def test_a_new_binary_file_is_read_back_from_its_patch(patched):
    data = b"\0" + random.Random(1).randbytes(200_000)

    assert data in list(binary_patch.contents(patched(None, data)))


def test_what_is_inserted_into_a_binary_file_is_read_back(patched):
    data = b"\0" + random.Random(2).randbytes(100_000)
    secret = b"Zk83mQ9xW2pL7v-Rt5nBd"

    assert secret in b"".join(binary_patch.contents(patched(data, data[:500] + secret + data[500:])))


def test_a_patch_of_text_has_no_binary_parts(patched):
    assert not [part for part in binary_patch.contents(patched(None, b"text\n")) if part]


def test_a_damaged_part_gives_what_can_be_read(tmp_path):
    (tmp_path / "patch").write_bytes(b"GIT binary patch\nliteral 9\nz!!!!!\nzzz\n\nliteral 1\n")

    assert list(binary_patch.contents(tmp_path / "patch")) == [b"", b""]
