"""Copying the accounts of a data directory into an engine."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.accounts.account_import import copy_accounts
from sockctl.accounts.accounts import Accounts, AccountStores
from sockctl.accounts.session import Session
from sockctl.cluster.engine_pool import EnginePool
from sockctl.errors import NameTakenError, TokenRefusedError
from tests.support.account_stores import shared_stores
from tests.support.accounts import OTHER, PASSWORD, accounts_at

HERE = "192.0.2.7"


@pytest.fixture
def stores(pool: EnginePool) -> AccountStores:
    return shared_stores(pool)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Accounts]:
    accounts = accounts_at(tmp_path, "ann", "bob", "carl")
    accounts.disable("bob")
    accounts.remove("carl")
    yield accounts
    accounts.sessions.close()


def token_of(session: Session) -> str:
    assert session.token is not None
    return session.token


def resume(accounts: Accounts, token: str) -> Session:
    return accounts.sessions.resume(token, HERE, is_current=accounts.is_current)


def begin(accounts: Accounts, name: str) -> Session:
    return accounts.sessions.begin(accounts.users.get(name), HERE, with_token=True)


def test_users_sessions_and_settings_are_copied(source: Accounts, stores: AccountStores, tmp_path: Path) -> None:
    before = begin(source, "ann")
    copied = copy_accounts(tmp_path, stores)
    assert ([user.name for user in copied.users], copied.same, copied.former, copied.sessions) == (
        ["ann", "bob"],
        0,
        1,
        1,
    )
    accounts = Accounts(stores)
    assert accounts.users.list_all() == source.users.list_all()
    assert accounts.users.was_removed("carl")
    assert accounts.verify(accounts.users.get("ann"), PASSWORD)
    assert accounts.hasher.parameters == source.hasher.parameters
    assert accounts.settings.read_server_id() == source.settings.read_server_id()
    after = resume(accounts, token_of(before))
    assert (after.id, after.created) == (before.id, before.created)
    assert accounts.device_tokens.find_device([token_of(before)], "ann") == before.id


def test_a_second_copy_changes_nothing(source: Accounts, stores: AccountStores, tmp_path: Path) -> None:
    ended = begin(source, "ann")
    copy_accounts(tmp_path, stores)
    accounts = Accounts(stores)
    accounts.sessions.end(ended.id)
    generation = accounts.users.generation
    copied = copy_accounts(tmp_path, stores)
    assert (copied.users, copied.same, copied.former, copied.sessions) == ([], 2, 0, 0)
    assert accounts.users.generation == generation
    with pytest.raises(TokenRefusedError):
        resume(accounts, token_of(ended))


def test_another_user_of_the_name_stops_the_copy(source: Accounts, stores: AccountStores, tmp_path: Path) -> None:
    accounts = Accounts(stores)
    accounts.add("ann", OTHER)
    theirs = begin(accounts, "ann")
    with pytest.raises(NameTakenError, match=r"nothing was copied: ann\. --overwrite"):
        copy_accounts(tmp_path, stores)
    assert [user.name for user in accounts.users.list_all()] == ["ann"]
    ours = begin(source, "ann")
    copied = copy_accounts(tmp_path, stores, overwrite=True)
    assert [user.name for user in copied.users] == ["ann", "bob"]
    assert accounts.verify(accounts.users.get("ann"), PASSWORD)
    assert [session.id for session in accounts.list_sessions("ann")] == [ours.id]
    with pytest.raises(TokenRefusedError):
        resume(accounts, token_of(theirs))


def test_a_user_that_was_removed_in_the_engine_does_not_come_back(
    source: Accounts, stores: AccountStores, tmp_path: Path
) -> None:
    copy_accounts(tmp_path, stores)
    Accounts(stores).remove("ann")
    with pytest.raises(NameTakenError, match="ann"):
        copy_accounts(tmp_path, stores)
    copied = copy_accounts(tmp_path, stores, overwrite=True)
    assert copied.users == [
        dataclasses.replace(source.users.get("ann"), credential_generation=copied.users[0].credential_generation)
    ]


def test_a_session_that_a_password_has_ended_is_not_copied(
    source: Accounts, stores: AccountStores, tmp_path: Path
) -> None:
    before = begin(source, "ann")
    source.users.set_hash("ann", source.hasher.hash(OTHER))  # the file still has the session
    assert copy_accounts(tmp_path, stores).sessions == 0
    with pytest.raises(TokenRefusedError):
        resume(Accounts(stores), token_of(before))


def test_a_user_who_looks_like_one_of_the_engine_stops_the_copy(
    source: Accounts, stores: AccountStores, tmp_path: Path
) -> None:
    Accounts(stores).add("\u0430\u0441\u0430", OTHER)
    source.add("aca", PASSWORD)
    with pytest.raises(NameTakenError, match="looks like"):
        copy_accounts(tmp_path, stores, overwrite=True)


def test_an_error_shows_some_names(stores: AccountStores, tmp_path: Path) -> None:
    names = [f"user{number}" for number in range(6)]
    accounts_at(tmp_path, *names)
    accounts = Accounts(stores)
    for name in names:
        accounts.users.add(name, accounts.hasher.hash(OTHER))
    with pytest.raises(NameTakenError, match="user4 and 1 more"):
        copy_accounts(tmp_path, stores)
