"""The status of a server: one line for it, and one for each connection."""

import socket
import sys

from sockctl.net.access_rules import AccessRules
from sockctl.net.limits import Limits
from sockctl.net.status import Status
from sockctl.services.echo import Echo
from tests.support.running import Running, receive_all, receive_exactly, running


def status_of(run: Running) -> Status:
    return Status(run.server, run.service, run.journal, {"name": "echo-1"})


def test_a_server_with_a_client() -> None:
    with running(Echo()) as run, run.client() as sock:
        sock.sendall(b"hello")
        receive_exactly(sock, 5)
        run.sink.wait_for("data_sent")
        server, connection, end = status_of(run).read()
    assert (server["kind"], server["name"], server["service"]) == ("server", "echo-1", "echo")
    assert (server["accepted"], server["clients"], server["max_clients"], server["pending"]) == (1, 1, 512, 0)
    assert (server["bytes_in"], server["bytes_out"], server["events_lost"]) == (5, 5, 0)
    assert server["lag_ms"] >= 0
    place = server["listening"][0]
    assert (place["host"], place["port"]) == (run.host, run.port)
    if sys.platform == "linux":
        assert place["waiting"] == 0
        assert place["backlog"] > 100
        assert place["max_waiting"] == place["backlog"] + 1
    assert not place["for_browsers"]
    assert (connection["kind"], connection["number"]) == ("connection", 1)
    assert end == {"kind": "end", "connections": 1}


def test_bytes_of_closed_connections_count_and_refusals_by_reason() -> None:
    limits = Limits(max_clients=1, rules=AccessRules(deny=["127.0.0.9"]))
    with running(Echo(), limits, host="127.0.0.1") as run:
        with run.client() as sock:
            sock.sendall(b"hello")
            receive_exactly(sock, 5)
            with run.client() as second:
                assert receive_all(second) == b""
            with run.client(source="127.0.0.9") as denied:
                assert receive_all(denied) == b""
            sock.shutdown(socket.SHUT_WR)
            receive_all(sock)
        run.sink.wait_for("client_disconnected")
        server = next(iter(status_of(run).read()))
    assert (server["accepted"], server["clients"], server["bytes_in"], server["bytes_out"]) == (1, 0, 5, 5)
    assert server["refused"] == {"denied": 1, "too_many_clients": 1}


def test_a_server_that_has_stopped() -> None:
    with running(Echo()) as run:
        status = status_of(run)
        run.stop()
        server, end = status.read()
    assert server["listening"] == []
    assert end["connections"] == 0
