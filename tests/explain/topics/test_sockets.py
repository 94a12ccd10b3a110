import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topics.sockets import CLIENTS, TOPIC, Sockets


def test_accept_makes_a_socket_for_each_client(loopback: Loopback) -> None:
    measured: Sockets = TOPIC.measure(loopback)
    listening = measured.listening
    assert (listening.peer_port, listening.state, listening.receives) == (None, "LISTEN", "ENOTCONN")
    assert len({listening.descriptor, *(sock.descriptor for sock in measured.connections)}) == CLIENTS + 1
    for connection, client in zip(measured.connections, measured.clients, strict=True):
        assert connection.local_port == client.peer_port == listening.local_port
        assert connection.peer_port == client.local_port
        assert connection.state == client.state == "ESTAB"
        assert (connection.accepts, connection.receives) == (client.accepts, client.receives) == ("EINVAL", 5)
    first, second = TOPIC.conclude(measured)
    assert "ENOTCONN" in first
    assert f"All the server's sockets have port {listening.local_port}" in second


def test_the_packet_lab_has_the_same_sockets(lab: PacketLab) -> None:
    measured: Sockets = TOPIC.measure(lab)
    assert [sock.state for sock in (*measured.connections, *measured.clients)] == ["ESTAB"] * 2 * CLIENTS


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Sockets = TOPIC.measure(loopback)
    listening = dataclasses.replace(measured.listening, peer_port=1, local_port=2)
    first, second = TOPIC.conclude(dataclasses.replace(measured, listening=listening))
    assert "did not differ" in first
    assert "other ports" in second
