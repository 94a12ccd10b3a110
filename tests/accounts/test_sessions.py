"""Sessions: tokens that are shown once, twice, too late, or by somebody else."""

import contextlib
import datetime
import os
import random
import re
import sqlite3
import stat
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.accounts.session import ABSOLUTE, IDLE, Session
from sockctl.accounts.session_store import MAX_PER_USER, MAX_SESSIONS
from sockctl.accounts.session_tokens import MAX_TOKENS, REPLACED_S
from sockctl.accounts.sessions import Sessions
from sockctl.accounts.user import User
from sockctl.errors import TokenRefusedError, TokenReusedError, UnknownSessionError
from sockctl.stores.timestamps import read_utc_clock
from tests.support.account_stores import shared_stores
from tests.support.clock import NOON, Clock
from tests.support.running import UNMEASURED
from tests.support.sessions import ANN, HERE, SERVER, TOKENS, begun, refused, resumed, sessions_at

BOB = User("bob", "", NOON, NOON, disabled=False, credential_generation=4)
KILLS = int(os.environ.get("SOCKCTL_SOAK_KILLS", "20")) // 4
THERE = "2001:db8::7"
SECOND = datetime.timedelta(seconds=1)
REPLACED = REPLACED_S * SECOND
DAY = datetime.timedelta(days=1)
MakeSessions = Callable[..., Sessions]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def in_file(tmp_path: Path, clock: Clock) -> Iterator[Sessions]:
    made = sessions_at(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def make_sessions(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSessions]:
    """Make sessions in one store."""
    with contextlib.ExitStack() as stack:

        def make(clock: Clock, *, server_id: str = SERVER, max_sessions: int = MAX_SESSIONS) -> Sessions:
            if kind == "engine":
                store = shared_stores(request.getfixturevalue("pool"), all=max_sessions).sessions
                return Sessions(store, server_id=lambda: server_id, tokens=TOKENS, clock=clock)
            made = sessions_at(tmp_path, clock, server_id, max_sessions=max_sessions)
            return stack.enter_context(contextlib.closing(made))

        yield make


@pytest.fixture
def sessions(make_sessions: MakeSessions, clock: Clock) -> Sessions:
    return make_sessions(clock)


def test_a_session_begins(sessions: Sessions) -> None:
    session, token = begun(sessions)
    assert (session.user, session.credential_generation, session.address) == ("ann", 3, HERE)
    assert session.expires == NOON + IDLE
    assert re.fullmatch(rf"{session.id}\.[\w-]{{43}}", token, re.ASCII), "256 bits"
    assert token.partition(".")[2] not in repr(session) + str(session.as_fields)
    assert sessions.list_all() == [sessions.find(session.id)]
    assert begun(sessions)[1] != token


def test_the_file_has_no_token(in_file: Sessions, tmp_path: Path) -> None:
    session, token = begun(in_file)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("sessions.db", "sessions.db-shm", "sessions.db-wal", "sessions.db.lock"), 0o600)
    assert session.id.encode() in kept(tmp_path)
    assert token.partition(".")[2].encode() not in kept(tmp_path), "only its sha256 is stored"


def test_resuming_gives_another_token(sessions: Sessions, clock: Clock) -> None:
    session, first = begun(sessions)
    clock.now += SECOND
    after = sessions.resume(first, THERE, is_current=lambda _: True)
    assert after.id == session.id
    assert after.token not in (None, first)
    assert (after.address, after.last_used) == (THERE, clock.now)


def test_a_token_that_a_newer_one_has_replaced_ends_the_session(sessions: Sessions, clock: Clock) -> None:
    session, first = begun(sessions)
    second = resumed(sessions, first)
    third = resumed(sessions, second)
    clock.now += REPLACED
    with pytest.raises(TokenReusedError) as caught:
        sessions.resume(first, THERE, is_current=lambda _: True)
    assert (caught.value.user, caught.value.session, caught.value.code) == ("ann", session.id, "bad_token")
    assert first not in str(caught.value) + repr(caught.value)
    assert sessions.find(session.id) is None
    for token in (first, second, third):
        assert refused(sessions, token), "thief or owner, nobody can say who is who"


