"""``loss``: what TCP and UDP make of a link that loses packets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from sockctl.explain.network import TIMEOUT_S, Link, Network
from sockctl.explain.topic import Block, Table, Topic, format_measured_time
from sockctl.explain.transfers import COUNT, PIECE_BYTES, Transfer, send_datagrams, send_stream
from sockctl.text import format_count

MTU_BYTES = 576
LINK = Link(delay_s=0.005, drop=0.2, overtake=0.1)
_NAMED = 8
"""How many of the missing pieces the table names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was measured.

    Attributes:
        drop: The share of packets that the link drops; 0 on loopback.
        udp: The pieces over UDP.
        tcp: The pieces over TCP.
    """

    drop: float
    udp: Transfer
    tcp: Transfer


def measure(network: Network, *, drop: float) -> Loss:
    """Send the same pieces over UDP and TCP."""
    link = replace(LINK, drop=drop)
    network.set_mtu(MTU_BYTES)
    udp = send_datagrams(network, link)
    return Loss(drop=drop if network.sees_packets else 0.0, udp=udp, tcp=send_stream(network, link))


def draw(measured: Loss) -> Iterator[Block]:
    """Yield both transfers, side by side."""
    link = f"a link that drops {measured.drop:.0%} of the packets" if measured.drop else "loopback"
    titles = ("", "packets", "dropped", "sent again", "pieces", "out of order", "took", "missing")
    yield Table(
        caption=f"{COUNT} pieces of {PIECE_BYTES} bytes over {link}: the packets sent, and the pieces that arrived:",
        titles=titles,
        rows=(_make_row("UDP", measured.udp), _make_row("TCP", measured.tcp)),
        right=frozenset(range(1, len(titles) - 1)),
    )


def _make_row(name: str, one: Transfer) -> tuple[str, ...]:
    unseen = one.packets is None
    sent = ("?", "?") if unseen else (str(one.packets), str(len(one.dropped)))
    again = "-" if one.sent_again is None else str(one.sent_again)
    named = " ".join(map(str, one.missing[:_NAMED])) + (" …" if len(one.missing) > _NAMED else "")
    arrived = (str(len(one.arrived)), str(one.out_of_order), format_measured_time(one.seconds))
    return (name, *sent, again, *arrived, named or "none")


def conclude(measured: Loss) -> Iterator[str]:
    """Yield the two sentences."""
    udp, tcp = measured.udp, measured.tcp
    lost = format_count(len(udp.missing), "piece")
    if not udp.missing:
        yield "UDP lost nothing in this run, though nothing would have brought a lost piece back."
    else:
        late = f" ({udp.out_of_order} of it late)" if udp.out_of_order else ""
        yield f"UDP lost {lost}, {_explain_loss(measured)}, and told nobody; what came was there at once{late}."
    if tcp.arrived == tuple(range(COUNT)):
        again = f": {format_count(tcp.sent_again, 'segment')} went out again" if tcp.sent_again else ""
        first = (tcp.packets or 0) - (tcp.sent_again or 0)
        if again and 0 < first < COUNT:
            again += f", and {first} had held all {COUNT} pieces, since TCP puts parts of several into one"
        times = f"{format_measured_time(tcp.seconds)}, UDP {format_measured_time(udp.seconds)}"
        paid = "and paid with time" if tcp.seconds > udp.seconds else "here without more time"
        yield f"TCP brought every piece, in order, {paid} ({times}){again}."
    else:
        yield f"TCP had brought {len(tcp.arrived)} pieces after {TIMEOUT_S:g} s: it waits longer after each loss."


def _explain_loss(measured: Loss) -> str:
    if not measured.drop:
        return "for which the receiver's buffer was too full"
    if measured.udp.dropped == measured.udp.missing:
        return "the very ones that the link dropped"
    return f"of which the link dropped {len(measured.udp.dropped)}"


def make_topic(*, drop: float) -> Topic[Loss]:
    """Return the topic for a link that drops this share of its packets, above 0 and below 1."""
    return Topic(
        question="What do TCP and UDP make of packets that get lost?",
        guess=f"Of {COUNT} pieces over a link that drops {drop:.0%}, how many arrive by UDP and by TCP (two numbers)?",
        measure=partial(measure, drop=drop),
        draw=draw,
        conclude=conclude,
        attempt="ss -tni shows what the kernel knows of each connection, such as how often it sent again (retrans)",
        unseen="lost packets",
    )


TOPIC = make_topic(drop=LINK.drop)
