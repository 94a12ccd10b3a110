"""The accounts: the users, their passwords and sessions, as commands and servers use them."""

import contextlib
import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sockctl.accounts.device_tokens import DeviceTokens
from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.password_normalization import normalize_password
from sockctl.accounts.password_rules import MIN_LENGTH, check_new
from sockctl.accounts.passwords import Hasher
from sockctl.accounts.session import Session
from sockctl.accounts.session_file import SessionFile
from sockctl.accounts.session_store import SessionStore
from sockctl.accounts.sessions import Sessions
from sockctl.accounts.settings import Settings, SettingsFile, SettingsStore
from sockctl.accounts.throttle import Throttle
from sockctl.accounts.user import User, parse_user_name
from sockctl.accounts.user_store import UserFile, UserStore
from sockctl.accounts.users import Users
from sockctl.errors import NameTakenError, PasswordRefusedError, StoreError, StoreFormatError
from sockctl.stores.timestamps import Clock, read_utc_clock

Turn = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStores:
    """Where the accounts are kept.

    Attributes:
        settings: The costs of a hash, and the identity of the server.
        users: The users.
        sessions: The sessions.
        throttle: Counts failed logins.
        read_offset: Returns how far the clock of all servers that share the stores is ahead of this machine's.
    """

    settings: SettingsStore
    users: UserStore
    sessions: SessionStore
    throttle: Throttle
    read_offset: Callable[[], datetime.timedelta] | None = None


def open_files(data_dir: Path, *, on_bad: Callable[[StoreError], None] | None = None) -> AccountStores:
    """Return the stores of a data directory; the throttle is one of this process.

    Args:
        data_dir: The folder of the files.
        on_bad: Called when a file can't be read any more; the server then goes on with the last good content.
    """
    return AccountStores(
        settings=SettingsFile(data_dir, on_bad=on_bad),
        users=UserFile(data_dir, on_bad=on_bad),
        sessions=SessionFile(data_dir),
        throttle=LocalThrottle(),
    )