@pytest.mark.parametrize("who", ["thief", "owner"])
def test_a_thief_and_an_owner_are_not_both_in_for_long(sessions: Sessions, clock: Clock, who: str) -> None:
    session, stolen = begun(sessions)
    thief, owner = resumed(sessions, stolen), resumed(sessions, stolen)
    clock.now += REPLACED
    resumed(sessions, thief if who == "thief" else owner)
    clock.now += REPLACED
    with pytest.raises(TokenReusedError):
        sessions.resume(owner if who == "thief" else thief, HERE, is_current=lambda _: True)
    assert sessions.find(session.id) is None


def test_a_guess_ends_no_session(sessions: Sessions) -> None:
    session, first = begun(sessions)
    with pytest.raises(TokenRefusedError) as caught:
        sessions.resume(f"{session.id}.{'A' * 43}", THERE, is_current=lambda _: True)
    assert not isinstance(caught.value, TokenReusedError), "its id is no secret"
    assert not refused(sessions, first)


def test_a_lost_reply_locks_nobody_out(sessions: Sessions, clock: Clock) -> None:
    _, first = begun(sessions)
    for _ in range(3):
        resumed(sessions, first)  # and the reply is lost
        clock.now += IDLE - SECOND
    last = resumed(sessions, first)
    assert not refused(sessions, last)


def test_two_clients_of_one_user_that_are_on_their_way(sessions: Sessions, clock: Clock) -> None:
    _, first = begun(sessions)
    mine, yours = resumed(sessions, first), resumed(sessions, first)
    for _ in range(5):
        mine = resumed(sessions, mine)
        clock.now += REPLACED - SECOND
        yours = resumed(sessions, yours)
    assert not refused(sessions, mine)


def test_the_tokens_of_a_session_are_bounded(in_file: Sessions, clock: Clock, tmp_path: Path) -> None:
    _, first = begun(in_file)
    lost = [resumed(in_file, first) for _ in range(MAX_TOKENS + 5)]
    assert count(tmp_path, "tokens") == 1 + MAX_TOKENS, "never the one that was shown goes"
    assert not refused(in_file, lost[-1])
    clock.now += REPLACED
    token = lost[-1]
    for _ in range(5):
        token = resumed(in_file, token)
        clock.now += REPLACED
    assert count(tmp_path, "tokens") < MAX_TOKENS, "those that were replaced go"


def test_the_oldest_of_too_many_tokens_counts_no_more(sessions: Sessions) -> None:
    _, first = begun(sessions)
    lost = [resumed(sessions, first) for _ in range(MAX_TOKENS + 1)]
    assert refused(sessions, lost[0])


@pytest.mark.parametrize("token", ["", "x", "0123456789ab." + "A" * 43, "0123456789ab." + "A" * 42, "\udc80", "ä" * 56])
def test_what_is_no_token(sessions: Sessions, token: str) -> None:
    begun(sessions)
    assert refused(sessions, token)


def test_the_secret_of_another_session(sessions: Sessions) -> None:
    (mine, mine_token), (_, yours) = begun(sessions), begun(sessions, BOB)
    assert refused(sessions, f"{mine.id}.{yours.partition('.')[2]}")
    assert not refused(sessions, mine_token)


def test_a_token_survives_a_restart_and_not_another_server(make_sessions: MakeSessions, clock: Clock) -> None:
    _, first = begun(make_sessions(clock))
    assert refused(make_sessions(clock, server_id="6" * 32), first)
    second = resumed(make_sessions(clock), first)
    assert not refused(make_sessions(clock), second)
    clock.now += REPLACED
    assert refused(make_sessions(clock), first), "replayed after a restart"


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
    assert [session.user for session in sessions.list_all()] == ["bob"]
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
    assert len(sessions.list_all()) == 2 * MAX_PER_USER


