"""A connection by itself, on a socket pair."""

from sockctl.net.connection import Connection
from tests.support.connections import connected


def test_a_client_is_admitted_once() -> None:
    with connected() as (connection, _):
        admitted: list[Connection] = []
        connection.on_admitted = admitted.append
        assert not connection.admitted
        connection.admit()
        connection.admit()
        assert connection.admitted
        assert admitted == [connection]


def test_nobody_need_be_told_of_it() -> None:
    with connected() as (connection, _):
        connection.admit()
        assert connection.admitted
