"""The accounts of a data directory: who may be added, and what a change of a user means for its sessions."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.session import Session
from sockctl.errors import NameRefusedError, NameTakenError, PasswordRefusedError, UnknownUserError
from tests.support.account_stores import shared_stores
from tests.support.accounts import CHEAPEST, COSTS, OTHER, PASSWORD, make_cheap

HERE = "192.0.2.7"


@pytest.fixture
def again(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Accounts]:
    """Open the accounts, as another process does."""
    if kind == "files":
        make_cheap(tmp_path)
        return lambda: Accounts(tmp_path)
    pool = request.getfixturevalue("pool")
    shared_stores(pool).settings.fill({"server_id": "5" * 32, "device_key": "5" * 64, "argon2": COSTS})

    def open_stores() -> Accounts:
        accounts = Accounts(shared_stores(pool))
        accounts.users.refresh()
        return accounts

    return open_stores


@pytest.fixture
def accounts(again: Callable[[], Accounts]) -> Iterator[Accounts]:
    one = again()
    for name in ("ann", "bob"):
        one.add(name, PASSWORD)
    yield one
    one.sessions.close()


def begin(accounts: Accounts, name: str) -> Session:
    return accounts.sessions.begin(accounts.users.get(name), HERE, with_token=True)


def test_a_user_is_added_under_the_name_in_lower_case(accounts: Accounts) -> None:
    carl = accounts.add("Carl", PASSWORD)
    assert carl.name == "carl"
    assert accounts.verify(carl, PASSWORD)
    assert not accounts.verify(carl, OTHER)
    assert not accounts.verify(carl, ""), "a password that nobody can have is a wrong one"


@pytest.mark.parametrize(
    ("name", "password", "refusal"),
    [
        ("ann", PASSWORD, NameTakenError),
        ("ANN", PASSWORD, NameTakenError),
        ("a b", PASSWORD, NameRefusedError),
        ("carl", "short", PasswordRefusedError),
    ],
)
def test_a_user_that_is_refused(accounts: Accounts, name: str, password: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        accounts.add(name, password)
    assert [user.name for user in accounts.users.list_all()] == ["ann", "bob"]


def test_the_name_is_checked_again_after_the_hash(accounts: Accounts, again: Callable[[], Accounts]) -> None:
    @contextlib.contextmanager
    def turn() -> Iterator[None]:
        yield
        again().add("carl", OTHER)  # another process, while this one waits for its turn

    with pytest.raises(NameTakenError):
        accounts.add("carl", PASSWORD, turn=turn)
    assert accounts.verify(accounts.users.get("carl"), OTHER)


def test_only_an_operator_gives_the_name_of_a_removed_user_again(accounts: Accounts) -> None:
    accounts.remove("bob")
    with pytest.raises(NameTakenError, match="There was a user bob"):
        accounts.check_signup_name("Bob")
    assert accounts.check_free_name("Bob") == "bob"
    assert accounts.check_signup_name("Carl") == "carl"


def test_a_change_of_a_user_ends_its_sessions_and_no_others(accounts: Accounts) -> None:
    for change in (partial(accounts.set_password, "ann", OTHER), partial(accounts.disable, "ann")):
        before, other = begin(accounts, "ann"), begin(accounts, "bob")
        assert accounts.is_current(before)
        change()
        assert not accounts.is_current(before)
        assert accounts.is_current(other)
        assert accounts.list_sessions("ann") == []
    assert len(accounts.list_sessions()) == 2


def test_a_user_that_was_added_again_has_no_session_of_before(accounts: Accounts) -> None:
    before = begin(accounts, "ann")
    accounts.remove("ann")
    assert not accounts.is_current(before)
    accounts.add("ann", PASSWORD)
    assert not accounts.is_current(before)
    assert accounts.list_sessions("ann") == []


def test_a_password_is_set_only_over_the_user_that_allowed_it(accounts: Accounts) -> None:
    ann = accounts.users.get("ann")
    accounts.set_password("ann", OTHER, only_over=ann)
    with pytest.raises(UnknownUserError):
        accounts.set_password("ann", PASSWORD, only_over=ann)
    assert accounts.verify(accounts.users.get("ann"), OTHER)


def test_the_hasher_has_the_parameters_of_the_settings(accounts: Accounts) -> None:
    assert accounts.hasher.hash(PASSWORD).split("$")[3] == f"m={CHEAPEST.memory_kib},t=1,p=1"


def test_nobody_signs_up_under_a_name_that_looks_like_a_users(accounts: Accounts) -> None:
    accounts.add("aca", PASSWORD)
    for check in (accounts.check_free_name, accounts.check_signup_name):
        with pytest.raises(NameTakenError, match="looks like aca, which is taken"):
            check("\u0430\u0441\u0430")
    accounts.remove("aca")
    with pytest.raises(NameTakenError, match="looks like aca, which is taken"):
        accounts.check_signup_name("\u0430\u0441\u0430")
    assert accounts.check_free_name("\u0430\u0441\u0430") == "\u0430\u0441\u0430"
