"""Ends a login at its server: shows it the token, says ``logout``, and waits for its goodbye.

| state | what comes | next state | and |
|---|---|---|---|
| greeting awaited | the greeting of the token's service | token sent | hello and resume |
| token sent | ask, token | token sent | asked before it has seen the token |
| token sent | welcome | logout sent | a line with ``logout``, or ``/logout`` in a chat |
| logout sent | bye, `logged_out` | done | |
| any but done | error, another bye, the end, time is up | failed | |
"""

import contextlib
import select

from sockctl.client.token_store import KeptToken
from sockctl.deadline import Deadline
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, NotToldError
from sockctl.net.transport import Transport, is_pending
from sockctl.net.wait import wait_for
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, make_message
from sockctl.text import make_visible

COMMAND = "logout"
CHAT, CHAT_COMMAND = "chat", "/logout"
"""In a chat a line without a slash would be said in a room, in the user's name."""
READ_BYTES = 65_536


def log_out(sock: Transport, kept: KeptToken, *, timeout_s: float) -> None:
    """Log out on a new connection, which the caller closes; it is made non-blocking. Blocks for `timeout_s` at most.

    Args:
        sock: The connection; that it may carry a token is the caller's to know.
        kept: The login that is to end.
        timeout_s: Seconds for all of it.

    Raises:
        NotToldError: The server is another service, refused the token, or said something else than goodbye.
        ConnectTimeoutError: It took too long.
        ConnectionBrokenError: The server ended the connection, or reset it.
        ProtocolError: It broke the protocol, or didn't greet.
    """
    sock.setblocking(False)
    until = Deadline.after(timeout_s)
    logout = _Logout(kept)
    while not logout.is_done:
        if until.has_passed:
            raise ConnectTimeoutError(f"The server has not said goodbye within {timeout_s:g} s (--timeout).")
        if not is_pending(sock):  # select() can't see it
            event = select.POLLIN | (select.POLLOUT if logout.wire.outgoing else 0)
            with contextlib.suppress(TimeoutError):
                wait_for(sock.fileno(), event, until.left_s)
        try:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):  # broken: its last words are read first
                del logout.wire.outgoing[: sock.send(logout.wire.outgoing) if logout.wire.outgoing else 0]
            data = sock.recv(READ_BYTES)
        except BlockingIOError:
            continue
        except OSError as error:
            raise ConnectionBrokenError(
                f"The connection broke ({error.strerror}): what was on its way is lost."
            ) from error
        if not data:
            logout.wire.end()
            raise ConnectionBrokenError("The server ended the connection without a goodbye.")
        logout.receive(data)


class _Logout:
    """The states."""

    def __init__(self, kept: KeptToken) -> None:
        self.wire = ClientWire(insist=True, opening=self._open)
        self.is_done = False
        self._kept = kept
        self._said = False

    def receive(self, data: bytes) -> None:
        """Process bytes of the server."""
        self.wire.feed(data)
        for one in self.wire.decode_all():
            self._process(one)
            if self.is_done:
                return

    def _open(self, service: str) -> bytes:
        if service != self._kept.login.service:
            raise NotToldError(
                f"The service there is {service}, and the login is one of {self._kept.login.service}: nothing was sent "
                f"to it."
            )
        return ClientWire.hello() + ClientWire.encode(make_message("resume", token=self._kept.token))

    def _process(self, one: Message) -> None:
        match one.kind:
            case "welcome" if not self._said:
                self._said = True
                command = CHAT_COMMAND if self._kept.login.service == CHAT else COMMAND
                self.wire.outgoing += ClientWire.encode(make_message("line", command))
            case "bye" if self._said and one.get("reason") == "logged_out":
                self.is_done = True
            case "error" if not self._said and one.get("code") == "bad_token":
                raise NotToldError(f"It doesn't know the login any more, and says: {make_visible(one.text)}")
            case "error" | "bye":
                raise NotToldError(f"It said something else than goodbye: {make_visible(one.text)}")
