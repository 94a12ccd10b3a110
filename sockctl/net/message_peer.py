"""The connection of a service of messages: the wire on one side, the service on the other.

The thread that reads also decodes. In a conversation, the handler thread decodes one message at a time, and only
on demand. Afterwards the event thread decodes all messages of one read as one batch. Messages are encoded under the
connection's lock, under which the wire is chosen, too (`Connection.post_made`): so no line can follow the first frame.

Decoding is charged to the connection's budget. Beyond the budget a conversation waits before it decodes more, and the
event thread holds the connection. So TCP slows this client down, and no other client.
"""

import math
import time
from collections.abc import Callable
from functools import partial

from sockctl.errors import PeerGoneError, ProtocolError, TlsReceivedError
from sockctl.events.connection import ProtocolBroken, SlowReaderDropped
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.client_description import ClientDescription
from sockctl.net.connection import Connection, State
from sockctl.net.conversing_peer import HANDLED_HERE, SLICE, ConversingPeer
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.input_budget import MESSAGE_S, InputBudget
from sockctl.net.limits import Timeouts
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message, make_message
from sockctl.protocol.server_wire import ServerWire
from sockctl.protocol.wire import Choice, Wire


class MessagePeer(ConversingPeer, Handler):
    """One client of a service of messages, and the handler of its connection."""

    __slots__ = ("_event_loop", "_journal", "_opened", "_service")

    def __init__(
        self,
        connection: Connection,
        event_loop: EventLoop,
        service: MessageService,
        journal: Journal,
        budget: InputBudget,
        *,
        timeouts: Timeouts,
        wire: Wire | None = None,
    ) -> None:
        wire = wire or ServerWire(service.name, unmarked_room=service.unmarked_room)
        super().__init__(connection, wire, journal, budget, timeouts=timeouts)
        self._event_loop = event_loop
        self._service = service
        self._journal = journal
        self._opened = False

    # For the service.

    def send(self, one: Message) -> None:
        """Send a message that is the service's own reply."""
        self._say(one)
        if self._connection.state is State.CONVERSING:
            self._connection.wait_sent()

    def send_encoded(self, data: bytes) -> None:
        """Send the service's own reply, encoded for this client's wire."""
        self._connection.post_made(lambda: data)

    def post(self, one: Message) -> None:
        """Send a message of another client. Never blocks."""
        if not self._connection.post_made(partial(self._wire.encode, one), bound=OUTBOX_BYTES):
            self._drop_slow_reader()

    def post_encoded(self, data: bytes) -> None:
        """Send messages of other clients, encoded for this client's wire."""
        if not self._connection.post(data, OUTBOX_BYTES):
            self._drop_slow_reader()

    def _drop_slow_reader(self) -> None:
        """Close the connection of a client that doesn't read."""
        if self._done:
            return
        self._done = True
        connection = self._connection
        self._journal.emit(
            SlowReaderDropped(connection=connection.number, peer=connection.peer, queued_bytes=self.queued_bytes)
        )
        self._event_loop.close(connection, DisconnectReason.SLOW_READER)

    @property
    def stopping(self) -> bool:
        """Whether the connection is ending because the server stops."""
        return self._connection.reason is DisconnectReason.SERVER_STOPPING

    def close(self, reason: Reason = DisconnectReason.SERVER_CLOSED) -> None:
        """Close the connection once the queued bytes are sent."""
        if reason is DisconnectReason.SLOW_READER:
            self._drop_slow_reader()
        else:
            self._event_loop.close(self._connection, reason)

    def stay(self, wait_s: float) -> None:
        """Keep the connection when the input has ended."""
        self._done = True
        self._connection.stay_s = wait_s

    def finish(self) -> None:
        """Close the connection of a client that has ended its input."""
        ended = self._connection.input_ended  # else it has said bye
        self.close(DisconnectReason.CLIENT_CLOSED if ended else DisconnectReason.CLIENT_EXIT)

    def call_soon(self, call: Callable[[], None]) -> None:
        """Have the event thread make a call."""
        self._event_loop.call_soon(self._connection, call)

    def charge(self, work_s: float) -> None:
        """Charge the client's budget; the next settling includes this work."""
        self._budget.work_s += work_s

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._connection.outbox)

    @property
    def is_backlogged(self) -> bool:
        """Whether more than 256 KiB wait to be sent."""
        return len(self._connection.outbox) > OUTBOX_BYTES

    @property
    def is_gone(self) -> bool:
        """Whether no message reaches the client any more."""
        return not self._connection.may_send

    @property
    def bytes_in(self) -> int:
        """Bytes received from the client."""
        return self._connection.bytes_in

    # For an inspection: any thread.

    @property
    def wire(self) -> str:
        """The wire that the client has chosen; empty before that."""
        return "" if self._wire.choice is Choice.UNDECIDED else self._wire.choice.name.lower()

    def describe(self) -> ClientDescription:
        """Return what the service knows of the client."""
        return self._service.describe_client(self)

    # The conversation: its handler thread.

    def converse(self, service: MessageService) -> None:
        """Hold the conversation, if the service has one, and tell the client if it breaks the protocol."""
        if not isinstance(service, Conversation):
            self.watching = True
            return
        try:
            self.opened()
            try:
                service.converse(self)
            except PeerGoneError:
                if self._given_up is None:
                    raise
            if self._given_up is not None or not self.watching:
                self.await_choice()
        except ProtocolError as error:
            self._connection.reason = self._refuse(error)
        else:
            self._connection.reason = self._connection.reason or self._given_up

    # The handler: the event thread, except for `opened` before a conversation.

    def opened(self) -> None:
        """Greet."""
        self._opened = True
        self._connection.post(self._wire.greeting)
        if not isinstance(self._service, Conversation):
            self.admit()
            self._service.joined(self)

    def received(self, data: memoryview) -> None:
        """Decode the bytes, and react to the messages."""
        self._feed(data)
        if self._connection.held_until is None:
            self._react()

    def go_on(self) -> None:
        """React to the input that came before the connection was held."""
        self._react()

    def resumed(self) -> None:
        """React to the input that the conversation has read and not used; without a conversation, greet."""
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

    def ending(self, reason: Reason) -> None:
        """Send the reason for which the server closes the connection."""
        self._done = True
        if reason is DisconnectReason.SLOW_READER:
            self._say(make_message("error", "You don't read what is sent to you, so the connection ends.", code=reason))
        elif reason.farewell:
            self._say(make_message("bye", reason.farewell, reason=reason))

    def closed(self, reason: Reason) -> None:
        """Tell the service, unless it has never heard of the client: its TLS handshake failed."""
        if self._opened:
            self._service.left(self, reason)

    def _react(self) -> None:
        """Give the service the complete messages, at most `SLICE` in a round."""
        connection = self._connection
        count = 0
        try:
            while count < SLICE and not self._done and (batch := self._input.decode(SLICE - count)):
                count += len(batch)
                self._give(batch)
        except ProtocolError as error:
            connection.reason = self._refuse(error)
            self.close(connection.reason)
            return
        self._budget.work_s += count * MESSAGE_S
        if (self._budget.is_due or count == SLICE) and not self._done:
            self._hold(more=count == SLICE)
        if count < SLICE:
            self._input.note_decoded()
        if not self._wire.has_partial_frame:
            connection.frame_until = math.inf
        elif count and self._wire.take_completed():
            connection.frame_until = math.inf
            if count < SLICE:
                self._event_loop.expect_frame(connection)
        elif count < SLICE and connection.frame_until == math.inf:
            self._event_loop.expect_frame(connection)

    def _hold(self, *, more: bool) -> None:
        """Hold the connection until its budget allows more, or for one round if there may be more to decode."""
        wait_s = self._input.settle(time.monotonic()) if self._budget.is_due else 0.0
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
        if kinds & HANDLED_HERE:
            self.hello = next((one for one in batch if one.kind == "hello"), self.hello)
            batch = [one for one in batch if one.kind not in HANDLED_HERE]
        if batch:
            self._service.received(self, batch)
        if "bye" in kinds:
            self._service.ended(self)
            wait_s, self._connection.stay_s = self._connection.stay_s, 0.0
            if wait_s:
                self._event_loop.hold(self._connection, wait_s)
            else:
                self.close(DisconnectReason.CLIENT_EXIT)

    def _refuse(self, error: ProtocolError) -> Reason:
        """Send the client the error; return the reason for closing the connection."""
        self._done = True
        connection = self._connection
        self._journal.emit(
            ProtocolBroken(connection=connection.number, peer=connection.peer, code=error.code, error=str(error))
        )
        self._say(make_message("error", str(error), code=error.code))
        tls = isinstance(error, TlsReceivedError)
        return DisconnectReason.TLS_ERROR if tls else DisconnectReason.PROTOCOL_ERROR

    def _say(self, one: Message) -> None:
        self._connection.post_made(partial(self._wire.encode, one))
