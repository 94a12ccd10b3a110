"""Sessions: tokens that are shown once, twice, too late, or by somebody else."""

import datetime
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.sessions import ABSOLUTE, IDLE, MAX_PER_USER, MAX_TOKENS, Session, Sessions
from sockctl.accounts.users import User
from sockctl.errors import StoreError, StoreFormatError, TokenRefusedError, UnknownSessionError
from tests.clock import NOON, Clock

ANN = User("ann", "", NOON, NOON, disabled=False, credential_generation=3)
BOB = User("bob", "", NOON, NOON, disabled=False, credential_generation=4)
HERE, THERE = "192.0.2.7", "2001:db8::7"
SERVER = "5" * 32
SECOND = datetime.timedelta(seconds=1)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return sessions_at(tmp_path, clock)


def sessions_at(tmp_path: Path, clock: Clock, server_id: str = SERVER) -> Sessions:
    return Sessions(tmp_path, server_id=lambda: server_id, clock=clock)


def begun(sessions: Sessions, user: User = ANN) -> tuple[Session, str]:
    session = sessions.begin(user, HERE, with_token=True)
    assert session.token is not None
    return session, session.token


def resumed(sessions: Sessions, token: str, *, address: str = HERE, current: bool = True) -> str:
    session = sessions.resume(token, address, is_current=lambda _: current)
    assert session.token is not None
    return session.token


def refused(sessions: Sessions, token: str, *, current: bool = True) -> bool:
    try:
        resumed(sessions, token, current=current)
    except TokenRefusedError:
        return True
    return False


def test_a_session_begins(sessions: Sessions, tmp_path: Path) -> None:
    session, token = begun(sessions)
    assert (session.user, session.credential_generation, session.address) == ("ann", 3, HERE)
    assert session.expires == NOON + IDLE
    assert re.fullmatch(rf"{session.id}\.[\w-]{{43}}", token, re.ASCII), "256 bits"
    path = tmp_path / "sessions.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token.partition(".")[2] not in path.read_text(), "only its sha256 is stored"
    assert token.partition(".")[2] not in repr(session) + str(session.as_fields)
    assert sessions.all() == [sessions.find(session.id)]
    assert begun(sessions)[1] != token


def test_resuming_gives_another_token(sessions: Sessions, clock: Clock) -> None:
    session, first = begun(sessions)
    clock.now += SECOND
    after = sessions.resume(first, THERE, is_current=lambda _: True)
    assert after.id == session.id
    assert after.token not in (None, first)
    assert (after.address, after.last_used) == (THERE, clock.now)


def test_a_token_dies_when_one_that_came_of_it_is_shown(sessions: Sessions) -> None:
    _, first = begun(sessions)
    second = resumed(sessions, first)
    third = resumed(sessions, second)
    assert refused(sessions, first)
    assert not refused(sessions, third)
    assert refused(sessions, second)


def test_a_lost_reply_locks_nobody_out(sessions: Sessions) -> None:
    _, first = begun(sessions)
    for _ in range(3):
        resumed(sessions, first)  # and the reply is lost
    last = resumed(sessions, first)
    assert not refused(sessions, last)
    assert refused(sessions, first)


def test_two_clients_of_one_user_lock_each_other_not_out(sessions: Sessions) -> None:
    _, first = begun(sessions)
    mine, yours = resumed(sessions, first), resumed(sessions, first)
    for _ in range(5):
        mine = resumed(sessions, mine)
        yours = resumed(sessions, yours)
    assert refused(sessions, first)


def test_the_tokens_of_a_session_are_bounded(sessions: Sessions, tmp_path: Path) -> None:
    _, first = begun(sessions)
    lost = [resumed(sessions, first) for _ in range(MAX_TOKENS + 5)]
    content = json.loads((tmp_path / "sessions.json").read_text())
    (entry,) = content["sessions"].values()
    assert len(entry["tokens"]) == MAX_TOKENS
    assert refused(sessions, lost[0]), "the oldest went"
    assert not refused(sessions, first), "never the one that was shown"
    assert not refused(sessions, lost[-1])


