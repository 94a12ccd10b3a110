"""The names that no member can take."""

from pathlib import Path

from sockctl.services.chat.reserved_names import ReservedNames
from tests.support.accounts import accounts_at
from tests.support.logins import make_login


def test_without_users_only_the_terminals_name_is_reserved() -> None:
    reserved = ReservedNames(None)
    assert reserved.find("server", "") == ""
    reserved.reserve_console()
    assert reserved.find("SERVER", "") == "server"
    assert reserved.find("ann", "") == ""
    assert not reserved.is_account("ann")


def test_a_users_name_is_the_users(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    reserved = ReservedNames(make_login(tmp_path))
    assert reserved.is_account("ANN")
    assert reserved.find("Ann", "bob") == "ann"
    assert reserved.find("Ann", "ann") == ""
