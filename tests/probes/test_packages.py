import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment, Package
from reprokit.bundle.values import Unknown
from reprokit.probes import packages
from reprokit.probes.packages import installed, lock, record_digest, without_credentials


def make_wheel(folder, name="tiny", version="1.0", body="VALUE = 1\n"):
    """Make a wheel with a module, a data file and a console script."""
    metadata = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": body,
        f"{name}-{version}.data/data/share/{name}.txt": "data\n",
        f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{metadata}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in files.items())
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{metadata}/RECORD": f"{record}{metadata}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return wheel


def _digest(text):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def make_metadata(folder, name, version, **files):
    metadata = Path(folder) / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    for file, text in {"METADATA": f"Name: {name}\nVersion: {version}\n\nName: body\n", **files}.items():
        (metadata / file.replace("_json", ".json")).write_text(text)
    return metadata


@pytest.fixture(scope="module")
def two_environments(tmp_path_factory):
    """One wheel, installed by pip into one environment and by uv into another."""
    root = tmp_path_factory.mktemp("wheels")
    wheels = root / "wheels"
    wheels.mkdir()
    make_wheel(wheels)
    by_pip, by_uv = root / "pip" / "long folder name" / "venv", root / "uv"
    offline = ["--no-index", "--find-links", str(wheels), "tiny"]
    for command in (
        [sys.executable, "-m", "venv", by_pip],
        [by_pip / "bin" / "python", "-m", "pip", "install", "-q", "--compile", *offline],
        [sys.executable, "-m", "uv", "venv", "-q", "--offline", "--python", sys.executable, by_uv],
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--python", by_uv / "bin/python", *offline],
    ):
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=120)
    return [next(each.glob("lib/python*/site-packages")) for each in (by_pip, by_uv)]


def test_pip_and_uv_install_the_same_package_with_the_same_digest(two_environments):
    by_pip, by_uv = (
        {package.name: package for package in installed([str(site)], {}).packages} for site in two_environments
    )

    assert by_pip["tiny"] == by_uv["tiny"]
    assert by_pip["tiny"].record_digest is not None
    assert by_pip["tiny"].direct_url is None


def test_another_content_has_another_digest(two_environments, tmp_path):
    (metadata,) = two_environments[0].glob("tiny-*.dist-info")
    changed = tmp_path / metadata.name
    changed.mkdir()
    record = (metadata / "RECORD").read_text()
    (changed / "RECORD").write_text(record.replace("tiny.py,sha256=", "tiny.py,sha256=0"))

    assert record_digest(changed) != record_digest(metadata)


def test_a_packages_data_counts_and_its_scripts_and_compiled_files_do_not(tmp_path):
    lines = ["a.py,sha256=x,1", "../../../share/a.txt,sha256=y,2", "a-1.dist-info/METADATA,sha256=z,3"]
    noise = [
        "__pycache__/a.cpython-311.pyc,,",
        "a.pyc,,",
        "../../../bin/a,sha256=q,9",
        "../../Scripts/a.exe,sha256=q,9",
        "/usr/local/bin/a,sha256=q,9",
        "a-1.dist-info/INSTALLER,sha256=q,9",
        "a-1.dist-info/RECORD,,",
        "a-1.dist-info/direct_url.json,sha256=q,9",
        "a-1.dist-info/uv_cache.json,sha256=q,9",
        "",
    ]
    plain = make_metadata(tmp_path / "plain", "a", "1", RECORD="\n".join(lines))
    noisy = make_metadata(tmp_path / "noisy", "a", "1", RECORD="\r\n".join(reversed(lines + noise)))

    assert record_digest(noisy) == record_digest(plain)
    assert record_digest(plain) == "sha256:" + hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def test_a_package_that_installs_a_folder_called_direct_url_keeps_it(tmp_path):
    bare = make_metadata(tmp_path / "one", "a", "1", RECORD="a.py,,\n")
    more = make_metadata(tmp_path / "two", "a", "1", RECORD="a.py,,\na/direct_url.json,,\n")

    assert record_digest(bare) != record_digest(more)


def test_name_and_version_come_from_the_metadata(tmp_path):
    make_metadata(tmp_path, "lm_eval", "0.4.13", METADATA="Name: LM.Eval\nVersion: 0.4.13+local\n\nName: body")

    assert installed([str(tmp_path)], {}).packages == (Package(name="LM.Eval", version="0.4.13+local"),)


