"""The file in which earlier versions saved sessions: what is taken over, and what is refused."""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.session_tokens import REPLACED_S
from sockctl.errors import StoreFormatError
from tests.support.clock import Clock
from tests.support.sessions import HERE, SERVER, refused, resumed, sessions_at

REPLACED = REPLACED_S * datetime.timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def write(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "sessions.json"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, **content}))


GOOD: dict[str, Any] = {
    "user": "ann",
    "credential_generation": 3,
    "server_id": SERVER,
    "address": HERE,
    "created": "2026-01-31T12:00:00Z",
    "last_used": "2026-01-31T12:00:00Z",
    "tokens": {"a" * 64: "", "b" * 64: "a" * 64},
}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"user": 1}, "user is no text"),
        ({"server_id": None}, "server_id is no text"),
        ({"address": "here"}, "address is no IP address"),
        ({"user": "ann\ud800"}, "user is no text"),
        ({"credential_generation": "3"}, "credential_generation is no whole number"),
        ({"credential_generation": 2**63}, "credential_generation is no whole number"),
        ({"created": "9999-12-31T12:00:00Z"}, "created is no time"),
        ({"last_used": None}, "last_used is no time"),
        ({"tokens": []}, "tokens is no object"),
        ({"tokens": {"a": ""}}, "tokens holds what is no SHA-256"),
        ({"tokens": {"a" * 64: 1}}, "tokens holds what is no SHA-256"),
        ({"tokens": {"a" * 64: "b"}}, "tokens holds what is no SHA-256"),
    ],
)
def test_what_is_no_old_file_of_sessions(tmp_path: Path, clock: Clock, changes: dict[str, Any], why: str) -> None:
    write(tmp_path, {"sessions": {"0123456789ab": {**GOOD, **changes}}})
    with pytest.raises(StoreFormatError, match=why):
        sessions_at(tmp_path, clock).list_all()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == ["sessions.json"], "it is left"


@pytest.mark.parametrize("content", [{}, {"sessions": []}, {"sessions": {"x": 1}}, {"sessions": {"\ud800": GOOD}}])
def test_what_is_no_old_file_of_sessions_at_all(tmp_path: Path, clock: Clock, content: Any) -> None:
    write(tmp_path, content)
    with pytest.raises(StoreFormatError, match=r"is no object|is not ASCII"):
        sessions_at(tmp_path, clock).list_all()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".json"] == ["sessions.json"], "it is left"


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path, clock: Clock) -> None:
    first, second, third = (f"0123456789ab.{letter * 43}" for letter in "ABC")
    shown, given, other = (hashlib.sha256(token.encode()).hexdigest() for token in (first, second, third))
    tokens = {shown: "", given: shown, other: shown}
    write(tmp_path, {"sessions": {"0123456789ab": {**GOOD, "tokens": tokens}, "ab0123456789": {**GOOD, "user": "bob"}}})
    sessions = sessions_at(tmp_path, clock)
    assert [(one.id, one.user) for one in sessions.list_all()] == [("0123456789ab", "ann"), ("ab0123456789", "bob")]
    assert not (tmp_path / "sessions.json").exists()
    assert json.loads((tmp_path / "sessions.json.old").read_text())["version"] == 1
    assert not refused(sessions, first), "the reply of the version before was lost"
    fourth = resumed(sessions, second)
    clock.now += REPLACED
    assert refused(sessions, third)
    assert not refused(sessions, fourth), "what is merely unknown ends no session"


def test_an_old_file_is_taken_over_once_though_a_process_was_killed_before_it_was_renamed(
    tmp_path: Path, clock: Clock
) -> None:
    write(tmp_path, {"sessions": {"0123456789ab": GOOD}})
    content = (tmp_path / "sessions.json").read_bytes()
    assert len(sessions_at(tmp_path, clock).list_all()) == 1
    (tmp_path / "sessions.json.old").rename(tmp_path / "sessions.json")
    sessions = sessions_at(tmp_path, clock)
    assert len(sessions.list_all()) == 1
    assert (tmp_path / "sessions.json.old").read_bytes() == content
