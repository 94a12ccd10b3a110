"""The login in front of a service: by name and password, or by token, over any wire."""

import math
from collections.abc import Sequence
from pathlib import Path

from sockctl.accounts.accounts import Accounts, AccountStores, open_files
from sockctl.accounts.active_logins import ActiveLogins
from sockctl.accounts.authenticator import FLOOR_S, Authenticator, Login
from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.password_normalization import normalize_password
from sockctl.accounts.password_rules import MIN_LENGTH, check_new
from sockctl.accounts.user import parse_user_name
from sockctl.deadline import Deadline
from sockctl.errors import (
    AnswerRefusedError,
    BusyError,
    EngineError,
    HashFailedError,
    LoginError,
    LoginFailedError,
    PasswordRefusedError,
    PeerGoneError,
    StoreError,
    TokenRefusedError,
    TokenReusedError,
)
from sockctl.events.accounts import (
    AccountsUnreadable,
    LoggedOut,
    LoginFailed,
    LoginSucceeded,
    SessionEnded,
    SessionUnkept,
    TokenReused,
    UserSignedUp,
)
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.services import StoreFailed
from sockctl.net.peer import TRIES, Peer
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.messages import Message
from sockctl.services.login_reasons import SESSION_ENDED
from sockctl.source_network import IPV6_PREFIX
from sockctl.stores.steady_clock import SteadyClock
from sockctl.stores.timestamps import format_timestamp

LOGIN_S = 120.0
"""How long a client may take to log in, typing included."""
AGAIN_S = 5
"""How long a client is asked to wait where the accounts are out of reach."""
LOGIN_LIMIT_BYTES = 4_096
"""Bytes of a message before the login: no name or password needs more."""