@pytest.mark.parametrize("token", ["", "x", "0123456789ab." + "A" * 43, "0123456789ab." + "A" * 42, "\udc80", "ä" * 56])
def test_what_is_no_token(sessions: Sessions, token: str) -> None:
    begun(sessions)
    assert refused(sessions, token)


def test_the_secret_of_another_session(sessions: Sessions) -> None:
    (mine, mine_token), (_, yours) = begun(sessions), begun(sessions, BOB)
    assert refused(sessions, f"{mine.id}.{yours.partition('.')[2]}")
    assert not refused(sessions, mine_token)


def test_a_token_survives_a_restart_and_not_another_server(sessions: Sessions, tmp_path: Path, clock: Clock) -> None:
    _, first = begun(sessions)
    assert refused(sessions_at(tmp_path, clock, server_id="6" * 32), first)
    second = resumed(sessions_at(tmp_path, clock), first)
    assert not refused(sessions_at(tmp_path, clock), second)
    assert refused(sessions_at(tmp_path, clock), first), "replayed after a restart"


def test_a_user_that_is_not_the_same_any_more(sessions: Sessions) -> None:
    _, token = begun(sessions)
    assert refused(sessions, token, current=False)


def test_an_ended_session(sessions: Sessions) -> None:
    session, token = begun(sessions)
    assert sessions.end(session.id).id == session.id
    assert refused(sessions, token)
    assert sessions.find(session.id) is None
    with pytest.raises(UnknownSessionError, match="sessions list"):
        sessions.end(session.id)


def test_all_sessions_end(sessions: Sessions) -> None:
    for user in (ANN, BOB, ANN):
        begun(sessions, user)
    assert [session.user for session in sessions.end_all("ann")] == ["ann", "ann"]
    assert [session.user for session in sessions.all()] == ["bob"]
    assert [session.user for session in sessions.end_all()] == ["bob"]
    assert sessions.end_all() == []


def test_one_more_than_a_user_may_have(sessions: Sessions, clock: Clock) -> None:
    own = []
    for _ in range(MAX_PER_USER + 1):
        own.append(begun(sessions))
        begun(sessions, BOB)
        clock.now += SECOND
    assert refused(sessions, own[0][1]), "the oldest goes"
    assert not refused(sessions, own[1][1])
    assert len(sessions.all()) == 2 * MAX_PER_USER


def test_an_idle_session_ends_after_a_day(sessions: Sessions, clock: Clock) -> None:
    session, token = begun(sessions)
    clock.now += IDLE - SECOND
    token = resumed(sessions, token)
    clock.now += IDLE - SECOND
    token = resumed(sessions, token)
    clock.now += IDLE
    assert refused(sessions, token)
    assert sessions.find(session.id) is None
    assert sessions.all() == []


def test_no_session_lasts_longer_than_a_month(sessions: Sessions, clock: Clock) -> None:
    _, token = begun(sessions)
    while clock.now < NOON + ABSOLUTE - DAY / 2:
        clock.now += DAY / 2
        token = resumed(sessions, token) if clock.now < NOON + ABSOLUTE else token
    clock.now = NOON + ABSOLUTE - SECOND
    token = resumed(sessions, token)
    clock.now = NOON + ABSOLUTE
    assert refused(sessions, token)


def test_sessions_that_are_over_are_forgotten(sessions: Sessions, clock: Clock, tmp_path: Path) -> None:
    begun(sessions)
    clock.now += 2 * DAY
    begun(sessions, BOB)
    assert [one["user"] for one in json.loads((tmp_path / "sessions.json").read_text())["sessions"].values()] == ["bob"]


def test_a_clock_that_was_set_back_by_a_day(sessions: Sessions, clock: Clock) -> None:
    session, token = begun(sessions)
    clock.now -= DAY
    token = resumed(sessions, token)
    found = sessions.find(session.id)
    assert found is not None
    assert (found.created, found.last_used) == (clock.now, clock.now), "it doesn't outlive its time by that day"
    clock.now += IDLE - SECOND
    assert not refused(sessions, token)