@pytest.mark.parametrize("broken", ["", "no headers at all", "\x00\n", "Name\n"])
def test_a_package_with_broken_metadata_has_the_name_of_its_folder(tmp_path, broken):
    make_metadata(tmp_path, "tiny", "1.0", METADATA=broken, RECORD="\x00", direct_url_json="[")
    (package,) = installed([str(tmp_path)], {}).packages

    assert (package.name, package.version) == ("tiny", "1.0")
    assert package.direct_url == {"unknown": "`direct_url.json` cannot be read"}


def test_old_kinds_of_metadata_are_read(tmp_path):
    (tmp_path / "flat-2.0-py3.11.egg-info").write_text("Name: flat\nVersion: 2.0\n")
    (tmp_path / "egg-3.0-py3.11.egg" / "EGG-INFO").mkdir(parents=True)
    (tmp_path / "bare-4.0-py3.11.egg-info").mkdir()
    found = installed([str(tmp_path), str(tmp_path / "egg-3.0-py3.11.egg")], {})

    assert [(each.name, each.version) for each in found.packages] == [("bare", "4.0"), ("egg", "3.0"), ("flat", "2.0")]


def test_the_first_on_the_path_counts_and_the_other_is_told(tmp_path):
    make_metadata(tmp_path / "one", "tiny", "1.0")
    make_metadata(tmp_path / "two", "Tiny", "2.0")
    found = installed([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "one")], {})

    assert [each.version for each in found.packages] == ["1.0"]
    assert found.missing == (f"`tiny` is there twice: 1.0 counts, 2.0 in `{tmp_path / 'two'}` does not",)


def test_an_editable_install_is_one_even_beside_its_checkout(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "mine.egg-info").mkdir(parents=True)
    (checkout / "mine.egg-info" / "PKG-INFO").write_text("Name: mine\nVersion: 0.1\n")
    origin = f'{{"url": "file://{checkout}", "dir_info": {{"editable": true}}}}'
    make_metadata(tmp_path / "site", "mine", "0.2", direct_url_json=origin, RECORD="__editable__.mine.pth,,\n")
    (package,) = installed([str(checkout), str(tmp_path / "site")], {}).packages

    assert package.editable
    assert package.version == "0.2"
    assert package.direct_url == {"url": f"file://{checkout}", "dir_info": {"editable": True}}
    assert package.record_digest is None


def test_what_changed_since_the_evaluation_began_is_told(tmp_path):
    make_metadata(tmp_path, "new", "1.0")
    found = installed([str(tmp_path)], {str(tmp_path): ["old-1.0.dist-info"]})

    assert [each.name for each in found.packages] == ["new"]
    assert found.missing == (
        f"`old-1.0.dist-info` was in `{tmp_path}` when the evaluation began, and is no longer",
        f"`new-1.0.dist-info` was not yet in `{tmp_path}` when the evaluation began",
    )


def test_a_folder_that_is_out_of_reach_still_gives_names_and_versions(tmp_path):
    folder = str(tmp_path / "in-a-container")
    found = installed([folder], {folder: ["lm_eval-0.4.13.dist-info", "torch-2.13.0+cpu.dist-info"]})

    assert [(each.name, each.version) for each in found.packages] == [("lm_eval", "0.4.13"), ("torch", "2.13.0+cpu")]
    assert found.missing == (f"`{folder}` cannot be read from here: its packages have name and version only",)


@pytest.mark.parametrize(
    "origin", ['{"url": "http://[::1"}', '{"url": 1}', "[1]", "7", '{"dir_info": {}}', "[" * 100_000]
)
def test_a_strange_origin_can_be_written(tmp_path, origin):
    make_metadata(tmp_path, "a", "1", direct_url_json=origin)
    make_metadata(tmp_path, "b", "1", direct_url_json='{"url": "\\ud800"}')
    found = installed([str(tmp_path), "\0"], {})

    assert canonical.record(environment(*found.packages))
    assert found.packages[0].direct_url


def test_what_a_failed_uninstallation_left_is_no_package(tmp_path):
    make_metadata(tmp_path, "~umpy", "1.0", METADATA="Name: numpy\nVersion: 1.0\n")

    assert installed([str(tmp_path)], {str(tmp_path): ["~umpy-1.0.dist-info"]}) == installed([], {})


