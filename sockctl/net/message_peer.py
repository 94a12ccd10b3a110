"""The connection of a service of messages: the wire on one side, the service on the other.

Input is decoded where it is read: by the handler thread while a conversation runs, one message at a time and only when
it is asked for; by the event thread afterwards, all that one read brought as one batch. What goes out is encoded under
the connection's lock, the same under which the wire is chosen (`Connection.post_made`): so no line can follow the first
frame, whichever thread speaks.

Whatever is decoded is charged to the connection's budget. Beyond it a conversation waits before it decodes more, and
the event thread holds the connection. So TCP slows the client down, and the others notice nothing.
"""

import math
import select
import time
from collections.abc import Callable
from functools import partial

from sockctl.deadline import Deadline
from sockctl.errors import MessageTimeoutError, PeerGoneError, ProtocolError, TlsReceivedError
from sockctl.events.connection import InputThrottled, ProtocolBroken, SlowReaderDropped
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection, State
from sockctl.net.event_loop import EventLoop
from sockctl.net.input_budget import BYTE_S, MEASURED_BYTES, MESSAGE_S, TELNET_BYTE_S, InputBudget
from sockctl.net.limits import READ_BYTES, Timeouts
from sockctl.net.peer import Peer
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message, message
from sockctl.protocol.server_wire import Choice, ServerWire

__all__ = ["MessagePeer"]

SLICE = 128
"""Messages of a connection that are decoded in one round of the event thread; then the others have their turn."""
_HANDLED_HERE = frozenset({"hello", "pong"})
"""Kinds of a client that no service sees."""


