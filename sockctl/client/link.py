"""Joins one session with its socket: moves bytes between both, and carries out the session's events in order."""

import contextlib
import functools
import socket
import time
from typing import TYPE_CHECKING

from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import (
    BytesToSend,
    BytesToShow,
    DatagramToShow,
    EndReason,
    EventToEmit,
    LastBytes,
    MessageToLog,
    MessageToShow,
    QuestionAsked,
    Remark,
    SessionEnded,
    SessionEvent,
    Signal,
    TextArrived,
    TextReturned,
    WebMessageToShow,
    WindowChanged,
)
from sockctl.errors import ConnectionBrokenError, SockctlError, UnreachableError
from sockctl.net.transport import TlsTransport, Transport, is_pending
from sockctl.text import make_visible

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from sockctl.client.connect_attempt import ConnectAttempt
    from sockctl.client.line_screen import LineScreen
    from sockctl.client.room_log import RoomLog
    from sockctl.client.tty.user import TerminalUser
    from sockctl.net.address import Endpoint
    from sockctl.net.connector import Tell

READ_BYTES = 65_536
"""The most bytes of one read of TLS, and of an input each of whose reads is a message."""
RECEIVE_BYTES = 262_144
"""The most bytes of one recv(). From a fast sender, that costs a third of the CPU time of 64 KiB."""


