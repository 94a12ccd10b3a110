"""The line in front of the hashes."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sockctl.accounts.hash_queue import HashQueue, QueueLimits
from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.throttle import Penalties, Throttle, Who
from sockctl.cluster.engine_pool import EnginePool
from sockctl.errors import BusyError, EngineAwayError, ThrottledError
from tests.support.account_stores import shared_throttle
from tests.support.running import TIMEOUT_S, wait_until

ANN = Who.of("192.0.2.1", "ann")
HOLDER = Who.of("203.0.113.1", "holder")


@contextmanager
def held(queue: HashQueue, count: int) -> Iterator[None]:
    """Hold `count` slots."""
    inside, leave = threading.Barrier(count + 1), threading.Event()

    def hold() -> None:
        with queue.hold_slot(HOLDER, guess=False):
            inside.wait(TIMEOUT_S)
            leave.wait(TIMEOUT_S)

    with ThreadPoolExecutor(count) as pool:
        holders = [pool.submit(hold) for _ in range(count)]
        inside.wait(TIMEOUT_S)
        try:
            yield
        finally:
            leave.set()
        for holder in holders:
            holder.result(TIMEOUT_S)


def in_slot(queue: HashQueue, who: Who = ANN) -> None:
    with queue.hold_slot(who) as one:
        one.right = True


def stranger(number: int, account: str = "") -> Who:
    return Who.of(f"198.51.100.{number}", account or f"user{number}")


class Line:
    """Tries that wait in a queue of one slot, in the order in which they came, and what became of them."""

    def __init__(self, queue: HashQueue, pool: ThreadPoolExecutor) -> None:
        self._queue, self._pool = queue, pool
        self.order: list[str] = []
        self.ends: list[Future[None]] = []

    def add(self, who: Who, name: str = "", *, right: bool = True) -> Future[None]:
        def work() -> None:
            with self._queue.hold_slot(who) as one:
                self.order.append(name or who.source)
                one.right = right

        before = self._came()
        self.ends.append(self._pool.submit(work))
        wait_until(lambda: self._came() > before)
        return self.ends[-1]

    def _came(self) -> int:
        return self._queue.waiting + sum(end.done() for end in self.ends)

    def served(self) -> list[str]:
        """Wait for the end of all, and return who was served, in order."""
        for end in self.ends:
            error = end.exception(TIMEOUT_S)
            assert error is None or isinstance(error, BusyError)
        return self.order


def test_slots_are_as_many_as_cores_and_four_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, slots in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert HashQueue().slots == slots
    assert 1 <= HashQueue(slots=None).slots <= 4


def test_no_more_than_the_slots_run_at_once() -> None:
    queue = HashQueue(slots=2)
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with queue.hold_slot(HOLDER, guess=False):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)
            with lock:
                running -= 1

    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(work) for _ in range(20)]:
            done.result(TIMEOUT_S)
    assert most == 2


def test_a_source_whose_tries_are_too_many_is_busy_at_once() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(of_source=3))
    with ThreadPoolExecutor(5) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for _ in range(3):
                line.add(ANN)
            with pytest.raises(BusyError, match="try again in") as caught:
                in_slot(queue, ANN)
            assert caught.value.retry_after_s is not None
            assert caught.value.retry_after_s >= 1
            line.add(stranger(1))
        assert len(line.served()) == 4


def test_sources_take_turns() -> None:
    queue = HashQueue(slots=1)
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in (1, 1, 1, 2, 1, 2, 3):
                line.add(stranger(number), str(number))
        assert line.served() == ["1", "2", "3", "1", "2", "1", "1"]


def test_the_source_that_was_served_longest_ago_is_next() -> None:
    queue = HashQueue(slots=1)
    for number in (1, 2, 3):
        in_slot(queue, stranger(number, "first"))
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in (4, 3, 2, 1):
                line.add(stranger(number), str(number))
        assert line.served() == ["1", "2", "3", "4"]


def test_a_full_queue_refuses_the_try_that_would_be_served_last() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(waiting=4))
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            greedy = [line.add(stranger(1), "greedy") for _ in range(4)]
            newcomers = [line.add(stranger(number), "newcomer") for number in (2, 3)]
            assert isinstance(greedy[3].exception(TIMEOUT_S), BusyError), "not the newcomers"
            assert isinstance(greedy[2].exception(TIMEOUT_S), BusyError)
            assert not any(end.done() for end in newcomers)
        assert line.served() == ["greedy", "newcomer", "newcomer", "greedy"]


def test_a_try_that_comes_again_after_busy_is_served() -> None:
    queue = HashQueue(
        slots=1, limits=QueueLimits(waiting=2), throttle=LocalThrottle(penalties=Penalties(recent_s=-1_000_000.0))
    )
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in (1, 2):
                line.add(stranger(number), "early", right=False)
            refused = line.add(stranger(3), "obeys")
            assert isinstance(refused.exception(TIMEOUT_S), BusyError)
        line.served()
        line.order.clear()
        with held(queue, 1):
            for number in (1, 2, 4, 5):  # two were served meanwhile, two are new
                line.add(stranger(number), "others", right=False)
            line.add(stranger(3), "obeys")
        assert line.served() == ["obeys", "others"]


def test_a_new_source_and_one_that_failed_take_turns() -> None:
    queue = HashQueue(slots=1)
    for number in range(6):
        with queue.hold_slot(stranger(number)) as one:
            one.right = False
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in range(6):
                line.add(stranger(number), "failed", right=False)
            for number in (7, 8):
                line.add(stranger(number), "new")
        assert line.served() == [*["failed", "new"] * 2, *["failed"] * 4]


def test_how_long_a_busy_queue_asks_to_wait() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(waiting=30, patience_s=4.0))
    with ThreadPoolExecutor(40) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in range(30):
                line.add(stranger(number), right=False)
            for number, expected in ((31, 4), (0, 1)):  # one that comes last, and one that is next: 0.1 s a hash
                error = line.ends[number].exception(TIMEOUT_S) if number < 30 else line.add(stranger(31)).exception()
                assert isinstance(error, BusyError)
                assert error.retry_after_s == expected


def test_twelve_newcomers_beside_twenty_strangers_who_never_rest() -> None:
    penalties = Penalties(failure_s=0.0, free_failures=1_000_000)
    limits = QueueLimits(waiting=36, patience_s=TIMEOUT_S, look_s=0.5)  # else so many threads take all time for looking
    queue = HashQueue(slots=2, limits=limits, throttle=LocalThrottle(penalties=penalties))
    done, served = threading.Event(), list[str]()
    waits = [threading.Event() for _ in range(12)]

    def hammer(number: int) -> None:
        while not done.wait(0.3):  # more often, and so many threads have no time for anything but the lock
            with contextlib.suppress(BusyError), queue.hold_slot(stranger(number), given_up=done.is_set) as one:
                served.append("stranger")
                one.right = False

    def enter(number: int) -> None:
        def given_up() -> bool:
            waits[number].set()  # asked in the queue
            return False

        with queue.hold_slot(Who.of(f"192.0.2.{number}", f"user{number}"), given_up=given_up) as one:
            served.append("newcomer")
            one.right = True

    with ThreadPoolExecutor(40 + 12) as pool:
        try:
            with held(queue, 2):
                strangers = [pool.submit(hammer, number % 20) for number in range(40)]
                wait_until(lambda: queue.waiting == 36)
                newcomers = [pool.submit(enter, number) for number in range(12)]
                assert all(event.wait(TIMEOUT_S) for event in waits)
            for one in newcomers:
                one.result(TIMEOUT_S)
        finally:
            done.set()
        for one in strangers:
            one.result(TIMEOUT_S)
    last = max(place for place, who in enumerate(served) if who == "newcomer")
    # One round, half of which goes to strangers who have failed meanwhile; as long again for threads that run late.
    assert last < 4 * (20 + 12)


def test_strangers_who_fill_the_queue_hold_up_nobody_who_is_known() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(waiting=4))
    queue.know([ANN])
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in range(4):
                line.add(stranger(number), "stranger")
            for _ in range(2):
                line.add(ANN, "ann")
            line.add(Who.of("198.51.100.1", "bob", device="0123456789ab"), "device")
        order = line.served()
    assert order == ["ann", "stranger", "device", "stranger", "ann", "stranger", "stranger"], "by turns"


def test_devices_of_one_network_take_no_more_turns_than_another_network() -> None:
    queue = HashQueue(slots=1)
    devices = [Who.of("198.51.100.1", "mallory", device=f"{number:012}") for number in range(10)]
    for device in devices:
        in_slot(queue, device)
    queue.know([ANN])
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for device in devices:
                line.add(device, "mallory")
            for _ in range(2):
                line.add(ANN, "ann")
        assert line.served()[:4] == ["mallory", "ann", "mallory", "ann"]


def test_accounts_of_one_network_take_turns() -> None:
    queue = HashQueue(slots=1)
    devices = [Who.of("192.0.2.1", "mallory", device=f"{number:012}") for number in range(10)]
    queue.know([ANN])
    with ThreadPoolExecutor(20) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for device in devices:
                line.add(device, "mallory")
            line.add(ANN, "ann")
        assert line.served()[:3] == ["mallory", "ann", "mallory"]


def test_a_try_that_waits_too_long_is_told() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(patience_s=0.05))
    with held(queue, 1), pytest.raises(BusyError):
        in_slot(queue)
    in_slot(queue)


def test_whose_client_is_gone_waits_no_longer() -> None:
    queue = HashQueue(slots=1)
    gone = threading.Event()

    def wait() -> None:
        with queue.hold_slot(ANN, given_up=gone.is_set):
            pytest.fail("nobody is there")

    with held(queue, 1), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        wait_until(lambda: queue.waiting == 1)
        gone.set()
        with pytest.raises(BusyError):
            waiting.result(TIMEOUT_S)


def test_a_source_keeps_its_order() -> None:
    queue = HashQueue(slots=1)
    with ThreadPoolExecutor(10) as pool:
        line = Line(queue, pool)
        with held(queue, 1):
            for number in range(10):
                line.add(ANN, str(number))
        assert line.served() == [str(number) for number in range(10)]


@pytest.fixture
def make_throttle(kind: str, request: pytest.FixtureRequest) -> Callable[..., Throttle]:
    """Make a throttle of each kind."""
    if kind == "files":
        return LocalThrottle
    pool = request.getfixturevalue("pool")
    return lambda clock=None: shared_throttle(pool, clock)


def test_guesses_in_parallel_dont_slip_through(make_throttle: Callable[..., Throttle]) -> None:
    queue = HashQueue(slots=4, throttle=make_throttle(lambda: 1000.0))
    hashed = 0
    lock = threading.Lock()

    def guess() -> None:
        nonlocal hashed
        with queue.hold_slot(ANN) as one:
            with lock:
                hashed += 1
            time.sleep(0.05)
            one.right = False

    with ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(guess) for _ in range(20)]
        errors = [end.exception(TIMEOUT_S) for end in ends]
    assert hashed == 3, "the third failure makes 15 s"
    throttled = [error for error in errors if isinstance(error, ThrottledError)]
    assert len(throttled) == 20 - hashed
    assert all(10 < (error.retry_after_s or 0) <= 20 for error in throttled)


def test_many_right_ones_at_once_are_no_guesses(make_throttle: Callable[..., Throttle]) -> None:
    queue = HashQueue(slots=4, throttle=make_throttle())

    def log_in() -> None:
        with queue.hold_slot(ANN) as one:
            time.sleep(0.002)
            one.right = True

    with ThreadPoolExecutor(30) as pool:
        for end in [pool.submit(log_in) for _ in range(30)]:
            end.result(TIMEOUT_S)


def test_others_pass_whoever_must_wait_until_more_is_known(make_throttle: Callable[..., Throttle]) -> None:
    queue = HashQueue(slots=4, throttle=make_throttle(lambda: 1000.0))
    inside, leave = threading.Barrier(4), threading.Event()

    def guess() -> None:
        with queue.hold_slot(ANN) as one:
            inside.wait(TIMEOUT_S)
            leave.wait(TIMEOUT_S)
            one.right = False

    with ThreadPoolExecutor(4) as pool:
        guesses = [pool.submit(guess) for _ in range(3)]
        inside.wait(TIMEOUT_S)
        fourth = pool.submit(in_slot, queue, ANN)
        wait_until(lambda: queue.waiting == 1)
        in_slot(queue, Who.of("192.0.2.2", "bob"))
        assert not fourth.done()
        leave.set()
        for one in guesses:
            one.result(TIMEOUT_S)
        with pytest.raises(ThrottledError):
            fourth.result(TIMEOUT_S)


def test_a_guess_at_another_server_holds_up_one_here(pool: EnginePool) -> None:
    other = shared_throttle(pool)
    tickets = [other.admit(ANN).ticket for _ in range(3)]
    queue = HashQueue(slots=2, throttle=shared_throttle(pool))
    with ThreadPoolExecutor(1) as threads:
        here = threads.submit(in_slot, queue, ANN)
        wait_until(lambda: queue.waiting == 1)
        in_slot(queue, stranger(1))
        assert not here.done()
        for ticket in tickets:
            other.settle(ANN, ticket, right=None)
        here.result(TIMEOUT_S)


class Unreachable(LocalThrottle):
    """A throttle in an engine that goes away."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    def settle(self, who: Who, ticket: str, *, right: bool | None) -> None:
        if self.is_away:
            raise EngineAwayError("away")
        super().settle(who, ticket, right=right)