class MessagePeer(Peer):
    """One client of a service of messages, and the handler of its connection."""

    __slots__ = (
        "_budget",
        "_connection",
        "_done",
        "_event_loop",
        "_fed",
        "_frame_until",
        "_given_up",
        "_inbox",
        "_journal",
        "_opened",
        "_service",
        "_timeouts",
        "_wire",
    )

    def __init__(
        self,
        connection: Connection,
        event_loop: EventLoop,
        service: MessageService,
        journal: Journal,
        budget: InputBudget,
        *,
        timeouts: Timeouts,
    ) -> None:
        super().__init__(connection.number, connection.host, connection.peer)
        self._budget = budget
        self._timeouts = timeouts
        self.outlet = connection
        self._connection = connection
        self._event_loop = event_loop
        self._service = service
        self._journal = journal
        self._wire = ServerWire(service.name, unmarked_room=service.unmarked_room)
        self._fed = 0  # bytes since nothing was left to decode
        self._inbox: list[Message] = []  # what `wait` has found
        self._frame_until = math.inf  # in a conversation: when the frame that has begun must be complete
        self._given_up: Reason | None = None  # why the conversation was given up
        self._opened = False
        self._done = False  # nothing that the client sends counts any more

    # For the service.

    def admit(self) -> None:
        """Note that the client is in."""
        self._budget.admit()
        self._connection.admit()

    @property
    def limit_bytes(self) -> int:
        """Bytes that a message of the client may have."""
        return self._wire.limit_bytes

    @limit_bytes.setter
    def limit_bytes(self, limit_bytes: int) -> None:
        self._wire.limit_bytes = limit_bytes

    def send(self, one: Message) -> None:
        """Send a message that is the service's own reply."""
        self._say(one)
        if self._connection.state is State.CONVERSING:
            self._connection.wait_sent()

    def send_encoded(self, data: bytes) -> None:
        """Send what is the service's own reply, encoded for this client's wire."""
        self._connection.post_made(lambda: data)

    def post(self, one: Message) -> None:
        """Send what others say, without ever waiting."""
        if not self._connection.post_made(partial(self._wire.encode, one), bound=OUTBOX_BYTES):
            self._drop_slow_reader()

    def post_encoded(self, data: bytes) -> None:
        """Send what others say, encoded for this client's wire."""
        if not self._connection.post(data, OUTBOX_BYTES):
            self._drop_slow_reader()

    def _drop_slow_reader(self) -> None:
        """End the connection: it doesn't take what others say."""
        if self._done:
            return
        self._done = True
        connection = self._connection
        self._journal.emit(
            SlowReaderDropped(connection=connection.number, peer=connection.peer, queued_bytes=len(connection.outbox))
        )
        self._event_loop.close(connection, DisconnectReason.SLOW_READER)

    def receive(self) -> Message | None:
        """Wait for the next message; None when the client has ended its input."""
        while True:
            one = self._next()
            if one is not None or self._done:
                return one
            self._fill()

    def skip(self) -> None:
        """Discard what the client has sent so far."""
        self._inbox.clear()
        self._skip_decoded()
        while not self._connection.input_ended and self._is_readable():
            self._wait_for_budget()
            self._fill()
            self._skip_decoded()  # now: whoever floods fills no memory

    def _skip_decoded(self) -> None:
        began = time.thread_time()
        count = self._wire.skip()
        self._budget.work_s += count * MESSAGE_S
        self._budget.charge_measured(time.thread_time() - began, size_bytes=self._fed, count=count)
        self._fed = 0

    def wait(self, events: dict[int, int], *, for_input: bool, until: float = math.inf) -> set[int]:
        """Wait for descriptors of the service's own, and for the client's input if that is wanted."""
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

    def take(self) -> list[Message] | None:
        """Return the messages that `wait` found; None when the client has ended its input."""
        found, self._inbox = self._inbox, []
        return None if self._done and not found else found

    @property
    def stopping(self) -> bool:
        """Whether the connection is ending because the server stops."""
        return self._connection.reason is DisconnectReason.SERVER_STOPPING

    def give_up(self, reason: Reason) -> PeerGoneError:
        """Return what a conversation raises to end the connection for `reason`."""
        self._given_up = reason
        return PeerGoneError(f"the conversation with {self._connection.peer} is over: {reason}")

    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """End the connection: what is queued is still sent."""
        if reason is DisconnectReason.SLOW_READER:
            self._drop_slow_reader()
        else:
            self._event_loop.close(self._connection, reason)

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the event thread call something."""
        self._event_loop.call_soon(self._connection, call)

    def charge(self, work_s: float) -> None:
        """Charge the client's budget; it is settled with what was decoded."""
        self._budget.work_s += work_s

    @property
    def is_backlogged(self) -> bool:
        """Whether more waits than for a slow reader."""
        return len(self._connection.outbox) > OUTBOX_BYTES

    @property
    def is_gone(self) -> bool:
        """Whether nothing reaches the client any more."""
        return not self._connection.may_send

    @property
    def bytes_in(self) -> int:
        """Bytes that have come from the client."""
        return self._connection.bytes_in

    # The conversation: its handler thread.

    def converse(self, conversation: Conversation[Peer]) -> None:
        """Hold the conversation, and tell the client if it breaks the protocol."""
        try:
            self.opened()
            try:
                conversation.converse(self)
            except PeerGoneError:
                if self._given_up is None:
                    raise
            if self._given_up is not None or not self.watching:
                self._await_choice()
        except ProtocolError as error:
            self._connection.reason = self._refuse(error)
        else:
            self._connection.reason = self._connection.reason or self._given_up

    def _await_choice(self) -> None:
        """Wait for the client's first byte, so that one that chooses frames gets what was said in frames."""
        until = Deadline.after(self._timeouts.choice_s)
        try:
            if self._wire.choice is Choice.UNDECIDED and not self._done:
                self._take_in(self._connection.receive(READ_BYTES, until=until))
        except TimeoutError:
            return  # it reads lines

    def _next(self) -> Message | None:
        """Return the next message that has come, whole; None if there is none, or if the input has ended."""
        if self._inbox:
            return self._inbox.pop(0)
        while not self._done:
            self._wait_for_budget()
            one = self._decode_next()
            if one is None:
                return self._last() if self._connection.input_ended else None
            self._budget.work_s += MESSAGE_S
            self._frame_until = math.inf
            if one.kind == "bye":
                self._done = True
                self._connection.reason = self._connection.reason or DisconnectReason.CLIENT_EXIT
            elif one.kind == "hello":
                self.hello = one
            elif one.kind not in _HANDLED_HERE:
                return one
        return None

    def _decode_next(self) -> Message | None:
        if self._fed < MEASURED_BYTES:
            return self._wire.next()
        began = time.thread_time()
        one = self._wire.next()
        self._budget.charge_measured(time.thread_time() - began, size_bytes=self._fed, count=1)
        if one is None and not self._wire.in_message:
            self._fed = 0
        return one

    def _last(self) -> Message | None:
        self._done = True
        return self._wire.end()

    def _find(self) -> None:
        """Put what has come, whole, into the inbox."""
        found: list[Message] = []
        while len(found) < SLICE and (one := self._next()) is not None:
            found.append(one)
        self._inbox = found

    def _fill(self) -> None:
        """Read once; wait for it, but not longer than a frame that has begun may take.

        Raises:
            MessageTimeoutError: The time of the frame is up.
        """
        self._wait({self._connection.fd: select.POLLIN})
        try:
            self._take_in(self._connection.receive(READ_BYTES, until=time.monotonic()))
        except TimeoutError:
            return  # a part of a TLS record, which is nothing yet

    def _wait(self, events: dict[int, int], until: float = math.inf) -> set[int]:
        if self._frame_until == math.inf and self._wire.in_frame:
            self._frame_until = Deadline.after(self._timeouts.frame_s)
        if time.monotonic() >= self.until:  # a wait for whoever floods never runs out
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
        """Wait until the client may have more decoded; mostly not at all."""
        if not self._budget.is_due:
            return
        now = time.monotonic()
        wait_s = self._settle(now)
        if self._budget.is_flooding:
            raise self.give_up(DisconnectReason.FLOODING)
        if wait_s:
            try:
                self._connection.wait({}, until=min(now + wait_s, self.until))
            except TimeoutError:
                if time.monotonic() >= self.until:
                    raise self.give_up(DisconnectReason.LOGIN_TIMEOUT) from None

    def _settle(self, now: float) -> float:
        """Charge what was decoded; return for how many seconds nothing more may be."""
        was_beyond = self._budget.is_beyond
        wait_s = self._budget.settle(now)
        if wait_s and not was_beyond:
            self._journal.emit(InputThrottled(connection=self.number, peer=self.shown, seconds=round(wait_s, 3)))
        return wait_s

    def _is_readable(self) -> bool:
        try:
            return bool(self._connection.wait({self._connection.fd: select.POLLIN}, until=time.monotonic()))
        except TimeoutError:
            return False

    def _take_in(self, data: bytes | memoryview) -> None:
        if not data:
            return
        if self._wire.choice is Choice.UNDECIDED:
            self._choose(data)
        self._fed += len(data)
        self._budget.work_s += len(data) * BYTE_S + self._wire.feed(data) * TELNET_BYTE_S

    def _choose(self, data: bytes | memoryview) -> None:
        self._connection.post_made(partial(self._wire.choose, data))
        if self._wire.choice is Choice.FRAMES:
            self.hello = message("hello")  # which most follow with one of their own

    # The handler: the event thread, except for `opened` before a conversation.

    def opened(self) -> None:
        """Greet."""
        self._opened = True
        self._connection.post(self._wire.greeting)
        if not isinstance(self._service, Conversation):
            self.admit()
            self._service.joined(self)

    def received(self, data: memoryview) -> None:
        """React to what was read."""
        self._take_in(data)
        if self._connection.held_until is None:
            self._react()

    def go_on(self) -> None:
        """React to what was read before the connection was held."""
        self._react()

    def resumed(self) -> None:
        """React to what the conversation has read and not asked for; without one, begin."""
        if isinstance(self._service, Conversation):
            self._service.watched(self)
        else:
            self.opened()
        batch, self._inbox = self._inbox, []
        if batch:
            self._service.received(self, batch)
        self._react()

    def ended(self) -> None:
        """React to a last line without an end, or to a frame that will never be complete."""
        if self._done:
            return
        try:
            last = self._wire.end()
        except ProtocolError as error:
            self._connection.reason = self._refuse(error)
        else:
            if last is not None:
                self._service.received(self, [last])
            self._service.ended(self)

    def frame_expired(self) -> None:
        """Tell the client that its frame took too long."""
        self._refuse(self._frame_too_slow())

    def _frame_too_slow(self) -> MessageTimeoutError:
        return MessageTimeoutError(f"A frame was not complete within {self._timeouts.frame_s:g} s of its first byte.")

    def ending(self, reason: Reason) -> None:
        """Say why the server ends the connection."""
        self._done = True
        if reason is DisconnectReason.SLOW_READER:
            self._say(message("error", "You don't read what is sent to you, so the connection ends.", code=reason))
        elif reason.farewell:
            self._say(message("bye", reason.farewell, reason=reason))

    def closed(self, reason: Reason) -> None:
        """Tell the service, unless it has never heard of the client: its TLS handshake failed."""
        if self._opened:
            self._service.left(self, reason)

    def _react(self) -> None:
        """Give the service the messages that are complete: all, if they are few."""
        connection = self._connection
        count = 0
        try:
            while count < SLICE and not self._done and (batch := self._take(SLICE - count)):
                count += len(batch)
                self._give(batch)
        except ProtocolError as error:
            connection.reason = self._refuse(error)
            self.close(connection.reason)
            return
        self._budget.work_s += count * MESSAGE_S
        if (self._budget.is_due or count == SLICE) and not self._done:
            self._hold(more=count == SLICE)
        if count < SLICE and not self._wire.in_message:
            self._fed = 0
        if count == SLICE or not self._wire.in_frame:
            connection.frame_until = math.inf
        elif count or connection.frame_until == math.inf:
            self._event_loop.expect_frame(connection)

    def _take(self, at_most: int) -> list[Message]:
        if self._fed < MEASURED_BYTES:
            return self._wire.take(at_most)
        began = time.thread_time()
        batch = self._wire.take(at_most)
        self._budget.charge_measured(time.thread_time() - began, size_bytes=self._fed, count=len(batch))
        return batch

    def _hold(self, *, more: bool) -> None:
        """Let the client wait for its budget, and for the others' turn if there may be more to decode."""
        wait_s = self._settle(time.monotonic()) if self._budget.is_due else 0.0
        if self._budget.is_flooding:
            self._done = True
            self.close(DisconnectReason.FLOODING)
        elif wait_s or more:
            self._event_loop.hold(self._connection, wait_s)

    def _give(self, batch: list[Message]) -> None:
        kinds = {one.kind for one in batch}
        if "bye" in kinds:
            self._done = True
            batch = batch[: next(place for place, one in enumerate(batch) if one.kind == "bye")]
        if kinds & _HANDLED_HERE:
            self.hello = next((one for one in batch if one.kind == "hello"), self.hello)
            batch = [one for one in batch if one.kind not in _HANDLED_HERE]
        if batch:
            self._service.received(self, batch)
        if "bye" in kinds:
            self._service.ended(self)
            self.close(DisconnectReason.CLIENT_EXIT)

    def _refuse(self, error: ProtocolError) -> Reason:
        """Tell the client what is wrong; return the reason for which the connection is to be ended."""
        self._done = True
        connection = self._connection
        self._journal.emit(
            ProtocolBroken(connection=connection.number, peer=connection.peer, code=error.code, error=str(error))
        )
        self._say(message("error", str(error), code=error.code))
        tls = isinstance(error, TlsReceivedError)
        return DisconnectReason.TLS_ERROR if tls else DisconnectReason.PROTOCOL_ERROR

    def _say(self, one: Message) -> None:
        self._connection.post_made(partial(self._wire.encode, one))
