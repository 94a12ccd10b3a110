"""Who must wait: by address, by account, and who gets through all the same."""

import pytest

from sockctl.accounts import throttle as module
from sockctl.accounts.throttle import FREE_FAILURES, Throttle, Who

ANN_HOME = Who.of("192.0.2.1", "ann")


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
    return Who.of(f"198.51.100.{number}", account)


def test_who_counts_as_one() -> None:
    assert Who.of("192.0.2.1", "Ann") == Who.of("192.0.2.1", " ann ")
    assert Who.of("2001:db8:1:2::1", "ann") == Who.of("2001:db8:1:2:ffff::9", "ann")
    assert Who.of("2001:db8:1:2::1", "ann") != Who.of("2001:db8:1:3::1", "ann")
    assert Who.of("fe80::1%eth0", "ann").address == "fe80::/64"
    assert len(Who.of("192.0.2.1", "x" * 4000).account) == 64


def test_an_address_that_fails_three_times_waits(throttle: Throttle, clock: Seconds) -> None:
    for number in range(3):
        assert throttle.wait_s(Who.of("192.0.2.1", f"user{number}")) == 0
        throttle.failed(Who.of("192.0.2.1", f"user{number}"))
    assert throttle.wait_s(ANN_HOME) == 15
    clock.now += 14.9
    assert throttle.wait_s(ANN_HOME) == pytest.approx(0.1), "until all of it is served"
    clock.now += 0.1
    assert throttle.wait_s(ANN_HOME) == 0
    throttle.failed(ANN_HOME)
    assert throttle.wait_s(ANN_HOME) == 0, "and then it begins anew"


def test_failures_that_come_slowly_cost_an_address_nothing(throttle: Throttle, clock: Seconds) -> None:
    for number in range(50):
        throttle.failed(Who.of("192.0.2.1", f"user{number}"))
        clock.now += 5
    assert throttle.wait_s(ANN_HOME) == 0


def test_an_address_waits_ten_minutes_at_most(throttle: Throttle, clock: Seconds) -> None:
    for number in range(500):
        throttle.failed(Who.of("192.0.2.1", f"user{number}"))
    assert throttle.wait_s(ANN_HOME) == 600
    clock.now += 600
    assert throttle.wait_s(ANN_HOME) == 0


def test_an_account_has_five_free_failures_then_waits_twice_as_long_each_time(
    throttle: Throttle, clock: Seconds
) -> None:
    pauses = []
    for number in range(14):
        throttle.failed(stranger(number))
        pauses.append(throttle.wait_s(stranger(200)))
        clock.now += pauses[-1]
        assert throttle.wait_s(stranger(200)) == 0
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert throttle.wait_s(stranger(200, "bob")) == 0, "another account has its own"


def test_an_account_that_isnt_there_is_counted_alike(throttle: Throttle) -> None:
    for number in range(FREE_FAILURES):
        throttle.failed(stranger(number, "no such user"))
    assert throttle.wait_s(stranger(200, "no such user")) == 1


def test_a_success_forgets_an_accounts_failures(throttle: Throttle) -> None:
    for number in range(FREE_FAILURES - 1):
        throttle.failed(stranger(number))
    throttle.succeeded(stranger(100))
    for number in range(FREE_FAILURES - 1):
        throttle.failed(stranger(number + 50))
    assert throttle.wait_s(stranger(200)) == 0


def test_an_hour_forgets_them_too(throttle: Throttle, clock: Seconds) -> None:
    for number in range(20):
        throttle.failed(stranger(number))
    clock.now += 3601
    throttle.failed(stranger(30))
    assert throttle.wait_s(stranger(200)) == 0


def test_strangers_dont_lock_the_owner_out(throttle: Throttle) -> None:
    throttle.succeeded(ANN_HOME)
    for number in range(100):
        throttle.failed(stranger(number))
    assert throttle.wait_s(stranger(200)) == 60
    assert throttle.wait_s(ANN_HOME) == 0, "from the usual address"
    assert throttle.wait_s(Who.of("192.0.2.1", "bob")) == 0


def test_a_classroom_behind_one_address(throttle: Throttle) -> None:
    for number in range(100):
        throttle.failed(stranger(number))
    assert throttle.wait_s(ANN_HOME) == 60
    throttle.succeeded(Who.of("192.0.2.1", "bob"))
    assert throttle.wait_s(ANN_HOME) == 0, "somebody got in from there"


def test_a_hostile_neighbour_behind_the_same_address(throttle: Throttle, clock: Seconds) -> None:
    throttle.succeeded(ANN_HOME)
    for _ in range(3):
        throttle.failed(Who.of("192.0.2.1", "bob"))
    assert throttle.wait_s(Who.of("192.0.2.1", "carl")) == 15
    assert throttle.wait_s(ANN_HOME) == 0, "ann got in from there lately"
    for _ in range(FREE_FAILURES):
        throttle.failed(ANN_HOME)
    assert throttle.wait_s(ANN_HOME) == 1, "and guessing her password has its own limit"
    clock.now += 86_400
    throttle.failed(Who.of("192.0.2.1", "bob"))
    throttle.failed(Who.of("192.0.2.1", "bob"))
    throttle.failed(Who.of("192.0.2.1", "bob"))
    assert throttle.wait_s(ANN_HOME) == 15, "lately ends after a day"


def test_what_is_tried_right_now_counts_as_failed(throttle: Throttle) -> None:
    releases = []
    while throttle.may_start(ANN_HOME):
        releases.append(throttle.reserve(ANN_HOME))
    assert len(releases) == 3, "the address"
    assert throttle.wait_s(ANN_HOME) == 0
    releases.pop()()
    assert throttle.may_start(ANN_HOME)
    for release in releases:
        release()
    assert not throttle._tried_accounts
    assert not throttle._tried_addresses
    from_everywhere = 0
    while throttle.may_start(stranger(from_everywhere)):
        throttle.reserve(stranger(from_everywhere))
        from_everywhere += 1
    assert from_everywhere == FREE_FAILURES, "the account"


def test_beyond_the_free_failures_one_is_tried_at_a_time(throttle: Throttle, clock: Seconds) -> None:
    for number in range(FREE_FAILURES):
        throttle.failed(stranger(number))
    assert not throttle.may_start(stranger(200))
    clock.now += 1
    assert throttle.may_start(stranger(200))
    release = throttle.reserve(stranger(200))
    assert not throttle.may_start(stranger(201))
    release()
    assert throttle.may_start(stranger(201))


def test_tables_are_bounded(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 10)
    for number in range(50):
        throttle.failed(stranger(number, f"user{number}"))
        throttle.succeeded(stranger(number, f"user{number}"))
    for table in (throttle._penalties, throttle._known, throttle._known_pairs):
        assert len(table) == 10
    for number in range(50):
        throttle.failed(stranger(number, f"user{number}"))
    assert len(throttle._failures) == 10
