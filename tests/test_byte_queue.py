import threading

from sockctl.byte_queue import ByteQueue
from tests.support.running import TIMEOUT_S


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    queue: ByteQueue[int] = ByteQueue(capacity_bytes=10)
    assert [queue.put(size, size) for size in (4, 4, 4, 2, 1)] == [True, True, False, True, False]
    assert queue.pop_dropped() == 2
    assert queue.pop_dropped() == 0
    assert queue.fetch(count=10, size_bytes=100) == ([4, 4, 2], False)
    assert queue.put(10, 10), "what was taken has left its place"


def test_one_alone_may_be_larger() -> None:
    queue: ByteQueue[str] = ByteQueue(capacity_bytes=10)
    assert queue.put("large", 50)
    assert not queue.put("small", 1)
    assert queue.fetch(count=10, size_bytes=1) == (["large"], False)


def test_how_much_is_taken_at_once() -> None:
    queue: ByteQueue[int] = ByteQueue(capacity_bytes=1000)
    for number in range(6):
        queue.put(number, 10)
    assert queue.fetch(count=2, size_bytes=1000) == ([0, 1], False)
    assert queue.fetch(count=10, size_bytes=20) == ([2, 3], False)
    assert queue.fetch(count=10, size_bytes=0) == ([4], False)


def test_waiting() -> None:
    queue: ByteQueue[int] = ByteQueue(capacity_bytes=10)
    assert queue.fetch(count=1, size_bytes=1, timeout_s=0.01) == ([], False)
    taken: list[tuple[list[int], bool]] = []

    def take() -> None:
        while not taken or not taken[-1][1]:
            taken.append(queue.fetch(count=1, size_bytes=1))

    taker = threading.Thread(target=take)
    taker.start()
    queue.put(1, 1)
    queue.put(2, 1)
    queue.close()
    taker.join(TIMEOUT_S)
    assert taken == [([1], False), ([2], False), ([], True)]


def test_the_end_stands_behind_what_waits() -> None:
    queue: ByteQueue[int] = ByteQueue(capacity_bytes=10)
    queue.put(1, 1)
    queue.close()
    assert queue.fetch(count=10, size_bytes=10) == ([1], True)


def test_threads_lose_no_count() -> None:
    queue: ByteQueue[int] = ByteQueue(capacity_bytes=100)
    threads = [threading.Thread(target=lambda: [queue.put(1, 1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(queue.fetch(count=50, size_bytes=50, timeout_s=0.01)[0])
    for thread in threads:
        thread.join()
    queue.close()
    ended = False
    while not ended:
        items, ended = queue.fetch(count=50, size_bytes=50)
        taken += len(items)
    assert taken + queue.pop_dropped() == 4000
    assert queue.put(1, 100), "all bytes are free again"
