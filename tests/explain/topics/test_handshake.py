import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topic import Ladder, Table
from sockctl.explain.topics.handshake import TOPIC, Handshake
from tests.support.packets import leave_out_repetitions


def test_three_packets_and_no_more(lab: PacketLab) -> None:
    measured: Handshake = TOPIC.measure(lab)
    connect, accept, refused = measured.connect, measured.accept, measured.refused
    assert [(packet.flags, packet.goes_to(measured.port)) for packet in leave_out_repetitions(connect.packets)] == [
        ("SYN", True),
        ("SYN+ACK", False),
        ("ACK", True),
    ]
    assert connect.took_s >= 2 * measured.delay_s
    assert (connect.client, connect.server) == ("ESTAB", "ESTAB")
    assert (connect.waiting, accept.waiting) == (1, 0)
    assert accept.began_s > connect.ended_s
    assert not accept.packets
    assert [packet.flags for packet in leave_out_repetitions(refused.packets)] == ["SYN", "RST+ACK"]
    assert refused.error == "ConnectionRefusedError"
    first, second = TOPIC.conclude(measured)
    assert "one round trip" in first
    assert "sent no packet" in second
    assert [type(block) for block in TOPIC.draw(measured)] == [Ladder, Ladder, Table]


def test_loopback_shows_the_states_and_times(loopback: Loopback) -> None:
    measured: Handshake = TOPIC.measure(loopback)
    assert measured.connect.server == "ESTAB"
    assert measured.refused.error == "ConnectionRefusedError"
    first, second = TOPIC.conclude(measured)
    assert "had not called accept() yet" in first
    assert "ESTAB" in second
    assert "packet" not in f"{first} {second}"
    assert [type(block) for block in TOPIC.draw(measured)] == [Table]


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Handshake = TOPIC.measure(loopback)
    late = dataclasses.replace(
        measured, sees_packets=True, connect=dataclasses.replace(measured.connect, server="SYN_RECV")
    )
    first, second = TOPIC.conclude(late)
    assert "other packets" in first
    assert "doesn't show" in second
