"""The client's logins, kept on disk."""

import datetime
import json
import stat
import traceback
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.token_form import make_address
from sockctl.client.token_store import REMEMBERED, Login, TokenStore
from sockctl.errors import StoreError, StoreFormatError
from sockctl.net.address import Endpoint
from tests.support.clock import Clock

ONE, TWO = ":".join(["AB"] * 32), ":".join(["0C"] * 32)
LATER, EARLIER = "2026-01-31T14:00:00+01:00", "2026-01-31T11:59:59Z"
PLACE = Login.at("Localhost", 9090, "auth")
TOKEN = "tok-sEcret_1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock) -> TokenStore:
    return TokenStore(tmp_path / "state", clock=clock)


def found(tokens: TokenStore, *place: Any) -> str | None:
    kept = tokens.find(Login.at(*place))
    return None if kept is None else kept.token


def test_kept_across_restarts(tokens: TokenStore, tmp_path: Path, clock: Clock) -> None:
    assert tokens.find(PLACE) is None
    tokens.forget(PLACE)
    assert not (tmp_path / "state").exists(), "looking and forgetting make nothing"
    tokens.keep(PLACE, token=TOKEN, expires="2026-01-31T14:00:00.9+01:00", user="ann")
    again = TokenStore(tmp_path / "state", clock=clock)
    kept = again.find(Login.at("LOCALHOST", 9090, "auth"))
    assert kept is not None
    assert (kept.token, kept.user) == (TOKEN, "ann")
    path = tmp_path / "state" / "tokens.json"
    entry = {"service": "auth", "fingerprint": "", "token": TOKEN, "expires": "2026-01-31T13:00:00Z", "user": "ann"}
    assert json.loads(path.read_text()) == {"version": 1, "sessions": {"localhost:9090": [entry]}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_found_for_exactly_that_server(tokens: TokenStore) -> None:
    tokens.keep(Login.at("localhost", 9090, "auth"), token="plain", expires=LATER)
    tokens.keep(Login.at("localhost", 9090, "auth", ONE), token="one", expires=LATER)
    tokens.keep(Login.at("localhost", 9090, "auth", TWO), token="two", expires=LATER)
    tokens.keep(Login.at("localhost", 9090, "chat", ONE), token="chat", expires=LATER)
    tokens.keep(Login.at("::1", 9090, "auth"), token="address", expires=LATER)
    assert found(tokens, "localhost", 9090, "auth", "") == "plain"
    assert found(tokens, "localhost", 9090, "auth", ONE) == "one"
    assert found(tokens, "localhost", 9090, "auth", TWO) == "two"
    assert found(tokens, "localhost", 9090, "chat", ONE) == "chat"
    assert found(tokens, "0:0::1", 9090, "auth", "") == "address"
    for place in (("localhost", 9091, "auth", ""), ("127.0.0.1", 9090, "auth", ""), ("localhost", 9090, "chat", "")):
        assert found(tokens, *place) is None
    assert [one.token for one in tokens.list_servers([Endpoint("localhost", 9090)])] == ["plain", "one", "two", "chat"]
    assert tokens.list_servers([Endpoint("localhost", 1)]) == []


def test_a_new_token_takes_the_place_of_the_old_one(tokens: TokenStore) -> None:
    tokens.keep(PLACE, token="old", expires=LATER, user="ann")
    tokens.keep(PLACE, token="new", expires=LATER)
    assert [(one.token, one.user) for one in tokens.list_servers([Endpoint("localhost", 9090)])] == [("new", "")]


def test_logins_of_several_users(tokens: TokenStore) -> None:
    for user in ("ann", "Bob", "cem"):
        tokens.keep(PLACE, token=f"tok-{user}", expires=LATER, user=user)
    tokens.keep(PLACE, token="anew", expires=LATER, user="ann", in_place_of="tok-ann")
    assert tokens.users_at(PLACE) == ["ann", "cem", "Bob"], "the last used is the first"
    assert found(tokens, "localhost", 9090, "auth") == "anew"
    kept = tokens.find(PLACE, "bob")
    assert kept is not None
    assert (kept.token, kept.user) == ("tok-Bob", "Bob")
    assert tokens.find(PLACE, "dora") is None
    assert not tokens.keep(PLACE, token="late", expires=LATER, user="ann", in_place_of="tok-ann")
    tokens.forget(PLACE, token="tok-cem")
    assert tokens.users_at(PLACE) == ["ann", "Bob"]
    tokens.forget(PLACE)
    assert tokens.users_at(PLACE) == []


def test_a_login_of_nobody_known_gives_way(tokens: TokenStore) -> None:
    """An older sockctl kept one login for each server, and not always whose."""
    tokens.keep(PLACE, token="old", expires=LATER)
    assert tokens.users_at(PLACE) == []
    assert tokens.find(PLACE, "ann") is None
    tokens.keep(PLACE, token="new", expires=LATER, user="ann", in_place_of="old")
    assert [(one.token, one.user) for one in tokens.list_servers([Endpoint("localhost", 9090)])] == [("new", "ann")]


def test_expired_ones(tokens: TokenStore, clock: Clock, tmp_path: Path) -> None:
    tokens.keep(PLACE, token="old", expires=LATER)
    tokens.keep(Login.at("localhost", 9091, "auth"), token="other", expires=LATER)
    clock.now += datetime.timedelta(hours=1)
    kept = tokens.find(PLACE)
    assert kept is not None, "it still shows whose device this is"
    assert kept.expires == clock.now
    assert [one.token for one in tokens.list_servers([Endpoint("localhost", 9090)])] == ["old"]
    clock.now += REMEMBERED
    tokens.keep(Login.at("localhost", 9092, "auth"), token="new", expires="2026-02-01T00:00:00Z")
    content = json.loads((tmp_path / "state" / "tokens.json").read_text())
    assert list(content["sessions"]) == ["localhost:9092"], "what has expired is not kept for ever"


def test_forget(tokens: TokenStore) -> None:
    tokens.keep(PLACE, token="newer", expires=LATER)
    tokens.keep(Login.at("localhost", 9090, "auth", ONE), token="encrypted", expires=LATER)
    tokens.forget(PLACE, token="older")
    assert found(tokens, "Localhost", 9090, "auth") == "newer", "another client has kept a newer one"
    tokens.forget(PLACE, token="newer")
    assert found(tokens, "Localhost", 9090, "auth") is None
    assert found(tokens, "localhost", 9090, "auth", ONE) == "encrypted"
    tokens.forget(Login.at("localhost", 9090, "auth", ONE))
    assert tokens.list_servers([Endpoint("localhost", 9090)]) == []


def test_a_token_is_in_no_repr(tokens: TokenStore) -> None:
    tokens.keep(PLACE, token=TOKEN, expires=LATER)
    kept = tokens.find(PLACE)
    assert "2026" in repr(kept)
    assert TOKEN not in repr(kept)
    assert TOKEN not in repr(tokens.list_servers([Endpoint("localhost", 9090)]))


@pytest.mark.parametrize("token", ["", "a b", "\ud800", "é", "a\n", "x" * 1025])
def test_what_can_be_no_token(tokens: TokenStore, token: str) -> None:
    with pytest.raises(StoreFormatError, match="printable ASCII") as caught:
        tokens.keep(PLACE, token=token, expires=LATER)
    assert token not in str(caught.value) or not token


@pytest.mark.parametrize("expires", ["", "tomorrow", "2026-01-31T12:00:00", "0001-01-01T00:00:00+23:59"])
def test_what_can_be_no_end(tokens: TokenStore, expires: str) -> None:
    with pytest.raises(StoreFormatError, match="until when"):
        tokens.keep(PLACE, token=TOKEN, expires=expires)


ENTRY = {"service": "auth", "fingerprint": ONE, "token": TOKEN, "expires": "2026-01-31T13:00:00Z"}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], "sessions is no object"),
        ({"LOCALHOST:9090": []}, "is no HOST:PORT in its usual form"),
        ({"localhost": []}, r"sessions\.localhost is no HOST:PORT"),
        ({"localhost:9090": ENTRY}, r'sessions\["localhost:9090"\] is no array'),
        ({"localhost:9090": [TOKEN]}, r'sessions\["localhost:9090"\]\[0\] is no object'),
        ({"localhost:9090": [ENTRY, ENTRY]}, "with one certificate twice"),
        ({"localhost:9090": [{**ENTRY, "token": ""}]}, r"\.token is not what it should be"),
        ({"localhost:9090": [{**ENTRY, "token": TOKEN + "\n"}]}, r"\.token is not what it should be"),
        ({"localhost:9090": [{**ENTRY, "token": [TOKEN]}]}, r"\.token is no text"),
        ({"localhost:9090": [{"token": TOKEN}]}, r"\.service is no text"),
        ({"localhost:9090": [{**ENTRY, "service": "A"}]}, r"\.service is not"),
        ({"localhost:9090": [{**ENTRY, "fingerprint": ONE.lower()}]}, r"\.fingerprint is not"),
        ({"localhost:9090": [{**ENTRY, "fingerprint": "AB"}]}, r"\.fingerprint is not"),
        ({"localhost:9090": [{**ENTRY, "expires": "today"}]}, r"\.expires is not"),
        ({"localhost:9090": [{**ENTRY, "user": "\x1b[31m"}]}, r"\.user is not"),
        ({"localhost:9090": [{**ENTRY, "user": None}]}, r"\.user is no text"),
    ],
)
def test_a_file_of_another_form_is_left_alone_and_shows_no_token(
    tokens: TokenStore, tmp_path: Path, content: object, where: str
) -> None:
    path = tmp_path / "state" / "tokens.json"
    path.parent.mkdir()
    data = json.dumps({"version": 1, "sessions": content})
    path.write_text(data)
    path.chmod(0o600)
    with pytest.raises(StoreFormatError, match=where) as caught:
        tokens.find(PLACE)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(StoreFormatError, match=where):
        tokens.keep(PLACE, token=TOKEN, expires=LATER)
    assert path.read_text() == data


