"""The events of accounts: logins, failed logins, ends of sessions. None of them holds a password or a token."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level

_BY = {"password": "with the password", "token": "with a token", "signup": "as a new user"}
_FAILED = {
    "login_failed": "The name or the password was wrong, or the user is disabled",
    "bad_token": "The client showed a token that belongs to no session",
    "throttled": "Too many logins have failed before, so the server did not check this one",
    "busy": "Too many people log in at once, so the server did not check this login",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSucceeded(ConnectionEvent):
    """A user has logged in."""

    user: str
    by: str
    session: str

    @property
    def happened(self) -> str:
        return f"{self.user} logged in {_BY[self.by]}: session {self.session}."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(ConnectionEvent):
    """A login failed. `user` is set only if the name is a user's: somebody may have typed a password in its place."""

    level: ClassVar[Level] = Level.WARNING

    code: str
    user: str | None = None
    retry_after: int | None = None

    @property
    def happened(self) -> str:
        who = f" ({self.user})" if self.user else ""
        return f"{_FAILED[self.code]}{who}."

    @property
    def explanation(self) -> str:
        return f"The client may try again in {self.retry_after} s." if self.retry_after else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSignedUp(ConnectionEvent):
    """A new user has signed up."""

    user: str

    @property
    def happened(self) -> str:
        return f"{self.user} signed up."

    @property
    def explanation(self) -> str:
        return "The client chose a name and a password, and has an account from now on."


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(ConnectionEvent):
    """A user has changed the password."""

    user: str

    @property
    def happened(self) -> str:
        return f"{self.user} changed the password."

    @property
    def explanation(self) -> str:
        return "All sessions of this user have ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut(ConnectionEvent):
    """A user has logged out."""

    user: str
    session: str

    @property
    def happened(self) -> str:
        return f"{self.user} logged out: session {self.session} has ended."

    @property
    def explanation(self) -> str:
        return "Its token is worth nothing any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(ConnectionEvent):
    """The session of a connection has ended, so the server closes the connection."""

    user: str
    session: str

    @property
    def happened(self) -> str:
        return f"The session {self.session} of {self.user} has ended."

    @property
    def explanation(self) -> str:
        return (
            "It was revoked or has expired, or the user was removed, disabled or given another password. The server "
            "closes the connection."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReused(ConnectionEvent):
    """A client showed a token that a newer one had replaced: a copy is in use."""

    level: ClassVar[Level] = Level.WARNING

    user: str
    session: str

    @property
    def happened(self) -> str:
        return f"The client showed an old token of {self.user}: somebody may have stolen a copy."

    @property
    def explanation(self) -> str:
        return (
            f"A newer one had replaced it. Session {self.session} has ended on every connection, and {self.user} must "
            f"log in with the password."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUnkept(ConnectionEvent):
    """A user has logged in, but the server can't save the session or a new hash."""

    level: ClassVar[Level] = Level.ERROR

    user: str
    error: str

    @property
    def happened(self) -> str:
        return f"{self.user} is logged in, but the server could not save everything: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsUnreadable(Event):
    """The server can't use a file of the accounts any more."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"The server goes on with the accounts that it read last: {self.error}"