class Link:
    """The socket of one session. One loop calls it, which may have several.

    Args:
        session: The session.
        connect: Connects with a server again, without a question; None where a lost connection is the end.
        screen: Where remarks and events are shown.
        output: Where the other side's words are shown.
        user: The person at the terminal, if this session alone has the terminal.
        log: The log of rooms; None without one.
        lines: Where the output keeps a line that has no end yet; None where it keeps none.

    Attributes:
        ended: The session's last event; None while it goes on.
        session: As the argument.
    """

    def __init__(
        self,
        session: ClientSession,
        connect: "Callable[[Endpoint, Tell], Transport] | None" = None,
        *,
        screen: Screen,
        output: Output,
        user: "TerminalUser | None" = None,
        log: "RoomLog | None" = None,
        lines: "LineScreen | None" = None,
    ) -> None:
        self.ended: SessionEnded | None = None
        self.session = session
        self._connect = connect
        self._screen = screen
        self._output = output
        self._dump = output if output.shows_wire and not session.settings.udp else None
        self._user = user
        self._log = log
        self._lines = lines
        self._sock: Transport | None = None
        self._reads = True  # whether the other side may still say something
        self._may_pend = False
        self._read_bytes = session.settings.read_bytes or RECEIVE_BYTES
        self._unsent = bytearray()
        self._attempt: ConnectAttempt | None = None

    @property
    def was_cut(self) -> bool:
        """Whether the connection ended without the goodbye of TLS."""
        return getattr(self._sock, "cut", False)

    @property
    def is_pending(self) -> bool:
        """Whether bytes can be received that select() can't see."""
        return self._may_pend and self._reads and self._sock is not None and is_pending(self._sock)

    @property
    def sources(self) -> "list[Transport | ConnectAttempt]":
        """The socket, and the attempt to connect, to wait for until they are readable."""
        return [one for one in (self._sock if self._reads else None, self._attempt) if one is not None]

    @property
    def sinks(self) -> list[Transport]:
        """The socket to wait for until it can be written."""
        return [self._sock] if self._sock is not None and self._unsent else []

    @property
    def wake_at(self) -> float | None:
        """When `advance` is due at the latest; None for never."""
        times = (self.session.wake_at, None if self._lines is None else self._lines.rest_due_at)
        return min([one for one in times if one is not None], default=None)

    def begin(self, sock: Transport) -> None:
        """Begin with a connection, which `close` closes; it is made non-blocking."""
        sock.setblocking(False)
        self._sock = sock
        self._reads = True
        self._may_pend = hasattr(sock, "pending")
        if isinstance(sock, TlsTransport):
            sock.read_bytes = min(sock.read_bytes, self._read_bytes)
        self._unsent.clear()
        server = None
        if self.session.settings.messages is not False:
            from sockctl.client.server_identity import identify

            server = identify(sock, self.session.targets.current, self.session.targets.endpoints)
        self.perform(self.session.connected(server, time.monotonic()))

    def shut(self) -> None:
        """Shut the connection, so that a loop which waits for it wakes up; any thread."""
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and abandon a try."""
        if self._attempt is not None:
            self._attempt.abandon()
        if self._sock is not None:
            self._sock.close()

    def receive(self, readable: "Container[object]") -> None:
        """Receive, and take the end of a try, where `readable` has them."""
        sock, attempt = self._sock, self._attempt
        if sock is not None and sock in readable and self._reads:
            self._receive(sock)
        if attempt is not None and attempt in readable:
            self._finish_attempt(attempt)

    def advance(self) -> None:
        """Send, and do all that is due."""
        if self._unsent and self._sock is not None and self.ended is None:
            self._send(self._sock)
        now = time.monotonic()
        if self._lines is not None and self._lines.rest_due_at is not None and now >= self._lines.rest_due_at:
            self._lines.show_rest()
        self.perform(self.session.advance(now))

    def end(self, reason: EndReason) -> None:
        """Emit how the session has ended, and close the connection."""
        try:
            self.tell_end(reason)
        finally:
            self.close()

    def tell_end(self, reason: EndReason) -> None:
        """Show a last line without an end, and emit how the session has ended."""
        if reason is not EndReason.OUTPUT_CLOSED:
            self._output.show_bytes(b"")
            if self._lines is not None:
                self._lines.show_rest()
        self.perform(self.session.close(reason, time.monotonic(), cut=self.was_cut))

    def perform(self, events: list[SessionEvent]) -> None:
        """Carry out events."""
        self._screen.hold_events(hold=self.session.is_trying)
        try:
            for event in events:
                self._carry_out(event)
        finally:
            self._screen.flush()

    def _carry_out(self, event: SessionEvent) -> None:
        match event:
            case BytesToSend(data):
                self._unsent += data
            case LastBytes(data) if self._sock is not None and not self._unsent:
                with contextlib.suppress(OSError):  # the connection has ended, or the server doesn't read
                    self._sock.send(data)
            case DatagramToShow(data, is_sent):
                self._output.show_datagram(data, is_sent=is_sent)
            case SessionEnded():
                self.ended = event
            case QuestionAsked() | TextReturned() | TextArrived() if self._user is not None:
                self._user.receive(event)
            case Signal():
                self._obey(event)
            case _:
                self._show(event)

    def _show(self, event: SessionEvent) -> None:
        match event:
            case BytesToShow(data):
                self._output.show_bytes(data)
            case WebMessageToShow(data, is_text):
                self._output.show_web_message(data, is_text=is_text)
            case MessageToShow(message, context):
                self._output.show_message(message, context)
            case MessageToLog(message) if self._log is not None:
                self._log.add(message)
            case WindowChanged(text):
                self._screen.write(text.encode())
            case EventToEmit(emitted):
                self._screen.emit(emitted)
            case TextReturned(text, why) if why:
                self._screen.remark_error(f"{why}: {make_visible(text)}")
            case TextArrived(text):
                self._screen.remark(f"This has arrived after all: {make_visible(text)}")
            case Remark(text, is_error):
                (self._screen.remark_error if is_error else self._screen.remark)(text)

    def _obey(self, signal: Signal) -> None:
        sock = self._sock
        if signal in {Signal.CONNECTION_DROPPED, Signal.CONNECTION_WANTED}:
            self._screen.forget_events()
        match signal:
            case Signal.SENDING_ENDED if sock is not None:
                with contextlib.suppress(OSError):  # the server has reset the connection: reading shows it
                    sock.shutdown(socket.SHUT_WR)
                if self._user is not None:
                    self._user.end_input()
            case Signal.TYPING_ENDED if self._user is not None:
                self._user.end_input()
            case Signal.QUESTION_ANSWERED if self._user is not None:
                self._user.end_question()
            case Signal.CONNECTION_WANTED if self._connect is not None:
                self._begin_attempt(self._connect)
            case Signal.KEEPALIVE_WANTED if sock is not None:
                from sockctl.client.connect_attempt import watch_over

                watch_over(sock)
            case Signal.CONNECTION_DROPPED if sock is not None:
                sock.close()
                self._sock = None

    def _receive(self, sock: Transport) -> None:
        try:
            data = sock.recv(READ_BYTES if self._may_pend else self._read_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self._break(error)
            return
        if data and self._dump is not None:
            self._dump.show_received(data)
        self._reads = bool(data)
        self.perform(self.session.received(data, time.monotonic()))

    def _send(self, sock: Transport) -> None:
        try:
            count = sock.send(self._unsent)
        except BlockingIOError:
            return
        except OSError as error:
            # Broken: the other side has reset the connection. Its last bytes are read first; its end shows what is
            # unsent. If it has ended before, this is the end.
            if not (isinstance(error, BrokenPipeError) and self._reads):
                self._break(error)
            return
        self.perform(self.session.sent(count, time.monotonic()))
        if self._dump is not None:
            self._dump.show_sent(bytes(self._unsent[:count]))
        del self._unsent[:count]

    def _break(self, cause: OSError) -> None:
        error = ConnectionBrokenError(f"The connection broke ({cause.strerror}): what was on its way is lost.")
        error.__cause__ = cause
        self.perform(self.session.broke(error, time.monotonic()))

    def _begin_attempt(self, connect: "Callable[[Endpoint, Tell], Transport]") -> None:
        from sockctl.client.connect_attempt import ConnectAttempt

        try:
            self._attempt = ConnectAttempt(functools.partial(connect, self.session.targets.current))
        except OSError as error:
            failure = UnreachableError(f"A try to connect can't begin: {error.strerror}.")
            failure.__cause__ = error
            self.perform(self.session.connect_failed(failure, time.monotonic()))

    def _finish_attempt(self, attempt: "ConnectAttempt") -> None:
        self._attempt = None
        try:
            sock = attempt.finish(self._screen.emit)
        except SockctlError as error:
            self.perform(self.session.connect_failed(error, time.monotonic()))
        else:
            self.begin(sock)
