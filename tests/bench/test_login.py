"""Clients that log in, again and again."""

import socket
from pathlib import Path
from typing import Any

import pytest

from sockctl.bench.plan import Kind
from sockctl.events.base import Level
from tests.support.accounts import PASSWORD
from tests.support.bench import measured
from tests.support.bench_servers import auth
from tests.support.frames import framed
from tests.support.running import CLOSED_PORT, receive_exactly, running
from tests.support.wrong_servers import serving


@pytest.mark.parametrize(
    ("processes", "values"),
    [
        (1, {"count": 20, "duration_s": None, "user": "user{}"}),
        (2, {"user": "user{}", "count": 9, "duration_s": 5.0, "warm_up_s": 0.1}),
        (1, {"user": "ann", "rate": 30.0, "clients": 2}),
        (1, {"user": "ann", "rate": 1_000.0, "clients": 1, "count": 10}),
    ],
)
def test_all_are_let_in_by_ours(tmp_path: Path, processes: int, values: dict[str, Any]) -> None:
    with running(auth(tmp_path), level=Level.WARNING) as run:
        stats = measured(run.port, Kind.LOGIN, processes=processes, password=PASSWORD, **values)
    assert not stats.errors
    assert stats.answered == stats.sent == stats.expected > 0
    assert "count" not in values or stats.sent == values["count"]
    assert stats.bytes == 0


def test_refusals_are_counted_by_code(tmp_path: Path) -> None:
    with running(auth(tmp_path), level=Level.WARNING) as run:
        stats = measured(run.port, Kind.LOGIN, user="ann", password="wrong", count=8, duration_s=None, clients=2)
    assert set(stats.errors) <= {"login_failed", "throttled"}
    assert stats.errors.total() == stats.lost == 8


def test_a_password_that_can_not_be_sent(tmp_path: Path) -> None:
    with running(auth(tmp_path), level=Level.WARNING) as run:
        stats = measured(run.port, Kind.LOGIN, user="ann", password="x" * 70_000, count=1, clients=1)
    assert stats.errors == {"unsendable": 1}


def test_nobody_there_is_not_stormed() -> None:
    stats = measured(CLOSED_PORT, Kind.LOGIN, user="ann", password=PASSWORD, clients=1, duration_s=0.35)
    assert stats.errors["not_connected"] == stats.lost <= 5


def test_a_server_that_does_not_go_on() -> None:
    def handle(sock: socket.socket) -> None:
        sock.sendall(b"sockctl/1 auth\r\n")
        receive_exactly(sock, 1_000_000)

    with serving(handle) as port:
        stats = measured(
            port, Kind.LOGIN, user="ann", password=PASSWORD, timeout_s=0.3, count=4, clients=4, duration_s=None
        )
    assert stats.errors == {"no_answer": 4}


def test_a_server_that_asks_for_no_password() -> None:
    def handle(sock: socket.socket) -> None:
        sock.sendall(b"sockctl/1 identify\r\n")
        receive_exactly(sock, 8)
        sock.sendall(framed(kind="welcome", text="Hello!"))
        sock.recv(1)

    with serving(handle) as port:
        stats = measured(port, Kind.LOGIN, user="ann", password=PASSWORD, count=2, clients=2, duration_s=None)
    assert stats.errors == {"no_password": 2}
    assert stats.answered == 0


def test_a_server_that_is_of_another_kind() -> None:
    def handle(sock: socket.socket) -> None:
        sock.sendall(b"sockctl/1 chat\r\n")
        receive_exactly(sock, 8)
        sock.sendall(b'\0\0\0\x10{"kind":"bye"  }')
        sock.recv(1)

    with serving(handle) as port:
        stats = measured(port, Kind.LOGIN, user="ann", password=PASSWORD, count=2, clients=2, duration_s=None)
    assert stats.errors == {"closed": 2}
