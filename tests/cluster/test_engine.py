"""Tests for `sockctl.cluster.engine` and `engine_errors`: what the user is told of an engine that can't be asked."""

import contextlib
import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess, EngineLogin
from sockctl.errors import (
    CertificateError,
    EngineAwayError,
    EngineError,
    EngineLoginError,
    EngineReplyError,
    EngineTimeoutError,
    EngineUntrustedError,
    NotAnEngineError,
    SockctlError,
)
from tests.support.engines import RedisServer, redis_server, scripted_engine, tls_settings
from tests.support.running import free_port
from tests.support.tls import self_signed
from tests.support.wrong_servers import serving, silent


def fail(access: EngineAccess, *words: str) -> SockctlError:
    """Return the error of a request."""
    with contextlib.closing(Engine(access)) as engine, pytest.raises(SockctlError) as caught:
        engine.ask(*(words or ("PING",)))
    return caught.value


def test_requests_and_replies(engine: RedisServer) -> None:
    with contextlib.closing(Engine(engine.access())) as client:
        assert client.ask("PING") == b"PONG"
        ok, wrong, number = client.ask_all([("SET", "a", 1), ("LPUSH", "a", "b"), ("INCR", "a")])
        assert (ok, number) == (b"OK", 2)
        assert isinstance(wrong, EngineReplyError)
        assert wrong.code == "WRONGTYPE"
        client.close()
        assert client.ask("GET", "a") == b"2"  # over another connection


def test_nothing_listens() -> None:
    error = fail(EngineAccess(host="127.0.0.1", port=(port := free_port())))
    assert type(error) is EngineAwayError
    assert str(error).startswith(f"redis://127.0.0.1:{port} can't be reached: Connection refused.")


def test_a_host_that_is_not_there() -> None:
    error = fail(EngineAccess(host="nowhere.invalid"))
    assert type(error) is EngineAwayError
    assert "nowhere.invalid" in str(error)


def test_an_engine_that_does_not_answer() -> None:
    with serving(silent) as port:
        error = fail(EngineAccess(host="127.0.0.1", port=port, timeout_s=0.2))
        assert type(error) is EngineTimeoutError
        assert "did not answer within 0.2 s" in str(error)
        error = fail(EngineAccess(host="127.0.0.1", port=port, timeout_s=0.2, tls=True))
        assert type(error) is EngineTimeoutError
        assert "redis:// does without" in str(error)


def answering(data: bytes) -> Callable[[socket.socket], None]:
    """Return a server that answers all input with the same bytes, and ends."""

    def handle(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        silent(sock)

    return handle


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"sockctl/1 chat\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
)
def test_something_else_answers(data: bytes) -> None:
    with serving(answering(data)) as port:
        error = fail(EngineAccess(host="127.0.0.1", port=port))
    assert type(error) is NotAnEngineError
    assert str(error) == f"What answers at redis://127.0.0.1:{port} is neither Redis nor Valkey: see to host and port."


def test_an_engine_that_closes_is_asked_once() -> None:
    """The library would ask again by itself: a request that was carried out must not be carried out twice."""
    requests: list[str] = []
    with scripted_engine({"FCALL": b""}, requests=requests) as access:
        error = fail(access, "FCALL", "f", "0")
    assert type(error) is EngineAwayError
    assert "closed the connection" in str(error)
    assert "rediss://" in str(error)
    assert [one for one in requests if one.startswith("FCALL")] == ["FCALL f 0"]


REFUSALS = [
    ("PING", "NOAUTH Authentication required.", EngineLoginError),
    ("AUTH", "WRONGPASS invalid username-password pair or user is disabled.", EngineLoginError),
    ("AUTH", "ERR AUTH <password> called without any password configured for the default user", EngineLoginError),
    ("PING", "ERR max number of clients reached", EngineAwayError),
    ("AUTH", "DENIED Redis is running in protected mode because", EngineLoginError),
]
REPLIES = {
    "LOADING Redis is loading the dataset in memory": "LOADING",
    "MISCONF Redis is configured to save RDB snapshots": "MISCONF",
    "NOPERM User ann has no permissions to run the 'ping' command": "NOPERM",
    "DENIED Redis is running in protected mode because": "DENIED",
    "ERR DB index is out of range": "ERR",
}