@pytest.mark.parametrize("breaks", [False, True])
def test_an_end_that_can_not_be_counted_is_told_and_frees_the_slot(*, breaks: bool) -> None:
    throttle = Unreachable()
    queue = HashQueue(slots=1, throttle=throttle)

    def guess() -> None:
        with queue.hold_slot(ANN) as one:
            throttle.is_away = True
            one.right = False
            if breaks:
                raise MemoryError

    with pytest.raises(MemoryError if breaks else EngineAwayError):
        guess()
    throttle.is_away = False
    in_slot(queue, stranger(1))


def test_a_try_that_broke_counts_for_nothing() -> None:
    queue = HashQueue(slots=1)
    for _ in range(10):
        with pytest.raises(MemoryError), queue.hold_slot(ANN):
            raise MemoryError
    in_slot(queue, ANN)


def test_a_try_that_breaks_while_it_waits_leaves_the_queue() -> None:
    queue = HashQueue(slots=1, limits=QueueLimits(look_s=0.01))

    def broken() -> bool:
        raise MemoryError

    with held(queue, 1), pytest.raises(MemoryError), queue.hold_slot(ANN, given_up=broken):
        pass
    assert queue.waiting == 0
    in_slot(queue, ANN)


def test_a_source_is_throttled_and_no_other() -> None:
    queue = HashQueue(slots=1, throttle=LocalThrottle(lambda: 1000.0))
    for _ in range(3):
        with queue.hold_slot(stranger(1, "ann")) as one:
            one.right = False
    with pytest.raises(ThrottledError), queue.hold_slot(stranger(1, "ann")):
        pass
    in_slot(queue, ANN)
    with queue.hold_slot(stranger(1, "ann"), guess=False):
        pass  # nothing is guessed
