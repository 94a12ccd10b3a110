"""A session of the client without I/O: bytes, lines and the time in, events out.

The session knows no socket, terminal, thread or clock. One loop reads and writes for it, and carries out the events in
order. The module is a long one, since it names each input of a session once.

A session may outlive its connection: where the server has welcomed and given a token, a lost connection is made again,
and the server lets the client in by the token. A person's does, others do where that was asked for. The user may have
named several servers of one chat. Then any session goes on to the next one until one has let the client in, and a
lost connection is made again at the next one.

| state | what comes | next state | and |
|---|---|---|---|
| connecting | `connected` | connected | |
| connecting | `connect_failed` | waiting, or ended | |
| connected | the first server of several doesn't let the client in | waiting, or ended | the next one is tried |
| connected | the connection is lost | waiting, or ended | the user learns which lines may not have arrived |
| waiting | the pause is over | connecting | `Signal.CONNECTION_WANTED` |
| waiting, connecting | a line | the same | it is refused; from the line editor, it waits; no pipe is read |
| waiting, connecting | the end of a person's input | ended | |
| waiting, connecting | the time of the script or of --idle-timeout is up | ended | |
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.connection import ClientConnection
from sockctl.client.connection_parts import ConnectionParts
from sockctl.client.entry import Secret
from sockctl.client.inputs import LineInput
from sockctl.client.sender import refuse_lines
from sockctl.client.session_events import EndReason, EventToEmit, Remark, SessionEnded, SessionEvent, TextReturned
from sockctl.client.session_parts import Protocols, make_script, make_source, make_view, may_go_on, may_return
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.errors import ConnectionBrokenError, InputDiscardedError, SockctlError
from sockctl.events.base import Event
from sockctl.events.client import Disconnected
from sockctl.net.address import is_unix
from sockctl.text import format_count

if TYPE_CHECKING:
    from sockctl.client.absence import Absence
    from sockctl.client.person import Person
    from sockctl.client.reconnect import Reconnector
    from sockctl.client.server_identity import ServerIdentity
    from sockctl.client.token_store import TokenStore
    from sockctl.protocol.client_wire import ClientWire


class ClientSession:
    """A session. Not thread-safe. Times are seconds of one monotonic clock.

    Args:
        targets: The servers, as the user has named them; the client has connected with the current one.
        settings: How the session behaves.
        open_tokens: Opens the store of tokens, which the session reads and writes.
        encrypted: Whether connections are under TLS.
        own_lines_stay: Whether typed lines stay on the terminal, so that they aren't shown when they come back.
        edits: Whether a person may get the line editor, and with it the whole look of a chat.
        reconnector: Decides on pauses; None for the usual ones.
        number: The number of the client at the other end, where this side has listened; None where it has connected.

    Attributes:
        settings: As the argument.
        targets: As the argument; `Signal.CONNECTION_WANTED` wants a connection with the current one.
        view: The memory of a chat; None without one.
        wants_input: Whether the input is to be read.
        wake_at: When `advance` is due at the latest; None for never.
    """

    def __init__(
        self,
        targets: Targets,
        settings: ClientSettings,
        *,
        open_tokens: "Callable[[], TokenStore]",
        encrypted: bool = False,
        own_lines_stay: bool = True,
        edits: bool = False,
        reconnector: "Reconnector | None" = None,
        number: int | None = None,
    ) -> None:
        self.settings = settings
        self.targets = targets
        self.wants_input = False
        self.wake_at: float | None = None
        self._encrypted = encrypted
        self._reconnector = reconnector
        self._absence: Absence | None = None  # made when a connection is lost for the first time
        self._events: list[SessionEvent] = []
        self._connection: ClientConnection | None = None
        self._is_over = False
        self._source = make_source(settings)
        self._script = make_script(settings, "server" if number is None else "client")
        self._number = number
        self.view = make_view(settings, own_lines_stay=own_lines_stay, remark=self._remark)
        self._protocols = Protocols(
            targets, settings, open_tokens=open_tokens, view=self.view, remark=self._remark, edits=edits
        )
        self._person: Person | None = None  # made with the first entry

    @property
    def is_listening(self) -> bool:
        """Whether it is still open whether the server speaks in messages."""
        if self._connection is None:
            return self._absence is not None and self.targets.home is None
        return self._wire is not None and self._wire.is_listening

    @property
    def is_framed(self) -> bool:
        """Whether both sides speak in messages."""
        return self._wire is not None and self._wire.is_framed

    @property
    def is_trying(self) -> bool:
        """Whether the client was let in once, and tries to be let in again."""
        is_in = self._connection is not None and self._connection.is_welcomed
        return self.targets.home is not None and not (is_in or self._is_over)

    @property
    def leave_word(self) -> str:
        """The word with which a person at the line editor ends the connection."""
        protocol = None if self._connection is None else self._connection.protocol
        return "/quit" if protocol is not None and protocol.is_chat else "exit"

    @property
    def _wire(self) -> "ClientWire | None":
        connection = self._connection
        return None if connection is None or connection.protocol is None else connection.protocol.wire

    def away_s(self, now: float) -> float | None:
        """Return in how many seconds the client connects again, 0 while it tries; None where no connection was lost."""
        return None if self._connection is not None or self._absence is None else self._absence.left_s(now)

    # From the connection.

    def connected(self, server: "ServerIdentity | None", now: float) -> list[SessionEvent]:
        """Begin with a connection that stands.

        Args:
            server: Which server it has reached; None where both sides stay with raw bytes.
            now: The time.
        """
        goes_on = self.targets.home is None and self.targets.has_more
        tries_again = goes_on or (self.targets.home is not None and self.settings.reconnects)
        protocol = None if server is None else self._protocols.make(server, self._absence, tries_again=tries_again)
        parts = ConnectionParts(
            self.settings,
            self._source,
            protocol,
            self._script,
            self._events,
            now,
            goes_on=goes_on,
            local=is_unix(self.targets.current.host),
            peer=str(self.targets.current),
            number=self._number,
        )
        returning = self._absence is not None and self.settings.terminal
        self._connection = ClientConnection(parts, now, encrypted=self._encrypted, returning=returning)
        if self._absence is not None:
            self._connection.hold(self._absence.lines)
        return self.advance(now)

    def connect_failed(self, error: SockctlError, now: float) -> list[SessionEvent]:
        """Process that a connection that was wanted couldn't be made."""
        from sockctl.client.reconnect import FAILED, PASSED_OVER

        may_go_on = isinstance(error, PASSED_OVER if self.targets.home is None else FAILED)
        if may_go_on and self._absence is not None and (self.targets.home is not None or self.targets.has_more):
            self._absence.go_on(error, now)
        else:
            self._end(EndReason.of(error), self.targets.explain(error) if may_go_on else error)
        return self.advance(now)

    def received(self, data: bytes, now: float) -> list[SessionEvent]:
        """Process bytes of the server; no bytes mean the end of its side."""
        return self._process(now, ClientConnection.receive, data)

    def broke(self, error: ConnectionBrokenError, now: float) -> list[SessionEvent]:
        """Process that the connection broke."""
        return self._process(now, ClientConnection.break_off, error)

    def sent(self, count: int, now: float) -> list[SessionEvent]:
        """Count bytes of `BytesToSend` that went out."""
        return self._process(now, ClientConnection.count_sent, count)

    def close(self, reason: EndReason, now: float, *, cut: bool = False) -> list[SessionEvent]:
        """Emit how the connection has ended, if there is one.

        Args:
            reason: Why.
            now: The time.
            cut: Whether it ended without the goodbye of TLS.
        """
        connection, self._connection = self._connection, None
        self._is_over = True
        if connection is not None:
            connection.end.say_last(reason)
            if cut:
                from sockctl.events.client_tls import TlsCut

                self._remark(TlsCut().text)
            connection.meter.emit_sum(now)
            moved = {"bytes_in": connection.meter.bytes_in, "bytes_out": connection.meter.bytes_out}
            seconds = round(now - connection.started, 3)
            ended: Event = Disconnected(
                connection=self._number, reason=reason, **moved, seconds=seconds, local=connection.local
            )
            if connection.datagrams is not None:
                ended = connection.datagrams.make_ended(reason, now, seconds)
            self._events.append(EventToEmit(ended))
        return self.advance(now)

    # From the user and the clock.

    def typed(self, data: bytes, now: float) -> list[SessionEvent]:
        """Process bytes of the input; no bytes mean its end."""
        if self._connection is None and self.settings.terminal and isinstance(self._source, LineInput):
            self._events += refuse_lines(self._source.feed(data))
        return self._process(now, ClientConnection.type, data)

    def enter(self, text: str, now: float) -> list[SessionEvent]:
        """Process what a person has entered in the line editor: a line, or several with line feeds."""
        if self._is_over or self._source.ended:
            if not isinstance(text, Secret):
                self._events.append(TextReturned(text, "Not sent"))
            return self.advance(now)
        if self._person is None:
            from sockctl.client.person import Person

            self._person = Person(self._events, self.view)
        entry = self._person.enter(text, self._connection, now)
        if self._person.wants_to_leave:
            return self.typed(b"", now)
        return self.advance(now) if entry is None else self._process(now, ClientConnection.enter, entry)

    def note_typing(self, now: float) -> list[SessionEvent]:
        """Process that something is being typed in the line editor, which is no command and no secret."""
        protocol = None if self._connection is None else self._connection.protocol
        if protocol is None or not protocol.may_tell_typing(now):
            return []
        return self._process(now, ClientConnection.tell_typing)

    def advance(self, now: float) -> list[SessionEvent]:
        """Do all that is due."""
        return self._process(now)

    def _process(self, now: float, step: Callable[..., None] | None = None, *arguments: object) -> list[SessionEvent]:
        """Carry out a step of the connection, if there is one, and all that is due; return the events."""
        connection = self._connection
        if not self._is_over and connection is None and self._absence is not None:
            self._go_on_waiting(self._absence, now)
        elif not self._is_over and connection is not None:
            try:
                if step is not None:
                    step(connection, *arguments, now)
                self._note_server(connection)
                if self._person is not None:
                    self._send_waiting(self._person, connection, now)
                connection.settle(now)
                error = None
            except SockctlError as raised:
                error = None if connection.end.forgives(raised) else raised
            if error is not None or connection.end.reason is not None:
                self._end_connection(connection, error, now)
            else:
                self.wants_input, self.wake_at = connection.wants_input, connection.wake_at
        if self._person is not None:
            self._person.give_way()
        if self._absence is not None:
            self._absence.note_arrived()
        events = self._events[:]
        self._events.clear()
        return events

    def _note_server(self, connection: ClientConnection) -> None:
        if connection.is_welcomed and (moved := self.targets.note_welcome()) is not None:
            self._events.append(EventToEmit(moved))

    def _send_waiting(self, person: "Person", connection: ClientConnection, now: float) -> None:
        """Let the entries go that waited for the connection, or for its welcome."""
        for entry in person.take_waiting(connection, now):
            connection.enter(entry, now)
        if person.wants_to_leave:
            self._source.feed_raw(b"")

    # How a connection ends, and another one comes.

    def _end_connection(self, connection: ClientConnection, error: SockctlError | None, now: float) -> None:
        self._note_server(connection)
        was_in = self.targets.home is not None
        has_failed = self.targets.are_several and not was_in and may_go_on(self.settings, connection, error)
        goes_on = has_failed and connection.goes_on
        comes_back = goes_on or (was_in and may_return(self.settings, connection, error))
        may_be_lost = self.settings.reconnects and (comes_back or not self.settings.terminal)
        if self._absence is None and (goes_on or may_be_lost):
            from sockctl.client.absence import Absence
            from sockctl.client.reconnect import Reconnector

            reconnector = self._reconnector or Reconnector(self.targets, self.settings.return_pauses)
            self._absence = Absence(self.settings, self.view, self._events, reconnector)
        if self._absence is None or not comes_back:
            if self._absence is not None and not self.settings.terminal and not connection.was_completed:
                self._absence.tell_doubtful()
            reason, judgement = connection.end.explain(error), connection.end.judge(error)
            if connection.end.reason is EndReason.QUIT_AFTER and judgement is None:
                judgement = self._tell_unconfirmed(connection)
            connection.give_back()
            self._end(reason, self.targets.explain(judgement) if has_failed and judgement is not None else judgement)
            return
        self._connection = None
        if goes_on:
            self._protocols.restart()
            if self._script is not None:
                self._script.restart()
        self._absence.begin(connection, error, now)
        self._go_on_waiting(self._absence, now)

    def _tell_unconfirmed(self, connection: ClientConnection) -> SockctlError | None:
        """Tell a person who has left a chat without waiting for its end what has not come back by then."""
        is_chat = connection.protocol is not None and connection.protocol.is_chat
        lines = [] if self.view is None or not is_chat or not self.settings.terminal else self.view.lose()
        self._events += [TextReturned(line, "This may not have arrived") for line in lines]
        if not lines:
            return None
        return InputDiscardedError(
            f"{format_count(len(lines), 'line')} may not have arrived: the server did not answer."
        )

    def _go_on_waiting(self, absence: "Absence", now: float) -> None:
        """Go on without a connection: a person may end that, and the pause may be over."""
        self.wants_input = self.settings.terminal
        try:
            if self._source.ended and self.settings.terminal:
                self._end(EndReason.STOPPED, None)
            else:
                absence.settle(None if self._script is None else self._script.deadline, now)
        except SockctlError as error:
            self._end(EndReason.of(error), error)
        self.wake_at = absence.wake_at

    def _end(self, reason: EndReason, error: SockctlError | None) -> None:
        if self._person is not None:
            self._person.give_back()
        self._is_over = True
        if error is None and self._absence is not None:
            error = self._absence.judge()
        self._events.append(SessionEnded(reason, error))

    def _remark(self, text: str, *, is_error: bool = True) -> None:
        self._events.append(Remark(text, is_error))
