"""Users of this machine by their numbers and names."""

import os
import pwd

import pytest

from sockctl.local_user import describe_user, find_user, find_user_name, parse_user_host

OWN = os.geteuid()
NOBODYS_UID = 2_000_000_011


def test_a_user_has_a_name_if_the_system_knows_one() -> None:
    name = pwd.getpwuid(0).pw_name
    assert (find_user_name(0), describe_user(0)) == (name, f"uid 0 ({name})")
    assert (find_user_name(NOBODYS_UID), describe_user(NOBODYS_UID)) == ("", f"uid {NOBODYS_UID}")


def test_a_user_is_named_by_number_or_name() -> None:
    assert find_user(f"uid:{NOBODYS_UID}") == NOBODYS_UID
    assert find_user(f"uid:{pwd.getpwuid(0).pw_name}") == 0


@pytest.mark.parametrize("text", ["1000", "uid:", "uid:no such user", "uid:-1", "user:1000", "uid:1\0", ""])
def test_what_names_no_user(text: str) -> None:
    assert find_user(text) is None
    assert parse_user_host(text) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "uid:ann", "uid:１", "uid:²", "uid:" + "9" * 5_000])  # noqa: RUF001  a digit of another script
def test_what_is_no_users_host(host: str) -> None:
    assert parse_user_host(host) is None