@pytest.mark.parametrize(("word", "line", "kind"), REFUSALS)
def test_a_refusal_says_why(word: str, line: str, kind: type[EngineError]) -> None:
    login = EngineLogin(user="ann", password="grey walnut")
    with scripted_engine({word: f"-{line}\r\n".encode()}) as access:
        error = fail(dataclasses.replace(access, login=login))
    assert type(error) is kind
    assert "walnut" not in str(error)


@pytest.mark.parametrize(("line", "code"), REPLIES.items())
def test_an_error_reply_has_its_code(line: str, code: str) -> None:
    with scripted_engine({"PING": f"-{line}\r\n".encode()}) as access:
        error = fail(access)
    assert isinstance(error, EngineReplyError)
    assert error.code == code
    assert line.removeprefix(f"{code} ") in str(error)


@pytest.mark.parametrize(
    "detail", [" script: sockctl1_0a1b_hello, on @user_function:30.", ", with args beginning with: 'a' '\\n' "]
)
def test_an_error_reply_has_no_inner_detail(detail: str) -> None:
    with scripted_engine({"PING": f"-ERR it is odd{detail}\r\n".encode()}) as access:
        assert str(fail(access)) == "it is odd"


def test_a_password_of_its_own(engine: RedisServer) -> None:
    engine.ask("ACL", "SETUSER", "ann", "reset", "on", ">grey walnut", "+ping")
    with contextlib.closing(Engine(engine.access("ann", "grey walnut"))) as client:
        assert client.ask("PING") == b"PONG"
    assert isinstance(fail(engine.access("ann", "red walnut")), EngineLoginError)


def test_tls_with_its_authority(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with redis_server(tmp_path, *tls_settings(certificate, key, clients=False), plain=False) as server:
        with contextlib.closing(Engine(server.access(ca=certificate))) as engine:
            assert engine.ask("PING") == b"PONG"
        error = fail(server.access())
        assert type(error) is EngineUntrustedError
        assert "--engine-ca" in str(error)
        assert isinstance(fail(server.access(ca=certificate, tls=False)), EngineAwayError | NotAnEngineError)


def test_a_certificate_of_another_name(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, names="DNS:other.example")
    with redis_server(tmp_path, *tls_settings(certificate, key, clients=False), plain=False) as server:
        error = fail(server.access(ca=certificate))
    assert type(error) is EngineUntrustedError
    assert "localhost" in str(error)


def test_a_client_certificate(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    with redis_server(tmp_path, *tls_settings(certificate, key), plain=False) as server:
        access = server.access(ca=certificate, certificate=certificate, key=key)
        with contextlib.closing(Engine(access)) as engine:
            assert engine.ask("PING") == b"PONG"
        error = fail(server.access(ca=certificate))
        assert isinstance(error, EngineLoginError | EngineAwayError)  # its alert may come behind the end
        assert "--engine-cert" in str(error)


def test_tls_where_there_is_none() -> None:
    with serving(answering(b"-ERR unknown command\r\n")) as port:
        error = fail(EngineAccess(host="127.0.0.1", port=port, tls=True))
    assert type(error) is NotAnEngineError
    assert "redis:// talks" in str(error)


def test_files_that_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"--engine-ca .*missing can't be used: No such file"):
        Engine(EngineAccess(host="a", tls=True, ca=tmp_path / "missing"))
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(CertificateError, match=r"--engine-cert .*junk can't be used"):
        Engine(EngineAccess(host="a", tls=True, certificate=tmp_path / "junk"))
