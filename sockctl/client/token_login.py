"""Logging in once: the token that a server gives is kept, and shown to it the next time in place of a password.

| state | what comes | next state | and |
|---|---|---|---|
| undecided | ask | undecided | the question is not shown: the server asks again if it refuses |
| undecided | error | refused | `bad_token`: the token is forgotten |
| undecided, refused | token, welcome, bye | decided | |
| undecided | nothing, until the time is up | decided | the question is shown after all |
| refused | ask | decided | the question is shown |
| any | token | | the token is never shown, and held for this session |
| any | welcome | decided | the token is kept for the next time, if it is a user's: a guest's is for this session only |

Without a token to send, everything is decided from the start. A script that logs in by itself does so every time. A
pipe may begin with name and password. Where the token has let the client in, it leaves out these two lines: the
password must not become a line like any other.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sockctl.client.chat.view import Held
from sockctl.client.plaintext_guard import NO_PASSWORD_SERVICES
from sockctl.client.server_identity import ServerIdentity
from sockctl.errors import StoreError
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, message
from sockctl.protocol.names import same_name_key

if TYPE_CHECKING:
    from sockctl.client.script_steps import Step
    from sockctl.client.token_store import Login, TokenStore

ANSWERS = 2
"""Lines with which one logs in: name and password."""


class TokenLogin:
    """The login of one connection. A file that can't be used is remarked once, and done without.

    Args:
        server: Which server the connection has reached.
        uses_tokens: Whether tokens are shown and kept; else the server is asked to make none.
        open_tokens: Opens the store of tokens; called when one is needed.
        remark: Tells the user something.
        steps: The steps of a script, which may log in by themselves.
        piped: Whether lines come from a pipe, which may begin with the user's name and password.
        held: The token of an earlier connection of this session.

    Attributes:
        held: The token that lets this session in again, if there is one.
        undecided: Whether the server has yet to decide on the token; until then nothing is said to it.
    """

    def __init__(
        self,
        server: ServerIdentity,
        *,
        uses_tokens: bool,
        open_tokens: "Callable[[], TokenStore]",
        remark: Callable[[str], None],
        steps: "Sequence[Step]" = (),
        piped: bool = False,
        held: Held | None = None,
    ) -> None:
        self._server = server
        self._uses_tokens = uses_tokens
        self._open_tokens = open_tokens
        self._remark = remark
        self._steps = steps
        self._piped = piped
        self.held = held
        self.undecided = False
        self._lines = 0  # said on this connection
        self._resumed = self._not_needed = False
        self._service = ""
        self._tokens: TokenStore | None = None
        self._token: str | None = None  # the one that the file has, as far as this session knows
        self._new: tuple[str, object] | None = None  # one that has just come, and until when it counts
        self._user = ""
        self._refused = False
        self._question: Message | None = None  # asked while it was undecided

    @property
    def resumed(self) -> bool:
        """Whether the token has let the client in."""
        return self._resumed

    def open(self, service: str, seen: dict[str, int] | None = None, name: str = "", can: Sequence[str] = ()) -> bytes:
        """Return the answer to the greeting of `service`: a hello, and the token if there is one for it.

        Args:
            service: The service.
            seen: The rooms of the connection before, and the last that was seen of each.
            name: The user's name there, for a server that lets guests in and knows the token no more.
            can: What the client can show, and not every client can.
        """
        self._service = service
        if service in NO_PASSWORD_SERVICES:
            self._uses_tokens = False
            return ClientWire.hello(can=can)
        held = self._find()
        if held is not None and self._logs_in_by_script(held.user):
            held, self._uses_tokens = None, False
        self.held = held
        if held is None:
            return ClientWire.hello(session=self._uses_tokens, can=can)
        self._token, self._user = held.token, held.user
        self.undecided = True
        resume = message("resume", token=held.token, seen=seen, name=name or None)
        return ClientWire.hello(can=can) + ClientWire.encode(resume)

    def process_message(self, one: Message) -> bool:
        """Process a message of the server, in its order; return whether it is to be shown."""
        match one.kind:
            case "token":
                self._resumed = self.undecided and not self._refused
                self._mark_decided()
                token = one.fields.get("token")
                if isinstance(token, str) and self._uses_tokens:
                    self._new = token, one.fields.get("expires")
                return False
            case "ask" if self.undecided and not self._refused:
                self._question = one
                return False
            case "ask":
                self._mark_decided()
            case "welcome":
                self._mark_decided()
                self._keep_new(one.get("user"))
            case "error":
                self._refused = True
                if one.get("code") == "bad_token":
                    self._forget()
            case "bye":
                self._mark_decided()
                if one.get("reason") == "logged_out":
                    self._forget()
        return True

    def needs(self, line: str) -> bool:
        """Return whether a line is to be said: not where it is a pipe's answer that the token has made needless."""
        self._lines += 1
        if self._lines == 1:
            self._not_needed = (
                self._resumed and self._piped and same_name_key(line.strip()) == same_name_key(self._user)
            )
        return not self._not_needed or self._lines > ANSWERS

    def stop_waiting(self) -> Message | None:
        """Wait no longer for the server's decision; return the question that is to be shown now, if there is one."""
        question = self._question
        self._mark_decided()
        return question

    def _mark_decided(self) -> None:
        self.undecided, self._question = False, None

    def _logs_in_by_script(self, user: str) -> bool:
        if not self._steps:
            return False
        from sockctl.client.script_steps import answer_login

        return answer_login(self._steps, user)

    # The file.

    def _open_store(self) -> "TokenStore":
        if self._tokens is None:
            self._tokens = self._open_tokens()
        return self._tokens

    def _store_key(self) -> "Login":
        from sockctl.client.token_store import Login

        return Login.at(self._server.endpoint.host, self._server.endpoint.port, self._service, self._server.fingerprint)

    def _find(self) -> Held | None:
        """Return the token for this service and certificate: this session's own, or the file's.

        Where both are of one user, the file has the newer one: another client of this user has been given it.
        """
        if not self._uses_tokens:
            return None
        held = self.held
        if held is not None and (held.service, held.server) != (self._service, self._server):
            held = None
        if held is not None and not held.user:
            return held  # a guest's is in no file
        try:
            kept = self._open_store().find(self._store_key())
        except StoreError as error:
            self._do_without(error)
            return None
        if held is not None and (kept is None or kept.user != held.user):
            return held
        return None if kept is None else self._held(kept.token, kept.user)

    def _held(self, token: str, user: str) -> Held:
        return Held(server=self._server, service=self._service, token=token, user=user)

    def _keep_new(self, user: str) -> None:
        """Hold the token that has come, and keep it if it is a user's.

        A guest has proved nothing, and the next one to connect from this account is another guest.
        """
        if self._new is None:
            return
        (token, expires), self._new = self._new, None
        self._user, self.held = user, self._held(token, user)
        if user:
            kept = self._write(token, expires if isinstance(expires, str) else "")
            self._token = token if kept else None

    def _write(self, token: str, expires: str) -> bool:
        shown = self._token if self._resumed else None
        try:
            return self._open_store().keep(
                self._store_key(), token=token, expires=expires, user=self._user, in_place_of=shown
            )
        except StoreError as error:
            self._do_without(error)
            return False

    def _forget(self) -> None:
        """Forget the token, unless another client of this user has kept a newer one."""
        self.held = None
        token, self._token = self._token, None
        if token is None or not self._uses_tokens:
            return
        try:
            self._open_store().forget(self._store_key(), token=token)
        except StoreError as error:
            self._do_without(error)

    def _do_without(self, error: StoreError) -> None:
        self._uses_tokens = False
        self._remark(f"The login isn't kept for the next time: {error}")
