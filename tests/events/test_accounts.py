"""Tests for `sockctl.events.accounts`."""

import pytest

from sockctl.events import accounts
from sockctl.events.accounts import (
    AccountsUnreadable,
    LoggedOut,
    LoginFailed,
    LoginSucceeded,
    PasswordChanged,
    SessionEnded,
    SessionUnkept,
    TokenReused,
    UserSignedUp,
)
from sockctl.events.base import Level
from tests.support.event_words import Reading, check_complete, read

READINGS = [
    Reading(
        LoginSucceeded(connection=3, peer="[::1]:50000", user="ann", by="password", session="a1b2"),
        "login_succeeded",
        Level.INFO,
        "ann logged in with the password: session a1b2.",
    ),
    Reading(
        LoginSucceeded(connection=3, peer="[::1]:50000", user="ann", by="token", session="a1b2"),
        "login_succeeded",
        Level.INFO,
        "ann logged in with a token: session a1b2.",
    ),
    Reading(
        LoginSucceeded(connection=3, peer="[::1]:50000", user="ann", by="signup", session="a1b2"),
        "login_succeeded",
        Level.INFO,
        "ann logged in as a new user: session a1b2.",
    ),
    Reading(
        LoginFailed(connection=3, peer="[::1]:50000", code="login_failed"),
        "login_failed",
        Level.WARNING,
        "The name or the password was wrong, or the user is disabled.",
    ),
    Reading(
        LoginFailed(connection=3, peer="[::1]:50000", code="bad_token", user="ann"),
        "login_failed",
        Level.WARNING,
        "The client showed a token that belongs to no session (ann).",
    ),
    Reading(
        LoginFailed(connection=3, peer="[::1]:50000", code="throttled", user="ann", retry_after=7),
        "login_failed",
        Level.WARNING,
        "Too many logins have failed before, so the server did not check this one (ann).",
        "The client may try again in 7 s.",
    ),
    Reading(
        LoginFailed(connection=3, peer="[::1]:50000", code="busy", retry_after=1),
        "login_failed",
        Level.WARNING,
        "Too many people log in at once, so the server did not check this login.",
        "The client may try again in 1 s.",
    ),
    Reading(
        UserSignedUp(connection=3, peer="[::1]:50000", user="ann"),
        "user_signed_up",
        Level.INFO,
        "ann signed up.",
        "The client chose a name and a password, and has an account from now on.",
    ),
    Reading(
        PasswordChanged(connection=3, peer="[::1]:50000", user="ann"),
        "password_changed",
        Level.INFO,
        "ann changed the password.",
        "All sessions of this user have ended.",
    ),
    Reading(
        LoggedOut(connection=3, peer="[::1]:50000", user="ann", session="a1b2"),
        "logged_out",
        Level.INFO,
        "ann logged out: session a1b2 has ended.",
        "Its token is worth nothing any more.",
    ),
    Reading(
        SessionEnded(connection=3, peer="[::1]:50000", user="ann", session="a1b2"),
        "session_ended",
        Level.INFO,
        "The session a1b2 of ann has ended.",
        "It was revoked or has expired, or the user was removed, disabled or given another password. The "
        "server closes the connection.",
    ),
    Reading(
        TokenReused(connection=3, peer="[::1]:50000", user="ann", session="a1b2"),
        "token_reused",
        Level.WARNING,
        "The client showed an old token of ann: somebody may have stolen a copy.",
        "A newer one had replaced it. Session a1b2 has ended on every connection, and ann must log in "
        "with the password.",
    ),
    Reading(
        SessionUnkept(connection=3, peer="[::1]:50000", user="ann", error="The disk is full."),
        "session_unkept",
        Level.ERROR,
        "ann is logged in, but the server could not save everything: The disk is full.",
    ),
    Reading(
        AccountsUnreadable(error="users.json can't be read."),
        "accounts_unreadable",
        Level.ERROR,
        "The server goes on with the accounts that it read last: users.json can't be read.",
    ),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_events_read_as_they_are_meant(reading: Reading) -> None:
    assert read(reading.event) == reading


def test_each_event_has_a_reading() -> None:
    check_complete(accounts, READINGS)
