"""Recognises the protocols in the bytes of one connection that passes the proxy.

The inspector never changes a byte, and delays none: the proxy calls it with bytes that it sends anyway. The memory of a
direction is bounded, whatever passes. Bytes that the inspector can't understand end its work on their direction. It
says that once.
"""

from collections.abc import Generator

from sockctl.proxy.byte_feed import EndOfBytesError, NotUnderstoodError
from sockctl.proxy.exchange import Exchange, InspectedFlow
from sockctl.proxy.recognition import read_direction
from sockctl.proxy.seen import FIRST_BYTES, Bytes, CutOff, GivenUp, Seen


class Inspector:
    """Describes what passes on a connection. Not thread-safe.

    Args:
        messages: Whether the target is a message service of sockctl.
    """

    def __init__(self, *, messages: bool = False) -> None:
        exchange = Exchange(insists_on_messages=messages)
        self._directions = (
            _Direction(InspectedFlow(exchange, towards_target=False)),
            _Direction(InspectedFlow(exchange, towards_target=True)),
        )

    def is_idle(self, towards_target: bool) -> bool:
        """Return whether nothing more will be recognised in a direction: then `inspect` needs no call."""
        return self._directions[towards_target].is_idle

    def inspect(self, towards_target: bool, data: bytes | memoryview) -> list[Seen]:
        """Return new findings. Some may belong to the other direction, which waited for this one.

        Args:
            towards_target: Whether the bytes go from the client to the target.
            data: The bytes; the caller may reuse their memory afterwards.
        """
        direction, other = self._directions[towards_target], self._directions[not towards_target]
        seen = direction.read(data)
        if other.waits:
            seen += other.read(b"")
        return seen

    def end(self, towards_target: bool) -> list[Seen]:
        """Return the last findings of a direction, which has ended."""
        direction = self._directions[towards_target]
        direction.flow.feed.ended = True
        return direction.read(b"")


class _Direction:
    """One direction with its reader."""

    __slots__ = ("_reader", "flow")

    def __init__(self, flow: InspectedFlow) -> None:
        self.flow = flow
        self._reader: Generator[None] | None = read_direction(flow)

    @property
    def is_idle(self) -> bool:
        return self._reader is None

    @property
    def waits(self) -> bool:
        """Whether bytes have come that were not read yet."""
        return self._reader is not None and self.flow.feed.available > 0

    def read(self, data: bytes | memoryview) -> list[Seen]:
        """Read bytes as far as possible, and return the findings."""
        flow = self.flow
        if self._reader is None:
            return []
        flow.feed.put(data)
        try:
            next(self._reader)
            flow.feed.settle()
        except StopIteration:
            self._reader = None
        except EndOfBytesError:
            self._reader = None
            size = flow.feed.available
            flow.add(CutOff(towards_target=flow.towards_target, size=size, inside=flow.feed.inside))
        except NotUnderstoodError as error:
            self._reader = None
            self._give_up(str(error))
        if self._reader is None:
            flow.feed.drop()
        return flow.take_seen()

    def _give_up(self, reason: str) -> None:
        """Say that nothing more is recognised; without a reason, nothing ever was."""
        flow = self.flow
        left, first = flow.feed.available, flow.feed.peek(FIRST_BYTES)
        if reason:
            flow.add(GivenUp(towards_target=flow.towards_target, size=left, reason=reason))
        else:
            flow.add(Bytes(towards_target=flow.towards_target, size=left, data=first))
