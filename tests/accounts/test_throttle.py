"""How long a source must wait: by network, by account, and which sources are known."""

import heapq
from collections.abc import Callable

import pytest

from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.throttle import PENALTIES, Admission, BoundedTable, Penalties, RateLimit, Throttle, Who
from sockctl.source_network import find_source_network
from tests.support.account_stores import shared_throttle

ANN_HOME = Who.of("192.0.2.1", "ann")
FREE = PENALTIES.free_failures
HOUR_S, DAY_S = 3600.0, 86_400.0
MakeThrottle = Callable[..., Throttle]


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def make_throttle(clock: Seconds, kind: str, request: pytest.FixtureRequest) -> MakeThrottle:
    if kind == "files":
        return lambda penalties=PENALTIES: LocalThrottle(clock, penalties)
    pool = request.getfixturevalue("pool")
    return lambda penalties=PENALTIES: shared_throttle(pool, clock, penalties)


@pytest.fixture
def throttle(make_throttle: MakeThrottle) -> Throttle:
    return make_throttle()


def may_start(throttle: Throttle, who: Who) -> bool:
    admission = throttle.admit(who)
    if admission.ticket:
        throttle.settle(who, admission.ticket, right=None)
    return bool(admission.ticket)


def take_all(throttle: Throttle, who: Who) -> list[str]:
    """Return the tickets of as many tries as may run at once."""
    tickets = []
    while ticket := throttle.admit(who).ticket:
        tickets.append(ticket)
    return tickets


def stranger(number: int, account: str = "ann") -> Who:
    return Who.of(f"198.51.{number // 256}.{number % 256}", account)


def test_what_counts_as_one() -> None:
    assert Who.of("192.0.2.1", "Ann") == Who.of("192.0.2.1", " ann ")
    assert Who.of("2001:db8:1:2::1", "ann") == Who.of("2001:db8:1:2:ffff::9", "ann")
    assert Who.of("2001:db8:1:2::1", "ann") != Who.of("2001:db8:1:3::1", "ann")
    assert Who.of("fe80::1%eth0", "ann").network == "fe80::1%eth0"
    assert len(Who.of("192.0.2.1", "x" * 4000).account) == 64


def test_the_prefix_of_a_network_is_chosen() -> None:
    first, second = (Who.of(f"2001:db8:1:{number}::1", "ann", ipv6_prefix=48) for number in (2, 3))
    assert first == second
    assert Who.of("2001:db8::1", "ann", ipv6_prefix=128).network == "2001:db8::1/128"
    assert Who.of("192.0.2.1", "ann", ipv6_prefix=48) == ANN_HOME


