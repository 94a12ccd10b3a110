"""One direction of a relayed connection: it carries the bytes of one side to the other, then the end.

A flow keeps the bytes that the receiving kernel doesn't take: the rest of one read, at most. Meanwhile the relay reads
nothing from the sending side. So a slow side slows the other one down, by TCP's own flow control.
"""

import math

from sockctl.events.proxy import TO_CLIENT, TO_TARGET
from sockctl.proxy.relay_socket import RelaySocket
from sockctl.proxy.shaper import Shaper


class Flow:
    """One direction of a connection. One thread at a time uses it.

    Args:
        source: The side that sends.
        sink: The side that receives.
        towards_target: Whether the sink is the target.
        shaper: Holds the bytes back; None for a network without faults.

    Attributes:
        source: As above.
        sink: As above.
        towards_target: As above.
        direction: The word for the direction, in events.
        shaper: As above.
        rest: Bytes that the sink hasn't taken yet.
        read_ended: Whether the source sends no more.
        is_through: Whether the source's end has been passed on, behind all bytes.
        bytes: How many bytes have come from the source.
    """

    __slots__ = (
        "bytes",
        "direction",
        "is_through",
        "read_ended",
        "rest",
        "shaper",
        "sink",
        "source",
        "towards_target",
    )

    def __init__(self, source: RelaySocket, sink: RelaySocket, *, towards_target: bool, shaper: Shaper | None) -> None:
        self.source = source
        self.sink = sink
        self.towards_target = towards_target
        self.direction = TO_TARGET if towards_target else TO_CLIENT
        self.shaper = shaper
        self.rest: bytes | memoryview = b""
        self.read_ended = False
        self.is_through = False
        self.bytes = 0

    @property
    def may_read(self) -> bool:
        """Whether more bytes of the source have room."""
        return not (self.read_ended or self.rest or (self.shaper is not None and self.shaper.is_full))

    @property
    def is_empty(self) -> bool:
        """Whether all bytes that came have gone."""
        return not self.rest and (self.shaper is None or self.shaper.is_empty)

    @property
    def due_at(self) -> float:
        """When `flush` can go on with bytes that were held back; infinity if there are none, or others are first."""
        return math.inf if self.shaper is None or self.rest else self.shaper.due_at

    def pass_on(self, data: memoryview, now: float) -> None:
        """Send bytes to the sink, or keep them; `data` is valid during the call only.

        Raises:
            OSError: The sink is broken.
        """
        self.bytes += len(data)
        if self.shaper is not None:
            self.shaper.put(bytes(data), now)
            self.flush(now)
            return
        sent = self.sink.send(data)
        if sent < len(data):
            self.rest = bytes(data[sent:])

    def flush(self, now: float) -> None:
        """Send kept bytes, as far as they may go and the sink takes them.

        Raises:
            OSError: The sink is broken.
        """
        if self.rest:
            self.rest = self.rest[self.sink.send(self.rest) :]
        while not self.rest and self.shaper is not None and (piece := self.shaper.pop(now)) is not None:
            self.rest = piece[self.sink.send(piece) :]

    def end(self, now: float) -> None:
        """Note that the source sends no more; the end is held back as bytes are."""
        self.read_ended = True
        if self.shaper is not None:
            self.shaper.put(b"", now)

    def pass_end_on(self) -> bool:
        """Pass the source's end on, if it has come and all bytes have gone; return whether that happened now."""
        if self.is_through or not (self.read_ended and self.is_empty):
            return False
        self.is_through = True
        self.sink.shut()
        return True

    def discard(self) -> None:
        """Forget the kept bytes, and take no more: the sink is broken."""
        self.rest = b""
        self.shaper = None
        self.read_ended = self.is_through = True
