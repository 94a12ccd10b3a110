"""The users: what is kept of them, and what a change of one means."""

import datetime
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.passwords import Hasher
from sockctl.accounts.user import User, parse_user_name
from sockctl.accounts.user_store import UserFile
from sockctl.accounts.users import Users
from sockctl.errors import (
    NameRefusedError,
    NameTakenError,
    StoreError,
    StoreExposedError,
    StoreFormatError,
    UnknownUserError,
)
from tests.support.account_stores import shared_stores
from tests.support.accounts import CHEAPEST, PASSWORD
from tests.support.clock import NOON, Clock

HASH = Hasher(CHEAPEST).hash(PASSWORD)
OTHER_HASH = Hasher(CHEAPEST).hash(PASSWORD)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def in_file(tmp_path: Path, clock: Clock) -> Users:
    return Users(UserFile(tmp_path), clock=clock)


@pytest.fixture
def users(kind: str, request: pytest.FixtureRequest, clock: Clock) -> Users:
    if kind == "files":
        made: Users = request.getfixturevalue("in_file")
        return made
    return Users(shared_stores(request.getfixturevalue("pool")).users, clock=clock)


def test_no_users(users: Users) -> None:
    users.refresh()
    assert users.list_all() == []
    assert users.find("ann") is None


def test_reading_makes_no_file(in_file: Users, tmp_path: Path) -> None:
    assert in_file.list_all() == []
    assert not list(tmp_path.iterdir())


def test_a_user_is_kept(users: Users) -> None:
    ann = users.add("ann", HASH)
    assert ann == User("ann", HASH, NOON, NOON, disabled=False, credential_generation=1)
    assert users.find("ANN") == users.get("Ann") == ann
    assert users.list_all() == [ann]


def test_the_file(in_file: Users, tmp_path: Path) -> None:
    in_file.add("ann", HASH)
    assert json.loads((tmp_path / "users.json").read_text()) == {
        "version": 1,
        "generation": 1,
        "users": {
            "ann": {
                "hash": HASH,
                "created": "2026-01-31T12:00:00Z",
                "changed": "2026-01-31T12:00:00Z",
                "disabled": False,
                "credential_generation": 1,
            }
        },
    }


def test_a_hash_is_shown_nowhere(users: Users) -> None:
    ann = users.add("ann", HASH)
    assert HASH not in repr(ann)
    assert HASH not in str(ann.as_fields)


def test_names(users: Users) -> None:
    assert parse_user_name(" Ann ") == "ann"
    with pytest.raises(NameRefusedError):
        parse_user_name("Root")
    users.add("ann", HASH)
    with pytest.raises(NameTakenError, match="user ann already"):
        users.add("ann", HASH)
    for change in (users.get, users.disable, users.enable, users.remove, lambda name: users.set_hash(name, HASH)):
        with pytest.raises(UnknownUserError, match=r"'bob'.*users list"):
            change("bob")


def test_a_new_password(users: Users, clock: Clock) -> None:
    before = users.add("ann", HASH)
    clock.now += datetime.timedelta(days=1)
    after = users.set_hash("ANN", OTHER_HASH)
    assert (after.hash, after.created, after.changed) == (OTHER_HASH, NOON, clock.now)
    assert after.name == "ann"
    assert after.credential_generation > before.credential_generation


def test_a_password_is_set_only_over_the_one_that_was_confirmed(users: Users) -> None:
    before = users.add("ann", HASH)
    users.set_hash("ann", OTHER_HASH)
    with pytest.raises(UnknownUserError, match="changed meanwhile"):
        users.set_hash("ann", HASH, only_over=before)
    assert users.get("ann").hash == OTHER_HASH
    assert users.set_hash("ann", HASH, only_over=users.get("ann")).hash == HASH


