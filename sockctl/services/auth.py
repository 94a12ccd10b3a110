"""The auth service: users log in by password or token, look at their sessions, and change their password."""

import contextlib
from difflib import get_close_matches
from typing import ClassVar

from sockctl.accounts.authenticator import Login
from sockctl.errors import (
    AnswerRefusedError,
    EngineError,
    HashFailedError,
    LoginError,
    StoreError,
    UnknownSessionError,
    UnknownUserError,
)
from sockctl.events.accounts import LoggedOut, PasswordChanged
from sockctl.events.journal import Journal
from sockctl.events.reasons import Reason
from sockctl.net.client_description import NOBODY, ClientDescription
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.services.login import LoginConversation
from sockctl.services.login_reasons import LOGGED_OUT, SESSION_ENDED

COMMANDS = {
    "whoami": "who you are, since when, from where",
    "sessions": "where you are logged in",
    "passwd": "change your password, which ends all your sessions",
    "logout": "end this session: its token is worth nothing any more",
    "exit": "leave; the session stays, and its token lets you in again",
    "help": "this list",
}


class Auth(MessageService, Conversation[Peer]):
    """Lets users log in, see their sessions, and change their password.

    Args:
        login: The login.
    """

    name: ClassVar[str] = "auth"

    def __init__(self, login: LoginConversation) -> None:
        self._login = login
        self._journal: Journal

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return "It lets users log in by password or token; 'sockctl users add' makes one."

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal
        self._login.start(journal)

    def stop(self) -> None:
        """Stop."""
        self._login.stop()

    def converse(self, peer: Peer) -> None:
        """Let `peer` log in, and run its commands until it leaves."""
        login, _ = self._login.let_in(peer)
        peer.tell(
            "welcome",
            f"Welcome, {login.user}! Type help for what you can do here.",
            user=login.user,
            session=login.session.id,
        )
        while (one := peer.receive()) is not None:
            if not self._login.note_use(peer):  # nor does the service run the commands that the client sent ahead
                raise peer.give_up(SESSION_ENDED)
            command = one.text.strip().lower()
            if one.kind != "line" or not command:
                continue
            if command == "exit":
                return
            try:
                self._carry_out(peer, login, command)
            except EngineError as error:
                busy = self._login.make_busy_error(peer, error)
                peer.skip()
                peer.tell("error", str(busy), code=busy.code, retry_after=busy.retry_after_s)
            except (StoreError, HashFailedError) as error:
                raise self._login.excuse_failure(peer, error) from error

    def left(self, peer: Peer, reason: Reason) -> None:  # noqa: ARG002  a login ends for any reason
        """Note that `peer` has left."""
        self._login.left(peer)

    def count(self) -> dict[str, int]:
        """Return the counts of the queue in front of the hashes."""
        return self._login.authenticator.count_hashes()

    def describe_client(self, peer: Peer) -> ClientDescription:
        """Return the user as whom a client is logged in."""
        login = self._login.active_logins.find(peer)
        return NOBODY if login is None else ClientDescription(name=login.user)

    def _carry_out(self, peer: Peer, login: Login, command: str) -> None:
        match command:
            case "whoami":
                self._tell_who(peer, login)
            case "sessions":
                self._tell_sessions(peer, login)
            case "passwd":
                self._change_password(peer, login)
            case "logout":
                self._log_out(peer, login)
            case "help":
                for name, does in COMMANDS.items():
                    peer.tell("notice", f"{name:<9} {does}")
            case _:
                near = get_close_matches(command, COMMANDS, n=1)
                hint = f"did you mean {near[0]}?" if near else "help shows those that there are."
                # The error doesn't repeat the command: it may have been meant as a password.
                peer.tell("error", f"There is no such command: {hint}", code="unknown_command")

    def _tell_who(self, peer: Peer, login: Login) -> None:
        session = login.session
        since = f"{session.created:%Y-%m-%d %H:%M:%S} UTC"
        text = f"You are {login.user}, here from {peer.address}; your session {session.id} began on {since}."
        peer.tell("notice", text, user=login.user, session=session.id)

    def _tell_sessions(self, peer: Peer, login: Login) -> None:
        for session in self._login.authenticator.accounts.list_sessions(login.user):
            own = session.id == login.session.id
            text = (
                f"{session.id} from {session.address}, since {session.created:%Y-%m-%d %H:%M:%S} UTC, used "
                f"{session.last_used:%Y-%m-%d %H:%M:%S} UTC"
            )
            peer.tell("notice", text + (" (this one)" if own else ""), **session.as_fields, this=own)

    def _change_password(self, peer: Peer, login: Login) -> None:
        authenticator = self._login.authenticator
        current = peer.answer("password", "Your password now:", secret=True).text
        try:
            user = authenticator.confirm(login.user, current, peer.address, given_up=lambda: peer.stopping)
            new = self._login.ask_new_password(peer, login.user)
            if not self._login.note_use(peer):
                raise peer.give_up(SESSION_ENDED)
            authenticator.set_password(user, new, peer.address, given_up=lambda: peer.stopping)
        except LoginError as error:
            self._login.report_failure(peer, error)
            peer.skip()  # before the error: messages that answer the error must stay
            peer.tell("error", str(error), code=error.code, retry_after=error.retry_after_s)
        except AnswerRefusedError as error:
            peer.skip()
            peer.tell("error", str(error), code=error.code)
        except UnknownUserError as error:
            peer.tell("error", str(error), code="changed")
        else:
            self._journal.emit(PasswordChanged(connection=peer.number, peer=peer.shown, user=login.user))
            peer.tell("notice", "Your password is changed, and all your sessions have ended, this one too.")
            raise peer.give_up(SESSION_ENDED)

    def _log_out(self, peer: Peer, login: Login) -> None:
        self._login.left(peer)  # else ActiveLogins would notice the end of the session, and say another goodbye
        with contextlib.suppress(UnknownSessionError):  # it was revoked meanwhile, or never saved
            self._login.authenticator.accounts.sessions.end(login.session.id)
        self._journal.emit(
            LoggedOut(connection=peer.number, peer=peer.shown, user=login.user, session=login.session.id)
        )
        raise peer.give_up(LOGGED_OUT)
