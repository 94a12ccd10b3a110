"""One session of the client: what is typed, piped in or scripted goes to the server, what comes back is shown.

On a terminal, and where messages are insisted on, it listens before it speaks. Once the server has greeted, whoever
sits in front gets the line editor, or plain lines.
"""

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.hearing import Hearing
from sockctl.cli.meter import Meter
from sockctl.cli.patience import Patience
from sockctl.cli.screen import Screen
from sockctl.cli.speaking import Speaking
from sockctl.cli.style import Style
from sockctl.cli.telling import Tell, teller
from sockctl.cli.terminal import say
from sockctl.errors import ConnectionBrokenError, ProtocolError, SockctlError, TlsError
from sockctl.events.base import Event
from sockctl.events.client import Disconnected, Greeted, InputEnded, TlsCut
from sockctl.net.address import Endpoint
from sockctl.net.client import connect
from sockctl.net.relay import Ending, Relay
from sockctl.net.transport import Transport

if TYPE_CHECKING:
    from sockctl.cli.trusting import Wishes
    from sockctl.protocol.messages import Message

__all__ = ["run_session"]

TLS_ALERT = b"\x15\x03"
"""How the answer of a TLS server begins to what is no TLS, RFC 8446 section 6."""


def run_session(
    endpoint: Endpoint, style: Style, wishes: "Wishes | None", *, retries: int, family: socket.AddressFamily
) -> ExitCode:
    """Connect to `endpoint`, under TLS if there are `wishes` for it, and hold the session.

    Raises:
        SockctlError: It can't be connected to, the connection broke, the server did something else than expected, or a
            standard stream broke.
    """
    screen = Screen()
    tell = teller(screen, wanted=style.terminal or style.verbose, details=style.verbose)
    secure = None
    if wishes is not None:
        from sockctl.cli.trusting import Trust

        secure = Trust(endpoint, wishes, tell).secure
    with connect(endpoint, tell=tell, timeout_s=style.timeout_s, retries=retries, family=family, secure=secure) as sock:
        return _Session(endpoint, sock, style, screen, tell, encrypted=secure is not None).run()


class _Session:
    """A connection that stands, until it ends."""

    def __init__(
        self, endpoint: Endpoint, sock: Transport, style: Style, screen: Screen, tell: Tell, *, encrypted: bool
    ) -> None:
        self._sock = sock
        self._encrypted = encrypted
        self._style = style
        self._tell = tell
        self._started = time.monotonic()
        self._meter = Meter(self._tell_moved)
        self._dialogue = style.dialogue(endpoint, sock, screen.remark)
        self._person = style.person(screen)
        self._script = style.script(say=self._say, may_say=self._may_say, leave=self._leave)
        self._output = style.output(screen)
        self._hearing = Hearing(
            self._dialogue,
            self._output,
            script=self._script,
            count=style.count,
            send=self._send,
            on_bytes=self._count_received,
            on_greeted=self._greeted,
            on_question=self._asked,
        )
        self._speaking = Speaking(
            style.source(),
            self._dialogue,
            by_hand=style.terminal,
            on_raw=self._hearing.raw,
            on_line=self._line_taken,
            remark=screen.remark,
        )
        self._patience = Patience(self._dialogue, self._speaking, timeout_s=style.timeout_s)
        self._relay = Relay(
            sock,
            self._script or self._speaking,
            on_received=self._received,
            on_sent=self._sent,
            on_input_ended=self._input_ended,
            on_pause=self._pause,
            quit_after_s=style.patience_s(self._script),
        )

    def run(self) -> ExitCode:
        """Hold the session to its end."""
        try:
            ending = self._hold()
            if getattr(self._sock, "cut", False):
                say(f"sockctl: {TlsCut().text}")
            self._hearing.end(by_server=ending is Ending.SERVER_CLOSED)
            if ending is Ending.SERVER_CLOSED:
                self._speaking.end()
        except BrokenPipeError:
            self._end("output_closed")  # as with `| head -1`: who reads has enough
            return ExitCode.DONE
        except KeyboardInterrupt:
            self._end("interrupted")
            return ExitCode.INTERRUPTED
        except SockctlError as error:
            broken, protocol = isinstance(error, ConnectionBrokenError), isinstance(error, ProtocolError)
            self._end("reset" if broken else "protocol_error" if protocol else "failed")
            raise
        finally:
            if self._person is not None:
                self._person.leave()
        by_hand = self._style.terminal and self._speaking.ended
        self._end("client_exit" if by_hand else str(ending))
        return ExitCode.DONE

    def _hold(self) -> Ending:
        """Run the relay to its end, under the line editor where that can be."""
        if self._person is None:
            return self._relay.run()
        while self._dialogue.listening:
            if self._speaking.wanted:
                self._person.invite()
            ending = self._relay.step()
            if ending is not None:
                return ending
        self._person.invite()
        if self._dialogue.in_messages:
            ending = self._person.edit(self._relay.run, self._break_off, self._speaking.take_lines_from)
            if ending is not None:
                return ending
        return self._relay.run()

    def _break_off(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _end(self, reason: str) -> None:
        if self._person is not None:
            self._person.leave()
        self._meter.tell_sum(ending=True)
        self._tell(
            Disconnected(
                reason=reason,
                bytes_in=self._meter.bytes_in,
                bytes_out=self._meter.bytes_out,
                seconds=round(time.monotonic() - self._started, 3),
            )
        )

    # What the relay, and those who hear and speak, call.

    def _received(self, data: bytes) -> None:
        if not self._encrypted and not self._meter.bytes_in and data.startswith(TLS_ALERT):
            raise TlsError("The server speaks TLS: write tls://HOST:PORT, or sockctls://HOST:PORT for messages.")
        self._hearing.received(data)
        if self._hearing.enough:
            self._relay.stop()

    def _count_received(self, size: int) -> None:
        self._meter.moved(received=size)

    def _sent(self, data: bytes) -> None:
        self._meter.moved(sent=len(data))
        self._output.sent(data)

    def _send(self, data: bytes) -> None:
        self._relay.send(data)

    def _say(self, line: str) -> None:
        self._relay.send(self._dialogue.say(line))

    def _may_say(self) -> bool:
        return self._dialogue.may_say

    def _leave(self) -> None:
        self._relay.send(self._dialogue.leave())

    def _greeted(self) -> None:
        self._tell(Greeted(service=self._dialogue.service))

    def _asked(self, question: "Message | None") -> None:
        if self._person is not None:
            self._person.asked(question)

    def _line_taken(self) -> None:
        if self._person is not None:
            self._person.line_taken()

    def _input_ended(self) -> None:
        self._tell(InputEnded())

    def _pause(self) -> float | None:
        """Do what is due, and return for how many seconds to wait at most."""
        self._hearing.catch_up()
        self._relay.send(self._speaking.release())
        waits_s = [self._meter.tell_sum(), *self._patience.waits_s()]
        if self._script is not None and not (self._dialogue.listening and self._dialogue.insists):
            waits_s.append(self._script.advance())
        if self._hearing.enough:
            self._relay.stop()
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def _tell_moved(self, event: Event) -> None:
        """Tell what was moved; on a terminal it would drown what is said in messages."""
        if self._style.verbose or not self._dialogue.in_messages:
            self._tell(event)
