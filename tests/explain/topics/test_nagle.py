import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topic import Ladder
from sockctl.explain.topics.nagle import TOPIC, Nagle, Way
from tests.support.packets import leave_out_repetitions

DELAY_S = 0.02
"""Half of the least time by which Linux delays an ACK: a busy machine makes all ways longer, and so keeps this."""


def test_the_delay_is_there_and_seen(lab: PacketLab) -> None:
    measured: Nagle = TOPIC.measure(lab)
    assert measured.two_sends.median_s > measured.no_delay.median_s + DELAY_S
    assert measured.two_sends.median_s > measured.one_send.median_s + DELAY_S
    packets = leave_out_repetitions(measured.packets)
    parts = [packet for packet in packets if packet.payload_bytes and packet.goes_to(measured.port)]
    assert [packet.payload_bytes for packet in parts] == [4, 100]
    between = [packet for packet in packets if parts[0].at_s < packet.at_s < parts[1].at_s]
    assert [(packet.flags, packet.goes_to(measured.port)) for packet in between] == [("ACK", False)]
    quick = dataclasses.replace(measured.no_delay, median_s=0.001)  # a busy machine has no quick way
    usual = dataclasses.replace(measured, no_delay=quick, one_send=quick, packets=tuple(packets))
    told = next(iter(TOPIC.conclude(usual)))
    assert "Why " in told
    assert "in the last round for" in told
    assert any(isinstance(block, Ladder) for block in TOPIC.draw(measured))


def test_loopback_shows_the_times_alone(loopback: Loopback) -> None:
    measured: Nagle = TOPIC.measure(loopback)
    assert measured.two_sends.median_s > measured.no_delay.median_s + DELAY_S
    assert not measured.packets
    assert not any(isinstance(block, Ladder) for block in TOPIC.draw(measured))


def make_figures(two_sends_s: float) -> Nagle:
    def way(median_s: float) -> Way:
        return Way(name="send", median_s=median_s, longest_s=2 * median_s)

    return Nagle(
        sees_packets=False,
        two_sends=way(two_sends_s),
        no_delay=way(0.0001),
        one_send=way(0.0001),
        port=1,
        packets=(),
        calls=(),
    )


def test_a_system_without_the_delay_is_said_to_have_none() -> None:
    assert "did not appear" in next(iter(TOPIC.conclude(make_figures(0.0002))))
    assert "Why 44 ms" in next(iter(TOPIC.conclude(make_figures(0.044))))
