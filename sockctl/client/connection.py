"""One connection of a session, from the first byte to the end."""

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.io_loop import Ending, Relay
from sockctl.client.outputs import Output
from sockctl.client.patience import Patience
from sockctl.client.receiver import Receiver
from sockctl.client.screen import Screen
from sockctl.client.sender import Sender
from sockctl.client.settings import ClientSettings
from sockctl.client.telling import Tell
from sockctl.client.traffic import TrafficMeter
from sockctl.errors import TlsError
from sockctl.events.base import Event
from sockctl.events.client import Disconnected, Greeted, InputEnded, TlsCut
from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.tty.user import TerminalUser
    from sockctl.protocol.messages import Message

__all__ = ["ClientConnection", "Stage"]

TLS_ALERT = b"\x15\x03"
"""How the answer of a TLS server begins to what is no TLS, RFC 8446 section 6."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a session has beyond its connections.

    Attributes:
        endpoint: The server, as the user has named it.
        encrypted: Whether connections are under TLS.
        settings: How the session behaves.
        screen: Where remarks go.
        tell: Takes the events.
        output: Where what is heard is shown.
        source: Where words come from.
        view: What is remembered of what was said; None for nothing.
        person: Whoever sits at the terminal; None for nobody.
    """

    endpoint: Endpoint
    encrypted: bool
    settings: ClientSettings
    screen: Screen
    tell: Tell
    output: Output
    source: LineInput | PipeInput
    view: "ChatView | None"
    person: "TerminalUser | None"


class ClientConnection:
    """A connection that stands, until it ends.

    Args:
        stage: The session.
        sock: The connection; `close` closes it.
        returning: Whether it takes the place of a lost one.
    """

    def __init__(self, stage: Stage, sock: Transport, *, returning: bool = False) -> None:
        self._stage = stage
        self._sock = sock
        self._returning = returning
        self._told = False
        settings, remark = stage.settings, stage.screen.remark
        self._started = time.monotonic()
        self._meter = TrafficMeter(self._tell_moved)
        self.dialogue = settings.dialogue(stage.endpoint, sock, remark, stage.view, returning=returning)
        self._script = settings.script(say=self._say, may_say=lambda: self.dialogue.may_say, leave=self._leave)
        self._receiver = Receiver(
            self.dialogue,
            stage.output,
            script=self._script,
            count=settings.count,
            send=self._answer,
            on_bytes=self._count_received,
            on_greeted=self._greeted,
            on_question=self._asked,
        )
        self._sender = Sender(
            stage.source,
            self.dialogue,
            by_hand=settings.terminal,
            on_raw=self._receiver.raw,
            on_line=self._line_taken,
            remark=remark,
            returning=returning,
        )
        self._patience = Patience(self.dialogue, self._sender, timeout_s=settings.timeout_s)
        self._relay = Relay(
            sock,
            self._script or self._sender,
            on_received=self._received,
            on_sent=self._sent,
            on_input_ended=lambda: stage.tell(InputEnded()),
            on_pause=self._pause,
            quit_after_s=settings.patience_s(self._script),
        )

    @property
    def left(self) -> bool:
        """Whether this side has ended its own."""
        return self._sender.ended

    @property
    def stood_s(self) -> float:
        """For how many seconds it has stood."""
        return time.monotonic() - self._started

    def listen(self, invite: Callable[[], None]) -> Ending | None:
        """Run until it is clear what the wire is; return how it ended, if it has.

        Args:
            invite: Called when words may come, once or more.
        """
        while self.dialogue.listening:
            if self._sender.wanted:
                invite()
            ending = self._relay.step()
            if ending is not None:
                return self._checked(ending)
        return None

    def run(self) -> Ending:
        """Run to the end, and return how it ended.

        Raises:
            SockctlError: The connection broke, the server did something else than expected, or a stream broke.
        """
        return self._checked(self._relay.run())

    def take_lines_from(self, source: LineInput) -> None:
        """Take what a person types from somewhere else."""
        self._sender.take_lines_from(source)

    def break_off(self) -> None:
        """Make `run` end soon; any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def dismiss(self) -> None:
        """Close the connection, and leave it to others to tell how it ended."""
        self._told = True
        self.close()

    def tell_end(self, reason: str) -> None:
        """Tell that it has ended, unless that was told."""
        if self._told:
            return
        self._told = True
        if getattr(self._sock, "cut", False):
            self._stage.screen.remark(f"sockctl: {TlsCut().text}")
        self._meter.tell_sum(ending=True)
        self._stage.tell(
            Disconnected(
                reason=reason,
                bytes_in=self._meter.bytes_in,
                bytes_out=self._meter.bytes_out,
                seconds=round(self.stood_s, 3),
            )
        )

    def _checked(self, ending: Ending) -> Ending:
        """See whether everything came, and went, that was to."""
        self._receiver.end(by_server=ending is Ending.SERVER_CLOSED)
        if ending is Ending.SERVER_CLOSED:
            self._sender.end()
        return ending

    # What the relay, and those who hear and speak, call.

    def _received(self, data: bytes) -> None:
        if not self._stage.encrypted and not self._meter.bytes_in and data.startswith(TLS_ALERT):
            raise TlsError("The server speaks TLS: write tls://HOST:PORT, or sockctls://HOST:PORT for messages.")
        self._receiver.received(data)
        if self._receiver.enough:
            self._relay.stop()

    def _count_received(self, size: int) -> None:
        self._meter.moved(received=size)

    def _sent(self, data: bytes) -> None:
        self._meter.moved(sent=len(data))
        self._stage.output.sent(data)

    def _answer(self, data: bytes) -> None:
        self._relay.answer(data)

    def _say(self, line: str) -> None:
        self._relay.send(self.dialogue.say(line))

    def _leave(self) -> None:
        self._relay.send(self.dialogue.leave())

    def _greeted(self) -> None:
        if self._stage.settings.returns:
            from sockctl.client.reconnect import watch_over

            watch_over(self._sock)
        if not self._returning or self._stage.settings.verbose:
            self._stage.tell(Greeted(service=self.dialogue.service))

    def _asked(self, question: "Message | None") -> None:
        if self._stage.person is not None:
            self._stage.person.asked(question)

    def _line_taken(self) -> None:
        if self._stage.person is not None:
            self._stage.person.line_taken()

    def _pause(self) -> float | None:
        """Do what is due, and return for how many seconds to wait at most."""
        self._receiver.catch_up()
        self._relay.send(self._sender.release())
        waits_s = [self._meter.tell_sum(), *self._patience.waits_s()]
        if self._script is not None and not (self.dialogue.listening and self.dialogue.insists):
            waits_s.append(self._script.advance())
        if self._receiver.enough:
            self._relay.stop()
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def _tell_moved(self, event: Event) -> None:
        """Tell what was moved; on a terminal it would drown what is said in messages."""
        if self._stage.settings.verbose or not self.dialogue.in_messages:
            self._stage.tell(event)
