"""How long a source must wait: by network, by account, and which sources are known."""

import heapq

import pytest

from sockctl.accounts.throttle import PENALTIES, BoundedTable, Penalties, RateLimit, Throttle, Who
from sockctl.source_network import find_source_network

ANN_HOME = Who.of("192.0.2.1", "ann")
FREE = PENALTIES.free_failures
HOUR_S, DAY_S = 3600.0, 86_400.0


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def throttle(clock: Seconds) -> Throttle:
    return Throttle(clock)


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
        assert throttle.compute_wait_s(Who.of("192.0.2.1", f"user{number}")) == 0
        throttle.count_failure(Who.of("192.0.2.1", f"user{number}"))
    assert throttle.compute_wait_s(ANN_HOME) == 15
    clock.now += 14.9
    assert throttle.compute_wait_s(ANN_HOME) == pytest.approx(0.1), "until all of it is served"
    clock.now += 0.1
    assert throttle.compute_wait_s(ANN_HOME) == 0
    throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(ANN_HOME) == 0, "and then it begins anew"


def test_failures_that_come_slowly_cost_a_network_nothing(throttle: Throttle, clock: Seconds) -> None:
    for number in range(50):
        throttle.count_failure(Who.of("192.0.2.1", f"user{number}"))
        clock.now += 5
    assert throttle.compute_wait_s(ANN_HOME) == 0


def test_a_network_waits_ten_minutes_at_most(throttle: Throttle, clock: Seconds) -> None:
    for number in range(500):
        throttle.count_failure(Who.of("192.0.2.1", f"user{number}"))
    assert throttle.compute_wait_s(ANN_HOME) == 600
    clock.now += 600
    assert throttle.compute_wait_s(ANN_HOME) == 0


def test_a_source_has_five_free_failures_at_an_account_then_waits_twice_as_long_each_time(clock: Seconds) -> None:
    throttle = Throttle(clock, Penalties(failure_s=0.0))  # nothing is counted for the network
    pauses = []
    for _ in range(16):
        throttle.count_failure(ANN_HOME)
        pauses.append(throttle.compute_wait_s(ANN_HOME))
        clock.now += pauses[-1]
        assert throttle.compute_wait_s(ANN_HOME) == 0
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(Who.of("192.0.2.1", "bob")) == 0, "another account is another matter"


def test_a_name_that_is_no_account_is_counted_alike(throttle: Throttle, clock: Seconds) -> None:
    for _ in range(FREE):
        throttle.count_failure(Who.of("192.0.2.1", "no such user"))
        clock.now += 5
    throttle.count_failure(Who.of("192.0.2.1", "no such user"))
    assert throttle.compute_wait_s(Who.of("192.0.2.1", "no such user")) == 2


def test_strangers_hold_up_no_other_network(throttle: Throttle) -> None:
    for number in range(200):
        for _ in range(FREE):
            throttle.count_failure(stranger(number))
    assert throttle.compute_wait_s(stranger(0)) > 0
    assert throttle.compute_wait_s(ANN_HOME) == 0, "however many they are, and though ann was never there"
    assert throttle.may_start(ANN_HOME)


def test_tries_of_strangers_that_run_hold_up_no_other_network(throttle: Throttle) -> None:
    for number in range(50):
        throttle.reserve(stranger(number))
    assert throttle.may_start(ANN_HOME)


def test_a_success_forgets_the_failures_of_its_source(throttle: Throttle, clock: Seconds) -> None:
    for who in (ANN_HOME, stranger(1)):
        for _ in range(FREE):
            throttle.count_failure(who)
            clock.now += 5
    throttle.count_success(ANN_HOME)
    throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(ANN_HOME) == 0
    throttle.count_failure(stranger(1))
    assert throttle.compute_wait_s(stranger(1)) == 2, "and those of no other"


def test_a_day_forgets_them_too(throttle: Throttle, clock: Seconds) -> None:
    for _ in range(20):
        throttle.count_failure(ANN_HOME)
    clock.now += DAY_S + 1
    throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(ANN_HOME) == 0


def test_a_hostile_neighbour_in_the_same_network(throttle: Throttle, clock: Seconds) -> None:
    throttle.count_success(ANN_HOME)
    for _ in range(3):
        throttle.count_failure(Who.of("192.0.2.1", "bob"))
    assert throttle.compute_wait_s(Who.of("192.0.2.1", "carl")) == 15
    assert throttle.compute_wait_s(ANN_HOME) == 0, "ann logged in from there"
    for _ in range(FREE):
        throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(ANN_HOME) == 1, "and guessing her password has its own limit"
    clock.now += PENALTIES.known_s
    for _ in range(3):
        throttle.count_failure(Who.of("192.0.2.1", "bob"))
    assert throttle.compute_wait_s(ANN_HOME) == 15, "a network is known for 30 days"