def test_what_a_clock_ahead_has_written_is_set_right_by_any_change(sessions: Sessions, clock: Clock) -> None:
    clock.now = NOON + 365 * DAY
    session, token = begun(sessions)
    clock.now = NOON
    begun(sessions, BOB)
    found = sessions.find(session.id)
    assert found is not None
    assert (found.created, found.last_used) == (NOON, NOON)
    clock.now += IDLE
    assert refused(sessions, token), "unused for a day, not for a year and a day"


def test_a_clock_that_was_set_forward_by_a_day_and_back(sessions: Sessions, clock: Clock) -> None:
    _, old = begun(sessions)
    clock.now += DAY
    assert refused(sessions, old), "for all that can be known it was not used for a day"
    session, token = begun(sessions)
    clock.now -= DAY
    sessions.settle(used={session.id: HERE})
    found = sessions.find(session.id)
    assert found is not None
    assert found.last_used == NOON, "a time in the future is set right at once"
    assert not refused(sessions, token)


def test_use_is_written_once_a_minute_at_most(sessions: Sessions, clock: Clock, tmp_path: Path) -> None:
    session, _ = begun(sessions)
    path = tmp_path / "sessions.json"

    def used() -> bool:
        before = path.stat().st_ino
        sessions.settle(used={session.id: THERE, "no such session": HERE})
        return path.stat().st_ino != before

    clock.now += 59 * SECOND
    assert not used()
    clock.now += SECOND
    assert used()
    assert not used()
    found = sessions.find(session.id)
    assert found is not None
    assert (found.last_used, found.address) == (clock.now, THERE)


def test_several_are_settled_in_one_change(sessions: Sessions) -> None:
    (mine, _), (yours, _) = begun(sessions), begun(sessions, BOB)
    sessions.settle(used={yours.id: HERE}, ended={mine.id, "no such session"})
    assert [one.id for one in sessions.all()] == [yours.id]


def test_a_session_without_a_token_can_not_be_resumed(sessions: Sessions) -> None:
    session = sessions.begin(ANN, HERE, with_token=False)
    assert session.token is None
    assert refused(sessions, f"{session.id}.{'A' * 43}")


def test_a_session_that_ends_while_it_is_resumed(sessions: Sessions) -> None:
    session, token = begun(sessions)

    def ends(_: Session) -> bool:
        sessions.end(session.id)
        return True

    with pytest.raises(TokenRefusedError):
        sessions.resume(token, HERE, is_current=ends)


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
        ({"credential_generation": "3"}, "credential_generation is no whole number"),
        ({"created": "9999-12-31T12:00:00Z"}, "created is no time"),
        ({"last_used": None}, "last_used is no time"),
        ({"tokens": []}, "tokens is no object"),
        ({"tokens": {"a": ""}}, "tokens holds what is no SHA-256"),
        ({"tokens": {"a" * 64: 1}}, "tokens holds what is no SHA-256"),
        ({"tokens": {"a" * 64: "b"}}, "tokens holds what is no SHA-256"),
    ],
)
def test_what_is_no_file_of_sessions(tmp_path: Path, clock: Clock, changes: dict[str, Any], why: str) -> None:
    write(tmp_path, {"sessions": {"0123456789ab": {**GOOD, **changes}}})
    with pytest.raises(StoreFormatError, match=why):
        sessions_at(tmp_path, clock).all()


@pytest.mark.parametrize("content", [{}, {"sessions": []}, {"sessions": {"x": 1}}])
def test_what_is_no_file_of_sessions_at_all(tmp_path: Path, clock: Clock, content: Any) -> None:
    write(tmp_path, content)
    with pytest.raises(StoreFormatError, match="is no object"):
        sessions_at(tmp_path, clock).all()


def test_a_good_file_is_read_and_a_server_holds_on_to_it(tmp_path: Path, clock: Clock) -> None:
    bad: list[StoreError] = []
    served = Sessions(tmp_path, server_id=lambda: SERVER, clock=clock, on_bad=bad.append)
    write(tmp_path, {"sessions": {"0123456789ab": GOOD}})
    assert [one.user for one in served.all()] == ["ann"]
    (tmp_path / "sessions.json").write_text("")
    assert [one.user for one in served.all()] == ["ann"]
    assert len(bad) == 1


def write(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "sessions.json"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, **content}))