def test_a_file_that_is_no_json_shows_no_token(tokens: TokenStore, tmp_path: Path) -> None:
    path = tmp_path / "state" / "tokens.json"
    path.parent.mkdir()
    for text in (TOKEN, f'{{"version": 1, "sessions": {{"{TOKEN}": 1}}, }}', f'{{"version": 1, "a": {TOKEN}}}'):
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(StoreError) as caught:
            tokens.find(PLACE)
        assert TOKEN not in str(caught.value)


# The file of an earlier version.


def old_file(folder: Path, content: object, mode: int = 0o600) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "sessions.json"
    path.write_text(json.dumps(content))
    path.chmod(mode)
    return path


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    path = old_file(tmp_path / "state", {"version": 1, "sessions": {"localhost:9090": [ENTRY]}})
    data = path.read_text()
    tokens = TokenStore(path.parent)
    assert [one.token for one in tokens.list_servers([Endpoint("localhost", 9090)])] == [TOKEN]
    assert not path.exists()
    assert (path.parent / "tokens.json").read_text() == data
    assert [one.token for one in TokenStore(path.parent).list_servers([Endpoint("localhost", 9090)])] == [TOKEN]


def test_a_new_file_goes_before_an_old_one(tmp_path: Path) -> None:
    TokenStore(tmp_path).keep(Login.at("localhost", 9090, "auth"), token="new", expires=LATER)
    path = old_file(tmp_path, {"version": 1, "sessions": {"localhost:9090": [ENTRY]}})
    assert [one.token for one in TokenStore(tmp_path).list_servers([Endpoint("localhost", 9090)])] == ["new"]
    assert path.exists()


