"""The line in front of the hashes."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sockctl.accounts import hash_queue
from sockctl.accounts.hash_queue import WAITING, HashQueue
from sockctl.accounts.throttle import Who
from sockctl.errors import BusyError, ThrottledError
from tests.running import TIMEOUT_S, wait_until

ANN = Who.of("192.0.2.1", "ann")


@contextmanager
def held(queue: HashQueue, count: int) -> Iterator[None]:
    """Hold `count` slots."""
    inside, leave = threading.Barrier(count + 1), threading.Event()

    def hold() -> None:
        with queue.slot(None):
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


def in_slot(queue: HashQueue, who: Who | None = None) -> None:
    with queue.slot(who) as one:
        one.right = True


def test_slots_are_as_many_as_cores_and_four_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, slots in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr(hash_queue, "usable_cores", lambda cores=cores: cores)
        assert HashQueue().slots == slots
    assert 1 <= HashQueue(slots=None).slots <= 4


def test_no_more_than_the_slots_run_at_once() -> None:
    queue = HashQueue(slots=2)
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        with queue.slot(None):
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


def test_a_full_line_is_busy_at_once() -> None:
    queue = HashQueue(slots=1)
    with ThreadPoolExecutor(WAITING) as pool:
        with held(queue, 1):
            waiting = [pool.submit(in_slot, queue, ANN) for _ in range(WAITING)]
            wait_until(lambda: len(queue._line) == WAITING)
            with pytest.raises(BusyError, match="try again in") as caught:
                in_slot(queue)
            assert caught.value.retry_after_s is not None
            assert caught.value.retry_after_s >= 1
        for one in waiting:
            one.result(TIMEOUT_S)


def test_strangers_who_fill_the_line_lock_nobody_out_who_is_known() -> None:
    queue = HashQueue(slots=1)
    queue.know(ANN)
    order: list[str] = []

    def work(who: Who) -> None:
        with queue.slot(who) as one:
            one.right = True
            order.append(who.account)

    with ThreadPoolExecutor(WAITING + 2) as pool:
        with held(queue, 1):
            waiting = []
            for number in range(WAITING):
                waiting.append(pool.submit(work, Who.of(f"198.51.100.{number}", f"user{number}")))
                wait_until(lambda number=number: len(queue._line) == number + 1)  # type: ignore[misc]
            waiting += [pool.submit(work, ANN) for _ in range(2)]
            wait_until(lambda: len(queue._line) == WAITING + 2)
        for one in waiting:
            one.result(TIMEOUT_S)
    assert order[:5] == ["ann", "user0", "ann", "user1", "user2"], "by turns"


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_queue, "PATIENCE_S", 0.05)
    queue = HashQueue(slots=1)
    with held(queue, 1), pytest.raises(BusyError):
        in_slot(queue)
    in_slot(queue)


def test_whose_client_is_gone_waits_no_longer() -> None:
    queue = HashQueue(slots=1)
    gone = threading.Event()

    def wait() -> None:
        with queue.slot(None, given_up=gone.is_set):
            pytest.fail("nobody is there")

    with held(queue, 1), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        wait_until(lambda: len(queue._line) == 1)
        gone.set()
        with pytest.raises(BusyError):
            waiting.result(TIMEOUT_S)


def test_the_line_keeps_its_order() -> None:
    queue = HashQueue(slots=1)
    order: list[int] = []

    def work(number: int) -> None:
        with queue.slot(None):
            order.append(number)

    with ThreadPoolExecutor(10) as pool:
        with held(queue, 1):
            waiting = []
            for number in range(10):
                waiting.append(pool.submit(work, number))
                wait_until(lambda number=number: len(queue._line) == number + 1)  # type: ignore[misc]
        for one in waiting:
            one.result(TIMEOUT_S)
    assert order == list(range(10))


def test_guesses_in_parallel_dont_slip_through() -> None:
    queue = HashQueue(slots=4)
    hashed = 0
    lock = threading.Lock()

    def guess() -> None:
        nonlocal hashed
        with queue.slot(ANN) as one:
            with lock:
                hashed += 1
            time.sleep(0.05)
            one.right = False

    with ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(guess) for _ in range(20)]
        errors = [end.exception(TIMEOUT_S) for end in ends]
    assert hashed in {3, 4}, "the third failure makes 15 s, less what was served since the first: then the second does"
    throttled = [error for error in errors if isinstance(error, ThrottledError)]
    assert len(throttled) == 20 - hashed
    assert all(10 < (error.retry_after_s or 0) <= 20 for error in throttled)


def test_guesses_of_one_account_from_everywhere_dont_slip_through() -> None:
    queue = HashQueue(slots=4)
    hashed = 0
    lock = threading.Lock()

    def guess(number: int) -> None:
        nonlocal hashed
        with queue.slot(Who.of(f"198.51.100.{number}", "ann")) as one:
            with lock:
                hashed += 1
            time.sleep(0.05)
            one.right = False

    with ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(guess, number) for number in range(20)]
        errors = [end.exception(TIMEOUT_S) for end in ends]
    assert hashed == 5
    assert sum(isinstance(error, ThrottledError) for error in errors) == 15


def test_many_right_ones_at_once_are_no_guesses() -> None:
    queue = HashQueue(slots=4)

    def log_in() -> None:
        with queue.slot(ANN) as one:
            time.sleep(0.002)
            one.right = True

    with ThreadPoolExecutor(30) as pool:
        for end in [pool.submit(log_in) for _ in range(30)]:
            end.result(TIMEOUT_S)


def test_others_pass_whoever_must_wait_until_more_is_known() -> None:
    queue = HashQueue(slots=4, clock=lambda: 1000.0)
    inside, leave = threading.Barrier(4), threading.Event()

    def guess() -> None:
        with queue.slot(ANN) as one:
            inside.wait(TIMEOUT_S)
            leave.wait(TIMEOUT_S)
            one.right = False

    with ThreadPoolExecutor(4) as pool:
        guesses = [pool.submit(guess) for _ in range(3)]
        inside.wait(TIMEOUT_S)
        fourth = pool.submit(in_slot, queue, ANN)
        wait_until(lambda: len(queue._line) == 1)
        in_slot(queue, Who.of("192.0.2.2", "bob"))
        assert not fourth.done()
        leave.set()
        for one in guesses:
            one.result(TIMEOUT_S)
        with pytest.raises(ThrottledError):
            fourth.result(TIMEOUT_S)


def test_a_try_that_broke_counts_for_nothing() -> None:
    queue = HashQueue(slots=1)
    for _ in range(10):
        with pytest.raises(MemoryError), queue.slot(ANN):
            raise MemoryError
    in_slot(queue, ANN)


def test_who_is_known_from_before_gets_through() -> None:
    queue = HashQueue(slots=1)
    queue.know(ANN)
    for number in range(5):
        with queue.slot(Who.of(f"198.51.100.{number}", "ann")) as one:
            one.right = False
    with pytest.raises(ThrottledError), queue.slot(Who.of("198.51.100.77", "ann")):
        pass
    in_slot(queue, ANN)