class Accounts:
    """The accounts. Several threads, processes and machines may use them at once.

    Args:
        stores: Where they are kept, or their data directory.
        clock: Returns the time, with a time zone.

    Attributes:
        now: Returns the time, with a time zone.
        settings: The costs of a hash, and the identity of the server.
        device_tokens: Makes and recognizes the tokens of sessions.
        users: The users.
        sessions: The sessions.
        throttle: Counts failed logins.
    """

    def __init__(self, stores: AccountStores | Path, *, clock: Clock = read_utc_clock) -> None:
        stores = open_files(stores) if isinstance(stores, Path) else stores
        if (read_offset := stores.read_offset) is not None:
            own_clock = clock
            clock = lambda: own_clock() + read_offset()  # noqa: E731
        self.now = clock
        self.settings = Settings(stores.settings)
        self.users = Users(stores.users, clock=clock)
        self.device_tokens = DeviceTokens(self.settings.read_device_key)
        self.sessions = Sessions(
            stores.sessions, server_id=self.settings.read_server_id, tokens=self.device_tokens, clock=clock
        )
        self.throttle = stores.throttle

    @cached_property
    def hasher(self) -> Hasher:
        """The hasher of passwords, with the parameters that the settings had at its first use.

        Raises:
            StoreError: The settings can't be read.
        """
        return Hasher(self.settings.hash_parameters)

    def refresh(self) -> None:
        """Learn what other machines have changed; may block. Users of a wrong form stay as they were.

        Raises:
            StoreError: A store can't be used.
        """
        with contextlib.suppress(StoreFormatError):  # `ActiveLogins` tells the operator
            self.users.refresh()

    def add(
        self, name: str, password: str, *, min_length: int = MIN_LENGTH, turn: Turn = contextlib.nullcontext
    ) -> User:
        """Add a user, save it to the disk, and return it.

        Args:
            name: The user's name.
            password: The password.
            min_length: Code points that it must have.
            turn: The context around the hashing of the password, and around nothing else; may raise its own errors.

        Raises:
            NameRefusedError: The name breaks the rule for names.
            NameTakenError: There is such a user.
            PasswordRefusedError: The password breaks a rule for passwords.
            HashFailedError: There is not enough memory to hash it.
            StoreError: A store can't be read or written.
        """
        name = self.check_free_name(name)
        hashed = self._hash(check_new(password, name=name, min_length=min_length), turn)
        # Again: the hash may have waited for long, and the sessions of a user added meanwhile must not end.
        name = self.check_free_name(name)
        self.sessions.end_all(name)  # of a former user of that name
        return self.users.add(name, hashed)

    def check_free_name(self, name: str) -> str:
        """Return the name of a new user in the form that is saved.

        Raises:
            NameRefusedError: It breaks the rule for names.
            NameTakenError: There is such a user, or one whose name looks like it.
            StoreError: The store can't be read.
        """
        name = parse_user_name(name)
        if self.users.find(name) is not None:
            raise NameTakenError(f"There is a user {name} already: choose another name.")
        if alike := self.users.find_look_alike(name, former=False):
            raise NameTakenError(f"The name {name} looks like {alike}, which is taken: choose another name.")
        return name

    def check_signup_name(self, name: str) -> str:
        """Return the name of a client that signs up, in the form that is saved.

        Raises:
            NameRefusedError: It breaks the rule for names.
            NameTakenError: There is or was such a user, or one whose name looks like it.
            StoreError: The store can't be read.
        """
        name = self.check_free_name(name)
        if self.users.was_removed(name):
            raise NameTakenError(f"There was a user {name}: choose another name.")
        if alike := self.users.find_look_alike(name):
            raise NameTakenError(f"The name {name} looks like {alike}, which is taken: choose another name.")
        return name

    def set_password(
        self,
        name: str,
        password: str,
        *,
        min_length: int = MIN_LENGTH,
        only_over: User | None = None,
        turn: Turn = contextlib.nullcontext,
    ) -> User:
        """Set a user's password, which ends all sessions; return the user.

        Args:
            name: The user's name.
            password: The new password.
            min_length: Code points that it must have.
            only_over: The user as it was when the change was allowed: this refuses to change one that is newer.
            turn: The context around the hashing, as for `add`.

        Raises:
            UnknownUserError: There is no such user, or it is newer than `only_over`.
            PasswordRefusedError: The password breaks a rule for passwords.
            HashFailedError: There is not enough memory to hash it.
            StoreError: A store can't be read or written.
        """
        user = self.users.get(name)
        hashed = self._hash(check_new(password, name=user.name, min_length=min_length), turn)
        user = self.users.set_hash(user.name, hashed, only_over=only_over)
        self._drop_sessions(user)
        return user

    def disable(self, name: str) -> User:
        """Disable a user, which ends all sessions; return the user. Raises what `Users.disable` raises."""
        user = self.users.disable(name)
        self._drop_sessions(user)
        return user

    def remove(self, name: str) -> User:
        """Remove a user and all sessions; return the user as it was. Raises what `Users.remove` raises."""
        user = self.users.remove(name)
        self._drop_sessions(user)
        return user

    def verify(self, user: User, password: str) -> bool:
        """Return whether `password` is the user's. A password that breaks the rule for passwords is not.

        Raises:
            HashFailedError: There is not enough memory to tell.
        """
        try:
            return self.hasher.verify(user.hash, normalize_password(password))
        except PasswordRefusedError:
            return False

    def is_current(self, session: Session) -> bool:
        """Return whether the user of a session may still log in with it.

        Raises:
            StoreError: The users can't be read.
        """
        user = self.users.find(session.user)
        return user is not None and not user.disabled and user.credential_generation == session.credential_generation

    def list_sessions(self, name: str | None = None) -> list[Session]:
        """Return the sessions of a user, or of everybody, in the order in which they began.

        Raises:
            StoreError: A store can't be read.
        """
        return [one for one in self.sessions.list_all(name) if self.is_current(one)]

    def _hash(self, password: str, turn: Turn) -> str:
        with turn():
            return self.hasher.hash(password)

    def _drop_sessions(self, user: User) -> None:
        with contextlib.suppress(StoreError):  # the user's change has ended them; the file has them until they expire
            self.sessions.end_all(user.name)
