"""Asking where packages come from: JSON, pages of links, folders; and which places the person's settings name."""

import hashlib
import json

import pytest

from reprokit.audit.asking import index, listing, web
from reprokit.audit.asking.heard import Listing, ServedFile, Silence

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

D = "d" * 64
E = "e" * 64
WHEEL = "toy-1.0-py3-none-any.whl"
SOURCE = "toy-1.0.tar.gz"


def places(**environ):
    given = {"PATH": "/nonexistent", "HOME": "/nonexistent", **environ}
    return index.places(given, lambda question: web.ask(question, given, 10.0), timeout=10.0)


def named(**environ):
    found = places(**environ)
    return [(type(each).__name__, each.address) for each in found.found]


def of_json(*files, version="1.1"):
    return json.dumps({"meta": {"api-version": version}, "name": "toy", "files": list(files)}).encode()


def file(name, digest=D, **more):
    return {"filename": name, "url": name, "hashes": {"sha256": digest} if digest else {}, **more}


def test_files_are_read_from_json(site):
    listed = of_json(file(WHEEL), file(SOURCE, E, yanked="broken"), file("toy-2.0.tar.gz", None, yanked=True))
    site.page("/simple/toy/", listed, kind=listing.JSON)
    (place,) = places(UV_DEFAULT_INDEX=f"{site.address}/simple/").found
    assert place.files("toy") == Listing(
        files=[
            ServedFile(name=WHEEL, digest=f"sha256:{D}"),
            ServedFile(name=SOURCE, digest=f"sha256:{E}", yanked="broken"),
            ServedFile(name="toy-2.0.tar.gz", yanked=""),
        ]
    )
    assert listing.JSON in site.asked[0][2]["Accept"]


def test_files_are_read_from_a_page_of_links(site):
    page = (
        f'<!DOCTYPE html><html><body><a href="../../f/{WHEEL}#sha256={D}">x</a><br>'
        f'<a href="https://files.invalid/{SOURCE}#md5=1&amp;sha256={E}" data-yanked="it&#39;s&#10;broken">x</a>'
        '<a href="toy-1.0%2Bcpu-py3-none-any.whl#sha256=short" data-yanked>x</a><a>none</a><a href="http://[">x</a></body>'
    )
    site.page("/simple/toy/", page.encode(), kind="text/html")
    (place,) = places(UV_DEFAULT_INDEX=f"{site.address}/simple").found
    assert place.files("toy").files == [
        ServedFile(name=WHEEL, digest=f"sha256:{D}"),
        ServedFile(name=SOURCE, digest=f"sha256:{E}", yanked="it's broken"),
        ServedFile(name="toy-1.0+cpu-py3-none-any.whl", yanked=""),
    ]


def test_a_package_that_an_index_does_not_know_has_no_files(site):
    (place,) = places(UV_DEFAULT_INDEX=site.address).found
    assert place.files("toy") == Listing()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"garbage", listing.JSON),
        (b"[" * 100_000, listing.JSON),
        (of_json(version="2.0"), listing.JSON),
        (b'{"files": []}', listing.JSON),
        (b"no such package", "text/html"),
        (b"<html></html>", "application/octet-stream"),
    ],
)
def test_what_is_no_list_is_not_taken_for_an_empty_one(site, body, kind):
    site.page("/toy/", body, kind=kind)
    (place,) = places(UV_DEFAULT_INDEX=site.address).found
    assert place.files("toy") == Silence(because=f"the answer of `{web.host(site.address)}` is no list of files")


def test_entries_that_are_none_are_passed_over(site):
    site.page("/toy/", of_json(1, {"filename": 2}, {"filename": "x"}, file(WHEEL, "D" * 64)), kind=listing.JSON)
    (place,) = places(UV_DEFAULT_INDEX=site.address).found
    assert place.files("toy").files == [ServedFile(name=WHEEL)]


