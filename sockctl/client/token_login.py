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

Without a token to send, everything is decided from the start. A script that logs in by itself does so every time.

The user may have chosen a name. Then only this user's token is shown, and the name answers the first question for one.
The table above is one state machine, so the module is long.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sockctl.client.held_token import Held
from sockctl.client.login_lines import LoginLines
from sockctl.client.plaintext_guard import NO_PASSWORD_SERVICES
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.session_events import TellUser
from sockctl.errors import NotLetInError, StoreError
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, make_message
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.script_steps import Step
    from sockctl.client.token_store import Login, TokenStore

SHOWN_USERS = 5
"""How many other users are named whose logins are kept."""


class TokenLogin:
    """The login of one connection. A file that can't be used is remarked once, and done without.

    Args:
        server: Which server the connection has reached.
        uses_tokens: Whether tokens are shown and kept; else the server is asked to make none.
        open_tokens: Opens the store of tokens; called when one is needed.
        remark: Tells the user something.
        steps: The steps of a script, which may log in by themselves.
        lines: The lines of a pipe, which may begin with the user's name and password.
        held: The token of an earlier connection of this session.
        user: The user's name, where it was chosen.
        tells: Whether the user learns whose kept login has let the client in; else only where it was one of several.
        unattended: Whether nobody is there to answer once more: then a repeated question for a name ends the session,
            and so does any question before a connection of this session is welcomed again.
        comes_back: Whether a lost connection is made again: then a script that logs in by itself holds a token, too.

    Attributes:
        users: The users whose logins are kept there; the one whose login was used last is the first.
        held: The token that lets this session in again, if there is one.
        named: The chosen name, once it has answered a question.
        resumed: Whether the token has let the client in.
        undecided: Whether the server has yet to decide on the token; until then nothing is said to it.
    """

    def __init__(
        self,
        server: ServerIdentity,
        *,
        uses_tokens: bool,
        open_tokens: "Callable[[], TokenStore]",
        remark: TellUser,
        steps: "Sequence[Step]" = (),
        lines: LoginLines | None = None,
        held: Held | None = None,
        user: str = "",
        tells: bool = False,
        unattended: bool = False,
        comes_back: bool = False,
    ) -> None:
        self._server = server
        self._uses_tokens = uses_tokens
        self._open_tokens = open_tokens
        self._remark = remark
        self._steps = steps
        self._lines = LoginLines(piped=False) if lines is None else lines
        self.held = held
        self._chosen = user
        self._tells = tells
        self._unattended = unattended
        self._comes_back = comes_back
        self._uses_file = server.is_lasting
        self.users: list[str] = []
        self.undecided = False
        self.resumed = False
        self._returns = held is not None
        self._is_welcomed = False
        self._names_itself = bool(user)
        self.named = ""
        self._service = ""
        self._tokens: TokenStore | None = None
        self._token: str | None = None  # the one that the file has, as far as this session knows
        self._new: tuple[str, object] | None = None  # one that has just come, and until when it counts
        self._user = ""
        self._refused = False
        self._question: Message | None = None  # asked while it was undecided

    def answer_greeting(
        self, service: str, seen: dict[str, int] | None = None, name: str = "", can: Sequence[str] = ()
    ) -> bytes:
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
        if self._logs_in_by_script():
            self._names_itself = False
            if held is not None:
                held, self._uses_file, self._uses_tokens = None, False, self._comes_back
        self.held = held
        if held is None:
            return ClientWire.hello(session=self._uses_tokens, can=can)
        self._token, self._user = held.token, held.user
        self.undecided = True
        resume = make_message("resume", token=held.token, seen=seen, name=name or None)
        return ClientWire.hello(can=can) + ClientWire.encode(resume)

    def process_message(self, one: Message) -> bool:
        """Process a message of the server, in its order; return whether it is to be shown.

        Raises:
            NotLetInError: The server asks anew, and nobody is there to answer.
        """
        match one.kind:
            case "token":
                self.resumed = self.undecided and not self._refused
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
                self._refuse_to_answer(one)
            case "welcome":
                self._welcome(one.get("user"))
            case "error":
                self._refused = True
                if one.get("code") == "bad_token":
                    self._forget()
            case "bye":
                self._mark_decided()
                if one.get("reason") == "logged_out":
                    self._forget()
        return True

    def take_name(self) -> str:
        """Return the user's chosen name for the first question for a name; empty from then on."""
        if not self._names_itself:
            return ""
        self._names_itself = False
        self.named = self._chosen
        return self._chosen

    def needs(self, line: str) -> bool:
        """Return whether a line is to be said: not where it is a pipe's answer that is needless.

        Raises:
            OptionError: It is the name of another user than that of the token.
        """
        return self._lines.needs(
            line, resumed_as=self._user if self.resumed else "", named=self.named, users=self.users
        )

    def stop_waiting(self) -> Message | None:
        """Wait no longer for the server's decision; return the question that is to be shown now, if there is one."""
        question = self._question
        self._mark_decided()
        return question

    def _refuse_to_answer(self, question: Message) -> None:
        if self._is_welcomed or not self._unattended:
            return
        is_for_name = question.get("field") == "name"
        if is_for_name and self.named:
            raise NotLetInError(
                f"The server has not let you in as {make_visible(self.named)}: it asks for a name again."
            )
        if self._returns and not (is_for_name and self._names_itself):
            raise NotLetInError(f"The server knows the login no more, and asks again: {make_visible(question.text)}")

    def _welcome(self, user: str) -> None:
        self._mark_decided()
        self._names_itself, self._is_welcomed = False, True
        if self.resumed and not self._returns:
            self._tell_user(user)
        self._keep_new(user)

    def _mark_decided(self) -> None:
        self.undecided, self._question = False, None

    def _logs_in_by_script(self) -> bool:
        if not self._steps or self._returns:
            return False
        from sockctl.client.script_steps import answer_login

        return answer_login(self._steps, [self._chosen] if self._chosen else self.users, waits=not self._chosen)

    def _tell_user(self, user: str) -> None:
        """Tell whose login has let the client in."""
        others = [make_visible(other) for other in self.users if other != self._user]
        if others and not self._chosen:
            named = ", ".join(others[:SHOWN_USERS]) + (", …" if len(others) > SHOWN_USERS else "")
            self._remark(
                f"You are {make_visible(user)} (the login used last; --user NAME chooses another: {named}).",
                is_error=False,
            )
        elif self._tells:
            self._remark(f"You are {make_visible(user)} (kept login; `sockctl logout` ends it).", is_error=False)

    # The file.

    def _open_store(self) -> "TokenStore":
        if self._tokens is None:
            self._tokens = self._open_tokens()
        return self._tokens

    def _store_key(self) -> "Login":
        from sockctl.client.token_form import make_address
        from sockctl.client.token_store import Login

        return Login(make_address(self._server.places), self._service, self._server.fingerprint)

    def _find(self) -> Held | None:
        """Return the token for this service and certificate: this session's own, or the file's.

        Where both are of one user, the file has the newer one: another client of this user has been given it.
        """
        if not self._uses_tokens:
            return None
        held = self.held
        if held is not None and not (held.service == self._service and self._server.shares_tokens(held.server)):
            held = None
        if held is not None and not held.is_kept:
            self._uses_file = False
        if not self._uses_file:
            return held
        try:
            self.users = self._open_store().users_at(self._store_key())
            kept = self._open_store().find(self._store_key(), self._chosen if held is None else held.user)
        except StoreError as error:
            self._do_without(error)
            return None
        if held is not None and kept is None:
            return held
        return None if kept is None else self._make_held(kept.token, kept.user)

    def _make_held(self, token: str, user: str) -> Held:
        is_kept = bool(user) and self._uses_file
        return Held(server=self._server, service=self._service, token=token, user=user, is_kept=is_kept)

    def _keep_new(self, user: str) -> None:
        """Hold the token that has come, and keep it if it is a user's.

        A guest has proved nothing, and the next one to connect from this account is another guest.
        """
        if self._new is None:
            return
        (token, expires), self._new = self._new, None
        self._user, self.held = user, self._make_held(token, user)
        if self.held.is_kept:
            kept = self._write(token, expires if isinstance(expires, str) else "")
            self._token = token if kept else None

    def _write(self, token: str, expires: str) -> bool:
        shown = self._token if self.resumed else None
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
        if token is None or not self._uses_tokens or not self._uses_file:
            return
        try:
            self._open_store().forget(self._store_key(), token=token)
        except StoreError as error:
            self._do_without(error)

    def _do_without(self, error: StoreError) -> None:
        self._uses_tokens = False
        self._remark(f"The login isn't kept for the next time: {error}")