def test_another_hash_of_the_same_password_is_no_new_one(users: Users) -> None:
    before = users.add("ann", HASH)
    users.rehash(before, OTHER_HASH)
    after = users.get("ann")
    assert (after.hash, after.credential_generation) == (OTHER_HASH, before.credential_generation)
    users.rehash(before, HASH)
    assert users.get("ann").hash == OTHER_HASH, "compare and swap: it wasn't the old one any more"
    users.remove("ann")
    users.rehash(after, HASH)
    assert users.list_all() == []


def test_disabling_and_enabling(users: Users) -> None:
    before = users.add("ann", HASH)
    disabled = users.disable("Ann")
    assert disabled.disabled
    assert disabled.credential_generation > before.credential_generation, "sessions don't come back"
    assert users.disable("ann") == disabled
    enabled = users.enable("Ann")
    assert (enabled.disabled, enabled.credential_generation) == (False, disabled.credential_generation)
    assert users.enable("ann") == enabled


def test_a_name_that_comes_again_has_nothing_of_before(users: Users) -> None:
    before = users.add("ann", HASH)
    assert users.remove("Ann") == before
    assert users.add("ann", HASH).credential_generation > before.credential_generation


def test_the_name_of_a_removed_user_is_remembered_until_it_is_given_again(users: Users) -> None:
    users.add("ann", HASH)
    users.remove("ann")
    assert users.was_removed("Ann")
    assert not users.was_removed("bob")
    users.add("ann", HASH)
    assert not users.was_removed("ann")


def test_the_names_of_removed_users_are_in_the_file(in_file: Users, tmp_path: Path) -> None:
    in_file.add("ann", HASH)
    assert "removed" not in json.loads((tmp_path / "users.json").read_text())
    in_file.remove("ann")
    assert json.loads((tmp_path / "users.json").read_text())["removed"] == {"ann": "2026-01-31T12:00:00Z"}


def test_each_change_gives_another_generation(users: Users) -> None:
    seen = {users.generation}
    changes: list[Callable[[], User]] = [
        partial(users.add, "ann", HASH),
        partial(users.disable, "ann"),
        partial(users.remove, "ann"),
    ]
    for change in changes:
        change()
        assert users.generation not in seen
        seen.add(users.generation)


GOOD: dict[str, Any] = {
    "hash": HASH,
    "created": "2026-01-31T12:00:00Z",
    "changed": "2026-01-31T12:00:00Z",
    "disabled": False,
    "credential_generation": 1,
}


def spoiled(**changes: Any) -> dict[str, Any]:
    entry = {**GOOD, **changes}
    return {"generation": 1, "users": {"ann": {name: value for name, value in entry.items() if value is not None}}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"users": {}}, "generation is no whole number"),
        ({"generation": -1, "users": {}}, "generation is no whole number"),
        ({"generation": 1, "users": []}, "users is no object"),
        ({"generation": 1, "users": {"ann": 1}}, r"users\.ann is no object"),
        ({"generation": 1, "users": {"Ann": GOOD}}, r"users\.Ann has a name that is not in lower case"),
        ({"generation": 1, "users": {"a b": GOOD}}, r'users\["a b"\] has a name that won\'t do'),
        ({"generation": 1, "users": {"root": GOOD}}, "reserved"),
        ({"generation": 1, "users": {}, "removed": []}, "removed is no object"),
        ({"generation": 1, "users": {}, "removed": {"Bob": "2026-01-31T12:00:00Z"}}, r"removed\.Bob has a name that"),
        ({"generation": 1, "users": {}, "removed": {"bob": "now"}}, r"removed\.bob is no time"),
        (spoiled(hash=None), r"users\.ann\.hash is no text"),
        (spoiled(hash="secret"), r"users\.ann\.hash can't be used: it is no argon2id"),
        (spoiled(hash=HASH.replace("m=8,", "m=99999999,")), r"users\.ann\.hash can't be used: a memory of"),
        (spoiled(hash=HASH.replace("t=1,", "t=9999999,")), r"users\.ann\.hash can't be used: 9,999,999 passes"),
        (spoiled(created="yesterday"), r"users\.ann\.created is no time"),
        (spoiled(changed=5), r"users\.ann\.changed is no time"),
        (spoiled(disabled=0), r"users\.ann\.disabled is neither true nor false"),
        (spoiled(credential_generation=2), r"users\.ann\.credential_generation is no whole number from 1 to"),
        (spoiled(credential_generation=True), r"users\.ann\.credential_generation"),
    ],
)
def test_what_is_no_file_of_users_is_refused(in_file: Users, tmp_path: Path, content: Any, why: str) -> None:
    path = tmp_path / "users.json"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, **content}))
    before = path.read_bytes()
    with pytest.raises(StoreFormatError, match=why) as caught:
        in_file.list_all()
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreFormatError):
        in_file.add("bob", HASH)
    assert path.read_bytes() == before, "it is never overwritten"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 99}',
        '{"version": 1, "generation": 0, "generation": 0, "users": {}}',
        '{"version": 1, "generation": 0, "users": {"ann": {}, "ann": {}}}',
    ],
)
def test_an_empty_broken_newer_or_ambiguous_file_is_refused(in_file: Users, tmp_path: Path, text: str) -> None:
    path = tmp_path / "users.json"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(StoreFormatError):
        in_file.list_all()
    with pytest.raises(StoreFormatError):
        in_file.add("ann", HASH)
    assert path.read_text() == text