@pytest.mark.parametrize(
    ("content", "mode"), [({"version": 2, "users": {}}, 0o600), ({"version": 1, "sessions": {}}, 0o644)]
)
def test_an_old_file_that_cannot_be_used_keeps_its_name(tmp_path: Path, content: object, mode: int) -> None:
    path = old_file(tmp_path / "state", content, mode)
    with pytest.raises(StoreError, match=r"sessions\.json"):
        TokenStore(path.parent).list_servers([Endpoint("localhost", 9090)])
    assert [each.name for each in path.parent.iterdir()] == ["sessions.json"]


# Several servers of one chat.

CHAT = [Endpoint("B.example", 9090), Endpoint("a.example", 9090), Endpoint("::1", 9091)]


def test_several_servers_are_one_place_in_any_order(tmp_path: Path) -> None:
    tokens = TokenStore(tmp_path)
    tokens.keep(Login(make_address(CHAT), "chat", ONE), token="tok", expires=LATER, user="ann")
    again = TokenStore(tmp_path)
    assert [one.token for one in again.list_servers(reversed(CHAT))] == ["tok"]
    assert again.list_servers([Endpoint("a.example", 9090)]) == [], "a server alone is another place"
    assert again.list_servers(CHAT[:2]) == []


def test_servers_of_one_chat_have_a_certificate_each(tmp_path: Path) -> None:
    tokens, place = TokenStore(tmp_path), make_address(CHAT)
    tokens.keep(Login(place, "chat", ONE), token="one", expires=LATER, user="ann")
    found = tokens.find(Login(place, "chat", TWO), "ann")
    assert found is not None
    assert found.token == "one"
    assert tokens.find(Login(place, "chat", "")) is None, "a token that came under TLS is never shown without"
    assert tokens.find(Login(place, "auth", ONE)) is None
    tokens.keep(Login(place, "chat", TWO), token="two", expires=LATER, user="ann", in_place_of="one")
    assert [one.token for one in tokens.list_servers(CHAT)] == ["two"]
    tokens.forget(Login(place, "chat", ONE), token="two")
    assert tokens.list_all() == []
