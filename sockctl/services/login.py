"""The login that a service puts in front of itself: by name and password, or by token, over any wire."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.active_logins import ActiveLogins
from sockctl.accounts.authenticator import FLOOR_S, Authenticator, Login
from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.password_normalization import normalize_password
from sockctl.accounts.password_rules import MIN_LENGTH
from sockctl.accounts.user import user_name
from sockctl.errors import (
    AnswerRefusedError,
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
    LoginFailed,
    LoginSucceeded,
    SessionEnded,
    SessionUnkept,
    TokenReused,
    UserSignedUp,
)
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.events.services import StoreFailed
from sockctl.net.peer import TRIES, Peer
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.messages import Message
from sockctl.source_network import IPV6_PREFIX
from sockctl.stores.steady_clock import SteadyClock
from sockctl.stores.timestamps import format_timestamp

__all__ = ["LoginConversation"]

SESSION_ENDED = Reason(
    "session_ended",
    "The session has ended (revoked, expired, or the user was removed, disabled or given another password), so the "
    "server closed the connection.",
    "Your session has ended: log in again. Goodbye!",
    puts_out=True,
)

LOGIN_S = 120.0
"""How long a client may take to log in, typing included."""
LOGIN_LIMIT_BYTES = 4_096
"""Nobody needs more to log in."""


class LoginConversation:
    """Lets clients in. Any thread may use it.

    Args:
        data_dir: Where users and sessions are kept.
        signup: Whether who is unknown may choose a password and become a user.
        min_length: Code points that a new password must have.
        queue: The queue in front of the hashes.
        floor_s: Seconds after which, or after a multiple of which, a failure is answered.
        ipv6_prefix: Bits of an IPv6 address that name its network.

    Attributes:
        authenticator: Who gets in.

    Raises:
        StoreError: A file of the accounts can't be used.
        HashFailedError: There is not enough memory to hash a password.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        signup: bool = False,
        min_length: int = MIN_LENGTH,
        queue: HashQueue | None = None,
        floor_s: float = FLOOR_S,
        ipv6_prefix: int = IPV6_PREFIX,
    ) -> None:
        accounts = Accounts(data_dir, clock=SteadyClock(), on_bad=self._tell_bad)
        self.authenticator = Authenticator(
            accounts, queue=queue, min_length=min_length, floor_s=floor_s, ipv6_prefix=ipv6_prefix
        )
        self._live = ActiveLogins(accounts)
        self._signup = signup
        self._min_length = min_length
        self._journal: Journal

    @property
    def lets_sign_up(self) -> bool:
        """Whether a client that is unknown may become a user."""
        return self._signup

    def start(self, journal: Journal) -> None:
        """Begin, before the first client comes; events go to `journal`."""
        self._journal = journal
        self._live.start()

    def stop(self) -> None:
        """End, when the last client has gone."""
        self._live.stop()

    def let_in(self, peer: Peer) -> tuple[Login, Message | None]:
        """Let `peer` log in, in a conversation; the service's `welcome` is to follow at once.

        From here on the connection ends when the login does. The service must call `left` when it has ended.

        Returns:
            Who is in, and the `resume` by which it was let in, if it was.

        Raises:
            PeerGoneError: It left, or was not let in.
        """
        peer.until = time.monotonic() + LOGIN_S
        peer.limit_bytes = LOGIN_LIMIT_BYTES
        login, resume = self._tried(peer)
        peer.until = math.inf
        peer.limit_bytes = LIMIT_BYTES
        peer.admit()
        if login.problem:
            self._journal.emit(
                SessionUnkept(connection=peer.number, peer=peer.shown, user=login.user, error=login.problem)
            )
        self._live.enter(peer, login, lambda: self._end(peer, login))
        session = login.session
        if session.token is not None:
            peer.tell(
                "token",
                "This token lets you in again, without a password.",
                token=session.token,
                expires=format_timestamp(session.expires),
            )
        return login, resume

    def used(self, peer: Peer) -> bool:
        """Take note that a client has said something; return whether its login still holds.

        A service must carry out nothing for a client whose login is over. The connection is being closed then.
        """
        return self._live.used(peer)

    def left(self, peer: Peer) -> None:
        """Take note that a connection is closed, of somebody who was in or not; never blocks."""
        self._live.leave(peer)

    def new_password(self, peer: Peer, name: str) -> str:
        """Ask for a new password, twice, and return it.

        Raises:
            AnswerRefusedError: The two differ.
            PeerGoneError: The client left, or none of its passwords would do.
        """
        question = f"New password (at least {self._min_length} characters):"
        password = peer.ask(
            "password", question, check=lambda typed: self.authenticator.check_new(typed, name), secret=True
        )
        if normalize_password(peer.answer("password", "The same again:", secret=True).text) != password:
            raise PasswordRefusedError("The two passwords differ: nothing was changed.")
        return password

    def tell_failure(self, peer: Peer, error: LoginError) -> None:
        """Tell the operator of somebody who isn't let in."""
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

    def excused(self, peer: Peer, error: StoreError | HashFailedError) -> PeerGoneError:
        """Excuse a failure of the server's, and return what ends the conversation."""
        self._tell_store_failure(peer, error)
        text = "I can't see to that right now, and whoever runs me is told why. Please come back later."
        peer.tell("error", text, code="store_failed")
        return peer.give_up(DisconnectReason.STORE_FAILED)

    def _tried(self, peer: Peer) -> tuple[Login, Message | None]:
        shown: list[str] = []  # tokens that let nobody in, and may still prove whose device this is
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._try(peer, shown)
            except (StoreError, HashFailedError) as error:
                raise self.excused(peer, error) from error
            except (LoginError, AnswerRefusedError) as error:
                if isinstance(error, LoginError):
                    self.tell_failure(peer, error)
                self._tell_error(peer, error, last=not left)
            peer.skip()
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _try(self, peer: Peer, shown: list[str]) -> tuple[Login, Message | None]:
        """Let a client try once; a token that isn't taken costs no try, since it can't be guessed."""
        question = self._question(peer)
        answer = peer.answer("name", question, instead=("resume",))
        for _ in range(TRIES):
            if answer.kind != "resume":
                return self._by_password(peer, answer.text.strip(), shown), None
            shown.append(answer.get("token"))
            try:
                return self._told(peer, self.authenticator.resume(shown[-1], peer.address), "token"), answer
            except TokenRefusedError as error:
                self.tell_failure(peer, error)
                self._tell_error(peer, error)
            except StoreError as error:  # a full disk must not keep out who could get in by password
                self._tell_store_failure(peer, error)
                text = "Tokens can't be taken right now, and whoever runs me is told why: log in with your password."
                peer.tell("error", text, code="store_failed")
            answer = peer.answer("name", question, instead=("resume",))
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _question(self, peer: Peer) -> str:
        if not self._signup:
            return "Your name:"
        if self.authenticator.may_sign_up(peer.address):
            return "Your name, or a new one to sign up:"
        return "Your name (too many have signed up from your address: nobody new can for now):"

    def _by_password(self, peer: Peer, name: str, shown: Sequence[str]) -> Login:
        if self._signup and self.authenticator.accounts.users.find(name) is None:
            new = user_name(name)
            if self.authenticator.count_signup(peer.address):
                return self._signed_up(peer, self.authenticator.accounts.check_signup_name(new))
            # No word of that: else whoever tries names learns which are users' without any limit.
        password = peer.answer("password", "Password:", secret=True).text
        login = self.authenticator.log_in(
            name,
            password,
            peer.address,
            with_token=_keeps_tokens(peer.hello),
            shown=shown,
            given_up=lambda: peer.stopping,
        )
        return self._told(peer, login, "password")

    def _signed_up(self, peer: Peer, name: str) -> Login:
        peer.tell("notice", f"There is no user {name} yet: choose a password to become one.")
        password = self.new_password(peer, name)
        login = self.authenticator.sign_up(
            name, password, peer.address, with_token=_keeps_tokens(peer.hello), given_up=lambda: peer.stopping
        )
        self._journal.emit(UserSignedUp(connection=peer.number, peer=peer.shown, user=login.user))
        return self._told(peer, login, "signup")

    def _told(self, peer: Peer, login: Login, by: str) -> Login:
        self._journal.emit(
            LoginSucceeded(connection=peer.number, peer=peer.shown, user=login.user, by=by, session=login.session.id)
        )
        return login

    def _tell_error(self, peer: Peer, error: LoginError | AnswerRefusedError, *, last: bool = False) -> None:
        retry_after = error.retry_after_s if isinstance(error, LoginError) else None
        more = " That was the last try." if last else ""
        peer.tell("error", f"{error}{more}", code=error.code, retry_after=retry_after)

    def _tell_store_failure(self, peer: Peer, error: StoreError | HashFailedError) -> None:
        self._journal.emit(StoreFailed(connection=peer.number, peer=peer.shown, error=str(error)))

    def _end(self, peer: Peer, login: Login) -> None:
        self._journal.emit(
            SessionEnded(connection=peer.number, peer=peer.shown, user=login.user, session=login.session.id)
        )
        peer.close(SESSION_ENDED)

    def _tell_bad(self, error: StoreError) -> None:
        self._journal.emit(AccountsUnreadable(error=str(error)))


def _keeps_tokens(hello: Message | None) -> bool:
    """Return whether a client can keep a token, and wants to."""
    return hello is not None and hello.fields.get("session") is not False
