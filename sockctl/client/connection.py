"""One connection of a session, from the first byte to the last: bytes, lines and the time in, events out.

The module is a long one, since it names each input of a connection once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl.client.ending import judge_end
from sockctl.client.entry import Entry
from sockctl.client.idle_limit import IdleLimit
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.message_waits import MessageWaits
from sockctl.client.own_rest import OwnRest
from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender, refuse_lines
from sockctl.client.session_events import EndReason, EventToEmit, LastBytes, SessionEvent, Signal
from sockctl.client.settings import ClientSettings
from sockctl.client.traffic import TrafficMeter
from sockctl.errors import (
    ConnectionBrokenError,
    SockctlError,
    TlsError,
)
from sockctl.events.base import Event
from sockctl.events.client import Greeted, InputEnded
from sockctl.text import format_count

if TYPE_CHECKING:
    from sockctl.client.datagram_exchange import DatagramExchange
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script
    from sockctl.client.web_exchange import WebExchange

MAX_UNSENT_BYTES = 65_536
"""How much may wait to be sent before no more input is read."""
TLS_ALERT = b"\x15\x03"
"""How the answer of a TLS server begins to bytes that are no TLS, RFC 8446 section 6."""

_BY_SERVER = frozenset({EndReason.SERVER_CLOSED, EndReason.CLIENT_CLOSED, EndReason.WEBSOCKET_CLOSED})


class ClientConnection:
    """A connection that stands. The session calls `settle` after each other method, and hands the events out.

    Args:
        settings: How the session behaves.
        source: The session's input; not read where there is a script.
        protocol: The messages, where the server may speak in them.
        script: The steps, in place of an input.
        events: Where events are appended.
        now: The time.
        encrypted: Whether the connection is under TLS.
        returning: Whether the connection replaces a lost one. Then the client refuses lines that come before the server
            has asked or welcomed: the user meant them for the lost connection.
        goes_on: Whether the client tries another server if this one doesn't let it in.
        local: Whether it is a connection over a Unix socket.
        peer: The server, for people.
        number: The number of the client at the other end, where this side has listened; None where it has connected.

    Attributes:
        protocol: The messages; None once the wire is raw.
        meter: The traffic.
        started: When it began.
        ending: Why it ended; None while it stands.
        local: True for a Unix socket, else None, as events have it.
        datagrams: The datagrams of UDP; None for a connection of another kind.
        wants_input: Whether the input is to be read.
        wake_at: When `settle` is due at the latest; None for never.
    """

    def __init__(
        self,
        settings: ClientSettings,
        source: LineInput | PipeInput,
        protocol: "MessageProtocol | None",
        script: "Script | None",
        events: list[SessionEvent],
        now: float,
        *,
        encrypted: bool = False,
        returning: bool = False,
        goes_on: bool = False,
        local: bool = False,
        peer: str = "",
        number: int | None = None,
    ) -> None:
        self.protocol = protocol
        emits_each = settings.read_bytes is not None
        self.meter = TrafficMeter(self._emit_moved, encrypted=encrypted, emits_each=emits_each, number=number)
        self.started = now
        self.ending: EndReason | None = None
        self.wants_input = False
        self.wake_at: float | None = None
        self._settings = settings
        self._source = source
        self._script = script
        self._events = events
        self._encrypted = encrypted
        self._returning = returning
        self._tries_next = goes_on
        self._number = number
        self._other = "server" if number is None else "client"
        self._outlasts = number is not None and not settings.terminal and not settings.recv_only
        self.local = True if local else None
        self._sender = Sender(settings, events)
        self._receiver = Receiver(settings, script, self._sender, events)
        self.datagrams = self._open_datagrams(peer) if settings.udp else None
        self._web = self._open_web(now) if settings.web else None
        self._exchange = self._web or self.datagrams
        self._held_until = now + settings.first_line_held_s
        self._waits = MessageWaits(settings, self._sender, self._receiver, self._held_until)
        self._idleness = IdleLimit(settings.idle_timeout_s, now)
        self._heard_at = now  # when the server has said something, or the client that something is being typed
        self._rest = OwnRest(settings.quit_after_s, now)
        self._quit_at: float | None = None
        self._stop_at: float | None = None

    def _open_web(self, now: float) -> "WebExchange":
        from sockctl.client.web_exchange import WebExchange

        return WebExchange(self._settings, self._sender, self._receiver, self._events, now)

    def _open_datagrams(self, peer: str) -> "DatagramExchange":
        from sockctl.client.datagram_exchange import DatagramExchange

        scripted = self._script is not None
        return DatagramExchange(self._settings, self._sender, self._receiver, self._events, peer, scripted=scripted)

    @property
    def input_ended(self) -> bool:
        """Whether the input, or the script, has nothing more to send."""
        return self._source.ended and not self._sender.held if self._script is None else self._script.ended

    @property
    def is_welcomed(self) -> bool:
        """Whether the server has let the client in."""
        return self.protocol is not None and self.protocol.is_welcomed

    @property
    def goes_on(self) -> bool:
        """Whether the client tries another server if this one doesn't let it in: it still has all answers."""
        return self._tries_next and not self.is_welcomed and self._sender.can_repeat

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
    def _comes_back(self) -> bool:
        """Whether the end of the server's side is a loss to a pipe or a script, and the connection is made again."""
        protocol = self.protocol
        if self.goes_on and protocol is not None and protocol.is_undone:
            return True
        return (
            self._settings.reconnects
            and not self._settings.terminal
            and not self.input_ended
            and protocol is not None
            and protocol.can_return
            and not protocol.is_over
        )

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
            self._receive_end(now)
            return
        self._idleness.note_traffic(now)
        self._heard_at = now
        if self._exchange is not None:
            if self.datagrams is None:
                self.meter.count_received(len(data), now)
            if self._exchange.receive(data, now):
                self._receive_end(now)
            return
        if not self.meter.bytes_in and not self._encrypted and self._number is None and data.startswith(TLS_ALERT):
            raise TlsError("The server speaks TLS: write tls://HOST:PORT, or sockctls://HOST:PORT for messages.")
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
            self.protocol = None
            self._receiver.show_raw(raw, now)

    def break_off(self, error: ConnectionBrokenError, _: float) -> None:
        """Process that the connection broke.

        A server that has no place says so and closes its socket; that resets the connection if the client's hello is
        there already.

        Raises:
            TurnedAwayError: The server has greeted, and said in text why it has no place.
            ConnectionBrokenError: Else; `forgives` says whether it matters.
        """
        if self.protocol is not None:
            self.protocol.refuse_end()
        raise error

    def forgives(self, error: SockctlError) -> bool:
        """Return whether an error only ends the connection: the session has all that the user wanted."""
        if self._stop_at is None or not isinstance(error, ConnectionBrokenError):
            return False
        self.ending = EndReason.STOPPED
        return True

    def explain_end(self, error: SockctlError | None) -> EndReason:
        """Return why it ended, with an error or without."""
        if error is not None:
            return EndReason.of(error)
        by_hand = self._settings.terminal and self.input_ended
        return EndReason.CLIENT_EXIT if by_hand else self.ending or EndReason.STOPPED

    def judge(self, error: SockctlError | None) -> SockctlError | None:
        """Return the error of the connection's end, with which it ended if there is one."""
        ended = self.input_ended
        judged = judge_end(
            error, self.protocol, self._script, self._receiver, self._sender, self._settings, input_ended=ended
        )
        if judged is not None or self.datagrams is None:
            return judged
        is_met = self._script is not None and self._script.ended and self._script.ends_by_expecting
        return self.datagrams.judge(is_wanted=is_met or self._receiver.has_enough)

    def _receive_end(self, now: float) -> None:
        if self.protocol is not None:
            self.protocol.refuse_end()
        if self._web is not None:
            self._web.judge_end()
        if self._outlasts and not self._sender.half_closed and self._stop_at is None:
            self._rest.begin(now)
            if self._script is not None:
                self._script.note_end()
            return
        if unsent_bytes := self._sender.unsent_bytes if self._web is None else self._web.unsent_input_bytes:
            raise self._make_cut_short_error(f"{unsent_bytes} bytes were")
        if self._comes_back:
            self.ending = EndReason.SERVER_CLOSED  # what the input or the script waits for may come on the next one
            return
        closed = EndReason.SERVER_CLOSED if self._number is None else EndReason.CLIENT_CLOSED
        self._finish(closed if self._web is None else EndReason.WEBSOCKET_CLOSED, now)
        if self._sender.held and not self._settings.terminal:
            raise self._make_cut_short_error(format_count(len(self._sender.held), "line was", "lines were"))

    def _settle_own_rest(self, now: float) -> float | None:
        """End once all was sent to a client that has ended its side; return when that is due at the latest."""
        if self._sender.unsent_bytes or (self._script is not None and not self._script.ended):
            return None
        if self.input_ended or now >= self._rest.due_at:
            self._finish(EndReason.CLIENT_CLOSED, now)
        return self._rest.due_at

    def _greet(self, protocol: "MessageProtocol") -> None:
        self._sender.answer(protocol.wire.outgoing)
        if self._settings.reconnects:
            self._events.append(Signal.KEEPALIVE_WANTED)
        if not self._returning or self._settings.verbose:
            self._events.append(EventToEmit(Greeted(service=protocol.wire.service)))

    # To the server.

    def type(self, data: bytes, now: float) -> None:
        """Process bytes of the input; no bytes mean its end.

        Raises:
            UnsendableError: A line is too long for a message.
        """
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
            self.protocol = None
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
        self._rest.note_sent(now)
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
        if self.ending is not None:
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
            times += [script.due_at, self._limit_script_end(script, now)]
        times.append(self._settle_end(now))
        if self.ending is None and self._quit_at is not None and now >= self._quit_at:
            self._finish(EndReason.STOPPED if self._has_all_answers else EndReason.QUIT_AFTER, now)
        times += [self.meter.sum_at, self._quit_at, self._stop_at]
        self.wake_at = min([time for time in times if time is not None], default=None)
        can_read = (
            self._stop_at is None
            and not self._settings.recv_only
            and not self.input_ended
            and sender.unsent_bytes < MAX_UNSENT_BYTES
            and not (self.datagrams is not None and self.datagrams.is_full)
        )
        self.wants_input = can_read and script is None and (protocol is None or self._may_read(protocol, now))

    @property
    def _has_all_answers(self) -> bool:
        """Whether no datagram waits for an answer; False for a connection."""
        return self.datagrams is not None and not self.datagrams.answers.waiting

    def _settle_end(self, now: float) -> float | None:
        """End, or end the own side, where that is due; return when that goes on."""
        unsent_bytes = self._sender.unsent_bytes
        if self._stop_at is None and self._settings.count is not None and self._receiver.has_enough:
            self._stop_at = now + self._settings.flush_s
        if self._stop_at is not None:
            if not unsent_bytes or now >= self._stop_at:
                self._finish(EndReason.STOPPED, now)
        elif self._rest.has_begun:
            return self._settle_own_rest(now)
        elif self.input_ended and not unsent_bytes:
            return self._settle_own_end(now)
        return None

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

    def _limit_script_end(self, script: "Script", now: float) -> float | None:
        """Return when a script must be over that waits for the server's end. A short count is the error then."""
        if self._settings.quit_after_s is not None or self._settings.send_only or self.datagrams is not None:
            return None
        if script.is_late(now):
            from sockctl.client.script import make_never_ended_error

            self._receiver.finish(self.protocol, now, by_server=False)
            raise make_never_ended_error(self._settings.timeout_s, self._other)
        return script.end_due_at

    def _may_read(self, protocol: "MessageProtocol", now: float) -> bool:
        """Return whether a line may be read; not while a greeting is awaited, or lines are held."""
        may_begin = self._settings.terminal and not protocol.insists and now >= self._held_until
        may_read = not self._sender.held and (may_begin or not protocol.wire.is_listening)
        return may_read or self._returning

    def _settle_own_end(self, now: float) -> float | None:
        """End the own side, now that everything was sent; return when that goes on."""
        if self._exchange is not None:
            due_at = self._exchange.settle_end(now, wait_s=self._wait_for_end_s)
            self._quit_at = self._exchange.quit_at
            return due_at
        if not self._sender.half_closed:
            self._half_close(now)
        return None

    def _half_close(self, now: float) -> None:
        self._sender.half_closed = True
        self._events += [Signal.SENDING_ENDED, EventToEmit(InputEnded(connection=self._number, local=self.local))]
        wait_s = self._wait_for_end_s
        self._quit_at = None if wait_s is None else now + wait_s

    @property
    def _wait_for_end_s(self) -> float | None:
        """Seconds to wait for the server's end; None for as long as it takes."""
        ends_itself = self._script is not None and not self._script.ends_by_sending
        return self._settings.wait_for_end_s(script_ends_itself=ends_itself)

    def say_last(self, reason: EndReason) -> None:
        """Say the last thing to the server, where there is something to say."""
        if self._web is not None and (data := self._web.encode_goodbye(reason)):
            self._events.append(LastBytes(data))

    def _finish(self, ending: EndReason, now: float) -> None:
        """End, and check that everything has come."""
        self._receiver.finish(self.protocol, now, by_server=ending in _BY_SERVER)
        self.ending = ending

    def _emit_moved(self, event: Event) -> None:
        """Emit traffic; on a terminal it would drown a conversation in messages."""
        if self._settings.verbose or self.protocol is None or not self.protocol.wire.is_framed:
            self._events.append(EventToEmit(event))

    def _make_cut_short_error(self, left: str) -> ConnectionBrokenError:
        return ConnectionBrokenError(
            f"The {self._other} ended the connection before it took everything: {left} not sent."
        )
