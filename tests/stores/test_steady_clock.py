"""A clock that jumps, and what a server makes of it."""

import datetime

import pytest

from sockctl.stores.steady_clock import LEAST_S, TOLERANCE_S, SteadyClock, read_boot_clock
from tests.support.clock import NOON, Clock

DAYS_40 = datetime.timedelta(days=40)
LASTING_S = 600.0


class Machine:
    """A system clock that may be set, and a steady one that can't."""

    def __init__(self) -> None:
        self.system = Clock()
        self.steady_s = 1_000.0
        self.clock = SteadyClock(system=self.system, steady=lambda: self.steady_s, lasting_s=LASTING_S)

    def pass_s(self, seconds: float) -> None:
        self.steady_s += seconds
        self.system.now += datetime.timedelta(seconds=seconds)

    def error_s(self) -> float:
        """Return how far the steady clock is from the system's."""
        return (self.clock() - self.system.now).total_seconds()


def test_it_goes_as_the_system_does() -> None:
    machine = Machine()
    assert machine.clock() == NOON
    machine.pass_s(86_400)
    assert machine.clock() == NOON + datetime.timedelta(days=1)


@pytest.mark.parametrize("jump", [DAYS_40, -DAYS_40])
def test_a_jump_does_not_count_at_once(jump: datetime.timedelta) -> None:
    machine = Machine()
    machine.system.now += jump
    machine.pass_s(2)
    assert machine.clock() == NOON + datetime.timedelta(seconds=2)
    machine.system.now -= jump
    machine.pass_s(LASTING_S)
    assert machine.error_s() == 0


@pytest.mark.parametrize("jump", [DAYS_40, -DAYS_40])
def test_a_jump_that_lasts_counts(jump: datetime.timedelta) -> None:
    machine = Machine()
    machine.pass_s(LASTING_S)
    machine.system.now += jump
    assert machine.error_s() == -jump.total_seconds()
    machine.pass_s(LASTING_S - 1)
    assert machine.error_s() == -jump.total_seconds()
    machine.pass_s(1)
    assert machine.error_s() == 0


@pytest.mark.parametrize("jump", [DAYS_40, -DAYS_40])
@pytest.mark.parametrize("wrong_s", [5.0, 100.0, LASTING_S - 1])
def test_a_clock_that_is_set_right_after_the_start_counts_sooner(jump: datetime.timedelta, wrong_s: float) -> None:
    machine = Machine()
    machine.pass_s(wrong_s)
    machine.system.now += jump
    assert machine.error_s() == -jump.total_seconds()
    machine.pass_s(max(wrong_s, LEAST_S) - 1)
    assert machine.error_s() == -jump.total_seconds(), "it may be wrong for a moment, too"
    machine.pass_s(1)
    assert machine.error_s() == 0
    machine.system.now -= jump
    machine.pass_s(max(wrong_s, LEAST_S) - 1)
    assert machine.error_s() == jump.total_seconds(), "and again"


def test_each_jump_must_last_for_itself() -> None:
    machine = Machine()
    for _ in range(5):
        machine.system.now += DAYS_40
        machine.pass_s(LASTING_S / 2)
        assert machine.error_s() < 0
    machine.system.now -= 5 * DAYS_40
    assert machine.error_s() == 0


def test_a_clock_that_is_corrected_is_followed() -> None:
    machine = Machine()
    for _ in range(100):
        machine.system.now += datetime.timedelta(seconds=TOLERANCE_S - 1)
        assert machine.error_s() == 0


def test_the_real_one() -> None:
    assert abs((SteadyClock()() - datetime.datetime.now(datetime.UTC)).total_seconds()) < 5
    assert read_boot_clock() <= read_boot_clock()
