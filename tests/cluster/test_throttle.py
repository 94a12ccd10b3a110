"""The throttle that servers share: as one of one server, however many there are."""

from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.throttle import PENALTIES, Penalties, Throttle, Who
from sockctl.cluster.engine_pool import EnginePool
from tests.support.account_stores import shared_throttle
from tests.support.engines import RedisServer

ANN = Who.of("192.0.2.1", "ann")
SMALL = Penalties(max_entries=3)
Step: TypeAlias = tuple[str, int, int, bool, float]

steps = st.lists(
    st.tuples(
        st.sampled_from(["admit", "right", "wrong", "neither", "guess", "know", "wait"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.booleans(),
        st.one_of(st.floats(0, 30), st.sampled_from([0.1, 1.0, 5.0, 600.0, 3_605.0, 86_400.0, 30 * 86_400.0])),
    ),
    max_size=40,
)


class Pair:
    """Two throttles that must not differ, and the tickets of the tries that run."""

    def __init__(self, pool: EnginePool, costs: Penalties) -> None:
        self.now = 1_700_000_000.125
        self.throttles: list[Throttle] = [
            LocalThrottle(lambda: self.now, costs),
            shared_throttle(pool, lambda: self.now, costs),
        ]
        self.running: list[tuple[Who, list[str]]] = []

    def take(self, step: Step) -> None:
        what, network, account, has_device, seconds = step
        who = Who.of(f"192.0.2.{network}", f"user{account}", device=f"device{account}" if has_device else "")
        match what:
            case "wait":
                # A try runs for a minute at most before the engine gives it up: the local one knows no such end.
                self.now += seconds if not self.running else min(seconds, 1.0)
            case "admit":
                admissions = [each.admit(who) for each in self.throttles]
                assert admissions[0].wait_s == admissions[1].wait_s
                assert bool(admissions[0].ticket) == bool(admissions[1].ticket)
                if admissions[0].ticket:
                    self.running.append((who, [each.ticket for each in admissions]))
            case "know":
                for each in self.throttles:
                    each.know([who])
            case "guess":
                self.settle(who, ["", ""], right=False)
            case _ if self.running:
                self.settle(*self.running.pop(0), right={"right": True, "wrong": False}.get(what))
        first, second = (each.assess(who) for each in self.throttles)
        assert first == second

    def settle(self, who: Who, tickets: list[str], *, right: bool | None) -> None:
        for each, ticket in zip(self.throttles, tickets, strict=True):
            each.settle(who, ticket, right=right)


@pytest.mark.parametrize("costs", [PENALTIES, SMALL], ids=["usual", "small tables"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(taken=steps)
def test_it_gives_the_same_waits_as_the_local_one(
    costs: Penalties, pool: EnginePool, engine: RedisServer, taken: list[Step]
) -> None:
    engine.ask("FLUSHALL")
    pair = Pair(pool, costs)
    for step in taken:
        pair.take(step)


def test_several_servers_let_as_many_guesses_pass_as_one(pools: list[EnginePool]) -> None:
    servers = [shared_throttle(pool) for pool in pools]
    at_once = [(server, server.admit(ANN).ticket) for server in servers for _ in range(5)]
    running = [(server, ticket) for server, ticket in at_once if ticket]
    assert len(running) == 3
    for server, ticket in running:
        server.settle(ANN, ticket, right=False)
    later = 0
    while ticket := servers[0].admit(ANN).ticket:
        servers[0].settle(ANN, ticket, right=False)
        later += 1
    assert later <= 1, "the third failure makes 15 s, less what was served since the first"
    assert all(0 < server.admit(ANN).wait_s <= 20 for server in servers), "by the engine's clock"


def test_a_server_that_dies_in_a_try_gives_it_up_after_a_minute(pool: EnginePool) -> None:
    now = [1_700_000_000.0]
    throttle = shared_throttle(pool, lambda: now[0])
    tickets = [throttle.admit(ANN).ticket for _ in range(4)]
    assert not tickets[3]
    now[0] += 61
    assert throttle.admit(ANN).ticket
    throttle.settle(ANN, tickets[0], right=False)
    assert not throttle.assess(ANN).failed_recently, "its end comes too late"


def test_a_request_that_is_sent_twice_counts_once(pool: EnginePool, engine: RedisServer) -> None:
    throttle = shared_throttle(pool, lambda: 1_700_000_000.0)
    ticket = throttle.admit(ANN).ticket
    for _ in range(5):
        throttle.settle(ANN, ticket, right=False)
    assert throttle.assess(ANN).wait_s == 0
    assert (
        engine.ask("HGET", "{chat:0}:throttle:failures", engine.ask("HKEYS", "{chat:0}:throttle:failures")[0])[:2]
        == b"1 "
    )


def test_the_engine_learns_no_name_and_no_address(pool: EnginePool, engine: RedisServer) -> None:
    throttle = shared_throttle(pool)
    who = Who.of("192.0.2.99", "my typed password", device="")
    throttle.settle(who, throttle.admit(who).ticket, right=False)
    throttle.know([who])
    throttle.admit(who)
    kept = repr([(key, engine.ask("DUMP", key.decode())) for key in engine.ask("KEYS", "*")])
    assert "throttle" in kept
    assert "typed" not in kept
    assert "192.0.2.99" not in kept
