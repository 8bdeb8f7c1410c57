"""The digest of an artifact, from the MD5s of its files."""

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.mirrors.wandb import digest

MD5 = hashlib.md5(b"x").hexdigest()
md5s = st.binary(min_size=16, max_size=16).map(bytes.hex)
paths = st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable())

ASK = """
import base64, json, sys
from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry
import wandb
answers = []
for files in json.load(sys.stdin):
    artifact = wandb.Artifact("a", type="t")
    for path, md5 in files.items():
        digest = base64.b64encode(bytes.fromhex(md5)).decode()
        artifact.manifest.add_entry(ArtifactManifestEntry(path=path, digest=digest, size=1))
    answers.append(artifact.digest)
print(json.dumps(answers))
"""


def test_it_is_the_one_that_the_client_computes(tmp_path):
    import json

    cases = [
        {},
        {"bagit.txt": MD5},
        {"data/b": MD5, "data/a": hashlib.md5(b"a").hexdigest(), "data/B": "00" * 16},
        {
            "data/a": MD5,
            "data-a": MD5,
            "data.a": MD5,
            "data/a b": MD5,
            "data/ä": MD5,
            "data/\U0001d518": MD5,
            "data/\ufb00": MD5,
        },
    ]
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(cases),
        capture_output=True,
        check=False,
        text=True,
        env={"HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [digest.artifact_digest(each) for each in cases]


@given(md5s)
def test_an_entry_is_read_back(md5):
    assert digest.md5_of(digest.entry_digest(md5)) == md5


@given(st.dictionaries(paths, md5s, max_size=5), st.randoms())
def test_the_order_of_the_files_does_not_matter(files, chance):
    shuffled = list(files.items())
    chance.shuffle(shuffled)
    assert digest.artifact_digest(dict(shuffled)) == digest.artifact_digest(files)


@given(st.dictionaries(paths, md5s, min_size=1, max_size=5), md5s)
def test_other_bytes_make_another_digest(files, other):
    path = min(files)
    if files[path] != other:
        assert digest.artifact_digest(files | {path: other}) != digest.artifact_digest(files)


@pytest.mark.parametrize("entry", ["", "AAAA", "not base64!", "s3://bucket/x", "é"])
def test_what_is_no_md5_is_refused(entry):
    with pytest.raises(ValueError):
        digest.md5_of(entry)