def test_users_that_others_may_read_are_refused(in_file: Users, tmp_path: Path) -> None:
    in_file.add("ann", HASH)
    (tmp_path / "users.json").chmod(0o644)
    with pytest.raises(StoreExposedError):
        in_file.list_all()


def test_a_server_keeps_the_last_good_users_and_says_so_once(tmp_path: Path) -> None:
    bad: list[StoreError] = []
    served, path = Users(UserFile(tmp_path, on_bad=bad.append)), tmp_path / "users.json"
    ann = Users(UserFile(tmp_path)).add("ann", HASH)
    assert served.list_all() == [ann]
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    assert served.list_all() == served.list_all() == [ann]
    assert [type(error) for error in bad] == [StoreFormatError], "once"
    path.write_bytes(b"")
    assert served.list_all() == [ann]
    assert len(bad) == 2, "another reason is told, too"
    path.write_bytes(good)
    assert Users(UserFile(tmp_path)).add("bob", HASH) in served.list_all(), "what is good again counts again"
    path.write_bytes(b"")
    assert len(served.list_all()) == 2
    assert len(bad) == 3


def test_a_server_doesnt_start_with_bad_users(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.touch(0o600)
    with pytest.raises(StoreFormatError):
        Users(UserFile(tmp_path, on_bad=lambda _: pytest.fail("there was nothing good"))).list_all()


def test_names_in_ones_own_letters(users: Users, clock: Clock) -> None:
    users.add(parse_user_name(" \u0418\u0432\u0430\u043d "), HASH)
    clock.now += datetime.timedelta(seconds=1)
    users.add(parse_user_name("Jose\u0301"), HASH)
    assert users.get("ИВАН").name == "иван"
    assert [user.name for user in users.list_all()] == ["иван", "josé"]


def test_names_in_ones_own_letters_in_the_file(in_file: Users, tmp_path: Path) -> None:
    in_file.add(parse_user_name("\u0418\u0432\u0430\u043d"), HASH)
    assert [user.name for user in Users(UserFile(tmp_path)).list_all()] == ["иван"]
    assert '"иван": {' in (tmp_path / "users.json").read_text(encoding="utf-8")


def test_no_user_looks_like_another(users: Users) -> None:
    users.add("aca", HASH)
    with pytest.raises(NameTakenError, match="аса looks like aca, which is taken"):
        users.add("аса", HASH)
    assert users.find_look_alike("аса") == "aca"
    assert not users.find_look_alike("аса", but="aca")
    users.remove("aca")
    assert users.find_look_alike("аса") == "aca", "a name of a former user stays reserved"
    assert not users.find_look_alike("аса", former=False)
    users.add("аса", HASH)
    with pytest.raises(NameTakenError, match="aca looks like аса"):
        users.add("aca", HASH)
