"""The part of a message service's peer that waits for the client: the handler thread calls it, in a conversation.

The handler thread decodes one message at a time, and only on demand. For a client beyond its budget, the thread waits
before it decodes more.
"""

import math
import select
import time

from sockctl.deadline import Deadline
from sockctl.errors import MessageTimeoutError, PeerGoneError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.input_budget import InputBudget
from sockctl.net.limits import READ_BYTES, Timeouts
from sockctl.net.message_input import MessageInput
from sockctl.net.peer import Peer
from sockctl.protocol.messages import SAYING_KINDS, Message, make_message
from sockctl.protocol.wire import Choice, Wire

SLICE = 128
"""Messages of a connection that one round decodes, before other connections have their turn."""
HANDLED_HERE = frozenset({"hello", "pong"})
"""Kinds of messages that no service receives."""


class ConversingPeer(Peer):
    """One client of a service of messages, in a conversation.

    Args:
        connection: The client's connection.
        wire: Decodes and encodes.
        journal: Takes the events.
        budget: Limits the work for the client's input.
        timeouts: The time limits.
    """

    __slots__ = (
        "_budget",
        "_connection",
        "_done",
        "_frame_until",
        "_given_up",
        "_inbox",
        "_input",
        "_timeouts",
        "_wire",
    )

    def __init__(
        self, connection: Connection, wire: Wire, journal: Journal, budget: InputBudget, *, timeouts: Timeouts
    ) -> None:
        super().__init__(connection.number, connection.host, connection.peer)
        self.outlet = connection
        self._budget = budget
        self._connection = connection
        self._timeouts = timeouts
        self._wire = wire
        self._input = MessageInput(connection, wire, journal, budget)
        self._inbox: list[Message] = []  # messages that `wait` has found
        self._frame_until = math.inf  # when the frame that has begun must be complete
        self._given_up: Reason | None = None  # the reason for which the conversation ended
        self._done = False  # input no longer counts

    def admit(self) -> None:
        """Give the client the limits of a member."""
        self._budget.admit()
        self._connection.admit()

    @property
    def limit_bytes(self) -> int:
        """Bytes that a message of the client may have."""
        return self._wire.limit_bytes

    @limit_bytes.setter
    def limit_bytes(self, limit_bytes: int) -> None:
        self._wire.limit_bytes = limit_bytes

    def receive(self) -> Message | None:
        """Receive the next message; return None when the client has ended its input."""
        while True:
            one = self._decode_next()
            if one is not None or self._done:
                return one
            self._fill()

    def discard(self) -> int:
        """Discard what the client has sent so far; return how many messages of it a user had said."""
        said = sum(one.kind in SAYING_KINDS for one in self._inbox)
        self._inbox.clear()
        said += self._input.skip()
        while not self._connection.input_ended and self._is_readable():
            self._wait_for_budget()
            self._fill()
            said += self._input.skip()  # now: a flood fills no memory
        return said

    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf) -> set[int]:
        """Wait for descriptors of the service, and for the client's input with `for_input`."""
        fd = self._connection.fd
        if not for_input:
            return self._connection.wait(events, until=until)
        self._find()
        if self._inbox or self._done:
            return set()
        ready = self._wait({**events, fd: select.POLLIN}, until)
        if fd in ready:
            self._fill()
            self._find()
        return ready - {fd}

    def pop_found(self) -> list[Message] | None:
        """Return the messages that `wait` found; None when the client has ended its input."""
        found, self._inbox = self._inbox, []
        return None if self._done and not found else found

    def give_up(self, reason: Reason) -> PeerGoneError:
        """Return the error that a conversation raises to close the connection for `reason`."""
        self._given_up = reason
        return PeerGoneError(f"the conversation with {self._connection.peer} is over: {reason}")

    def await_choice(self) -> None:
        """Wait for the client's first byte, so that a client that chooses frames gets all messages in frames."""
        until = Deadline.after(self._timeouts.choice_s)
        try:
            if self._wire.choice is Choice.UNDECIDED and not self._done:
                self._feed(self._connection.receive(READ_BYTES, until=until))
        except TimeoutError:
            return  # it reads lines

    def _decode_next(self) -> Message | None:
        """Return the next complete message; None if there is none, or if the input has ended."""
        if self._inbox:
            return self._inbox.pop(0)
        while not self._done:
            self._wait_for_budget()
            one = self._input.decode_next()
            if one is None:
                return self._decode_last() if self._connection.input_ended else None
            self._frame_until = math.inf
            if one.kind == "bye":
                self._done = True
                self._connection.reason = self._connection.reason or DisconnectReason.CLIENT_EXIT
            elif one.kind == "hello":
                self.hello = one
            elif one.kind not in HANDLED_HERE:
                return one
        return None

    def _decode_last(self) -> Message | None:
        self._done = True
        return self._wire.end()

    def _find(self) -> None:
        """Put the complete messages into the inbox."""
        found: list[Message] = []
        while len(found) < SLICE and (one := self._decode_next()) is not None:
            found.append(one)
        self._inbox = found

    def _fill(self) -> None:
        """Wait for input and read once; wait no longer than a partial frame may take."""
        self._wait({self._connection.fd: select.POLLIN})
        try:
            self._feed(self._connection.receive(READ_BYTES, until=time.monotonic()))
        except TimeoutError:
            return  # a part of a TLS record, which is nothing yet

    def _wait(self, events: dict[int, int], until: float = math.inf) -> set[int]:
        if self._frame_until == math.inf and self._wire.has_partial_frame:
            self._frame_until = Deadline.after(self._timeouts.frame_s)
        if time.monotonic() >= self.until:  # the wait of a client that floods never runs out
            raise self.give_up(DisconnectReason.LOGIN_TIMEOUT)
        try:
            return self._connection.wait(events, until=min(self._frame_until, self.until, until))
        except TimeoutError as error:
            if until < min(self._frame_until, self.until):
                raise
            if self.until < self._frame_until:
                raise self.give_up(DisconnectReason.LOGIN_TIMEOUT) from error
            raise self._frame_too_slow() from error

    def _wait_for_budget(self) -> None:
        """Wait until the client's budget allows more decoding; mostly not at all."""
        if not self._budget.is_due:
            return
        now = time.monotonic()
        wait_s = self._input.settle(now)
        if self._budget.is_flooding:
            raise self.give_up(DisconnectReason.FLOODING)
        if wait_s:
            try:
                self._connection.wait({}, until=min(now + wait_s, self.until))
            except TimeoutError:
                if time.monotonic() >= self.until:
                    raise self.give_up(DisconnectReason.LOGIN_TIMEOUT) from None

    def _is_readable(self) -> bool:
        try:
            return bool(self._connection.wait({self._connection.fd: select.POLLIN}, until=time.monotonic()))
        except TimeoutError:
            return False

    def _feed(self, data: bytes | memoryview) -> None:
        if self._input.feed(data) and self._wire.choice is Choice.FRAMES:
            self.hello = make_message("hello")  # stands in until the client's own, which most clients send next

    def _frame_too_slow(self) -> MessageTimeoutError:
        return MessageTimeoutError(f"A frame was not complete within {self._timeouts.frame_s:g} s of its first byte.")
