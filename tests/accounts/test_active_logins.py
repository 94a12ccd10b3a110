"""Logins whose connections are open: a change of a user or a session ends them; those that are used go on."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.active_logins import ActiveLogins
from sockctl.accounts.authenticator import Login
from tests.support.accounts import accounts_at, fill_disk_of_sessions
from tests.support.clock import NOON, Clock

HERE = "192.0.2.7"


class Stage:
    """Accounts of ann and bob, and logins whose ends are kept; no thread looks but the test's."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.accounts: Accounts = accounts_at(folder, "ann", "bob", clock=self.clock)
        self.logins = ActiveLogins(self.accounts)
        self.ended: list[str] = []

    def enter(self, name: str, *, with_token: bool = True) -> Login:
        login = Login(self.accounts.sessions.begin(self.accounts.users.get(name), HERE, with_token=with_token))
        self.logins.add(name, login, lambda: self.ended.append(name))
        return login

    def is_saved(self, login: Login) -> bool:
        return self.accounts.sessions.find(login.session.id) is not None


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    one = Stage(tmp_path)
    yield one
    one.accounts.sessions.close()


def test_a_login_that_holds_stays(stage: Stage) -> None:
    stage.enter("ann")
    stage.logins.look()
    assert stage.logins.note_use("ann")
    assert not stage.ended


@pytest.mark.parametrize("change", ["disable", "remove", "end"])
def test_a_change_ends_the_login_once(stage: Stage, change: str) -> None:
    login = stage.enter("ann")
    stage.enter("bob")
    if change == "end":
        stage.accounts.sessions.end(login.session.id)
    else:
        getattr(stage.accounts, change)("ann")
    stage.logins.look()
    stage.logins.look()
    assert stage.ended == ["ann"]
    assert not stage.logins.note_use("ann")
    assert stage.logins.note_use("bob")


def test_who_has_left_is_not_ended(stage: Stage) -> None:
    stage.enter("ann")
    stage.logins.remove("ann")
    stage.accounts.disable("ann")
    stage.logins.look()
    assert not stage.ended
    stage.logins.remove("ann")  # no connection has this key any more
    assert not stage.logins.note_use("ann")


@pytest.mark.parametrize("with_token", [True, False])
def test_a_session_without_a_token_ends_with_its_connection(stage: Stage, *, with_token: bool) -> None:
    login = stage.enter("ann", with_token=with_token)
    stage.logins.remove("ann")
    stage.logins.look()
    assert stage.is_saved(login) == with_token


def test_a_login_that_is_ended_loses_its_session_without_a_call(stage: Stage) -> None:
    login = stage.enter("ann")
    assert stage.logins.end("ann") is login
    assert stage.logins.end("ann") is None, "it is over"
    assert not stage.logins.note_use("ann")
    stage.logins.look()
    assert not stage.is_saved(login)
    assert not stage.ended


def test_a_use_is_saved(stage: Stage) -> None:
    login = stage.enter("ann")
    stage.clock.now = NOON + datetime.timedelta(minutes=10)
    stage.logins.look()
    (session,) = stage.accounts.list_sessions("ann")
    assert session.last_used == NOON, "a silent connection counts as a use once an hour only"
    stage.logins.note_use("ann")
    stage.logins.look()
    (session,) = stage.accounts.list_sessions("ann")
    assert session.last_used == stage.clock.now
    assert session.id == login.session.id


def test_a_silent_connection_keeps_its_session(stage: Stage) -> None:
    stage.enter("ann")
    for hours in range(1, 30):
        stage.clock.now = NOON + datetime.timedelta(hours=hours)
        stage.logins.look()
    assert len(stage.accounts.list_sessions("ann")) == 1
    assert not stage.ended


def test_what_could_not_be_saved_is_saved_later(stage: Stage) -> None:
    login = stage.enter("ann", with_token=False)
    stage.logins.remove("ann")
    with pytest.MonkeyPatch.context() as patch:
        fill_disk_of_sessions(patch)
        stage.logins.look()
    assert stage.is_saved(login)
    stage.logins.look()
    assert not stage.is_saved(login)


def test_stopping_saves_what_is_left(stage: Stage) -> None:
    login = stage.enter("ann", with_token=False)
    stage.logins.start()
    stage.logins.remove("ann")
    stage.logins.stop()
    assert not stage.is_saved(login)
