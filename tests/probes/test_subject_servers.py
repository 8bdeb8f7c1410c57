"""Asking servers: real ones on this machine, some of them hostile."""

import http.server
import json
import threading
import time
from contextlib import contextmanager

import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import ServedModel
from reprokit.bundle.values import Unknown
from reprokit.probes.subject.asking import MOST_BYTES, addresses, endpoint, forbidden, is_near
from reprokit.probes.subject.clues import Limits
from reprokit.probes.subject.servers import answered, ask, seen_to_use

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

LIMITS = Limits(seconds_asking=8, seconds_each=4)
BRIEF = Limits(seconds_asking=1.0, seconds_each=0.5)
VLLM = {"object": "list", "data": [{"id": "toy", "root": "toy-org/tiny", "max_model_len": 64, "owned_by": "vllm"}]}


@contextmanager
def server(respond):
    """Run a server; `respond` is given the handler, or is a table of paths and their JSON."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, dict(self.headers)))
            if callable(respond):
                respond(self)
            elif self.path in respond:
                self.answer(200, json.dumps(respond[self.path]).encode())
            else:
                self.answer(404, b"{}")

        def answer(self, status, data, **headers):
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass  # the other side hung up, as it should

    running = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}", asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def told(address, limits=LIMITS, used=None):
    return ask(endpoint(address), "argv", used=used, limits=limits)


def test_vllm_tells_its_models_and_its_version():
    with server({"/v1/models": VLLM, "/version": {"version": "0.11.0"}}) as (base, asked):
        record = told(f"{base}/v1/completions").record

    assert record.models == [ServedModel(name="toy", root="toy-org/tiny", longest=64)]
    assert (record.software, record.version) == ("vllm", "0.11.0")
    assert record.endpoint == f"{base}/v1/completions"
    assert record.asked.endswith("Z")
    assert [path for path, _ in asked] == ["/v1/models", "/version"]


def test_what_only_looks_like_vllm_is_not_called_so():
    with server({"/v1/models": {"data": [{"id": "m", "owned_by": "me"}]}, "/version": {"version": "2"}}) as (base, _):
        record = told(base).record

    assert (record.software, record.version) == (None, "2")


def test_tgi_tells_the_commit_of_its_model():
    info = {"model_id": "toy-org/tiny", "model_sha": "a" * 40, "version": "3.3", "hf_token": "hf_secret"}
    with server({"/info": info}) as (base, _):
        found = told(f"{base}/v1/chat/completions")

    assert (found.record.software, found.record.version, found.revision) == ("tgi", "3.3", "a" * 40)
    assert "hf_secret" not in repr(found)
    assert isinstance(found.record.models, Unknown)
    assert answered(found.record)


def test_of_sglang_s_settings_the_key_is_not_kept():
    settings = {"model_path": "toy-org/tiny", "version": "0.5", "api_key": "sk-very-secret", "tp_size": 2}
    with server({"/v1/models": VLLM, "/get_server_info": settings}) as (base, _):
        record = told(base).record

    assert record.facts == {"model_path": "toy-org/tiny", "tp_size": 2}
    assert "secret" not in repr(record)


def test_llama_cpp_tells_its_chat_template():
    with server({"/props": {"build_info": "b1", "chat_template": "{{ m }}"}}) as (base, _):
        found = told(base)

    assert (found.record.software, found.record.version) == ("llama.cpp", "b1")
    assert [(each.kind, each.learnt_from, each.size) for each in found.texts] == [("chat template", "server", 7)]


def test_nobody_is_given_credentials_and_none_are_kept():
    with server({"/v1/models": VLLM}) as (base, asked):
        port = base.rpartition(":")[2]
        record = told(f"http://ada:pass-word@127.0.0.1:{port}/v1?key=abc#f").record

    assert record.endpoint == f"http://127.0.0.1:{port}/v1"
    assert not [headers for _, headers in asked if "Authorization" in headers]
    assert all("key" not in path for path, _ in asked)


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (lambda handler: handler.answer(302, b"", Location="http://127.0.0.1:9/x"), "redirect"),
        (lambda handler: handler.answer(401, b"{}"), "wants credentials"),
        (lambda handler: handler.answer(200, b"{]"), "is no JSON"),
        (lambda handler: handler.answer(200, b"[" * 100_000), "is no JSON"),
        (lambda handler: handler.answer(200, b" " * (MOST_BYTES + 1)), "larger than"),
        (lambda handler: handler.answer(200, b'"\\ud800"'), "no list of models"),
        (lambda handler: handler.answer(200, b'{"data": 3}'), "no list of models"),
        (lambda handler: handler.wfile.write(b"\0\1\2 nonsense\r\n\r\n"), "no HTTP"),
        (lambda handler: handler.answer(500, b""), "status 500"),
        (lambda handler: handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n3"), "cut short"),
    ],
)
def test_a_hostile_answer_is_an_unknown_with_its_reason(respond, reason):
    with server(respond) as (base, _):
        record = told(base).record

    assert reason in record.models.unknown
    assert not answered(record)


def test_a_key_before_the_models_does_not_hide_the_version():
    def respond(handler):
        if handler.path == "/version":
            handler.answer(200, b'{"version": "0.11.0"}')
        else:
            handler.answer(401, b"{}")

    with server(respond) as (base, _):
        record = told(base).record

    assert record.version == "0.11.0"
    assert "wants credentials" in record.models.unknown


@pytest.mark.parametrize("drip", [False, True])
def test_a_server_that_hangs_or_drips_costs_no_more_than_its_time(drip):
    over = threading.Event()

    def respond(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" if drip else b"HTTP")
        while not over.wait(0.05):
            if drip:
                handler.wfile.write(b" ")
                handler.wfile.flush()

    with server(respond) as (base, asked):
        began = time.monotonic()
        record = told(base, BRIEF).record
        took = time.monotonic() - began
        over.set()

    assert took < 5
    assert len(asked) == 1
    assert not answered(record)


def test_a_server_without_a_certificate_is_not_spoken_to_as_if_it_had_one():
    with server({"/v1/models": VLLM}) as (base, asked):
        record = told(base.replace("http:", "https:")).record

    assert "no trusted connection" in record.models.unknown
    assert asked == []


def test_where_nobody_listens_is_said():
    with server({}) as (base, _):
        pass
    record = told(base).record

    assert record.models == Unknown(unknown="nobody listens there")
    assert record.version == Unknown(unknown="nobody listens there")


@pytest.mark.parametrize(
    ("address", "used", "reason"),
    [
        ("http://203.0.113.7:80/v1", None, "nobody could see whether the run used it"),
        ("http://203.0.113.7:80/v1", False, "the run was not seen to use it"),
        ("http://169.254.169.254/latest", True, "nobody is asked"),
        ("http://[fe80::1]:80", True, "nobody is asked"),
        ("http://[::ffff:169.254.169.254]:80", True, "nobody is asked"),
    ],
)
def test_some_servers_are_not_asked_and_the_record_says_why(address, used, reason):
    record = told(address, used=used).record

    assert reason in record.asked.unknown
    assert record.models == record.version == record.asked


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("8.8.8.8", False),
        ("0.0.0.0", True),
        ("169.254.169.254", False),
        ("::1", True),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_near_is_this_machine_or_a_private_network(address, near):
    import ipaddress

    assert is_near(ipaddress.ip_address(address)) is near
    assert not (near and forbidden(ipaddress.ip_address(address)))


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://h/",
        "http://",
        "",
        "http://h:99999/",
        "http://h:x/",
        "h:80",
        "http://é.example/",
        "http://h/a\r\nX: y",
    ],
)
def test_what_is_no_address_of_the_web_is_none(address):
    found = endpoint(address)

    assert found is None or "\n" not in found.address


def test_a_name_that_is_none_is_said_in_time():
    assert isinstance(addresses(endpoint("http://nowhere.invalid/"), 2.0), Unknown)


@pytest.mark.parametrize(
    ("learnt_from", "hosts", "lookups", "expected"),
    [
        ("probe", ["127.0.0.1:80"], [], True),
        ("probe", [], ["localhost:80"], True),
        ("probe", ["127.0.0.1:81"], ["otherhost:80"], False),
        ("command", [], [], None),
    ],
)
def test_use_is_seen_in_hosts_and_lookups(learnt_from, hosts, lookups, expected):
    seen = Environment(learnt_from=learnt_from, packages=[], hosts=hosts, lookups=lookups)

    assert seen_to_use(endpoint("http://localhost/v1"), seen) is expected
