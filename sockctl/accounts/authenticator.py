"""Authenticates users by password or by token. It knows no sockets; `services.login` speaks with the client.

One try of a password, in this order:

    throttled? → a place in the queue, or busy → a hash slot → is there such a user? → verify → count

So a flood of tries learns nothing and costs no memory. An unknown name, a disabled user and a wrong password get the
same answer, after the same time: a refusal hashes once with each cost that the users' hashes have. After a change of
the costs, that is the time of all of them together.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.password_normalization import normalize_password
from sockctl.accounts.password_rules import MIN_LENGTH
from sockctl.accounts.passwords import make_dummy_hash, parse_parameters
from sockctl.accounts.session import Session
from sockctl.accounts.throttle import Who, limit_signups
from sockctl.accounts.user import User
from sockctl.errors import EngineError, HashFailedError, LoginFailedError, PasswordRefusedError, StoreError
from sockctl.protocol.names import make_name_key
from sockctl.source_network import IPV6_PREFIX, find_source_network

FLOOR_S = 0.5
"""A failure takes so long, or a multiple of it, so that the client can't measure the time of the work."""

GivenUp = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Login:
    """One login that succeeded.

    Attributes:
        session: The session.
        kept: Whether the session is on the disk; otherwise it ends with the connection.
        problem: Why something could not be saved, for the operator; empty if all was saved.
    """

    session: Session
    kept: bool = True
    problem: str = ""

    @property
    def user(self) -> str:
        """The user's name."""
        return self.session.user


