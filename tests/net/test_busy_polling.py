"""Looking for a moment before sleeping: when it is done, when it is left, and that nobody pays for it who is idle."""

import socket
import time
from functools import partial

import pytest

from sockctl.net.busy_polling import MAX_WAITS, MOMENT_S, BusyPolling, Poll
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import Limits
from sockctl.services.echo import Echo
from tests.support.running import receive_exactly, running

READY = [(7, 1)]


class Poller:
    """Has something ready at the look whose turn it is, from 1; a sleep ends with it. Keeps the timeouts asked for."""

    def __init__(self, ready_at: int) -> None:
        self.ready_at = ready_at
        self.timeouts: list[float] = []

    def poll(self, timeout_s: float, at_most: int) -> list[tuple[int, int]]:
        assert at_most == 5
        self.timeouts.append(timeout_s)
        return READY if timeout_s or len(self.timeouts) == self.ready_at else []


class Clock:
    """Goes on by 10 µs each time that it is read."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 10e-6
        return self.now


def wait(waiting: BusyPolling, poller: Poller, ready_at: int = 0) -> list[float]:
    """Wait once for what is ready at that look, or only after a sleep; return the timeouts asked for."""
    poller.ready_at = ready_at
    poller.timeouts.clear()
    assert waiting.poll(9.0, 5) == READY
    return list(poller.timeouts)


def sleeps_at_once(waiting: BusyPolling, poller: Poller) -> int:
    """Wait in vain until it looks again, and return how often it slept at once before."""
    count = 0
    while wait(waiting, poller) == [9.0]:
        count += 1
    return count


@pytest.fixture
def poller() -> Poller:
    return Poller(0)


@pytest.fixture
def waiting(poller: Poller) -> BusyPolling:
    return BusyPolling(poller.poll, clock=Clock().monotonic)


def test_what_is_ready_is_returned_at_once(waiting: BusyPolling, poller: Poller) -> None:
    assert wait(waiting, poller, 1) == [0]


def test_what_comes_within_the_moment_finds_it_awake(waiting: BusyPolling, poller: Poller) -> None:
    for _ in range(50):
        assert wait(waiting, poller, 4) == [0, 0, 0, 0]


def test_after_the_moment_it_sleeps(waiting: BusyPolling, poller: Poller) -> None:
    timeouts = wait(waiting, poller)
    assert timeouts[-1] == 9.0
    assert timeouts[:-1] == [0] * len(timeouts[:-1])
    assert 4 <= len(timeouts[:-1]) <= 6, "50 µs of a clock that takes 10 for each look, and the first look"


def test_without_time_it_looks_once(waiting: BusyPolling, poller: Poller) -> None:
    assert waiting.poll(0, 5) == []
    assert poller.timeouts == [0]


def test_each_look_in_vain_doubles_the_sleeps_up_to_a_bound(waiting: BusyPolling, poller: Poller) -> None:
    wait(waiting, poller)
    sleeps = [sleeps_at_once(waiting, poller) for _ in range(13)]
    assert sleeps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    assert MAX_WAITS == 1024


def test_each_success_halves_them(waiting: BusyPolling, poller: Poller) -> None:
    for _ in range(6):
        sleeps_at_once(waiting, poller)  # the last of them has 32 to follow
    for _ in range(32):
        assert wait(waiting, poller) == [9.0]
    for _ in range(3):
        assert len(wait(waiting, poller, 3)) == 3
    wait(waiting, poller)
    assert sleeps_at_once(waiting, poller) == 64 // 8


def test_what_is_ready_anyway_is_no_success(waiting: BusyPolling, poller: Poller) -> None:
    for _ in range(3):
        sleeps_at_once(waiting, poller)
    for _ in range(4):
        assert wait(waiting, poller) == [9.0]
    for _ in range(100):
        assert wait(waiting, poller, 1) == [0]
    wait(waiting, poller)
    assert sleeps_at_once(waiting, poller) == 8


def test_as_many_successes_as_failures_leave_it_looking_at_times(waiting: BusyPolling, poller: Poller) -> None:
    """One that comes in half of all cases neither keeps it awake nor makes it give up."""
    for _ in range(200):
        wait(waiting, poller)
        while wait(waiting, poller, 2) == [9.0]:
            pass
    wait(waiting, poller)
    assert sleeps_at_once(waiting, poller) <= 2


# In a server.


class Noting(BusyPolling):
    """Notes for how long event threads ask their pollers to wait, in turn."""

    def __init__(self, timeouts: list[float], poll: Poll, *, moment_s: float = MOMENT_S) -> None:
        def noting(timeout_s: float, at_most: int) -> list[tuple[int, int]]:
            timeouts.append(timeout_s)
            return poll(timeout_s, at_most)

        super().__init__(noting, moment_s=moment_s)


ONE = Limits(event_threads=1)


def echo_once(sock: socket.socket) -> None:
    sock.sendall(b"x")
    assert receive_exactly(sock, 1) == b"x"


def test_whoever_is_answered_while_it_looks_is_answered_without_a_sleep() -> None:
    asked: list[float] = []
    event_loop = partial(EventLoop, busy_polling=partial(Noting, asked, moment_s=60.0))
    with running(Echo(), ONE, make_event_loop=event_loop) as run, run.client() as sock:
        for _ in range(20):
            echo_once(sock)
        assert len(asked) >= 20
        assert not any(asked)


def test_whoever_says_little_keeps_nobody_awake() -> None:
    asked: list[float] = []
    event_loop = partial(EventLoop, busy_polling=partial(Noting, asked))
    with running(Echo(), ONE, make_event_loop=event_loop) as run, run.client() as sock:
        for _ in range(200):
            echo_once(sock)
            time.sleep(0.005)
        sleeps = [place for place, timeout_s in enumerate(asked) if timeout_s]
        in_vain = [place for place in sleeps if place and not asked[place - 1]]
        assert len(sleeps) > 20, "where others keep the machine busy, it may find the next message there already"
        assert len(in_vain) < 0.3 * len(sleeps), "it hardly ever looks before it sleeps"
