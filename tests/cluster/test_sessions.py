"""The sessions that machines share."""

import datetime
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from sockctl.accounts.session import Session
from sockctl.accounts.session_tokens import MAX_TOKENS
from sockctl.accounts.sessions import Sessions
from sockctl.accounts.user import User
from sockctl.cluster import sessions as module
from sockctl.cluster.engine_pool import EnginePool
from sockctl.errors import TokenRefusedError, TokenReusedError
from tests.support.account_stores import shared_stores
from tests.support.clock import NOON, Clock
from tests.support.engines import RedisServer
from tests.support.running import TIMEOUT_S
from tests.support.sessions import ANN, HERE, SERVER, TOKENS, begun, refused, resumed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machines(pools: list[EnginePool], clock: Clock) -> list[Sessions]:
    """The sessions of three machines on one engine."""
    return [
        Sessions(shared_stores(pool).sessions, server_id=lambda: SERVER, tokens=TOKENS, clock=clock) for pool in pools
    ]


def user(number: int) -> User:
    return User(f"user{number}", "", NOON, NOON, disabled=False, credential_generation=1)


def test_a_token_resumes_on_another_machine_and_once(machines: list[Sessions], clock: Clock) -> None:
    session, first = begun(machines[0])
    second = resumed(machines[1], first)
    third = resumed(machines[2], second)
    clock.now += datetime.timedelta(seconds=30)
    with pytest.raises(TokenReusedError):
        machines[0].resume(first, HERE, is_current=lambda _: True)
    assert refused(machines[1], third)
    assert all(each.find(session.id) is None for each in machines)


def test_two_machines_that_rotate_one_token_at_once(machines: list[Sessions], clock: Clock) -> None:
    _, token = begun(machines[0])
    for _ in range(20):
        with ThreadPoolExecutor(3) as pool:
            following = [end.result(TIMEOUT_S) for end in [pool.submit(resumed, each, token) for each in machines]]
        assert len(set(following)) == 3, "each client has one of its own, until one is shown"
        token = resumed(machines[0], following[1])
        clock.now += datetime.timedelta(seconds=30)
        assert all(not refused(each, token) for each in machines[:1])
        token = resumed(machines[0], token)


def test_an_end_is_seen_by_all(machines: list[Sessions]) -> None:
    session, token = begun(machines[0])
    machines[1].end(session.id)
    assert machines[2].find(session.id) is None
    with pytest.raises(TokenRefusedError):
        machines[0].resume(token, HERE, is_current=lambda _: True)


def test_nothing_is_left_of_a_session_that_ended(machines: list[Sessions], engine: RedisServer) -> None:
    for number in range(5):
        begun(machines[0], user(number))
    machines[0].end_all("user1")
    machines[0].end_all()
    assert sorted(engine.ask("KEYS", "*")) == [b"{chat:0}:accounts", b"{chat:0}:sessions:ended"]


def test_more_sessions_than_a_request_may_have(
    machines: list[Sessions], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)  # what is tested is the loop over the parts
    own = [begun(machines[0], user(number % 4))[0] for number in range(10)]
    ids = [session.id for session in own]
    assert [session.id for session in machines[1].list_all()] == ids
    assert set(machines[1].find_all(ids)) == set(ids)
    clock.now += datetime.timedelta(minutes=2)
    machines[1].settle(used=dict.fromkeys(ids[:7], "192.0.2.8"), ended=ids[7:])
    assert [session.address for session in machines[2].list_all()] == ["192.0.2.8"] * 7
    assert [session.id for session in machines[2].end_all()] == [session.id for session in sorted_by_user(own[:7])]
    assert machines[0].list_all() == []


def sorted_by_user(sessions: list[Session]) -> list[Session]:
    return sorted(sessions, key=lambda session: session.user)


def test_no_token_and_no_secret_is_in_the_engine(machines: list[Sessions], engine: RedisServer) -> None:
    _, token = begun(machines[0])
    kept = b"".join(engine.ask("DUMP", key.decode()) for key in engine.ask("KEYS", "*"))
    assert token.partition(".")[2].encode() not in kept
    assert ANN.name.encode() in b"".join(engine.ask("HVALS", "{chat:0}:sessions"))


def test_a_request_that_is_sent_twice_begins_one_session(pool: EnginePool) -> None:
    store = shared_stores(pool).sessions
    row = "0123456789ab", "ann", 1, SERVER, HERE, 1_700_000_000, 1_700_000_000
    for _ in range(2):
        store.begin(row, [b"1" * 32])
    assert store.list_rows(None, 1_700_000_000) == [row]
    for _ in range(3):
        store.rotate(row[0], b"1" * 32, b"2" * 32, given=True, address=HERE, now=1_700_000_000)
    assert store.rotate(row[0], b"2" * 32, b"3" * 32, given=True, address=HERE, now=1_700_000_000)[0] is not None


def test_a_client_that_resumes_all_the_time_makes_no_long_list(machines: list[Sessions], engine: RedisServer) -> None:
    session, token = begun(machines[0])
    for _ in range(3 * MAX_TOKENS):
        token = resumed(machines[0], token)
    assert len(json.loads(engine.ask("HGET", "{chat:0}:sessions:tokens", session.id))) == MAX_TOKENS + 2
    assert not refused(machines[0], token)


def test_a_session_has_so_many_unused_tokens(machines: list[Sessions], engine: RedisServer) -> None:
    session, first = begun(machines[0])
    lost = [resumed(machines[0], first) for _ in range(MAX_TOKENS + 5)]
    assert len(json.loads(engine.ask("HGET", "{chat:0}:sessions:tokens", session.id))) == 1 + MAX_TOKENS
    assert not refused(machines[0], lost[-1])
    assert not refused(machines[0], first)