def test_an_idle_session_ends_after_a_day(sessions: Sessions, clock: Clock) -> None:
    session, token = begun(sessions)
    clock.now += IDLE - SECOND
    token = resumed(sessions, token)
    clock.now += IDLE - SECOND
    token = resumed(sessions, token)
    clock.now += IDLE
    assert refused(sessions, token)
    assert sessions.find(session.id) is None
    assert sessions.list_all() == []


def test_no_session_lasts_longer_than_a_month(sessions: Sessions, clock: Clock) -> None:
    _, token = begun(sessions)
    while clock.now < NOON + ABSOLUTE - DAY / 2:
        clock.now += DAY / 2
        token = resumed(sessions, token) if clock.now < NOON + ABSOLUTE else token
    clock.now = NOON + ABSOLUTE - SECOND
    token = resumed(sessions, token)
    clock.now = NOON + ABSOLUTE
    assert refused(sessions, token)


def test_the_sessions_of_all_are_bounded(make_sessions: MakeSessions, clock: Clock) -> None:
    sessions = make_sessions(clock, max_sessions=3)
    own = []
    for number in range(5):
        user = User(f"user{number}", "", NOON, NOON, disabled=False, credential_generation=1)
        own.append(begun(sessions, user)[0].id)
        clock.now += SECOND
        sessions.settle(used={own[0]: HERE})
    assert [one.id for one in sessions.list_all()] == own[2:], "those go that would have expired first"


def test_sessions_that_are_over_go_before_those_that_are_not(sessions: Sessions, clock: Clock) -> None:
    own = [begun(sessions) for _ in range(MAX_PER_USER)]
    clock.now += IDLE - SECOND
    resumed(sessions, own[0][1])
    clock.now += SECOND
    begun(sessions)
    assert sessions.find(own[0][0].id) is not None, "the oldest, but in use"


def test_sessions_that_are_over_are_forgotten(in_file: Sessions, clock: Clock, tmp_path: Path) -> None:
    begun(in_file)
    clock.now += 2 * DAY
    begun(in_file, BOB)
    assert count(tmp_path, "sessions") == 2, "a login forgets nobody's: its clock may be wrong"
    in_file.tidy()
    assert count(tmp_path, "sessions") == count(tmp_path, "tokens") == 1
    assert [one.user for one in in_file.list_all()] == ["bob"]
    before = kept(tmp_path)
    in_file.tidy()
    assert kept(tmp_path) == before, "nothing is written where nothing is to be done"


def test_a_command_at_a_wrong_time_ends_no_session(sessions: Sessions, make_sessions: MakeSessions) -> None:
    session, token = begun(sessions)
    other, _ = begun(sessions, BOB)
    wrong = Clock()
    wrong.now = NOON + 40 * DAY
    command = make_sessions(wrong)
    assert command.list_all() == []
    with pytest.raises(UnknownSessionError):
        command.end(other.id)
    command.end_all("bob")
    assert [one.id for one in sessions.list_all()] == [session.id]
    assert not refused(sessions, token)


def test_a_clock_that_was_set_back_by_a_day(sessions: Sessions, clock: Clock) -> None:
    session, token = begun(sessions)
    clock.now -= DAY
    token = resumed(sessions, token)
    found = sessions.find(session.id)
    assert found is not None
    assert (found.created, found.last_used) == (clock.now, clock.now), "it doesn't outlive its time by that day"
    clock.now += IDLE - SECOND
    assert not refused(sessions, token)


def test_what_a_clock_ahead_has_written_is_set_right(sessions: Sessions, clock: Clock) -> None:
    clock.now = NOON + 365 * DAY
    session, token = begun(sessions)
    clock.now = NOON
    sessions.tidy()
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


def test_use_is_written_once_a_minute_at_most(in_file: Sessions, clock: Clock, tmp_path: Path) -> None:
    session, _ = begun(in_file)

    def used() -> bool:
        before = kept(tmp_path)
        in_file.settle(used={session.id: THERE, "no such session": HERE})
        return kept(tmp_path) != before

    clock.now += 59 * SECOND
    assert not used()
    clock.now += SECOND
    assert used()
    assert not used()
    found = in_file.find(session.id)
    assert found is not None
    assert (found.last_used, found.address) == (clock.now, THERE)


