"""Logins whose connections are open: a change of a user or a session ends them; those that are used go on."""

import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.accounts import Accounts, AccountStores
from sockctl.accounts.active_logins import ActiveLogins
from sockctl.accounts.authenticator import Login
from sockctl.accounts.passwords import Hasher
from sockctl.cluster.engine_pool import EnginePool
from sockctl.errors import EngineAwayError, StoreError, TokenRefusedError
from tests.support.account_stores import shared_stores
from tests.support.accounts import CHEAPEST, PASSWORD, accounts_at, fill_disk_of_sessions
from tests.support.clock import NOON, Clock

HERE = "192.0.2.7"


class Stage:
    """Accounts of ann and bob, and logins whose ends are kept; no thread looks but the test's."""

    def __init__(self, stores: AccountStores | Path) -> None:
        self.stores = stores
        self.clock = Clock()
        self.accounts = Accounts(stores, clock=self.clock)
        self.others = Accounts(stores, clock=self.clock)  # as another process has them
        self.bad: list[StoreError] = []
        self.logins = ActiveLogins(self.accounts, on_bad=self.bad.append)
        self.ended: list[str] = []
        self.accounts.users.refresh()

    def enter(self, name: str, key: str = "", *, with_token: bool = True) -> Login:
        login = Login(self.accounts.sessions.begin(self.accounts.users.get(name), HERE, with_token=with_token))
        self.logins.add(key or name, login, lambda: self.ended.append(key or name))
        return login

    def is_saved(self, login: Login) -> bool:
        return self.accounts.sessions.find(login.session.id) is not None


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Stage]:
    accounts_at(tmp_path, "ann", "bob")
    one = Stage(tmp_path)
    yield one
    one.accounts.sessions.close()
    one.others.sessions.close()


@pytest.fixture
def stage(kind: str, request: pytest.FixtureRequest) -> Stage:
    if kind == "files":
        made: Stage = request.getfixturevalue("in_file")
        return made
    pool = request.getfixturevalue("pool")
    accounts = Accounts(shared_stores(pool))
    for name in ("ann", "bob"):
        accounts.users.add(name, Hasher(CHEAPEST).hash(PASSWORD))
    return Stage(shared_stores(pool))


def test_a_login_that_holds_stays(stage: Stage) -> None:
    stage.enter("ann")
    stage.logins.look()
    assert stage.logins.note_use("ann")
    assert not stage.ended


@pytest.mark.parametrize("change", ["disable", "remove", "end"])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_change_ends_the_login_once(stage: Stage, change: str, *, is_new: bool) -> None:
    login = stage.enter("ann")
    stage.enter("bob")
    if not is_new:
        stage.logins.look()
    if change == "end":
        stage.others.sessions.end(login.session.id)
    else:
        getattr(stage.others, change)("ann")
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


def test_the_token_of_a_login_that_is_ended_lets_nobody_in_from_then_on(stage: Stage) -> None:
    token = stage.enter("ann").session.token
    assert token is not None
    stage.logins.end("ann")
    for _ in range(2):
        with pytest.raises(TokenRefusedError):
            stage.accounts.sessions.resume(token, HERE, is_current=lambda _: True)
        stage.logins.look()


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


def test_what_could_not_be_saved_is_saved_later(in_file: Stage) -> None:
    stage, login = in_file, in_file.enter("ann", with_token=False)
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


def test_both_clients_of_one_session_end_with_it(stage: Stage) -> None:
    login = stage.enter("ann", "first")
    stage.logins.add("second", login, lambda: stage.ended.append("second"))
    stage.logins.look()
    stage.others.sessions.end(login.session.id)
    stage.logins.look()
    assert sorted(stage.ended) == ["first", "second"]


def test_more_sessions_end_at_once_than_the_store_remembers(stage: Stage) -> None:
    login = stage.enter("ann")
    stage.logins.look()
    ann = stage.accounts.users.get("ann")
    stage.others.sessions.end(login.session.id)
    for number in range(1_005 if isinstance(stage.stores, AccountStores) else 5):
        user = dataclasses.replace(ann, name=f"user{number}")
        stage.others.sessions.end(stage.others.sessions.begin(user, HERE, with_token=False).id)
    stage.logins.look()
    assert stage.ended == ["ann"]


@pytest.mark.parametrize("method", ["users", "ended", "find"])
def test_nobody_is_out_because_the_engine_is_away(pool: EnginePool, method: str) -> None:
    accounts = Accounts(shared_stores(pool))
    ann = accounts.users.add("ann", Hasher(CHEAPEST).hash(PASSWORD))
    stage = Stage(shared_stores(pool))
    stage.enter("ann")
    call = pool.call

    def fail(name: str, *words: Any) -> Any:
        if name == method:
            raise EngineAwayError("away")
        return call(name, *words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "call", fail)
        for _ in range(3):
            stage.logins.look()
        accounts.sessions.end_all(ann.name)
        stage.logins.look()
        assert not stage.ended or method == "users"
        assert len(stage.bad) == (method == "users"), "told once"
    stage.logins.look()
    assert stage.ended == ["ann"], "once it is back"
