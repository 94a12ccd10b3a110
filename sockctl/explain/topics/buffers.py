"""``buffers``: what the kernel takes from a sender while nobody reads, and where it keeps that."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import Network, connect_pair, receive_exactly
from sockctl.explain.tcp_states import read_rows
from sockctl.explain.topic import Block, Table, Topic
from sockctl.text import format_bytes

_CHUNK_BYTES = 65_536
_SMALL_BYTES = 32_768
_MOST_BYTES = 64 * 1024 * 1024
"""After so many bytes a topic stops, if no send() has refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A connection that was filled until send() refused.

    Attributes:
        name: Which buffers it had.
        taken_bytes: What all send() calls took.
        refusal: The error of the last one; empty if none refused.
        unsent_bytes: What the sender's kernel kept then (Send-Q); None where the system doesn't tell.
        unread_bytes: What the receiver's kernel kept then (Recv-Q); None as above.
        received_bytes: What the receiver read in the end.
        room_after: Whether a send() was possible again after that.
    """

    name: str
    taken_bytes: int
    refusal: str
    unsent_bytes: int | None
    unread_bytes: int | None
    received_bytes: int
    room_after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """What was measured.

    Attributes:
        usual: A connection with the system's own buffers.
        small: One with a small buffer at each end.
    """

    usual: Filling
    small: Filling


def measure(network: Network) -> Buffers:
    """Fill the buffers of two connections while nobody reads; then read."""
    return Buffers(usual=_fill(network, "the system's own", 0), small=_fill(network, "32 KiB each", _SMALL_BYTES))


def _fill(network: Network, name: str, buffer_bytes: int) -> Filling:
    client, server = connect_pair(network)
    with client, server:
        if buffer_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.setblocking(False)
        taken, refusal = _send_until_full(network, client)
        port = int(client.getpeername()[1])
        rows = read_rows(port) or []
        unsent = next((row.unsent_bytes for row in rows if row.peer_port == port), None)
        unread = next((row.unread_bytes for row in rows if row.local_port == port), None)
        received = len(receive_exactly(server, taken))
        network.settle()
        room = False
        with contextlib.suppress(BlockingIOError):
            room = client.send(b"x") == 1
    return Filling(
        name=name,
        taken_bytes=taken,
        refusal=refusal,
        unsent_bytes=unsent,
        unread_bytes=unread,
        received_bytes=received,
        room_after=room,
    )


def _send_until_full(network: Network, client: socket.socket) -> tuple[int, str]:
    """Return how many bytes were taken, and the error of the send() that took none; empty if none refused."""
    taken, before = 0, -1
    while taken < _MOST_BYTES:
        try:
            taken += client.send(bytes(_CHUNK_BYTES))
        except BlockingIOError as error:
            if taken == before:
                return taken, type(error).__name__
            before = taken
            network.settle()  # what is under way may make room
    return taken, ""


def draw(measured: Buffers) -> Iterator[Block]:
    """Yield what was taken, and where it was."""
    rows = tuple(
        (one.name, *map(_format, (one.taken_bytes, one.unsent_bytes, one.unread_bytes)))
        for one in (measured.usual, measured.small)
    )
    yield Table(
        caption="send() on a non-blocking socket until it refuses, while nobody reads:",
        titles=("buffers", "taken", "at the sender", "at the receiver"),
        rows=rows,
        right=frozenset({1, 2, 3}),
        sizes=(float(measured.usual.taken_bytes), float(measured.small.taken_bytes)),
    )


def _format(count: int | None) -> str:
    return "?" if count is None else format_bytes(count)


def conclude(measured: Buffers) -> Iterator[str]:
    """Yield the two sentences."""
    usual, small = measured.usual, measured.small
    taken = format_bytes(usual.taken_bytes)
    if usual.refusal:
        kept = (usual.unsent_bytes or 0) + (usual.unread_bytes or 0)
        where = "all of it in the two kernels" if kept == usual.taken_bytes else "in the two kernels and between them"
        yield f"send() took {taken} while nobody read, {where}, then raised {usual.refusal}: sent is not yet received."
    else:
        yield f"No send() refused in this run, though nobody read {taken}."
    less = f"Buffers of {format_bytes(_SMALL_BYTES)} took {format_bytes(small.taken_bytes)}"
    went_on = small.room_after and small.received_bytes == small.taken_bytes
    if small.refusal and small.taken_bytes < usual.taken_bytes and went_on:
        yield f"{less}; once the receiver had read that, send() went on: so a slow reader slows a sender down."
    else:
        yield f"{less}, and a send() after reading was {'possible' if small.room_after else 'refused'}."


TOPIC = Topic(
    question="What happens to data that is sent while nobody reads it?",
    guess="How many bytes does send() take before it would block, while nobody reads (in KiB)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="ss -tn shows what waits at each end of each connection (Recv-Q, Send-Q)",
)