def test_a_known_device_counts_for_itself(throttle: Throttle) -> None:
    device = Who.of("192.0.2.1", "ann", device="0123456789ab")
    for _ in range(20):
        throttle.count_failure(ANN_HOME)
    assert throttle.compute_wait_s(ANN_HOME) > 60
    assert throttle.compute_wait_s(device) == 0
    assert throttle.may_start(device)
    for _ in range(FREE):
        throttle.count_failure(device)
    assert throttle.compute_wait_s(device) == 1, "whoever has stolen the token guesses no faster"
    assert throttle.compute_wait_s(Who.of("203.0.113.5", "ann", device="0123456789ab")) == 1, "wherever the device is"
    assert throttle.compute_wait_s(Who.of("192.0.2.2", "ann", device="ba9876543210")) == 0


def test_a_network_has_failed_recently_for_an_hour(throttle: Throttle, clock: Seconds) -> None:
    assert not throttle.failed_recently(ANN_HOME)
    throttle.count_failure(Who.of("192.0.2.1", "bob"))
    assert throttle.failed_recently(ANN_HOME)
    assert not throttle.failed_recently(stranger(1))
    clock.now += PENALTIES.failure_s + PENALTIES.recent_s - 0.1
    assert throttle.failed_recently(ANN_HOME)
    clock.now += 0.1
    assert not throttle.failed_recently(ANN_HOME)


def test_a_try_that_runs_counts_as_failed(throttle: Throttle) -> None:
    releases = []
    while throttle.may_start(ANN_HOME):
        releases.append(throttle.reserve(ANN_HOME))
    assert len(releases) == 3, "the network"
    assert throttle.compute_wait_s(ANN_HOME) == 0
    releases.pop()()
    assert throttle.may_start(ANN_HOME)
    for release in releases:
        release()
    throttle.know(ANN_HOME)
    releases.clear()
    while throttle.may_start(ANN_HOME):
        releases.append(throttle.reserve(ANN_HOME))
    assert len(releases) == FREE, "the account"


def test_beyond_the_free_failures_one_is_tried_at_a_time(clock: Seconds) -> None:
    throttle = Throttle(clock, Penalties(failure_s=0.0))
    for _ in range(FREE):
        throttle.count_failure(ANN_HOME)
    assert not throttle.may_start(ANN_HOME)
    clock.now += 1
    assert throttle.may_start(ANN_HOME)
    release = throttle.reserve(ANN_HOME)
    assert not throttle.may_start(ANN_HOME)
    release()
    assert throttle.may_start(ANN_HOME)


def guesses(networks: int, seconds: float, *, one_account: bool) -> int:
    """Return how often so many networks, which waste no moment, guess in that time: at one account, or at all."""
    clock = Seconds()
    throttle, until, count = Throttle(clock), clock.now + seconds, 0
    due = [(clock.now, number) for number in range(networks)]
    while due[0][0] < until:
        clock.now, number = heapq.heappop(due)
        who = stranger(number, "ann" if one_account else f"user{count}")
        wait_s = throttle.compute_wait_s(who)
        if not wait_s:
            throttle.count_failure(who)
            count += 1
        heapq.heappush(due, (clock.now + max(wait_s, 0.001), number))
    return count


@pytest.mark.parametrize("networks", [1, 5, 60])
def test_guessing_at_one_account_stays_slow(networks: int) -> None:
    assert guesses(networks, 60.0, one_account=True) <= 10 * networks
    assert guesses(networks, HOUR_S, one_account=True) <= 20 * networks
    assert guesses(networks, DAY_S, one_account=True) <= 160 * networks, "6 an hour, from the second hour on"


@pytest.mark.parametrize("networks", [1, 5])
def test_guessing_at_all_accounts_stays_slow(networks: int) -> None:
    expected = HOUR_S / PENALTIES.failure_s + 3
    assert guesses(networks, HOUR_S, one_account=False) <= expected * networks, "one in 5 s"


def test_tables_are_bounded(clock: Seconds) -> None:
    table: BoundedTable[int, int] = BoundedTable(10)
    for number in range(50):
        table.put(number, number)
        table.put(0, number)
    assert len(table) == 10
    assert 0 in table, "what is changed stays"
    throttle = Throttle(clock, Penalties(max_entries=10))
    for number in range(50):
        for _ in range(FREE):
            throttle.count_failure(stranger(number))
    assert throttle.compute_wait_s(stranger(49)) > 0
    assert throttle.compute_wait_s(stranger(0)) == 0


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