def test_a_network_that_fails_three_times_waits(throttle: Throttle, clock: Seconds) -> None:
    for number in range(3):
        assert throttle.assess(Who.of("192.0.2.1", f"user{number}")).wait_s == 0
        throttle.settle(Who.of("192.0.2.1", f"user{number}"), "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 15
    clock.now += 14.9
    assert throttle.assess(ANN_HOME).wait_s == pytest.approx(0.1), "until all of it is served"
    clock.now += 0.1
    assert throttle.assess(ANN_HOME).wait_s == 0
    throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 0, "and then it begins anew"


def test_failures_that_come_slowly_cost_a_network_nothing(throttle: Throttle, clock: Seconds) -> None:
    for number in range(50):
        throttle.settle(Who.of("192.0.2.1", f"user{number}"), "", right=False)
        clock.now += 5
    assert throttle.assess(ANN_HOME).wait_s == 0


def test_a_network_waits_ten_minutes_at_most(throttle: Throttle, clock: Seconds) -> None:
    for number in range(500):
        throttle.settle(Who.of("192.0.2.1", f"user{number}"), "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 600
    clock.now += 600
    assert throttle.assess(ANN_HOME).wait_s == 0


def test_a_source_has_five_free_failures_at_an_account_then_waits_twice_as_long_each_time(
    make_throttle: MakeThrottle, clock: Seconds
) -> None:
    throttle = make_throttle(Penalties(failure_s=0.0))  # nothing is counted for the network
    pauses = []
    for _ in range(16):
        throttle.settle(ANN_HOME, "", right=False)
        pauses.append(throttle.assess(ANN_HOME).wait_s)
        clock.now += pauses[-1]
        assert throttle.assess(ANN_HOME).wait_s == 0
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(Who.of("192.0.2.1", "bob")).wait_s == 0, "another account is another matter"


def test_a_name_that_is_no_account_is_counted_alike(throttle: Throttle, clock: Seconds) -> None:
    for _ in range(FREE):
        throttle.settle(Who.of("192.0.2.1", "no such user"), "", right=False)
        clock.now += 5
    throttle.settle(Who.of("192.0.2.1", "no such user"), "", right=False)
    assert throttle.assess(Who.of("192.0.2.1", "no such user")).wait_s == 2


def test_strangers_hold_up_no_other_network(throttle: Throttle) -> None:
    for number in range(200):
        for _ in range(FREE):
            throttle.settle(stranger(number), "", right=False)
    assert throttle.assess(stranger(0)).wait_s > 0
    assert throttle.assess(ANN_HOME).wait_s == 0, "however many they are, and though ann was never there"
    assert may_start(throttle, ANN_HOME)


def test_tries_of_strangers_that_run_hold_up_no_other_network(throttle: Throttle) -> None:
    for number in range(50):
        assert throttle.admit(stranger(number)).ticket
    assert may_start(throttle, ANN_HOME)


def test_a_success_forgets_the_failures_of_its_source(throttle: Throttle, clock: Seconds) -> None:
    for who in (ANN_HOME, stranger(1)):
        for _ in range(FREE):
            throttle.settle(who, "", right=False)
            clock.now += 5
    throttle.settle(ANN_HOME, "", right=True)
    throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 0
    throttle.settle(stranger(1), "", right=False)
    assert throttle.assess(stranger(1)).wait_s == 2, "and those of no other"


def test_a_day_forgets_them_too(throttle: Throttle, clock: Seconds) -> None:
    for _ in range(20):
        throttle.settle(ANN_HOME, "", right=False)
    clock.now += DAY_S + 1
    throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 0


def test_a_hostile_neighbour_in_the_same_network(throttle: Throttle, clock: Seconds) -> None:
    throttle.settle(ANN_HOME, "", right=True)
    for _ in range(3):
        throttle.settle(Who.of("192.0.2.1", "bob"), "", right=False)
    assert throttle.assess(Who.of("192.0.2.1", "carl")).wait_s == 15
    assert throttle.assess(ANN_HOME).wait_s == 0, "ann logged in from there"
    for _ in range(FREE):
        throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 1, "and guessing her password has its own limit"
    clock.now += PENALTIES.known_s
    for _ in range(3):
        throttle.settle(Who.of("192.0.2.1", "bob"), "", right=False)
    assert throttle.assess(ANN_HOME).wait_s == 15, "a network is known for 30 days"


def test_a_known_device_counts_for_itself(throttle: Throttle) -> None:
    device = Who.of("192.0.2.1", "ann", device="0123456789ab")
    for _ in range(20):
        throttle.settle(ANN_HOME, "", right=False)
    assert throttle.assess(ANN_HOME).wait_s > 60
    assert throttle.assess(device).wait_s == 0
    assert may_start(throttle, device)
    for _ in range(FREE):
        throttle.settle(device, "", right=False)
    assert throttle.assess(device).wait_s == 1, "whoever has stolen the token guesses no faster"
    assert throttle.assess(Who.of("203.0.113.5", "ann", device="0123456789ab")).wait_s == 1, "wherever the device is"
    assert throttle.assess(Who.of("192.0.2.2", "ann", device="ba9876543210")).wait_s == 0


def test_a_network_has_failed_recently_for_an_hour(throttle: Throttle, clock: Seconds) -> None:
    assert not throttle.assess(ANN_HOME).failed_recently
    throttle.settle(Who.of("192.0.2.1", "bob"), "", right=False)
    assert throttle.assess(ANN_HOME).failed_recently
    assert not throttle.assess(stranger(1)).failed_recently
    clock.now += PENALTIES.failure_s + PENALTIES.recent_s - 0.1
    assert throttle.assess(ANN_HOME).failed_recently
    clock.now += 0.1
    assert not throttle.assess(ANN_HOME).failed_recently


def test_a_try_that_runs_counts_as_failed(throttle: Throttle) -> None:
    tickets = take_all(throttle, ANN_HOME)
    assert len(tickets) == 3, "the network"
    assert throttle.assess(ANN_HOME).wait_s == 0
    throttle.settle(ANN_HOME, tickets.pop(), right=None)
    assert may_start(throttle, ANN_HOME)
    for ticket in tickets:
        throttle.settle(ANN_HOME, ticket, right=None)
    throttle.know([ANN_HOME])
    assert len(take_all(throttle, ANN_HOME)) == FREE, "the account"


def test_beyond_the_free_failures_one_is_tried_at_a_time(make_throttle: MakeThrottle, clock: Seconds) -> None:
    throttle = make_throttle(Penalties(failure_s=0.0))
    for _ in range(FREE):
        throttle.settle(ANN_HOME, "", right=False)
    assert not may_start(throttle, ANN_HOME)
    clock.now += 1
    assert may_start(throttle, ANN_HOME)
    ticket = throttle.admit(ANN_HOME).ticket
    assert not may_start(throttle, ANN_HOME)
    throttle.settle(ANN_HOME, ticket, right=None)
    assert may_start(throttle, ANN_HOME)


def test_a_try_that_may_not_start_says_how_long_to_wait(throttle: Throttle) -> None:
    for _ in range(3):
        assert throttle.admit(ANN_HOME).ticket
    assert throttle.admit(ANN_HOME) == Admission(wait_s=0.0), "until more is known of those"
    for _ in range(3):
        throttle.settle(ANN_HOME, "", right=False)
    assert throttle.admit(ANN_HOME) == Admission(wait_s=15.0)


def guesses(throttle: Throttle, clock: Seconds, networks: int, seconds: float, *, one_account: bool) -> int:
    """Return how often so many networks, which waste no moment, guess in that time: at one account, or at all."""
    until, count = clock.now + seconds, 0
    due = [(clock.now, number) for number in range(networks)]
    while due[0][0] < until:
        clock.now, number = heapq.heappop(due)
        who = stranger(number, "ann" if one_account else f"user{count}")
        wait_s = throttle.assess(who).wait_s
        if not wait_s:
            throttle.settle(who, "", right=False)
            count += 1
        heapq.heappush(due, (clock.now + max(wait_s, 0.001), number))
    return count


@pytest.mark.parametrize("networks", [1, 5, 60])
@pytest.mark.parametrize(
    ("seconds", "most"),
    [
        (60.0, 10),
        (HOUR_S, 20),
        pytest.param(DAY_S, 160, id="6 an hour, from the second hour on"),
    ],
)
def test_guessing_at_one_account_stays_slow(
    throttle: Throttle, clock: Seconds, networks: int, seconds: float, most: int
) -> None:
    assert guesses(throttle, clock, networks, seconds, one_account=True) <= most * networks


@pytest.mark.parametrize("networks", [1, 5])
def test_guessing_at_all_accounts_stays_slow(throttle: Throttle, clock: Seconds, networks: int) -> None:
    expected = HOUR_S / PENALTIES.failure_s + 3
    assert guesses(throttle, clock, networks, HOUR_S, one_account=False) <= expected * networks, "one in 5 s"


def test_tables_are_bounded(make_throttle: MakeThrottle) -> None:
    table: BoundedTable[int, int] = BoundedTable(10)
    for number in range(50):
        table.put(number, number)
        table.put(0, number)
    assert len(table) == 10
    assert 0 in table, "what is changed stays"
    throttle = make_throttle(Penalties(max_entries=10))
    for number in range(50):
        for _ in range(FREE):
            throttle.settle(stranger(number), "", right=False)
    assert throttle.assess(stranger(49)).wait_s > 0
    assert throttle.assess(stranger(0)).wait_s == 0


@pytest.mark.parametrize(
    ("first", "other", "waits"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_comings_are_counted_for_an_address(first: str, other: str, *, waits: bool) -> None:
    comings = RateLimit(burst=3, every_s=0.5, max_keys=10)
    assert all(comings.allow([find_source_network(first)], 100.0) for _ in range(3))
    assert comings.allow([find_source_network(other)], 100.0) is not waits
    assert comings.allow([find_source_network(other)], 100.6)


def test_networks_are_bounded() -> None:
    comings = RateLimit(burst=1, every_s=1_000, max_keys=2)
    assert all(comings.allow([f"192.0.2.{number}"], 0.0) for number in range(3))
    assert [comings.allow([f"192.0.2.{number}"], 0.0) for number in (2, 1, 0)] == [False, False, True]


def test_an_action_counts_for_each_key_or_none() -> None:
    rooms = RateLimit(burst=1, every_s=1_000, max_keys=9)
    assert rooms.allow(["address a", "account ann"], 0.0)
    assert not rooms.allow(["address b", "account ann"], 0.0)
    assert rooms.allow(["address b", "account bob"], 0.0)
