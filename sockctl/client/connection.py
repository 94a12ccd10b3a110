"""One connection of a session, from the first byte to the last: bytes, lines and the time in, events out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl.client.connection_end import ConnectionEnd
from sockctl.client.connection_parts import ConnectionParts
from sockctl.client.entry import Entry
from sockctl.client.idle_limit import IdleLimit
from sockctl.client.inputs import PipeInput
from sockctl.client.message_waits import MessageWaits
from sockctl.client.sender import refuse_lines
from sockctl.client.session_events import EventToEmit, Signal
from sockctl.client.traffic import TrafficMeter
from sockctl.errors import (
    ConnectionBrokenError,
    TlsError,
)
from sockctl.events.base import Event
from sockctl.events.client import Greeted

if TYPE_CHECKING:
    from sockctl.client.protocol import MessageProtocol

MAX_UNSENT_BYTES = 65_536
"""How much may wait to be sent before no more input is read."""
TLS_ALERT = b"\x15\x03"
"""How the answer of a TLS server begins to bytes that are no TLS, RFC 8446 section 6."""


class ClientConnection:
    """A connection that stands. The session calls `settle` after each other method, and hands the events out.

    Args:
        parts: What it shares with its end.
        now: The time.
        encrypted: Whether the connection is under TLS.
        returning: Whether the connection replaces a lost one. Then the client refuses lines until the server has
            asked or welcomed: the user meant them for the lost connection.

    Attributes:
        meter: The traffic.
        started: When it began.
        end: When and how it ends.
        local: True for a Unix socket, else None, as events have it.
        datagrams: The datagrams of UDP; None for a connection of another kind.
        wants_input: Whether the input is to be read.
        wake_at: When `settle` is due at the latest; None for never.
    """

    def __init__(self, parts: ConnectionParts, now: float, *, encrypted: bool = False, returning: bool = False) -> None:
        settings = parts.settings
        self.meter = TrafficMeter(
            self._emit_moved,
            encrypted=encrypted,
            emits_each=settings.read_bytes is not None,
            number=parts.number,
        )
        self.started = now
        self.end = ConnectionEnd(parts, now)
        self.local = parts.local
        self.datagrams = parts.datagrams
        self.wants_input = False
        self.wake_at: float | None = None
        self._parts = parts
        self._settings = settings
        self._source = parts.source
        self._script = parts.script
        self._events = parts.events
        self._encrypted = encrypted
        self._returning = returning
        self._number = parts.number
        self._sender = parts.sender
        self._receiver = parts.receiver
        self._exchange = parts.exchange
        self._held_until = now + settings.first_line_held_s
        self._waits = MessageWaits(settings, parts.sender, parts.receiver, self._held_until)
        self._idleness = IdleLimit(settings.idle_timeout_s, now)
        self._heard_at = now  # when the server has said something, or the client that something is being typed

    @property
    def protocol(self) -> "MessageProtocol | None":
        """The messages; None once the wire is raw."""
        return self._parts.protocol

    @property
    def input_ended(self) -> bool:
        """Whether the input, or the script, has nothing more to send."""
        return self._parts.input_ended

    @property
    def is_welcomed(self) -> bool:
        """Whether the server has let the client in."""
        return self._parts.is_welcomed

    @property
    def goes_on(self) -> bool:
        """Whether the client tries another server if this one doesn't let it in: it still has all answers."""
        return self._parts.goes_on

    @property
    def held(self) -> "Sequence[bytes | Entry]":
        """Lines for the next connection: those that have not gone out, behind the answers that another server wants."""
        again = self._sender.answers if self.goes_on else ()
        return (*again, *self._sender.held)

    @property
    def was_completed(self) -> bool:
        """Whether the server has said goodbye: it has taken all that was sent."""
        return self.protocol is not None and self.protocol.is_over

    @property
    def takes_entries(self) -> bool:
        """Whether entries are meant for this connection: else they were meant for the lost one that it replaces."""
        return not self._returning or (self.protocol is not None and self.protocol.has_turn)

    # From the server.

    def receive(self, data: bytes, now: float) -> None:
        """Process bytes of the server; no bytes mean the end of its side.

        Raises:
            ProtocolError: They break the protocol, or a frame or a greeting is missing at the end.
            ExpectationError: They come when the time of an expectation is up, or it isn't met at the end.
            ConnectionBrokenError: Not everything was sent at the end, or the server takes no answer.
            TlsError: The server speaks TLS, and the client doesn't.
        """
        if not data:
            self.end.receive(now)
            return
        self._idleness.note_traffic(now)
        self._heard_at = now
        if self._exchange is not None:
            if self.datagrams is None:
                self.meter.count_received(len(data), now)
            if self._exchange.receive(data, now):
                self.end.receive(now)
            return
        if not self.meter.bytes_in and not self._encrypted and self._number is None and data.startswith(TLS_ALERT):
            peer = self._parts.peer
            raise TlsError(f"The server speaks TLS: write tls://{peer}, or sockctls://{peer} for messages.")
        protocol = self.protocol
        if protocol is None:
            self.meter.count_received(len(data), now)
            self._receiver.show_raw(data, now)
            return
        listening = protocol.wire.is_listening
        try:
            raw = protocol.wire.feed(data)
        finally:
            tells = self._settings.verbose and protocol.wire.is_framed
            messages = protocol.wire.count_complete() if tells else None
            self.meter.count_received(len(data), now, messages=messages)
        if protocol.wire.is_framed:
            if listening:
                self._greet(protocol)
            self._receiver.receive_messages(protocol, now)
        elif not protocol.wire.is_listening:
            self._parts.protocol = None
            self._receiver.show_raw(raw, now)

    def break_off(self, error: ConnectionBrokenError, _: float) -> None:
        """Process that the connection broke.

        A server that has no place says so, and closes its socket. That resets the connection if the client's hello has
        come already.

        Raises:
            TurnedAwayError: The server has greeted, and said in text why it has no place.
            ConnectionBrokenError: Else; `ConnectionEnd.forgives` says whether it matters.
        """
        if self.protocol is not None:
            self.protocol.refuse_end()
        raise error

    def _greet(self, protocol: "MessageProtocol") -> None:
        self._sender.answer(protocol.wire.outgoing)
        if self._settings.reconnects:
            self._events.append(Signal.KEEPALIVE_WANTED)
        if not self._returning or self._settings.verbose:
            self._events.append(EventToEmit(Greeted(service=protocol.wire.service)))

    # To the server.

    def type(self, data: bytes, now: float) -> None:
        """Process bytes of the input; no bytes mean its end. A line that can't be sent ends it, too."""
        source, protocol = self._source, self.protocol
        if self._exchange is not None:
            self._sender.send(self._exchange.encode_input(source, data))
        elif protocol is None or isinstance(source, PipeInput):
            self._sender.send(source.feed_raw(data))
        elif self._returning and not protocol.has_turn:
            self._events += refuse_lines(source.feed(data))
        elif not protocol.wire.is_listening:
            self._sender.hold(source, data)
        elif (raw := source.feed_raw(data)) or source.ended:
            self._parts.protocol = None
            if early := protocol.wire.speak_raw():
                self._receiver.show_raw(early, now)
            self._sender.send(raw)

    def hold(self, lines: "Sequence[bytes | Entry]") -> None:
        """Let lines wait for their turn that an earlier connection has left."""
        self._sender.held += lines

    def give_back(self) -> None:
        """Give back to a person what has not gone out; a pipe's lines may go out later."""
        if self._settings.terminal:
            self._sender.give_back(self.protocol)

    def enter(self, entry: Entry, _: float) -> None:
        """Process what a person has entered in the line editor."""
        if self.protocol is None:
            self._sender.send(self._source.feed_raw(f"{entry.text}\n".encode()))
        else:
            self._sender.held.append(entry)

    def tell_typing(self, now: float) -> None:
        """Tell the server that something is being typed; it pings no client that says so."""
        self._heard_at = now
        self._sender.send(b"" if self.protocol is None else self.protocol.encode_typing())

    def count_sent(self, count: int, now: float) -> None:
        """Count bytes that went out."""
        self._idleness.note_traffic(now)
        self.end.note_sent(now)
        self._sender.count_sent(count)
        if self.datagrams is None:
            self.meter.count_sent(count, now)
        else:
            self.datagrams.note_sent(count, now)

    # The time.

    def settle(self, now: float) -> None:
        """Do all that is due, and set the next time.

        Raises:
            ConnectTimeoutError: The time for something is up that the server was to do.
            ConnectionBrokenError: The server of a chat has been silent for too long.
            ExpectationError: The time of an expectation is up.
            SockctlError: A line can't be sent, as for `Sender.release`.
        """
        if self.end.reason is not None:
            return
        sender, script, protocol = self._sender, self._script, self.protocol
        times: list[float | None] = [self._idleness.settle(now)]
        times.append(None if self.datagrams is None else self.datagrams.settle(now))
        if protocol is not None:
            times += self._settle_messages(protocol, now)
        if self.meter.sum_at is not None and now >= self.meter.sum_at:
            self.meter.emit_sum(now)
        if script is not None and (protocol is None or not protocol.wire.is_listening):
            self._sender.run(script, protocol, now)
            times += [script.due_at, self.end.limit_script(script, now)]
        times += [self.end.settle(now), self.meter.sum_at]
        self.wake_at = min([time for time in times if time is not None], default=None)
        can_read = (
            not self.end.is_stopping
            and not self._settings.recv_only
            and not self.input_ended
            and sender.unsent_bytes < MAX_UNSENT_BYTES
            and not (self.datagrams is not None and self.datagrams.is_full)
        )
        self.wants_input = can_read and script is None and (protocol is None or self._may_read(protocol, now))

    def _settle_messages(self, protocol: "MessageProtocol", now: float) -> list[float | None]:
        times = self._waits.settle(protocol, now)
        if self._settings.reconnects and protocol.hears_pings:
            silent_at = self._heard_at + self._settings.silence_s
            if now >= silent_at:
                raise ConnectionBrokenError(f"The server has said nothing for {self._settings.silence_s:g} s.")
            times.append(silent_at)
        if self._settings.terminal and protocol.wire.is_framed and self.input_ended:
            self._sender.say_goodbye(protocol)
        return times

    def _may_read(self, protocol: "MessageProtocol", now: float) -> bool:
        """Return whether a line may be read; not while a greeting is awaited, or lines are held."""
        may_begin = self._settings.terminal and not protocol.insists and now >= self._held_until
        may_read = not self._sender.held and (may_begin or not protocol.wire.is_listening)
        return may_read or self._returning

    def _emit_moved(self, event: Event) -> None:
        """Emit traffic; on a terminal it would drown a conversation in messages."""
        if self._settings.verbose or self.protocol is None or not self.protocol.wire.is_framed:
            self._events.append(EventToEmit(event))
