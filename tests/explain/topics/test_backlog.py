import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topic import Ladder, Table
from sockctl.explain.topics.backlog import CLIENTS, TOPIC, Backlog


def test_one_more_than_the_backlog_is_held(lab: PacketLab) -> None:
    measured: Backlog = TOPIC.measure(lab)
    assert measured.held == measured.queue == 2
    assert [client.state for client in measured.clients] == ["ESTAB", "ESTAB", "SYN_SENT", "SYN_SENT"]
    assert measured.then_connected_s
    third = measured.clients[2]
    before = [packet for packet in third.packets if packet.at_s < measured.accept_called_s]
    assert {(packet.flags, packet.goes_to(measured.port)) for packet in before} == {("SYN", True)}
    connected = [client for client in measured.clients[2:] if any(each.flags == "SYN+ACK" for each in client.packets)]
    assert any(client.tries > 1 for client in connected)
    first, second = TOPIC.conclude(measured)
    assert "held 2 clients" in first
    assert "nothing answered their SYN" in first
    assert "SYN again" in second
    assert [type(block) for block in TOPIC.draw(measured)] == [Table, Ladder]


def test_loopback_shows_the_states(loopback: Loopback) -> None:
    measured: Backlog = TOPIC.measure(loopback)
    assert measured.held == 2
    assert "held 2 clients" in next(iter(TOPIC.conclude(measured)))
    assert [type(block) for block in TOPIC.draw(measured)] == [Table]
    all_held = tuple(dataclasses.replace(client, took_s=0.001) for client in measured.clients)
    first, second = TOPIC.conclude(dataclasses.replace(measured, clients=all_held, then_connected_s=None))
    assert f"{CLIENTS} clients of {CLIENTS} connected" in first
    assert "No client" in second