def test_several_are_settled_in_one_change(sessions: Sessions) -> None:
    (mine, _), (yours, _) = begun(sessions), begun(sessions, BOB)
    sessions.settle(used={yours.id: HERE}, ended={mine.id, "no such session"})
    assert [one.id for one in sessions.list_all()] == [yours.id]


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


@pytest.mark.slow
def test_a_login_costs_as_much_beside_many_sessions(tmp_path: Path, clock: Clock) -> None:
    """What it computes is measured: how long a disk takes to sync says nothing."""
    few, many = sessions_at(tmp_path / "few", clock), sessions_at(tmp_path / "many", clock)
    fill(tmp_path / "few", few, 10)
    fill(tmp_path / "many", many, MAX_SESSIONS - 1_000)

    def cost_s(sessions: Sessions, number: int) -> float:
        user = User(f"user{number}", "", NOON, NOON, disabled=False, credential_generation=1)
        began = time.thread_time()
        resumed(sessions, begun(sessions, user)[1])
        return time.thread_time() - began

    costs = [(cost_s(few, number), cost_s(many, number)) for number in range(100)]
    assert statistics.median(much for _, much in costs) - statistics.median(little for little, _ in costs) < 0.003


def kept(tmp_path: Path) -> bytes:
    """Return all that a process of its own, which holds none of SQLite's locks, finds in the database's files."""
    command = ["cat", *(str(path) for path in sorted(tmp_path.glob("sessions.db*")) if path.suffix != ".db-shm")]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def count(tmp_path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(tmp_path / "sessions.db")) as database:
        (number,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608  the test's own
        return int(number)


def fill(tmp_path: Path, sessions: Sessions, number: int) -> None:
    """Add so many sessions, of ten times fewer users."""
    begun(sessions)
    with contextlib.closing(sqlite3.connect(tmp_path / "sessions.db")) as database, database:
        database.execute(
            "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?) "
            "INSERT INTO sessions (id, user, credential_generation, server_id, address, created, last_used) "
            "SELECT printf('%012x', n), printf('user%d', n / 10), 1, ?, '192.0.2.7', ?, ? FROM counted",
            (number, SERVER, int(NOON.timestamp()), int(NOON.timestamp())),
        )
        database.execute(
            "INSERT INTO tokens (session, sha256, used) SELECT number, randomblob(32), FALSE FROM sessions"
        )


LOGIN = """
import sys
from pathlib import Path
from tests.support.sessions import begun, resumed, sessions_at
from sockctl.accounts.user import User
from sockctl.stores.timestamps import read_utc_clock
sessions = sessions_at(Path(sys.argv[1]), read_utc_clock)
for number in range(1_000_000):
    now = read_utc_clock()
    user = User(f"{sys.argv[2]}-{number}", "", now, now, disabled=False, credential_generation=1)
    token = resumed(sessions, begun(sessions, user)[1])
    print("in", user.name, token, flush=True)
    if number % 2:
        sessions.end_all(user.name)
        print("out", user.name, token, flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_killed_server_loses_no_login_and_no_logout(tmp_path: Path) -> None:
    chance = random.Random(11)
    for kill in range(KILLS):
        command = [sys.executable, "-c", LOGIN, str(tmp_path), str(kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=UNMEASURED) as server:
            assert server.stdout is not None
            told = [server.stdout.readline()]
            time.sleep(chance.uniform(0, 0.1))  # the random moment is what is tested
            server.kill()
            told += [line for line in server.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        state = {user: (what, token) for what, user, token in map(str.split, told)}
        last, (what, _) = list(state.items())[-1]
        if what == "in":
            del state[last]  # it may have logged out without a word
        with contextlib.closing(sessions_at(tmp_path, read_utc_clock)) as sessions:
            for user, (what, token) in state.items():
                assert refused(sessions, token) is (what == "out"), f"{what} {user}"
