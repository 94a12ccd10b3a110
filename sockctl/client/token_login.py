"""Logging in once: the token that a server gives is kept, and shown to it the next time in place of a password.

| state | what comes | next state | and |
|---|---|---|---|
| undecided | ask | undecided | it is not shown: the server asks again if it refuses |
| undecided | error | refused | `bad_token`: the token is forgotten |
| undecided, refused | token, welcome, bye | decided | |
| undecided | nothing, until the time is up | decided | what was asked is shown after all |
| refused | ask | decided | it is shown |
| any | token | | it is never shown, and held for this session |
| any | welcome | decided | the token is kept for the next time, if it is a user's: a guest's is for this session only |

Without a token that could be sent, everything is decided from the start. A script that logs in by itself does so every
time. A pipe can't be asked what it is going to say: where the token has let it in, the name and password that it begins
with are not said, lest a password be taken for a line like any other.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.client.chat.view import Held
from sockctl.client.plaintext_guard import NO_PASSWORD_SERVICES
from sockctl.errors import StoreError
from sockctl.net.address import Endpoint, host_of
from sockctl.net.transport import TlsTransport, Transport
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, message
from sockctl.protocol.names import same_name_key

if TYPE_CHECKING:
    from sockctl.client.token_store import TokenStore

__all__ = ["TokenLogin", "place_behind"]

ANSWERS = 2
"""Lines with which one logs in: name and password."""


def place_behind(sock: Transport, endpoint: Endpoint) -> tuple[Endpoint, str]:
    """Return where a token counts that comes on this connection: at which server, and the SHA-256 of its certificate.

    Under TLS that is the server as the user has named it. Without TLS nothing shows that the program at another address
    of that name is the same server: there the token counts at this very address, and the second is empty.

    Args:
        sock: The connection.
        endpoint: The server, as the user has named it.
    """
    if isinstance(sock, TlsTransport):
        from sockctl.net.fingerprints import fingerprint_of

        return endpoint, fingerprint_of(sock.certificate())
    try:
        address = getattr(sock, "getpeername")()  # noqa: B009  what isn't TLS is a socket
    except OSError:
        return endpoint, ""  # the connection is gone already: no token can be shown on it
    return Endpoint(host_of(address), address[1]), ""


class TokenLogin:
    """What a connection does about its login. A file that can't be used is told once, and done without.

    Args:
        endpoint: At which server its tokens count, as `place_behind` returns it.
        fingerprint: The SHA-256 of its certificate on this connection; empty without TLS.
        keeps: Whether tokens are used and kept; else the server is asked to make none.
        state_dir: The folder where they are kept, as it was chosen.
        timeout_s: How many seconds the server may take to decide, before what it asks is shown all the same.
        remark: Tells the user something.
        logs_in_itself: Says whether a script answers by itself what a server asks a user of that name.
        piped: Whether lines come from a pipe, which may begin with the user's name and password.
        held: What an earlier connection of this session was let in with.

    Attributes:
        held: What this session can be let in with again, if it has something.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        fingerprint: str,
        *,
        keeps: bool,
        state_dir: Path | None,
        timeout_s: float,
        remark: Callable[[str], None],
        logs_in_itself: Callable[[str], bool],
        piped: bool,
        held: Held | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._fingerprint = fingerprint
        self._keeps = keeps
        self._state_dir = state_dir
        self._timeout_s = timeout_s
        self._remark = remark
        self._logs_in_itself = logs_in_itself
        self._piped = piped
        self.held = held
        self._lines = 0  # said on this connection
        self._resumed = self._not_needed = False
        self._service = ""
        self._tokens: TokenStore | None = None
        self._token: str | None = None  # the one that the file has, as far as this session knows
        self._new: tuple[str, object] | None = None  # one that has just come, and until when it counts
        self._user = ""
        self._until: float | None = None  # up to when the server may decide; None when it has
        self._refused = False
        self._question: Message | None = None  # asked while it was undecided

    @property
    def undecided(self) -> bool:
        """Whether the server has yet to say what it makes of the token; until then nothing is said to it."""
        return self._until is not None

    def opening(self, service: str, seen: dict[str, int] | None = None, name: str = "") -> bytes:
        """Return what answers the greeting of `service`: a hello, and the token if there is one for it.

        Args:
            service: The service.
            seen: The rooms of the connection before, and the last that was seen of each.
            name: The name that one had there, for a server that knows the token no more and lets anybody in.
        """
        self._service = service
        if service in NO_PASSWORD_SERVICES:
            self._keeps = False
            return ClientWire.hello()
        held = self._find()
        if held is not None and self._logs_in_itself(held.user):
            held, self._keeps = None, False
        self.held = held
        if held is None:
            return ClientWire.hello(session=self._keeps)
        self._token, self._user = held.token, held.user
        self._until = time.monotonic() + self._timeout_s
        return ClientWire.hello() + ClientWire.encode(message("resume", token=held.token, seen=seen, name=name or None))

    def admits(self, one: Message) -> bool:
        """Take note of what the server says, in its order; return whether it is to be shown."""
        match one.kind:
            case "token":
                self._resumed = self.undecided and not self._refused
                self._decided()
                token = one.fields.get("token")
                if isinstance(token, str) and self._keeps:
                    self._new = token, one.fields.get("expires")
                return False
            case "ask" if self.undecided and not self._refused:
                self._question = one
                return False
            case "ask":
                self._decided()
            case "welcome":
                self._decided()
                self._welcomed(one.get("user"))
            case "error":
                self._refused = True
                if one.get("code") == "bad_token":
                    self._forget()
            case "bye":
                self._decided()
                if one.get("reason") == "logged_out":
                    self._forget()
        return True

    def is_needed(self, line: str) -> bool:
        """Return whether a line is to be said: not where it is a pipe's answer that the token has made needless."""
        self._lines += 1
        if self._lines == 1:
            self._not_needed = (
                self._resumed and self._piped and same_name_key(line.strip()) == same_name_key(self._user)
            )
        return not self._not_needed or self._lines > ANSWERS

    def overdue(self) -> Message | None:
        """Give up waiting when the time is up; return the question that is to be shown now, if there is one."""
        if self._until is None or time.monotonic() < self._until:
            return None
        question = self._question
        self._decided()
        return question

    def undecided_s(self) -> float | None:
        """Return for how many seconds the server's decision is still awaited, or None."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def _decided(self) -> None:
        self._until = self._question = None

    # The file.

    def _opened(self) -> "TokenStore":
        if self._tokens is None:
            from sockctl.client.token_store import TokenStore
            from sockctl.paths import state_dir

            self._tokens = TokenStore(state_dir(self._state_dir))
        return self._tokens

    def _find(self) -> Held | None:
        """Return what is good for this service and certificate: this session's own, or what the file has.

        Where both are of one user, the file has the newer one: another client of this user has been given it.
        """
        if not self._keeps:
            return None
        held = self.held
        if held is not None and (held.service, held.fingerprint, held.endpoint) != (
            self._service,
            self._fingerprint,
            self._endpoint,
        ):
            held = None
        if held is not None and not held.user:
            return held  # a guest's is in no file
        try:
            kept = self._opened().find(self._endpoint.host, self._endpoint.port, self._service, self._fingerprint)
        except StoreError as error:
            self._do_without(error)
            return None
        if held is not None and (kept is None or kept.user != held.user):
            return held
        return None if kept is None else self._held(kept.token, kept.user)

    def _held(self, token: str, user: str) -> Held:
        return Held(
            service=self._service, endpoint=self._endpoint, fingerprint=self._fingerprint, token=token, user=user
        )

    def _welcomed(self, user: str) -> None:
        """Hold the token that has come, and keep it if it is a user's.

        A guest has proved nothing, and whoever connects next from this account is another guest.
        """
        if self._new is None:
            return
        (token, expires), self._new = self._new, None
        self._user, self.held = user, self._held(token, user)
        if user:
            kept = self._write(token, expires if isinstance(expires, str) else "")
            self._token = token if kept else None

    def _write(self, token: str, expires: str) -> bool:
        place = (self._endpoint.host, self._endpoint.port, self._service, self._fingerprint)
        shown = self._token if self._resumed else None
        try:
            return self._opened().keep(*place, token=token, expires=expires, user=self._user, in_place_of=shown)
        except StoreError as error:
            self._do_without(error)
            return False

    def _forget(self) -> None:
        """Forget the token, unless another client of this user has kept a newer one."""
        self.held = None
        token, self._token = self._token, None
        if token is None or not self._keeps:
            return
        place = (self._endpoint.host, self._endpoint.port, self._service, self._fingerprint)
        try:
            self._opened().forget(*place, token=token)
        except StoreError as error:
            self._do_without(error)

    def _do_without(self, error: StoreError) -> None:
        self._keeps = False
        self._remark(f"sockctl: The login isn't kept for the next time: {error}")
