"""Packets of the packet lab."""

from collections.abc import Iterable

from sockctl.explain.packets import Packet


def leave_out_repetitions(packets: Iterable[Packet]) -> list[Packet]:
    """Return packets without those that TCP has sent again, as it does after 0.2 s on a busy machine."""
    first: dict[tuple[int, str, int, int], Packet] = {}
    for packet in packets:
        first.setdefault((packet.source_port, packet.flags, packet.sequence, packet.acknowledgment), packet)
    return list(first.values())
