import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topics.close import TOPIC, Close
from tests.support.packets import leave_out_repetitions


def test_each_packet_that_is_claimed_was_captured(lab: PacketLab) -> None:
    measured: Close = TOPIC.measure(lab)
    half = measured.find("shutdown(WR)")
    sent = [packet for packet in half.packets if packet.goes_to(measured.orderly_port)]
    assert [packet.flags for packet in leave_out_repetitions(sent)] == ["FIN+ACK"]
    assert (half.client, half.server) == ("FIN_WAIT2", "CLOSE_WAIT")
    assert measured.received_after_shutdown == 11
    end = measured.find("close()")
    assert [packet.flags for packet in leave_out_repetitions(end.packets)] == ["FIN+ACK", "ACK"]
    assert (end.client, end.server) == ("TIME_WAIT", "gone")
    cut = measured.find("close()", reset=True)
    assert [packet.has("RST") for packet in cut.packets] == [True]
    assert measured.find("recv()", reset=True).error == "ConnectionResetError"
    first, second = TOPIC.conclude(measured)
    assert "sent FIN" in first
    assert "TIME_WAIT" in first
    assert "RST" in second


def test_loopback_shows_the_states(loopback: Loopback) -> None:
    measured: Close = TOPIC.measure(loopback)
    assert measured.find("close()").client == "TIME_WAIT"
    first, second = TOPIC.conclude(measured)
    assert "FIN" not in first.replace("The client said FIN first", "")
    assert "RST" not in second
    assert all(len(row) == 4 for table in TOPIC.draw(measured) for row in getattr(table, "rows", ()))


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Close = TOPIC.measure(loopback)
    steps = tuple(dataclasses.replace(step, error="") for step in measured.reset)
    other = dataclasses.replace(measured, received_after_shutdown=0, reset=steps)
    first, second = TOPIC.conclude(other)
    assert "did not show" in first
    assert "did not reset" in second
