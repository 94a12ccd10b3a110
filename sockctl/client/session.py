"""One session of the client: what is typed, piped in or scripted goes to the server, what comes back is shown.

On a terminal, and where messages are insisted on, it listens before it speaks. Once the server has greeted, whoever
sits in front gets the line editor, or plain lines. There a session outlives its connection: where the server has
welcomed and given a token, a lost connection is made again, and the server lets one in by the token.
"""

import socket
import threading
from typing import TYPE_CHECKING

from sockctl.client.connection import ClientConnection, Stage
from sockctl.client.inputs import LineInput
from sockctl.client.io_loop import Ending
from sockctl.client.screen import Screen
from sockctl.client.settings import ClientSettings
from sockctl.client.telling import Tell, teller
from sockctl.errors import ConnectionBrokenError, ProtocolError, SockctlError
from sockctl.net.address import Endpoint
from sockctl.net.connector import Secure, connect
from sockctl.net.transport import Transport
from sockctl.text import visible

if TYPE_CHECKING:
    from sockctl.client.reconnect import Connect, Reconnector
    from sockctl.client.trust import TlsPolicy

__all__ = ["run_session"]


def run_session(
    endpoint: Endpoint,
    settings: ClientSettings,
    policy: "TlsPolicy | None",
    *,
    retries: int,
    family: socket.AddressFamily,
) -> bool:
    """Connect to `endpoint`, under TLS if there is a `policy` for it, and hold the session.

    Returns:
        Whether it came to its end; False where Ctrl-C ended it.

    Raises:
        SockctlError: It can't be connected to, the connection broke, the server did something else than expected, or a
            standard stream broke.
    """
    screen = Screen()
    tell = teller(screen, wanted=settings.terminal or settings.verbose, details=settings.verbose)
    secure = _secured(endpoint, policy, tell)

    def connect_again(tell: Tell) -> Transport:
        from dataclasses import replace

        asking_nobody = None if policy is None else replace(policy, may_ask=False)  # the terminal has its line to show
        secure = _secured(endpoint, asking_nobody, tell)
        return connect(endpoint, tell=tell, timeout_s=settings.timeout_s, family=family, secure=secure)

    sock = connect(endpoint, tell=tell, timeout_s=settings.timeout_s, retries=retries, family=family, secure=secure)
    view = settings.view(screen)
    stage = Stage(
        endpoint=endpoint,
        encrypted=secure is not None,
        settings=settings,
        screen=screen,
        tell=tell,
        output=settings.output(screen, view),
        source=settings.source(),
        view=view,
        person=settings.person(screen, view),
    )
    return _Session(stage, sock, connect_again).run()


def _secured(endpoint: Endpoint, policy: "TlsPolicy | None", tell: Tell) -> Secure | None:
    if policy is None:
        return None
    from sockctl.client.trust import Trust

    return Trust(endpoint, policy, tell).secure


class _Session:
    """A session, which begins with a connection that stands."""

    def __init__(self, stage: Stage, sock: Transport, connect_again: "Connect") -> None:
        self._stage = stage
        self._connect_again = connect_again
        self._reconnector: Reconnector | None = None
        self._lost = False  # whether a connection was lost: then one that is not let in is only one more try
        self._stopped = threading.Event()  # Ctrl-C was typed: whoever sets it then breaks off the link
        self._link = ClientConnection(stage, sock)

    def run(self) -> bool:
        """Hold the session to its end; return False where Ctrl-C ended it."""
        try:
            ending = self._hold()
            self._leave_terminal()
            by_hand = self._stage.settings.terminal and self._link.left
            self._link.tell_end("client_exit" if by_hand else str(ending))
        except BrokenPipeError:
            self._end("output_closed")  # as with `| head -1`: who reads has enough
        except KeyboardInterrupt:
            self._end("interrupted")
            return False
        except SockctlError as error:
            broken, protocol = isinstance(error, ConnectionBrokenError), isinstance(error, ProtocolError)
            self._end("reset" if broken else "protocol_error" if protocol else "failed")
            raise
        finally:
            self._leave_terminal()
            self._link.close()
        return True

    def _hold(self) -> Ending:
        """Run to the end, under the line editor where that can be."""
        person = self._stage.person
        if person is None:
            return self._link.run()
        ending = self._link.listen(person.invite)
        if ending is not None:
            return ending
        if not self._link.dialogue.in_messages:
            person.invite()
            return self._link.run()
        return person.edit(self._stay, self._stop, self._take_lines_from) or self._stay()

    def _stay(self) -> Ending:
        """Run to the end, over as many connections as it takes."""
        while True:
            error: SockctlError | None = None
            ending = Ending.STOPPED
            try:
                ending = self._link.run()
            except SockctlError as raised:
                if not self._comes_back(raised):
                    raise
                error = raised
            if error is None and not (ending is Ending.SERVER_CLOSED and self._comes_back(None)):
                return ending
            if not self._come_back(error):
                return Ending.STOPPED

    def _comes_back(self, error: SockctlError | None) -> bool:
        """Return whether the connection that has just ended is made again."""
        link = self._link
        if not self._stage.settings.returns or self._stopped.is_set() or link.left or link.dialogue.is_over:
            return False
        from sockctl.client.reconnect import FAILED, LOST

        if link.dialogue.is_in:
            return link.dialogue.may_return and (error is None or isinstance(error, LOST))
        return self._lost and (error is None or isinstance(error, FAILED))

    def _come_back(self, error: SockctlError | None) -> bool:
        """Make the connection again; return False if the person has ended the session instead."""
        from sockctl.client.reconnect import Reconnector

        stage, reconnector = self._stage, self._reconnector
        if reconnector is None:
            reconnector = Reconnector(self._connect_again, tell=stage.tell, remark=stage.screen.remark)
            self._reconnector = reconnector
        assert isinstance(stage.source, LineInput)  # noqa: S101  a person types
        link = self._link
        pause_s = reconnector.lost(error, stood_s=link.stood_s) if link.dialogue.is_in else reconnector.failed(error)
        self._lost = True
        link.dismiss()
        if stage.person is not None:
            stage.person.asked(None)
        for text in stage.view.lost() if stage.view is not None else ():
            stage.screen.remark(f"sockctl: This may not have arrived: {visible(text)}")
        sock = reconnector.find(stage.source, pause_s)
        if sock is None:
            return False
        self._link = ClientConnection(stage, sock, returning=True)
        if self._stopped.is_set():
            self._link.break_off()
        return True

    def _take_lines_from(self, source: LineInput) -> None:
        self._stage.source = source
        self._link.take_lines_from(source)

    def _stop(self) -> None:
        self._stopped.set()
        self._link.break_off()

    def _leave_terminal(self) -> None:
        if self._stage.person is not None:
            self._stage.person.leave()

    def _end(self, reason: str) -> None:
        self._leave_terminal()
        self._link.tell_end(reason)