@pytest.fixture
def no_index(tmp_path):
    """Give the variables of a person whose settings of uv say that there is no index."""
    settings = tmp_path / "no-index.toml"
    settings.write_text("no-index = true\n")
    return {"UV_CONFIG_FILE": str(settings)}


def test_a_folder_of_files_is_read_for_their_digests(tmp_path, no_index):
    (tmp_path / "Toy-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (tmp_path / "toybox-1.0-py3-none-any.whl").write_bytes(b"other")
    (tmp_path / "toy-notes.txt").write_text("no package")
    (place,) = places(UV_FIND_LINKS=str(tmp_path), **no_index).found
    digest = "sha256:" + hashlib.sha256(b"wheel").hexdigest()
    assert place.files("toy").files == [ServedFile(name="Toy-1.0-py3-none-any.whl", digest=digest)]


def test_an_index_on_a_disk_is_read_as_one(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "index.html").write_text(f'<a href="{WHEEL}#sha256={D}">x</a>')
    (place,) = places(UV_DEFAULT_INDEX=f"file://{tmp_path}").found
    assert place.files("toy").files == [ServedFile(name=WHEEL, digest=f"sha256:{D}")]
    assert place.files("other") == Listing()


def test_a_folder_that_is_not_there_is_not_known(tmp_path):
    (place,) = places(UV_DEFAULT_INDEX=f"file://{tmp_path}/gone").found
    assert isinstance(place.files("toy"), Silence)


def test_the_person_s_variables_name_the_places():
    assert named(
        UV_DEFAULT_INDEX="main=https://main.invalid/simple",
        UV_INDEX="lab=https://ada:x@lab.invalid/simple https://more.invalid/simple",
        UV_FIND_LINKS="/srv/wheels,https://pages.invalid/links.html",
        PIP_INDEX_URL="https://pip.invalid/simple",
    ) == [
        ("OnTheWeb", "https://lab.invalid/simple"),
        ("OnTheWeb", "https://more.invalid/simple"),
        ("OnTheWeb", "https://main.invalid/simple"),
        ("InFolder", "/srv/wheels"),
        ("OnTheWeb", "https://pages.invalid/links.html"),
    ]


def test_pip_s_variables_count_where_uv_s_name_no_index():
    assert named(
        PIP_INDEX_URL="https://pip.invalid/simple",
        PIP_EXTRA_INDEX_URL="https://lab.invalid/simple",
        PIP_FIND_LINKS="/srv/a /srv/b",
    ) == [
        ("OnTheWeb", "https://lab.invalid/simple"),
        ("OnTheWeb", "https://pip.invalid/simple"),
        ("InFolder", "/srv/a"),
        ("InFolder", "/srv/b"),
    ]


def test_uv_s_settings_of_the_person_count(tmp_path):
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv/uv.toml").write_text(
        'find-links = ["/srv/wheels"]\n[[index]]\nurl = "https://lab.invalid/simple"\n'
        '[[index]]\nurl = "https://main.invalid/simple"\ndefault = true\n'
    )
    expected = [
        ("OnTheWeb", "https://lab.invalid/simple"),
        ("OnTheWeb", "https://main.invalid/simple"),
        ("InFolder", "/srv/wheels"),
    ]
    assert named(XDG_CONFIG_HOME=str(tmp_path)) == expected


def test_without_any_name_uv_is_asked_which_index_it_uses(tmp_path):
    program = tmp_path / "uv"
    help_of_uv = (
        "  --default-index <DEFAULT_INDEX>\\n   The default (by default:\\n   <https://usual.invalid/simple>) [env]"
    )
    program.write_text(f"#!/bin/sh\nprintf '{help_of_uv}'\n")
    program.chmod(0o755)
    assert named(PATH=f"{tmp_path}:/usr/bin:/bin") == [("OnTheWeb", "https://usual.invalid/simple")]


def test_the_real_uv_tells_which_index_it_uses():
    (place,) = places().found
    assert place.address.startswith("https://")
    assert place.address.endswith("/simple")