class LoginConversation:
    """Lets clients in. Any thread may use it.

    Args:
        stores: Where users and sessions are kept, or their data directory.
        signup: Whether an unknown client may choose a password and become a user.
        min_length: Code points that a new password must have.
        queue: The queue in front of the hashes.
        floor_s: See `FLOOR_S`.
        login_s: How long a client may take to log in, typing included.
        ipv6_prefix: Bits of an IPv6 address that name its network.

    Attributes:
        authenticator: Authenticates the users.
        active_logins: Ends the connection of a login that is over.

    Raises:
        StoreError: A file of the accounts can't be used.
        HashFailedError: There is not enough memory to hash a password.
    """

    def __init__(
        self,
        stores: AccountStores | Path,
        *,
        signup: bool = False,
        min_length: int = MIN_LENGTH,
        queue: HashQueue | None = None,
        floor_s: float = FLOOR_S,
        login_s: float = LOGIN_S,
        ipv6_prefix: int = IPV6_PREFIX,
    ) -> None:
        if isinstance(stores, Path):
            stores = open_files(stores, on_bad=self._report_unreadable)
        accounts = Accounts(stores, clock=SteadyClock())
        self.authenticator = Authenticator(
            accounts, queue=queue, min_length=min_length, floor_s=floor_s, ipv6_prefix=ipv6_prefix
        )
        self._login_s = login_s
        self.active_logins = ActiveLogins(accounts, on_bad=self._report_unreadable)
        self._signup = signup
        self._min_length = min_length
        self._journal: Journal

    @property
    def lets_sign_up(self) -> bool:
        """Whether an unknown client may become a user."""
        return self._signup

    def start(self, journal: Journal) -> None:
        """Start before the first client connects; emit events to `journal`."""
        self._journal = journal
        self.active_logins.start()

    def stop(self) -> None:
        """Stop after the last client has left."""
        self.active_logins.stop()

    def let_in(self, peer: Peer) -> tuple[Login, Message | None]:
        """Let `peer` log in, in a conversation; the service sends its `welcome` next.

        From here on the end of the login closes the connection. The service must call `left` for a closed connection.

        Returns:
            The login, and the `resume` message behind it; None for a password.

        Raises:
            PeerGoneError: The client left, or failed to log in.
        """
        peer.until = Deadline.after(self._login_s)
        peer.limit_bytes = LOGIN_LIMIT_BYTES
        login, resume = self._log_in(peer)
        peer.until = math.inf
        peer.limit_bytes = LIMIT_BYTES
        peer.admit()
        if login.problem:
            self._journal.emit(
                SessionUnkept(connection=peer.number, peer=peer.shown, user=login.user, error=login.problem)
            )
        self.active_logins.add(peer, login, lambda: self._end_session(peer, login))
        session = login.session
        if session.token is not None:
            peer.tell(
                "token",
                "This token lets you in again, without a password.",
                token=session.token,
                expires=format_timestamp(session.expires),
            )
        return login, resume

    def note_use(self, peer: Peer) -> bool:
        """Note that a client has sent something; return whether its login still holds.

        A service must do nothing for a client whose login is over: its connection is about to close.
        """
        return self.active_logins.note_use(peer)

    def left(self, peer: Peer) -> None:
        """Note that a client's connection is closed, whether it had logged in or not; never blocks."""
        self.active_logins.remove(peer)

    def log_out(self, peer: Peer) -> None:
        """End the login of a client; never blocks, and the file follows soon. The service closes the connection."""
        if (login := self.active_logins.end(peer)) is not None:
            session = login.session.id
            self._journal.emit(LoggedOut(connection=peer.number, peer=peer.shown, user=login.user, session=session))

    def ask_new_password(self, peer: Peer, name: str) -> str:
        """Ask for a new password, twice, and return it.

        Raises:
            AnswerRefusedError: The two differ.
            PeerGoneError: The client left, or all its passwords were refused.
        """
        question = f"New password (at least {self._min_length} characters):"
        password = peer.ask(
            "password",
            question,
            check=lambda typed: check_new(typed, name=name, min_length=self._min_length),
            secret=True,
        )
        if normalize_password(peer.answer("password", "The same again:", secret=True).text) != password:
            raise PasswordRefusedError("The two passwords differ: nothing was changed.")
        return password

    def report_failure(self, peer: Peer, error: LoginError) -> None:
        """Emit the events of a login that failed."""
        user = error.user if isinstance(error, LoginFailedError) else None
        self._journal.emit(
            LoginFailed(
                connection=peer.number, peer=peer.shown, code=error.code, user=user, retry_after=error.retry_after_s
            )
        )
        if isinstance(error, TokenReusedError):
            self._journal.emit(
                TokenReused(connection=peer.number, peer=peer.shown, user=error.user, session=error.session)
            )

    def excuse_failure(self, peer: Peer, error: StoreError | HashFailedError) -> PeerGoneError:
        """Tell a client that the server has failed; return the error that ends the conversation."""
        self._report_store_failure(peer, error)
        text = "I can't do that right now; the operator sees why. Please come back later."
        peer.tell("error", text, code="store_failed")
        return peer.give_up(DisconnectReason.STORE_FAILED)

    def make_busy_error(self, peer: Peer, error: EngineError) -> BusyError:
        """Return the error for a client while the engine with the accounts can't be used, and emit its event."""
        self._report_store_failure(peer, error)
        return BusyError(f"The accounts are out of reach: try again in {AGAIN_S} s.", retry_after_s=AGAIN_S)

    def _log_in(self, peer: Peer) -> tuple[Login, Message | None]:
        shown: list[str] = []  # refused tokens, which may still prove the device's account
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._try_once(peer, shown)
            except EngineError as error:
                self._tell_error(peer, self.make_busy_error(peer, error), last=not left)
            except (StoreError, HashFailedError) as error:
                raise self.excuse_failure(peer, error) from error
            except (LoginError, AnswerRefusedError) as error:
                if isinstance(error, LoginError):
                    self.report_failure(peer, error)
                self._tell_error(peer, error, last=not left)
            peer.skip()
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _try_once(self, peer: Peer, shown: list[str]) -> tuple[Login, Message | None]:
        """Let a client try once; a refused token costs no try, since no token can be guessed."""
        question = self._make_question(peer)
        answer = peer.answer("name", question, instead=("resume",))
        for _ in range(TRIES):
            if answer.kind != "resume":
                return self._log_in_by_password(peer, answer.text.strip(), shown), None
            shown.append(answer.get("token"))
            try:
                return self._report_success(peer, self.authenticator.resume(shown[-1], peer.address), "token"), answer
            except TokenRefusedError as error:
                self.report_failure(peer, error)
                self._tell_error(peer, error)
            except EngineError:
                raise
            except StoreError as error:  # a full disk must not keep out a user that knows the password
                self._report_store_failure(peer, error)
                text = "Tokens don't work right now; the operator sees why. Log in with your password."
                peer.tell("error", text, code="store_failed")
            answer = peer.answer("name", question, instead=("resume",))
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _make_question(self, peer: Peer) -> str:
        if not self._signup:
            return "Your name:"
        if self.authenticator.may_sign_up(peer.address):
            return "Your name, or a new one to sign up:"
        return "Your name (too many have signed up from your address: nobody new can for now):"

    def _log_in_by_password(self, peer: Peer, name: str, shown: Sequence[str]) -> Login:
        self.authenticator.accounts.refresh()
        if self._signup and self.authenticator.accounts.users.find(name) is None:
            new = parse_user_name(name)
            if self.authenticator.count_signup(peer.address):
                return self._sign_up(peer, self.authenticator.accounts.check_signup_name(new))
            # Else ask for a password as for a user: a client that tries names must not learn which ones are users'.
        password = peer.answer("password", "Password:", secret=True).text
        login = self.authenticator.log_in(
            name,
            password,
            peer.address,
            with_token=peer.keeps_tokens,
            shown=shown,
            given_up=lambda: peer.stopping,
        )
        return self._report_success(peer, login, "password")

    def _sign_up(self, peer: Peer, name: str) -> Login:
        peer.tell("notice", f"There is no user {name} yet: choose a password to become one.")
        password = self.ask_new_password(peer, name)
        login = self.authenticator.sign_up(
            name, password, peer.address, with_token=peer.keeps_tokens, given_up=lambda: peer.stopping
        )
        self._journal.emit(UserSignedUp(connection=peer.number, peer=peer.shown, user=login.user))
        return self._report_success(peer, login, "signup")

    def _report_success(self, peer: Peer, login: Login, by: str) -> Login:
        self._journal.emit(
            LoginSucceeded(connection=peer.number, peer=peer.shown, user=login.user, by=by, session=login.session.id)
        )
        return login

    def _tell_error(self, peer: Peer, error: LoginError | AnswerRefusedError, *, last: bool = False) -> None:
        retry_after = error.retry_after_s if isinstance(error, LoginError) else None
        more = " That was the last try." if last else ""
        peer.tell("error", f"{error}{more}", code=error.code, retry_after=retry_after)

    def _report_store_failure(self, peer: Peer, error: StoreError | HashFailedError) -> None:
        self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))

    def _end_session(self, peer: Peer, login: Login) -> None:
        self._journal.emit(
            SessionEnded(connection=peer.number, peer=peer.shown, user=login.user, session=login.session.id)
        )
        peer.close(SESSION_ENDED)

    def _report_unreadable(self, error: StoreError) -> None:
        self._journal.emit(AccountsUnreadable(error=str(error)))
