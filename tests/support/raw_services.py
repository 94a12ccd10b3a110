"""Services of bytes for tests of the core, and what clients do to them."""

import random
import select
import socket
import struct
import threading
from typing import ClassVar

from sockctl.events.reasons import Reason
from sockctl.net.limits import Limits
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, RawService
from tests.support.running import (
    TIMEOUT_S,
    Running,
    wait_until,
)

MANY = Limits(max_clients=2000, max_clients_per_address=2000)


def reset(sock: socket.socket) -> None:
    """Close with a reset instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def reason_of(run: Running, number: int = 1) -> Reason:
    """Wait for the end of a connection and return its reason."""
    wait_until(lambda: any(event.connection == number for event in run.sink.named("client_disconnected")))
    ended = [event for event in run.sink.named("client_disconnected") if event.connection == number]
    assert len(ended) == 1, "told once"
    reason: Reason = ended[0].reason
    return reason


def handler_threads() -> list[threading.Thread]:
    """Return the threads that hold conversations, of all servers in this process."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("sockctl-handler-")]


def is_paused(run: Running) -> bool:
    return len(run.sink.named("reading_paused")) > len(run.sink.named("reading_resumed"))


def fill(run: Running, sock: socket.socket) -> bytes:
    """Send without reading until nothing more is taken; return what was sent."""
    block = random.Random(4).randbytes(1 << 20)
    sock.setblocking(False)
    sent = bytearray()
    while select.select([], [sock], [], 0.3)[1] or not is_paused(run):
        start = len(sent) % len(block)
        try:
            taken = sock.send(block[start : start + 65_536])
        except BlockingIOError:
            continue
        sent += block[start : start + taken]
    sock.settimeout(TIMEOUT_S)
    return bytes(sent)


class Greeter(RawService, Conversation[RawPeer]):
    """Asks for a name, greets, and goes on as an echo where the name is `echo`."""

    name: ClassVar[str] = "greeter"
    does = "It greets."

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"name? ")
        answer = peer.receive().strip()
        peer.send(b"hello " + answer + b"\n")
        if answer == b"echo":
            peer.watch()
        if answer == b"fail":
            raise ValueError("no such name")

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(bytes(data).upper())


class Reacting(RawService):
    """An echo whose own function is called."""

    name = "echo"
    does = "It sends back what it gets."

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(data)


class Waiting(Reacting):
    """Holds up its event thread when it is told to, until it may go on."""

    def __init__(self) -> None:
        self.waits = threading.Event()
        self.go_on = threading.Event()

    def received(self, peer: RawPeer, data: memoryview) -> None:
        if bytes(data) == b"wait":
            self.waits.set()
            assert self.go_on.wait(TIMEOUT_S)
        super().received(peer, data)


class Flood(RawService, Conversation[RawPeer]):
    """Sends far more than the kernel's buffers hold."""

    name: ClassVar[str] = "flood"
    does = "It floods."
    size: ClassVar[int] = 20_000_000

    def converse(self, peer: RawPeer) -> None:
        peer.send(b"f" * self.size)
        peer.watch()
