"""Asking over HTTP: the hub and Software Heritage, and servers that are slow, away, garrulous or up to something."""

import json
import time

import pytest

from reprokit.audit.asking import hub, web
from reprokit.audit.asking.heard import Presence, Silence
from reprokit.audit.asking.web import Page, Question

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

COMMIT = "5f91d94bd9cd7190a9f3216ff93cd1dd95f2c7be"
MODEL = f"/api/models/toy-org/tiny/revision/{COMMIT}"
TOKEN = "hf_" + "a" * 34


def ask(address, timeout=10.0, **how):
    return web.ask(Question(address=address, **how), {}, timeout)


def hub_at(site, **variables):
    environ = {"HF_ENDPOINT": site.address, **variables}
    return hub.hugging_face(environ, lambda question: web.ask(question, environ, 10.0))


def heritage_at(site):
    environ = {"REPROKIT_SOFTWARE_HERITAGE": site.address}
    return hub.software_heritage(environ, lambda question: web.ask(question, environ, 10.0))


def found(sha=COMMIT):
    return json.dumps({"id": "toy-org/tiny", "sha": sha}).encode()


def test_a_revision_that_the_hub_serves_is_there(site):
    site.page(MODEL, found())
    assert hub_at(site).serves("model", "toy-org/tiny", COMMIT) == Presence(there=True)


def test_a_revision_that_the_hub_no_longer_has_is_gone(site):
    assert hub_at(site).serves("dataset", "toy-org/tiny", COMMIT) == Presence(there=False)
    assert site.paths == [f"/api/datasets/toy-org/tiny/revision/{COMMIT}"]


@pytest.mark.parametrize("status", [401, 403, 500, 418])
def test_any_other_answer_of_the_hub_is_not_known_with_its_status(site, status):
    site.page(MODEL, b"", status=status)
    answer = hub_at(site).serves("model", "toy-org/tiny", COMMIT)
    assert isinstance(answer, Silence)
    assert str(status) in answer.because


@pytest.mark.parametrize("body", [b"<html>log in to the hotel</html>", b"[]", found("6" * 40), b"[" * 100_000])
def test_an_answer_that_does_not_name_the_commit_is_not_believed(site, body):
    site.page(MODEL, body)
    answer = hub_at(site).serves("model", "toy-org/tiny", COMMIT)
    assert isinstance(answer, Silence)
    assert "does not say at which commit" in answer.because


def test_a_model_that_was_renamed_is_found_under_its_new_name(site):
    site.page(MODEL, status=307, Location=f"/api/models/new-org/tiny/revision/{COMMIT}")
    site.page(f"/api/models/new-org/tiny/revision/{COMMIT}", found())
    assert hub_at(site).serves("model", "toy-org/tiny", COMMIT) == Presence(there=True)


def test_a_token_is_shown_to_the_person_s_hub(site):
    site.page(MODEL, found())
    hub_at(site, HF_TOKEN=TOKEN).serves("model", "toy-org/tiny", COMMIT)
    hub_at(site).serves("model", "toy-org/tiny", COMMIT)
    assert [headers.get("Authorization") for *_, headers in site.asked] == [f"Bearer {TOKEN}", None]


def test_nobody_is_followed_to_another_server(site, other_site):
    site.page(MODEL, status=302, Location=f"{other_site.address}{MODEL}")
    other_site.page(MODEL, found())
    answer = hub_at(site, HF_TOKEN=TOKEN).serves("model", "toy-org/tiny", COMMIT)
    assert isinstance(answer, Silence)
    assert "sends on (302) to where nobody is asked" in answer.because
    assert other_site.asked == []


def test_a_token_does_not_come_along_to_another_server_over_https(monkeypatch):
    follow = web._NearRedirects()
    request = web.urllib.request.Request("https://hub.invalid/x", headers={"Authorization": "Bearer x", "Accept": "y"})
    there = follow.redirect_request(request, None, 302, "", {}, "https://elsewhere.invalid/x")
    here = follow.redirect_request(request, None, 302, "", {}, "https://hub.invalid:443/y")
    assert (there.has_header("Authorization"), there.has_header("Accept")) == (False, True)
    assert here.has_header("Authorization")
    assert follow.redirect_request(request, None, 302, "", {}, "http://hub.invalid/x") is None


def test_an_answer_without_end_is_not_read_to_its_end(site):
    def flood(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"x" * 65536)

    site.pages["/"] = flood
    assert ask(f"{site.address}/", most=100_000) == Silence(
        because=f"the answer of `{web.host(site.address)}` is larger than 100000 bytes"
    )


def test_an_answer_that_was_cut_short_is_none(site):
    def stop(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    site.pages["/"] = stop
    answer = ask(f"{site.address}/")
    assert isinstance(answer, Silence)


def test_a_server_that_drips_is_left_in_time(site):
    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)

    site.pages["/"] = drip
    answer = ask(f"{site.address}/", timeout=0.3)
    assert answer == Silence(because=f"`{web.host(site.address)}` did not answer within 0.3 s", mute=True)


def test_a_server_that_is_away_is_mute(site):
    answer = ask("http://127.0.0.1:9/")
    assert answer == Silence(because="`127.0.0.1:9` did not answer: nobody listens there", mute=True)


def test_a_server_that_has_too_much_to_do_is_left_alone(site):
    site.page("/", status=429)
    answer = ask(f"{site.address}/")
    assert isinstance(answer, Silence)
    assert answer.mute


def test_who_asks_says_so_and_gets_the_page(site):
    site.page("/x", b"{}", kind="text/plain; charset=x")
    address = f"{site.address}/x"
    assert ask(address) == Page(status=200, kind="text/plain", data=b"{}", address=address)
    assert site.asked[0][2]["User-Agent"].startswith("reprokit")


@pytest.mark.parametrize("held", [True, False])
def test_software_heritage_tells_whether_it_holds_a_commit(site, held):
    site.page("/api/1/known/", json.dumps({f"swh:1:rev:{COMMIT}": {"known": held}}).encode())
    assert heritage_at(site).knows(COMMIT) == Presence(there=held)
    assert site.asked[0][0] == "POST"


@pytest.mark.parametrize("body", [b"nonsense", b"{}", b'{"swh:1:rev:%s": {"known": "yes"}}' % COMMIT.encode()])
def test_an_answer_of_another_kind_leaves_it_open(site, body):
    site.page("/api/1/known/", body)
    assert isinstance(heritage_at(site).knows(COMMIT), Silence)


def test_software_heritage_is_not_asked_for_what_it_cannot_name(site):
    assert heritage_at(site).knows("a" * 64) == Silence(because="Software Heritage names commits by SHA-1 only")
    assert site.asked == []
