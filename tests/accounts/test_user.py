"""One user: its name, what others are shown of it, and what the file may hold."""

from typing import Any

import pytest

from sockctl.accounts.passwords import Hasher
from sockctl.accounts.user import FORM, User, parse_user_name, read_user
from sockctl.errors import NameRefusedError, StoreFormatError
from tests.support.accounts import CHEAPEST, PASSWORD
from tests.support.clock import NOON

HASH = Hasher(CHEAPEST).hash(PASSWORD)
AT = "2026-01-31T12:00:00Z"


def entry(**values: Any) -> dict[str, Any]:
    own = {"hash": HASH, "created": AT, "changed": AT, "disabled": False, "credential_generation": 1}
    return {**own, **values}


def content(**values: Any) -> dict[str, Any]:
    return {"version": 1, "generation": 1, "users": {"ann": entry()}, **values}


def test_a_name_is_saved_in_lower_case() -> None:
    assert parse_user_name("Ann") == "ann"
    with pytest.raises(NameRefusedError):
        parse_user_name("no name")


def test_the_hash_is_shown_nowhere() -> None:
    ann = read_user("ann", entry(disabled=True))
    assert ann == User("ann", HASH, NOON, NOON, disabled=True, credential_generation=1)
    assert HASH not in repr(ann)
    assert ann.as_fields == {"name": "ann", "created": AT, "changed": AT, "disabled": True}


@pytest.mark.parametrize("good", [content(), content(users={}, generation=0), content(removed={"bob": AT})])
def test_what_the_file_may_hold(good: dict[str, Any]) -> None:
    FORM(good, ())


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (content(generation=-1), "generation"),
        (content(users={"Ann": entry()}), "Ann"),
        (content(users={"ann": entry(hash="$argon2id$junk")}), "hash"),
        (content(users={"ann": entry(disabled=0)}), "disabled"),
        (content(users={"ann": entry(created="today")}), "created"),
        (content(users={"ann": entry(credential_generation=2)}), "credential_generation"),
        (content(removed={"bob": None}), "removed"),
    ],
)
def test_a_refusal_names_the_place(bad: dict[str, Any], place: str) -> None:
    with pytest.raises(StoreFormatError, match=place):
        FORM(bad, ())