def test_when_nobody_knows_an_index_that_is_said(tmp_path):
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\nexit 2\n")
    program.chmod(0o755)
    found = places(PATH=f"{tmp_path}:/usr/bin:/bin")
    assert found.found == ()
    assert found.missing == "no index is configured: no variable names one, and uv does not say which it uses"


def test_no_index_means_none_and_links_still_count(no_index):
    missing = places(UV_DEFAULT_INDEX="https://main.invalid", **no_index).missing
    assert missing == "no index is configured: uv's settings say `no-index`"
    assert named(UV_FIND_LINKS="/srv/a", UV_DEFAULT_INDEX="https://x.invalid", **no_index) == [("InFolder", "/srv/a")]


def test_a_password_is_for_the_one_place_only():
    lab, main = places(UV_INDEX="https://ada:s%40x@lab.invalid/", UV_DEFAULT_INDEX="https://main.invalid/").found
    assert (lab.secret, main.secret) == ("Basic YWRhOnNAeA==", None)
    assert "YWRhOnNAeA" not in repr(lab)


def test_several_places_are_one_release(ask_with, site, tmp_path):
    (tmp_path / WHEEL).write_bytes(b"wheel")
    site.page(
        "/simple/toy/", of_json(file(SOURCE), file("toy-1.1.tar.gz"), file("toy_more-1.0.zip")), kind=listing.JSON
    )
    asking = ask_with(UV_DEFAULT_INDEX=f"{site.address}/simple", UV_FIND_LINKS=str(tmp_path))
    release = asking.release("toy", "1.0.0")
    assert sorted(each.name for each in release.files) == [WHEEL, SOURCE]
    assert (release.known, release.silent, release.as_of) == (True, (), "")


def test_an_index_is_asked_for_a_package_once(ask_with, site):
    site.page("/simple/toy/", of_json(file(SOURCE), file("toy-1.1.tar.gz")), kind=listing.JSON)
    asking = ask_with(UV_DEFAULT_INDEX=f"{site.address}/simple")
    assert [len(asking.release("toy", each).files) for each in ("1.0", "1.1", "1.0", "2.0")] == [1, 1, 1, 0]
    assert site.paths == ["/simple/toy/"]


def test_a_page_for_many_packages_is_asked_for_once(ask_with, site, no_index):
    links = f'<a href="{WHEEL}#sha256={D}">x</a><a href="other-1.0.tar.gz#sha256={E}">x</a>'
    site.page("/links.html", links.encode(), kind="text/html")
    asking = ask_with(**no_index, UV_FIND_LINKS=f"{site.address}/links.html")
    assert [each.digest for each in asking.release("toy", "1.0").files] == [f"sha256:{D}"]
    assert [each.digest for each in asking.release("other", "1.0").files] == [f"sha256:{E}"]
    assert asking.release("third", "1.0").known is False
    assert site.paths == ["/links.html"]


def test_a_place_that_is_silent_is_told_beside_what_others_serve(ask_with, site):
    site.page("/simple/toy/", of_json(file(SOURCE)), kind=listing.JSON)
    asking = ask_with(UV_DEFAULT_INDEX=f"{site.address}/simple", UV_INDEX="http://127.0.0.1:9/simple")
    release = asking.release("toy", "1.0")
    assert [each.name for each in release.files] == [SOURCE]
    assert release.silent == ("`127.0.0.1:9` did not answer: nobody listens there",)


def test_offline_folders_are_looked_into_all_the_same(ask_with, tmp_path):
    (tmp_path / WHEEL).write_bytes(b"wheel")
    environ = {"UV_DEFAULT_INDEX": "https://main.invalid/simple", "UV_FIND_LINKS": str(tmp_path)}
    release = ask_with(offline=True, **environ).release("toy", "1.0")
    assert [each.name for each in release.files] == [WHEEL]
    assert release.silent == ("asked nobody: `--offline`",)
