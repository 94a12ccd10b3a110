"""What the inspector knows of a connection: what both directions share, and each direction with its findings."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sockctl.proxy.byte_feed import ByteFeed
from sockctl.proxy.seen import More, Seen

AT_ONCE = 100
"""Things that one call describes; it counts the others."""


@dataclass(slots=True)
class PendingRequest:
    """An HTTP request whose response has not begun.

    Attributes:
        method: Its method.
        answered: Whether the head of the response has come.
        changes_protocol: Whether the connection speaks another protocol since that head.
    """

    method: str
    answered: bool = False
    changes_protocol: bool = False


@dataclass(slots=True)
class Exchange:
    """What the reader of one direction has learned, and the reader of the other one needs.

    Attributes:
        insists_on_messages: Whether the target is a message service.
        greeted: Whether the target has greeted as a message service.
        welcomed: Whether it has said `welcome`: a login is over.
        asks_secret: Whether the last question of the target asks for a password.
        requests: HTTP requests without a response.
        websocket: Whether the connection has become a WebSocket.
        compresses: Whether its messages may be compressed (permessage-deflate).
        tls_version: The version of TLS that the target has chosen; empty before that.
    """

    insists_on_messages: bool = False
    greeted: bool = False
    welcomed: bool = False
    asks_secret: bool = False
    requests: deque[PendingRequest] = field(default_factory=deque)
    websocket: bool = False
    compresses: bool = False
    tls_version: str = ""


class InspectedFlow:
    """One direction of a connection, as the inspector sees it. Not thread-safe.

    Args:
        towards_target: Whether it goes from the client to the target.
        exchange: The knowledge that both directions share.

    Attributes:
        feed: Its bytes.
    """

    __slots__ = ("_further", "_further_bytes", "_seen", "exchange", "feed", "towards_target")

    def __init__(self, exchange: Exchange, *, towards_target: bool) -> None:
        self.towards_target = towards_target
        self.exchange = exchange
        self.feed = ByteFeed()
        self._seen: list[Seen] = []
        self._further = self._further_bytes = 0

    def add(self, seen: Seen) -> None:
        """Note something that was recognised."""
        if len(self._seen) < AT_ONCE:
            self._seen.append(seen)
        else:
            self._further += 1
            self._further_bytes += seen.size

    @property
    def is_full(self) -> bool:
        """Whether further things are only counted until the next call."""
        return len(self._seen) >= AT_ONCE

    def count_frames(self, measure: Callable[[bytes, int], int]) -> int:
        """Count the frames that have come as a whole, and pass over them; return how many there are.

        Args:
            measure: Returns the bytes of a frame, given bytes and where it begins in them; 0 where it can't know.
        """
        data = self.feed.peek(self.feed.available)
        at = count = 0
        while size := measure(data, at):
            if at + size > len(data):
                break
            at += size
            count += 1
        self.feed.pass_over(at)
        self._further += count
        self._further_bytes += at
        return count

    def take_seen(self) -> list[Seen]:
        """Return all that `add` has noted since the last call."""
        seen, self._seen = self._seen, []
        if self._further:
            seen.append(More(towards_target=self.towards_target, size=self._further_bytes, count=self._further))
            self._further = self._further_bytes = 0
        return seen
