"""One short question to a server that is healthy, away, overloaded, hostile, or no W&B server at all."""

import base64
import json
import socket
import threading
import time
from contextlib import contextmanager
from email.utils import format_datetime

import pytest

from reprokit import clock
from reprokit.errors import InputMissingError, RemoteError
from reprokit.mirrors.interface import AwayError, Destination
from reprokit.mirrors.wandb import probe as probing

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KEY = "local" + "k" * 40
VIEWER = {"data": {"viewer": {"id": "1", "username": "ada", "entity": "lab"}}}


class Server:
    """A socket that takes questions, keeps them, and answers with what it was given, piece by piece."""

    def __init__(self, pieces, pause=0.0):
        self.pieces, self.pause, self.heard = pieces, pause, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.answer(connection)

    def answer(self, connection):
        heard = b""
        connection.settimeout(5)
        try:
            while b"\r\n\r\n" not in heard:
                heard += connection.recv(65536)
            length = int(heard.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            while len(heard.partition(b"\r\n\r\n")[2]) < length:
                heard += connection.recv(65536)
            self.heard.append(heard)
            for piece in self.pieces:
                connection.sendall(piece)
                time.sleep(self.pause)
        except OSError:
            return


@contextmanager
def serving(body=b"", status="200 OK", headers="", pieces=None, pause=0.0):
    body = json.dumps(body).encode() if isinstance(body, dict | list) else body
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    server = Server([head + body] if pieces is None else pieces, pause)
    try:
        yield server
    finally:
        server.socket.close()


@pytest.fixture
def ask(tmp_path):
    """Give a function that probes an address."""

    def ask(address, patience=3.0, **environment):
        to = Destination(mirror="wandb", address=address)
        probing.probe(to, {"HOME": str(tmp_path), "WANDB_API_KEY": KEY, **environment}, patience=patience)

    return ask


def test_a_server_that_knows_the_key_is_asked_one_question(ask):
    with serving(VIEWER) as server:
        ask(server.address)
    (heard,) = server.heard
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /graphql ")
    assert base64.b64encode(f"api:{KEY}".encode()) in head
    assert "viewer" in json.loads(body)["query"]


def test_a_closed_door_is_away(ask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(AwayError, match="refused") as raised:
        ask(f"http://127.0.0.1:{port}")
    assert "reprokit sync" in raised.value.hint


def test_a_name_that_nobody_has_is_away(ask):
    with pytest.raises(AwayError):
        ask("http://nowhere.invalid", patience=20.0)


@pytest.mark.parametrize("status", ["500 X", "502 X", "503 X", "504 X", "429 X", "408 X"])
def test_an_overloaded_server_is_away(ask, status):
    with serving(status=status, headers="Retry-After: 7\r\n") as server, pytest.raises(AwayError) as raised:
        ask(server.address)
    assert raised.value.after == 7.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("-3", 0.0),
        ("1e9", 86400.0),
        ("soon", None),
        ("nan", None),
        ("", None),
        ("inf", None),
        ("Tue, 99 Foo", None),
    ],
)
def test_the_time_that_a_server_asks_for_is_taken_with_a_grain_of_salt(ask, said, seconds):
    with serving(status="429 X", headers=f"Retry-After: {said}\r\n") as server, pytest.raises(AwayError) as raised:
        ask(server.address)
    assert raised.value.after == seconds


def test_a_server_may_name_the_moment_instead(ask):
    import datetime as dt

    moment = format_datetime(clock.now() + dt.timedelta(seconds=60))
    with serving(status="503 X", headers=f"Retry-After: {moment}\r\n") as server, pytest.raises(AwayError) as raised:
        ask(server.address)
    assert 50 < raised.value.after <= 61


@pytest.mark.parametrize(
    ("status", "says"), [("401 X", "refuses the key"), ("403 X", "refuses the key"), ("404 X", "not as a W&B server")]
)
def test_a_refusal_needs_a_person(ask, status, says):
    with serving(status=status) as server, pytest.raises(RemoteError, match=says) as raised:
        ask(server.address)
    assert not isinstance(raised.value, AwayError)
    assert raised.value.hint


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b"null", {"data": None}, b"\xff", b"[" * 100_000, {"errors": [{"message": "x"}]}]
)
def test_what_answers_otherwise_is_no_such_server(ask, body):
    with serving(body) as server, pytest.raises(RemoteError, match="not as a W&B server") as raised:
        ask(server.address)
    assert not isinstance(raised.value, AwayError)


def test_a_key_that_belongs_to_nobody_is_told(ask):
    with serving({"data": {"viewer": None}}) as server, pytest.raises(RemoteError, match="does not know the key"):
        ask(server.address)


@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
def test_a_key_is_not_carried_to_another_host(ask, status):
    with (
        serving(VIEWER) as other,
        serving(status=status, headers=f"Location: {other.address}/graphql\r\n") as server,
        pytest.raises(RemoteError, match="another address"),
    ):
        ask(server.address)
    time.sleep(0.1)
    assert other.heard == []


@pytest.mark.parametrize(
    "pieces",
    [
        [b""],
        [bytes([each]) for each in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n" * 5],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100],
        [b"HTTP/1.1 200 OK\r\n", *[b"X-Header: x\r\n"] * 90],
    ],
)
def test_a_server_that_dribbles_is_not_waited_for(ask, pieces):
    began = time.monotonic()
    with serving(pieces=pieces, pause=0.3) as server, pytest.raises(AwayError):
        ask(server.address, patience=1.0)
    assert time.monotonic() - began < 8.0


def test_an_endless_answer_is_not_read_to_its_end(ask):
    def endless():
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 65536

    with serving(pieces=endless()) as server, pytest.raises(RemoteError):
        ask(server.address, patience=20.0)


def test_a_proxy_is_used_and_left_out_as_the_environment_says(ask):
    with serving(VIEWER) as proxy:
        ask("http://wandb.invalid", HTTP_PROXY=proxy.address)
        assert proxy.heard[0].startswith(b"POST http://wandb.invalid/graphql ")
        with pytest.raises(AwayError):
            ask("http://wandb.invalid", patience=20.0, HTTP_PROXY=proxy.address, NO_PROXY="wandb.invalid")


def test_a_client_that_is_missing_or_too_old_is_told_first(ask, monkeypatch):
    monkeypatch.setattr(probing.metadata, "version", lambda _: "0.29.0")
    with pytest.raises(InputMissingError, match=r"0\.29\.0") as raised:
        ask("http://127.0.0.1:1")
    assert "'.[wandb]'" in raised.value.hint

    def missing(_):
        raise probing.metadata.PackageNotFoundError

    monkeypatch.setattr(probing.metadata, "version", missing)
    with pytest.raises(InputMissingError, match="not installed"):
        ask("http://127.0.0.1:1")


def test_without_a_key_nothing_is_asked(tmp_path):
    with serving(VIEWER) as server:
        to = Destination(mirror="wandb", address=server.address)
        with pytest.raises(InputMissingError):
            probing.probe(to, {"HOME": str(tmp_path)})
        assert server.heard == []
