"""Ends a login at its server: shows it the token, says ``logout``, and waits for its goodbye.

| state | what comes | next state | and |
|---|---|---|---|
| greeting awaited | the greeting of the token's service | token sent | hello and resume |
| token sent | ask, token | token sent | asked before it has seen the token |
| token sent | welcome | logout sent | a line with ``logout`` |
| logout sent | bye, `logged_out` | done | |
| any but done | error, another bye, the end, time is up | failed | |
"""

import time

from sockctl.client.io_loop import Relay
from sockctl.client.token_store import KeptToken
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, NotToldError
from sockctl.net.transport import Transport
from sockctl.protocol.client_wire import ClientWire, Phase
from sockctl.protocol.messages import Message, message
from sockctl.text import visible

__all__ = ["log_out"]

COMMAND = "logout"


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
    _Logout(sock, kept, timeout_s).run()


class _Logout:
    """The states, and the input of the relay that moves the bytes: there is none."""

    ended = wanted = False

    def __init__(self, sock: Transport, kept: KeptToken, timeout_s: float) -> None:
        self._kept = kept
        self._timeout_s = timeout_s
        self._until = time.monotonic() + timeout_s
        self._wire = ClientWire(insist=True)
        self._said = self._done = False
        self._relay = Relay(
            sock,
            self,
            on_received=self._received,
            on_sent=lambda _: None,
            on_input_ended=lambda: None,
            on_pause=self._left_s,
            quit_after_s=None,
        )

    def run(self) -> None:
        self._relay.run()
        if not self._done:
            self._wire.end()
            raise ConnectionBrokenError("The server ended the connection without a goodbye.")

    def fileno(self) -> int:
        return -1

    def read(self) -> bytes:
        return b""

    def _left_s(self) -> float:
        left_s = self._until - time.monotonic()
        if left_s <= 0 and not self._done:
            raise ConnectTimeoutError(f"The server has not said goodbye within {self._timeout_s:g} s (--timeout).")
        return max(0.0, left_s)

    def _received(self, data: bytes) -> None:
        listening = self._wire.phase is Phase.LISTENING
        self._wire.feed(data)
        if self._wire.phase is Phase.LISTENING:
            return
        if listening:
            self._greeted()
        while not self._done and (heard := self._wire.take()):
            for one in heard:
                self._hear(one)

    def _greeted(self) -> None:
        service = self._kept.login.service
        if self._wire.service != service:
            raise NotToldError(
                f"The service there is {self._wire.service}, and the login is one of {service}: nothing was sent to it."
            )
        self._relay.send(ClientWire.hello() + ClientWire.encode(message("resume", token=self._kept.token)))

    def _hear(self, one: Message) -> None:
        match one.kind:
            case "welcome" if not self._said:
                self._said = True
                self._relay.send(ClientWire.encode(message("line", COMMAND)))
            case "bye" if self._said and one.get("reason") == "logged_out":
                self._done = True
                self._relay.stop()
            case "error" if not self._said and one.get("code") == "bad_token":
                raise NotToldError(f"It doesn't know the login any more, and says: {visible(one.text)}")
            case "error" | "bye" if not self._done:
                raise NotToldError(f"It said something else than goodbye: {visible(one.text)}")
