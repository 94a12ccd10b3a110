import dataclasses

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from sockctl.explain.topic import Table
from sockctl.explain.topics.loss import TOPIC, Loss
from sockctl.explain.transfers import COUNT


def test_udp_loses_the_very_pieces_that_the_link_dropped(lab: PacketLab) -> None:
    measured: Loss = TOPIC.measure(lab)
    udp, tcp = measured.udp, measured.tcp
    assert udp.packets == COUNT
    assert udp.dropped == udp.missing
    assert len(udp.arrived) + len(udp.missing) == COUNT
    assert 5 <= len(udp.missing) <= 40
    assert udp.out_of_order
    assert tcp.arrived == tuple(range(COUNT))
    assert tcp.dropped
    assert tcp.sent_again is not None
    assert tcp.sent_again >= 1
    first, second = TOPIC.conclude(measured)
    assert "the very ones" in first
    assert "every piece, in order" in second
    assert tcp.packets is not None
    first_sent = tcp.packets - tcp.sent_again
    assert (f"and {first_sent} had held all" in second) == (first_sent < COUNT)
    (table,) = TOPIC.draw(measured)
    assert isinstance(table, Table)
    assert table.rows[0][-1].startswith(" ".join(map(str, udp.missing[:5])))


def test_loopback_loses_where_a_buffer_is_full(loopback: Loopback) -> None:
    measured: Loss = TOPIC.measure(loopback)
    assert measured.udp.missing
    assert measured.tcp.arrived == tuple(range(COUNT))
    assert measured.udp.packets is None
    assert "too full" in next(iter(TOPIC.conclude(measured)))


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Loss = TOPIC.measure(loopback)
    whole = dataclasses.replace(measured.udp, arrived=tuple(range(COUNT)))
    part = dataclasses.replace(measured.tcp, arrived=(0, 1))
    first, second = TOPIC.conclude(dataclasses.replace(measured, udp=whole, tcp=part))
    assert "lost nothing" in first
    many = dataclasses.replace(measured.tcp, packets=COUNT + 2, sent_again=2)
    assert "had held all" not in list(TOPIC.conclude(dataclasses.replace(measured, tcp=many)))[1]
    assert "2 pieces" in second
    other = dataclasses.replace(measured.udp, dropped=(1, 2))
    assert "dropped 2" in next(iter(TOPIC.conclude(dataclasses.replace(measured, drop=0.2, udp=other))))
