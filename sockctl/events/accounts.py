"""The events of accounts: logins, failures, ends of sessions. None of them holds a password or a token."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level

_BY = {"password": "with the password", "token": "with a token", "signup": "as a new user"}
_FAILED = {
    "login_failed": "The name or the password was wrong, or the user is disabled",
    "bad_token": "A token was shown that is none of a session",
    "throttled": "Too many tries have failed before: this one was not looked at",
    "busy": "More people log in at once than there are hash slots and places in the queue: nobody was looked up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSucceeded(ConnectionEvent):
    """A user has logged in."""

    user: str
    by: str
    session: str

    @property
    def text(self) -> str:
        return f"{self.user} logged in {_BY[self.by]}: session {self.session}."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(ConnectionEvent):
    """A login failed. `user` is set only where the name is a user's: a password may have been typed in its place."""

    level: ClassVar[Level] = Level.WARNING

    code: str
    user: str | None = None
    retry_after: int | None = None

    @property
    def text(self) -> str:
        who = f" ({self.user})" if self.user else ""
        wait = f" It may try again in {self.retry_after} s." if self.retry_after else ""
        return f"{_FAILED[self.code]}{who}.{wait}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedUp(ConnectionEvent):
    """A new user has signed up."""

    user: str

    @property
    def text(self) -> str:
        return f"{self.user} chose a name and a password, and is a user from now on."


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(ConnectionEvent):
    """A user has changed the password."""

    user: str

    @property
    def text(self) -> str:
        return f"{self.user} changed the password: all sessions have ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(ConnectionEvent):
    """A user has logged out."""

    user: str
    session: str

    @property
    def text(self) -> str:
        return f"{self.user} logged out: session {self.session} has ended, and its token is worth nothing any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(ConnectionEvent):
    """The session of a connection has ended: the connection is closed, too."""

    user: str
    session: str

    @property
    def text(self) -> str:
        return (
            f"The session {self.session} of {self.user} was revoked or has expired, or the user was removed, disabled "
            f"or given another password: the connection ends."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReused(ConnectionEvent):
    """A token was shown that a newer one had replaced: a copy is in use."""

    level: ClassVar[Level] = Level.WARNING

    user: str
    session: str

    @property
    def text(self) -> str:
        return (
            f"A token of {self.user} was shown after a newer one had replaced it: somebody may have stolen a copy. "
            f"Session {self.session} has ended on every connection, and {self.user} must log in with the password."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUnkept(ConnectionEvent):
    """A user has logged in, but the session or a new hash can't be saved."""

    level: ClassVar[Level] = Level.ERROR

    user: str
    error: str

    @property
    def text(self) -> str:
        return f"{self.user} is in all the same, but something could not be kept: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsUnreadable(Event):
    """A file of the accounts can't be used any more."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"The server goes on with what it read last: {self.error}"