def test_a_package_of_the_operating_system_is_one(tmp_path, monkeypatch):
    system, own = tmp_path / "usr" / "lib" / "python3" / "dist-packages", tmp_path / "venv" / "site-packages"
    monkeypatch.setattr(packages, "SYSTEM", (str(tmp_path / "usr" / "lib"),))
    make_metadata(system, "apt", "2.6.0")
    make_metadata(own, "numpy", "2.0")
    found = installed([str(own), str(system)], {})

    assert {each.name: each.from_system for each in found.packages} == {"apt": True, "numpy": False}


def test_a_record_that_cannot_be_read_has_no_digest(tmp_path):
    assert record_digest(make_metadata(tmp_path, "a", "1", RECORD='"' + "x" * 200_000)) is None


def test_the_build_machine_of_conda_is_no_origin(tmp_path):
    make_metadata(tmp_path, "a", "1", INSTALLER="conda\n", direct_url_json='{"url": "file:///croot/a", "dir_info": {}}')

    assert installed([str(tmp_path)], {}).packages[0].direct_url is None


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://ada:secret@example.org/a.whl", "https://example.org/a.whl"),
        ("https://secret@example.org:8443/a.git", "https://example.org:8443/a.git"),
        ("ssh://git@example.org/a.git", "ssh://git@example.org/a.git"),
        ("https://git:secret@example.org/a.git", "https://example.org/a.git"),
        ("https://example.org/a.whl?sig=secret#sha256=0", "https://example.org/a.whl#sha256=0"),
        ("file:///home/ada/a", "file:///home/ada/a"),
    ],
)
def test_an_address_lets_nobody_in(address, clean):
    assert without_credentials(address) == clean


def test_credentials_of_an_origin_are_not_kept(tmp_path):
    make_metadata(
        tmp_path, "a", "1", direct_url_json='{"url": "https://u:hunter2@example.org/a", "vcs_info": {"vcs": "git"}}'
    )
    (package,) = installed([str(tmp_path)], {}).packages

    assert package.direct_url == {"url": "https://example.org/a", "vcs_info": {"vcs": "git"}}


def environment(*packages):
    return Environment(learnt_from="probe", packages=list(packages))


def test_the_lock_pins_what_an_index_has_and_says_why_for_the_rest():
    written = lock(
        environment(
            Package(name="torch", version="2.13.0+cpu"),
            Package(name="LM.Eval_Harness", version="0.4.13"),
            Package(name="my-evals", version="0.1", editable=True, direct_url={"dir_info": {"editable": True}}),
            Package(name="fork", version="1", direct_url={"url": "u", "vcs_info": {"vcs": "git", "commit_id": "abc"}}),
            Package(name="file", version="1", direct_url={"url": "https://h/f.whl", "archive_info": {"hash": "x"}}),
            Package(name="folder", version="1", direct_url={"url": "file:///f", "dir_info": {}}),
            Package(name="apt", version="2.6.0", from_system=True),
            Package(name="strange", version="1", direct_url={"url": "x"}),
            Package(name="odd", version="1.0-final-really"),
        )
    ).decode()

    assert written.splitlines()[2:] == [
        "# apt 2.6.0 belongs to the operating system",
        "# file 1 is from a file or an address: see environment.json",
        "# folder 1 is from a folder: see environment.json",
        "# fork 1 is from git at abc: see environment.json",
        "lm-eval-harness==0.4.13",
        "# my-evals 0.1 is editable: see environment.json, and source/ if it was used",
        "# odd 1.0-final-really has no version that could be pinned",
        "# strange 1 is from elsewhere: see environment.json",
        "torch==2.13.0+cpu",
    ]
    assert "://" not in written


def test_the_lock_of_an_unknown_environment_says_so():
    unknown = Environment(learnt_from="nothing", packages=Unknown(unknown="captured from\nfinished outputs"))

    assert lock(unknown).decode().splitlines()[-1] == "# The packages are not known: captured from finished outputs"


some_packages = st.builds(
    Package,
    name=st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", fullmatch=True),
    version=st.sampled_from(["1.0", "2.13.0+cpu", "x y\nz"]),
    editable=st.booleans(),
)


@given(st.lists(some_packages, unique_by=lambda each: canonicalize_name(each.name)), st.randoms())
def test_the_lock_depends_on_nothing_but_the_packages(some, chance):
    shuffled = list(some)
    chance.shuffle(shuffled)
    written = lock(environment(*some))

    assert lock(environment(*shuffled)) == written
    for line in written.decode().splitlines():
        assert line.startswith("# ") or str(Requirement(line).specifier).startswith("==")
