"""The input of a client of a message service: decoded on demand, and charged to the client's budget."""

import time
from functools import partial

from sockctl.events.connection import InputThrottled
from sockctl.events.journal import Journal
from sockctl.net.connection import Connection
from sockctl.net.input_budget import BYTE_S, MEASURED_BYTES, MESSAGE_S, TELNET_BYTE_S, InputBudget
from sockctl.protocol.messages import Message
from sockctl.protocol.wire import Choice, Wire


class MessageInput:
    """The input of one connection. The thread that owns the connection uses it.

    Attributes:
        wire: Decodes the input.
        budget: The client's budget.
    """

    __slots__ = ("_connection", "_fed_bytes", "_journal", "budget", "wire")

    def __init__(self, connection: Connection, wire: Wire, journal: Journal, budget: InputBudget) -> None:
        self._connection = connection
        self._journal = journal
        self.wire = wire
        self.budget = budget
        self._fed_bytes = 0  # since nothing was left to decode

    def feed(self, data: bytes | memoryview) -> bool:
        """Store the bytes that were read; return whether they have chosen the wire."""
        if not data:
            return False
        chooses = self.wire.choice is Choice.UNDECIDED
        if chooses:
            self._connection.post_made(partial(self.wire.choose, data))
        self._fed_bytes += len(data)
        self.budget.work_s += len(data) * BYTE_S + self.wire.feed(data) * TELNET_BYTE_S
        return chooses

    def decode_next(self) -> Message | None:
        """Return the next complete message; None if there is none.

        Raises:
            ProtocolError: The next message breaks the protocol.
        """
        if self._fed_bytes < MEASURED_BYTES:
            one = self.wire.decode_next()
        else:
            began = time.thread_time()
            one = self.wire.decode_next()
            self._charge_measured(began, count=1)
            if one is None:
                self.note_decoded()
        if one is not None:
            self.budget.work_s += MESSAGE_S
        return one

    def decode(self, at_most: int) -> list[Message]:
        """Return the complete messages, `at_most` so many; the caller charges MESSAGE_S for each.

        Raises:
            ProtocolError: The next message breaks the protocol.
        """
        if self._fed_bytes < MEASURED_BYTES:
            return self.wire.decode(at_most)
        began = time.thread_time()
        batch = self.wire.decode(at_most)
        self._charge_measured(began, count=len(batch))
        return batch

    def skip(self) -> int:
        """Discard all received input; return how many messages of a user it had.

        Raises:
            ProtocolError: The input breaks the protocol.
        """
        began = time.thread_time()
        count, said = self.wire.skip()
        self.budget.work_s += count * MESSAGE_S
        self._charge_measured(began, count=count)
        self._fed_bytes = 0
        return said

    def note_decoded(self) -> None:
        """Note that all complete messages were decoded: nothing is left, unless a message has begun."""
        if not self.wire.has_partial_message:
            self._fed_bytes = 0

    def settle(self, now: float) -> float:
        """Charge the decoding done so far; return for how many seconds the client must wait."""
        was_beyond = self.budget.is_beyond
        wait_s = self.budget.settle(now)
        if wait_s and not was_beyond:
            connection = self._connection
            self._journal.emit(
                InputThrottled(connection=connection.number, peer=connection.peer, seconds=round(wait_s, 3))
            )
        return wait_s

    def _charge_measured(self, began: float, *, count: int) -> None:
        self.budget.charge_measured(time.thread_time() - began, size_bytes=self._fed_bytes, count=count)
