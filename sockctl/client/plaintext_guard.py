"""Passwords on connections in clear: the client sends none where a stranger on the way could read it."""

from typing import TYPE_CHECKING

from sockctl.errors import ConnectTimeoutError, InsecureError
from sockctl.net.address import Endpoint, is_loopback
from sockctl.net.transport import TlsTransport, Transport

if TYPE_CHECKING:
    from sockctl.protocol.messages import Message

NO_PASSWORD_SERVICES = frozenset({"identify", "talk"})
"""Services that ask for no password and give no token: lines to them may go ahead of their questions."""
_OPENING = frozenset({"ask", "welcome", "error"})


def is_in_clear(sock: Transport) -> bool:
    """Return whether others could read the bytes on `sock`: it isn't encrypted, and it leaves this machine."""
    if isinstance(sock, TlsTransport):
        return False
    try:
        address = getattr(sock, "getpeername")()  # noqa: B009  what isn't TLS is a socket
    except OSError:
        return True  # the connection is gone already, perhaps one to another machine
    return isinstance(address, tuple) and not is_loopback(address[0])  # that of a Unix socket is its path


def make_never_asked_error(timeout_s: float, *, in_turns: bool = True) -> ConnectTimeoutError:
    """Return the error of a line that has waited too long for its turn.

    Args:
        timeout_s: For how many seconds.
        in_turns: Whether it waited for its question; else for a `PlaintextGuard`.
    """
    text = f"The server has neither asked nor welcomed within {timeout_s:g} s (--timeout)"
    if in_turns:
        return ConnectTimeoutError(f"{text}: the next line was not sent. tcp://HOST:PORT sends it at once.")
    return ConnectTimeoutError(
        f"{text}, and until then nothing is sent in clear that it could take for a password. sockctls://HOST:PORT is "
        f"encrypted; --insecure sends it at once."
    )


class PlaintextGuard:
    """Keeps passwords back on a connection in clear.

    A server may take a line for the answer to a question that it is about to ask. So a line waits until the server has
    asked or welcomed, and after an answer until the server has done so again, or sent an error.

    Args:
        endpoint: The server, as the user has named it.

    Attributes:
        can_send: Whether a line may go out now.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waits = True
        self.can_send = False

    def greet(self, service: str) -> None:
        """Let lines go at once where the service asks for no password."""
        if service in NO_PASSWORD_SERVICES:
            self._waits, self.can_send = False, True

    def receive(self, kind: str) -> None:
        """Let lines go after the server has asked, welcomed or told an error."""
        if kind in _OPENING:
            self.can_send = True

    def hold(self) -> None:
        """Hold lines back after an answer."""
        self.can_send = not self._waits

    def check(self, question: "Message | None") -> None:
        """Refuse to answer a question for a password.

        Raises:
            InsecureError: It is one.
        """
        if question is None:
            return
        if question.asks_secret or question.get("field") == "password":
            raise InsecureError(
                f"The password was not sent: the connection to {self._endpoint} is not encrypted, and anybody on the "
                f"way could read it. If the server speaks TLS, write sockctls://{self._endpoint}; --insecure sends "
                f"passwords in clear."
            )
