"""Tests for `sockctl.client.logout`: the states, against the server's end of a pair of sockets."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.client.logout import log_out
from sockctl.client.token_store import KeptToken, Login, TokenStore
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, NotToldError, SockctlError
from sockctl.net.address import Endpoint
from tests.support.frames import framed
from tests.support.played_server import read_frame
from tests.support.running import TIMEOUT_S

WELCOME, BYE = framed(kind="welcome", text=""), framed(kind="bye", text="", reason="logged_out")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture
def kept(tmp_path: Path) -> KeptToken:
    return keep(TokenStore(tmp_path), "auth")


def keep(store: TokenStore, service: str) -> KeptToken:
    place = Login.at("localhost", 9090, service)
    store.keep(place, token="tok", expires="2099-01-31T12:00:00Z", user="ann")
    (one,) = store.list_servers([Endpoint("localhost", 9090)])
    return one


@pytest.mark.parametrize(("service", "command"), [("auth", "logout"), ("chat", "/logout")])
def test_the_token_goes_first_and_the_command_after_the_welcome(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path, service: str, command: str
) -> None:
    near, far = pair
    far.settimeout(TIMEOUT_S)
    heard: list[object] = []

    def play() -> None:
        far.sendall(f"sockctl/1 {service}\r\n".encode())
        heard.extend([read_frame(far)["kind"], read_frame(far)["token"]])
        far.sendall(framed(kind="ask", text="Name?", field="name") + WELCOME)
        heard.append(read_frame(far)["text"])
        far.sendall(BYE)

    thread = threading.Thread(target=play)
    thread.start()
    log_out(near, keep(TokenStore(tmp_path), service), timeout_s=TIMEOUT_S)
    thread.join(TIMEOUT_S)
    assert heard == ["hello", "tok", command]


@pytest.mark.parametrize(
    ("words", "kind", "why"),
    [
        (b"sockctl/1 chat\r\n", NotToldError, "The service there is chat"),
        (b"sockctl/1 auth\r\n" + BYE, NotToldError, "something else than goodbye"),
        (b"sockctl/1 auth\r\n" + framed(kind="error", text="Who?", code="bad_token"), NotToldError, "doesn't know"),
        (b"sockctl/1 auth\r\n" + framed(kind="error", text="\x1b[2J", code="busy"), NotToldError, r": \[2J"),
        (b"sockctl/1 auth\r\n" + WELCOME + framed(kind="bye", text="", reason="kicked"), NotToldError, "than goodbye"),
        (b"sockctl/1 auth\r\n" + WELCOME, ConnectionBrokenError, "without a goodbye"),
    ],
)
def test_no_goodbye_is_told(
    pair: tuple[socket.socket, socket.socket], kept: KeptToken, words: bytes, kind: type[SockctlError], why: str
) -> None:
    near, far = pair
    far.sendall(words)
    far.shutdown(socket.SHUT_WR)
    with pytest.raises(kind, match=why) as caught:
        log_out(near, kept, timeout_s=TIMEOUT_S)
    assert str(caught.value).isprintable()


def test_a_silent_server_has_its_time(pair: tuple[socket.socket, socket.socket], kept: KeptToken) -> None:
    with pytest.raises(ConnectTimeoutError, match="within 0 s"):
        log_out(pair[0], kept, timeout_s=0.0)
