"""All input and output of a session: one loop for its socket, its input and the clock, on a terminal and in a pipe.

It waits for the socket and the input at once, and carries out the events that the session gives back, in order.
The module is a long one, since all input and output of a session is in one place.
"""

import contextlib
import functools
import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

from sockctl.client.inputs import EXIT, as_text
from sockctl.client.outputs import Output
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import (
    BytesToSend,
    BytesToShow,
    DatagramToShow,
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
from sockctl.errors import ConnectionBrokenError, SockctlError, StreamError
from sockctl.net.transport import TlsTransport, Transport, is_pending
from sockctl.terminal import STDIN
from sockctl.text import make_visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sockctl.client.connect_attempt import ConnectAttempt
    from sockctl.client.room_log import RoomLog
    from sockctl.client.tty.entries import Entries
    from sockctl.client.tty.user import TerminalUser
    from sockctl.net.address import Endpoint
    from sockctl.net.connector import Tell

READ_BYTES = 65_536
PASTE_S = 0.03
"""After ``exit`` or ``/quit``, for so long another line may follow that came with it."""


class IoLoop:
    """The loop of one session.

    Args:
        session: The session.
        connect: Connects with a server again, without a question.
        screen: Where remarks and events are shown.
        output: Where the server's words are shown.
        user: The person at the terminal; None without one.
        log: The log of rooms; None without one.

    Attributes:
        ended: The session's last event; None while it goes on.
    """

    def __init__(
        self,
        session: ClientSession,
        connect: "Callable[[Endpoint, Tell], Transport]",
        *,
        screen: Screen,
        output: Output,
        user: "TerminalUser | None",
        log: "RoomLog | None" = None,
    ) -> None:
        self.ended: SessionEnded | None = None
        self._session = session
        self._connect = connect
        self._screen = screen
        self._output = output
        self._dump = output if output.shows_wire and not session.settings.udp else None
        self._user = user
        self._log = log
        self._input: int | Entries = STDIN
        self._sock: Transport | None = None
        self._may_pend = False
        self._read_bytes = session.settings.read_bytes or READ_BYTES
        self._unsent = bytearray()
        self._attempt: ConnectAttempt | None = None
        self._stopped = threading.Event()  # Ctrl-C was typed: the thread that sets it then shuts the socket

    @property
    def was_cut(self) -> bool:
        """Whether the connection ended without the goodbye of TLS."""
        return getattr(self._sock, "cut", False)

    def run(self) -> None:
        """Run until the session ends, or `stop` was called.

        Raises:
            StreamError: A standard stream broke.
            BrokenPipeError: The reader of the output has gone.
        """
        while self.ended is None and not self._stopped.is_set():
            self.step()

    def begin(self, sock: Transport) -> None:
        """Begin with a connection, which `close` closes; it is made non-blocking."""
        sock.setblocking(False)
        self._sock = sock
        self._may_pend = hasattr(sock, "pending")
        if isinstance(sock, TlsTransport):
            sock.read_bytes = min(sock.read_bytes, self._read_bytes)
        self._unsent.clear()
        server = None
        if self._session.settings.messages is not False:
            from sockctl.client.server_identity import identify

            server = identify(sock, self._session.targets.current, self._session.targets.endpoints)
        self.perform(self._session.connected(server, time.monotonic()))
        if self._stopped.is_set():
            self.stop()

    def read_from(self, source: "int | Entries") -> None:
        """Read the input from another descriptor, or from the line editor."""
        self._input = source

    def stop(self) -> None:
        """Make `run` return soon; any thread."""
        self._stopped.set()
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and abandon a try."""
        if self._attempt is not None:
            self._attempt.abandon()
        if self._sock is not None:
            self._sock.close()

    def step(self) -> None:
        """Wait once, pass bytes on, and do all that is due. Raises what `run` raises."""
        session = self._session
        readable = self._wait()
        if self._stopped.is_set():
            return  # the socket was shut by this side: that is no end by the server
        if self._sock is not None and self._sock in readable:
            self._receive(self._sock)
        if self._attempt is not None and self._attempt in readable:
            self._finish_attempt(self._attempt)
        if self._input in readable and session.wants_input and self.ended is None:
            self._read()
        if self._unsent and self._sock is not None and self.ended is None:
            self._send(self._sock)
        self.perform(session.advance(time.monotonic()))

    def perform(self, events: list[SessionEvent]) -> None:
        """Carry out events."""
        self._screen.hold_events(hold=self._session.is_trying)
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
            case Signal.CONNECTION_WANTED:
                from sockctl.client.connect_attempt import ConnectAttempt

                self._attempt = ConnectAttempt(functools.partial(self._connect, self._session.targets.current))
            case Signal.KEEPALIVE_WANTED if sock is not None:
                from sockctl.client.connect_attempt import watch_over

                watch_over(sock)
            case Signal.CONNECTION_DROPPED if sock is not None:
                sock.close()
                self._sock = None

    def _wait(self) -> "list[Transport | ConnectAttempt | Entries | int]":
        """Wait until something can be read or sent, or is due; return the readable ones."""
        sock, session = self._sock, self._session
        if self._may_pend and sock is not None and is_pending(sock):
            return [sock]  # select() can't see it
        typed = self._input if session.wants_input else None
        sources = [source for source in (sock, self._attempt, typed) if source is not None]
        left_s = None if session.wake_at is None else max(0.0, session.wake_at - time.monotonic())
        readable, _, _ = select.select(sources, [sock] if sock is not None and self._unsent else [], [], left_s)
        return readable

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
        self.perform(self._session.received(data, time.monotonic()))

    def _send(self, sock: Transport) -> None:
        try:
            count = sock.send(self._unsent)
        except (BlockingIOError, BrokenPipeError):
            # Broken: the server has reset the connection. Its last bytes are read first; its end shows what is unsent.
            return
        except OSError as error:
            self._break(error)
            return
        self.perform(self._session.sent(count, time.monotonic()))
        if self._dump is not None:
            self._dump.show_sent(bytes(self._unsent[:count]))
        del self._unsent[:count]

    def _break(self, cause: OSError) -> None:
        error = ConnectionBrokenError(f"The connection broke ({cause.strerror}): what was on its way is lost.")
        error.__cause__ = cause
        self.perform(self._session.broke(error, time.monotonic()))

    def _read(self) -> None:
        if not isinstance(self._input, int):
            self._take_entries(self._input)
            return
        try:
            data = os.read(self._input, READ_BYTES)
        except BlockingIOError:  # another process made it non-blocking, and took what was there
            return
        except OSError as error:
            raise StreamError(f"Standard input can't be read: {error.strerror}. Nothing more was sent.") from error
        if self._user is not None:
            self._screen.begin_line()
            if data:
                self._user.note_read()
            if (
                data.strip() in {EXIT, self._session.leave_word.encode()}
                and select.select([self._input], [], [], PASTE_S)[0]
            ):
                data = as_text(data)  # a line of a paste: nobody types the next one so soon
        self.perform(self._session.typed(data, time.monotonic()))

    def _take_entries(self, entries: "Entries") -> None:
        """Hand on what was entered in the line editor."""
        texts, is_typing, ended = entries.take()
        for text in texts:
            self.perform(self._session.enter(text, time.monotonic()))
        if is_typing and not texts:
            self.perform(self._session.note_typing(time.monotonic()))
        if ended:
            self.perform(self._session.typed(b"", time.monotonic()))

    def _finish_attempt(self, attempt: "ConnectAttempt") -> None:
        self._attempt = None
        try:
            sock = attempt.finish(self._screen.emit)
        except SockctlError as error:
            self.perform(self._session.connect_failed(error, time.monotonic()))
        else:
            self.begin(sock)
