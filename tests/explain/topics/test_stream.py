import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topics.stream import TOPIC, Stream
from tests.support.packets import leave_out_repetitions


def test_two_packets_and_one_recv(lab: PacketLab) -> None:
    measured: Stream = TOPIC.measure(lab)
    sent = leave_out_repetitions(packet for packet in measured.packets if packet.goes_to(measured.port))
    assert [packet.payload_bytes for packet in sent] == [3, 3]
    assert measured.tcp == ("onetwo",)
    assert measured.udp == measured.framed == ("one", "two")
    assert measured.portions_bytes == (1024, 1024, 452)
    first, second = TOPIC.conclude(measured)
    assert "two sends came out of one recv()" in first
    assert "UDP kept the border" in second
    assert len(list(TOPIC.draw(measured))) == 2


def test_loopback_shows_the_same(loopback: Loopback) -> None:
    measured: Stream = TOPIC.measure(loopback)
    assert measured.tcp == ("onetwo",)
    assert len(list(TOPIC.draw(measured))) == 1


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Stream = TOPIC.measure(loopback)
    first, second = TOPIC.conclude(dataclasses.replace(measured, tcp=("one", "two"), udp=("onetwo",)))
    assert "2 recv()s" in first
    assert "only these kept the border in this run: a length in front" in second