class Authenticator:
    """Authenticates users. Any thread may use it; calls block while they wait for a hash slot, and while it hashes.

    Args:
        accounts: The accounts.
        queue: The queue in front of the hashes.
        min_length: Code points that a new password must have.
        floor_s: See `FLOOR_S`.
        ipv6_prefix: Bits of an IPv6 address that name its network.

    Raises:
        StoreError: A file of the accounts can't be used.
        HashFailedError: There is not enough memory to hash a password.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        queue: HashQueue | None = None,
        min_length: int = MIN_LENGTH,
        floor_s: float = FLOOR_S,
        ipv6_prefix: int = IPV6_PREFIX,
    ) -> None:
        self.accounts = accounts
        self._queue = queue or HashQueue(throttle=accounts.throttle)
        self._signups = limit_signups()
        self._min_length = min_length
        self._floor_s = floor_s
        self._ipv6_prefix = ipv6_prefix
        # These two fail now, not at the first client, if there is too little memory, or a file can't be used.
        accounts.hasher.verify(make_dummy_hash(accounts.hasher.parameters), "")
        accounts.users.refresh()
        accounts.users.list_all()
        self._queue.know(self._identify(session.address, session.user) for session in accounts.list_sessions())

    def count_hashes(self) -> dict[str, int]:
        """Return how many tries wait for a hash, how many hashes run, and how many may run."""
        queue = self._queue
        return {"hashes_waiting": queue.waiting, "hashes_running": queue.running, "hash_slots": queue.slots}

    def log_in(
        self,
        name: str,
        password: str,
        address: str,
        *,
        with_token: bool,
        shown: Sequence[str] = (),
        given_up: GivenUp = lambda: False,
    ) -> Login:
        """Log a user in by password.

        Args:
            name: The name as the user typed it; any text.
            password: The password as the user typed it; any text.
            address: The client's IP address.
            with_token: Whether the client can save a token.
            shown: Refused tokens that the client has shown; one of this user's makes the device a known one.
            given_up: Returns whether the client has gone; called while the login waits, and must not block.

        Raises:
            LoginFailedError: There is no such user, the password is wrong, or the user is disabled.
            ThrottledError: Too many tries have failed.
            BusyError: Too many users log in at once.
            HashFailedError: There is not enough memory.
            StoreError: The users can't be read.
        """
        user, rehashed = self._check(self._identify(address, name, shown), name, password, given_up)
        problem = self._rehash(user, rehashed)
        return self._begin(user, address, with_token=with_token, problem=problem)

    def confirm(self, name: str, password: str, address: str, *, given_up: GivenUp = lambda: False) -> User:
        """Check a user's password under the same rules, and return the user. Raises what `log_in` raises."""
        return self._check(self._identify(address, name), name, password, given_up)[0]

    def resume(self, token: str, address: str) -> Login:
        """Resume a session by token, and log its user in; the session gets a new token.

        Raises:
            TokenRefusedError: The token resumes no session now.
            StoreError: A file can't be read or written.
        """
        self.accounts.refresh()
        session = self.accounts.sessions.resume(token, address, is_current=self.accounts.is_current)
        self._queue.know([self._identify(address, session.user)])
        return Login(session)

    def may_sign_up(self, address: str) -> bool:
        """Return whether this address may still sign up."""
        return self._signups.would_allow(find_source_network(address, self._ipv6_prefix), time.monotonic())

    def count_signup(self, address: str) -> bool:
        """Count a client that wants to sign up, and return whether it may."""
        return self._signups.allow([find_source_network(address, self._ipv6_prefix)], time.monotonic())

    def sign_up(
        self, name: str, password: str, address: str, *, with_token: bool, given_up: GivenUp = lambda: False
    ) -> Login:
        """Add a user, and log it in.

        Raises:
            NameRefusedError: The name breaks the rule for names.
            NameTakenError: There is such a user by now.
            PasswordRefusedError: The password breaks a rule for passwords.
            BusyError: Too many users log in at once.
            HashFailedError: There is not enough memory.
            StoreError: A file can't be read or written.
        """
        turn = self._make_turn(self._identify(address, name), given_up)
        user = self.accounts.add(name, password, min_length=self._min_length, turn=turn)
        self._queue.know([self._identify(address, user.name)])
        return self._begin(user, address, with_token=with_token)

    def set_password(self, user: User, password: str, address: str, *, given_up: GivenUp = lambda: False) -> None:
        """Set the password of a user that `confirm` has just returned, and end all its sessions.

        Raises:
            UnknownUserError: The user was changed meanwhile.
            PasswordRefusedError: The password breaks a rule for passwords.
            BusyError: Too many users log in at once.
            HashFailedError: There is not enough memory.
            StoreError: A file can't be read or written.
        """
        turn = self._make_turn(self._identify(address, user.name), given_up)
        self.accounts.set_password(user.name, password, min_length=self._min_length, only_over=user, turn=turn)

    def _identify(self, address: str, name: str, shown: Sequence[str] = ()) -> Who:
        """Return the source of a try: the address, the name, and the device that the tokens prove."""
        device = ""
        with contextlib.suppress(StoreError):  # without the key the device counts as a stranger's, and may log in
            device = self.accounts.device_tokens.find_device(shown, make_name_key(name.strip()))
        return Who.of(address, name, ipv6_prefix=self._ipv6_prefix, device=device)

    def _check(self, who: Who, name: str, password: str, given_up: GivenUp) -> tuple[User, str]:
        """Return the user, and a new hash of the password where the saved one is outdated."""
        began = time.monotonic()
        name = name.strip()
        rehashed = ""
        self.accounts.refresh()
        with self._queue.hold_slot(who, given_up=given_up) as one:
            user = self.accounts.users.find(name)
            one.right = self._verify(user, password)
            if user is not None and one.right and self.accounts.hasher.is_outdated(user.hash):
                rehashed = self._hash_again(password)
        if user is None or not one.right:
            self._pad(began)
            raise LoginFailedError(
                "The name or the password is wrong, or the user may not come in.",
                user=None if user is None else user.name,
            )
        return user, rehashed

    def _make_turn(self, who: Who, given_up: GivenUp) -> Callable[[], AbstractContextManager[object]]:
        """Return a context that holds a slot for a hash that is no guess; no disk may be waited for inside."""
        return partial(self._queue.hold_slot, who, guess=False, given_up=given_up)

    def _verify(self, user: User | None, password: str) -> bool:
        try:
            text = normalize_password(password)
        except PasswordRefusedError:  # no user has such a password
            user, text = None, ""
        hasher = self.accounts.hasher
        costs = set(self.accounts.users.collect_hash_costs() or [hasher.parameters])
        if user is not None and not user.disabled:
            if hasher.verify(user.hash, text):
                return True
            costs.discard(parse_parameters(user.hash))
        for parameters in costs:
            hasher.verify(make_dummy_hash(parameters), text)  # takes as long as a user's hash would
        return False

    def _hash_again(self, password: str) -> str:
        try:
            return self.accounts.hasher.hash(normalize_password(password))
        except HashFailedError:
            return ""  # the user keeps the old hash

    def _rehash(self, user: User, rehashed: str) -> str:
        if rehashed:
            try:
                self.accounts.users.rehash(user, rehashed)
            except StoreError as error:
                return str(error)
        return ""

    def _begin(self, user: User, address: str, *, with_token: bool, problem: str = "") -> Login:
        try:
            session = self.accounts.sessions.begin(user, address, with_token=with_token)
        except EngineError:
            raise  # without it, no server knows who is logged in
        except StoreError as error:
            now = self.accounts.now()
            session = Session(secrets.token_hex(6), user.name, user.credential_generation, "", address, now, now)
            return Login(session, kept=False, problem=str(error))
        return Login(session, problem=problem)

    def _pad(self, began: float) -> None:
        took_s = time.monotonic() - began
        time.sleep(self._floor_s - took_s % self._floor_s)
