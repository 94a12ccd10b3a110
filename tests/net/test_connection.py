"""A connection by itself, on a socket pair."""

import socket

from sockctl.net.connection import Connection


def test_a_client_is_admitted_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, ("192.0.2.7", 50_000), 1, portion=1024, send_s=30.0)
        admitted: list[Connection] = []
        connection.on_admitted = admitted.append
        assert not connection.admitted
        connection.admit()
        connection.admit()
        assert connection.admitted
        assert admitted == [connection]


def test_nobody_need_be_told_of_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, ("192.0.2.7", 50_000), 1, portion=1024, send_s=30.0)
        connection.admit()
        assert connection.admitted
